//! What the publishing thread may be ahead of the subscribing thread, and what went missing.
//!
//! A publisher sends message `n` only when every subscriber has message `n - W`: no queue in the
//! broker can overflow, so whatever is missing was lost and not dropped by a limit.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Deliveries of one publisher's messages, kept by the subscribing thread.
///
/// Only messages inside the window can be outstanding, so a ring of W counters is enough.
pub(crate) struct Progress {
    receipts: Vec<u32>,
    subscribers: u32,
    completed: u64,
}

impl Progress {
    pub(crate) fn new(window: usize, subscribers: u32) -> Self {
        Self { receipts: vec![0; window], subscribers, completed: 0 }
    }

    /// Whether that message can have been sent by now.
    pub(crate) fn admits(&self, sequence: u64) -> bool {
        sequence < self.completed + self.receipts.len() as u64
    }

    /// Counts the first receipt of an admitted message by one of the subscribers.
    pub(crate) fn receive(&mut self, sequence: u64) {
        assert!(self.admits(sequence) && sequence >= self.completed, "a receipt inside the window");
        let window = self.receipts.len() as u64;
        self.receipts[(sequence % window) as usize] += 1;
        while self.receipts[(self.completed % window) as usize] == self.subscribers {
            self.receipts[(self.completed % window) as usize] = 0;
            self.completed += 1;
        }
    }

    /// Shows the count to the publishing thread.
    pub(crate) fn show(&self, shared: &AtomicU64) {
        shared.store(self.completed, Ordering::Release);
    }
}

/// What one subscriber has of one publisher.
#[derive(Default)]
pub(crate) struct Expected {
    next: u64,
    missing: BTreeSet<u64>,
}

/// How a message fits in what came before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one.
    InOrder,
    /// New, but others that were sent before it have not come.
    Early,
    /// One that had been missing: it was overtaken.
    Late,
    /// A second copy.
    Duplicate,
}

impl Expected {
    pub(crate) fn arrive(&mut self, sequence: u64) -> Arrival {
        if sequence == self.next {
            self.next += 1;
            Arrival::InOrder
        } else if sequence > self.next {
            // The caller refuses what lies beyond the window, so this never is a long range.
            self.missing.extend(self.next..sequence);
            self.next = sequence + 1;
            Arrival::Early
        } else if self.missing.remove(&sequence) {
            Arrival::Late
        } else {
            Arrival::Duplicate
        }
    }

    /// How many of `published` messages never came.
    pub(crate) fn lost(&self, published: u64) -> u64 {
        self.missing.len() as u64 + published.saturating_sub(self.next)
    }
}

/// Everything a broker did wrong in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Deliveries that never came.
    pub(crate) lost: u64,
    /// Deliveries that came again.
    pub(crate) duplicated: u64,
    /// Deliveries that another one overtook.
    pub(crate) reordered: u64,
    /// Messages at QoS 1 and 2 whose handshake did not end.
    pub(crate) unacknowledged: u64,
    /// What else was wrong: bytes, connections, packet ids.
    pub(crate) violations: Vec<String>,
}

impl Faults {
    pub(crate) fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// Counts an arrival; early ones are judged by what becomes of the others.
    pub(crate) fn count(&mut self, arrival: &Arrival) {
        match arrival {
            Arrival::InOrder | Arrival::Early => {}
            Arrival::Late => self.reordered += 1,
            Arrival::Duplicate => self.duplicated += 1,
        }
    }

    /// Keeps the first violations; the thousandth tells nothing new.
    pub(crate) fn violation(&mut self, text: String) {
        if self.violations.len() < 8 {
            self.violations.push(text);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.unacknowledged += other.unacknowledged;
        other.violations.into_iter().for_each(|text| self.violation(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_moves_with_the_slowest_subscriber() {
        let mut progress = Progress::new(4, 2);
        (0..4).for_each(|sequence| progress.receive(sequence));
        assert_eq!(progress.completed, 0);
        assert!(!progress.admits(4), "four are outstanding: a fifth cannot have been sent");
        progress.receive(0);
        assert_eq!(progress.completed, 1);
        assert!(progress.admits(4));
        progress.receive(4);
        (1..=4).for_each(|sequence| progress.receive(sequence));
        assert_eq!(progress.completed, 5);
    }

    #[test]
    fn overtaken_messages_complete_together() {
        let mut progress = Progress::new(16, 1);
        [2, 1].into_iter().for_each(|sequence| progress.receive(sequence));
        assert_eq!(progress.completed, 0);
        progress.receive(0);
        let shared = AtomicU64::new(0);
        progress.show(&shared);
        assert_eq!(shared.into_inner(), 3);
    }

    #[test]
    fn each_kind_of_arrival_is_told_apart() {
        let mut expected = Expected::default();
        let arrivals = [0, 1, 4, 2, 2, 1, 5].map(|sequence| expected.arrive(sequence));
        use Arrival::{Duplicate, Early, InOrder, Late};
        assert_eq!(arrivals, [InOrder, InOrder, Early, Late, Duplicate, Duplicate, InOrder]);
        assert_eq!(expected.lost(6), 1);
        assert_eq!(expected.lost(8), 3);
        let mut faults = Faults::default();
        arrivals.iter().for_each(|arrival| faults.count(arrival));
        assert_eq!((faults.reordered, faults.duplicated, faults.lost), (1, 2, 0));
        assert!(!faults.is_clean());
    }
}
