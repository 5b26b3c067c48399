//! Which records of a sink connector are under way, and what may be committed.
//!
//! What is committed for a partition is the lowest offset that is still under way, or the next one
//! to come: everything below it has been routed, refused or skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records under way, by partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    partitions: BTreeMap<Arc<str>, BTreeMap<i32, Partition>>,
    /// By the lower half of their tickets.
    places: Vec<Place>,
    free: Vec<u32>,
}

/// Where a record that is under way is kept; used again, with another ticket each time.
#[derive(Debug, Default)]
struct Place {
    /// The upper half of the ticket.
    uses: u32,
    taken: Option<Taken>,
}

/// A record that is under way.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) bytes: usize,
    /// Publishes it has become.
    pub(crate) count: u32,
    /// Those of them that have not come back.
    open: u32,
}

#[derive(Debug)]
struct Partition {
    under_way: BTreeSet<i64>,
    /// Above the highest offset taken.
    next: i64,
    /// What Kafka was last told, or where this assignment began.
    told: i64,
}

impl Partition {
    fn low(&self) -> i64 {
        self.under_way.first().copied().unwrap_or(self.next)
    }
}

impl Offsets {
    /// A record of so many bytes is under way as `count` publishes; their ticket, which ends it when
    /// all have come back.
    pub(crate) fn taken(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        bytes: usize,
        count: u32,
    ) -> u64 {
        let topic = self.seen(topic, partition, offset);
        if let Some(entry) = self.partition(&topic, partition) {
            entry.under_way.insert(offset);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let entry = &mut self.places[place as usize];
        entry.taken = Some(Taken { topic, partition, offset, bytes, count, open: count });
        (u64::from(entry.uses) << 32) | u64::from(place)
    }

    /// A record is done with at once.
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.seen(topic, partition, offset);
    }

    /// A publish has been routed or refused: which record is done with by that, if one is, unless its
    /// partition has been forgotten.
    pub(crate) fn done(&mut self, ticket: u64) -> Option<Taken> {
        let place = ticket as u32;
        let entry = self.places.get_mut(place as usize)?;
        if u64::from(entry.uses) != ticket >> 32 {
            return None;
        }
        let open = &mut entry.taken.as_mut()?.open;
        *open -= 1;
        if *open > 0 {
            return None;
        }
        let taken = entry.vacate()?;
        self.free.push(place);
        let partition = self.partition(&taken.topic, taken.partition)?;
        partition.under_way.remove(&taken.offset).then_some(taken)
    }

    /// A record is about to be taken or passed; whether it is the first of its partition in this
    /// assignment.
    pub(crate) fn begins(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let new = self.partitions.get(topic).is_none_or(|all| !all.contains_key(&partition));
        if new {
            self.partition_of(topic, partition, offset);
        }
        new
    }

    /// How many records are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// How many records of one partition are under way.
    pub(crate) fn under_way_of(&self, topic: &str, partition: i32) -> usize {
        let partition = self.partitions.get(topic).and_then(|all| all.get(&partition));
        partition.map_or(0, |partition| partition.under_way.len())
    }

    /// What may be committed and has not been told yet.
    pub(crate) fn committable(&self) -> Vec<(Arc<str>, i32, i64)> {
        let mut all = Vec::new();
        for (topic, partitions) in &self.partitions {
            for (number, partition) in partitions {
                if partition.low() > partition.told {
                    all.push((Arc::clone(topic), *number, partition.low()));
                }
            }
        }
        all
    }

    /// Kafka has been told.
    pub(crate) fn told(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(entry) = self.partition(topic, partition) {
            entry.told = entry.told.max(offset);
        }
    }

