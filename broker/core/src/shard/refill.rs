//! Sending what waits for a client: what is to be sent again, its queue, retained messages.
//!
//! Nothing here adds to what waits; what does not fit into window or output stays where it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_codec::{QoS, ReasonCode, TopicFilter, TopicName};

use super::Shard;
use super::deliver::{Frames, PUBREL};
use crate::Now;
use crate::commit::{Operation, QueueId, Reference};
use crate::message::Origin;
use crate::session::{Identifiers, Inflight, Shape, Subscription};
use crate::settings::Verdict;
use crate::stored::{Retained, SubscriptionRecord, entry, shape_tag};

/// Retained messages of QoS 2 that wait for the store at once, for one session.
const HELD: usize = 64;

impl Shard {
    /// Sends what waits, as far as window and output allow: first what has to be sent again, then
    /// the queue, then retained messages of new subscriptions.
    pub(super) fn refill(&mut self, now: Now, index: u32) {
        let Some(connection) = &self.connections[index as usize] else { return };
        let session = &self.sessions[connection.session as usize];
        if session.outbound.is_all_sent() && !session.overflowing {
            return;
        }
        let mut frames = std::mem::take(&mut self.scratch.frames);
        self.resend(now, index, &mut frames);
        self.send_queue(now, index, &mut frames);
        self.send_retained(now, index, &mut frames);
        self.scratch.frames = frames;
        let session = self.connection(index).session;
        self.load_more(session);
    }

