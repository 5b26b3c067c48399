//! What becomes of a [`Database`] in the store: sessions with all they have, and what is retained.
//!
//! Whatever a client was sent keeps its packet id, and everything its order. Nothing is left out
//! without being counted in [`LeftOut`].

mod message;
mod positions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use midge_codec::{
    PacketId, QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, Text, TopicFilter,
    TopicName,
};
use midge_core::stored::{Key, Retained, SessionRecord, SubscriptionRecord, entry, retained, tag};
use midge_core::{Now, Operation, Position, QueueId, Reference};

use super::mosquitto_db::{Database, InboundState, OutboundState, Session, Subscription};
use message::{Fate, fate, message};
use positions::Positions;

/// What a plan depends on beside the database.
pub(super) struct Surroundings {
    pub(super) now: Now,
    /// Ports and the names of their listeners.
    pub(super) listeners: Vec<(u16, Text)>,
    /// The longest that a session may wait for its client.
    pub(super) max_session_expiry: Option<Duration>,
}

/// What is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sessions: usize,
    pub(super) subscriptions: usize,
    /// Messages for clients that were not sent yet, each once for every client.
    pub(super) queued: usize,
    /// Messages for clients that were sent and not completed.
    pub(super) inflight: usize,
    /// Messages from clients whose PUBREL has not come.
    pub(super) inbound: usize,
    pub(super) retained: usize,
}

/// What is not taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Sessions that expired while no broker ran, with all they had.
    pub(super) expired_sessions: usize,
    /// Messages that expired, each once for every client.
    pub(super) expired_messages: usize,
    /// What MQTT does not allow: sessions, messages, filters.
    pub(super) not_valid: usize,
    /// References to messages that are not in the file.
    pub(super) without_message: usize,
}

/// All that is to be written, in a form that does not hold the messages twice.
pub(super) struct Plan<'d, 'f> {
    database: &'d Database<'f>,
    surroundings: &'d Surroundings,
    fates: Vec<Fate>,
    /// Sessions, subscriptions, packet ids.
    keyed: Vec<Operation>,
    /// Where each message waits.
    references: Vec<Vec<Reference>>,
    /// Places of messages, by topic.
    retained: BTreeMap<&'f str, usize>,
    subscriptions: Vec<Subscribed>,
    /// By queue, where its next message goes.
    next: BTreeMap<QueueId, Position>,
    pub(super) counts: Counts,
    pub(super) left_out: LeftOut,
}

/// A subscription of a session that is taken over.
struct Subscribed {
    queue: QueueId,
    client_id: Text,
    filter: TopicFilter,
    record: SubscriptionRecord,
}

impl<'d, 'f> Plan<'d, 'f> {
    pub(super) fn new(database: &'d Database<'f>, surroundings: &'d Surroundings) -> Self {
        let mut plan = Plan {
            database,
            surroundings,
            fates: database.messages.iter().map(|it| fate(it, surroundings.now)).collect(),
            keyed: Vec::new(),
            references: vec![Vec::new(); database.messages.len()],
            retained: BTreeMap::new(),
            subscriptions: Vec::new(),
            next: BTreeMap::new(),
            counts: Counts::default(),
            left_out: LeftOut { without_message: database.left_out, ..LeftOut::default() },
        };
        for &place in &database.retained {
            if plan.judge(place) {
                plan.retained.insert(database.messages[place].topic, place);
            }
        }
        let sessions: Vec<_> = database
            .sessions
            .iter()
            .filter_map(|session| Some((plan.session(session)?, session)))
            .collect();
        // Their subscriptions are all known now.
        for (queue, session) in sessions {
            plan.inbound(queue, session);
        }
        plan.counts.retained = plan.retained.len();
        plan
    }

