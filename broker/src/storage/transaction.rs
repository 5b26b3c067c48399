//! From the shards' words to the journal's, and back: one for one, nothing is decided here.

use midge_core::{Operation, QueueId, Reference, StoredEntry};
use midge_store::Transaction;

/// A transaction of a shard, as the journal takes it.
pub fn transaction(operations: Vec<Operation>) -> Transaction {
    Transaction { operations: operations.into_iter().map(operation).collect() }
}

/// An entry of a queue, as a shard takes it.
pub fn stored_entry(entry: midge_store::Entry) -> StoredEntry {
    let midge_store::Entry { position, tag, entry } = entry;
    StoredEntry { position, tag, entry }
}

/// What a queue holds, as the shards' recovery takes it.
pub fn queue_summary(summary: &midge_store::QueueSummary) -> midge_core::stored::QueueSummary {
    let midge_store::QueueSummary { first, next, entries, bytes, .. } = *summary;
    // The highest that was ever heard of, dead or alive: positions are not used again.
    midge_core::stored::QueueSummary { first, last: next.saturating_sub(1), entries, bytes }
}

fn operation(operation: Operation) -> midge_store::Operation {
    use midge_store::Operation as To;
    match operation {
        Operation::Append { entry, to } => {
            To::Append { entry, to: to.into_iter().map(reference).collect() }
        }
        Operation::Acknowledge { queue, position } => {
            To::Acknowledge { queue: id(queue), position }
        }
        Operation::Trim { queue, below } => To::Trim { queue: id(queue), below },
        Operation::DropFirst { queue, from, count } => {
            To::DropFirst { queue: id(queue), from, count }
        }
        Operation::Remove { queue } => To::Remove { queue: id(queue) },
        Operation::Put { key, version, value } => To::Put { key, version, value },
        Operation::Delete { key, version } => To::Delete { key, version },
    }
}

fn reference(reference: Reference) -> midge_store::Reference {
    let Reference { queue, position, tag } = reference;
    midge_store::Reference { queue: id(queue), position, tag }
}

fn id(queue: QueueId) -> midge_store::QueueId {
    midge_store::QueueId(queue.0)
}
