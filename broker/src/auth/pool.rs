//! The threads that hash passwords.
//!
//! Hashing is slow on purpose, so it has threads of its own, few enough that those who publish
//! keep most of the machine, and a queue with an end: what does not fit is refused at once.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use midge_acl::PasswordFile;
use midge_codec::Text;
use tokio::sync::oneshot;

/// A password to check.
pub(super) struct Check {
    pub(super) passwords: Arc<PasswordFile>,
    pub(super) user: Text,
    pub(super) password: Bytes,
    /// After this nobody waits for the answer.
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<bool>,
}

/// The threads and their queue.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    checks: VecDeque<Check>,
    closed: bool,
}

impl Pool {
    /// Starts the threads; `capacity` checks wait at most.
    pub(super) fn start(threads: usize, capacity: usize) -> io::Result<Pool> {
        let shared = Arc::new(Shared { queue: Mutex::default(), filled: Condvar::new(), capacity });
        let threads = (0..threads.max(1))
            .map(|number| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().name(format!("password-{number}")).spawn(move || {
                    crate::broker::or_abort(|| {
                        shared.work();
                        Ok(())
                    });
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Pool { shared, threads })
    }

    /// Queues a check; `false` when the queue is full.
    pub(super) fn submit(&self, check: Check) -> bool {
        let mut queue = self.shared.lock();
        if queue.checks.len() >= self.shared.capacity {
            return false;
        }
        queue.checks.push_back(check);
        drop(queue);
        self.shared.filled.notify_one();
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.checks.clear();
        drop(queue);
        self.shared.filled.notify_all();
        for thread in self.threads.drain(..) {
            // A panic has aborted the process already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(check) = self.next() {
            // Whoever gave up waiting costs nothing more.
            if check.answer.is_closed() || check.deadline <= Instant::now() {
                continue;
            }
            let right = check.passwords.verify(&check.user, &check.password);
            let _ = check.answer.send(right);
        }
    }

    fn next(&self) -> Option<Check> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(check) = queue.checks.pop_front() {
                return Some(check);
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
