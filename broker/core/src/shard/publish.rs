//! A PUBLISH comes in: judged, stored as retained, routed, offered to the bridge, acknowledged.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use midge_codec::{PacketId, PacketType, ProtocolVersion, Publish, QoS, ReasonCode, TopicName};
use tracing::debug;

use super::Shard;
use super::deliver::Envelope;
use super::peer::PeerMessage;
use crate::connection::paused;
use crate::duty::Duty;
use crate::message::{Message, Origin};
use crate::retained::{Applied, DELETION_KEPT, Version};
use crate::session::Inbound;
use crate::timers::Due;
use crate::{Inject, Now, Out, ShardId};

/// First bytes of PUBACK (3.4.1) and PUBREC (3.5.1).
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;

impl Shard {
    pub(super) fn publish(&mut self, now: Now, index: u32, publish: Publish) {
        self.wire.stats.publish_received += 1;
        self.wire.stats.publish_bytes_received += publish.payload.len() as u64;
        let alias_maximum = self.limits().topic_alias_maximum;
        let connection = self.connection(index);
        let topic =
            match connection.inbound_topic(publish.topic, publish.topic_alias, alias_maximum) {
                Ok(topic) => topic,
                Err(reason) => return self.close(now, index, Some(reason)),
            };
        let (version, number) = (connection.version, connection.session);
        // [MQTT-3.3.4-6]: only the server sends Subscription Identifiers.
        let identified = publish
            .properties
            .as_ref()
            .is_some_and(|properties| !properties.subscription_identifiers.is_empty());
        let limits = self.limits();
        let violation = if identified {
            Some(ReasonCode::ProtocolError)
        } else if publish.qos > limits.max_qos {
            Some(ReasonCode::QoSNotSupported)
        } else if publish.retain && !limits.retain_available {
            Some(ReasonCode::RetainNotSupported)
        } else {
            None
        };
        if let Some(reason) = violation {
            return self.close(now, index, Some(reason));
        }

        let session = &self.sessions[number as usize];
        let client = std::sync::Arc::clone(&session.client);
        let incarnation = session.incarnation;
        let mut duty = None;
        if let Some(packet_id) = publish.packet_id {
            let digest = digest(&self.hashing, &topic, &publish.payload);
            if self.is_repeated(index, number, packet_id, publish.qos, digest) {
                return;
            }
            // [MQTT-3.3.4-7]
            let most = usize::from(self.limits().receive_maximum);
            if self.sessions[number as usize].inbound.len() >= most {
                if version == ProtocolVersion::V5 {
                    return self.close(now, index, Some(ReasonCode::ReceiveMaximumExceeded));
                }
                // 3.x has no such limit: it should have been paused before, and loses nothing by
                // sending this one again.
                return self.close(now, index, None);
            }
            duty = Some(Duty {
                session: number,
                incarnation,
                packet_id,
                qos: publish.qos,
                pending: 1,
                worst: ReasonCode::Success,
                digest,
            });
        }

        if let Some(reason) = self.refusal(&topic, publish.payload.len()) {
            return self.refuse(now, index, publish.packet_id, publish.qos, reason);
        }
        if !self.generation.authorize.publish(&client, &topic) {
            self.wire.stats.publish_denied += 1;
            debug!(client_id = %client.client_id, topic = %topic, "publish denied");
            let reason = ReasonCode::NotAuthorized;
            return self.refuse(now, index, publish.packet_id, publish.qos, reason);
        }

        let message = self.message(
            now,
            topic,
            publish.payload,
            (publish.qos, publish.retain),
            publish.properties,
            Origin::Client(client),
        );
        let duty = duty.map(|duty| {
            let packet_id = duty.packet_id;
            let duty = self.duties.open(duty);
            self.session(number).inbound.insert(packet_id, Inbound::Duty(duty));
            duty
        });
        let mut envelope = Envelope::new(message);
        let any = self.route(now, &mut envelope);
        let any = self.offer(index, &mut envelope, duty) || any;
        if let Some(duty) = duty {
            let reason = if any { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
            self.duty_met(now, duty, reason);
            if version < ProtocolVersion::V5 {
                self.pause_unacknowledged(index);
            }
        }
        self.pause_when_memory_is_full(now, index);
    }

    /// A publish by the broker, the bridge or the embedding program.
    pub(super) fn inject(&mut self, now: Now, inject: Inject) {
        let refused = self.refusal(&inject.topic, inject.payload.len()).or_else(|| {
            let client = inject.client.as_ref()?;
            let allowed = self.generation.authorize.publish(client, &inject.topic);
            (!allowed).then_some(ReasonCode::NotAuthorized)
        });
        let reason = refused.unwrap_or_else(|| {
            let origin = inject.client.map_or(Origin::Broker, Origin::Client);
            let mut message = self.message(
                now,
                inject.topic,
                inject.payload,
                (inject.qos, inject.retain),
                inject.properties,
                origin,
            );
            message.trail = inject.trail;
            let mut envelope = Envelope::new(message);
            let any = self.route(now, &mut envelope);
            let any = self.offer_unwaited(&mut envelope) || any;
            if any { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers }
        });
        if let Some(ticket) = inject.ticket {
            self.wire.outs.push_back(Out::Injected { ticket, reason });
        }
    }

    fn message(
        &self,
        now: Now,
        topic: TopicName,
        payload: bytes::Bytes,
        (qos, retain): (QoS, bool),
        properties: Option<Box<midge_codec::PublishProperties>>,
        origin: Origin,
    ) -> Message {
        let interval =
            properties.as_ref().and_then(|properties| properties.message_expiry_interval);
        let expires = interval
            .map(|seconds| Duration::from_secs(seconds.into()))
            .and_then(|interval| now.instant.checked_add(interval));
        let trail = Vec::new();
        let received = now.unix_millis;
        Message::new(topic, payload, qos, retain, properties, expires, received, origin, trail)
    }

    /// Why the broker takes no message of this topic and size.
    fn refusal(&self, topic: &TopicName, payload_bytes: usize) -> Option<ReasonCode> {
        let limits = self.limits();
        if topic.levels().nth(limits.max_topic_levels).is_some() {
            Some(ReasonCode::TopicNameInvalid)
        } else if limits.max_payload > 0 && payload_bytes > limits.max_payload {
            Some(ReasonCode::QuotaExceeded)
        } else {
            None
        }
    }

    /// Routes to sessions of all shards; returns whether anybody subscribes.
    pub(super) fn route(&mut self, now: Now, envelope: &mut Envelope) -> bool {
        let message = envelope.message();
        let topic = message.topic.as_str();
        let mut interested = 0_u64;
        if self.shards > 1 {
            interested = self.interest.shards(topic, &mut self.scratch.visits);
        }
        let version = (message.retain && self.keeps_retained(topic))
            .then(|| self.retained.next_version(self.id));
        if let Some(version) = version {
            self.store_retained(now, version, envelope);
        }
        if version.is_some() || interested != 0 {
            let message = envelope.share(&self.memory);
            for shard in (0..self.shards as u8).map(ShardId).filter(|shard| *shard != self.id) {
                let deliver = interested & (1 << shard.0) != 0;
                if deliver || version.is_some() {
                    let message =
                        PeerMessage::Publish { message: message.clone(), version, deliver };
                    self.wire.outs.push_back(Out::Peer { to: shard, message });
                }
            }
        }
        self.deliver_here(now, envelope) || interested != 0
    }

    fn keeps_retained(&self, topic: &str) -> bool {
        self.limits().retain_available
            && (self.retained.len() < self.limits().max_retained || self.retained.contains(topic))
    }

    /// Takes a retained message of this or another shard.
    pub(super) fn store_retained(&mut self, now: Now, version: Version, envelope: &mut Envelope) {
        let message = envelope.share(&self.memory);
        let mine = ShardId::of_topic(&message.topic, self.shards) == self.id;
        let topic = message.topic.as_str();
        let timer = self.retained.timer(topic).and_then(Option::take);
        let forget_at = match self.retained.apply(version, &message) {
            Applied::Outdated => {
                // What is there stays, and so does its timer.
                if let Some(slot) = self.retained.timer(topic) {
                    *slot = timer;
                }
                return;
            }
            Applied::Stored { new } => {
                self.wire.stats.retained += u64::from(mine && new);
                message.expires
            }
            Applied::Deleted { existed } => {
                self.wire.stats.retained -= u64::from(mine && existed);
                Some(now.instant + DELETION_KEPT)
            }
        };
        self.timers.cancel(timer);
        if let (Some(at), Some(slot)) = (forget_at, self.retained.timer(topic)) {
            *slot = Some(self.timers.push(at, Due::Retained(message.topic.clone())));
        }
    }

    /// Handles a publish whose packet id is in use: a repetition of one not finished.
    fn is_repeated(
        &mut self,
        index: u32,
        number: u32,
        packet_id: PacketId,
        qos: QoS,
        digest: u64,
    ) -> bool {
        match self.session(number).inbound.get(&packet_id).copied() {
            None => false,
            // [MQTT-4.3.3-10]: it has been taken; the PUBREC was lost.
            Some(Inbound::AwaitPubrel) if qos == QoS::ExactlyOnce => {
                let (connection, wire) = self.connection_and_wire(index);
                connection.acknowledge(PUBREC, packet_id, ReasonCode::Success, wire);
                true
            }
            // The id was never released; as QoS 1 it is a new message all the same.
            Some(Inbound::AwaitPubrel) => {
                self.session(number).inbound.remove(&packet_id);
                false
            }
            // The duty under way answers this repetition too. Another message under the same id
            // takes its place: the client does not wait for the old one any more.
            Some(Inbound::Duty(duty)) => self
                .duties
                .get_mut(duty)
                .is_some_and(|duty| duty.digest == digest && duty.qos == qos),
        }
    }

    /// One part of a duty is met; the last one releases the acknowledgement.
    pub(super) fn duty_met(&mut self, now: Now, id: crate::DutyId, reason: ReasonCode) {
        let Some(duty) = self.duties.met(id, reason) else { return };
        let Some(session) = self.session_of(duty.session, duty.incarnation) else { return };
        if session.inbound.get(&duty.packet_id) != Some(&Inbound::Duty(id)) {
            return;
        }
        let taken = !duty.worst.is_error();
        if duty.qos == QoS::ExactlyOnce && taken {
            session.inbound.insert(duty.packet_id, Inbound::AwaitPubrel);
        } else {
            session.inbound.remove(&duty.packet_id);
        }
        let Some(index) = session.connection else { return };
        let first = if duty.qos == QoS::ExactlyOnce { PUBREC } else { PUBACK };
        // [MQTT-3.4.2-1]: what the bridge says may have no place in a PUBACK.
        let reason = match duty.worst.is_valid_in(PacketType::Puback) {
            true => duty.worst,
            false => ReasonCode::ImplementationSpecificError,
        };
        let (connection, wire) = self.connection_and_wire(index);
        if taken || connection.version == ProtocolVersion::V5 {
            connection.acknowledge(first, duty.packet_id, reason, wire);
            self.resume_unacknowledged(now, index);
        } else {
            // 3.x cannot be told of a refusal: no acknowledgement, and the connection ends.
            self.close(now, index, None);
        }
    }

    /// Answers a publish that is not taken, as mosquitto.md's table of denials has it.
    fn refuse(
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

    /// 3.x knows no Receive Maximum: such a client is not read from while it has too many
    /// publishes unacknowledged.
    fn pause_unacknowledged(&mut self, index: u32) {
        let most = usize::from(self.limits().receive_maximum);
        let Some(connection) = &self.connections[index as usize] else { return };
        let inbound = &self.sessions[connection.session as usize].inbound;
        let waiting = inbound.len() >= most
            && inbound.values().any(|inbound| matches!(inbound, Inbound::Duty(_)));
        if waiting {
            self.pause(index, paused::UNACKNOWLEDGED);
        }
    }

    fn resume_unacknowledged(&mut self, now: Now, index: u32) {
        let connection = self.connection(index);
        if connection.paused & paused::UNACKNOWLEDGED == 0 {
            return;
        }
        let session = connection.session;
        let most = usize::from(self.limits().receive_maximum);
        let inbound = &self.sessions[session as usize].inbound;
        let released = inbound.len() < most
            || inbound.values().all(|inbound| matches!(inbound, Inbound::AwaitPubrel));
        if released {
            self.resume(now, index, paused::UNACKNOWLEDGED);
        }
    }
}

/// Tells a repetition from another message under the same packet id.
fn digest(hashing: &DefaultHashBuilder, topic: &TopicName, payload: &[u8]) -> u64 {
    let mut hasher = hashing.build_hasher();
    hasher.write(topic.as_str().as_bytes());
    hasher.write_u8(0xff);
    hasher.write(payload);
    hasher.finish()
}
