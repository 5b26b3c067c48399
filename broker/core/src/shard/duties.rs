//! When a QoS 1 or 2 publish is acknowledged: at once when nobody has to be waited for, otherwise
//! when its duty is met; and what a repetition of it gets.

use std::hash::{BuildHasher, Hasher};

use midge_codec::{PacketId, PacketType, ProtocolVersion, QoS, ReasonCode, TopicName};

use super::Shard;
use crate::connection::paused;
use crate::duty::{Answer, Duty};
use crate::session::Inbound;
use crate::stored::{Key, delete};
use crate::{DutyId, Now, Out, Ticket};

/// First bytes of PUBACK (3.4.1) and PUBREC (3.5.1).
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;

/// A publish that is to be acknowledged; becomes a [`Duty`] when somebody has to be waited for.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) by: Publisher,
    pub(super) duty: Option<DutyId>,
}

/// Who waits for an acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Publisher {
    /// A client, connected in the slot `index`.
    Client { index: u32, session: u32, packet_id: PacketId, qos: QoS },
    /// The bridge or the embedding program.
    Ticket(Ticket),
}

impl Shard {
    /// Handles a publish whose packet id is in use: a repetition of one not finished.
    pub(super) fn is_repeated(
        &mut self,
        index: u32,
        number: u32,
        packet_id: PacketId,
        qos: QoS,
        (topic, payload): (&TopicName, &[u8]),
    ) -> bool {
        match self.session(number).inbound.get(packet_id) {
            None => false,
            // [MQTT-4.3.3-10]: it has been taken; the PUBREC was lost.
            Some(Inbound::AwaitPubrel) if qos == QoS::ExactlyOnce => {
                let (connection, wire) = self.connection_and_wire(index);
                connection.acknowledge(PUBREC, packet_id, ReasonCode::Success, wire);
                true
            }
            // The id was never released; as QoS 1 it is a new message all the same.
            Some(Inbound::AwaitPubrel) => {
                self.session(number).inbound.remove(packet_id);
                self.forget_inbound(number, packet_id);
                false
            }
            // The duty under way answers this repetition too. Another message under the same id
            // takes its place: the client does not wait for the old one any more.
            Some(Inbound::Duty(duty)) => {
                let digest = self.digest(topic, payload);
                let open = self.duties.get_mut(duty).map(|duty| duty.answer);
                let same = matches!(
                    open,
                    Some(Answer::Client { digest: of, qos: at, .. }) if of == digest && at == qos
                );
                if !same {
                    self.session(number).inbound.remove(packet_id);
                }
                same
            }
        }
    }

    /// Somebody has to be waited for before the acknowledgement: counts it.
    pub(super) fn duty_waits(
        &mut self,
        publish: &mut Unacknowledged,
        topic: &TopicName,
        payload: &[u8],
    ) -> DutyId {
        let id = match publish.duty {
            Some(id) => id,
            None => {
                let answer = match publish.by {
                    Publisher::Ticket(ticket) => Answer::Ticket(ticket),
                    Publisher::Client { session, packet_id, qos, .. } => Answer::Client {
                        session,
                        incarnation: self.sessions[session as usize].incarnation,
                        packet_id,
                        qos,
                        digest: self.digest(topic, payload),
                    },
                };
                let worst = ReasonCode::Success;
                let id = self.duties.open(Duty { answer, pending: 1, worst, gathering: None });
                if let Publisher::Client { session, packet_id, .. } = publish.by {
                    self.session(session).inbound.insert(packet_id, Inbound::Duty(id));
                }
                id
            }
        };
        publish.duty = Some(id);
        if let Some(duty) = self.duties.get_mut(id) {
            duty.pending += 1;
        }
        id
    }

    /// Routing has ended: acknowledges, unless a duty is open that will.
    pub(super) fn routed(&mut self, now: Now, publish: &Unacknowledged, reason: ReasonCode) {
        if let Some(duty) = publish.duty {
            self.duty_met(now, duty, reason);
        }
        match publish.by {
            Publisher::Ticket(ticket) if publish.duty.is_none() => {
                self.wire.outs.push_back(Out::Injected { ticket, reason });
            }
            Publisher::Ticket(_) => {}
            Publisher::Client { index, session, packet_id, qos } => {
                if publish.duty.is_none() {
                    if qos == QoS::ExactlyOnce {
                        let inbound = &mut self.session(session).inbound;
                        inbound.insert(packet_id, Inbound::AwaitPubrel);
                    }
                    let first = if qos == QoS::ExactlyOnce { PUBREC } else { PUBACK };
                    let (connection, wire) = self.connection_and_wire(index);
                    connection.acknowledge(first, packet_id, reason, wire);
                }
                self.pause_unacknowledged(index);
            }
        }
    }

