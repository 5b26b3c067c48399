//! From the shards' words to the journal's, and back: one for one, nothing is decided here.

use midge_core::StoredEntry;

pub use midge_bridge::transaction;

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
