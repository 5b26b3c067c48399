//! Deliberate breakages, one a rule: they prove that the simulation would notice.
//!
//! Each is done by what drives the shards, never by the shards themselves.

use midge_core::{Operation, StoredEntry};

use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Syncs say that they worked and do nothing.
    SyncNothing,
    /// Commits are told to be durable when they are submitted.
    DurableWhenSubmitted,
    /// The one after the last durable commit is told to be durable.
    DurableOneAhead,
    /// An entry loses one of its references.
    DropReference,
    /// An entry is not stored at all.
    DropAppend,
    /// That a QoS 2 packet id has been taken is not stored.
    ForgetPacketId,
    /// That a receiver has a QoS 2 message is not stored.
    ForgetReleased,
    /// Acknowledgements of single entries are not stored.
    ForgetAcknowledge,
    /// A subscription is not stored.
    ForgetSubscription,
    /// That a subscription is gone is not stored.
    KeepSubscription,
    /// A session is not stored.
    ForgetSession,
    /// A retained message is not stored.
    ForgetRetained,
    /// Trims reach one entry too far.
    TrimTooFar,
    /// What is done with is never told to the store.
    NeverDone,
    /// The queues of sessions that ended stay.
    NeverRemove,
    /// Two entries of a queue change places.
    SwapEntries,
    /// A load leaves out an entry.
    SkipLoaded,
    /// A letter between shards is lost: what another shard committed is durable.
    LoseCommitted,
    /// A letter between shards overtakes another.
    LettersOvertake,
    /// The positions that were used before a crash are used again.
    ForgetPositions,
    /// What the spool commits it takes for durable at once.
    SpoolDurableEarly,
    /// After a producer has failed the lowest unfinished entry of the spool is passed over.
    RewindSkips,
    /// Two messages that were taken from the spool change places.
    SwapTakes,
}

impl Mutation {
    /// Whether it takes a spool.
    pub(crate) fn is_of_the_spool(self) -> bool {
        matches!(self, Mutation::SpoolDurableEarly | Mutation::RewindSkips | Mutation::SwapTakes)
    }
}

/// Applies a mutation to what passes by.
#[derive(Debug)]
pub(crate) struct Spoiler {
    mutation: Option<Mutation>,
    random: Random,
}

impl Spoiler {
    pub(crate) fn new(mutation: Option<Mutation>, seed: u64) -> Spoiler {
        Spoiler { mutation, random: Random::new(!seed) }
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether this one is to be spoiled: `percent` of them are.
    pub(crate) fn strikes(&mut self, mutation: Mutation, percent: usize) -> bool {
        self.is(mutation) && self.random.chance(percent)
    }

    pub(crate) fn spoil(&mut self, operations: &mut Vec<Operation>) {
        let Some(mutation) = self.mutation else { return };
        let begins = |key: &[u8], letter: u8| key.first() == Some(&letter);
        operations.retain(|operation| match (mutation, operation) {
            (Mutation::DropAppend, Operation::Append { .. }) => !self.random.chance(3),
            (Mutation::ForgetPacketId, Operation::Put { key, .. }) => !begins(key, b'I'),
            (Mutation::ForgetReleased, Operation::Put { key, .. }) => !begins(key, b'R'),
            (Mutation::ForgetAcknowledge, Operation::Acknowledge { .. }) => false,
            (Mutation::ForgetSubscription, Operation::Put { key, .. }) => !begins(key, b'F'),
            (Mutation::KeepSubscription, Operation::Delete { key, .. }) => !begins(key, b'F'),
            (Mutation::ForgetSession, Operation::Put { key, .. }) => !begins(key, b'S'),
            (Mutation::ForgetRetained, Operation::Put { key, .. }) => !begins(key, b'T'),
            (Mutation::NeverDone, Operation::Trim { .. } | Operation::Acknowledge { .. }) => false,
            (Mutation::NeverRemove, Operation::Remove { .. }) => false,
            _ => true,
        });
        for operation in operations {
            match (mutation, operation) {
                (Mutation::DropReference, Operation::Append { to, .. })
                    if to.len() > 1 && self.random.chance(50) =>
                {
                    to.pop();
                }
                (Mutation::TrimTooFar, Operation::Trim { below, .. }) => *below += 1,
                (Mutation::SwapEntries, Operation::Append { to, .. }) => {
                    for reference in to {
                        // 8 becomes 9 and 9 becomes 8.
                        reference.position ^= 1;
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn spoil_loaded(&mut self, entries: &mut Vec<StoredEntry>) {
        if entries.len() > 1 && self.strikes(Mutation::SkipLoaded, 30) {
            entries.remove(0);
        }
    }
}
