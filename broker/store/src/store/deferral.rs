//! When what was submitted is committed: at once, or a little later with what comes next.
//!
//! A trim is nothing that anybody waits for, and what it frees is not needed this moment. A consumer
//! that follows a queue sends one for every few entries; a sync for each would hold up the entries that
//! come meanwhile, and write the last page of the log twice as often.

use std::time::{Duration, Instant};

use crate::{Operation, Transaction};

/// Trims wait at most this long for company.
const COMPANY: Duration = Duration::from_millis(10);

/// What has been taken since the last commit.
#[derive(Debug, Default)]
pub(super) struct Deferral {
    /// When the first of it came.
    since: Option<Instant>,
    /// It is not trims alone.
    urgent: bool,
}

impl Deferral {
    pub(super) fn take(&mut self, transaction: &Transaction, now: Instant) {
        self.since.get_or_insert(now);
        // An empty one is there to be waited for.
        let trims = |operation: &Operation| matches!(operation, Operation::Trim { .. });
        self.urgent |=
            transaction.operations.is_empty() || !transaction.operations.iter().all(trims);
    }

    /// How long trims that came alone may still wait, down to nothing; `None` when there are none, or
    /// something came with them.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let since = self.since.filter(|_| !self.urgent)?;
        Some(COMPANY.saturating_sub(now.saturating_duration_since(since)))
    }

    /// It has been committed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QueueId;

    fn trim() -> Transaction {
        Transaction { operations: vec![Operation::Trim { queue: QueueId(1), below: 2 }] }
    }

    #[test]
    fn trims_wait_for_company_but_not_for_ever() {
        let now = Instant::now();
        let mut deferral = Deferral::default();
        assert_eq!(deferral.remaining(now), None, "nothing waits");
        deferral.take(&trim(), now);
        assert_eq!(deferral.remaining(now), Some(COMPANY));
        deferral.take(&trim(), now + COMPANY / 2);
        assert_eq!(deferral.remaining(now + COMPANY / 2), Some(COMPANY / 2), "the first counts");
        assert_eq!(deferral.remaining(now + COMPANY * 2), Some(Duration::ZERO));
    }

    #[test]
    fn anything_else_takes_them_along_at_once() {
        let now = Instant::now();
        let acknowledge = Operation::Acknowledge { queue: QueueId(1), position: 1 };
        for operations in [vec![acknowledge], vec![]] {
            let mut deferral = Deferral::default();
            deferral.take(&trim(), now);
            deferral.take(&Transaction { operations }, now);
            assert_eq!(deferral.remaining(now), None);
            deferral.reset();
            deferral.take(&trim(), now);
            assert_eq!(deferral.remaining(now), Some(COMPANY));
        }
    }
}
