//! How long to wait before the next attempt to connect.
//!
//! The pause doubles with every attempt that fails, and each is shortened by chance, so that many
//! clients of a broker that comes back do not come all at once. A connection that has stood for as
//! long as the pause would be begins anew.

use std::time::Duration;

/// The first pause, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { pause: PAUSE.0 }
    }

    /// The connection is gone, which stood for `stood`; `chance` is any number. How long to wait.
    pub(crate) fn next(&mut self, stood: Duration, chance: u64) -> Duration {
        if stood >= self.pause {
            self.pause = PAUSE.0;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        let half = pause / 2;
        half + half.mul_f64((chance % 1_000) as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_anew_after_a_connection_that_stood() {
        let mut backoff = Backoff::new();
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            let pause = backoff.next(Duration::ZERO, 999);
            assert!(pause >= last && pause <= PAUSE.1, "{pause:?} after {last:?}");
            last = pause;
        }
        assert!(last > PAUSE.1 / 2);
        assert!(backoff.next(Duration::from_secs(1), 0) >= PAUSE.1 / 2, "it fell at once");
        assert!(backoff.next(Duration::from_secs(60), 999) <= PAUSE.0);
    }

    #[test]
    fn chance_takes_up_to_a_half_of_a_pause() {
        let pauses = [0, 500, 999].map(|chance| Backoff::new().next(Duration::ZERO, chance));
        assert_eq!(pauses[0], PAUSE.0 / 2);
        assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2] && pauses[2] < PAUSE.0);
    }
}
