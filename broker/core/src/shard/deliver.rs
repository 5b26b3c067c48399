//! From a message to its receivers in this shard: merging overlapping subscriptions, encoding once
//! for all who get the same bytes, queueing for those who cannot take it now.

use std::sync::Arc;

use bytes::BytesMut;
use midge_codec::{PacketId, ProtocolVersion, PublishFrame, QoS, TopicName};
use tracing::warn;

use super::commits::Collected;
use super::{Shard, Subscriber};
use crate::Now;
use crate::commit::Operation;
use crate::connection::{Connection, Wire};
use crate::filters::Visits;
use crate::message::{Memory, Message, Origin};
use crate::output::SHARE_BYTES;
use crate::session::{Delivery, Identifiers, Push, Session, Shape, Window};
use crate::settings::Limits;
use crate::stored::shape_tag;

/// A message that is being routed: kept (counted, shareable) only once somebody needs it longer.
#[derive(Debug)]
pub(super) struct Envelope {
    own: Option<Message>,
    shared: Option<Arc<Message>>,
}

impl Envelope {
    pub(super) fn new(message: Message) -> Envelope {
        Envelope { own: Some(message), shared: None }
    }

    pub(super) fn of(message: Arc<Message>) -> Envelope {
        Envelope { own: None, shared: Some(message) }
    }

    pub(super) fn message(&self) -> &Message {
        match (&self.own, &self.shared) {
            (Some(own), _) => own,
            (None, Some(shared)) => shared,
            (None, None) => unreachable!("an envelope holds its message in one way or the other"),
        }
    }

    pub(super) fn share(&mut self, memory: &Arc<Memory>) -> Arc<Message> {
        if let Some(own) = self.own.take() {
            self.shared = Some(own.keep(memory));
        }
        Arc::clone(self.shared.as_ref().expect("just shared"))
    }
}

/// Room that routing reuses.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) visits: Visits,
    subscribers: Vec<Subscriber>,
    targets: Vec<Target>,
    groups: Vec<u32>,
    pub(super) frames: Frames,
    routed: u64,
}

#[derive(Debug)]
struct Target {
    session: u32,
    shape: Shape,
}

/// PUBLISH packets of the message being routed, one for each outgoing shape.
#[derive(Debug, Default)]
pub(super) struct Frames {
    encoded: BytesMut,
    /// By shape; most messages go out in one or two.
    known: Vec<(u8, Frame)>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    start: usize,
    end: usize,
    /// Bytes of the packet, payload included.
    packet_bytes: usize,
    /// Where the packet id goes, from `start`.
    packet_id_at: usize,
}

impl Frames {
    pub(super) fn clear(&mut self) {
        self.encoded.clear();
        self.known.clear();
    }
}

