//! What a shard asks of the store, in words of its own: queues of entries and keyed state.
//!
//! The shard knows no files: whoever drives it carries these operations to a store and tells it
//! what is durable. A transaction survives a crash whole or not at all.

use bytes::Bytes;

/// A queue of the store: one a stored session, for its life. The top bit is clear; ids with it are
/// the bridge's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// A place in a queue: ascending, never used twice, with gaps.
pub type Position = u64;

/// One thing to be done to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One entry, for any number of queues.
    Append {
        /// Opaque to the store.
        entry: Bytes,
        /// Where it waits.
        to: Vec<Reference>,
    },
    /// This entry is done with, even if it is yet to come.
    Acknowledge {
        /// The queue.
        queue: QueueId,
        /// The entry's place.
        position: Position,
    },
    /// All entries below are done with, even those yet to come.
    Trim {
        /// The queue.
        queue: QueueId,
        /// The first that stays.
        below: Position,
    },
    /// The first entries that are there, from a position on, go.
    DropFirst {
        /// The queue.
        queue: QueueId,
        /// What is before it stays.
        from: Position,
        /// How many.
        count: u32,
    },
    /// The queue is gone, with all its entries.
    Remove {
        /// The queue.
        queue: QueueId,
    },
    /// Sets a key.
    Put {
        /// Its first byte tells whose it is.
        key: Bytes,
        /// Of several writes the one with the highest stays; `None`: the last.
        version: Option<u64>,
        /// Opaque to the store.
        value: Bytes,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: Bytes,
        /// As with [`Operation::Put`].
        version: Option<u64>,
    },
}

/// A queue that an entry waits in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The queue.
    pub queue: QueueId,
    /// The place in it.
    pub position: Position,
    /// How this queue's session gets the entry: opaque to the store.
    pub tag: Bytes,
}

/// An entry read back from a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its place.
    pub position: Position,
    /// From its [`Reference`].
    pub tag: Bytes,
    /// From its [`Operation::Append`].
    pub entry: Bytes,
}
