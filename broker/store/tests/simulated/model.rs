//! What the journal should hold, as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use midge_store::{FileSystem, Journal, Operation, QueueId, Transaction};

pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Queue {
    pub(crate) entries: BTreeMap<u64, (Bytes, Bytes)>,
    pub(crate) trim: u64,
    pub(crate) early: BTreeSet<u64>,
}

/// The state that the transactions so far give.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) queues: BTreeMap<u64, Queue>,
    pub(crate) removed: BTreeSet<u64>,
    /// A deleted key keeps its version.
    pub(crate) keys: BTreeMap<Bytes, (u64, Option<Bytes>)>,
}

impl Model {
    pub(crate) fn apply(&mut self, transaction: &Transaction) {
        for operation in &transaction.operations {
            self.operation(operation);
        }
    }

    fn queue(&mut self, id: QueueId) -> Option<&mut Queue> {
        (!self.removed.contains(&id.0)).then(|| self.queues.entry(id.0).or_default())
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::Append { entry, to } => {
                for to in to {
                    let Some(queue) = self.queue(to.queue) else { continue };
                    if to.position >= queue.trim && !queue.early.remove(&to.position) {
                        queue.entries.insert(to.position, (to.tag.clone(), entry.clone()));
                    }
                }
            }
            Operation::Acknowledge { queue, position } => {
                let Some(queue) = self.queue(*queue) else { return };
                if queue.entries.remove(position).is_none() && *position >= queue.trim {
                    queue.early.insert(*position);
                }
            }
            Operation::Trim { queue, below } => {
                let Some(queue) = self.queue(*queue) else { return };
                queue.trim = queue.trim.max(*below);
                queue.entries = queue.entries.split_off(&queue.trim);
                queue.early = queue.early.split_off(&queue.trim);
            }
            Operation::DropFirst { queue, from, count } => {
                let Some(queue) = self.queue(*queue) else { return };
                for _ in 0..*count {
                    let first = queue.entries.range(from..).next().map(|(position, _)| *position);
                    first.and_then(|first| queue.entries.remove(&first));
                }
            }
            Operation::Remove { queue } => {
                self.queues.remove(&queue.0);
                self.removed.insert(queue.0);
            }
            Operation::Put { key, version, value } => {
                self.write(key, *version, Some(value.clone()));
            }
            Operation::Delete { key, version } => self.write(key, *version, None),
        }
    }

    fn write(&mut self, key: &Bytes, version: Option<u64>, value: Option<Bytes>) {
        let present = self.keys.get(key).map_or(0, |(version, _)| *version);
        let version = version.unwrap_or(present);
        if version >= present {
            self.keys.insert(key.clone(), (version, value));
        }
    }

    /// What a reader sees.
    pub(crate) fn visible(&self) -> Visible {
        let queues = self.queues.iter().map(|(id, queue)| (*id, queue.entries.clone()));
        let keys = self.keys.iter();
        Visible {
            queues: queues.filter(|(_, entries)| !entries.is_empty()).collect(),
            keys: keys.filter_map(|(k, (_, value))| Some((k.clone(), value.clone()?))).collect(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Visible {
    pub(crate) queues: BTreeMap<u64, BTreeMap<u64, (Bytes, Bytes)>>,
    pub(crate) keys: BTreeMap<Bytes, Bytes>,
}

/// Reads everything through the journal's own loads, in parts of random size.
pub(crate) fn read<F: FileSystem>(journal: &Journal<F>, random: &mut Random) -> Visible {
    let mut visible = Visible::default();
    for (id, summary) in journal.queues() {
        let mut entries = BTreeMap::new();
        let mut from = 0;
        loop {
            let (max_entries, max_bytes) =
                (1 + random.below(20) as usize, random.below(3_000) as usize);
            let loaded = journal.load(id, from, u64::MAX, max_entries, max_bytes).expect("a load");
            assert_eq!(loaded.lost, 0);
            for entry in loaded.entries {
                assert!(entry.position >= from);
                from = entry.position + 1;
                entries.insert(entry.position, (entry.tag, entry.entry));
            }
            if loaded.end {
                break;
            }
        }
        assert_eq!(summary.entries, entries.len() as u64);
        assert!(entries.keys().last().is_none_or(|last| *last < summary.next));
        if !entries.is_empty() {
            assert_eq!(Some(&summary.first), entries.keys().next());
            assert_eq!(Some(&summary.last), entries.keys().last());
            visible.queues.insert(id.0, entries);
        }
    }
    for found in journal.keyed(b"") {
        let (key, value) = found.expect("a value");
        visible.keys.insert(key, value);
    }
    visible
}

/// Says what is too much and what is missing.
pub(crate) fn difference(expected: &Visible, seen: &Visible) {
    let all: BTreeSet<&u64> = expected.queues.keys().chain(seen.queues.keys()).collect();
    for id in all {
        let none = BTreeMap::new();
        let before = expected.queues.get(id).unwrap_or(&none);
        let after = seen.queues.get(id).unwrap_or(&none);
        let missing: Vec<_> = before.keys().filter(|key| !after.contains_key(key)).collect();
        let surplus: Vec<_> = after.keys().filter(|key| !before.contains_key(key)).collect();
        if !missing.is_empty() || !surplus.is_empty() {
            eprintln!("queue {id}: missing {missing:?}, too much {surplus:?}");
        }
    }
    for (key, value) in &expected.keys {
        if seen.keys.get(key) != Some(value) {
            eprintln!("{key:?}: {value:?} has become {:?}", seen.keys.get(key));
        }
    }
    for key in seen.keys.keys().filter(|key| !expected.keys.contains_key(*key)) {
        eprintln!("{key:?} is too much");
    }
}
