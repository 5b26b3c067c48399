//! What lives in the journal and where it lies: queues, keys, and how full each segment is with them.
//!
//! It is what the records of the log give, applied in order. Recovery applies what it reads, the
//! running journal what it writes, through the same methods. Values and entries are not kept here,
//! only those of batches on their way to the disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::format::{QueueState, Record};

mod queue;

pub(crate) use queue::{Queue, Slot};

/// The state of everything.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) queues: HashMap<u64, Queue>,
    pub(crate) removed: HashMap<u64, Removed>,
    pub(crate) keys: HashMap<Box<[u8]>, Key>,
    pub(crate) values: u64,
    pub(crate) segments: BTreeMap<u32, Segment>,
    /// Bytes that have died since compaction last looked.
    pub(crate) freed: u64,
    /// What is not yet written, in order; the last one grows.
    pub(crate) chunks: VecDeque<Chunk>,
}

/// A piece of a segment that is on its way to the disk: whole batches, the last perhaps growing.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) segment: u32,
    pub(crate) start: u32,
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) last_lsn: u64,
}

/// A segment in the log.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// The length of the file.
    pub(crate) capacity: u64,
    /// Up to where it is used.
    pub(crate) used: u64,
    /// Bytes of living entries and values.
    pub(crate) live: u64,
    /// Bytes of queue states that nothing later replaces.
    pub(crate) states: u64,
    /// Bytes of deleted keys and removed queues that are still remembered by this segment.
    pub(crate) tombstones: u64,
    /// The first segment that may hold what those tombstones bury.
    pub(crate) buried: Option<u32>,
    /// The queues of whose dead, state or end this segment speaks.
    pub(crate) speaks_of: HashSet<u64>,
}

/// What is known of a key: where its value lies, or its deletion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) version: u64,
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) size: u32,
    /// No segment before this one speaks of the key.
    pub(crate) born: u32,
    pub(crate) deleted: bool,
}

/// A queue that is no more, for as long as older segments may still hold its entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Removed {
    pub(crate) segment: u32,
    pub(crate) size: u32,
    pub(crate) born: u32,
}

/// What becomes of an entry that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Lives,
    /// It was acknowledged before it came.
    Acknowledged,
    /// Its queue is trimmed above it, or gone.
    Dead,
}

impl Segment {
    fn bury(&mut self, size: u32, born: u32) {
        self.tombstones += u64::from(size);
        self.buried = Some(self.buried.map_or(born, |first| first.min(born)));
    }
}

/// Something in a segment has died.
fn release(segments: &mut BTreeMap<u32, Segment>, freed: &mut u64, segment: u32, weight: u64) {
    if let Some(segment) = segments.get_mut(&segment) {
        segment.live = segment.live.saturating_sub(weight);
        // One in which nothing lives any more is worth a look at once.
        *freed = if segment.live == 0 { u64::MAX } else { freed.saturating_add(weight) };
    }
}

impl Index {
    /// Whether a segment older than `segment` may hold something first heard of in `born`.
    pub(crate) fn is_remembered(&self, born: u32, segment: u32) -> bool {
        born < segment && self.segments.range(born..segment).next().is_some()
    }

    pub(crate) fn admit(&self, queue: u64, position: u64) -> Admission {
        // The highest number has nothing above it that could be its `next`.
        if position == u64::MAX || self.removed.contains_key(&queue) {
            return Admission::Dead;
        }
        match self.queues.get(&queue) {
            Some(queue) if position < queue.trim => Admission::Dead,
            Some(queue) if queue.early.contains(&position) => Admission::Acknowledged,
            _ => Admission::Lives,
        }
    }

    /// Whether the entry lives in exactly this place.
    pub(crate) fn lies_at(&self, queue: u64, position: u64, segment: u32, offset: u32) -> bool {
        let place = self.queues.get(&queue).and_then(|queue| queue.place(position));
        place.is_some_and(|(at, slot)| (at, slot.offset) == (segment, offset))
    }

    fn queue(&mut self, id: u64, segment: u32) -> Option<&mut Queue> {
        if self.removed.contains_key(&id) {
            return None;
        }
        Some(self.queues.entry(id).or_insert_with(|| Queue::born_in(segment)))
    }

