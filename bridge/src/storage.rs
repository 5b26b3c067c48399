//! What the bridge keeps in the store: the queues of its spools and their state, and the marks of
//! its sinks.
//!
//! Keys begin with a letter that is the bridge's alone, and the ids of its queues have the top bit
//! set. Numbers are big endian.
//!
//! | key | value |
//! |---|---|
//! | `B` `q` connector | layout `1`, id of its queue, number of the run that last appended to it |
//! | `K` length of the name (2), connector, length (2), Kafka topic, partition (4), offset (8) | nothing |
//!
//! Positions of a queue begin with the number of the run (24 bits), so that none is used twice
//! whatever a crash has taken.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use midge_core::{Operation, Position, QueueId, Reference};
use midge_store::{FileSystem, Journal, LoadError, QueueSummary, Store, Transaction};
use tracing::warn;

use crate::spool::Queue;

/// The keys of the bridge's own state begin with it.
pub const STATE: u8 = b'B';
/// The keys of marks begin with it.
pub const MARK: u8 = b'K';

/// The ids of the bridge's queues have this bit.
const OURS: u64 = 1 << 63;
const LAYOUT: u8 = 1;
/// Positions of one run.
const RUN_BITS: u32 = 40;

/// Where the bridge keeps what has to survive the process.
pub struct Storage {
    /// The running store.
    pub store: Store,
    /// What was found in it.
    pub kept: Kept,
}

/// What an earlier process has left in the store for the bridge.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Keys that begin with [`STATE`] or [`MARK`], and their values.
    pub keyed: Vec<(Bytes, Bytes)>,
    /// Queues whose id has the top bit set.
    pub queues: Vec<(QueueId, QueueSummary)>,
}

impl Kept {
    /// Reads it from a journal that has been opened and not been started.
    ///
    /// # Errors
    /// When the disk does not give it.
    pub fn of<F: FileSystem>(journal: &Journal<F>) -> Result<Kept, LoadError> {
        let mut keyed = Vec::new();
        for prefix in [STATE, MARK] {
            for pair in journal.keyed(&[prefix]) {
                keyed.push(pair?);
            }
        }
        let ours = journal.queues().filter(|(id, _)| id.0 & OURS != 0);
        let queues = ours.map(|(id, summary)| (QueueId(id.0), summary)).collect();
        Ok(Kept { keyed, queues })
    }
}

/// The queues of spools, as they are given to connectors.
pub struct Queues {
    /// By connector: id and last run.
    known: BTreeMap<Vec<u8>, (QueueId, u64)>,
    found: BTreeMap<QueueId, QueueSummary>,
    next: u64,
}

impl Queues {
    /// Those that were kept, none given yet.
    pub fn new(kept: &Kept) -> Queues {
        let mut known = BTreeMap::new();
        for (key, value) in &kept.keyed {
            let Some(connector) = key.strip_prefix(&[STATE, b'q']) else { continue };
            match read_state(value) {
                Some(state) => drop(known.insert(connector.to_vec(), state)),
                None => {
                    let connector = String::from_utf8_lossy(connector);
                    warn!(%connector, "the state of its spool cannot be read and is made anew");
                }
            }
        }
        let found: BTreeMap<_, _> = kept.queues.iter().copied().collect();
        let ids = known.values().map(|(id, _)| id.0).chain(found.keys().map(|id| id.0));
        let next = ids.max().map_or(OURS, |highest| highest + 1);
        Queues { known, found, next }
    }

    /// The queue of a connector, and its own from now on.
    pub fn take(&mut self, connector: &str, generation: Bytes) -> Queue {
        let (id, run) = self.known.remove(connector.as_bytes()).unwrap_or_else(|| {
            self.next += 1;
            (QueueId(self.next - 1), 0)
        });
        let summary = self.found.remove(&id).unwrap_or_default();
        // Should the state be older than the queue, the queue tells.
        let run = (run + 1).max((summary.next >> RUN_BITS) + 1);
        let mut value = BytesMut::with_capacity(17);
        value.put_u8(LAYOUT);
        value.put_u64(id.0);
        value.put_u64(run);
        Queue {
            id,
            base: run << RUN_BITS as Position,
            state: (state_key(connector), value.freeze()),
            generation,
            entries: summary.entries,
            bytes: summary.bytes,
        }
    }

