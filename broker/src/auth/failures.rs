//! How many wrong passwords an address may try.
//!
//! A bucket an address: each failure takes from it, time refills it, and while it is empty nobody
//! there gets a password hashed. Log-ins remembered as right do not ask here, so a device behind
//! the same router as the guesser reconnects as before.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures at once.
const BURST: u32 = 20;

/// One more failure is allowed after this time.
const REFILL: Duration = Duration::from_millis(500);

/// Addresses remembered; a few hundred kilobytes.
const ADDRESSES_MAX: usize = 8_192;

/// Recent failures by address.
#[derive(Default)]
pub(super) struct Failures {
    /// When the bucket of an address is full again.
    full_at: HashMap<IpAddr, Instant>,
}

impl Failures {
    /// Whether an address has to wait.
    pub(super) fn is_blocked(&self, address: IpAddr, now: Instant) -> bool {
        self.full_at
            .get(&network(address))
            .is_some_and(|full_at| full_at.saturating_duration_since(now) > REFILL * (BURST - 1))
    }

    /// Notes a failure.
    pub(super) fn note(&mut self, address: IpAddr, now: Instant) {
        let address = network(address);
        if self.full_at.len() >= ADDRESSES_MAX && !self.full_at.contains_key(&address) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= ADDRESSES_MAX {
                // So many guessers at once are the bounded queue's business.
                return;
            }
        }
        let full_at = self.full_at.entry(address).or_insert(now);
        *full_at = (*full_at).max(now) + REFILL;
    }
}

/// What one customer of a provider has: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_blocked_after_a_burst_of_failures_until_time_refills() {
        let mut failures = Failures::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let start = Instant::now();
        for _ in 0..BURST {
            assert!(!failures.is_blocked(address, start));
            failures.note(address, start);
        }
        assert!(failures.is_blocked(address, start));
        assert!(!failures.is_blocked(IpAddr::from([192, 0, 2, 2]), start));
        assert!(!failures.is_blocked(address, start + REFILL));
        failures.note(address, start + REFILL);
        assert!(failures.is_blocked(address, start + REFILL));
    }

    #[test]
    fn the_table_of_addresses_is_bounded_and_forgets_what_is_refilled() {
        let mut failures = Failures::default();
        let start = Instant::now();
        for number in 0..2 * ADDRESSES_MAX as u32 {
            failures.note(IpAddr::from(number.to_be_bytes()), start);
        }
        assert_eq!(failures.full_at.len(), ADDRESSES_MAX);
        failures.note(IpAddr::from([192, 0, 2, 1]), start + REFILL);
        assert_eq!(failures.full_at.len(), 1);
    }
}
