//! The ordered log of one source connector, in memory or on disk, with the producer as a cursor on
//! it. It has no threads, clocks, files or Kafka: [`Spool`] is driven by whoever has them.
//!
//! # The two homes of the log
//! While Kafka keeps up the log is in memory. When its lowest unfinished entry has waited for
//! [`Limits::after`], or half of the memory that it may take is taken, all unfinished entries are
//! appended to the connector's queue in the store, lowest first, and whatever is offered from then
//! on goes there behind them: there is one path, never two. The cursor follows: entries that are on
//! disk alone are loaded when it comes near. When nothing is on disk alone any more and Kafka keeps
//! up, what is offered stays in memory again.
//!
//! ```text
//!   finished | head: in memory, given to the producer or about to be | gap: on disk alone | tail: being written
//!            ^ trimmed below            ^ cursor         head end ^                         ^       next ^
//! ```
//!
//! # How it is driven
//! Inputs are [`Spool::offer`], [`Spool::durable`], [`Spool::loaded`], [`Spool::store_usable`],
//! [`Spool::report`], [`Spool::rewind`]; the producer asks with [`Spool::take`]. After a batch of
//! them, and when [`Spool::deadline`] has come, call [`Spool::tick`], then [`Spool::poll`] until it
//! has nothing more. The caller numbers the transactions of [`Output::Commit`] from 1 in their
//! order and submits them in that order.
//!
//! # Invariants
//! - Entries are given to the producer in the order of their positions, after a rewind from the
//!   lowest unfinished one on.
//! - A duty is done when its entry is durable (where that is enough), reported or dropped; never
//!   before.
//! - The store is told that an entry is done with only after its report or an explicit drop.
//! - What is offered fills the memory up to [`Limits::messages`] and [`Limits::bytes`] and what came
//!   while the brake was being pulled ([`OVERRUN_MESSAGES`], [`OVERRUN_BYTES`]). While the log is on
//!   disk, at most [`AHEAD`] entries (an eighth of the limits, if that is less) are in memory ahead of the
//!   cursor, and no more are given to a producer that has [`UNDER_WAY`] (half of the limits, if
//!   that is less); a single entry may exceed the bytes of either alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_codec::ReasonCode;
use midge_config::{Ack, SourceConnector, SpoolFull};
use midge_core::{DutyId, Message, Now, Operation, Position, QueueId, ShardId, StoredEntry};

mod bounds;
mod cursor;
mod disk;
mod quota;
mod window;

use disk::Disk;
use quota::Quota;
use window::{Entry, Window};

/// What publishers may have sent before the brake holds: a worker's turn over many connections.
pub const OVERRUN_MESSAGES: usize = 100_000;
/// The same in bytes.
pub const OVERRUN_BYTES: usize = 64 << 20;
/// Messages and bytes that are loaded ahead of the cursor at most, while the log is on disk.
pub const AHEAD: (usize, usize) = (4_096, 4 << 20);
/// Messages and bytes that are inside the producer at most, while the log is on disk.
pub const UNDER_WAY: (usize, usize) = (30_000, 16 << 20);

/// What an entry costs beyond the bytes of its message.
const ENTRY_BYTES: usize = 64;

/// What waits for a message: a duty of a shard.
pub type Duty = (ShardId, DutyId);

/// The bounds of a log.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Messages in memory before publishers are held back.
    pub messages: usize,
    /// Bytes in memory before publishers are held back.
    pub bytes: usize,
    /// How long the lowest unfinished entry may wait before the log goes to the disk; `None`: it
    /// goes there for want of memory alone.
    pub after: Option<Duration>,
    /// Whether a duty is done once its entry is durable.
    pub durable_is_enough: bool,
    /// Bytes of a log on disk.
    pub max_bytes: u64,
    /// Entries that are older, and not inside the producer, are dropped.
    pub max_age: Option<Duration>,
    /// What happens at `max_bytes`.
    pub full: SpoolFull,
    /// Bytes a second that the cursor gives.
    pub byte_rate: Option<u64>,
}

impl Limits {
    /// Those of a connector. Only what its acknowledgements promise is put on disk for the sake of
    /// time: the others go there for want of memory alone.
    pub fn of(source: &SourceConnector) -> Limits {
        Limits {
            messages: source.buffer_messages.max(1),
            bytes: source.buffer_bytes.max(1),
            after: (source.ack == Ack::Spool).then_some(source.spool.after),
            durable_is_enough: source.ack == Ack::Spool,
            max_bytes: source.spool.max_bytes,
            max_age: source.spool.max_age,
            full: source.spool.full,
            byte_rate: source.producer_byte_rate,
        }
    }
}

/// The connector's queue in the store, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its id.
    pub id: QueueId,
    /// The first position to be used: none at or above it has ever been.
    pub base: Position,
    /// What is put, key and value, with the first entry that is appended, so that the queue is
    /// found again.
    pub state: (Bytes, Bytes),
    /// Tells entries of this definition of the rule from those of another.
    pub generation: Bytes,
    /// Entries that are there.
    pub entries: u64,
    /// About their bytes.
    pub bytes: u64,
}

