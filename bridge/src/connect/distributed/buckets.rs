//! Which partition stands for a connector or a task: who has the partition runs the task.
//!
//! Invariant: it depends on the name, the number and the count of partitions alone, so that every
//! worker finds the same, and a connector that comes or goes moves no other.

use crate::connect::group::Unit;

/// The partition, of so many, that stands for a unit.
///
/// A name chooses a place; every other task of its connector lies on the other side, an odd number of
/// partitions away, and those of one side lie as far from each other as can be (halves, quarters,
/// eighths). For Kafka gives a worker every n-th partition, or a row of them: two tasks of a connector
/// are at two workers, where there are two.
pub(super) fn bucket(name: &str, unit: Unit, partitions: i32) -> i32 {
    let number = match unit {
        Unit::Connector => 0,
        Unit::Task(number) => u32::try_from(number).unwrap_or(u32::MAX),
    };
    let partitions = u32::try_from(partitions).unwrap_or(1).max(1);
    let (first_side, place) = place(name);
    let away = (partitions / 2) | 1;
    let side = (number & 1) ^ first_side;
    // One partition has no sides.
    let width = partitions.saturating_sub(away).max(1);
    let place = place.wrapping_add((number >> 1).reverse_bits());
    // Less than the width.
    let within = ((u64::from(place) * u64::from(width)) >> 32) as u32;
    ((side * away + within) % partitions) as i32
}

/// A name's side, and its place there.
fn place(name: &str) -> (u32, u32) {
    // FNV-1a, and a last mixing, for its upper bits know little of the last letters.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((hash & 1) as u32, (hash >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_do_not_change_from_one_version_to_the_next() {
        // Workers of two versions in one group have to agree.
        let found: Vec<i32> = ["a", "telemetry", "mqtt-source"]
            .iter()
            .flat_map(|name| (0..3).map(|task| bucket(name, Unit::Task(task), 25)))
            .collect();
        assert_eq!(found, EXPECTED);
    }

    const EXPECTED: [i32; 9] = [19, 6, 13, 20, 7, 14, 17, 4, 23];

    #[test]
    fn two_tasks_are_at_two_workers_whether_these_have_every_other_partition_or_a_row() {
        for name in 0..1_000 {
            let name = format!("connector-{name}");
            for partitions in [2, 3, 5, 24, 25, 100] {
                let of = |task| bucket(&name, Unit::Task(task), partitions);
                assert_ne!(of(0) % 2, of(1) % 2, "{name} {partitions}");
                assert!(partitions != 25 || (of(0) < 12) != (of(1) < 12), "{name}");
                assert!((0..partitions).contains(&of(0)) && (0..partitions).contains(&of(1)));
            }
        }
    }

    #[test]
    fn many_tasks_are_spread_evenly_too() {
        for name in ["a", "b", "telemetry", "x-1", "ü"] {
            let buckets: Vec<i32> = (0..8).map(|task| bucket(name, Unit::Task(task), 25)).collect();
            let even = buckets.iter().filter(|bucket| **bucket % 2 == 0).count();
            assert!((2..=6).contains(&even), "{name}: {buckets:?}");
            assert_eq!(buckets.iter().filter(|bucket| **bucket < 12).count(), 4, "{buckets:?}");
            let different: BTreeSet<i32> = buckets.iter().copied().collect();
            assert_eq!(different.len(), 8, "{name}: {buckets:?}");
        }
        assert_eq!(bucket("a", Unit::Connector, 25), bucket("a", Unit::Task(0), 25));
    }

    #[test]
    fn names_are_spread_evenly() {
        let mut counts = [0; 25];
        for name in 0..10_000 {
            let bucket = bucket(&format!("connector-{name}"), Unit::Task(0), 25);
            counts[usize::try_from(bucket).unwrap()] += 1;
        }
        // The one in the middle is nobody's.
        counts[12] = 400;
        assert!(counts.iter().all(|count| (300..550).contains(count)), "{counts:?}");
    }

    #[test]
    fn one_partition_has_everything() {
        assert_eq!(bucket("a", Unit::Task(usize::MAX), 1), 0);
        assert_eq!(bucket("", Unit::Connector, 0), 0);
    }
}