impl Shard {
    /// Delivers to the sessions and groups of this shard; returns whether there were any.
    pub(super) fn deliver_here(&mut self, now: Now, envelope: &mut Envelope) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.routed += 1;
        scratch.frames.clear();
        let topic = &envelope.message().topic;
        self.filters.visit(topic.as_str(), &mut scratch.visits, |subscriber| {
            scratch.subscribers.push(*subscriber);
        });
        let any = !scratch.subscribers.is_empty();
        self.merge(envelope.message(), &mut scratch);
        for target in scratch.targets.drain(..) {
            self.deliver(now, target.session, target.shape, envelope, &mut scratch.frames);
        }
        for group in scratch.groups.drain(..) {
            self.deliver_shared(now, group, envelope, 0, &mut scratch.frames);
        }
        self.scratch = scratch;
        any
    }

    /// One target a session, however many of its subscriptions match ([MQTT-3.3.4-2]).
    fn merge(&mut self, message: &Message, scratch: &mut Scratch) {
        for subscriber in scratch.subscribers.drain(..) {
            let (number, options, identifier, per_topic) = match subscriber {
                Subscriber::Group(group) => {
                    scratch.groups.push(group);
                    continue;
                }
                Subscriber::Session { session, options, identifier, per_topic } => {
                    (session, options, identifier, per_topic)
                }
            };
            let session = &mut self.sessions[number as usize];
            // [MQTT-3.8.3-3]
            if options.no_local && is_publisher(&message.origin, session) {
                continue;
            }
            if per_topic && !self.generation.authorize.read(&session.client, &message.topic) {
                continue;
            }
            // [MQTT-3.8.4-8], [MQTT-3.3.1-12], [MQTT-3.3.1-13]
            let qos = options.qos.min(message.qos);
            let retain = options.retain_as_published && message.retain;
            if session.mark.0 == scratch.routed {
                let shape = &mut scratch.targets[session.mark.1 as usize].shape;
                shape.qos = shape.qos.max(qos);
                shape.retain |= retain;
                shape.identifiers.add(identifier);
            } else {
                session.mark = (scratch.routed, scratch.targets.len() as u32);
                let identifiers = identifier.map_or(Identifiers::None, Identifiers::One);
                let shape = Shape { qos, retain, identifiers, shared: None };
                scratch.targets.push(Target { session: number, shape });
            }
        }
    }

    /// Delivers to one session without the frames of a routing.
    pub(super) fn deliver_alone(
        &mut self,
        now: Now,
        session: u32,
        shape: Shape,
        message: Arc<Message>,
    ) {
        let mut frames = std::mem::take(&mut self.scratch.frames);
        frames.clear();
        self.deliver(now, session, shape, &mut Envelope::of(message), &mut frames);
        self.scratch.frames = frames;
    }

    /// Sends to one session now, or queues for it, or drops.
    pub(super) fn deliver(
        &mut self,
        now: Now,
        number: u32,
        shape: Shape,
        envelope: &mut Envelope,
        frames: &mut Frames,
    ) {
        let Shard { sessions, connections, wire, generation, memory, commits, .. } = self;
        let session = &mut sessions[number as usize];
        let limits = &generation.limits;
        let collected = &mut commits.collected;
        let Some(index) = session.connection else {
            let worth_keeping = shape.qos > QoS::AtMostOnce || limits.queue_qos0;
            if worth_keeping && (session.outlives_connection() || session.arriving.is_some()) {
                let room = Room { limits, memory, collected, wire };
                queue(now, (number, session), shape, envelope, room);
            }
            return;
        };
        let connection = connections[index as usize].as_mut().expect("a session's connection");
        let window = connection.window(limits);
        // QoS 2 is stored before it is delivered.
        let held = shape.qos == QoS::ExactlyOnce && session.stored.is_some();
        if held
            || session.outbound.must_wait(shape.qos, window)
            || connection.output.len() >= limits.output_bytes
        {
            let room = Room { limits, memory, collected, wire };
            queue(now, (number, session), shape, envelope, room);
            return;
        }
        if !connection.fits(envelope.message(), &shape) {
            wire.stats.dropped.too_large += 1;
            return;
        }
        let packet_id = (shape.qos > QoS::AtMostOnce).then(|| {
            wire.stats.inflight += 1;
            let mut delivery = shape.clone().of(envelope.share(memory));
            delivery.position = session.outbound.assign();
            if let Some(stored) = &session.stored {
                delivery.uncommitted = true;
                let session = (number, session.incarnation);
                collected.add(session, stored, delivery.position, shape_tag(&shape));
            }
            session.outbound.start(delivery).0
        });
        connection.publish(now, envelope.message(), &shape, packet_id, false, frames, wire);
    }
}

/// First byte of PUBREL (3.6.1).
pub(super) const PUBREL: u8 = 0x62;

fn is_publisher(origin: &Origin, session: &Session) -> bool {
    origin.client_id() == Some(&session.client.client_id)
}

/// What queueing a message draws on.
struct Room<'a> {
    limits: &'a Limits,
    memory: &'a Arc<Memory>,
    collected: &'a mut Collected,
    wire: &'a mut Wire,
}

