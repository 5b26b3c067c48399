//! The connections to the listener, and which of them goes when there are too many.
//!
//! Invariant: a connection is here or busy with a request that was let in. There are never more of
//! either than their limit, and one that waits for a request makes room for one that comes: whoever
//! opens connections and says nothing keeps nobody else out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections that wait for a request at most.
pub(super) const WAITING_MAX: usize = 256;
/// Requests at most whose bodies are read, or that wait for an answer.
pub(super) const BUSY_MAX: usize = 256;

/// All seats.
#[derive(Default)]
pub(super) struct Seats(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next: u64,
    /// The one that has waited longest first.
    waiting: BTreeMap<u64, Arc<Notify>>,
    busy: usize,
}

/// The seat of one connection.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: AtomicU64,
    gone: Arc<Notify>,
}

/// A request of a connection that was let in.
pub(super) struct Busy<'s>(&'s Seat);

impl Seats {
    /// A seat for a connection that has come, be it that of the one that has waited longest.
    pub(super) fn take(self: &Arc<Seats>) -> Seat {
        let gone = Arc::new(Notify::new());
        let number = self.inner().wait(Arc::clone(&gone));
        Seat { seats: Arc::clone(self), number: AtomicU64::new(number), gone }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wait(&mut self, gone: Arc<Notify>) -> u64 {
        if self.waiting.len() >= WAITING_MAX
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            oldest.notify_one();
        }
        self.next += 1;
        self.waiting.insert(self.next, gone);
        self.next
    }
}

impl Seat {
    /// Waits until another connection needs the seat.
    pub(super) async fn needed(&self) {
        self.gone.notified().await;
    }

    /// A request has been let in; `None` when there are too many already.
    pub(super) fn busy(&self) -> Option<Busy<'_>> {
        let mut inner = self.seats.inner();
        if inner.busy >= BUSY_MAX {
            return None;
        }
        inner.busy += 1;
        inner.waiting.remove(&self.number.load(Ordering::Relaxed));
        Some(Busy(self))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.seats.inner();
        inner.busy -= 1;
        let number = inner.wait(Arc::clone(&self.0.gone));
        self.0.number.store(number, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.inner().waiting.remove(&self.number.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    fn is_needed(seat: &Seat) -> bool {
        // What was notified is told at once.
        let needed = std::pin::pin!(seat.gone.notified());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        needed.poll(&mut context).is_ready()
    }

    #[test]
    fn the_connection_that_has_waited_longest_makes_room_and_a_busy_one_does_not() {
        let seats = Arc::new(Seats::default());
        let first = seats.take();
        let second = seats.take();
        let request = first.busy().expect("there is room");
        let others: Vec<Seat> = (0..WAITING_MAX).map(|_| seats.take()).collect();
        assert!(is_needed(&second) && !is_needed(&first) && !is_needed(&others[0]));
        drop(request);
        assert!(is_needed(&others[0]) && !is_needed(&first), "it has waited since its answer");
        drop((first, second, others));
        assert!(seats.inner().waiting.is_empty() && seats.inner().busy == 0);
    }

    #[test]
    fn requests_that_are_under_way_have_a_limit() {
        let seats = Arc::new(Seats::default());
        let all: Vec<Seat> = (0..=BUSY_MAX).map(|_| seats.take()).collect();
        let busy: Vec<_> = all[..BUSY_MAX].iter().filter_map(Seat::busy).collect();
        assert_eq!(busy.len(), BUSY_MAX);
        assert!(all[BUSY_MAX].busy().is_none());
        drop(busy);
        assert!(all[BUSY_MAX].busy().is_some());
    }
}
