//! The engine.

use crate::{
    CommitError, FileSystem, Keyed, LoadError, Loaded, OpenError, Position, QueueId, QueueSummary,
    Reader, Report, Settings, State, Stats, Transaction,
};

/// The journal of one directory, driven by its caller.
pub struct Journal<F: FileSystem> {
    reader: Reader<F>,
}

#[allow(clippy::unimplemented, unused_variables)]
impl<F: FileSystem> Journal<F> {
    /// Opens the directory, or begins a journal in an empty one. When this returns, all that was
    /// read back is on the disk.
    pub fn open(files: F, settings: &Settings) -> Result<(Self, Report), OpenError> {
        unimplemented!()
    }

    /// Opens the directory to read it, changing nothing.
    pub fn open_read_only(files: F) -> Result<(Reader<F>, Report), OpenError> {
        unimplemented!()
    }

    /// Takes a transaction into the batch that the next commit writes. Its effects are seen at once
    /// by `load`, `queues` and `keyed`, unless it has to wait for space.
    pub fn append(&mut self, transaction: &Transaction) {
        unimplemented!()
    }

    /// Writes what was appended, and syncs as the settings say. After `Ok` everything appended so
    /// far is durable in their sense.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Writes and syncs everything, whatever the settings say.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// One bounded step of housekeeping; true when there is more to do.
    pub fn maintain(&mut self) -> bool {
        unimplemented!()
    }

    /// Everything durable, with a mark that the next start can trust; the last call.
    pub fn close(self) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Living entries of a queue with `from <= position < below`, at least one if there is any.
    pub fn load(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Loaded, LoadError> {
        self.reader.load(queue, from, below, max_entries, max_bytes)
    }

    /// Keys that begin with `prefix` and their values, read from the disk in the order they lie there.
    pub fn keyed(&self, prefix: &[u8]) -> Keyed<F> {
        self.reader.keyed(prefix)
    }

    /// All queues, in the order of their ids.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, QueueSummary)> + use<F> {
        self.reader.queues()
    }

    /// Whether new entries and values should be refused.
    pub fn is_full(&self) -> bool {
        unimplemented!()
    }

    /// How the journal is.
    pub fn state(&self) -> State {
        unimplemented!()
    }

    /// The journal in figures.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
}
