//! Which records of a sink connector are under way, and what may be committed.
//!
//! What is committed for a partition is the lowest offset that is still under way, or the next one
//! to come: everything below it has been routed, refused or skipped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Records under way, by partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    partitions: BTreeMap<Arc<str>, BTreeMap<i32, Partition>>,
    tickets: HashMap<u64, Taken>,
    next_ticket: u64,
}

/// A record that is under way.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) bytes: usize,
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
    /// A record of so many bytes is under way; the ticket that ends it.
    pub(crate) fn taken(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> u64 {
        let topic = self.seen(topic, partition, offset);
        if let Some(entry) = self.partition(&topic, partition) {
            entry.under_way.insert(offset);
        }
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, Taken { topic, partition, offset, bytes });
        self.next_ticket
    }

    /// A record is done with at once.
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.seen(topic, partition, offset);
    }

    /// A record has been routed or refused: which, unless its partition has been forgotten.
    pub(crate) fn done(&mut self, ticket: u64) -> Option<Taken> {
        let taken = self.tickets.remove(&ticket)?;
        let partition = self.partition(&taken.topic, taken.partition)?;
        partition.under_way.remove(&taken.offset).then_some(taken)
    }

    /// Whether nothing of a partition has been seen in this assignment.
    pub(crate) fn is_new(&self, topic: &str, partition: i32) -> bool {
        self.partitions.get(topic).is_none_or(|all| !all.contains_key(&partition))
    }

    /// How many records are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.tickets.len()
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
        self.tickets.retain(|_, taken| &*taken.topic != topic || taken.partition != partition);
    }

    /// The consumer is gone, and all of its partitions.
    pub(crate) fn forget_all(&mut self) {
        self.partitions.clear();
        self.tickets.clear();
    }

    fn partition(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(topic)?.get_mut(&partition)
    }

    fn seen(&mut self, topic: &str, partition: i32, offset: i64) -> Arc<str> {
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
        entry.next = entry.next.max(offset + 1);
        topic
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
        let tickets: Vec<u64> = (10..14).map(|offset| offsets.taken("t", 0, offset, 1)).collect();
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
    fn skipped_records_advance_the_offset_but_never_past_one_under_way() {
        let mut offsets = Offsets::default();
        offsets.passed("t", 0, 5);
        let ticket = offsets.taken("t", 0, 6, 1);
        offsets.passed("t", 0, 7);
        assert_eq!(committable(&offsets), [(0, 6)]);
        assert_eq!(done(&mut offsets, ticket), Some(1));
        assert_eq!(committable(&offsets), [(0, 8)]);
    }

    #[test]
    fn a_forgotten_partition_neither_counts_nor_commits() {
        let mut offsets = Offsets::default();
        let gone = offsets.taken("t", 0, 1, 1);
        let kept = offsets.taken("t", 1, 1, 1);
        offsets.forget("t", 0);
        assert_eq!(done(&mut offsets, gone), None);
        assert_eq!(done(&mut offsets, kept), Some(1));
        assert_eq!(committable(&offsets), [(1, 2)]);
        // Assigned again, from an earlier offset: the old assignment does not shine through.
        let again = offsets.taken("t", 0, 0, 1);
        assert_eq!(done(&mut offsets, again), Some(1));
        assert_eq!(committable(&offsets), [(0, 1), (1, 2)]);
    }
}
