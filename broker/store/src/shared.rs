//! What the journal and those who read beside it have in common: the index and the open files.
//!
//! No lock is held during a write or a sync, so that a reader never waits for one.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::FileSystem;
use crate::format;
use crate::index::Index;

/// Segments kept open for reading.
const OPEN_FILES: usize = 64;

pub(crate) struct Shared<F: FileSystem> {
    pub(crate) files: F,
    pub(crate) salt: u64,
    read_only: bool,
    index: Mutex<Index>,
    open: Mutex<HashMap<u32, Arc<F::File>>>,
    /// Given back when the last one who reads is gone.
    _lock: Mutex<F::Lock>,
}

impl<F: FileSystem> Shared<F> {
    pub(crate) fn new(files: F, salt: u64, read_only: bool, index: Index, lock: F::Lock) -> Self {
        let (index, open) = (Mutex::new(index), Mutex::default());
        Self { files, salt, read_only, index, open, _lock: Mutex::new(lock) }
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_files(&self) -> MutexGuard<'_, HashMap<u32, Arc<F::File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a segment, opened if it is not.
    pub(crate) fn file(&self, segment: u32) -> io::Result<Arc<F::File>> {
        if let Some(file) = self.open_files().get(&segment) {
            return Ok(Arc::clone(file));
        }
        let name = format::segment_name(segment);
        let file =
            if self.read_only { self.files.open_read_only(&name) } else { self.files.open(&name) };
        Ok(self.keep(segment, file?))
    }

    /// Keeps a file open. The end of the log has the highest numbers and so stays open longest.
    pub(crate) fn keep(&self, segment: u32, file: F::File) -> Arc<F::File> {
        let file = Arc::new(file);
        let mut open = self.open_files();
        if open.len() >= OPEN_FILES
            && let Some(lowest) = open.keys().min().copied()
        {
            open.remove(&lowest);
        }
        open.insert(segment, Arc::clone(&file));
        file
    }

    /// Lets go of a segment that is about to be removed, so that its space is freed.
    pub(crate) fn close(&self, segment: u32) {
        self.open_files().remove(&segment);
    }
}
