//! The store's side of a log: appending, loading, and saying what is done with.
//!
//! Entries are appended in the order of their positions, so what is durable is all below one
//! position, and so is what has been submitted.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_core::{Message, Now, Operation, Position, Reference, stored};

use super::{AHEAD, Amount, ENTRY_BYTES, Entry, Loaded, Notice, Output, Queue, Spool, SpoolFull};

/// Entries and bytes that one tick appends at most: it runs under a lock that publishers need.
const STEP: (usize, usize) = (1_024, 1 << 20);
/// How late the store may be told that entries are done with: after a crash so much comes twice.
const LAZY: (usize, Duration) = (1_024, Duration::from_millis(100));
/// How long after an error a load is tried again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Disk {
    queue: Queue,
    /// Whether the store takes entries.
    usable: bool,
    /// Whether the queue's state has been put.
    known: bool,
    /// The transaction that is being made.
    operations: Vec<Operation>,
    /// Whether entries are in it.
    appends: bool,
    /// Transactions so far.
    submitted: u64,
    /// Every unfinished entry below has been appended.
    submitted_below: Position,
    /// Transactions that are not durable, and what is once they are.
    commits: VecDeque<(u64, Position)>,
    /// Every unfinished entry below is durable.
    durable_below: Position,
    trimmed_below: Position,
    /// Done with, but above an entry that is not.
    above: BTreeSet<Position>,
    /// Entries done with since the store was last told, and when it has to be.
    untold: usize,
    tell_at: Option<Instant>,
    loading: Option<Loading>,
    load_again: Option<Instant>,
    /// Whether entries of another generation have been told of.
    told_generation: bool,
}

/// A load that is under way.
#[derive(Debug)]
struct Loading {
    below: Position,
    /// What was in the range when it was asked for.
    amount: Amount,
}

impl Disk {
    pub(super) fn new(queue: Queue) -> Disk {
        let base = queue.base;
        Disk {
            queue,
            usable: true,
            known: false,
            operations: Vec::new(),
            appends: false,
            submitted: 0,
            submitted_below: base,
            commits: VecDeque::new(),
            durable_below: base,
            trimmed_below: 0,
            above: BTreeSet::new(),
            untold: 0,
            tell_at: None,
            loading: None,
            load_again: None,
            told_generation: false,
        }
    }

    /// Whether every unfinished entry below a position is durable.
    pub(super) fn has(&self, below: Position) -> bool {
        self.durable_below >= below
    }

    /// Whether no transaction with entries waits to be confirmed.
    pub(super) fn is_idle(&self) -> bool {
        self.commits.is_empty()
    }

    /// Entries below are on disk, unless they were finished before.
    pub(super) fn written_below(&self) -> Position {
        self.durable_below
    }

    /// The queue for the log that follows: no position below `next` is used again.
    pub(super) fn queue(&self, next: Position, left: Amount) -> Queue {
        Queue { base: next, entries: left.entries, bytes: left.bytes, ..self.queue.clone() }
    }

    pub(super) fn loading_entries(&self) -> u64 {
        self.loading.as_ref().map_or(0, |loading| loading.amount.entries)
    }

    pub(super) fn loading_bytes(&self) -> u64 {
        self.loading.as_ref().map_or(0, |loading| loading.amount.bytes)
    }

    /// An entry is done with; the store has to hear of it if it knows it. `lowest` is the lowest
    /// that is not.
    pub(super) fn finished(&mut self, position: Position, lowest: Position) {
        if position >= self.submitted_below {
            return;
        }
        self.untold += 1;
        if position > lowest {
            self.above.insert(position);
        }
    }

    fn append(&mut self, now: Now, position: Position, entry: &Entry) {
        if !std::mem::replace(&mut self.known, true) {
            let (key, value) = self.queue.state.clone();
            self.operations.push(Operation::Put { key, version: None, value });
        }
        let tag = self.queue.generation.clone();
        self.operations.push(Operation::Append {
            entry: stored::entry(&entry.message, now),
            to: vec![Reference { queue: self.queue.id, position, tag }],
        });
        self.appends = true;
        self.submitted_below = position + 1;
    }
}