fn queue(
    now: Now,
    (number, session): (u32, &mut Session),
    shape: Shape,
    envelope: &mut Envelope,
    Room { limits, memory, collected, wire }: Room<'_>,
) {
    let stored = session.stored.as_ref().filter(|_| shape.qos > QoS::AtMostOnce);
    let tag = stored.map(|_| shape_tag(&shape));
    let mut delivery = shape.of(envelope.share(memory));
    delivery.uncommitted = stored.is_some();
    let outbound = &mut session.outbound;
    wire.stats.queued -= outbound.queued() as u64;
    wire.stats.queued_bytes -= outbound.queued_bytes() as u64;
    let expired = &mut wire.stats.dropped.expired;
    let pushed = outbound.push(delivery, stored.is_some(), limits, now.instant, expired);
    wire.stats.queued += outbound.queued() as u64;
    wire.stats.queued_bytes += outbound.queued_bytes() as u64;
    if let (Some(position), Some(stored), Some(tag)) = (pushed.position(), stored, tag) {
        collected.add((number, session.incarnation), stored, position, tag);
        let queue = stored.queue;
        match pushed {
            Push::Displaced(_, position) if position > 0 => {
                collected.displace(Operation::Acknowledge { queue, position });
            }
            Push::DisplacedStored(_, from) => {
                collected.displace(Operation::DropFirst { queue, from, count: 1 });
            }
            _ => {}
        }
    }
    if matches!(pushed, Push::Queued(_)) {
        return;
    }
    collected.refused |= matches!(pushed, Push::Refused);
    session.dropped += 1;
    wire.stats.dropped.queue_full += 1;
    if !session.overflowing {
        session.overflowing = true;
        warn!(
            client_id = %session.client.client_id,
            queued = session.outbound.queued(),
            online = session.connection.is_some(),
            policy = limits.queue_full.name(),
            "queue full"
        );
    }
}

impl Connection {
    /// QoS 1 and 2 messages that may be under way to this client.
    pub(super) fn window(&self, limits: &Limits) -> Window {
        let most = match limits.max_inflight {
            0 => u16::MAX,
            most => most,
        };
        let bytes = match limits.max_inflight_bytes {
            0 => usize::MAX,
            most => most,
        };
        Window { messages: usize::from(self.receive_maximum.min(most)), bytes }
    }

