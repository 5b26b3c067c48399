//! The partitions that a worker has, and whether it may run what they stand for.
//!
//! Invariant: nothing may run without a lease that stands, nor of a partition whose last owner may
//! still be at work: one that has not said that it has ended gets [`LAST_OWNER`] to find out that it
//! has lost its seat.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A worker whose lease has run out has stopped by then; one that was put out of the group before
/// that hears it with its next renewal, a second later.
pub(super) const LAST_OWNER: Duration = Duration::from_secs(3);

/// What a worker has of the group's partitions.
#[derive(Default)]
pub(super) struct Shares {
    /// How many there are of all workers together; 0 until that is known.
    count: i32,
    own: BTreeMap<i32, Share>,
    lease: Option<Instant>,
    /// Whether the lease stood when it was last looked at.
    stood: bool,
    generation: u32,
}

struct Share {
    since: Instant,
    /// The question of what others have told, until it is answered.
    question: Option<u64>,
    /// When the last owner has certainly ended; known once the question is answered.
    free: Option<Instant>,
    /// Whether the herder has been told that tasks may start.
    announced: bool,
}

/// What has to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// The lease has run out.
    pub(super) lost: bool,
    /// Something may run that might not before, or the other way round.
    pub(super) changed: bool,
}

impl Shares {
    pub(super) fn count(&self) -> i32 {
        self.count
    }

    pub(super) fn set_count(&mut self, count: i32) {
        self.count = count;
    }

    /// Tells one time in the group from another: seconds since 1970 when the last partition came.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn assigned(&mut self, partitions: &[i32], question: u64, now: Instant) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.generation = u32::try_from(unix.as_secs()).unwrap_or(u32::MAX) & 0x7fff_ffff;
        for partition in partitions {
            let share =
                Share { since: now, question: Some(question), free: None, announced: false };
            self.own.insert(*partition, share);
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.own.remove(partition);
        }
    }

    pub(super) fn renewed(&mut self, until: Instant) {
        self.lease = self.lease.max(Some(until));
    }

    pub(super) fn owns(&self, partition: i32) -> bool {
        self.own.contains_key(&partition)
    }

    pub(super) fn may_run(&self, partition: i32, now: Instant) -> bool {
        let free = self.own.get(&partition).and_then(|share| share.free);
        free.is_some_and(|free| now >= free) && self.lease.is_some_and(|until| now < until)
    }

    /// Looks at the clock. `reached` is the last question that has been answered, `alive` whether
    /// another worker has said that it runs something of a partition, and not that it has ended.
    pub(super) fn turn(&mut self, now: Instant, reached: u64, alive: impl Fn(i32) -> bool) -> Turn {
        let mut turn = Turn::default();
        let stands = self.lease.is_some_and(|until| now < until);
        if stands != self.stood {
            self.stood = stands;
            turn.changed = true;
            turn.lost = !stands && !self.own.is_empty();
        }
        for (partition, share) in &mut self.own {
            // Without an answer the worst is taken for true.
            let late = now >= share.since + LAST_OWNER;
            if share.question.is_some_and(|question| reached >= question || late) {
                let wait = if late || alive(*partition) { LAST_OWNER } else { Duration::ZERO };
                share.question = None;
                share.free = Some(share.since + wait);
            }
            if !share.announced && stands && share.free.is_some_and(|free| now >= free) {
                share.announced = true;
                turn.changed = true;
            }
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn joined() -> (Shares, Instant) {
        let now = Instant::now();
        let mut shares = Shares::default();
        shares.set_count(4);
        (shares, now)
    }

    #[test]
    fn a_partition_that_was_given_back_is_begun_with_at_once() {
        let (mut shares, now) = joined();
        shares.assigned(&[1], 7, now);
        shares.renewed(now + 10 * SECOND);
        assert!(shares.owns(1) && !shares.owns(2));
        assert!(!shares.may_run(1, now), "nobody knows yet what others do");
        assert!(shares.turn(now, 6, |_| false).changed, "the lease stands");
        assert!(!shares.may_run(1, now));
        assert_eq!(shares.turn(now, 7, |_| false), Turn { lost: false, changed: true });
        assert!(shares.may_run(1, now));
        assert_eq!(shares.turn(now, 7, |_| false), Turn::default());
        shares.revoked(&[1]);
        assert!(!shares.may_run(1, now));
    }

    #[test]
    fn a_partition_whose_owner_said_nothing_is_waited_for() {
        let (mut shares, now) = joined();
        shares.assigned(&[1, 2], 1, now);
        shares.renewed(now + 10 * SECOND);
        shares.turn(now, 1, |partition| partition == 2);
        assert!(shares.may_run(1, now) && !shares.may_run(2, now));
        assert_eq!(shares.turn(now + SECOND, 1, |_| true), Turn::default());
        assert!(shares.turn(now + LAST_OWNER, 1, |_| true).changed);
        assert!(shares.may_run(2, now + LAST_OWNER));
    }

    #[test]
    fn without_an_answer_the_last_owner_is_waited_for_as_well() {
        let (mut shares, now) = joined();
        shares.assigned(&[1], 1, now);
        shares.renewed(now + 10 * SECOND);
        shares.turn(now + SECOND, 0, |_| false);
        assert!(!shares.may_run(1, now + SECOND));
        shares.turn(now + LAST_OWNER, 0, |_| false);
        assert!(shares.may_run(1, now + LAST_OWNER));
    }

    #[test]
    fn nothing_runs_when_the_lease_has_run_out_until_it_is_renewed() {
        let (mut shares, now) = joined();
        shares.assigned(&[1], 1, now);
        shares.renewed(now + 10 * SECOND);
        // One that was sent before and comes later takes nothing away.
        shares.renewed(now + 9 * SECOND);
        shares.turn(now, 1, |_| false);
        assert!(shares.may_run(1, now + 9 * SECOND));
        let after = now + 10 * SECOND;
        assert!(!shares.may_run(1, after), "whether anybody has looked or not");
        assert_eq!(shares.turn(after, 1, |_| false), Turn { lost: true, changed: true });
        assert_eq!(shares.turn(after + SECOND, 1, |_| false), Turn::default());
        shares.renewed(after + 10 * SECOND);
        assert_eq!(shares.turn(after + SECOND, 1, |_| false), Turn { lost: false, changed: true });
        assert!(shares.may_run(1, after + SECOND));
    }
}