    /// One part of a duty is met; the last one releases the acknowledgement.
    pub(super) fn duty_met(&mut self, now: Now, id: crate::DutyId, reason: ReasonCode) {
        let Some(duty) = self.duties.met(id, reason) else {
            // The commit may be all that is left.
            let left = self.duties.get_mut(id).filter(|duty| duty.pending == 1);
            if let Some(gathering) = left.and_then(|duty| duty.gathering) {
                self.commit_gathered(now, gathering);
            }
            return;
        };
        let (session, incarnation, packet_id, qos) = match duty.answer {
            Answer::Client { session, incarnation, packet_id, qos, .. } => {
                (session, incarnation, packet_id, qos)
            }
            Answer::Ticket(ticket) => {
                let reason = duty.worst;
                self.wire.outs.push_back(Out::Injected { ticket, reason });
                return;
            }
        };
        let Some(session) = self.session_of(session, incarnation) else { return };
        if session.inbound.get(packet_id) != Some(Inbound::Duty(id)) {
            return;
        }
        let taken = !duty.worst.is_error();
        if qos == QoS::ExactlyOnce && taken {
            session.inbound.insert(packet_id, Inbound::AwaitPubrel);
        } else {
            session.inbound.remove(packet_id);
        }
        let Some(index) = session.connection else { return };
        let first = if qos == QoS::ExactlyOnce { PUBREC } else { PUBACK };
        // [MQTT-3.4.2-1]: what the bridge says may have no place in a PUBACK.
        let reason = match duty.worst.is_valid_in(PacketType::Puback) {
            true => duty.worst,
            false => ReasonCode::ImplementationSpecificError,
        };
        let (connection, wire) = self.connection_and_wire(index);
        if taken || connection.version == ProtocolVersion::V5 {
            connection.acknowledge(first, packet_id, reason, wire);
            self.resume_unacknowledged(now, index);
        } else {
            // 3.x cannot be told of a refusal: no acknowledgement, and the connection ends.
            self.close(now, index, None);
        }
    }

    /// The store need not remember any more that this QoS 2 id has been taken.
    fn forget_inbound(&mut self, number: u32, packet_id: PacketId) {
        let session = self.session(number);
        let forgotten = session.inbound.forget_stored(packet_id);
        if let Some(queue) = session.stored.as_ref().filter(|_| forgotten).map(|it| it.queue) {
            self.write_lazily(delete(&Key::Inbound(queue, packet_id)));
        }
    }

    /// Answers a publish that is not taken, as mosquitto.md's table of denials has it.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        index: u32,
        packet_id: Option<PacketId>,
        qos: QoS,
        reason: ReasonCode,
    ) {
        let Some(packet_id) = packet_id else { return };
        let (connection, wire) = self.connection_and_wire(index);
        let first = if qos == QoS::ExactlyOnce { PUBREC } else { PUBACK };
        if connection.version == ProtocolVersion::V5 {
            connection.acknowledge(first, packet_id, reason, wire);
        } else if reason == ReasonCode::NotAuthorized {
            // [MQTT-3.3.5-2] of 3.1.1: acknowledged as usual, and dropped.
            connection.acknowledge(first, packet_id, ReasonCode::Success, wire);
            if qos == QoS::ExactlyOnce {
                let session = connection.session;
                self.session(session).inbound.insert(packet_id, Inbound::AwaitPubrel);
            }
        } else {
            self.close(now, index, None);
        }
    }

    /// Whether one more publish breaks our Receive Maximum ([MQTT-3.3.4-7]).
    pub(super) fn exceeds_receive_maximum(&self, index: u32, number: u32) -> bool {
        let Some(connection) = &self.connections[index as usize] else { return false };
        // 3.x has no such limit: what is not released costs next to nothing, and while too much
        // waits for duties the client is paused.
        let inbound = &self.sessions[number as usize].inbound;
        connection.version == ProtocolVersion::V5
            && inbound.len() >= usize::from(connection.inbound_receive_maximum)
    }

    /// 3.x knows no Receive Maximum: such a client is not read from while too many of its
    /// publishes wait for somebody before they are acknowledged.
    fn pause_unacknowledged(&mut self, index: u32) {
        let Some(connection) = &self.connections[index as usize] else { return };
        if connection.version == ProtocolVersion::V5 {
            return;
        }
        let most = usize::from(connection.inbound_receive_maximum);
        let inbound = &self.sessions[connection.session as usize].inbound;
        if inbound.duties() >= most {
            self.pause(index, paused::UNACKNOWLEDGED);
        }
    }

    fn resume_unacknowledged(&mut self, now: Now, index: u32) {
        let connection = self.connection(index);
        if connection.paused & paused::UNACKNOWLEDGED == 0 {
            return;
        }
        let most = usize::from(connection.inbound_receive_maximum);
        let session = connection.session;
        let inbound = &self.sessions[session as usize].inbound;
        if inbound.duties() < most {
            self.resume(now, index, paused::UNACKNOWLEDGED);
        }
    }

    /// Tells a repetition from another message under the same packet id.
    fn digest(&self, topic: &TopicName, payload: &[u8]) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        hasher.write(topic.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(payload);
        hasher.finish()
    }
}
