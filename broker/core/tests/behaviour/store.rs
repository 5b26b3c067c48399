//! A store that is a few maps: what is durable is what was committed before the last sync.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use midge_core::stored::{QueueSummary, Recovery, Restored};
use midge_core::{In, Memory, Now, Operation, Position, QueueId, ShardId, StoredEntry};

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Nothing becomes durable until the test says so.
    pub(crate) waits: bool,
    pub(crate) answering: bool,
    pending: VecDeque<(ShardId, Work)>,
    numbers: HashMap<ShardId, u64>,
    keyed: BTreeMap<Bytes, (u64, Bytes)>,
    queues: BTreeMap<QueueId, Queue>,
    written: u64,
}

#[derive(Debug)]
enum Work {
    Commit(Vec<Operation>),
    Load(QueueId, Position, Position, usize),
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<Position, (Bytes, Bytes)>,
    done: BTreeSet<Position>,
    below: Position,
    last: Position,
}

impl Store {
    pub(crate) fn commit(&mut self, shard: ShardId, operations: Vec<Operation>) {
        self.pending.push_back((shard, Work::Commit(operations)));
    }

    pub(crate) fn want(
        &mut self,
        shard: ShardId,
        (queue, from, below, count): (QueueId, Position, Position, usize),
    ) {
        self.pending.push_back((shard, Work::Load(queue, from, below, count)));
    }

    /// Does one thing, and tells the shard.
    pub(crate) fn answer(&mut self) -> Option<(ShardId, In)> {
        let (shard, work) = self.pending.pop_front()?;
        let input = match work {
            Work::Commit(operations) => {
                self.apply(operations);
                let number = self.numbers.entry(shard).or_default();
                *number += 1;
                In::Durable(*number)
            }
            Work::Load(queue, from, below, count) => {
                let found = self.queues.get(&queue);
                let mut entries: Vec<StoredEntry> = found
                    .iter()
                    .flat_map(|found| found.entries.range(from..below))
                    .take(count + 1)
                    .map(|(position, (tag, entry))| StoredEntry {
                        position: *position,
                        tag: tag.clone(),
                        entry: entry.clone(),
                    })
                    .collect();
                let end = entries.len() <= count;
                entries.truncate(count);
                In::Loaded { queue, from, entries, end, lost: 0 }
            }
        };
        Some((shard, input))
    }

    fn apply(&mut self, operations: Vec<Operation>) {
        for operation in operations {
            self.written += 1;
            match operation {
                Operation::Append { entry, to } => {
                    for reference in to {
                        let queue = self.queues.entry(reference.queue).or_default();
                        queue.last = queue.last.max(reference.position);
                        if reference.position >= queue.below
                            && !queue.done.remove(&reference.position)
                        {
                            let stored = (reference.tag, entry.clone());
                            let before = queue.entries.insert(reference.position, stored);
                            assert!(before.is_none(), "a position used twice");
                        }
                    }
                }
                Operation::Acknowledge { queue, position } => {
                    let queue = self.queues.entry(queue).or_default();
                    queue.last = queue.last.max(position);
                    if queue.entries.remove(&position).is_none() {
                        queue.done.insert(position);
                    }
                }
                Operation::Trim { queue, below } => {
                    let queue = self.queues.entry(queue).or_default();
                    queue.below = queue.below.max(below);
                    queue.last = queue.last.max(below - 1);
                    queue.entries = queue.entries.split_off(&below);
                }
                Operation::DropFirst { queue, from, count } => {
                    let entries = &mut self.queues.entry(queue).or_default().entries;
                    for _ in 0..count {
                        let first = entries.range(from..).next().map(|(position, _)| *position);
                        first.and_then(|first| entries.remove(&first));
                    }
                }
                Operation::Remove { queue } => {
                    self.queues.remove(&queue);
                }
                Operation::Put { key, version, value } => {
                    let version = version.unwrap_or(self.written);
                    let known = self.keyed.get(&key);
                    if known.is_none_or(|(known, _)| *known <= version) {
                        self.keyed.insert(key, (version, value));
                    }
                }
                Operation::Delete { key, .. } => {
                    self.keyed.remove(&key);
                }
            }
        }
    }

    /// What a broker that starts now finds.
    pub(crate) fn crash(
        &mut self,
        now: Now,
        shards: usize,
        memory: &Arc<Memory>,
    ) -> (Vec<Restored>, Vec<Operation>) {
        self.pending.clear();
        self.numbers.clear();
        let mut recovery = Recovery::default();
        for (key, (_, value)) in &self.keyed {
            recovery.keyed(now, key, value.clone()).unwrap();
        }
        for (id, queue) in &self.queues {
            let bytes = queue.entries.values().map(|(tag, entry)| tag.len() + entry.len());
            recovery.queue(
                *id,
                QueueSummary {
                    first: queue.entries.keys().next().copied().unwrap_or(0),
                    last: queue.last,
                    entries: queue.entries.len() as u64,
                    bytes: bytes.sum::<usize>() as u64,
                },
            );
        }
        recovery.finish(now, shards, memory)
    }

    pub(crate) fn clear(&mut self, operations: Vec<Operation>) {
        self.apply(operations);
    }

    /// Entries that are not done with, and keys.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.queues.values().map(|queue| queue.entries.len()).sum(), self.keyed.len())
    }
}