    fn resend(&mut self, now: Now, index: u32, frames: &mut Frames) {
        let Shard { sessions, connections, wire, generation, .. } = self;
        let limits = &generation.limits;
        let Some(connection) = connections[index as usize].as_mut() else { return };
        let session = &mut sessions[connection.session as usize];
        let window = connection.window(limits);
        while connection.output.len() < limits.output_bytes {
            let Some((packet_id, slot)) = session.outbound.flight.next_resend(window) else {
                return;
            };
            let (Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery)) = slot else {
                connection.acknowledge(PUBREL, packet_id, ReasonCode::Success, wire);
                continue;
            };
            let (message, shape) = (&delivery.message, &delivery.shape);
            // The client may take less than when it was first sent ([MQTT-3.1.2-24]), and be
            // allowed less.
            let fits = connection.fits(message, shape);
            if fits && generation.authorize.read(&session.client, &message.topic) {
                frames.clear();
                // [MQTT-3.3.1-1]
                connection.publish(now, message, shape, Some(packet_id), true, frames, wire);
                continue;
            }
            match fits {
                true => wire.stats.dropped.access += 1,
                false => wire.stats.dropped.too_large += 1,
            }
            session.outbound.flight.abandon(packet_id);
            wire.stats.inflight -= 1;
        }
    }

    fn send_queue(&mut self, now: Now, index: u32, frames: &mut Frames) {
        let Shard { sessions, connections, wire, generation, .. } = self;
        let limits = &generation.limits;
        let Some(connection) = connections[index as usize].as_mut() else { return };
        let session = &mut sessions[connection.session as usize];
        let window = connection.window(limits);
        let (queued, bytes) = (session.outbound.queued(), session.outbound.queued_bytes());
        while connection.output.len() < limits.output_bytes {
            let expired = &mut wire.stats.dropped.expired;
            let Some(delivery) = session.outbound.next(window, now.instant, expired) else { break };
            connection.start(now, session, delivery, frames, wire);
        }
        wire.stats.queued -= (queued - session.outbound.queued()) as u64;
        wire.stats.queued_bytes -= (bytes - session.outbound.queued_bytes()) as u64;
        let number = connection.session;
        if queued > 0 && session.outbound.flight.len() == 0 {
            // Nothing of it was worth sending: nobody will acknowledge it.
            self.trim_later(number);
        }
        let session = self.session(number);
        if session.outbound.queued() == 0 {
            session.overflowing = false;
        }
    }

    /// [MQTT-3.3.1-9]
    fn send_retained(&mut self, now: Now, index: u32, frames: &mut Frames) {
        let Shard { sessions, connections, wire, generation, retained, commits, .. } = self;
        let (limits, authorize) = (&generation.limits, &generation.authorize);
        let Some(connection) = connections[index as usize].as_mut() else { return };
        let session = &mut sessions[connection.session as usize];
        let window = connection.window(limits);
        let stored = session.stored.as_ref().map(|stored| stored.queue);
        let mut held = Vec::new();
        let mut progress = Progress::default();
        while connection.output.len() < limits.output_bytes {
            // QoS 2 is stored before it is delivered: a few at a time wait for that.
            let holds = stored.is_some() && session.outbound.queued() < HELD;
            let room = !session.outbound.must_wait(QoS::AtLeastOnce, window);
            let Some(waiting) = session.outbound.retained_front() else { break };
            let after = waiting.after.as_ref().map(TopicName::as_str);
            let subscription = session.subscriptions.get(&waiting.filter);
            let subscription = subscription.filter(|known| known.verdict != Verdict::Never);
            let found = subscription.and_then(|subscription| {
                let message = retained.next_matching(waiting.filter.filter(), after)?;
                Some((subscription, message))
            });
            let Some((subscription, message)) = found else {
                if let (Some(queue), Some(known)) =
                    (stored, session.subscriptions.get(&waiting.filter))
                {
                    progress.insert(queue, known, &waiting.filter, Retained::Done);
                }
                session.outbound.retained_done();
                continue;
            };
            let qos = message.qos.min(subscription.options.qos);
            let hold = qos == QoS::ExactlyOnce && stored.is_some();
            if qos > QoS::AtMostOnce && if hold { !holds } else { !room } {
                break;
            }
            waiting.after = Some(message.topic.clone());
            let filter = waiting.filter.clone();
            let readable = subscription.verdict == Verdict::Always
                || authorize.read(&session.client, &message.topic);
            // Who lost the right to publish has no say through what is retained either.
            let still_allowed = match &message.origin {
                Origin::Client(publisher) => authorize.publish(publisher, &message.topic),
                Origin::Broker => true,
            };
            if !readable || !still_allowed {
                continue;
            }
            if message.is_expired(now.instant) {
                continue;
            }
            let identifiers = subscription.identifier.map_or(Identifiers::None, Identifiers::One);
            let shape = Shape { qos, retain: true, identifiers, shared: None };
            let mut delivery = shape.of(Arc::clone(message));
            if let Some(queue) = stored.filter(|_| qos > QoS::AtMostOnce) {
                delivery.position = session.outbound.assign();
                let (position, tag) = (delivery.position, shape_tag(&delivery.shape));
                let to = vec![Reference { queue, position, tag }];
                let append = Operation::Append { entry: entry(message, now), to };
                let after = Retained::After(Some(message.topic.clone()));
                progress.insert(queue, subscription, &filter, after);
                if hold {
                    held.push((position, append));
                    delivery.uncommitted = true;
                    wire.stats.queued += 1;
                    wire.stats.queued_bytes += delivery.message.bytes() as u64;
                    session.outbound.enqueue_or_leave_stored(delivery, true);
                    continue;
                }
                commits.write_lazily(append);
            }
            connection.start(now, session, delivery, frames, wire);
        }
        let number = connection.session;
        // That they have been sent is written with what was sent, or behind it.
        if held.is_empty() {
            progress.0.into_values().for_each(|put| commits.write_lazily(put));
        } else {
            self.commit_held(number, held, progress.0.into_values().collect());
        }
    }
}

/// How far the retained messages of a stored session's subscriptions have been sent, to be written
/// once for each.
#[derive(Default)]
struct Progress(BTreeMap<TopicFilter, Operation>);

impl Progress {
    fn insert(
        &mut self,
        queue: QueueId,
        subscription: &Subscription,
        filter: &TopicFilter,
        retained: Retained,
    ) {
        let Subscription { options, identifier, .. } = subscription;
        let record = SubscriptionRecord { options: *options, identifier: *identifier, retained };
        self.0.insert(filter.clone(), record.put(queue, filter));
    }
}