    /// Whether a PUBLISH is within the client's Maximum Packet Size ([MQTT-3.1.2-25]).
    pub(super) fn fits(&self, message: &Message, shape: &Shape) -> bool {
        self.maximum_packet_size == u32::MAX || {
            let expiry = message.expires.map(|_| u32::MAX);
            let packet_id = (shape.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
            self.takes(&frame(message, shape, packet_id, false, expiry))
        }
    }

    fn takes(&self, frame: &PublishFrame<'_>) -> bool {
        self.maximum_packet_size == u32::MAX
            || frame.encoded_len(self.version) <= self.maximum_packet_size as usize
    }

    /// Names a topic by its alias, or gives it one if there is one left that the packet has room
    /// for (3.3.2.3.4).
    fn shorten(&mut self, frame: &mut PublishFrame<'_>, topic: &TopicName) {
        if self.outbound_alias_maximum == 0 {
            return;
        }
        let plain = *frame;
        if let Some(alias) = self.known_alias(topic) {
            frame.topic_alias = Some(alias);
            frame.topic = "";
        } else if let Some(alias) = self.free_alias() {
            frame.topic_alias = Some(alias);
            if self.takes(frame) {
                return self.learn_alias(topic, alias);
            }
        }
        if !self.takes(frame) {
            *frame = plain;
        }
    }

    /// Sends a message that waited, unless it is too large for the client.
    pub(super) fn start(
        &mut self,
        now: Now,
        session: &mut Session,
        delivery: Delivery,
        frames: &mut Frames,
        wire: &mut Wire,
    ) {
        if !self.fits(&delivery.message, &delivery.shape) {
            wire.stats.dropped.too_large += 1;
            return;
        }
        let (message, shape) = (Arc::clone(&delivery.message), delivery.shape.clone());
        let started = (shape.qos > QoS::AtMostOnce).then(|| {
            wire.stats.inflight += 1;
            session.outbound.start(delivery)
        });
        frames.clear();
        let dup = started.is_some_and(|(_, dup)| dup);
        let packet_id = started.map(|(packet_id, _)| packet_id);
        self.publish(now, &message, &shape, packet_id, dup, frames, wire);
    }

    /// Writes a PUBLISH into the output.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn publish(
        &mut self,
        now: Now,
        message: &Message,
        shape: &Shape,
        packet_id: Option<PacketId>,
        dup: bool,
        frames: &mut Frames,
        wire: &mut Wire,
    ) {
        wire.stats.packets_sent += 1;
        wire.stats.publish_sent += 1;
        wire.stats.publish_bytes_sent += message.payload.len() as u64;
        let expiry = message.remaining_expiry(now.instant);
        let mut frame = frame(message, shape, packet_id, dup, expiry);
        self.shorten(&mut frame, &message.topic);
        let plain =
            frame.topic_alias.is_none() && !dup && frame.subscription_identifiers.is_empty();
        let version = self.version;
        let share = message.payload.len() >= SHARE_BYTES;
        let output = self.buffer(wire);
        if plain {
            let found = frames.find(version, shape, &frame, &message.payload);
            let at = output.encoded().len();
            output.encoded().extend_from_slice(&frames.encoded[found.start..found.end]);
            if let Some(id) = packet_id {
                let at = at + found.packet_id_at;
                output.encoded()[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
            }
        } else {
            let start = frames.encoded.len();
            frame.encode_head(version, &mut frames.encoded);
            output.encoded().extend_from_slice(&frames.encoded[start..]);
            frames.encoded.truncate(start);
            if !share {
                output.encoded().extend_from_slice(&message.payload);
            }
        }
        if share {
            output.push_payload(&message.payload);
        }
    }
}

impl Frames {
    /// The packet of a shape, encoded at its first use; with its payload unless that is shared.
    fn find(
        &mut self,
        version: ProtocolVersion,
        shape: &Shape,
        frame: &PublishFrame<'_>,
        payload: &[u8],
    ) -> Frame {
        let number = u8::from(version == ProtocolVersion::V5) * 6
            + shape.qos as u8 * 2
            + u8::from(shape.retain);
        if let Some((_, found)) = self.known.iter().find(|(known, _)| *known == number) {
            return *found;
        }
        let start = self.encoded.len();
        frame.encode_head(version, &mut self.encoded);
        if payload.len() < SHARE_BYTES {
            self.encoded.extend_from_slice(payload);
        }
        let packet_bytes = frame.encoded_len(version);
        // Fixed header (one byte and the remaining length), then the topic with its length.
        let remaining_length_bytes = match packet_bytes {
            0..=129 => 1,
            130..=16_386 => 2,
            16_387..=2_097_155 => 3,
            _ => 4,
        };
        let packet_id_at = 1 + remaining_length_bytes + 2 + frame.topic.len();
        let found = Frame { start, end: self.encoded.len(), packet_bytes, packet_id_at };
        debug_assert!(found.end - found.start <= found.packet_bytes);
        self.known.push((number, found));
        found
    }
}

fn frame<'a>(
    message: &'a Message,
    shape: &'a Shape,
    packet_id: Option<PacketId>,
    dup: bool,
    message_expiry_interval: Option<u32>,
) -> PublishFrame<'a> {
    PublishFrame {
        dup,
        qos: shape.qos,
        retain: shape.retain,
        topic: message.topic.as_str(),
        packet_id,
        topic_alias: None,
        properties: message.properties.as_deref(),
        message_expiry_interval,
        subscription_identifiers: shape.identifiers.as_slice(),
        payload_bytes: message.payload.len(),
    }
}