/// What a spool asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One transaction for the store.
    Commit(Vec<Operation>),
    /// Entries of the queue, to come back through [`Spool::loaded`]. At least one, where there is
    /// one, however large. One load is under way at a time.
    Load {
        /// The queue.
        queue: QueueId,
        /// The first position.
        from: Position,
        /// Above the last one. All entries below have been reported durable.
        below: Position,
        /// Entries at most.
        max_entries: usize,
        /// Bytes at most.
        max_bytes: usize,
    },
    /// A duty is met or refused.
    Done(Duty, ReasonCode),
    /// Publishers are to be held back, or not any more.
    Pressure(bool),
    /// Something for the log and the counters.
    Notice(Notice),
}

/// Something for the log and the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The log goes to the disk: so many messages and bytes first.
    Spilled {
        /// Messages.
        messages: u64,
        /// Bytes.
        bytes: u64,
    },
    /// The producer has caught up: the log is in memory again.
    CaughtUp,
    /// Messages were dropped.
    Dropped(Drop, u64),
    /// The log on disk has reached its bound (`true`), or has room again.
    Full(bool),
    /// Entries that were in the store cannot be read any more.
    Lost(u64),
    /// Entries were written under another definition of the rule; the present one is applied.
    OtherGeneration,
    /// A load came back with an error; it is tried again.
    LoadFailed,
}

/// Why messages were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drop {
    /// The disk's bound, and the newest goes.
    Newest,
    /// The disk's bound, and the oldest goes.
    Oldest,
    /// Too old.
    Aged,
}

/// What became of an entry that was given to the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Kafka has it.
    Delivered,
    /// It will never be a record: it is dropped, and its publisher told why.
    Refused(ReasonCode),
    /// It has to be given again; that happens after the next rewind.
    Again,
}

/// What was loaded of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Ascending.
    pub entries: Vec<StoredEntry>,
    /// No others are in the range that was asked for.
    pub end: bool,
    /// Entries of the range that cannot be read.
    pub lost: u64,
}

/// The log of one source connector.
#[derive(Debug)]
pub struct Spool {
    limits: Limits,
    /// Entries and bytes inside the producer at most.
    share: (usize, usize),
    quota: Option<Quota>,
    disk: Option<Disk>,
    /// Whether what is offered goes to the disk.
    spooling: bool,
    head: Window,
    /// Above the last position that the head covers.
    head_end: Position,
    /// What is on disk alone, between head and tail.
    gap: Amount,
    /// Offered and not durable yet, positions without gaps.
    tail: VecDeque<(Position, Entry)>,
    tail_bytes: usize,
    /// The next position.
    next: Position,
    /// Duties of entries in the gap.
    waiting: BTreeMap<Position, Duty>,
    /// Whether Kafka has taken an entry since the last tick.
    progress: bool,
    dropped: Vec<(Drop, u64)>,
    pressed: bool,
    full: bool,
    /// The time of the last call.
    now: Option<Now>,
    outputs: VecDeque<Output>,
}

/// Entries and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    entries: u64,
    bytes: u64,
}

impl Spool {
    /// A log; without a queue it is in memory alone, and the bounds of the disk do not count. What is in the queue comes first.
    pub fn new(mut limits: Limits, queue: Option<Queue>) -> Spool {
        if queue.is_none() {
            // Memory has its own bounds.
            limits.max_age = None;
        }
        let (base, gap) = queue.as_ref().map_or((0, Amount::default()), |queue| {
            (queue.base, Amount { entries: queue.entries, bytes: queue.bytes })
        });
        let found = gap.entries > 0;
        Spool {
            share: (usize::MAX, usize::MAX),
            quota: limits.byte_rate.map(Quota::new),
            disk: queue.map(Disk::new),
            spooling: found,
            head: Window::new(base),
            head_end: if found { 0 } else { base },
            gap,
            tail: VecDeque::new(),
            tail_bytes: 0,
            next: base,
            waiting: BTreeMap::new(),
            progress: false,
            dropped: Vec::new(),
            pressed: false,
            full: false,
            now: None,
            outputs: VecDeque::new(),
            limits,
        }
    }

    /// How many entries and bytes may be inside the producer: this log's share of it.
    pub fn share(&mut self, messages: usize, bytes: usize) {
        self.share = (messages.max(1), bytes.max(1));
    }

