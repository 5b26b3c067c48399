//! The engine: takes transactions, commits them, and keeps house.
//!
//! It has no threads and no clock. What it does depends on its calls and its files alone, so a run over
//! [`SimulatedFiles`](crate::SimulatedFiles) can be repeated to the byte.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{self, Record};
use crate::index::{Admission, Index, Slot, share};
use crate::recovery::{self, Recovered};
use crate::shared::Shared;
use crate::{
    CommitError, Durability, FileSystem, Keyed, LoadError, Loaded, OpenError, Operation, Position,
    QueueId, QueueSummary, Reader, Reference, Report, Settings, State, Stats, Transaction,
};

mod compaction;
mod log;

use compaction::Compaction;
pub(crate) use log::{Head, Ready, Sync};
use log::{Log, READY};

/// Without durability this much is gathered before it is written.
const LAZY: usize = 1 << 20;
/// And this many segments are left to the system to write before they are synced.
const LAZY_SEGMENTS: usize = 2;

/// The journal of one directory, driven by its caller.
pub struct Journal<F: FileSystem> {
    reader: Reader<F>,
    durability: Durability,
    log: Log<F>,
    /// Came when there was no space, and is not yet in the log.
    waiting: VecDeque<Transaction>,
    behind: Behind,
    compaction: Compaction,
    /// The last batch does not say that all before it is durable.
    unmarked: bool,
}

impl<F: FileSystem> Journal<F> {
    /// Opens the directory, or begins a journal in an empty one. When this returns, all that was
    /// read back is on the disk.
    pub fn open(files: F, settings: &Settings) -> Result<(Self, Report), OpenError> {
        let Recovered { index, salt, lock, head, ready, last_lsn, report } =
            recovery::recover(&files, Some(settings))?;
        let shared = Arc::new(Shared::new(files, salt, false, index, lock));
        let mut journal = Self {
            log: Log::new(Arc::clone(&shared), settings, head, ready, last_lsn),
            reader: Reader { shared },
            durability: settings.durability,
            waiting: VecDeque::new(),
            behind: Behind::default(),
            compaction: Compaction::default(),
            unmarked: report.rewritten > 0,
        };
        while journal.log.ready().count() < READY && journal.log.prepare() {}
        Ok((journal, report))
    }

    /// Opens the directory to read it, changing nothing. Refused while a process has it open.
    pub fn open_read_only(files: F) -> Result<(Reader<F>, Report), OpenError> {
        let Recovered { index, salt, lock, report, .. } = recovery::recover(&files, None)?;
        let shared = Arc::new(Shared::new(files, salt, true, index, lock));
        Ok((Reader { shared }, report))
    }

    /// One who reads beside the journal, from any thread.
    pub fn reader(&self) -> &Reader<F> {
        &self.reader
    }

    /// Takes a transaction into the batch that the next commit writes. Its effects are seen at once
    /// by `load`, `queues` and `keyed`, unless it has to wait for space, of which it tells.
    pub fn append(&mut self, transaction: &Transaction) -> bool {
        if self.log.is_failed() {
            return false;
        }
        self.log.stats.transactions += 1;
        // What only frees goes ahead of what waits for space: else nothing would ever become free.
        let ahead = |operation| self.behind.may_be_overtaken_by(operation);
        let waits = (!self.waiting.is_empty() && !transaction.operations.iter().all(ahead))
            || !self.take(transaction);
        if waits {
            self.waiting.push_back(transaction.clone());
            self.behind.extend(&transaction.operations);
        }
        waits
    }

    /// Takes a transaction into the log, if there is space.
    fn take(&mut self, transaction: &Transaction) -> bool {
        let operations = &transaction.operations;
        let keep = usize::from(operations.iter().any(stores));
        if !self.log.reserve(operations.iter().map(bound).sum(), keep) {
            return false;
        }
        let mut index = self.reader.shared.index();
        for operation in operations {
            write(&self.log, &mut index, operation);
        }
        true
    }

    fn take_waiting(&mut self) {
        while let Some(transaction) = self.waiting.pop_front() {
            if !self.take(&transaction) {
                self.waiting.push_front(transaction);
                return;
            }
        }
        self.behind = Behind::default();
    }

