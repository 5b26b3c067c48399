//! Where other threads leave what a worker has to do.
//!
//! Never blocks for longer than a push: senders append whole batches under a short lock, and wake
//! the worker only when there was nothing waiting, so a batch costs one wake-up at most. What one
//! thread sends is received in the order it was sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use midge_codec::ReasonCode;
use midge_core::{DutyId, Generation, Inject, PeerMessage, ShardId, TapId};
use tokio::sync::{Notify, oneshot};

use crate::listener::Listening;
use crate::policy::Policy;
use crate::worker::arrival::Arrival;
use crate::worker::report::Report;

/// One thing for a worker to do.
pub(crate) enum Letter {
    /// From another shard.
    Peer { from: ShardId, message: PeerMessage },
    /// A client whose home this is.
    Arrival(Box<Arrival>),
    /// A publish by the bridge, the embedding program or the broker.
    Inject(Box<Inject>),
    /// The bridge has dealt with its part of a duty.
    DutyDone { duty: DutyId, reason: ReasonCode },
    /// A rule of the bridge fills up, or drains.
    TapFull { tap: TapId, full: bool },
    /// A new configuration; the sender hears when it is in force.
    Generation(Box<NewGeneration>),
    /// Somebody wants to know what has been counted.
    Report(oneshot::Sender<Report>),
    /// Accept no more, tell every client, and end once their sockets are written.
    Shutdown,
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
    letters: Mutex<Vec<Letter>>,
    awake: Notify,
}

impl Inbox {
    /// Leaves one letter.
    pub(crate) fn push(&self, letter: Letter) {
        self.extend(std::iter::once(letter));
    }

    /// Leaves several, in their order.
    pub(crate) fn extend(&self, letters: impl IntoIterator<Item = Letter>) {
        let mut waiting = self.lock();
        let was_empty = waiting.is_empty();
        waiting.extend(letters);
        let wake = was_empty && !waiting.is_empty();
        drop(waiting);
        if wake {
            self.awake.notify_one();
        }
    }

    /// Takes all that is there; `letters` must be empty, and its memory is kept for the next time.
    pub(crate) fn take(&self, letters: &mut Vec<Letter>) {
        debug_assert!(letters.is_empty());
        std::mem::swap(&mut *self.lock(), letters);
    }

    /// Has the worker take a turn, letters or not.
    pub(crate) fn wake(&self) {
        self.awake.notify_one();
    }

    /// Waits until woken since the last time.
    pub(crate) async fn awake(&self) {
        self.awake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        // A panicking worker aborts the process; the list itself is whole at every moment.
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
