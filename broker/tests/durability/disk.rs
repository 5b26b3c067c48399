//! The journal as the broker's threads drive it: transactions come in their order from each shard,
//! in any order between shards; they are committed in groups, and what is durable is told later.

use std::collections::VecDeque;

use midge::storage::{stored_entry, transaction};
use midge_core::stored::Entry;
use midge_core::{Now, Operation, Position, QueueId, StoredEntry};
use midge_store::{CommitError, Journal, Report, Settings};

use crate::label::Label;
use crate::mutation::{Mutation, Spoiler};
use crate::power::Power;
use crate::random::Random;
use crate::trace::{About, Trace};
use crate::violation::{Rule, Violation};

/// What a shard, or the bridge, wants to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) queue: QueueId,
    pub(crate) from: Position,
    pub(crate) below: Position,
    pub(crate) max_entries: usize,
    pub(crate) max_bytes: usize,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) queue: QueueId,
    pub(crate) from: Position,
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) end: bool,
    pub(crate) lost: u64,
}

/// One who submits transactions.
#[derive(Debug, Default)]
struct Submitter {
    waiting: VecDeque<Vec<Operation>>,
    submitted: u64,
    appended: u64,
    /// Told to be durable, on the way to the submitter.
    reports: VecDeque<u64>,
    durable: u64,
}

pub(crate) struct Disk {
    pub(crate) power: Power,
    journal: Option<Journal<Power>>,
    settings: Settings,
    submitters: Vec<Submitter>,
    loads: VecDeque<(usize, Load)>,
    loaded: VecDeque<(usize, Loaded)>,
    /// A write or sync went wrong: nothing is durable any more.
    pub(crate) failed: bool,
    /// Reads may fail: bits of the disk were turned over.
    pub(crate) damaged: bool,
    pub(crate) spoiler: Spoiler,
    trace: Trace,
}

impl Disk {
    pub(crate) fn new(
        seed: u64,
        settings: Settings,
        mutation: Option<Mutation>,
        trace: Trace,
    ) -> Disk {
        Disk {
            power: Power::new(seed, mutation == Some(Mutation::SyncNothing)),
            journal: None,
            settings,
            submitters: Vec::new(),
            loads: VecDeque::new(),
            loaded: VecDeque::new(),
            failed: false,
            damaged: false,
            spoiler: Spoiler::new(mutation, seed),
            trace,
        }
    }

    /// Opens the journal; `None`: the power failed meanwhile.
    pub(crate) fn open(&mut self, submitters: usize) -> Option<Report> {
        match Journal::open(self.power.clone(), &self.settings) {
            _ if self.power.is_cut() => None,
            Ok((journal, report)) => {
                self.journal = Some(journal);
                self.submitters = (0..submitters).map(|_| Submitter::default()).collect();
                self.failed = false;
                Some(report)
            }
            Err(error) => {
                Violation::of(Rule::Damage, format!("the journal does not open: {error}")).raise()
            }
        }
    }

    /// The process is gone. `seed`: and the power, too.
    pub(crate) fn crash(&mut self, seed: Option<u64>) {
        self.journal = None;
        self.loads.clear();
        self.loaded.clear();
        self.submitters.clear();
        match seed {
            Some(seed) => self.power.files.crash(seed),
            None => self.power.files.kill(),
        }
        self.power.restore();
    }

    pub(crate) fn journal(&self) -> &Journal<Power> {
        self.journal.as_ref().expect("an open journal")
    }

    fn journal_mut(&mut self) -> &mut Journal<Power> {
        self.journal.as_mut().expect("an open journal")
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.settings.segment_bytes.into()
    }

    /// Writes what belongs to no submitter.
    pub(crate) fn write(&mut self, operations: Vec<Operation>) {
        if !operations.is_empty() {
            self.journal_mut().append(&transaction(operations));
            self.commit();
        }
    }

    pub(crate) fn submit(&mut self, submitter: usize, mut operations: Vec<Operation>) {
        self.spoiler.spoil(&mut operations);
        let submitter = &mut self.submitters[submitter];
        submitter.submitted += 1;
        submitter.waiting.push_back(operations);
        let number = submitter.submitted;
        if self.spoiler.is(Mutation::DurableWhenSubmitted) {
            submitter.reports.push_back(number);
        }
    }

    pub(crate) fn want(&mut self, submitter: usize, load: Load) {
        self.loads.push_back((submitter, load));
    }

    /// The journal's thread takes some transactions of one of the submitters.
    pub(crate) fn append(&mut self, random: &mut Random) -> bool {
        let waiting: Vec<usize> = (0..self.submitters.len())
            .filter(|place| !self.submitters[*place].waiting.is_empty())
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let place = waiting[random.below(waiting.len())];
        for _ in 0..1 + random.below(4) {
            let Some(operations) = self.submitters[place].waiting.pop_front() else { break };
            self.submitters[place].appended += 1;
            let number = self.submitters[place].appended;
            self.trace.note(About::Store, || {
                let all: Vec<String> = operations.iter().map(shown).collect();
                format!("appends {place}/{number}: {}", all.join(", "))
            });
            self.journal_mut().append(&transaction(operations));
        }
        true
    }

