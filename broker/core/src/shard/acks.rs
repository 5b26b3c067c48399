//! Acknowledgements that clients send: for what we sent them, and PUBREL for what they sent.

use bytes::Bytes;
use midge_codec::{Ack, PacketId, ProtocolVersion, QoS, ReasonCode};

use super::Shard;
use super::commits::{PUBCOMP, Waiter};
use super::deliver::PUBREL;
use crate::Now;
use crate::commit::{Operation, Position};
use crate::duty::Answer;
use crate::session::{Acknowledged, Inbound};
use crate::stored::{Key, delete};

impl Shard {
    pub(super) fn puback(&mut self, now: Now, index: u32, ack: &Ack) {
        let number = self.connection(index).session;
        let session = self.session(number);
        let position = session.outbound.flight.position(ack.packet_id);
        // [MQTT-4.8.2-6]: an error settles the message too; no other member of a shared
        // subscription is tried.
        let acknowledged = session.outbound.flight.puback(ack.packet_id);
        if let (Acknowledged::Finished, Some(stored)) = (&acknowledged, &session.stored)
            && session.outbound.low() <= position
        {
            // An earlier one is not finished, so trimming does not reach this one.
            let queue = stored.queue;
            self.write_lazily(Operation::Acknowledge { queue, position });
        }
        self.settle(now, index, ack.packet_id, &acknowledged);
    }

    pub(super) fn pubrec(&mut self, now: Now, index: u32, ack: &Ack) {
        let session = self.connection(index).session;
        let refused = ack.reason.is_error();
        let session = self.session(session);
        let stored = session.stored.is_some();
        let acknowledged = session.outbound.flight.pubrec(ack.packet_id, refused, stored);
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
        let number = self.connection(index).session;
        let session = self.session(number);
        let position = session.outbound.flight.position(ack.packet_id);
        let acknowledged = session.outbound.flight.pubcomp(ack.packet_id);
        if let (Acknowledged::Finished, Some(stored)) = (&acknowledged, &session.stored) {
            let released = Key::Released(stored.queue, position);
            self.write_lazily(delete(&released));
        }
        self.settle(now, index, ack.packet_id, &acknowledged);
    }

    fn settle(&mut self, now: Now, index: u32, id: PacketId, acknowledged: &Acknowledged) {
        match acknowledged {
            Acknowledged::Finished => {
                self.wire.stats.inflight -= 1;
                let session = self.connection(index).session;
                self.trim_later(session);
                self.refill(now, index);
            }
            Acknowledged::Releasing(position) => self.release_stored(index, *position),
            Acknowledged::Release => {
                let (connection, wire) = self.connection_and_wire(index);
                connection.acknowledge(PUBREL, id, ReasonCode::Success, wire);
            }
            Acknowledged::Wait | Acknowledged::Unknown => {}
        }
    }

    /// The receiver has a message. Were it told to forget the packet id before that is durable, a
    /// crash would send it the message again.
    fn release_stored(&mut self, index: u32, position: Position) {
        let number = self.connection(index).session;
        let session = &self.sessions[number as usize];
        let incarnation = session.incarnation;
        let Some(stored) = &session.stored else { return };
        let queue = stored.queue;
        let key = Key::Released(queue, position).bytes();
        let put = Operation::Put { key, version: None, value: Bytes::new() };
        let operations = vec![Operation::Acknowledge { queue, position }, put];
        self.commit(operations, Waiter::Pubrel { session: number, incarnation, position });
    }

    pub(super) fn pubrel(&mut self, now: Now, index: u32, ack: &Ack) {
        let number = self.connection(index).session;
        let session = self.session(number);
        let reason = match session.inbound.get(ack.packet_id) {
            Some(Inbound::AwaitPubrel) => {
                session.inbound.remove(ack.packet_id);
                let forgotten = session.inbound.forget_stored(ack.packet_id);
                if let Some(queue) =
                    session.stored.as_ref().filter(|_| forgotten).map(|it| it.queue)
                {
                    // Were the id the client's again before that is durable, a crash would take its
                    // next message for a repetition of this one.
                    let (incarnation, packet_id) = (session.incarnation, ack.packet_id);
                    session.inbound.begin_release(packet_id);
                    let operations = vec![delete(&Key::Inbound(queue, packet_id))];
                    let waiter = Waiter::Pubcomp { session: number, incarnation, packet_id };
                    return self.commit(operations, waiter);
                }
                ReasonCode::Success
            }
            None if session.inbound.is_releasing(ack.packet_id) => return,
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
