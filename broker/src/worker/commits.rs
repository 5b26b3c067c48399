//! What a worker has to do with the store: hands over what its shard commits, and asks for what it
//! wants back.
//!
//! Commits leave once a turn, in the shard's order, so that the store's numbers are the shard's. An
//! entry that cannot be read is asked for again and again: it may be there, so it is not given up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use midge_core::{In, Now, Operation, Position, QueueId, ShardId};
use midge_store::{LoadError, Loaded, Submitter, Transaction};
use tracing::error;

use crate::hub::Hub;
use crate::storage::{stored_entry, transaction};
use crate::worker::inbox::Letter;
use crate::worker::{Worker, spawn};

/// Until what could not be read is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// A part of a queue that the shard asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) queue: QueueId,
    pub(crate) from: Position,
    pub(crate) below: Position,
    pub(crate) max_entries: usize,
    pub(crate) max_bytes: usize,
}

/// What the store says to a [`Load`].
pub(crate) struct Answer {
    load: Load,
    loaded: Result<Loaded, LoadError>,
}

/// The shard's commits on their way.
pub(super) struct Commits {
    /// `None` without persistence.
    submitter: Option<Submitter>,
    gathered: RefCell<Vec<Transaction>>,
    /// Whether the store did not give what it was asked for last.
    unreadable: Cell<bool>,
}

impl Commits {
    pub(super) fn new(hub: &Arc<Hub>, shard: ShardId) -> Commits {
        let submitter = hub.store.as_ref().map(|store| {
            let hub = Arc::downgrade(hub);
            store.submitter(Box::new(move |number| {
                if let Some(hub) = hub.upgrade() {
                    hub.inboxes[usize::from(shard.0)].push(Letter::Durable(number));
                }
            }))
        });
        Commits { submitter, gathered: RefCell::default(), unreadable: Cell::new(false) }
    }

    /// Takes one commit of the shard.
    pub(super) fn push(&self, operations: Vec<Operation>) {
        self.gathered.borrow_mut().push(transaction(operations));
    }

    /// Hands over what has gathered.
    pub(super) fn submit(&self) {
        let mut gathered = self.gathered.borrow_mut();
        if !gathered.is_empty()
            && let Some(submitter) = &self.submitter
        {
            submitter.submit(std::mem::take(&mut *gathered));
        }
    }
}

impl Worker {
    /// Asks the store; the answer comes as a letter.
    pub(super) fn load(&self, load: Load) {
        let Some(store) = &self.hub.store else { return };
        let (hub, shard) = (Arc::downgrade(&self.hub), self.id);
        let Load { queue, from, below, max_entries, max_bytes } = load;
        let reply = Box::new(move |loaded| {
            if let Some(hub) = hub.upgrade() {
                let answer = Letter::Loaded(Box::new(Answer { load, loaded }));
                hub.inboxes[usize::from(shard.0)].push(answer);
            }
        });
        let queue = midge_store::QueueId(queue.0);
        store.load(queue, from, below, max_entries, max_bytes, reply);
    }

    pub(super) fn loaded(self: &Rc<Self>, now: Now, answer: Answer) {
        let Answer { load, loaded } = answer;
        match loaded {
            Ok(Loaded { entries, end, lost }) => {
                self.commits.unreadable.set(false);
                let (queue, from) = (load.queue, load.from);
                let entries = entries.into_iter().map(stored_entry).collect();
                let input = In::Loaded { queue, from, entries, end, lost };
                self.shard.borrow_mut().handle(now, input);
            }
            // The broker is stopping.
            Err(LoadError::Closed) => {}
            Err(why) => {
                if !self.commits.unreadable.replace(true) {
                    error!(queue = load.queue.0, %why, "stored messages cannot be read, trying again");
                }
                let worker = Rc::clone(self);
                spawn(async move {
                    tokio::time::sleep(AGAIN).await;
                    worker.load(load);
                });
            }
        }
    }
}
