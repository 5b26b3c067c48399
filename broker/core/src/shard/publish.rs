//! A PUBLISH comes in: judged, stored as retained, routed, offered to the bridge, acknowledged.

use std::time::Duration;

use midge_codec::{Publish, QoS, ReasonCode, TopicName};
use tracing::debug;

use super::deliver::Envelope;
use super::duties::{Publisher, Unacknowledged};
use super::route::is_transient;
use super::{Shard, Subscriber};
use crate::message::{Message, Origin};
use crate::{Inject, Now, Out};

impl Shard {
    pub(super) fn publish(&mut self, now: Now, index: u32, publish: Publish) {
        self.wire.stats.publish_received += 1;
        self.wire.stats.publish_bytes_received += publish.payload.len() as u64;
        let connection = self.connection(index);
        let topic = match connection.inbound_topic(publish.topic, publish.topic_alias) {
            Ok(topic) => topic,
            Err(reason) => return self.close(now, index, Some(reason)),
        };
        let number = connection.session;
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
        if let Some(packet_id) = publish.packet_id {
            let content = (&topic, &*publish.payload);
            if self.is_repeated(index, number, packet_id, publish.qos, content) {
                return;
            }
            if self.exceeds_receive_maximum(index, number) {
                let reason = ReasonCode::ReceiveMaximumExceeded;
                return self.close(now, index, Some(reason));
            }
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
        let mut unacknowledged = publish.packet_id.map(|packet_id| Unacknowledged {
            by: Publisher::Client { index, session: number, packet_id, qos: publish.qos },
            duty: None,
        });
        let mut envelope = Envelope::new(message);
        if unacknowledged.is_some() && self.commits.full && self.would_store(envelope.message()) {
            return self.refuse(
                now,
                index,
                publish.packet_id,
                publish.qos,
                ReasonCode::QuotaExceeded,
            );
        }
        let (any, gathering) = self.route(now, &mut envelope);
        if let (Some(publish), Some(gathering)) = (&mut unacknowledged, gathering) {
            self.commit_waits(publish, &envelope, gathering);
        }
        let any = self.offer(index, &mut envelope, unacknowledged.as_mut()) || any;
        if let Some(publish) = unacknowledged {
            let reason = if any { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
            self.routed(now, &publish, reason);
        }
        if let Some(gathering) = gathering {
            self.seal(now, gathering);
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
        if let Some(reason) = refused {
            if let Some(ticket) = inject.ticket {
                self.wire.outs.push_back(Out::Injected { ticket, reason });
            }
            return;
        }
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
        let mut unacknowledged = inject
            .ticket
            .map(|ticket| Unacknowledged { by: Publisher::Ticket(ticket), duty: None });
        let mut envelope = Envelope::new(message);
        if inject.qos > QoS::AtMostOnce && self.commits.full && self.would_store(envelope.message())
        {
            if let Some(ticket) = inject.ticket {
                let reason = ReasonCode::QuotaExceeded;
                self.wire.outs.push_back(Out::Injected { ticket, reason });
            }
            return;
        }
        let (any, gathering) = self.route(now, &mut envelope);
        if let Some(gathering) = gathering {
            self.gather_with_mark(gathering, inject.mark);
            if let Some(publish) = &mut unacknowledged {
                self.commit_waits(publish, &envelope, gathering);
            }
        }
        // QoS 0 waits for nothing.
        let waits = unacknowledged.as_mut().filter(|_| inject.qos > QoS::AtMostOnce);
        let any = self.offer_unpaused(&mut envelope, waits) || any;
        if let Some(publish) = unacknowledged {
            let reason = if any { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
            self.routed(now, &publish, reason);
        }
        if let Some(gathering) = gathering {
            self.seal(now, gathering);
        }
        self.make_room();
    }

    /// An acknowledgement waits for the commit of what is being gathered.
    fn commit_waits(&mut self, publish: &mut Unacknowledged, envelope: &Envelope, gathering: u64) {
        let message = envelope.message();
        let duty = self.duty_waits(publish, &message.topic, &message.payload);
        self.gather_for_duty(gathering, duty);
        if let Publisher::Client { session, packet_id, qos: QoS::ExactlyOnce, .. } = publish.by {
            self.gather_with_packet_id(gathering, session, packet_id);
        }
    }

    /// Whether a QoS 1 or 2 message would have to be stored.
    fn would_store(&mut self, message: &Message) -> bool {
        if !self.durable || is_transient(message) {
            return false;
        }
        let (topic, retain) = (message.topic.as_str(), message.retain);
        let (_, mut stored) = match self.shards {
            1 => (0, 0),
            _ => self.interest.shards(topic, &mut self.scratch.visits),
        };
        let Shard { filters, scratch, sessions, groups, .. } = self;
        filters.visit(topic, &mut scratch.visits, |subscriber| {
            let kept = match subscriber {
                Subscriber::Group(group) => groups.is_stored(*group),
                Subscriber::Session { session, .. } => sessions[*session as usize].stored.is_some(),
            };
            stored |= u64::from(kept);
        });
        stored != 0 || retain && self.limits().retain_available
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
        let most = limits.max_topic_levels;
        // A topic has a level more than slashes at most: a short one need not be looked through.
        if topic.as_str().len() >= most && topic.levels().nth(most).is_some() {
            Some(ReasonCode::TopicNameInvalid)
        } else if limits.max_payload > 0 && payload_bytes > limits.max_payload {
            Some(ReasonCode::QuotaExceeded)
        } else {
            None
        }
    }
}