impl Spool {
    /// The transactions up to this number are durable.
    pub fn durable(&mut self, number: u64) {
        let Some(disk) = &mut self.disk else { return };
        let before = disk.durable_below;
        while let Some((_, below)) = disk.commits.front().filter(|(last, _)| *last <= number) {
            disk.durable_below = disk.durable_below.max(*below);
            disk.commits.pop_front();
        }
        let below = disk.durable_below;
        if !self.limits.durable_is_enough || below == before {
            return;
        }
        let head = self.head.iter_from(before);
        let tail = self.tail.iter_mut().map(|(position, entry)| (*position, entry));
        let durable = head.take_while(|(position, _)| *position < below);
        let durable = durable.chain(tail.take_while(|(position, _)| *position < below));
        for duty in durable.filter_map(|(_, entry)| entry.duty.take()) {
            self.outputs.push_back(Output::Done(duty, ReasonCode::Success));
        }
    }

    /// The store takes entries, or does not: then what is offered waits in memory.
    pub fn store_usable(&mut self, usable: bool) {
        if let Some(disk) = &mut self.disk {
            disk.usable = usable;
        }
    }

    /// What was loaded; `None`: it cannot be now, and is tried again.
    pub fn loaded(&mut self, now: Now, loaded: Option<Loaded>) {
        let Some(disk) = &mut self.disk else { return };
        let Some(mut loading) = disk.loading.take() else { return };
        let stuck = loaded.as_ref().is_none_or(|it| it.entries.is_empty() && !it.end);
        let Some(loaded) = loaded.filter(|_| !stuck) else {
            self.gap.add(loading.amount);
            disk.load_again = Some(now.instant + AGAIN);
            return self.notice(Notice::LoadFailed);
        };
        let mut lost = loaded.lost;
        let mut other = false;
        let mut duties = Vec::new();
        for stored in loaded.entries {
            let position = stored.position;
            if position < self.head_end || position >= loading.below {
                continue;
            }
            other |= stored.tag != disk.queue.generation;
            loading.amount.take_one();
            self.head_end = position + 1;
            // Those passed over could not be read.
            let kept = self.waiting.split_off(&position);
            duties.extend(std::mem::replace(&mut self.waiting, kept).into_values());
            let duty = self.waiting.remove(&position);
            match stored::Entry::read(stored.entry, now) {
                Ok(stored::Entry(message)) => {
                    let bytes = message.bytes() + ENTRY_BYTES;
                    let message = Arc::new(message);
                    self.head.push(position, Entry { message, bytes, duty, since: now.instant });
                }
                Err(_) => {
                    lost += 1;
                    disk.untold += 1;
                    duties.extend(duty);
                }
            }
        }
        if loaded.end {
            self.head_end = loading.below;
            let kept = self.waiting.split_off(&loading.below);
            duties.extend(std::mem::replace(&mut self.waiting, kept).into_values());
        } else {
            self.gap.add(loading.amount);
        }
        let generation = other && !std::mem::replace(&mut disk.told_generation, true);
        for duty in duties {
            self.done(Some(duty), ReasonCode::ImplementationSpecificError);
        }
        if lost > 0 {
            self.notice(Notice::Lost(lost));
        }
        if generation {
            self.notice(Notice::OtherGeneration);
        }
    }

    /// When the log goes to the disk for the sake of time.
    pub(super) fn spill_due(&self) -> Option<Instant> {
        let usable = self.disk.as_ref().is_some_and(|disk| disk.usable);
        let (_, front) = self.head.front().filter(|_| usable && !self.spooling)?;
        Some(front.since + self.limits.after?)
    }

    /// When the store has to be told or asked something.
    pub(super) fn disk_due(&self, now: Now) -> Option<Instant> {
        let disk = self.disk.as_ref()?;
        let unwritten = self.spooling && disk.usable && disk.submitted_below < self.next;
        let again = disk.load_again.filter(|_| self.head_end < self.tail_start());
        [unwritten.then_some(now.instant), disk.tell_at, again].into_iter().flatten().min()
    }