    /// Everything, to be written in this order or any other.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation> + '_ {
        let now = self.surroundings.now;
        let message = move |place: usize| {
            message(&self.database.messages[place], self.surroundings)
                .map(|message| (place, message))
        };
        let waiting =
            (0..self.references.len()).filter(|place| !self.references[*place].is_empty());
        let waiting = waiting.filter_map(message).map(move |(place, message)| Operation::Append {
            entry: entry(&message, now),
            to: self.references[place].clone(),
        });
        let kept = self.retained.values().copied().filter_map(message);
        let kept = kept.map(move |(_, message)| retained(&message, now));
        self.keyed.iter().cloned().chain(waiting).chain(kept)
    }

    /// Whether a message is taken over; counts it if not.
    fn judge(&mut self, place: usize) -> bool {
        match self.fates[place] {
            Fate::Taken => return true,
            Fate::Expired => self.left_out.expired_messages += 1,
            Fate::NotValid => self.left_out.not_valid += 1,
        }
        false
    }

    fn session(&mut self, session: &Session<'f>) -> Option<QueueId> {
        let Some((expiry, offline_since)) = self.lifetime(session) else {
            self.left_out.expired_sessions += 1;
            return None;
        };
        let Ok(client_id) = Text::try_from(session.client_id) else {
            self.left_out.not_valid += 1;
            return None;
        };
        self.counts.sessions += 1;
        // Shards number theirs in the upper bits.
        let queue = QueueId((self.counts.sessions as u64) << 6);
        let record = SessionRecord {
            queue,
            // The name in the file may be another client's.
            username: None,
            unclaimed: true,
            listener: self.surroundings.listener(session.listener_port),
            expiry,
            offline_since: Some(offline_since),
            will: None,
        };
        self.keyed.push(record.put(&client_id, self.surroundings.now));
        for subscription in &session.subscriptions {
            self.subscription(queue, &client_id, subscription);
        }
        self.outbound(queue, session);
        Some(queue)
    }

    /// How long the session lives without its client, and since when it does, in milliseconds since
    /// 1970; `None`: no longer.
    fn lifetime(&self, session: &Session<'_>) -> Option<(Option<Duration>, u64)> {
        let now = self.surroundings.now.unix_millis;
        let seconds = session.session_expiry_interval;
        let interval = (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()));
        let (expiry, since) = match session.expires_at {
            // Its client was there to the end, or it never expires.
            None => (interval, now),
            Some(at) => {
                let end = u64::try_from(at).unwrap_or(0).saturating_mul(1_000);
                let left = Duration::from_millis(end.checked_sub(now).filter(|left| *left > 0)?);
                match interval {
                    Some(interval) if interval >= left => {
                        (Some(interval), now - millis(interval - left).min(now))
                    }
                    // Mosquitto has bounded it by its configuration, and may have a clock of its own.
                    _ => (Some(left), now),
                }
            }
        };
        let expiry = match (expiry, self.surroundings.max_session_expiry) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        };
        let alive = expiry.is_none_or(|expiry| since.saturating_add(millis(expiry)) > now);
        alive.then_some((expiry, since))
    }

    fn subscription(&mut self, queue: QueueId, client_id: &Text, found: &Subscription<'_>) {
        let Ok(filter) = TopicFilter::try_from(found.filter) else {
            self.left_out.not_valid += 1;
            return;
        };
        let record = SubscriptionRecord {
            options: SubscriptionOptions {
                qos: found.qos,
                no_local: found.no_local,
                retain_as_published: found.retain_as_published,
                // It says what a SUBSCRIBE is answered with, and this one has been.
                retain_handling: RetainHandling::default(),
            },
            identifier: found.identifier.and_then(SubscriptionIdentifier::new),
            retained: Retained::Done,
        };
        self.counts.subscriptions += 1;
        self.keyed.push(record.put(queue, &filter));
        self.subscriptions.push(Subscribed { queue, client_id: client_id.clone(), filter, record });
    }

    /// What waits for the client, in order.
    fn outbound(&mut self, queue: QueueId, session: &Session<'_>) {
        let sent = session.outbound.iter().filter_map(|it| packet_id(it.state));
        let mut positions = Positions::of(sent.filter_map(PacketId::new));
        for outbound in &session.outbound {
            let position = match packet_id(outbound.state).and_then(PacketId::new) {
                Some(id) => positions.sent(id),
                None => None,
            };
            self.counts.inflight += usize::from(position.is_some());
            if let (Some(position), OutboundState::AwaitPubcomp { .. }) = (position, outbound.state)
            {
                // The client has the message: what is left is its packet id.
                self.keyed.push(put(&Key::Released(queue, position)));
                continue;
            }
            if !self.judge(outbound.message) {
                self.counts.inflight -= usize::from(position.is_some());
                continue;
            }
            self.counts.queued += usize::from(position.is_none());
            let position = position.unwrap_or_else(|| positions.next());
            let identifier = outbound.subscription_identifier.and_then(SubscriptionIdentifier::new);
            let tag = tag(outbound.qos, outbound.retain, identifier.as_slice(), None);
            self.references[outbound.message].push(Reference { queue, position, tag });
        }
        self.next.insert(queue, positions.next());
    }

    /// Messages that the client has published with QoS 2 and not released. Mosquitto would deliver
    /// them at PUBREL; a shard has done so when it knows a packet id, so they are delivered now.
    fn inbound(&mut self, queue: QueueId, session: &Session<'f>) {
        let mut known = HashSet::new();
        for inbound in &session.inbound {
            // One that the client has no PUBREC of comes again, and is new then.
            let waits = inbound.state == InboundState::AwaitPubrel;
            let Some(id) = PacketId::new(inbound.packet_id).filter(|_| waits) else { continue };
            if !known.insert(id) || !self.judge(inbound.message) {
                continue;
            }
            self.counts.inbound += 1;
            self.keyed.push(put(&Key::Inbound(queue, id)));
            self.route(session.client_id, inbound.message);
        }
    }

    /// Gives a message to all sessions that subscribe to its topic.
    fn route(&mut self, publisher: &str, place: usize) {
        let stored = &self.database.messages[place];
        // It has been judged.
        let Ok(topic) = TopicName::try_from(stored.topic) else { return };
        if stored.retain {
            match stored.payload.is_empty() {
                true => self.retained.remove(stored.topic),
                false => self.retained.insert(stored.topic, place),
            };
        }
        let mut deliveries: BTreeMap<QueueId, (QoS, bool, Vec<SubscriptionIdentifier>)> =
            BTreeMap::new();
        let mut groups = HashSet::new();
        for subscribed in &self.subscriptions {
            let Subscribed { queue, client_id, filter, record } = subscribed;
            let own = record.options.no_local && client_id.as_str() == publisher;
            if own || !filter.matches(&topic) {
                continue;
            }
            let retain = record.options.retain_as_published && stored.retain;
            let qos = record.options.qos.min(stored.qos);
            if filter.share_name().is_some() {
                // One of its members gets it, beside what its own subscriptions bring.
                if groups.insert(filter) && qos > QoS::AtMostOnce {
                    let identifiers: Vec<_> = record.identifier.into_iter().collect();
                    let tag = tag(qos, retain, &identifiers, Some(filter));
                    refer(&mut self.references[place], &mut self.next, *queue, tag);
                }
                continue;
            }
            // Overlapping subscriptions bring one message [MQTT-3.3.5-1].
            let delivery = deliveries.entry(*queue).or_insert((qos, false, Vec::new()));
            delivery.0 = delivery.0.max(qos);
            delivery.1 |= retain;
            delivery.2.extend(record.identifier);
        }
        // A session without its client takes nothing of QoS 0.
        for (queue, (qos, retain, identifiers)) in deliveries {
            if qos > QoS::AtMostOnce {
                let tag = tag(qos, retain, &identifiers, None);
                refer(&mut self.references[place], &mut self.next, queue, tag);
            }
        }
    }
}

impl Surroundings {
    /// The name of the listener at a port; empty when there is none any more.
    fn listener(&self, port: Option<u16>) -> Text {
        let found = self.listeners.iter().find(|(known, _)| Some(*known) == port);
        found.map_or_else(Text::empty, |(_, name)| name.clone())
    }
}

fn refer(
    references: &mut Vec<Reference>,
    next: &mut BTreeMap<QueueId, Position>,
    queue: QueueId,
    tag: bytes::Bytes,
) {
    let next = next.entry(queue).or_insert(1);
    references.push(Reference { queue, position: *next, tag });
    *next += 1;
}

fn packet_id(state: OutboundState) -> Option<u16> {
    match state {
        OutboundState::Queued => None,
        OutboundState::AwaitPuback { packet_id }
        | OutboundState::AwaitPubrec { packet_id }
        | OutboundState::AwaitPubcomp { packet_id } => Some(packet_id),
    }
}

fn put(key: &Key) -> Operation {
    Operation::Put { key: key.bytes(), version: None, value: bytes::Bytes::new() }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