    /// Everything taken so far becomes durable, or not.
    pub(crate) fn commit(&mut self) -> bool {
        match self.journal_mut().commit() {
            Ok(()) => {
                let ahead = u64::from(self.spoiler.is(Mutation::DurableOneAhead));
                for submitter in &mut self.submitters {
                    if submitter.appended > submitter.durable {
                        submitter.durable = submitter.appended;
                        submitter.reports.push_back(submitter.appended + ahead);
                    }
                }
                self.trace.note(About::Store, || "commits".to_owned());
            }
            Err(CommitError::Full(why)) => {
                self.trace.note(About::All, || format!("cannot commit yet: {why}"));
            }
            Err(CommitError::Failed(why)) => {
                self.trace.note(About::All, || format!("cannot commit any more: {why}"));
                self.failed = true;
            }
        }
        !self.failed
    }

    /// Some housekeeping; whether there is more to do.
    pub(crate) fn maintain(&mut self) -> bool {
        self.journal_mut().maintain()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.journal().is_full()
    }

    /// A submitter hears what is durable.
    pub(crate) fn report(&mut self, random: &mut Random) -> Option<(usize, u64)> {
        let told: Vec<usize> = (0..self.submitters.len())
            .filter(|place| !self.submitters[*place].reports.is_empty())
            .collect();
        let place = *told.get(random.below(told.len().max(1)))?;
        let reports = &mut self.submitters[place].reports;
        let mut number = reports.pop_front()?;
        while random.chance(30)
            && let Some(later) = reports.pop_front()
        {
            number = later;
        }
        Some((place, number))
    }

    /// The reading thread reads for one who wants it.
    pub(crate) fn read(&mut self) -> bool {
        let Some((submitter, load)) = self.loads.pop_front() else { return false };
        let Load { queue, from, below, max_entries, max_bytes } = load;
        let id = midge_store::QueueId(queue.0);
        let found = self.journal().load(id, from, below, max_entries, max_bytes);
        let loaded = match found {
            Ok(found) => {
                if found.lost > 0 && !self.damaged {
                    let text = format!("{} entries of queue {} are lost", found.lost, queue.0);
                    Violation::of(Rule::Damage, text).raise();
                }
                let mut entries: Vec<_> = found.entries.into_iter().map(stored_entry).collect();
                self.spoiler.spoil_loaded(&mut entries);
                Loaded { queue, from, entries, end: found.end, lost: found.lost }
            }
            Err(error) if self.damaged => {
                self.trace.note(About::All, || format!("cannot read queue {}: {error}", queue.0));
                Loaded { queue, from, entries: Vec::new(), end: true, lost: 1 }
            }
            Err(error) => {
                Violation::of(Rule::Damage, format!("queue {}: {error}", queue.0)).raise()
            }
        };
        self.trace.note(About::Store, || {
            let Loaded { entries, end, lost, .. } = &loaded;
            let count = entries.len();
            format!("{submitter} reads queue {} from {from} below {below}, {max_entries} entries or {max_bytes} bytes: {count}, end {end}, lost {lost}", queue.0)
        });
        self.loaded.push_back((submitter, loaded));
        true
    }

    pub(crate) fn loaded(&mut self) -> Option<(usize, Loaded)> {
        self.loaded.pop_front()
    }

    /// Nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |submitter: &Submitter| {
            submitter.waiting.is_empty()
                && submitter.reports.is_empty()
                && submitter.durable >= submitter.submitted
        };
        self.submitters.iter().all(idle) && self.loads.is_empty() && self.loaded.is_empty()
    }
}

/// An operation as a person wants to read it.
fn shown(operation: &Operation) -> String {
    let key = |key: &[u8]| key.escape_ascii().to_string();
    match operation {
        Operation::Append { entry, to } => {
            let now = Now { instant: std::time::Instant::now(), unix_millis: 0 };
            let label = Entry::read(entry.clone(), now).ok();
            let label = label.and_then(|Entry(message)| Label::read(&message.payload));
            let label = label.map_or_else(|| "nothing".to_owned(), |label| label.to_string());
            let to: Vec<String> =
                to.iter().map(|to| format!("{}:{}", to.queue.0, to.position)).collect();
            format!("append <{label}> to {}", to.join(" "))
        }
        Operation::Put { key: bytes, .. } => format!("put {}", key(bytes)),
        Operation::Delete { key: bytes, .. } => format!("delete {}", key(bytes)),
        Operation::Acknowledge { queue, position } => format!("done {}:{position}", queue.0),
        Operation::Trim { queue, below } => format!("trim {} below {below}", queue.0),
        Operation::DropFirst { queue, from, count } => {
            format!("drop {count} of {} from {from} on", queue.0)
        }
        Operation::Remove { queue } => format!("remove {}", queue.0),
    }
}