    /// Begins to spool when it is time.
    pub(super) fn spill(&mut self, now: Now) {
        let usable = self.disk.as_ref().is_some_and(|disk| disk.usable);
        if self.spooling || !usable {
            return;
        }
        let waits = self.spill_due().is_some_and(|due| due <= now.instant);
        let much = self.head.open() > self.limits.messages / 2
            || self.head.bytes() > self.limits.bytes / 2;
        if waits || (much && self.head.open() > 0) {
            self.spooling = true;
            let (messages, bytes) = (self.open(), self.bytes());
            self.notice(Notice::Spilled { messages, bytes });
        }
    }

    /// Appends some of what has not been.
    pub(super) fn submit(&mut self, now: Now) {
        let Some(disk) = self.disk.as_mut().filter(|disk| disk.usable && self.spooling) else {
            return;
        };
        let (mut entries, mut bytes) = (0, 0);
        let tail_start = self.tail.front().map_or(self.next, |(position, _)| *position);
        let from = disk.submitted_below;
        let skip = from.saturating_sub(tail_start) as usize;
        let head = self.head.iter_from(from).map(|(position, entry)| (position, &*entry));
        let tail = self.tail.range(skip.min(self.tail.len())..);
        for (position, entry) in head.chain(tail.map(|(position, entry)| (*position, entry))) {
            if entries >= STEP.0 || bytes >= STEP.1 {
                return;
            }
            disk.append(now, position, entry);
            entries += 1;
            bytes += entry.bytes;
        }
        // What lies between the last entry and the next one is finished already.
        disk.submitted_below = self.next;
        if let Some((_, below)) = disk.commits.back_mut().filter(|_| !disk.appends) {
            *below = self.next;
        } else if !disk.appends {
            disk.durable_below = self.next;
        }
    }

    /// Moves what is in memory towards the cursor, or out of memory.
    pub(super) fn shift(&mut self) {
        let Some(disk) = self.disk.as_ref().filter(|_| self.spooling) else { return };
        let (durable_below, loading) = (disk.durable_below, disk.loading.is_some());
        let (few, small) = self.room_ahead();
        while let Some((position, _)) = self.tail.front() {
            let position = *position;
            let (ahead, ahead_bytes) = self.head.ahead();
            let adjacent = !loading && self.head_end == position;
            let room = ahead < few && (ahead == 0 || ahead_bytes < small);
            if !(adjacent && room) && position >= durable_below {
                break;
            }
            let Some((_, entry)) = self.tail.pop_front() else { break };
            self.tail_bytes -= entry.bytes;
            if adjacent && room {
                self.head.push(position, entry);
                self.head_end = position + 1;
            } else {
                self.keep_on_disk(position, &entry);
            }
        }
        if loading {
            // What is shed now would lie before what comes.
            return;
        }
        loop {
            let (ahead, ahead_bytes) = self.head.ahead();
            // The next one stays however large it is: it would be loaded again, for ever.
            if ahead <= 1 || (ahead <= 2 * few && ahead_bytes <= 2 * small) {
                break;
            }
            let Some((position, entry)) = self.head.shed(durable_below) else { break };
            self.head_end = position;
            self.keep_on_disk(position, &entry);
        }
    }

    fn keep_on_disk(&mut self, position: Position, entry: &Entry) {
        self.gap.add(Amount { entries: 1, bytes: entry.bytes as u64 });
        if let Some(duty) = entry.duty {
            self.waiting.insert(position, duty);
        }
    }

    /// Asks for what is on disk alone when the cursor comes near.
    pub(super) fn refill(&mut self, now: Now) {
        let (few, small) = self.room_ahead();
        let (ahead, ahead_bytes) = self.head.ahead();
        let below = self.tail_start();
        let (resident, resident_bytes) = self.resident();
        let much = resident >= self.limits.messages || resident_bytes >= self.limits.bytes;
        if much && self.head.open() > 0 {
            // What is not durable yet fills the memory.
            return;
        }
        let Some(disk) = self.disk.as_mut().filter(|_| self.spooling) else { return };
        if disk.load_again.is_some_and(|again| now.instant < again) {
            return;
        }
        disk.load_again = None;
        if disk.loading.is_some() || self.head_end == below || ahead > few / 2 {
            return;
        }
        if ahead > 0 && ahead_bytes > small / 2 {
            return;
        }
        // The store counts the bytes of entries alone.
        let overhead = size_of::<Message>() + ENTRY_BYTES;
        disk.loading = Some(Loading { below, amount: std::mem::take(&mut self.gap) });
        self.outputs.push_back(Output::Load {
            queue: disk.queue.id,
            from: self.head_end,
            below,
            max_entries: (few / 2).min(small / 2 / overhead).max(1),
            max_bytes: (small / 2).max(1),
        });
    }

