//! What the two load threads and the measuring thread share: counters, flags and one wake-up.
//!
//! Every counter has one writer. The publishing thread sleeps only after it has said so and looked
//! again, so the wake-up for a window that opens in between is not lost.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering, fence};
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};

/// Shared by the threads of one run.
pub(crate) struct Shared {
    /// When the run began; stamps count from here.
    pub(crate) origin: Instant,
    /// Per publisher, how many messages all its subscribers have.
    pub(crate) completed: Vec<AtomicU64>,
    /// First receipts over all subscribers.
    pub(crate) delivered: AtomicU64,
    /// Handshakes of QoS 1 and 2 that publishers saw to their end.
    pub(crate) acknowledged: AtomicU64,
    /// Latencies count while this is set.
    pub(crate) measuring: AtomicBool,
    /// No new message; what is under way still arrives.
    pub(crate) stop: AtomicBool,
    /// Nothing more will come: subscribers make sure of it and end.
    pub(crate) finish: AtomicBool,
    /// A thread gave up.
    pub(crate) failed: AtomicBool,
    /// Kernel's ids of the publishing and the subscribing thread, for their CPU time.
    pub(crate) threads: [AtomicI32; 2],
    /// What the publishing thread waits on beside its sockets.
    pub(crate) wake: OwnedFd,
    asleep: AtomicBool,
}

impl Shared {
    pub(crate) fn new(publishers: usize) -> io::Result<Self> {
        Ok(Self {
            origin: Instant::now(),
            completed: (0..publishers).map(|_| AtomicU64::new(0)).collect(),
            delivered: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            measuring: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            finish: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            threads: [AtomicI32::new(0), AtomicI32::new(0)],
            wake: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            asleep: AtomicBool::new(false),
        })
    }

    pub(crate) fn now_nanos(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// Makes the calling thread's CPU time readable: 0 is the publishing, 1 the subscribing one.
    pub(crate) fn enrol(&self, place: usize) {
        self.threads[place]
            .store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
    }

    /// The publishing thread is about to sleep; it looks at the windows once more after this.
    pub(crate) fn doze(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        // Pairs with the fence in `wake_publishers`: either this thread sees the open window, or
        // the other one sees that it sleeps.
        fence(Ordering::SeqCst);
    }

    /// The publishing thread is up, for whatever reason.
    pub(crate) fn rouse(&self) {
        if !self.asleep.swap(false, Ordering::SeqCst) {
            let mut count = [0; 8];
            // Nothing to read means that the wake-up was read before: both are fine.
            let _ = rustix::io::read(&self.wake, &mut count);
        }
    }

    /// A window opened: wakes the publishing thread if it sleeps.
    pub(crate) fn wake_publishers(&self) -> io::Result<()> {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::SeqCst) {
            rustix::io::write(&self.wake, &1u64.to_ne_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[test]
    fn only_a_sleeping_thread_is_woken_and_the_wake_up_is_used_once() {
        let shared = Shared::new(1).unwrap();
        let woken = || {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(&shared.wake, PollFlags::IN)], Some(&now)).unwrap() == 1
        };
        shared.wake_publishers().unwrap();
        assert!(!woken(), "nobody sleeps");
        shared.doze();
        shared.wake_publishers().unwrap();
        shared.wake_publishers().unwrap();
        assert!(woken());
        shared.rouse();
        assert!(!woken());
    }
}
