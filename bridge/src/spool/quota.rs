//! A rate in bytes a second.
//!
//! Over any period no more is spent than the rate allows, one tenth of a second's burst and one
//! message aside: what a message takes too much, the next one waits for.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Quota {
    bytes_a_second: u64,
    /// When what has been spent is paid for.
    paid: Option<Instant>,
}

/// How far behind the clock the account may be: what may be spent at once.
const BURST: Duration = Duration::from_millis(100);

impl Quota {
    pub(super) fn new(bytes_a_second: u64) -> Quota {
        Quota { bytes_a_second: bytes_a_second.max(1), paid: None }
    }

    /// When something may be spent again; `None`: now.
    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.paid.filter(|paid| *paid > now)
    }

    pub(super) fn spend(&mut self, now: Instant, bytes: usize) {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = self.paid.map_or(earliest, |paid| paid.max(earliest));
        self.paid = Some(from + self.time(bytes));
    }

    /// What was spent has not been used.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.paid = self.paid.map(|paid| paid.checked_sub(self.time(bytes)).unwrap_or(paid));
    }

    fn time(&self, bytes: usize) -> Duration {
        Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / self.bytes_a_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_spent_than_the_rate_allows() {
        let start = Instant::now() + Duration::from_secs(1);
        let mut quota = Quota::new(10_000);
        let mut spent = 0;
        for millisecond in 0..10_000 {
            let now = start + Duration::from_millis(millisecond);
            while quota.blocked_until(now).is_none() {
                quota.spend(now, 100);
                spent += 100;
            }
        }
        assert!((100_000..=101_200).contains(&spent), "{spent} bytes in ten seconds");
    }

    #[test]
    fn what_was_not_used_can_be_spent_again() {
        let now = Instant::now() + Duration::from_secs(1);
        let mut quota = Quota::new(1_000);
        quota.spend(now, 5_000);
        assert!(quota.blocked_until(now).is_some());
        quota.give_back(5_000);
        assert_eq!(quota.blocked_until(now), None);
    }
}
