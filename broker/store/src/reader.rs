//! Reading entries and values back.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::{FileSystem, LoadError, Loaded, Position, QueueId, QueueSummary};

/// Reads what the journal of a directory holds.
pub struct Reader<F: FileSystem> {
    files: PhantomData<F>,
}

/// Keys with their values; see [`Reader::keyed`].
pub struct Keyed<F: FileSystem> {
    files: PhantomData<F>,
}

#[allow(clippy::unimplemented, unused_variables)]
impl<F: FileSystem> Reader<F> {
    /// Living entries of a queue with `from <= position < below`, at least one if there is any.
    pub fn load(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Loaded, LoadError> {
        unimplemented!()
    }

    /// Keys that begin with `prefix` and their values, read from the disk in the order they lie there.
    pub fn keyed(&self, prefix: &[u8]) -> Keyed<F> {
        unimplemented!()
    }

    /// All queues, in the order of their ids.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, QueueSummary)> + use<F> {
        Vec::new().into_iter()
    }
}

#[allow(clippy::unimplemented)]
impl<F: FileSystem> Iterator for Keyed<F> {
    type Item = Result<(Bytes, Bytes), LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
