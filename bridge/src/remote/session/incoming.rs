//! Messages that came with QoS 1 or 2 and what the broker has been told of them.
//!
//! Invariant: a message is one, however often the broker gives it, as long as both still have the
//! session: a redelivery joins what waits under its packet id. Ids are remembered until the broker
//! has let go of them; there are no more than packet ids.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use midge_codec::{Ack, Packet, PacketId, PacketType, Publish, QoS, ReasonCode};

use super::fault::{Fault, wrong_id};

/// Names a message that waits for its acknowledgement; no other of the session has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Receipt(pub(crate) u64);

/// What a PUBLISH was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// A new message; QoS 0 has no receipt.
    New(Option<Receipt>),
    /// One that waits already.
    Again,
    /// One that is done with, as the broker is told again.
    Answered(Packet),
}

#[derive(Default)]
pub(super) struct Incoming {
    messages: HashMap<PacketId, Message>,
    by_receipt: HashMap<Receipt, PacketId>,
    next: u64,
}

struct Message {
    receipt: Receipt,
    qos: QoS,
    /// Tells another message under the same packet id.
    fingerprint: u64,
    state: State,
    /// Whether it came on the present connection.
    attached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not been taken yet.
    Waiting,
    /// It has been taken, which the broker does not know.
    Taken,
    /// PUBREC has been sent (QoS 2).
    Received,
}

impl Incoming {
    /// The broker has no session: packet ids mean nothing any more.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.by_receipt.clear();
    }

    /// The connection is gone: nothing is acknowledged on another one before it comes there.
    pub(super) fn lost(&mut self) {
        self.messages.values_mut().for_each(|message| message.attached = false);
    }

    pub(super) fn publish(&mut self, publish: &Publish) -> Result<Came, Fault> {
        let Some(packet_id) = publish.packet_id else { return Ok(Came::New(None)) };
        let fingerprint = fingerprint(publish);
        if let Some(message) = self.messages.get_mut(&packet_id) {
            // A redelivery has DUP [MQTT-3.3.1-1] and the bytes it had. Without DUP it is another
            // message that may say the same: to take it for this one would lose it.
            let same = (message.qos, message.fingerprint) == (publish.qos, fingerprint);
            if publish.dup && same {
                message.attached = true;
                return Ok(match message.state {
                    State::Waiting => Came::Again,
                    State::Taken | State::Received => {
                        let receipt = message.receipt;
                        self.answer(receipt).map_or(Came::Again, Came::Answered)
                    }
                });
            }
            if message.attached {
                let expected = "a packet id that is not in use";
                return Err(wrong_id(PacketType::Publish, packet_id, expected));
            }
            // The broker knows nothing of the other message any more.
            let receipt = message.receipt;
            self.by_receipt.remove(&receipt);
        }
        let receipt = Receipt(self.next);
        self.next += 1;
        let (qos, state) = (publish.qos, State::Waiting);
        let message = Message { receipt, qos, fingerprint, state, attached: true };
        self.messages.insert(packet_id, message);
        self.by_receipt.insert(receipt, packet_id);
        Ok(Came::New(Some(receipt)))
    }

    /// A message has been taken; what the broker is told, if it can be told now.
    pub(super) fn acknowledge(&mut self, receipt: Receipt) -> Option<Packet> {
        let message = self.messages.get_mut(self.by_receipt.get(&receipt)?)?;
        if message.state == State::Waiting {
            message.state = State::Taken;
        }
        let attached = message.attached;
        attached.then(|| self.answer(receipt)).flatten()
    }

    /// Tells the broker of a message that has been taken.
    fn answer(&mut self, receipt: Receipt) -> Option<Packet> {
        let packet_id = *self.by_receipt.get(&receipt)?;
        let message = self.messages.get_mut(&packet_id)?;
        if message.qos == QoS::ExactlyOnce {
            message.state = State::Received;
            return Some(Packet::Pubrec(ack(packet_id)));
        }
        // Now the broker may use the id for another message.
        self.forget(receipt);
        Some(Packet::Puback(ack(packet_id)))
    }

    /// A message is as if it had never come.
    pub(super) fn forget(&mut self, receipt: Receipt) {
        if let Some(packet_id) = self.by_receipt.remove(&receipt) {
            self.messages.remove(&packet_id);
        }
    }

    /// The broker lets go of a message of QoS 2; what it is told. A PUBREL that comes again, since
    /// our PUBCOMP was lost, is told the same.
    pub(super) fn pubrel(&mut self, packet_id: PacketId) -> Result<Packet, Fault> {
        match self.messages.get(&packet_id) {
            Some(Message { state: State::Received, receipt, .. }) => {
                let receipt = *receipt;
                self.forget(receipt);
            }
            // It was another message's, of which we know no more than the broker of ours.
            Some(message) if message.attached => {
                let expected = "the id of a message with PUBREC";
                return Err(wrong_id(PacketType::Pubrel, packet_id, expected));
            }
            _ => {}
        }
        Ok(Packet::Pubcomp(ack(packet_id)))
    }
}

fn ack(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}

fn fingerprint(publish: &Publish) -> u64 {
    let mut hasher = DefaultHasher::new();
    publish.topic.hash(&mut hasher);
    publish.payload.hash(&mut hasher);
    hasher.finish()
}