    /// Goes back to memory when nothing is on disk alone and Kafka keeps up.
    pub(super) fn settle(&mut self, now: Now) {
        let progress = std::mem::take(&mut self.progress);
        let loading = self.disk.as_ref().is_some_and(|disk| disk.loading.is_some());
        if !self.spooling || loading || self.head_end < self.next {
            return;
        }
        let young = match (self.limits.after, self.head.front()) {
            (_, None) => true,
            (Some(after), Some((_, front))) => {
                progress && now.instant.saturating_duration_since(front.since) < after / 2
            }
            (None, Some(_)) => progress && self.head.open() <= self.limits.messages / 4,
        };
        if young {
            self.spooling = false;
            self.notice_full(false);
            self.notice(Notice::CaughtUp);
        }
    }

    /// Tells the store what is done with, a little late.
    pub(super) fn trim(&mut self, now: Now) {
        let lowest = self.head.front().map_or(self.head_end, |(front, _)| front);
        let Some(disk) = &mut self.disk else { return };
        if disk.untold == 0 {
            return;
        }
        let lowest = lowest.min(disk.submitted_below);
        let at = *disk.tell_at.get_or_insert(now.instant + LAZY.1);
        let all = self.head.open() == 0 && !self.spooling;
        if !all && disk.untold < LAZY.0 && now.instant < at {
            return;
        }
        disk.tell_at = None;
        disk.untold = 0;
        let queue = disk.queue.id;
        if lowest > disk.trimmed_below {
            disk.trimmed_below = lowest;
            disk.operations.push(Operation::Trim { queue, below: lowest });
        }
        let above = std::mem::take(&mut disk.above);
        disk.operations.extend(
            above
                .into_iter()
                .filter(|position| *position >= lowest)
                .map(|position| Operation::Acknowledge { queue, position }),
        );
    }

    /// Tells the store now what is done with: nothing more will be.
    pub fn flush(&mut self, now: Now) {
        if let Some(disk) = self.disk.as_mut().filter(|disk| disk.untold > 0) {
            disk.tell_at = Some(now.instant);
        }
        self.trim(now);
        self.seal();
    }

    /// Makes a transaction of the operations that have come together.
    pub(super) fn seal(&mut self) {
        let Some(disk) = self.disk.as_mut().filter(|disk| !disk.operations.is_empty()) else {
            return;
        };
        disk.submitted += 1;
        if std::mem::take(&mut disk.appends) {
            disk.commits.push_back((disk.submitted, disk.submitted_below));
        }
        self.outputs.push_back(Output::Commit(std::mem::take(&mut disk.operations)));
    }

    /// Entries and bytes that are loaded ahead of the cursor, while the log is on disk; twice as
    /// many may stay when it goes there.
    fn room_ahead(&self) -> (usize, usize) {
        (
            (AHEAD.0 / 2).min((self.limits.messages / 16).max(1)),
            (AHEAD.1 / 2).min((self.limits.bytes / 16).max(1)),
        )
    }

    /// Whether one more would be beyond what may be on disk.
    pub(super) fn exceeds(&self, bytes: usize) -> bool {
        self.bytes() + bytes as u64 > self.limits.max_bytes
    }

    pub(super) fn drops_oldest(&self) -> bool {
        self.limits.full == SpoolFull::DropOldest
    }
}

impl Amount {
    pub(super) fn add(&mut self, more: Amount) {
        self.entries += more.entries;
        self.bytes += more.bytes;
    }

    /// Without one, of average size.
    fn take_one(&mut self) {
        self.bytes -= self.bytes / self.entries.max(1);
        self.entries = self.entries.saturating_sub(1);
    }
}
