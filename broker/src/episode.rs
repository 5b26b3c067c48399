//! Says a thing once an episode, however often and in however many threads it happens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An episode is over when its cause did not appear for this long.
const QUIET: Duration = Duration::from_secs(10);

/// A cause that comes in episodes.
#[derive(Default)]
pub(crate) struct Episode {
    last: Mutex<Option<Instant>>,
}

impl Episode {
    /// Notes that the cause has appeared; whether it is the first time of an episode.
    pub(crate) fn begins(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(now).is_none_or(|last| now.saturating_duration_since(last) > QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_begins_once_and_ends_with_quiet() {
        let episode = Episode::default();
        let start = Instant::now();
        assert!(episode.begins(start));
        assert!(!episode.begins(start + QUIET));
        assert!(!episode.begins(start + QUIET * 2));
        assert!(episode.begins(start + QUIET * 3 + Duration::from_millis(1)));
    }
}
