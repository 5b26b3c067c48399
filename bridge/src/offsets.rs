//! Which records of a sink connector are under way, and what may be committed.
//!
//! What is committed for a partition is the lowest offset that is still under way, or the next one
//! to come: everything below it has been taken where it went, refused for good or skipped. A record
//! that was not taken and waits to be tried again is under way too, without a ticket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records under way, by partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    partitions: BTreeMap<Arc<str>, BTreeMap<i32, Partition>>,
    /// By the lower half of their tickets.
    places: Vec<Place>,
    free: Vec<u32>,
    /// How many records wait to be tried again.
    waiting: usize,
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
    /// Publishes or points it has become.
    pub(crate) count: u32,
    /// Why not all of them were taken.
    pub(crate) refused: Option<Arc<str>>,
    /// Those of them that have not come back.
    open: u32,
}

/// A record that was not taken.
#[derive(Debug)]
struct Refused {
    times: u32,
    now: Now,
}

/// Where a record is that was not taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// It is to be read again.
    Waits,
    /// It is being read again.
    Called,
    /// It has another ticket.
    UnderWay,
}

#[derive(Debug)]
struct Partition {
    under_way: BTreeSet<i64>,
    /// Those of them that were not taken when they were tried before.
    refused: BTreeMap<i64, Refused>,
    /// Above the highest offset taken.
    next: i64,
    /// What Kafka was last told, or where this assignment began.
    told: i64,
}

impl Partition {
    fn low(&self) -> i64 {
        self.under_way.first().copied().unwrap_or(self.next)
    }

    /// How many of those that were not taken are in a state.
    fn count(&self, now: Now) -> usize {
        self.refused.values().filter(|refused| refused.now == now).count()
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
            let refused = entry.refused.get_mut(&offset);
            let was = refused.map(|one| std::mem::replace(&mut one.now, Now::UnderWay));
            self.waiting -= usize::from(was == Some(Now::Waits));
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let entry = &mut self.places[place as usize];
        let (refused, open) = (None, count);
        entry.taken = Some(Taken { topic, partition, offset, bytes, count, refused, open });
        (u64::from(entry.uses) << 32) | u64::from(place)
    }

    /// A record is done with at once.
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.seen(topic, partition, offset);
        let partitions = self.partitions.get(topic);
        let entry = partitions.and_then(|all| all.get(&partition));
        // One that waited to be tried again may not be wanted any more.
        if entry.is_some_and(|entry| entry.refused.contains_key(&offset)) {
            self.give_up(topic, partition, offset);
        }
    }

    /// A publish or a point has been taken, or was not (`refused` says why): which record has come
    /// back as a whole by that, if one has, unless its partition has been forgotten. One that was
    /// taken is done with.
    pub(crate) fn done(&mut self, ticket: u64, refused: Option<Arc<str>>) -> Option<Taken> {
        let place = ticket as u32;
        let entry = self.places.get_mut(place as usize)?;
        if u64::from(entry.uses) != ticket >> 32 {
            return None;
        }
        let taken = entry.taken.as_mut()?;
        if refused.is_some() && taken.refused.is_none() {
            taken.refused = refused;
        }
        taken.open -= 1;
        if taken.open > 0 {
            return None;
        }
        let taken = entry.vacate()?;
        self.free.push(place);
        let partition = self.partition(&taken.topic, taken.partition)?;
        if taken.refused.is_some() {
            return partition.under_way.contains(&taken.offset).then_some(taken);
        }
        partition.refused.remove(&taken.offset);
        partition.under_way.remove(&taken.offset).then_some(taken)
    }

    /// A record that was not taken is to be tried again, or stays where it is: how often it has been
    /// tried.
    pub(crate) fn put_back(&mut self, topic: &str, partition: i32, offset: i64) -> u32 {
        let Some(entry) = self.partition(topic, partition) else { return 0 };
        let new = Refused { times: 0, now: Now::UnderWay };
        let refused = entry.refused.entry(offset).or_insert(new);
        refused.times = refused.times.saturating_add(1);
        let (times, was) = (refused.times, std::mem::replace(&mut refused.now, Now::Waits));
        self.waiting += usize::from(was != Now::Waits);
        times
    }

    /// A record that was not taken is done with all the same.
    pub(crate) fn give_up(&mut self, topic: &str, partition: i32, offset: i64) {
        let Some(entry) = self.partition(topic, partition) else { return };
        let refused = entry.refused.remove(&offset);
        entry.under_way.remove(&offset);
        self.waiting -= usize::from(refused.is_some_and(|refused| refused.now == Now::Waits));
    }

    /// How many records wait to be tried again.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The partitions with records that wait to be tried again: where the lowest of them is, and what
    /// comes behind all that have been seen.
    pub(crate) fn to_read_again(&self) -> Vec<(Arc<str>, i32, i64, i64)> {
        let mut all = Vec::new();
        for (topic, partitions) in &self.partitions {
            for (number, partition) in partitions {
                if partition.count(Now::Waits) > 0 {
                    let mut refused = partition.refused.iter();
                    let lowest = refused.find(|(_, refused)| refused.now != Now::UnderWay);
                    let lowest = lowest.map_or(partition.next, |(offset, _)| *offset);
                    all.push((Arc::clone(topic), *number, lowest, partition.next));
                }
            }
        }
        all
    }

    /// A partition is being read again from here on: those of its records that wait to be tried
    /// again will come. One below may have been refused in the meantime, and waits on.
    pub(crate) fn called(&mut self, topic: &str, partition: i32, from: i64) {
        let Some(entry) = self.partition(topic, partition) else { return };
        let mut called = 0;
        for (_, refused) in entry.refused.range_mut(from..) {
            if refused.now == Now::Waits {
                refused.now = Now::Called;
                called += 1;
            }
        }
        self.waiting -= called;
    }

    /// Whether a record that comes again has been seen and is not to be tried again, or not yet: one
    /// that has only just been refused may have others before it that are called back with it.
    pub(crate) fn is_settled(&self, topic: &str, partition: i32, offset: i64) -> bool {
        let entry = self.partitions.get(topic).and_then(|all| all.get(&partition));
        entry.is_some_and(|entry| {
            let refused = entry.refused.get(&offset);
            offset < entry.next && refused.is_none_or(|refused| refused.now != Now::Called)
        })
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
        partition.map_or(0, |partition| {
            let waiting = partition.count(Now::Waits) + partition.count(Now::Called);
            partition.under_way.len() - waiting
        })
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
            if let Some(gone) = partitions.remove(&partition) {
                self.waiting -= gone.count(Now::Waits);
            }
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
        self.waiting = 0;
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
            refused: BTreeMap::new(),
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
mod tests;
