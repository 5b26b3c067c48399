//! Positions in a queue of messages that were sent under packet ids.
//!
//! A packet id follows from a position, so the position is chosen to give the id that the receiver
//! knows. All positions in flight lie within 65,535 of each other, as a shard needs them.

use std::collections::BTreeMap;

use midge_codec::PacketId;
use midge_core::Position;

const PACKET_IDS: u64 = 65_535;

pub(super) struct Positions {
    sent: BTreeMap<PacketId, Position>,
    next: Position,
}

impl Positions {
    /// Positions for these packet ids, in the order in which they were sent.
    pub(super) fn of(ids: impl Iterator<Item = PacketId>) -> Positions {
        let mut sent = BTreeMap::new();
        let mut first = None;
        let mut last = 0;
        for id in ids {
            let first = *first.get_or_insert(u64::from(id.get()));
            // Behind the one before, at the next place that has this id.
            let ahead = (u64::from(id.get()) + PACKET_IDS - 1 - last % PACKET_IDS) % PACKET_IDS;
            let mut position = last + 1 + ahead;
            if position >= first + PACKET_IDS {
                // Ids that were not given in order: exactly once needs the id, and it comes before
                // the order.
                position = first + (position - first) % PACKET_IDS;
            }
            // One that is there twice is sent anew the second time.
            if sent.contains_key(&id) {
                continue;
            }
            sent.insert(id, position);
            last = last.max(position);
        }
        Positions { sent, next: last + 1 }
    }

    /// The position of a packet id, once.
    pub(super) fn sent(&mut self, id: PacketId) -> Option<Position> {
        self.sent.remove(&id)
    }

    /// The next position behind all others.
    pub(super) fn next(&mut self) -> Position {
        self.next += 1;
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use midge_core::packet_id;

    use super::*;

    fn positions(ids: &[u16]) -> Vec<Option<Position>> {
        let ids: Vec<PacketId> = ids.iter().filter_map(|id| PacketId::new(*id)).collect();
        let mut positions = Positions::of(ids.iter().copied());
        let given: Vec<_> = ids.iter().map(|id| positions.sent(*id)).collect();
        for (id, position) in ids.iter().zip(&given) {
            assert!(
                position.is_none_or(|position| packet_id(position) == *id),
                "{id} {position:?}"
            );
        }
        let behind = positions.next();
        assert!(given.iter().flatten().all(|position| *position < behind));
        assert_eq!(positions.next(), behind + 1);
        let known = given.iter().flatten();
        let span = known.clone().max().unwrap_or(&0) - known.min().unwrap_or(&0);
        assert!(span < PACKET_IDS, "{given:?}");
        given
    }

    #[test]
    fn packet_ids_keep_their_numbers_and_their_order() {
        assert_eq!(positions(&[]), []);
        assert_eq!(positions(&[1, 2, 3]), [Some(1), Some(2), Some(3)]);
        assert_eq!(positions(&[7, 9, 12]), [Some(7), Some(9), Some(12)]);
        assert_eq!(
            positions(&[65_534, 65_535, 1, 2]),
            [Some(65_534), Some(65_535), Some(65_536), Some(65_537)]
        );
        assert_eq!(positions(&[5, 3]), [Some(5), Some(65_538)]);
    }

    #[test]
    fn packet_ids_in_disorder_keep_their_numbers() {
        assert_eq!(positions(&[5, 3, 7, 6]), [Some(5), Some(65_538), Some(7), Some(6)]);
        assert_eq!(positions(&[65_535, 65_534, 65_533]).iter().flatten().count(), 3);
        let backwards: Vec<u16> = (1..=65_535).rev().collect();
        let mut all: Vec<_> = positions(&backwards).into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 65_535);
    }

    #[test]
    fn a_packet_id_that_is_there_twice_is_given_once() {
        assert_eq!(positions(&[4, 4, 5]), [Some(4), None, Some(5)]);
    }
}
