//! Waiting for conditions.
//!
//! A condition is looked at again and again until it holds; a test never sleeps for the sake of it.

use std::time::{Duration, Instant};

/// After this long a condition counts as never met. Generous: machines that test are busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Returns what `attempt` finds as soon as it finds something.
///
/// # Panics
/// When it has not after [`DEADLINE`]; `what` says what was waited for.
pub fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    until(DEADLINE, what, attempt)
}

/// As [`eventually`], with another deadline.
///
/// # Panics
/// When nothing was found in time.
pub fn until<T>(deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(started.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
