//! Opening the journal of a broker, and why there is none to run on.

use std::path::PathBuf;
use std::time::Instant;

use midge_config::{Durability, Persistence};
use midge_core::Operation;
use midge_store::{CommitError, DiskFiles, Journal, LoadError, OpenError, Settings};
use tracing::info;

use super::transaction;

/// Operations of one transaction, where it does not matter which of them survive together.
const BATCH: usize = 4096;

/// Why there is no journal to run on.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It cannot be where it is to be.
    #[error("persistence: {directory}: {why}")]
    Place {
        /// The journal's directory.
        directory: PathBuf,
        /// What is wrong, and with which directory above it.
        why: String,
    },
    /// It could not be opened.
    #[error("persistence: {0}")]
    Open(#[from] OpenError),
    /// The disk did not give what it holds.
    #[error("persistence: {directory}: {source}")]
    Read {
        /// The journal's directory.
        directory: PathBuf,
        /// The system's reason.
        source: LoadError,
    },
    /// The disk did not take what the start brings.
    #[error("persistence: {directory}: {source}")]
    Write {
        /// The journal's directory.
        directory: PathBuf,
        /// The system's reason.
        source: CommitError,
    },
    /// The threads of the journal could not be made.
    #[error("persistence: {0}")]
    System(#[from] std::io::Error),
    /// The database of another broker cannot be taken over.
    #[error("{file}: {why}")]
    Import {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A journal that has been opened and not been started.
pub(crate) struct Opened {
    /// Owned by nobody else.
    pub(super) journal: Journal<DiskFiles>,
    pub(super) directory: PathBuf,
    pub(super) since: Instant,
    /// Parts of it were found damaged now.
    pub(super) damaged: bool,
}

/// Opens the journal of a broker, makes it if there is none, and logs what had to be mended.
///
/// # Errors
/// It is in use, is of another format or program, or the system refused.
pub(crate) fn open(persistence: &Persistence) -> Result<Opened, StorageError> {
    let since = Instant::now();
    let directory = persistence.journal();
    let (journal, report) = Journal::open(DiskFiles(directory.clone()), &settings(persistence))?;
    // Of damage and of a torn end the store has told itself.
    if report.rewritten > 0 {
        info!(
            "{} batches of the journal may not have been on the disk and were rewritten",
            report.rewritten
        );
    }
    Ok(Opened { journal, directory, since, damaged: !report.corrupt.is_empty() })
}

impl Opened {
    /// Writes what may as well come later.
    pub(super) fn write(&mut self, operations: Vec<Operation>) -> Result<(), StorageError> {
        if operations.is_empty() {
            return Ok(());
        }
        let mut operations = operations.into_iter().peekable();
        while operations.peek().is_some() {
            self.journal.append(&transaction(operations.by_ref().take(BATCH).collect()));
        }
        match self.journal.commit() {
            // It waits in memory until there is room.
            Ok(()) | Err(CommitError::Full(_)) => Ok(()),
            Err(source) => Err(StorageError::Write { directory: self.directory.clone(), source }),
        }
    }
}

fn settings(persistence: &Persistence) -> Settings {
    Settings {
        durability: match persistence.durability {
            Durability::Fsync => midge_store::Durability::Fsync,
            Durability::Os => midge_store::Durability::Os,
            Durability::None => midge_store::Durability::None,
        },
        // The configuration allows no larger ones.
        segment_bytes: u32::try_from(persistence.segment_bytes).unwrap_or(u32::MAX),
        max_bytes: persistence.max_bytes,
    }
}
