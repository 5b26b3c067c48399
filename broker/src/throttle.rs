//! Lets so many things through in a time and counts the rest, for what strangers can cause at will.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Let through at once.
const BURST: u32 = 10;

/// One more is let through after this time.
const REFILL: Duration = Duration::from_secs(1);

/// A bucket that empties with each thing let through, and that time refills.
#[derive(Default)]
pub(crate) struct Throttle {
    bucket: Mutex<Bucket>,
}

#[derive(Default)]
struct Bucket {
    full_at: Option<Instant>,
    held_back: u64,
}

impl Throttle {
    /// Whether one more is let through, and then how many were not since the last that was.
    pub(crate) fn passes(&self, now: Instant) -> Option<u64> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = bucket.full_at.map_or(now, |full_at| full_at.max(now));
        if full_at.saturating_duration_since(now) > REFILL * (BURST - 1) {
            bucket.held_back += 1;
            return None;
        }
        bucket.full_at = Some(full_at + REFILL);
        Some(std::mem::take(&mut bucket.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_one_passes_in_each_refill_and_tells_how_many_did_not() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(throttle.passes(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(throttle.passes(start), None);
        }
        assert_eq!(throttle.passes(start + REFILL), Some(1_000));
        assert_eq!(throttle.passes(start + REFILL), None);
        assert_eq!(throttle.passes(start + REFILL * (2 * BURST)), Some(1));
    }
}
