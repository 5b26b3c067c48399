//! QoS 1 and 2 messages in flight to one client.
//!
//! Slots stand in the order of positions, from which packet ids follow: an acknowledgement finds its
//! slot by arithmetic, resending keeps the order, and an id is never in use twice because the slots
//! never span more than 65,535.

use std::collections::VecDeque;

use midge_codec::{PacketId, QoS};

use super::Delivery;
use crate::commit::Position;

pub(super) const PACKET_IDS: u64 = 65_535;

/// A slot in flight.
#[derive(Clone, Debug)]
pub(crate) enum Inflight {
    /// QoS 1: PUBLISH is out.
    AwaitPuback(Delivery),
    /// QoS 2: PUBLISH is out.
    AwaitPubrec(Delivery),
    /// QoS 2: the receiver has the message; PUBREL waits until that is durable.
    Releasing,
    /// QoS 2: PUBREL is out, the message is the receiver's ([MQTT-4.3.3-6]).
    AwaitPubcomp,
    /// Finished before an earlier slot.
    Done,
}

/// What an acknowledgement did.
#[derive(Debug)]
pub(crate) enum Acknowledged {
    /// The exchange has ended.
    Finished,
    /// PUBREL is due.
    Release,
    /// PUBREL is due once it is durable that the message at this position is released.
    Releasing(Position),
    /// That it is released is on its way to the disk already.
    Wait,
    /// No such packet id, or not in this state.
    Unknown,
}

/// How much may be in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) messages: usize,
    /// One message is always allowed, however large.
    pub(crate) bytes: usize,
}

/// The packet id under which the message at a position is sent, the same in every run.
pub fn packet_id(position: Position) -> PacketId {
    PacketId::new(((position - 1) % PACKET_IDS) as u16 + 1).expect("1 to 65,535")
}

#[derive(Debug)]
pub(crate) struct Flight {
    /// Position of the first slot.
    first: Position,
    slots: VecDeque<Inflight>,
    /// Slots that are not [`Inflight::Done`].
    open: usize,
    /// So many slots, from the first, have been sent on the present connection; the others were
    /// sent on an earlier one and wait for room in the window.
    sent: usize,
    /// The open ones among them.
    sent_open: usize,
    /// Bytes of messages in flight.
    open_bytes: usize,
}

impl Default for Flight {
    fn default() -> Flight {
        let slots = VecDeque::new();
        Flight { first: 1, slots, open: 0, sent: 0, sent_open: 0, open_bytes: 0 }
    }
}

impl Flight {
    /// Messages under way.
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// Whether all has been sent on the present connection.
    pub(super) fn is_all_sent(&self) -> bool {
        self.sent == self.slots.len()
    }

    /// The lowest position in flight.
    pub(super) fn low(&self) -> Option<Position> {
        (!self.slots.is_empty()).then_some(self.first)
    }

    /// Whether the QoS 1 or 2 message at this position may be sent ([MQTT-3.3.4-9]).
    pub(super) fn has_room(&self, window: Window, position: Position) -> bool {
        let end = self.first + self.slots.len() as u64;
        self.sent == self.slots.len()
            && self.open < window.messages
            && (self.open_bytes == 0 || self.open_bytes < window.bytes)
            && (self.slots.is_empty()
                || end.max(position + 1) - self.first.min(position) <= PACKET_IDS)
    }

    /// Puts the message in flight that has been sent last.
    pub(super) fn start(&mut self, delivery: Delivery) {
        let position = delivery.position;
        self.open_bytes += delivery.message.bytes();
        let slot = match delivery.shape.qos {
            QoS::ExactlyOnce => Inflight::AwaitPubrec(delivery),
            _ => Inflight::AwaitPuback(delivery),
        };
        self.place(position, slot);
        self.sent = self.slots.len();
        self.sent_open += 1;
    }

    /// Puts an open slot in its place among the others.
    pub(super) fn place(&mut self, position: Position, slot: Inflight) {
        if self.slots.is_empty() {
            self.first = position;
        }
        while position < self.first {
            self.slots.push_front(Inflight::Done);
            self.first -= 1;
        }
        while position >= self.first + self.slots.len() as u64 {
            self.slots.push_back(Inflight::Done);
        }
        self.slots[(position - self.first) as usize] = slot;
        self.open += 1;
    }

