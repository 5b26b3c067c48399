//! The files of one journal directory, as the journal needs them.
//!
//! Names are relative to the directory, with `/` for the one level below it. Nothing is durable
//! before `sync_data` (content, length) or `sync_directory` (names).

use std::io;

mod disk;
#[cfg(feature = "simulation")]
mod simulated;

pub use disk::{DiskFile, DiskFiles, DiskLock};
#[cfg(feature = "simulation")]
pub use simulated::{Flip, SimulatedFile, SimulatedFiles, SimulatedLock};

/// A directory with files: the disk, or a simulation of one.
pub trait FileSystem: Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// Held as long as the directory is in use.
    type Lock: Send + 'static;

    /// Where the directory is, for messages.
    fn describe(&self) -> String;
    /// Takes the directory for this process: alone, or shared with others that only read.
    fn lock(&self, mode: LockMode) -> Result<Self::Lock, LockError>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Opens an existing file for reading.
    fn open_read_only(&self, name: &str) -> io::Result<Self::File>;
    /// Creates a file, empty; one that exists is emptied.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Creates a directory below this one, or with an empty name this one, unless it exists.
    fn create_directory(&self, name: &str) -> io::Result<()>;
    /// The names in a directory (empty: this one); none when it does not exist.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Renames a file, replacing what has the name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names in a directory (empty: this one) durable.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
    /// A number that nobody outside can guess.
    fn random(&self) -> u64;
}

/// An open file.
pub trait File: Send + Sync + 'static {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads at a place; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes at a place.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file at least this long, with space that later writes find taken for them.
    fn preallocate(&self, length: u64) -> io::Result<()>;
    /// Cuts the file off.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// How a directory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// For writing: nobody else may have it.
    Exclusive,
    /// For reading: nobody may write meanwhile.
    Shared,
}

/// A directory that could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("in use by {}", holder(*pid))]
    Held {
        /// The process, when it could be told.
        pid: Option<u32>,
    },
    /// The lock file is out of reach.
    #[error("lock file: {0}")]
    Io(#[from] io::Error),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
