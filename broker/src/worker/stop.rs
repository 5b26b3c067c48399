//! How a worker ends: its clients first, then what waits for the store, then the thread.
//!
//! A worker goes on until it is told to end (`Letter::End`), for the others may still need answers of
//! its shard: a will that is published at the stop is stored once all shards have said who takes it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::worker::{Worker, spawn};

/// How long the shard may wait for a store that has no room.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the end.
#[derive(Default)]
pub(super) struct Stop {
    stopping: Cell<bool>,
    ended: Cell<bool>,
    /// Told when the last socket is closed.
    closed: RefCell<Vec<oneshot::Sender<()>>>,
    /// Told when the shard waits for nothing.
    settled: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Stop {
    pub(super) fn begin(&self, done: oneshot::Sender<()>) {
        self.stopping.set(true);
        self.closed.borrow_mut().push(done);
    }

    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.get()
    }
}

impl Worker {
    /// Whether it accepts no more clients.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.stopping.get()
    }

    pub(super) fn settle(self: &Rc<Self>, done: oneshot::Sender<()>) {
        self.stop.settled.borrow_mut().push(done);
        let worker = Rc::clone(self);
        spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            // What could not be stored was not acknowledged.
            answer(&worker.stop.settled);
        });
    }

    /// At the end of a turn.
    pub(super) fn answer_those_who_stop(&self) {
        if !self.is_stopping() {
            return;
        }
        if self.connections.borrow().is_empty() && self.closing.get() == 0 {
            answer(&self.stop.closed);
        }
        let asked = !self.stop.settled.borrow().is_empty();
        if asked && !self.shard.borrow().footprint().waits_for_store {
            answer(&self.stop.settled);
        }
    }
}

fn answer(waiting: &RefCell<Vec<oneshot::Sender<()>>>) {
    for waiting in waiting.take() {
        // Who does not wait any more does not mind.
        let _ = waiting.send(());
    }
}
