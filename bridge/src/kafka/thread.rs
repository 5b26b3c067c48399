//! A thread that can be woken, told to stop by a deadline, and joined by it.
//!
//! A thread that is still inside librdkafka when its deadline has come is left behind: the process
//! is about to end, and waiting longer would only delay that.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long past its deadline a thread may take to close its client.
const CLOSING: Duration = Duration::from_secs(2);

/// When a thread shall stop: `None` while it shall not.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<Option<Instant>>);

impl Stop {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, deadline: Instant) {
        let mut stop = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The first word counts: dropping a bridge that is shutting down must not hurry it.
        stop.get_or_insert(deadline);
    }
}

pub(crate) struct Worker {
    stop: Arc<Stop>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(crate) fn spawn(
        name: String,
        run: impl FnOnce(Arc<Stop>) + Send + 'static,
    ) -> io::Result<Worker> {
        let stop = Arc::new(Stop::default());
        let handle = std::thread::Builder::new().name(name).spawn({
            let stop = Arc::clone(&stop);
            move || run(stop)
        })?;
        Ok(Worker { stop, thread: handle.thread().clone(), handle: Mutex::new(Some(handle)) })
    }

    pub(crate) fn wake(&self) {
        self.thread.unpark();
    }

    pub(crate) fn stop(&self, deadline: Instant) {
        self.stop.set(deadline);
        self.wake();
    }

    pub(crate) fn join(&self, deadline: Instant) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(handle) = handle else { return };
        while !handle.is_finished() {
            if Instant::now() > deadline + CLOSING {
                tracing::warn!(thread = handle.thread().name(), "still busy, left behind");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if handle.join().is_err() {
            tracing::error!("a thread of the bridge had panicked");
        }
    }
}