    /// The queue of a connector that has ended: the next one of that name goes on with it.
    pub(crate) fn give_back(&mut self, connector: &str, queue: &Queue) {
        let run = queue.base >> RUN_BITS;
        self.known.insert(connector.as_bytes().to_vec(), (queue.id, run));
        let (next, entries, bytes) = (queue.base, queue.entries, queue.bytes);
        self.found.insert(queue.id, QueueSummary { next, entries, bytes, ..Default::default() });
    }

    /// Says what is left: spools whose connectors are not configured any more.
    pub(crate) fn warn_of_orphans(&self, comes_later: impl Fn(&[u8]) -> bool) {
        for (connector, (id, _)) in self.known.iter().filter(|(name, _)| !comes_later(name)) {
            let Some(summary) = self.found.get(id).filter(|summary| summary.entries > 0) else {
                continue;
            };
            warn!(
                connector = %String::from_utf8_lossy(connector),
                messages = summary.entries,
                bytes = summary.bytes,
                "a spool is kept whose source connector is not configured: configure it again to \
                 send what it holds, or again with spool_max_age = \"1s\" to drop that"
            );
        }
        let named: Vec<QueueId> = self.known.values().map(|(id, _)| *id).collect();
        for (id, summary) in &self.found {
            if summary.entries > 0 && !named.contains(id) {
                warn!(
                    queue = id.0,
                    messages = summary.entries,
                    "a spool without a connector's name"
                );
            }
        }
    }
}

fn state_key(connector: &str) -> Bytes {
    let mut key = BytesMut::with_capacity(2 + connector.len());
    key.put_slice(&[STATE, b'q']);
    key.put_slice(connector.as_bytes());
    key.freeze()
}

fn read_state(mut value: &[u8]) -> Option<(QueueId, u64)> {
    let whole = value.len() == 17 && value[0] == LAYOUT;
    whole.then(|| {
        value.advance(1);
        (QueueId(value.get_u64()), value.get_u64())
    })
}

/// Operations in the words of the shards, in the store's own: one for one, nothing is decided here.
pub fn transaction(operations: Vec<Operation>) -> Transaction {
    Transaction { operations: operations.into_iter().map(operation).collect() }
}

fn operation(operation: Operation) -> midge_store::Operation {
    use midge_store::Operation as To;
    match operation {
        Operation::Append { entry, to } => {
            To::Append { entry, to: to.into_iter().map(reference).collect() }
        }
        Operation::Acknowledge { queue, position } => {
            To::Acknowledge { queue: midge_store::QueueId(queue.0), position }
        }
        Operation::Trim { queue, below } => {
            To::Trim { queue: midge_store::QueueId(queue.0), below }
        }
        Operation::DropFirst { queue, from, count } => {
            To::DropFirst { queue: midge_store::QueueId(queue.0), from, count }
        }
        Operation::Remove { queue } => To::Remove { queue: midge_store::QueueId(queue.0) },
        Operation::Put { key, version, value } => To::Put { key, version, value },
        Operation::Delete { key, version } => To::Delete { key, version },
    }
}

fn reference(reference: Reference) -> midge_store::Reference {
    let Reference { queue, position, tag } = reference;
    midge_store::Reference { queue: midge_store::QueueId(queue.0), position, tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation() -> Bytes {
        Bytes::from_static(b"g")
    }

    #[test]
    fn a_connector_finds_its_queue_again_and_uses_no_position_twice() {
        let mut queues = Queues::new(&Kept::default());
        let (a, b) = (queues.take("a", generation()), queues.take("b", generation()));
        assert_ne!(a.id, b.id);
        assert!(a.id.0 & OURS != 0 && a.base > 0);
        let summary = QueueSummary { next: a.base + 5, entries: 3, ..QueueSummary::default() };
        let kept = Kept { keyed: vec![a.state.clone()], queues: vec![(a.id, summary)] };
        let mut queues = Queues::new(&kept);
        let (b, again) = (queues.take("b", generation()), queues.take("a", generation()));
        assert_eq!((again.id, again.entries), (a.id, 3));
        assert!(again.base > a.base + 5);
        assert_ne!(b.id, a.id);
        // The queue has run ahead of its state.
        let summary = QueueSummary { next: (9 << RUN_BITS) + 1, ..summary };
        let kept = Kept { keyed: vec![a.state], queues: vec![(a.id, summary)] };
        assert_eq!(Queues::new(&kept).take("a", generation()).base, 10 << RUN_BITS);
    }
}
