//! What the journal's thread and the others tell each other.
//!
//! Nobody holds the lock for longer than it takes to move a vector.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{State, Stats, Transaction};

pub(super) type Durable = Box<dyn Fn(u64) + Send>;
pub(super) type Watcher = Box<dyn Fn(&State) + Send>;

pub(super) struct Inbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
    full: AtomicBool,
    outcome: Mutex<(State, Stats)>,
    watchers: Mutex<Vec<Watcher>>,
}

/// What has come since the journal's thread looked.
#[derive(Default)]
pub(super) struct Letters {
    /// In order, with their sources.
    pub(super) submissions: Vec<(usize, Vec<Transaction>)>,
    pub(super) new_sources: Vec<(usize, Durable)>,
    pub(super) gone_sources: Vec<usize>,
    pub(super) new_watchers: Vec<Watcher>,
    /// Somebody wants a look at something else.
    pub(super) nudged: bool,
    pub(super) closed: bool,
    sources: usize,
}

impl Letters {
    fn is_empty(&self) -> bool {
        self.submissions.is_empty()
            && self.new_sources.is_empty()
            && self.gone_sources.is_empty()
            && self.new_watchers.is_empty()
            && !self.nudged
            && !self.closed
    }
}

impl Inbox {
    pub(super) fn new(state: State) -> Self {
        Self {
            letters: Mutex::default(),
            arrived: Condvar::new(),
            full: AtomicBool::new(matches!(state, State::Full { .. })),
            outcome: Mutex::new((state, Stats::default())),
            watchers: Mutex::default(),
        }
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self) -> MutexGuard<'_, (State, Stats)> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the letters and wakes the journal's thread if it may be asleep over empty ones.
    fn post<T>(&self, write: impl FnOnce(&mut Letters) -> T) -> T {
        let mut letters = self.letters();
        let asleep = letters.is_empty();
        let written = write(&mut letters);
        drop(letters);
        if asleep {
            self.arrived.notify_one();
        }
        written
    }

    pub(super) fn submit(&self, source: usize, transactions: Vec<Transaction>) {
        self.post(|letters| {
            if !letters.closed {
                letters.submissions.push((source, transactions));
            }
        });
    }

    pub(super) fn add_source(&self, durable: Durable) -> usize {
        self.post(|letters| {
            letters.sources += 1;
            letters.new_sources.push((letters.sources, durable));
            letters.sources
        })
    }

    pub(super) fn remove_source(&self, source: usize) {
        self.post(|letters| letters.gone_sources.push(source));
    }

    pub(super) fn add_watcher(&self, watcher: Watcher) {
        self.post(|letters| letters.new_watchers.push(watcher));
    }

    pub(super) fn nudge(&self) {
        self.post(|letters| letters.nudged = true);
    }

    pub(super) fn close(&self) {
        self.post(|letters| letters.closed = true);
    }

    pub(super) fn has_submissions(&self) -> bool {
        !self.letters().submissions.is_empty()
    }

    /// Whether the journal's thread would not have to wait.
    pub(super) fn has_letters(&self) -> bool {
        !self.letters().is_empty()
    }

    /// Takes what has come, having waited for it at most so long; without a limit until it comes.
    pub(super) fn take(&self, patience: Option<Duration>) -> Letters {
        let mut letters = self.letters();
        match patience {
            None => {
                while letters.is_empty() {
                    letters = self.arrived.wait(letters).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(patience) if letters.is_empty() && !patience.is_zero() => {
                let waited = self.arrived.wait_timeout(letters, patience);
                letters = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Some(_) => {}
        }
        let (closed, sources) = (letters.closed, letters.sources);
        std::mem::replace(&mut letters, Letters { closed, sources, ..Letters::default() })
    }

    /// Publishes how the journal is, and tells the watchers when that has changed.
    pub(super) fn publish(&self, state: &State, stats: Stats) {
        self.full.store(matches!(state, State::Full { .. }), Ordering::Release);
        let mut outcome = self.outcome();
        outcome.1 = stats;
        if outcome.0 != *state {
            outcome.0 = state.clone();
            drop(outcome);
            self.watchers().iter().for_each(|watcher| watcher(state));
        }
    }

    /// A watcher hears of the present state first.
    pub(super) fn watch(&self, watcher: Watcher) {
        watcher(&self.state());
        self.watchers().push(watcher);
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    pub(super) fn state(&self) -> State {
        self.outcome().0.clone()
    }

    pub(super) fn counted(&self) -> Stats {
        self.outcome().1
    }
}
