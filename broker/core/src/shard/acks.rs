//! Acknowledgements that clients send: for what we sent them, and PUBREL for what they sent.

use midge_codec::{Ack, PacketId, ProtocolVersion, QoS, ReasonCode};

use super::Shard;
use super::deliver::PUBREL;
use crate::Now;
use crate::duty::Answer;
use crate::session::{Acknowledged, Inbound};

/// First byte of PUBCOMP (3.7.1).
const PUBCOMP: u8 = 0x70;

impl Shard {
    pub(super) fn puback(&mut self, now: Now, index: u32, ack: &Ack) {
        let session = self.connection(index).session;
        // [MQTT-4.8.2-6]: an error settles the message too; no other member of a shared
        // subscription is tried.
        let acknowledged = self.session(session).outbound.puback(ack.packet_id);
        self.settle(now, index, ack.packet_id, &acknowledged);
    }

    pub(super) fn pubrec(&mut self, now: Now, index: u32, ack: &Ack) {
        let session = self.connection(index).session;
        let refused = ack.reason.is_error();
        let acknowledged = self.session(session).outbound.pubrec(ack.packet_id, refused);
        match acknowledged {
            Acknowledged::Unknown if !refused => {
                // [MQTT-4.3.3-4] asks for a PUBREL; in 5 it says that the id is not known.
                let (connection, wire) = self.connection_and_wire(index);
                let reason = ReasonCode::PacketIdentifierNotFound;
                connection.acknowledge(PUBREL, ack.packet_id, reason, wire);
            }
            acknowledged => self.settle(now, index, ack.packet_id, &acknowledged),
        }
    }

    pub(super) fn pubcomp(&mut self, now: Now, index: u32, ack: &Ack) {
        let session = self.connection(index).session;
        let acknowledged = self.session(session).outbound.pubcomp(ack.packet_id);
        self.settle(now, index, ack.packet_id, &acknowledged);
    }

    fn settle(&mut self, now: Now, index: u32, id: PacketId, acknowledged: &Acknowledged) {
        match acknowledged {
            Acknowledged::Finished => {
                self.wire.stats.inflight -= 1;
                self.refill(now, index);
            }
            Acknowledged::Release => {
                let (connection, wire) = self.connection_and_wire(index);
                connection.acknowledge(PUBREL, id, ReasonCode::Success, wire);
            }
            Acknowledged::Unknown => {}
        }
    }

    pub(super) fn pubrel(&mut self, now: Now, index: u32, ack: &Ack) {
        let number = self.connection(index).session;
        let session = self.session(number);
        let reason = match session.inbound.get(ack.packet_id) {
            Some(Inbound::AwaitPubrel) => {
                session.inbound.remove(ack.packet_id);
                ReasonCode::Success
            }
            // Released before it was received: the client breaks the flow (4.3.3).
            Some(Inbound::Duty(duty)) => {
                let answer = self.duties.get_mut(duty).map(|duty| duty.answer);
                if let Some(Answer::Client { qos: QoS::ExactlyOnce, .. }) = answer {
                    return self.close(now, index, Some(ReasonCode::ProtocolError));
                }
                ReasonCode::PacketIdentifierNotFound
            }
            // [MQTT-4.3.3-11]: our PUBCOMP was lost; 5 is told that nothing was there.
            None => ReasonCode::PacketIdentifierNotFound,
        };
        let (connection, wire) = self.connection_and_wire(index);
        let reason = match connection.version {
            ProtocolVersion::V5 => reason,
            _ => ReasonCode::Success,
        };
        connection.acknowledge(PUBCOMP, ack.packet_id, reason, wire);
    }
}
