//! From when on a worker serves.
//!
//! Invariant: before all connectors have been started nothing is published here, so no source is
//! passed by: wills and sessions that are due, and what sinks have read, wait for that.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use midge_core::{In, Inject, Now};

use crate::listener::Listening;
use crate::worker::Worker;
use crate::worker::inbox::Letter;

impl Worker {
    /// Publishes what has been waiting, and takes clients in.
    pub(super) fn serve(self: &Rc<Self>, listening: Vec<Listening>) -> io::Result<()> {
        let now = Worker::now();
        // What came due while the broker was down comes before what has been read since.
        self.shard.borrow_mut().tick(now);
        for letter in self.early.take().into_iter().flatten() {
            self.open(now, letter);
        }
        self.schedule();
        listening.into_iter().try_for_each(|listening| listening.serve(self))
    }

    /// Publishes, once this worker serves. What can wait is bounded: a sink has no more under way
    /// than it may.
    pub(super) fn inject(&self, now: Now, inject: Box<Inject>) {
        match &mut *self.early.borrow_mut() {
            Some(early) => early.push(Letter::Inject(inject)),
            None => self.shard.borrow_mut().handle(now, In::Inject(inject)),
        }
    }

    /// When the shard has something to do by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.early.borrow().is_some() {
            return None;
        }
        self.shard.borrow().deadline()
    }
}
