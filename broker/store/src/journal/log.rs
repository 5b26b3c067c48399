//! The end of the log: where the next record goes, and how it gets to the disk.
//!
//! Records go into the open batch at once, at the place they will have on the disk; so the index can
//! point to them before they are written. A place is given only in a segment that exists. Two segments
//! are kept ready: one that new entries may use up when no further one can be had, and one for what
//! frees space.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use crate::format::{self, ALIGNMENT, HEADER, Record};
use crate::index::{Chunk, Index, Segment};
use crate::shared::Shared;
use crate::{CommitError, File, FileSystem, Settings, State, Stats};

/// Segments kept ready.
pub(crate) const READY: usize = 2;
/// A batch is closed when it has grown to this.
const BATCH: usize = 256 << 10;
/// Buffers larger than this are not kept for the next chunk.
const BUFFER: usize = 4 << 20;

pub(crate) struct Log<F: FileSystem> {
    shared: Arc<Shared<F>>,
    segment_bytes: u64,
    max_bytes: u64,
    head: Option<Head>,
    ready: VecDeque<Ready>,
    /// Of the next segment to be made.
    next_number: u32,
    /// Where in the last chunk the open batch begins.
    open_batch: Option<usize>,
    next_lsn: u64,
    written_lsn: u64,
    durable_lsn: u64,
    /// Written to since the last sync.
    dirty: BTreeMap<u32, Arc<F::File>>,
    buffer: Vec<u8>,
    full: Option<String>,
    failed: Option<String>,
    pub(crate) stats: Stats,
}

/// The segment that is being filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) segment: u32,
    /// Where the next batch begins, or the open one.
    pub(crate) offset: u64,
    pub(crate) capacity: u64,
}

/// A segment that is ready to be filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) number: u32,
    pub(crate) capacity: u64,
}

/// Files to be synced, and what is durable then.
pub(crate) struct Sync<F: FileSystem> {
    files: BTreeMap<u32, Arc<F::File>>,
    lsn: u64,
}

impl<F: FileSystem> Sync<F> {
    pub(crate) fn run(&self) -> io::Result<()> {
        self.files.values().try_for_each(|file| file.sync_data())
    }
}