    /// Appends a message.
    ///
    /// # Errors
    /// Gives it back when the log is beyond its limits and the overrun; its duty is refused.
    pub fn offer(
        &mut self,
        now: Now,
        message: Arc<Message>,
        duty: Option<Duty>,
    ) -> Result<(), Arc<Message>> {
        let bytes = message.bytes() + ENTRY_BYTES;
        if self.is_beyond(bytes) {
            self.done(duty, ReasonCode::QuotaExceeded);
            return Err(message);
        }
        if self.spooling && self.limits.full == SpoolFull::DropNewest && self.exceeds(bytes) {
            self.notice_full(true);
            self.dropped(Drop::Newest);
            self.done(duty, ReasonCode::Success);
            return Ok(());
        }
        let entry = Entry { message, bytes, duty, since: now.instant };
        let position = self.next;
        self.next += 1;
        if self.spooling {
            self.tail_bytes += bytes;
            self.tail.push_back((position, entry));
        } else {
            self.head.push(position, entry);
            self.head_end = self.next;
        }
        Ok(())
    }

    /// Does what has become possible or due.
    pub fn tick(&mut self, now: Now) {
        self.now = Some(now);
        self.spill(now);
        self.submit(now);
        self.shift();
        self.drop_what_must_go(now);
        self.shift();
        self.refill(now);
        self.settle(now);
        self.trim(now);
        self.press();
        for (why, count) in std::mem::take(&mut self.dropped) {
            self.notice(Notice::Dropped(why, count));
        }
        self.seal();
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Spool::tick`] is to be called next, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let now = self.now?;
        let quota = self.quota.as_ref().filter(|_| self.head.has_next());
        let quota = quota.and_then(|quota| quota.blocked_until(now.instant));
        [self.spill_due(), self.disk_due(now), self.age_due(now), quota].into_iter().flatten().min()
    }

    /// Messages that are not finished.
    pub fn open(&self) -> u64 {
        let loading = self.disk.as_ref().map_or(0, Disk::loading_entries);
        (self.head.open() + self.tail.len()) as u64 + self.gap.entries + loading
    }

    /// About their bytes.
    pub fn bytes(&self) -> u64 {
        let loading = self.disk.as_ref().map_or(0, Disk::loading_bytes);
        (self.head.bytes() + self.tail_bytes) as u64 + self.gap.bytes + loading
    }

    /// Messages and bytes that are in memory, duties of those on disk included.
    pub fn resident(&self) -> (usize, usize) {
        let waiting = self.waiting.len();
        (
            self.head.open() + self.tail.len() + waiting,
            self.head.bytes() + self.tail_bytes + waiting * ENTRY_BYTES,
        )
    }

    /// Whether the log is on disk.
    pub fn is_spooling(&self) -> bool {
        self.spooling
    }

    /// Whether every unfinished entry is durable.
    pub fn is_safe(&self) -> bool {
        self.open() == 0
            || self.disk.as_ref().is_some_and(|disk| self.spooling && disk.has(self.next))
    }

    /// Whether the store has confirmed all that it was given.
    pub fn is_written(&self) -> bool {
        self.disk.as_ref().is_none_or(Disk::is_idle)
    }

    /// Nothing more will be given to Kafka from here: what waits for an entry is refused.
    pub fn abandon(&mut self) {
        let head = self.head.iter_from(0).filter_map(|(_, entry)| entry.duty.take());
        let tail = self.tail.iter_mut().filter_map(|(_, entry)| entry.duty.take());
        let on_disk = std::mem::take(&mut self.waiting).into_values();
        let duties: Vec<Duty> = head.chain(on_disk).chain(tail).collect();
        for duty in duties {
            self.done(Some(duty), ReasonCode::ImplementationSpecificError);
        }
    }

    /// The queue with what is on disk of this log: what the next log of the rule begins with.
    pub fn left(&mut self) -> Option<Queue> {
        let below = self.disk.as_ref()?.written_below();
        let mut left = self.gap;
        let head = self.head.iter_from(0).map(|(position, entry)| (position, &*entry));
        let tail = self.tail.iter().map(|(position, entry)| (*position, entry));
        for (_, entry) in head.chain(tail).filter(|(position, _)| *position < below) {
            left.add(Amount { entries: 1, bytes: entry.bytes as u64 });
        }
        let disk = self.disk.as_ref()?;
        left.add(Amount { entries: disk.loading_entries(), bytes: disk.loading_bytes() });
        Some(disk.queue(self.next, left))
    }

    /// From now on time alone sends the log to the disk, whatever its acknowledgements promise:
    /// the end is near.
    pub fn hurry(&mut self, after: Duration) {
        let sooner = self.limits.after.map_or(after, |set| set.min(after));
        self.limits.after = Some(sooner);
    }

    fn done(&mut self, duty: Option<Duty>, reason: ReasonCode) {
        if let Some(duty) = duty {
            self.outputs.push_back(Output::Done(duty, reason));
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    /// Dropped messages are told of once a tick.
    fn dropped(&mut self, why: Drop) {
        match self.dropped.last_mut() {
            Some((last, count)) if *last == why => *count += 1,
            _ => self.dropped.push((why, 1)),
        }
    }

    /// The lowest position of the tail.
    fn tail_start(&self) -> Position {
        self.tail.front().map_or(self.next, |(position, _)| *position)
    }
}

#[cfg(test)]
mod tests;
