//! The engine on threads of its own.

use crate::{FileSystem, Journal, LoadError, Loaded, Position, QueueId, State, Stats, Transaction};

/// A handle on the running journal.
#[derive(Clone)]
pub struct Store {}

/// One source of transactions, which take effect in the order of submission.
pub struct Submitter {}

#[allow(clippy::unimplemented, clippy::needless_pass_by_value, unused_variables)]
impl Store {
    /// Starts the threads: one that commits, one that loads.
    pub fn start<F: FileSystem>(journal: Journal<F>) -> std::io::Result<Self> {
        unimplemented!()
    }

    /// A new source of transactions. `durable` is called from the journal's thread at most once a
    /// commit: all transactions with a number up to this one are durable.
    pub fn submitter(&self, durable: Box<dyn Fn(u64) + Send>) -> Submitter {
        unimplemented!()
    }

    /// Loads as [`Journal::load`] does, on the reading thread, which never waits for a sync.
    pub fn load(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
        reply: Box<dyn FnOnce(Result<Loaded, LoadError>) + Send>,
    ) {
        unimplemented!()
    }

    /// Whether new entries and values should be refused.
    pub fn is_full(&self) -> bool {
        unimplemented!()
    }

    /// How the journal is.
    pub fn state(&self) -> State {
        unimplemented!()
    }

    /// Calls back with the present state, now, and with every change, from the journal's thread.
    pub fn on_state(&self, watcher: Box<dyn Fn(&State) + Send>) {
        unimplemented!()
    }

    /// The journal in figures, as of the last commit.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }

    /// Commits what is submitted, leaves the directory ready for a quick start, and ends the threads.
    pub fn shutdown(&self) {
        unimplemented!()
    }
}

#[allow(clippy::unimplemented, clippy::needless_pass_by_value, unused_variables)]
impl Submitter {
    /// Hands over transactions; never blocks for the disk. Returns the number of the last one: they
    /// count up by one from 1.
    pub fn submit(&self, transactions: Vec<Transaction>) -> u64 {
        unimplemented!()
    }
}
