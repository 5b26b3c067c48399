//! Where other threads leave what a worker has to do.
//!
//! Never blocks for longer than a push: senders append whole batches under a short lock, and wake
//! the worker only when there was nothing waiting, so a batch costs one wake-up at most. What one
//! thread sends is received in the order it was sent.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use midge_codec::ReasonCode;
use midge_core::{DutyId, Generation, Inject, PeerMessage, ShardId, Tap, TapId};
use tokio::sync::{Notify, oneshot};

use crate::listener::Listening;
use crate::policy::Policy;
use crate::worker::arrival::Arrival;
use crate::worker::commits::Answer;
use crate::worker::report::Report;
use crate::worker::transport::Detached;

/// One thing for a worker to do.
pub(crate) enum Letter {
    /// From another shard.
    Peer { from: ShardId, message: PeerMessage },
    /// A client whose home this is.
    Arrival(Box<Arrival<Detached>>),
    /// A publish by the bridge, the embedding program or the broker.
    Inject(Box<Inject>),
    /// The bridge has dealt with its part of a duty.
    DutyDone { duty: DutyId, reason: ReasonCode },
    /// A rule of the bridge fills up, or drains.
    TapFull { tap: TapId, full: bool },
    /// The bridge's source rules from now on; the sender hears when they are in force.
    Taps(Arc<[Tap]>, Sender<()>),
    /// A new configuration; the sender hears when it is in force.
    Generation(Box<NewGeneration>),
    /// All connectors have been started: clients are taken in here, and what waited goes out.
    Serve(Vec<Listening>),
    /// Somebody wants to know what has been counted.
    Report(oneshot::Sender<Report>),
    /// All that the shard has committed up to this number is durable.
    Durable(u64),
    /// What was asked of a queue of the store.
    Loaded(Box<Answer>),
    /// The store has no room, or has again.
    StoreFull(bool),
    /// Accept no more and tell every client; the sender hears when their sockets are written.
    Shutdown(oneshot::Sender<()>),
    /// The sender hears when nothing of the shard waits for the store.
    Settle(oneshot::Sender<()>),
    /// End at once, whatever is left.
    End,
}

/// A new configuration.
pub(crate) struct NewGeneration {
    pub(crate) generation: Arc<Generation>,
    /// Listeners that are not in it are closed.
    pub(crate) policy: Arc<Policy>,
    /// Listeners that are new in it.
    pub(crate) opened: Vec<Listening>,
    /// Told when it is in force.
    pub(crate) done: oneshot::Sender<()>,
}

/// A worker's inbox.
#[derive(Default)]
pub(crate) struct Inbox {
    letters: Mutex<Letters>,
    awake: Notify,
}

#[derive(Default)]
struct Letters {
    waiting: Vec<Letter>,
    /// The worker has ended, and nobody opens them any more.
    closed: bool,
}

impl Inbox {
    /// Leaves one letter.
    pub(crate) fn push(&self, letter: Letter) {
        self.extend(std::iter::once(letter));
    }

    /// Leaves several, in their order. All of them are taken, also when nobody opens them any more:
    /// who takes one batch after another from a list has to come to its end.
    pub(crate) fn extend(&self, letters: impl IntoIterator<Item = Letter>) {
        let mut lock = self.lock();
        if lock.closed {
            drop(lock);
            letters.into_iter().for_each(drop);
            return;
        }
        let was_empty = lock.waiting.is_empty();
        lock.waiting.extend(letters);
        let wake = was_empty && !lock.waiting.is_empty();
        drop(lock);
        if wake {
            self.awake.notify_one();
        }
    }

    /// Takes all that is there; `letters` must be empty, and its memory is kept for the next time.
    pub(crate) fn take(&self, letters: &mut Vec<Letter>) {
        debug_assert!(letters.is_empty());
        std::mem::swap(&mut self.lock().waiting, letters);
    }

    /// Takes no more letters, and forgets those that are there: who waits for an answer hears that
    /// there is none.
    pub(crate) fn close(&self) {
        let mut lock = self.lock();
        lock.closed = true;
        let forgotten = std::mem::take(&mut lock.waiting);
        drop(lock);
        drop(forgotten);
    }

    /// Has the worker take a turn, letters or not.
    pub(crate) fn wake(&self) {
        self.awake.notify_one();
    }

    /// Waits until woken since the last time.
    pub(crate) async fn awake(&self) {
        self.awake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        // A panicking worker aborts the process; the list itself is whole at every moment.
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_inbox_takes_a_batch_to_its_end() {
        let inbox = Inbox::default();
        inbox.close();
        let mut letters = vec![Letter::End, Letter::End].into_iter();
        inbox.extend(letters.by_ref());
        assert!(letters.next().is_none());
    }
}