    /// Writes what was appended, and syncs as the settings say. After `Ok` everything appended so
    /// far is durable in their sense.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.flush(false)
    }

    /// The same, but what waits for space does not count: how many transactions these are, the last
    /// ones of those that `append` has said it of. They are taken in their order as there is space.
    pub fn commit_taken(&mut self) -> Result<usize, CommitError> {
        self.flush_taken(false)?;
        Ok(self.waiting.len())
    }

    /// Writes and syncs everything, whatever the settings say.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        self.flush(true)
    }

    fn flush(&mut self, forced: bool) -> Result<(), CommitError> {
        self.flush_taken(forced)?;
        match self.log.state() {
            State::Full { why } if !self.waiting.is_empty() => Err(CommitError::Full(why)),
            _ => Ok(()),
        }
    }

    fn flush_taken(&mut self, forced: bool) -> Result<(), CommitError> {
        self.take_waiting();
        if self.durability != Durability::None || forced || self.log.pending_bytes() >= LAZY {
            self.log.write()?;
        }
        let sync = match self.durability {
            Durability::Fsync => true,
            Durability::Os => false,
            Durability::None => self.log.dirty_segments() > LAZY_SEGMENTS,
        };
        if (sync || forced) && self.is_ahead() {
            self.log.sync()?;
        }
        self.log.recover(!self.waiting.is_empty());
        match self.log.state() {
            State::Failed { why } => Err(CommitError::Failed(why)),
            _ => Ok(()),
        }
    }

    /// One bounded step of housekeeping; true when there is more to do. It may write and sync on its
    /// own account.
    pub fn maintain(&mut self) -> bool {
        if self.log.is_failed() {
            return false;
        }
        if self.log.ready().count() < READY && self.log.prepare() {
            self.log.recover(!self.waiting.is_empty());
            return true;
        }
        if self.compaction.step(&mut self.log, &self.reader.shared) {
            return true;
        }
        // What is about to be removed waits for its replacement to be durable.
        let waits = self.compaction.waits_for(self.log.durable_lsn());
        waits && self.durability != Durability::Os && self.flush(true).is_ok()
    }

    /// Everything durable, with a mark that the next start can trust; the last call.
    pub fn close(mut self) -> Result<(), CommitError> {
        self.sync()?;
        if (self.unmarked || self.log.stats.batches > 0) && self.log.mark() {
            self.sync()?;
        }
        Ok(())
    }

    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    /// More is written than is known to be on the disk.
    pub(crate) fn is_ahead(&self) -> bool {
        self.log.durable_lsn() < self.log.written_lsn()
    }

    pub(crate) fn begin_sync(&mut self) -> Sync<F> {
        self.log.begin_sync()
    }

    pub(crate) fn end_sync(&mut self, sync: &Sync<F>, outcome: std::io::Result<()>) {
        // A failure shows in the state.
        let _ = self.log.end_sync(sync, outcome);
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
        self.log.is_full()
    }

    /// How the journal is.
    pub fn state(&self) -> State {
        self.log.state()
    }

    /// The journal in figures.
    pub fn stats(&self) -> Stats {
        let sizes = self.reader.stats();
        Stats {
            live_bytes: sizes.live_bytes,
            queues: sizes.queues,
            entries: sizes.entries,
            keys: sizes.keys,
            ..self.counted()
        }
    }

    /// The figures that cost nothing to know.
    pub(crate) fn counted(&self) -> Stats {
        let segments = self.reader.shared.index().segments.len() + self.log.ready().count();
        Stats {
            segments: segments as u64,
            disk_bytes: self.log.disk_bytes(),
            lsn: self.log.written_lsn(),
            durable_lsn: self.log.durable_lsn(),
            waiting: self.waiting.len() as u64,
            compacted_bytes: self.compaction.bytes,
            lost: self.compaction.lost,
            ..self.log.stats
        }
    }
}

/// What in the waiting transactions depends on order.
#[derive(Default)]
struct Behind {
    /// Which entries are the first ones depends on what has been acknowledged before.
    dropped_from: BTreeSet<QueueId>,
    keys: BTreeSet<Bytes>,
}

impl Behind {
    fn extend(&mut self, operations: &[Operation]) {
        for operation in operations {
            match operation {
                Operation::DropFirst { queue, .. } => drop(self.dropped_from.insert(*queue)),
                Operation::Put { key, .. } | Operation::Delete { key, .. } => {
                    self.keys.insert(key.clone());
                }
                _ => {}
            }
        }
    }

    /// The operation takes next to no space, and comes to the same before what waits and after it.
    fn may_be_overtaken_by(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Acknowledge { queue, .. } | Operation::Trim { queue, .. } => {
                !self.dropped_from.contains(queue)
            }
            Operation::Remove { .. } => true,
            Operation::Put { key, .. } | Operation::Delete { key, .. } => {
                !stores(operation) && !self.keys.contains(key)
            }
            Operation::Append { .. } | Operation::DropFirst { .. } => false,
        }
    }
}