    /// Puts an entry in its place, which has been admitted.
    pub(crate) fn place(&mut self, id: u64, position: u64, segment: u32, slot: Slot) {
        let queue = self.queues.entry(id).or_insert_with(|| Queue::born_in(segment));
        let before = queue.insert(position, segment, slot);
        if let Some((old, slot)) = before {
            release(&mut self.segments, &mut self.freed, old, u64::from(slot.weight));
        }
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.live += u64::from(slot.weight);
        }
    }

    /// The segment speaks of the queue's dead.
    fn note(&mut self, id: u64, segment: u32) {
        if let Some(queue) = self.queues.get_mut(&id) {
            if queue.noted == segment {
                return;
            }
            queue.noted = segment;
        }
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.speaks_of.insert(id);
        }
    }

    /// Applies a record that stands, or is about to stand, at this place and takes so many bytes.
    pub(crate) fn apply(&mut self, record: &Record<'_>, segment: u32, offset: u32, size: u32) {
        match *record {
            Record::Append { ref references, .. } => {
                let weight = share(size, references.count());
                for (queue, position, _) in references.clone() {
                    if self.admit(queue, position) == Admission::Lives {
                        self.place(queue, position, segment, Slot { offset, weight });
                    }
                }
            }
            Record::Put { version, key, .. } => {
                self.put(key, version, segment, offset, size, false);
            }
            Record::Delete { version, key } => self.put(key, version, segment, offset, size, true),
            Record::Remove { queue } => self.remove(queue, segment, size),
            Record::State { queue, ref state } => self.adopt(queue, state, segment, size),
            Record::Acknowledge { queue: id, position } => {
                let Some(queue) = self.queue(id, segment) else { return };
                queue.next = queue.next.max(position.saturating_add(1));
                if let Some((at, slot)) = queue.kill(position) {
                    release(&mut self.segments, &mut self.freed, at, u64::from(slot.weight));
                }
                self.note(id, segment);
            }
            Record::Early { queue: id, position } => {
                let Some(queue) = self.queue(id, segment) else { return };
                queue.note_early(position);
                self.note(id, segment);
            }
            Record::Consumed { queue: id, position } => {
                let Some(queue) = self.queue(id, segment) else { return };
                queue.early.remove(&position);
                self.note(id, segment);
            }
            Record::Trim { queue: id, below } => {
                let Some(queue) = self.queue(id, segment) else { return };
                let mut freed = Freed::new();
                queue.trim(below, |at, weight| freed.push((at, weight)));
                self.free(freed);
                self.note(id, segment);
            }
            Record::Drop { queue: id, below } => {
                let Some(queue) = self.queue(id, segment) else { return };
                let mut freed = Freed::new();
                queue.next = queue.next.max(below);
                queue.kill_below(below, |at, weight| freed.push((at, weight)));
                self.free(freed);
                self.note(id, segment);
            }
        }
    }

    fn free(&mut self, freed: Freed) {
        for (segment, weight) in freed {
            release(&mut self.segments, &mut self.freed, segment, weight);
        }
    }

    fn remove(&mut self, id: u64, segment: u32, size: u32) {
        let mut born = segment;
        if let Some(mut queue) = self.queues.remove(&id) {
            born = queue.born;
            self.forget_state(&queue);
            let (segments, freed) = (&mut self.segments, &mut self.freed);
            queue.kill_below(u64::MAX, |at, weight| release(segments, freed, at, weight));
        }
        if let Some(before) = self.removed.insert(id, Removed { segment, size, born }) {
            born = before.born;
            self.removed.insert(id, Removed { segment, size, born });
            self.exhume(before.segment, before.size);
        }
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.bury(size, born);
            segment.speaks_of.insert(id);
        }
    }

    fn adopt(&mut self, id: u64, state: &QueueState, segment: u32, size: u32) {
        if state.removed {
            return self.remove(id, segment, size);
        }
        let Some(queue) = self.queue(id, segment) else { return };
        let mut freed = Freed::default();
        queue.adopt(state, |segment, weight| freed.push((segment, weight)));
        let before = queue.state.replace((segment, size));
        self.free(freed);
        if let Some((before, size)) = before
            && let Some(before) = self.segments.get_mut(&before)
        {
            before.states = before.states.saturating_sub(u64::from(size));
        }
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.states += u64::from(size);
        }
        self.note(id, segment);
    }

    fn forget_state(&mut self, queue: &Queue) {
        if let Some((segment, size)) = queue.state
            && let Some(segment) = self.segments.get_mut(&segment)
        {
            segment.states = segment.states.saturating_sub(u64::from(size));
        }
    }

    fn exhume(&mut self, segment: u32, size: u32) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.tombstones = segment.tombstones.saturating_sub(u64::from(size));
        }
    }

    /// The version that a write of this key has in the end, or `None` when it comes too late.
    pub(crate) fn admit_version(&self, key: &[u8], version: Option<u64>) -> Option<u64> {
        let present = self.keys.get(key).map_or(0, |key| key.version);
        match version {
            // Without a version the order decides: it is as high as what it replaces.
            None => Some(present),
            Some(version) => (version >= present).then_some(version),
        }
    }

    fn put(
        &mut self,
        name: &[u8],
        version: u64,
        segment: u32,
        offset: u32,
        size: u32,
        deleted: bool,
    ) {
        let mut key = Key { version, segment, offset, size, born: segment, deleted };
        let before = match self.keys.get_mut(name) {
            Some(present) if version < present.version => return,
            Some(present) => {
                key.born = present.born;
                Some(std::mem::replace(present, key))
            }
            None => {
                self.keys.insert(name.into(), key);
                None
            }
        };
        if let Some(before) = before {
            self.drop_key(before);
        }
        if let Some(segment) = self.segments.get_mut(&segment) {
            if deleted {
                segment.bury(size, key.born);
            } else {
                segment.live += u64::from(size);
                self.values += 1;
            }
        }
    }

    fn drop_key(&mut self, key: Key) {
        if key.deleted {
            self.exhume(key.segment, key.size);
        } else {
            release(&mut self.segments, &mut self.freed, key.segment, u64::from(key.size));
            self.values -= 1;
        }
    }

    /// A deletion that nothing older contradicts any more need not be remembered.
    pub(crate) fn forget_key(&mut self, name: &[u8]) {
        if let Some(key) = self.keys.remove(name) {
            self.drop_key(key);
        }
    }

    /// As [`Self::forget_key`], for a queue that is no more.
    pub(crate) fn forget_removed(&mut self, id: u64) {
        if let Some(removed) = self.removed.remove(&id) {
            self.exhume(removed.segment, removed.size);
        }
    }

    /// Bytes of a segment that would have to be copied to do without it.
    pub(crate) fn needed(&self, number: u32, segment: &Segment) -> u64 {
        let tombstones = match segment.buried {
            Some(born) if self.is_remembered(born, number) => segment.tombstones,
            _ => 0,
        };
        segment.live + segment.states + tombstones
    }

    /// Forgets what still lives in a segment that is about to go: it could not be read. Returns how
    /// many entries and values that is.
    pub(crate) fn abandon(&mut self, segment: u32) -> u64 {
        let mut lost = 0;
        let mut freed = Freed::default();
        for queue in self.queues.values_mut() {
            for position in queue.living_in(segment) {
                if let Some((segment, slot)) = queue.kill(position) {
                    freed.push((segment, u64::from(slot.weight)));
                    lost += 1;
                }
            }
        }
        self.free(freed);
        let here = |key: &Key| key.segment == segment && !key.deleted;
        let keys: BTreeSet<Box<[u8]>> =
            self.keys.iter().filter(|(_, key)| here(key)).map(|(name, _)| name.clone()).collect();
        for name in keys {
            if let Entry::Occupied(entry) = self.keys.entry(name) {
                let key = entry.remove();
                self.drop_key(key);
                lost += 1;
            }
        }
        lost
    }
}

type Freed = Vec<(u32, u64)>;

/// The share of one reference in a record.
pub(crate) fn share(size: u32, references: u64) -> u32 {
    (u64::from(size) / references.max(1)).max(1) as u32
}
