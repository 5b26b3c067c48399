//! The queues, the same for every engine: what each commit adds, and what it deletes.
//!
//! Message `i` goes to queue `i % QUEUES`, so everything follows from the number of a commit, and
//! whoever finds a store after a crash knows what has to be in it.

/// Queues with a consumer that follows.
const FOLLOWED: u64 = 100;
/// Queues that nobody drains.
const SLOW: u64 = 10;
/// All of them.
const QUEUES: u64 = FOLLOWED + SLOW;
/// Bytes of a message.
pub(crate) const PAYLOAD: usize = 256;

/// A load of queues.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// Messages a commit.
    pub(crate) group: u64,
    /// Messages that the consumers are behind.
    pub(crate) lag: u64,
}

/// A place in a queue, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) queue: u64,
    pub(crate) position: u64,
}

/// What becomes durable at once.
#[derive(Default)]
pub(crate) struct Commit {
    pub(crate) added: Vec<(Place, [u8; PAYLOAD])>,
    /// In order within each queue.
    pub(crate) deleted: Vec<Place>,
}

fn place(message: u64) -> Place {
    Place { queue: message % QUEUES, position: message / QUEUES + 1 }
}

/// Bytes that no compression makes smaller, different for each message.
pub(crate) fn payload(at: Place) -> [u8; PAYLOAD] {
    let mut bytes = [0; PAYLOAD];
    let mut state = (at.position * QUEUES + at.queue + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for word in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    bytes
}

impl Workload {
    /// The commit with this number, from 0.
    pub(crate) fn commit(self, number: u64) -> Commit {
        let messages = number * self.group..(number + 1) * self.group;
        let old = messages.clone().filter_map(|message| message.checked_sub(self.lag));
        Commit {
            added: messages.map(place).map(|at| (at, payload(at))).collect(),
            deleted: old.map(place).filter(|at| at.queue < FOLLOWED).collect(),
        }
    }

    /// What has to be there when so many commits were acknowledged: the next one, which may have
    /// been under way, may have deleted already.
    pub(crate) fn owed(self, commits: u64) -> impl Iterator<Item = Place> {
        let gone = ((commits + 1) * self.group).saturating_sub(self.lag);
        (0..commits * self.group)
            .map(move |message| (message, place(message)))
            .filter(move |(message, at)| at.queue >= FOLLOWED || *message >= gone)
            .map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_owed_is_what_was_added_and_not_deleted() {
        let load = Workload { group: 16, lag: 500 };
        let mut live = BTreeSet::new();
        for number in 0..100 {
            let owed: BTreeSet<Place> = load.owed(number).collect();
            let commit = load.commit(number);
            commit.deleted.iter().for_each(|at| assert!(live.remove(at), "{at:?} was there"));
            assert_eq!(owed, live, "before commit {number}");
            live.extend(commit.added.iter().map(|(at, _)| *at));
        }
        assert!(live.iter().any(|at| at.queue >= FOLLOWED && at.position == 1), "never drained");
    }

    #[test]
    fn payloads_differ() {
        let all: BTreeSet<_> = (0..1_000).map(|message| payload(place(message))).collect();
        assert_eq!(all.len(), 1_000);
    }
}
