//! The journal: durable queues and keyed state, in one append-only log of checksummed segments.
//!
//! A [`Transaction`] appends entries to queues, acknowledges them, and puts and deletes values under
//! keys; it survives a crash whole or not at all. [`Journal`] is the engine: no threads, no clock, and
//! its files behind [`FileSystem`], so that it runs in a simulation step by step. [`Store`] is the
//! engine on a thread of its own, with group commit: one sync serves all that arrived while the last
//! one ran. [`Reader`] reads a directory that nobody uses, without changing it.
//!
//! What a commit reported durable is there after any crash. What the disk has damaged is found by
//! checksum, kept aside and reported; nothing is dropped silently. The format on disk stands in
//! [`format`](mod@format).
//!
//! What this crate does not do: it knows neither MQTT nor Kafka, keeps no entry in memory beyond its
//! commit, and takes no decision about what to refuse when the disk is full: it says so.

mod files;
pub mod format;
mod index;
mod journal;
mod operation;
mod reader;
mod recovery;
mod settings;
mod shared;
mod store;

pub use files::{DiskFile, DiskFiles, DiskLock, File, FileSystem, LockError, LockMode};
#[cfg(feature = "simulation")]
pub use files::{Flip, SimulatedFile, SimulatedFiles, SimulatedLock};
pub use journal::Journal;
pub use operation::{
    Entry, Loaded, Operation, Position, QueueId, QueueSummary, Reference, Transaction,
};
pub use reader::{Keyed, Reader, SegmentSummary};
pub use settings::{
    CommitError, Damage, Durability, LoadError, OpenError, Report, Settings, State, Stats,
};
pub use store::{Store, Submitter};
