//! When messages are due at a fixed rate.
//!
//! Publishers take turns: what all of them send together goes out evenly.

use std::time::Duration;

/// Messages `k = sequence * publishers + publisher` go out evenly, `k / rate` seconds from the start.
pub(crate) fn due_at(rate: f64, sequence: u64, publisher: u64, publishers: u64) -> u64 {
    ((sequence * publishers + publisher) as f64 / rate * 1e9) as u64
}

/// How many messages of all publishers are due by `now`.
pub(crate) fn due_in_all(rate: f64, now_nanos: u64) -> u64 {
    (now_nanos as f64 * 1e-9 * rate) as u64 + 1
}

/// How many of so many messages are one publisher's.
pub(crate) fn due(total: u64, publisher: u64, publishers: u64) -> u64 {
    total.saturating_sub(publisher).div_ceil(publishers)
}

/// How long until the next message of any publisher is due.
pub(crate) fn until_next(rate: f64, now_nanos: u64) -> Duration {
    let now = now_nanos as f64 * 1e-9;
    let next = ((now * rate).floor() + 1.0) / rate;
    Duration::from_secs_f64((next - now).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_due_evenly_and_in_turn() {
        // Ten a second over four publishers: one every 100 ms, round and round.
        let counts = |millis: u64| {
            let total = due_in_all(10.0, millis * 1_000_000);
            [0, 1, 2, 3].map(|publisher| due(total, publisher, 4))
        };
        assert_eq!(counts(0), [1, 0, 0, 0]);
        assert_eq!(counts(50), [1, 0, 0, 0]);
        assert_eq!(counts(150), [1, 1, 0, 0]);
        assert_eq!(counts(450), [2, 1, 1, 1]);
        assert_eq!(due_at(10.0, 1, 0, 4), 400_000_000);
        let pause = until_next(10.0, 130_000_000).as_secs_f64();
        assert!((pause - 0.07).abs() < 1e-6, "{pause}");
    }
}
