//! What is kept over a restart, where, and how safe it is before it is acknowledged.
//!
//! There is none of it without `persistence`: a broker that keeps nothing opens no file.

use std::path::PathBuf;

/// What is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// The directory of everything that is kept; the journal has a directory of its own in it.
    pub directory: PathBuf,
    /// The database of a Mosquitto that ran here before, read at the first start if it exists.
    pub import: Option<PathBuf>,
    /// When an entry counts as kept.
    pub durability: Durability,
    /// Bytes of one segment of the journal.
    pub segment_bytes: u64,
    /// Bytes the journal may take of the disk; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
}

impl Persistence {
    /// The name of the journal's directory in [`Persistence::directory`].
    pub const JOURNAL: &str = "midge-store";

    /// The default of [`Persistence::segment_bytes`]: large enough that a sync is rarely one of a
    /// new file, small enough that a slow session holds back little.
    pub const SEGMENT_BYTES: u64 = 16 << 20;

    /// The fewest segments a journal works with: one to write, one to compact, two in reserve.
    pub const FEWEST_SEGMENTS: u64 = 4;

    /// Persistence in a directory, everything else by default and nothing to import.
    pub fn new(directory: impl Into<PathBuf>) -> Persistence {
        Persistence {
            directory: directory.into(),
            import: None,
            durability: Durability::Fsync,
            segment_bytes: Self::SEGMENT_BYTES,
            max_bytes: None,
        }
    }

    /// The journal's own directory.
    pub fn journal(&self) -> PathBuf {
        self.directory.join(Self::JOURNAL)
    }
}

/// When an entry counts as kept, and what it is acknowledged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: it survives the power cut.
    Fsync,
    /// When the operating system has it: it survives the end of the process.
    Os,
    /// At once: it is written soon after.
    None,
}