    /// PUBACK.
    pub(crate) fn puback(&mut self, id: PacketId) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPuback(_)) => {
                let before = std::mem::replace(slot, Inflight::Done);
                self.release(&before);
                self.finish()
            }
            _ => Acknowledged::Unknown,
        }
    }

    /// PUBREC; `refused`: its Reason Code was an error, which ends the exchange ([MQTT-4.4.0-2]);
    /// `stored`: that it has come is to be made durable.
    pub(crate) fn pubrec(&mut self, id: PacketId, refused: bool, stored: bool) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPubrec(_)) if refused => {
                let before = std::mem::replace(slot, Inflight::Done);
                self.release(&before);
                self.finish()
            }
            Some(slot @ Inflight::AwaitPubrec(_)) => {
                let next = if stored { Inflight::Releasing } else { Inflight::AwaitPubcomp };
                let before = std::mem::replace(slot, next);
                self.release(&before);
                match before {
                    Inflight::AwaitPubrec(delivery) if stored => {
                        Acknowledged::Releasing(delivery.position)
                    }
                    _ => Acknowledged::Release,
                }
            }
            Some(Inflight::Releasing) => Acknowledged::Wait,
            // A repeated PUBREC means our PUBREL was lost.
            Some(Inflight::AwaitPubcomp) => Acknowledged::Release,
            _ => Acknowledged::Unknown,
        }
    }

    /// The commit of the message at this position is durable; whether it is in flight.
    pub(super) fn committed(&mut self, position: Position) -> bool {
        let place = position.checked_sub(self.first);
        match place.and_then(|place| self.slots.get_mut(place as usize)) {
            Some(Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery)) => {
                delivery.uncommitted = false;
                true
            }
            _ => false,
        }
    }

    /// That a message is released is durable; whether its PUBREL is to be sent now.
    pub(crate) fn released(&mut self, position: Position) -> bool {
        let Some(place) = position.checked_sub(self.first) else { return false };
        match self.slots.get_mut(place as usize) {
            Some(slot @ Inflight::Releasing) => {
                *slot = Inflight::AwaitPubcomp;
                (place as usize) < self.sent
            }
            _ => false,
        }
    }

    /// The position in flight under a packet id.
    pub(crate) fn position(&self, id: PacketId) -> Position {
        self.first + self.offset(id) as u64
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, id: PacketId) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPubcomp) => {
                *slot = Inflight::Done;
                self.finish()
            }
            _ => Acknowledged::Unknown,
        }
    }

    /// The receiver has the message: its bytes are in flight no more.
    fn release(&mut self, slot: &Inflight) {
        if let Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery) = slot {
            self.open_bytes -= delivery.message.bytes();
        }
    }

    /// How far behind the first slot the one of a packet id is.
    fn offset(&self, id: PacketId) -> usize {
        let first = (self.first - 1) % PACKET_IDS;
        ((u64::from(id.get()) - 1 + PACKET_IDS - first) % PACKET_IDS) as usize
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Inflight> {
        let offset = self.offset(id);
        // What this connection has not been sent cannot be acknowledged on it.
        if offset < self.sent { self.slots.get_mut(offset) } else { None }
    }

    fn finish(&mut self) -> Acknowledged {
        self.open -= 1;
        self.sent_open -= 1;
        self.pop_done();
        Acknowledged::Finished
    }

    fn pop_done(&mut self) {
        while let Some(Inflight::Done) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
            // After a reconnect also slots that were done before may not have been passed yet.
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// Gives up a message that was to be sent again.
    pub(crate) fn abandon(&mut self, id: PacketId) {
        if let Some(slot) = self.slot(id) {
            let before = std::mem::replace(slot, Inflight::Done);
            self.release(&before);
            self.finish();
        }
    }

    /// Bytes of messages in flight.
    pub(crate) fn bytes(&self) -> usize {
        self.open_bytes
    }

    /// A new connection: all that is in flight is to be sent again ([MQTT-4.4.0-1]).
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
        self.sent_open = 0;
    }

    /// The next slot to be sent again, in the order they were first sent. A PUBLISH waits for room
    /// in the window, which may be smaller than it was.
    pub(crate) fn next_resend(&mut self, window: Window) -> Option<(PacketId, &Inflight)> {
        loop {
            match self.slots.get(self.sent)? {
                Inflight::Done => {}
                // Its PUBREL goes out by itself.
                Inflight::Releasing => self.sent_open += 1,
                _ => break,
            }
            self.sent += 1;
        }
        let slot = self.slots.get(self.sent)?;
        if !matches!(slot, Inflight::AwaitPubcomp) && self.sent_open >= window.messages {
            return None;
        }
        let id = packet_id(self.first + self.sent as u64);
        self.sent += 1;
        self.sent_open += 1;
        Some((id, slot))
    }

    /// Takes what was sent at QoS 1 for a shared subscription and not acknowledged: another member
    /// gets it when this session ends (4.8.2).
    pub(crate) fn take_shared(&mut self) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for slot in &mut self.slots {
            if let Inflight::AwaitPuback(delivery) = slot
                && delivery.shape.shared.is_some()
            {
                taken.push(delivery.clone());
            }
        }
        taken
    }

    /// Takes all messages whose receiver does not have them for sure.
    pub(super) fn recall(&mut self) -> Vec<Delivery> {
        let mut recalled = Vec::new();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Inflight::AwaitPuback(_) | Inflight::AwaitPubrec(_)) {
                self.open -= 1;
                self.sent_open -= usize::from(place < self.sent);
                let slot = std::mem::replace(slot, Inflight::Done);
                if let Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery) = slot {
                    recalled.push(delivery);
                }
            }
        }
        self.open_bytes = 0;
        self.pop_done();
        recalled
    }

    /// Positions that are released but not completed.
    pub(crate) fn unreleased(&self) -> impl Iterator<Item = Position> + '_ {
        self.slots.iter().zip(self.first..).filter_map(|(slot, position)| {
            matches!(slot, Inflight::Releasing | Inflight::AwaitPubcomp).then_some(position)
        })
    }
}
