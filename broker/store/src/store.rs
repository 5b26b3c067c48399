//! The engine on threads of its own: one commits, one loads.
//!
//! Everything that was submitted while a commit ran goes into the next one: the slower the disk, the
//! more share a sync. Trims alone wait ten milliseconds for company. The loading thread never waits for
//! a sync. Callbacks run on these threads and have to be short.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::{
    FileSystem, Journal, LoadError, Loaded, Position, QueueId, Reader, State, Stats, Transaction,
};

mod deferral;
mod inbox;
mod run;

use inbox::Inbox;

/// A handle on the running journal. When the last one goes, it is as if it was shut down.
#[derive(Clone)]
pub struct Store(Arc<Running>);

struct Running {
    inbox: Arc<Inbox>,
    loads: Mutex<Option<Sender<Load>>>,
    /// Until it is shut down: it holds the directory's lock.
    sizes: Mutex<Option<Sizes>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

type Sizes = Box<dyn Fn() -> Stats + Send>;

struct Load {
    queue: QueueId,
    from: Position,
    below: Position,
    max_entries: usize,
    max_bytes: usize,
    reply: Box<dyn FnOnce(Result<Loaded, LoadError>) + Send>,
}

impl Store {
    /// Starts the threads.
    pub fn start<F: FileSystem>(journal: Journal<F>) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::new(journal.state()));
        let (loads, requests) = channel();
        let reader = journal.reader().clone();
        let loading = reader.clone();
        let mut threads = vec![
            thread::Builder::new()
                .name("midge-load".to_owned())
                .spawn(move || serve(&loading, &requests))?,
        ];
        let shared = Arc::clone(&inbox);
        threads.push(
            thread::Builder::new()
                .name("midge-journal".to_owned())
                .spawn(move || run::run(journal, &shared))?,
        );
        Ok(Self(Arc::new(Running {
            inbox,
            loads: Mutex::new(Some(loads)),
            sizes: Mutex::new(Some(Box::new(move || reader.stats()))),
            threads: Mutex::new(threads),
        })))
    }

    /// A new source of transactions. `durable` is called from the journal's thread at most once a
    /// commit: all transactions with a number up to this one are durable.
    pub fn submitter(&self, durable: Box<dyn Fn(u64) + Send>) -> Submitter {
        let source = self.0.inbox.add_source(durable);
        Submitter { inbox: Arc::clone(&self.0.inbox), source, submitted: Cell::new(0) }
    }

    /// Loads as [`Journal::load`] does, on the loading thread, which never waits for a sync.
    pub fn load(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
        reply: Box<dyn FnOnce(Result<Loaded, LoadError>) + Send>,
    ) {
        let load = Load { queue, from, below, max_entries, max_bytes, reply };
        let unsent = match &*lock(&self.0.loads) {
            Some(loads) => loads.send(load).err().map(|unsent| unsent.0),
            None => Some(load),
        };
        if let Some(load) = unsent {
            (load.reply)(Err(LoadError::Closed));
        }
    }

    /// Whether new entries and values should be refused.
    pub fn is_full(&self) -> bool {
        self.0.inbox.is_full()
    }

    /// How the journal is.
    pub fn state(&self) -> State {
        self.0.inbox.state()
    }

    /// Calls back from the journal's thread: soon with the present state, then with every change.
    pub fn on_state(&self, watcher: Box<dyn Fn(&State) + Send>) {
        self.0.inbox.add_watcher(watcher);
    }

    /// The journal in figures; what it counts is as of the last commit. After the shutdown the sizes
    /// are 0.
    pub fn stats(&self) -> Stats {
        let sizes = lock(&self.0.sizes).as_ref().map(|sizes| sizes()).unwrap_or_default();
        let counted = self.0.inbox.counted();
        Stats {
            live_bytes: sizes.live_bytes,
            queues: sizes.queues,
            entries: sizes.entries,
            keys: sizes.keys,
            ..counted
        }
    }

    /// Commits what is submitted, leaves the directory ready for a quick start, and ends the threads.
    /// What is submitted later is never durable, what is loaded later is answered with `Closed`.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }
}

impl Running {
    fn shutdown(&self) {
        self.inbox.close();
        drop(lock(&self.loads).take());
        drop(lock(&self.sizes).take());
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // The last handle may go in a callback: a thread does not wait for itself.
            if thread.thread().id() != thread::current().id() {
                // One that panicked has said so, and the state is `Failed`.
                let _ = thread.join();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn serve<F: FileSystem>(reader: &Reader<F>, requests: &Receiver<Load>) {
    for load in requests {
        let Load { queue, from, below, max_entries, max_bytes, reply } = load;
        reply(reader.load(queue, from, below, max_entries, max_bytes));
    }
}

/// One source of transactions, which take effect in the order of submission.
pub struct Submitter {
    inbox: Arc<Inbox>,
    source: usize,
    submitted: Cell<u64>,
}

impl Submitter {
    /// Hands over transactions; never blocks for the disk. Returns the number of the last one: they
    /// count up by one from 1.
    pub fn submit(&self, transactions: Vec<Transaction>) -> u64 {
        let submitted = self.submitted.get() + transactions.len() as u64;
        self.submitted.set(submitted);
        if !transactions.is_empty() {
            self.inbox.submit(self.source, transactions);
        }
        submitted
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        self.inbox.remove_source(self.source);
    }
}