/// The system says that there is no space, which is no damage.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl<F: FileSystem> Log<F> {
    pub(crate) fn new(
        shared: Arc<Shared<F>>,
        settings: &Settings,
        head: Option<Head>,
        ready: VecDeque<Ready>,
        last_lsn: u64,
    ) -> Self {
        let segment_bytes = u64::from(settings.segment_bytes).max(4096);
        let last = ready.back().map(|ready| ready.number).or(head.map(|head| head.segment));
        Self {
            shared,
            segment_bytes,
            max_bytes: settings.max_bytes.map_or(u64::MAX, |bytes| bytes.max(4 * segment_bytes)),
            head,
            ready,
            next_number: last.unwrap_or(0) + 1,
            open_batch: None,
            next_lsn: last_lsn + 1,
            written_lsn: last_lsn,
            durable_lsn: last_lsn,
            dirty: BTreeMap::new(),
            buffer: Vec::new(),
            full: None,
            failed: None,
            stats: Stats::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match (&self.failed, &self.full) {
            (Some(why), _) => State::Failed { why: why.clone() },
            (None, Some(why)) => State::Full { why: why.clone() },
            (None, None) => State::Healthy,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failed.is_some()
    }

    pub(crate) fn durable_lsn(&self) -> u64 {
        self.durable_lsn
    }

    pub(crate) fn written_lsn(&self) -> u64 {
        self.written_lsn
    }

    /// The batch that holds the last record.
    pub(crate) fn last_lsn(&self) -> u64 {
        if self.open_batch.is_some() { self.next_lsn } else { self.next_lsn - 1 }
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    pub(crate) fn head(&self) -> Option<u32> {
        self.head.map(|head| head.segment)
    }

    pub(crate) fn ready(&self) -> impl Iterator<Item = &Ready> {
        self.ready.iter()
    }

    /// Bytes that can still be written without a further segment, the open batch not counted.
    pub(crate) fn room(&self) -> u64 {
        let head = self.head.map_or(0, |head| head.capacity - head.offset);
        head + self.ready.iter().map(|ready| ready.capacity - HEADER as u64).sum::<u64>()
    }

    fn fail(&mut self, what: &str, error: &io::Error) -> CommitError {
        let why = format!("{what}: {error}");
        tracing::error!(why, "the journal has failed");
        CommitError::Failed(self.failed.get_or_insert(why).clone())
    }

    fn fill_up(&mut self, why: String) {
        if self.full.is_none() {
            tracing::warn!(why, "the journal is full");
        }
        self.full = Some(why);
    }

    /// All is well again once two segments are ready and nothing waits.
    pub(crate) fn recover(&mut self, waiting: bool) {
        if self.full.is_some() && self.ready.len() >= READY && !waiting {
            self.full = None;
            tracing::info!("the journal has space again");
        }
    }

    /// Makes room for so many bytes of records in the open batch, leaving `keep` segments ready.
    /// False: there is none now.
    pub(crate) fn reserve(&mut self, size: usize, keep: usize) -> bool {
        if let (Some(start), Some(head)) = (self.open_batch, self.head) {
            let index = self.shared.index();
            let end = index.chunks.back().map_or(0, |chunk| chunk.bytes.len());
            let length = end - start + size;
            if length <= BATCH && head.offset + (length + ALIGNMENT) as u64 <= head.capacity {
                return true;
            }
            drop(index);
            self.close_batch();
        }
        let needed = (HEADER + size + ALIGNMENT) as u64;
        assert!(needed < u64::from(u32::MAX) / 2, "a transaction of {size} bytes");
        let fits = self.head.is_some_and(|head| head.offset + needed <= head.capacity);
        if !fits && !self.take_segment(HEADER as u64 + needed, keep) {
            return false;
        }
        self.open_batch();
        true
    }

    fn open_batch(&mut self) {
        let Some(head) = self.head else { return };
        let mut index = self.shared.index();
        if index.chunks.back().is_none_or(|chunk| chunk.segment != head.segment) {
            let bytes = Arc::new(std::mem::take(&mut self.buffer));
            let start = head.offset as u32;
            index.chunks.push_back(Chunk { segment: head.segment, start, bytes, last_lsn: 0 });
        }
        let bytes = growing(&mut index);
        self.open_batch = Some(bytes.len());
        bytes.extend_from_slice(&[0; HEADER]);
    }

    /// Writes a record at the end of the open batch: returns segment, offset and size.
    pub(crate) fn emit(
        &self,
        index: &mut Index,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> (u32, u32, u32) {
        let bytes = growing(index);
        let start = bytes.len();
        encode(bytes);
        let size = bytes.len() - start;
        let chunk = index.chunks.back().expect("a record belongs to a chunk");
        (chunk.segment, chunk.start + start as u32, size as u32)
    }

    /// Writes a record and lets it take effect.
    pub(crate) fn put(&self, index: &mut Index, record: &Record<'_>) {
        let (segment, offset, size) = self.emit(index, |out| format::encode(out, record));
        index.apply(record, segment, offset, size);
    }

    /// Writes an empty batch: it says that all before it is durable.
    pub(crate) fn mark(&mut self) -> bool {
        self.close_batch();
        self.reserve(0, 0)
    }

    pub(crate) fn close_batch(&mut self) {
        let (Some(start), Some(head)) = (self.open_batch.take(), &mut self.head) else { return };
        let mut index = self.shared.index();
        let (lsn, durable_lsn) = (self.next_lsn, self.durable_lsn);
        let bytes = growing(&mut index);
        format::seal_batch(&mut bytes[start..], head.segment, lsn, durable_lsn, self.shared.salt);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        let length = bytes.len() - start;
        head.offset += length as u64;
        self.next_lsn += 1;
        self.stats.batches += 1;
        if let Some(chunk) = index.chunks.back_mut() {
            chunk.last_lsn = lsn;
        }
        if let Some(segment) = index.segments.get_mut(&head.segment) {
            segment.used = head.offset;
        }
    }

    /// Goes on in the next segment, made large enough.
    fn take_segment(&mut self, needed: u64, keep: usize) -> bool {
        while self.ready.len() <= keep {
            if !self.prepare() {
                return false;
            }
        }
        let Some(mut next) = self.ready.front().copied() else { return false };
        if needed > next.capacity {
            let needed = needed.next_multiple_of(4096);
            let file = self.shared.file(next.number);
            if let Err(error) = file.and_then(|file| file.preallocate(needed)) {
                self.fill_up(format!("{}: {error}", format::segment_name(next.number)));
                return false;
            }
            next.capacity = needed;
        }
        self.ready.pop_front();
        self.head =
            Some(Head { segment: next.number, offset: HEADER as u64, capacity: next.capacity });
        let used = HEADER as u64;
        let segment = Segment { capacity: next.capacity, used, ..Segment::default() };
        self.shared.index().segments.insert(next.number, segment);
        true
    }

    /// What all segments take of the disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let log: u64 = self.shared.index().segments.values().map(|segment| segment.capacity).sum();
        log + self.ready.iter().map(|ready| ready.capacity).sum::<u64>()
    }

    /// Gets another segment ready, durable in every respect.
    pub(crate) fn prepare(&mut self) -> bool {
        if self.failed.is_some() {
            return false;
        }
        let disk = self.disk_bytes();
        if disk + self.segment_bytes > self.max_bytes {
            self.fill_up(format!("{disk} bytes in use of {} allowed", self.max_bytes));
            return false;
        }
        let (number, capacity) = (self.next_number, self.segment_bytes);
        let name = format::segment_name(number);
        let files = &self.shared.files;
        let made = files.create(&name).and_then(|file| {
            file.preallocate(capacity)?;
            file.write_at(0, &format::segment_header(number, self.shared.salt))?;
            file.sync_data()?;
            files.sync_directory("")?;
            Ok(file)
        });
        match made {
            Ok(file) => drop(self.shared.keep(number, file)),
            Err(error) => {
                // Whatever went wrong, nothing that is stored is touched: it is tried again later.
                let _ = files.remove(&name);
                self.fill_up(format!("{name}: {error}"));
                return false;
            }
        }
        self.next_number += 1;
        self.ready.push_back(Ready { number, capacity });
        true
    }

    /// Bytes that have not been handed to the system.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.shared.index().chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Hands everything to the system: one write a segment.
    pub(crate) fn write(&mut self) -> Result<(), CommitError> {
        if let Some(why) = &self.failed {
            return Err(CommitError::Failed(why.clone()));
        }
        self.close_batch();
        loop {
            let index = self.shared.index();
            let Some(chunk) = index.chunks.front() else { return Ok(()) };
            let (segment, start) = (chunk.segment, u64::from(chunk.start));
            let (last_lsn, bytes) = (chunk.last_lsn, Arc::clone(&chunk.bytes));
            drop(index);
            let file = self.shared.file(segment);
            let written = file.and_then(|file| file.write_at(start, &bytes).map(|()| file));
            match written {
                Ok(file) => self.dirty.insert(segment, file),
                Err(error) if is_full(&error) => {
                    self.fill_up(format!("{}: {error}", format::segment_name(segment)));
                    return Err(CommitError::Full(error.to_string()));
                }
                Err(error) => return Err(self.fail(&format::segment_name(segment), &error)),
            };
            self.written_lsn = last_lsn;
            self.stats.written_bytes += bytes.len() as u64;
            drop(bytes);
            let chunk = self.shared.index().chunks.pop_front();
            if let Some(mut bytes) = chunk.and_then(|chunk| Arc::try_unwrap(chunk.bytes).ok())
                && bytes.capacity() <= BUFFER
            {
                bytes.clear();
                self.buffer = bytes;
            }
        }
    }

    /// Makes durable what is written.
    pub(crate) fn sync(&mut self) -> Result<(), CommitError> {
        let sync = self.begin_sync();
        let outcome = sync.run();
        self.end_sync(&sync, outcome)
    }

    /// What has to be synced, for whoever runs it, here or elsewhere.
    pub(crate) fn begin_sync(&mut self) -> Sync<F> {
        Sync { files: std::mem::take(&mut self.dirty), lsn: self.written_lsn }
    }

    pub(crate) fn end_sync(
        &mut self,
        sync: &Sync<F>,
        outcome: io::Result<()>,
    ) -> Result<(), CommitError> {
        if let Err(error) = outcome {
            // The system may have dropped what it could not write and call the file clean: no
            // later sync of it proves anything.
            return Err(self.fail("sync of a segment", &error));
        }
        if let Some(why) = &self.failed {
            return Err(CommitError::Failed(why.clone()));
        }
        self.stats.syncs += sync.files.len() as u64;
        self.durable_lsn = self.durable_lsn.max(sync.lsn);
        Ok(())
    }

    /// Segments written to since the last sync.
    pub(crate) fn dirty_segments(&self) -> usize {
        self.dirty.len()
    }

    /// A segment goes for good.
    pub(crate) fn remove_segment(&mut self, number: u32) -> io::Result<()> {
        let name = format::segment_name(number);
        self.shared.close(number);
        match self.shared.files.remove(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.shared.files.sync_directory("")?,
        }
        self.dirty.remove(&number);
        self.shared.index().segments.remove(&number);
        Ok(())
    }
}

/// The bytes of the last chunk, which nobody writes now.
fn growing(index: &mut Index) -> &mut Vec<u8> {
    let chunk = index.chunks.back_mut().expect("a batch belongs to a chunk");
    Arc::make_mut(&mut chunk.bytes)
}
