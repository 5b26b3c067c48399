//! The packet ids of a client's publishes that are not finished, toward the server.
//!
//! Ids that only wait for their PUBREL are bits: all 65,535 of them, which 3.1.1 lets a client use
//! at once, take a few kilobytes.

use std::collections::{BTreeMap, BTreeSet};

use midge_codec::PacketId;

use crate::DutyId;

/// A QoS 1 or 2 publish of the client that is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// Its acknowledgement waits for a duty.
    Duty(DutyId),
    /// QoS 2: PUBREC is out, PUBREL has not come ([MQTT-4.3.3-10]).
    AwaitPubrel,
}

/// Costs a pointer until the client first publishes what is not finished at once.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(Option<Box<Ids>>);

#[derive(Debug, Default)]
struct Ids {
    duties: BTreeMap<PacketId, DutyId>,
    /// By the id's high byte, a bit for each low byte; never empty.
    unreleased: BTreeMap<u8, [u64; 4]>,
    unreleased_count: usize,
    /// Those among them that the store knows.
    stored: BTreeSet<PacketId>,
    /// Those that have been released, and whose PUBCOMP waits until the store has forgotten them.
    releasing: BTreeSet<PacketId>,
}

/// Where the bit of an id is: its block, the word in it, the mask.
fn place(id: PacketId) -> (u8, usize, u64) {
    let [high, low] = id.get().to_be_bytes();
    (high, usize::from(low / 64), 1 << (low % 64))
}

impl Unfinished {
    pub(crate) fn get(&self, id: PacketId) -> Option<Inbound> {
        let ids = self.0.as_deref()?;
        if let Some(duty) = ids.duties.get(&id) {
            return Some(Inbound::Duty(*duty));
        }
        let (block, word, bit) = place(id);
        let unreleased = ids.unreleased.get(&block).is_some_and(|bits| bits[word] & bit != 0);
        unreleased.then_some(Inbound::AwaitPubrel)
    }

    /// Takes the place of what was known under this id.
    pub(crate) fn insert(&mut self, id: PacketId, inbound: Inbound) {
        self.remove(id);
        let ids = self.0.get_or_insert_default();
        match inbound {
            Inbound::Duty(duty) => {
                ids.duties.insert(id, duty);
            }
            Inbound::AwaitPubrel => {
                let (block, word, bit) = place(id);
                ids.unreleased.entry(block).or_default()[word] |= bit;
                ids.unreleased_count += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, id: PacketId) {
        let Some(ids) = self.0.as_deref_mut() else { return };
        if ids.duties.remove(&id).is_some() {
            return;
        }
        let (block, word, bit) = place(id);
        let Some(bits) = ids.unreleased.get_mut(&block).filter(|bits| bits[word] & bit != 0) else {
            return;
        };
        bits[word] &= !bit;
        if *bits == [0; 4] {
            ids.unreleased.remove(&block);
        }
        ids.unreleased_count -= 1;
    }

    /// That this QoS 2 id has been taken is being stored.
    pub(crate) fn store(&mut self, id: PacketId) {
        self.0.get_or_insert_default().stored.insert(id);
    }

    /// The store need not remember this id any more; whether it does.
    pub(crate) fn forget_stored(&mut self, id: PacketId) -> bool {
        self.0.as_deref_mut().is_some_and(|ids| ids.stored.remove(&id))
    }

    /// Released, but the store still has to forget it.
    pub(crate) fn begin_release(&mut self, id: PacketId) {
        self.0.get_or_insert_default().releasing.insert(id);
    }

    /// The store has forgotten it.
    pub(crate) fn end_release(&mut self, id: PacketId) {
        if let Some(ids) = self.0.as_deref_mut() {
            ids.releasing.remove(&id);
        }
    }

    /// Whether its PUBCOMP waits.
    pub(crate) fn is_releasing(&self, id: PacketId) -> bool {
        self.0.as_deref().is_some_and(|ids| ids.releasing.contains(&id))
    }

    /// The ids that the store knows.
    pub(crate) fn stored(&self) -> impl Iterator<Item = PacketId> + '_ {
        self.0.iter().flat_map(|ids| ids.stored.iter().copied())
    }

    /// All of them.
    pub(crate) fn len(&self) -> usize {
        self.0.as_deref().map_or(0, |ids| ids.duties.len() + ids.unreleased_count)
    }

    /// Those that wait for a duty.
    pub(crate) fn duties(&self) -> usize {
        self.0.as_deref().map_or(0, |ids| ids.duties.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_known_until_it_is_removed() {
        let ids = || (1..=u16::MAX).filter_map(PacketId::new);
        let mut unfinished = Unfinished::default();
        for id in ids() {
            assert_eq!(unfinished.get(id), None);
            unfinished.insert(id, Inbound::AwaitPubrel);
            unfinished.insert(id, Inbound::AwaitPubrel);
            assert_eq!(unfinished.get(id), Some(Inbound::AwaitPubrel));
        }
        assert_eq!(unfinished.len(), 65_535);
        for id in ids() {
            unfinished.remove(id);
            unfinished.remove(id);
            assert_eq!(unfinished.get(id), None);
        }
        assert_eq!(unfinished.len(), 0);
        assert!(unfinished.0.is_some_and(|ids| ids.unreleased.is_empty()));
    }

    #[test]
    fn an_id_is_in_one_state_at_a_time() {
        let id = PacketId::MAX;
        let mut unfinished = Unfinished::default();
        unfinished.insert(id, Inbound::Duty(DutyId(3)));
        assert_eq!((unfinished.len(), unfinished.duties()), (1, 1));
        unfinished.insert(id, Inbound::AwaitPubrel);
        assert_eq!(unfinished.get(id), Some(Inbound::AwaitPubrel));
        assert_eq!((unfinished.len(), unfinished.duties()), (1, 0));
        unfinished.insert(id, Inbound::Duty(DutyId(4)));
        assert_eq!(unfinished.get(id), Some(Inbound::Duty(DutyId(4))));
        unfinished.remove(id);
        assert_eq!(unfinished.len(), 0);
    }
}
