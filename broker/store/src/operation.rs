//! What the journal is asked to do: transactions, and what comes back from queues.
//!
//! A transaction is atomic: after a crash all of its operations have happened or none has.

use bytes::Bytes;

/// Names a queue. The caller chooses it, and never uses it again after [`Operation::Remove`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// The place of an entry in its queue: chosen by the caller, unique within the queue, ascending in
/// queue order, below `u64::MAX`. Gaps are normal, and appends may arrive out of order (7 after 8).
pub type Position = u64;

/// Operations that survive together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// In the order in which they take effect.
    pub operations: Vec<Operation>,
}

/// One step of a [`Transaction`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Adds an entry, stored once, to any number of queues.
    Append {
        /// The bytes of the entry.
        entry: Bytes,
        /// Where it belongs.
        to: Vec<Reference>,
    },
    /// This entry is done with. It may come before its `Append`, which then arrives dead.
    Acknowledge {
        /// The queue.
        queue: QueueId,
        /// The entry's place in it.
        position: Position,
    },
    /// Everything below is done with, also what is appended later.
    Trim {
        /// The queue.
        queue: QueueId,
        /// The first position that stays.
        below: Position,
    },
    /// The first `count` entries that live now at `from` or behind it go.
    DropFirst {
        /// The queue.
        queue: QueueId,
        /// What is before it stays.
        from: Position,
        /// How many.
        count: u32,
    },
    /// The queue goes with all its entries.
    Remove {
        /// The queue.
        queue: QueueId,
    },
    /// Stores a value under a key.
    Put {
        /// The key.
        key: Bytes,
        /// With a version the highest wins, whatever the order of arrival; without one the order
        /// of submission decides.
        version: Option<u64>,
        /// The value.
        value: Bytes,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: Bytes,
        /// As in `Put`: a delete is outdone by a higher version and outdoes a lower one.
        version: Option<u64>,
    },
}

/// An entry's place in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The queue.
    pub queue: QueueId,
    /// The place in it.
    pub position: Position,
    /// A few bytes of the caller's that belong to the entry in this queue alone.
    pub tag: Bytes,
}

/// An entry as it is loaded from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the queue.
    pub position: Position,
    /// The tag of the [`Reference`].
    pub tag: Bytes,
    /// The bytes of the entry.
    pub entry: Bytes,
}

/// A part of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Living entries in ascending order of position.
    pub entries: Vec<Entry>,
    /// Nothing lives in the asked range behind these.
    pub end: bool,
    /// Entries of this part that could not be read back: the disk has damaged them.
    pub lost: u64,
}

/// A queue in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueSummary {
    /// The lowest living position; `next` when nothing lives.
    pub first: Position,
    /// The highest living position; `next` when nothing lives.
    pub last: Position,
    /// One above the highest position the journal has heard of in this queue.
    pub next: Position,
    /// How many entries live.
    pub entries: u64,
    /// Their share of the disk; an entry in several queues counts in parts.
    pub bytes: u64,
}
