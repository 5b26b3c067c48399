//! Counts connections against their limits.
//!
//! What is counted is given back when the guard ([`HalfOpen`], [`Seat`]) is dropped, so no way to
//! end a connection can forget it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use midge_codec::Text;
use tracing::warn;

use crate::episode::Episode;
use crate::throttle::Throttle;

/// One address may hold this part of the half-open connections: no single peer keeps others out.
const ADDRESS_SHARE: usize = 2;

/// Counts connections of all workers.
#[derive(Default)]
pub(crate) struct Admission {
    counts: Mutex<Counts>,
    /// No descriptor is left to accept with.
    pub(crate) exhausted: Episode,
    /// Too many peers have not sent their CONNECT.
    crowded: Episode,
    /// Lines about TLS handshakes that failed.
    pub(crate) failed_handshakes: Throttle,
}

#[derive(Default)]
struct Counts {
    half_open: usize,
    /// No longer than `half_open`: an address without any is not in it.
    half_open_by_address: HashMap<IpAddr, usize>,
    connections: usize,
    /// One entry a listener.
    connections_by_listener: HashMap<Text, usize>,
}

/// A connection whose CONNECT has not been answered yet.
pub(crate) struct HalfOpen {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// A connected client.
pub(crate) struct Seat {
    admission: Arc<Admission>,
    listener: Text,
}

impl Admission {
    /// Counts a connection that was just accepted; `None` when there are too many.
    pub(crate) fn half_open(self: &Arc<Self>, address: IpAddr, maximum: usize) -> Option<HalfOpen> {
        let mut counts = self.lock();
        let of_address = counts.half_open_by_address.get(&address).copied().unwrap_or(0);
        if counts.half_open >= maximum || of_address >= maximum.div_ceil(ADDRESS_SHARE) {
            let half_open = counts.half_open;
            drop(counts);
            if self.crowded.begins(Instant::now()) {
                warn!(half_open, %address, of_address, "too many connections wait for their CONNECT, new ones are closed");
            }
            return None;
        }
        counts.half_open_by_address.insert(address, of_address + 1);
        counts.half_open += 1;
        Some(HalfOpen { admission: Arc::clone(self), address })
    }

    /// Counts a client; `None` when the broker or its listener is full.
    pub(crate) fn seat(
        self: &Arc<Self>,
        listener: &Text,
        maximum: Option<usize>,
        maximum_of_listener: Option<usize>,
    ) -> Option<Seat> {
        let mut counts = self.lock();
        let of_listener = counts.connections_by_listener.get(listener).copied().unwrap_or(0);
        let is_full =
            |count: usize, maximum: Option<usize>| maximum.is_some_and(|max| count >= max);
        if is_full(counts.connections, maximum) || is_full(of_listener, maximum_of_listener) {
            return None;
        }
        counts.connections += 1;
        counts.connections_by_listener.insert(listener.clone(), of_listener + 1);
        Some(Seat { admission: Arc::clone(self), listener: listener.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.half_open -= 1;
        if let Some(count) = counts.half_open_by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.half_open_by_address.remove(&self.address);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.connections -= 1;
        if let Some(count) = counts.connections_by_listener.get_mut(&self.listener) {
            *count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_half_of_the_half_open_connections_at_most() {
        let admission = Arc::new(Admission::default());
        let greedy = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<_> = (0..4).filter_map(|_| admission.half_open(greedy, 4)).collect();
        assert_eq!(held.len(), 2);
        let other = admission.half_open(IpAddr::from([192, 0, 2, 2]), 4);
        assert!(other.is_some());
        drop(held);
        drop(other);
        assert_eq!(admission.lock().half_open, 0);
        assert!(admission.lock().half_open_by_address.is_empty());
    }

    #[test]
    fn a_seat_is_free_again_once_its_client_is_gone() {
        let admission = Arc::new(Admission::default());
        let listener = Text::from_static("1883");
        let first = admission.seat(&listener, None, Some(1));
        assert!(first.is_some());
        assert!(admission.seat(&listener, None, Some(1)).is_none());
        assert!(admission.seat(&Text::from_static("8883"), Some(2), Some(1)).is_some());
        drop(first);
        assert!(admission.seat(&listener, Some(1), None).is_some());
    }
}
