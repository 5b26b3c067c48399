//! What an operator decides about the journal, and how it reports on itself.
//!
//! Nothing here is acted on; the numbers and words mean the same in every module.

use std::fmt;
use std::io;

use crate::LockError;

/// How a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// When a commit counts as durable.
    pub durability: Durability,
    /// The size of a segment; one that holds a larger transaction is as large as that needs.
    pub segment_bytes: u32,
    /// The bound on all segments together; at it the journal is full. `None`: the disk is the bound.
    /// At least four segments are always allowed, and one transaction larger than a segment.
    pub max_bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durability: Durability::Fsync, segment_bytes: 16 << 20, max_bytes: None }
    }
}

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once the disk has it: survives a power cut.
    #[default]
    Fsync,
    /// Once the system has it: survives the end of the process, not a power cut. The disk has it
    /// about a second later.
    Os,
    /// At once: survives a shutdown in good order, nothing else.
    None,
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// It takes and keeps everything.
    #[default]
    Healthy,
    /// No further segment can be had: callers should not submit new entries and values. What was
    /// submitted waits; it recovers by itself.
    Full {
        /// What the journal ran into.
        why: String,
    },
    /// A write or sync went wrong: nothing will be durable any more in this process.
    Failed {
        /// What went wrong.
        why: String,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("healthy"),
            Self::Full { why } => write!(f, "full: {why}"),
            Self::Failed { why } => write!(f, "failed: {why}"),
        }
    }
}

/// The journal in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Segment files, those prepared and still empty included.
    pub segments: u64,
    /// What they take of the disk.
    pub disk_bytes: u64,
    /// What of it is still needed, nearly.
    pub live_bytes: u64,
    /// Queues that exist.
    pub queues: u64,
    /// Living entries, counted once a queue.
    pub entries: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// The last batch written.
    pub lsn: u64,
    /// The last batch known to be on the disk.
    pub durable_lsn: u64,
    /// Transactions taken since the journal was opened.
    pub transactions: u64,
    /// Batches written since then.
    pub batches: u64,
    /// Bytes written to segments since then, compaction included.
    pub written_bytes: u64,
    /// Bytes of it that compaction wrote.
    pub compacted_bytes: u64,
    /// Syncs of files since then.
    pub syncs: u64,
    /// Transactions that wait for space.
    pub waiting: u64,
    /// Living entries and values that turned out damaged while running.
    pub lost: u64,
}

/// What was found when the journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory was empty, or held no journal.
    pub created: bool,
    /// Segments read.
    pub segments: u64,
    /// Batches that are whole.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The end of the log, where it is not whole and nothing behind it says that it had been on the
    /// disk: cut. A kill or a power cut leaves what nobody was told of; a file that was truncated or
    /// edited looks the same.
    pub torn: Vec<Damage>,
    /// Damage to what had been durable: kept in `quarantine`, and lost.
    pub corrupt: Vec<Damage>,
    /// Batches that were read back but not known to be on the disk, and have been written again.
    pub rewritten: u64,
}

impl Report {
    /// Nothing that had been durable is missing.
    pub fn is_clean(&self) -> bool {
        self.corrupt.is_empty()
    }
}

/// A place in a file that holds no readable batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the directory.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Batches that are missing here, as far as their numbers tell.
    pub batches: u64,
    /// What is wrong.
    pub what: &'static str,
    /// The copy of the file, relative to the directory.
    pub quarantine: Option<String>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, batches, what, quarantine } = self;
        write!(f, "{file}: {what} at byte {offset}, {bytes} bytes, {batches} batches missing")?;
        quarantine.as_ref().map_or(Ok(()), |copy| write!(f, ", copy in {copy}"))
    }
}

/// Why a directory could not be opened as a journal.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("{directory}: {source}")]
    Locked {
        /// The directory.
        directory: String,
        /// Who has it.
        source: LockError,
    },
    /// It holds something else.
    #[error("{directory}: {found}, expected a journal of format {expected}")]
    Foreign {
        /// The directory.
        directory: String,
        /// What is there.
        found: String,
        /// The format this program reads.
        expected: u32,
    },
    /// The system refused.
    #[error("{directory}/{file}: {source}")]
    Io {
        /// The directory.
        directory: String,
        /// The file in it; empty for the directory itself.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// Why a commit has not made everything durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// No space: all of it is kept in memory, and the next commit tries again.
    #[error("no space: {0}")]
    Full(String),
    /// A write or sync went wrong, now or earlier: no commit will succeed any more.
    #[error("{0}")]
    Failed(String),
}

/// Why a load has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system refused.
    #[error("{file}: {source}")]
    Io {
        /// The segment.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A value that the disk has damaged.
    #[error("{file}: a damaged record at byte {offset}")]
    Damaged {
        /// The segment.
        file: String,
        /// Where the record begins.
        offset: u64,
    },
    /// The store has been shut down.
    #[error("the store is closed")]
    Closed,
}