/// Takes space that it does not give back. A key without a value is a few bytes, and often what has
/// to be noted so that an entry may go.
fn stores(operation: &Operation) -> bool {
    match operation {
        Operation::Append { .. } => true,
        Operation::Put { value, .. } => !value.is_empty(),
        _ => false,
    }
}

/// The most that an operation takes in the log.
fn bound(operation: &Operation) -> usize {
    format::RECORD_OVERHEAD
        + match operation {
            // A reference may turn into a record of its own: its entry has been acknowledged.
            Operation::Append { entry, to } => {
                let one = format::REFERENCE_OVERHEAD + format::RECORD_OVERHEAD;
                entry.len() + to.iter().map(|to| one + to.tag.len()).sum::<usize>()
            }
            Operation::Put { key, value, .. } => key.len() + value.len(),
            Operation::Delete { key, .. } => key.len(),
            // A record for each, where others before them stay.
            Operation::DropFirst { count, .. } => format::RECORD_OVERHEAD * *count as usize,
            _ => 0,
        }
}

fn write<F: FileSystem>(log: &Log<F>, index: &mut Index, operation: &Operation) {
    match operation {
        Operation::Append { entry, to } => append(log, index, entry, to),
        Operation::Acknowledge { queue: QueueId(queue), position } => {
            let (queue, position) = (*queue, *position);
            let alive =
                index.queues.get(&queue).is_some_and(|queue| queue.place(position).is_some());
            if alive {
                log.put(index, &Record::Acknowledge { queue, position });
            } else if index.admit(queue, position) == Admission::Lives {
                log.put(index, &Record::Early { queue, position });
            }
        }
        Operation::Trim { queue: QueueId(queue), below } => {
            let trimmed = index.queues.get(queue).map_or(0, |queue| queue.trim);
            if trimmed < *below && !index.removed.contains_key(queue) {
                log.put(index, &Record::Trim { queue: *queue, below: *below });
            }
        }
        Operation::DropFirst { queue: QueueId(queue), from, count } => {
            let Some(found) = index.queues.get(queue) else { return };
            if found.first().is_none_or(|first| first >= *from) {
                if let Some(below) = found.behind_first(*count) {
                    log.put(index, &Record::Drop { queue: *queue, below });
                }
                return;
            }
            let gone = found.living_from(*from).take(*count as usize);
            let gone: Vec<u64> = gone.map(|(position, ..)| position).collect();
            for position in gone {
                log.put(index, &Record::Acknowledge { queue: *queue, position });
            }
        }
        Operation::Remove { queue: QueueId(queue) } => {
            if !index.removed.contains_key(queue) {
                log.put(index, &Record::Remove { queue: *queue });
            }
        }
        Operation::Put { key, version, value } => {
            if let Some(version) = index.admit_version(key, *version) {
                log.put(index, &Record::Put { version, key, value });
            }
        }
        Operation::Delete { key, version } => {
            let present = index.keys.get(&key[..]);
            // Nothing to delete, and nothing older that could still come.
            let idle = present.is_none_or(|key| key.deleted) && version.is_none();
            if let (false, Some(version)) = (idle, index.admit_version(key, *version)) {
                log.put(index, &Record::Delete { version, key });
            }
        }
    }
}

fn append<F: FileSystem>(log: &Log<F>, index: &mut Index, entry: &[u8], to: &[Reference]) {
    let all = to.iter().all(|to| index.admit(to.queue.0, to.position) == Admission::Lives);
    if all {
        return store(log, index, entry, to.iter());
    }
    let mut living = Vec::new();
    for to in to {
        let (queue, position) = (to.queue.0, to.position);
        match index.admit(queue, position) {
            Admission::Lives => living.push(to),
            Admission::Acknowledged => log.put(index, &Record::Consumed { queue, position }),
            Admission::Dead => {}
        }
    }
    store(log, index, entry, living.into_iter());
}

fn store<'a, F: FileSystem>(
    log: &Log<F>,
    index: &mut Index,
    entry: &[u8],
    to: impl ExactSizeIterator<Item = &'a Reference> + Clone,
) {
    if to.len() == 0 {
        return;
    }
    let references = to.clone().map(|to| (to.queue.0, to.position, &to.tag[..]));
    let (segment, offset, size) =
        log.emit(index, |out| format::encode_append(out, references, entry));
    let weight = share(size, to.len() as u64);
    for to in to {
        index.place(to.queue.0, to.position, segment, Slot { offset, weight });
    }
}