    /// The partition belongs to somebody else now.
    pub(crate) fn forget(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.partitions.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.partitions.remove(topic);
            }
        }
        for (place, entry) in self.places.iter_mut().enumerate() {
            let taken = entry.taken.as_ref();
            if taken.is_some_and(|taken| *taken.topic == *topic && taken.partition == partition) {
                entry.vacate();
                self.free.push(place as u32);
            }
        }
    }

    /// The consumer is gone, and all of its partitions.
    pub(crate) fn forget_all(&mut self) {
        self.partitions.clear();
        for (place, entry) in self.places.iter_mut().enumerate() {
            if entry.vacate().is_some() {
                self.free.push(place as u32);
            }
        }
    }

    fn partition(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(topic)?.get_mut(&partition)
    }

    fn seen(&mut self, topic: &str, partition: i32, offset: i64) -> Arc<str> {
        let (topic, entry) = self.partition_of(topic, partition, offset);
        entry.next = entry.next.max(offset + 1);
        topic
    }

    /// A partition, which begins at `offset` if it is new.
    fn partition_of(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> (Arc<str>, &mut Partition) {
        let topic = match self.partitions.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => Arc::from(topic),
        };
        let partitions = self.partitions.entry(Arc::clone(&topic)).or_default();
        let entry = partitions.entry(partition).or_insert_with(|| Partition {
            under_way: BTreeSet::new(),
            next: offset,
            told: offset,
        });
        (topic, entry)
    }
}

impl Place {
    /// What was kept here; its ticket means nothing from now on.
    fn vacate(&mut self) -> Option<Taken> {
        let taken = self.taken.take()?;
        self.uses = self.uses.wrapping_add(1);
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(offsets: &mut Offsets, ticket: u64) -> Option<usize> {
        offsets.done(ticket).map(|taken| taken.bytes)
    }

    fn committable(offsets: &Offsets) -> Vec<(i32, i64)> {
        offsets.committable().into_iter().map(|(_, partition, low)| (partition, low)).collect()
    }

    #[test]
    fn only_what_lies_below_the_lowest_record_under_way_is_committable() {
        let mut offsets = Offsets::default();
        let tickets: Vec<u64> =
            (10..14).map(|offset| offsets.taken("t", 0, offset, 1, 1)).collect();
        assert_eq!(committable(&offsets), []);
        assert_eq!(done(&mut offsets, tickets[1]), Some(1));
        assert_eq!(committable(&offsets), [], "10 is still under way");
        assert_eq!(done(&mut offsets, tickets[0]), Some(1));
        assert_eq!(committable(&offsets), [(0, 12)]);
        offsets.told("t", 0, 12);
        assert_eq!(committable(&offsets), [], "told once");
        assert_eq!(done(&mut offsets, tickets[3]), Some(1));
        assert_eq!(done(&mut offsets, tickets[2]), Some(1));
        assert_eq!(committable(&offsets), [(0, 14)]);
        assert_eq!(offsets.under_way(), 0);
    }

    #[test]
    fn a_record_of_several_publishes_is_under_way_until_the_last_has_come_back() {
        let mut offsets = Offsets::default();
        let ticket = offsets.taken("t", 0, 5, 7, 3);
        assert_eq!((done(&mut offsets, ticket), done(&mut offsets, ticket)), (None, None));
        assert_eq!((committable(&offsets), offsets.under_way()), (vec![], 1));
        assert_eq!(done(&mut offsets, ticket), Some(7));
        assert_eq!(committable(&offsets), [(0, 6)]);
        assert_eq!(done(&mut offsets, ticket), None, "its place is another's");
    }

    #[test]
    fn skipped_records_advance_the_offset_but_never_past_one_under_way() {
        let mut offsets = Offsets::default();
        offsets.passed("t", 0, 5);
        let ticket = offsets.taken("t", 0, 6, 1, 1);
        offsets.passed("t", 0, 7);
        assert_eq!(committable(&offsets), [(0, 6)]);
        assert_eq!(done(&mut offsets, ticket), Some(1));
        assert_eq!(committable(&offsets), [(0, 8)]);
    }

    #[test]
    fn a_forgotten_partition_neither_counts_nor_commits() {
        let mut offsets = Offsets::default();
        let gone = offsets.taken("t", 0, 1, 1, 1);
        let kept = offsets.taken("t", 1, 1, 1, 1);
        offsets.forget("t", 0);
        assert_eq!(done(&mut offsets, gone), None);
        assert_eq!(done(&mut offsets, kept), Some(1));
        assert_eq!(committable(&offsets), [(1, 2)]);
        // Assigned again, from an earlier offset: the old assignment does not shine through.
        let again = offsets.taken("t", 0, 0, 1, 1);
        assert_eq!(done(&mut offsets, again), Some(1));
        assert_eq!(committable(&offsets), [(0, 1), (1, 2)]);
    }
}
