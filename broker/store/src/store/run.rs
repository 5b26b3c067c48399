//! The journal's thread.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::deferral::Deferral;
use super::inbox::{Durable, Inbox, Letters};
use crate::journal::Sync;
use crate::{Durability, FileSystem, Journal, State};

/// With `durability = os`, the disk is this far behind.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often a full journal looks for space.
const FULL_INTERVAL: Duration = Duration::from_millis(100);
/// Housekeeping that a waiting submission puts up with.
const HOUSEKEEPING: Duration = Duration::from_millis(3);

/// Who submits, and up to which number it has been told.
struct Source {
    durable: Durable,
    taken: u64,
    told: u64,
}

struct Runner<'a, F: FileSystem> {
    journal: Journal<F>,
    inbox: &'a Arc<Inbox>,
    sources: BTreeMap<usize, Source>,
    /// Submissions that wait for space: whose, and their numbers.
    waiting: VecDeque<(usize, u64)>,
    deferral: Deferral,
    background: Option<Background<F>>,
}

/// Syncs on a thread of its own, so that commits need not wait for it.
struct Background<F: FileSystem> {
    work: Sender<Sync<F>>,
    done: Receiver<(Sync<F>, io::Result<()>)>,
    thread: JoinHandle<()>,
    /// Since when there is something to be synced, unless that is under way.
    since: Option<Instant>,
    busy: bool,
}

/// Says so when the thread ends by a panic: otherwise all would wait for it for ever.
struct Alarm<'a>(&'a Inbox);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let state = State::Failed { why: "the journal's thread panicked".to_owned() };
            self.0.publish(&state, self.0.counted());
            self.0.close();
        }
    }
}

pub(super) fn run<F: FileSystem>(journal: Journal<F>, inbox: &Arc<Inbox>) {
    let _alarm = Alarm(inbox);
    let background = match journal.durability() {
        Durability::Os => Background::start(Arc::clone(inbox)),
        Durability::Fsync | Durability::None => None,
    };
    let (sources, deferral) = (BTreeMap::new(), Deferral::default());
    let waiting = VecDeque::new();
    let mut runner = Runner { journal, inbox, sources, waiting, deferral, background };
    let mut more = true;
    loop {
        let letters = inbox.take(runner.patience(more));
        let closed = letters.closed;
        runner.accept(letters);
        if closed || runner.is_due() {
            runner.commit();
        }
        runner.sync_behind();
        if closed && !inbox.has_submissions() {
            break;
        }
        more = runner.keep_house();
    }
    runner.close();
}

impl<F: FileSystem> Runner<'_, F> {
    /// How long there is nothing to do but wait for letters.
    fn patience(&self, more: bool) -> Option<Duration> {
        if more {
            return Some(Duration::ZERO);
        }
        if self.journal.is_full() {
            return Some(FULL_INTERVAL);
        }
        let since = self.background.as_ref().and_then(|background| background.since);
        let sync = since.map(|since| SYNC_INTERVAL.saturating_sub(since.elapsed()));
        sync.into_iter().chain(self.deferral.remaining(Instant::now())).min()
    }

    /// Nothing that was taken is better committed a little later. A full journal has no time.
    fn is_due(&self) -> bool {
        self.journal.is_full()
            || self.deferral.remaining(Instant::now()).is_none_or(|left| left.is_zero())
    }

    fn accept(&mut self, letters: Letters) {
        for (id, durable) in letters.new_sources {
            self.sources.insert(id, Source { durable, taken: 0, told: 0 });
        }
        for watcher in letters.new_watchers {
            self.inbox.watch(watcher);
        }
        let now = Instant::now();
        for (id, transactions) in letters.submissions {
            let mut taken = self.sources.get(&id).map_or(0, |source| source.taken);
            for transaction in &transactions {
                taken += 1;
                if self.journal.append(transaction) {
                    self.waiting.push_back((id, taken));
                }
                self.deferral.take(transaction, now);
            }
            if let Some(source) = self.sources.get_mut(&id) {
                source.taken = taken;
            }
        }
        // After their last submissions, which came before.
        for id in letters.gone_sources {
            self.sources.remove(&id);
        }
    }

    fn commit(&mut self) {
        let committed = self.journal.commit_taken();
        self.deferral.reset();
        self.publish();
        let Ok(waiting) = committed else { return };
        while self.waiting.len() > waiting {
            self.waiting.pop_front();
        }
        // What waits for space holds back what its own submitter sent after it, and nobody else: else
        // those who are to make space would wait for it themselves.
        for (id, source) in &mut self.sources {
            let first = self.waiting.iter().find(|(of, _)| of == id);
            let durable = first.map_or(source.taken, |(_, number)| number - 1);
            if source.told < durable {
                source.told = durable;
                (source.durable)(durable);
            }
        }
    }

    /// With `durability = os`: the disk follows.
    fn sync_behind(&mut self) {
        if let Some(background) = &mut self.background {
            background.turn(&mut self.journal);
        }
    }

    fn publish(&self) {
        self.inbox.publish(&self.journal.state(), self.journal.counted());
    }

    /// True when there is more to do at once.
    fn keep_house(&mut self) -> bool {
        let started = Instant::now();
        let mut more = self.journal.maintain();
        while more && !(self.inbox.has_letters() && started.elapsed() > HOUSEKEEPING) {
            more = self.journal.maintain();
        }
        self.publish();
        more
    }

    fn close(mut self) {
        if let Some(background) = self.background.take() {
            background.end(&mut self.journal);
        }
        if let Err(error) = self.journal.close() {
            tracing::error!(%error, "the journal was not closed in good order");
        }
    }
}

impl<F: FileSystem> Background<F> {
    /// `None` without a thread to be had: the journal is synced when it is closed.
    fn start(inbox: Arc<Inbox>) -> Option<Self> {
        let (work, tasks) = channel::<Sync<F>>();
        let (results, done) = channel();
        let thread = thread::Builder::new().name("midge-sync".to_owned()).spawn(move || {
            for task in tasks {
                let outcome = task.run();
                if results.send((task, outcome)).is_err() {
                    break;
                }
                inbox.nudge();
            }
        });
        match thread {
            Ok(thread) => Some(Self { work, done, thread, since: None, busy: false }),
            Err(error) => {
                tracing::error!(%error, "no thread for syncs");
                None
            }
        }
    }

    /// Takes back what is done and hands out what is due.
    fn turn(&mut self, journal: &mut Journal<F>) {
        if let Ok((sync, outcome)) = self.done.try_recv() {
            journal.end_sync(&sync, outcome);
            self.busy = false;
        }
        if self.busy || !journal.is_ahead() {
            return;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= SYNC_INTERVAL {
            self.busy = self.work.send(journal.begin_sync()).is_ok();
            self.since = None;
        }
    }

    /// Waits for what is under way: a later sync does not cover it.
    fn end(self, journal: &mut Journal<F>) {
        drop(self.work);
        for (sync, outcome) in self.done {
            journal.end_sync(&sync, outcome);
        }
        // It has sent all it had.
        let _ = self.thread.join();
    }
}
