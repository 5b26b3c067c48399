//! SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10), and what a session's end does to its subscriptions.

use midge_codec::{
    Packet, ProtocolVersion, QoS, ReasonCode, RetainHandling, Suback, Subscribe,
    SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Unsubscribe,
};
use tracing::debug;

use super::commits::Waiter;
use super::interest::{PendingSubscribe, Request};
use super::{Shard, Subscriber};
use crate::Now;
use crate::connection::paused;
use crate::session::{Delivery, Subscription};
use crate::settings::Verdict;
use crate::stored::{Key, Retained, SubscriptionRecord, delete};

/// SUBSCRIBE packets of one client that may wait for other shards: then it is not read from.
pub(super) const PENDING_SUBSCRIBES: usize = 64;

/// What the filters of one session may cost: so much for each subscription it may have, and so much
/// in any case. Filters of ordinary length never reach it.
const FILTER_BYTES: usize = 1_024;
const FILTERS_BYTES: usize = 128 * 1_024;

impl Shard {
    pub(super) fn subscribe(&mut self, now: Now, index: u32, subscribe: Subscribe) {
        let connection = self.connection(index);
        let (number, id, version) = (connection.session, connection.id, connection.version);
        let bridge = connection.bridge;
        let request = self.open_request(Request::Subscribe(PendingSubscribe {
            session: number,
            incarnation: self.sessions[number as usize].incarnation,
            connection: id,
            suback: Suback {
                packet_id: subscribe.packet_id,
                properties: None,
                reasons: Vec::with_capacity(subscribe.subscriptions.len()),
            },
            retained: Vec::new(),
        }));
        let identifier = subscribe.properties.subscription_identifier;
        let queue = self.sessions[number as usize].stored.as_ref().map(|stored| stored.queue);
        let full = queue.is_some() && self.commits.full;
        let mut operations = Vec::new();
        for (filter, mut options) in subscribe.subscriptions {
            if bridge && filter.share_name().is_none() {
                // Mosquitto's bridges announce themselves so: nothing comes back, flags stay.
                options.no_local = true;
                options.retain_as_published = true;
            }
            let filter = filter.detached();
            options.qos = options.qos.min(self.limits().max_qos);
            // What is stored already needs no room: a client that is to empty its queue may come back
            // and ask for what it has.
            let known = self.sessions[number as usize].subscriptions.get(&filter);
            let stored =
                known.is_some_and(|it| (it.options, it.identifier) == (options, identifier));
            let reason = match full && !stored {
                true => ReasonCode::QuotaExceeded,
                false => self.subscribe_one(now, number, &filter, options, identifier, request),
            };
            if let Some(queue) = queue.filter(|_| !reason.is_error() && !full) {
                let wanted = self.pending(request).retained.last() == Some(&filter);
                let retained = if wanted { Retained::After(None) } else { Retained::Done };
                let record = SubscriptionRecord { options, identifier, retained };
                operations.push(record.put(queue, &filter));
            }
            // 3.1 has no failure code: granted, and silent.
            let silent = version == ProtocolVersion::V31 && reason.is_error();
            let reason = if silent { granted(options.qos) } else { reason };
            self.pending(request).suback.reasons.push(reason);
        }
        if !operations.is_empty() {
            self.request_waits(request);
            self.commit(operations, Waiter::Request(request));
        }
        self.connection(index).requests += 1;
        self.request_ready(now, request);
        if self.connection(index).requests >= PENDING_SUBSCRIBES {
            self.pause(index, paused::REQUESTS);
        }
    }

    fn subscribe_one(
        &mut self,
        now: Now,
        number: u32,
        filter: &TopicFilter,
        options: SubscriptionOptions,
        identifier: Option<SubscriptionIdentifier>,
        request: u64,
    ) -> ReasonCode {
        let limits = self.limits();
        let (deny, max_levels) = (limits.deny_subscribe, limits.max_topic_levels);
        let max_subscriptions = limits.max_subscriptions;
        if filter.filter().split('/').nth(max_levels).is_some() {
            return ReasonCode::TopicFilterInvalid;
        }
        let session = &self.sessions[number as usize];
        let existed = session.subscriptions.contains_key(filter);
        let room = session.subscriptions.len() < max_subscriptions
            && session.filter_bytes + filter_bytes(filter)
                <= FILTERS_BYTES + max_subscriptions.saturating_mul(FILTER_BYTES);
        if !existed && !room {
            return ReasonCode::QuotaExceeded;
        }
        let verdict = self.generation.authorize.subscribe(&session.client, filter);
        if verdict == Verdict::Never && deny {
            debug!(client_id = %session.client.client_id, %filter, "subscription denied");
            self.unsubscribe_one(now, number, filter);
            return ReasonCode::NotAuthorized;
        }
        let subscription = Subscription { options, identifier, verdict };
        let wants_retained = filter.share_name().is_none()
            && match options.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => !existed,
                RetainHandling::DoNotSend => false,
            };
        self.replace_subscription(now, number, filter, &subscription, Some(request));
        if wants_retained && verdict != Verdict::Never {
            self.pending(request).retained.push(filter.clone());
        }
        granted(options.qos)
    }

    fn pending(&mut self, request: u64) -> &mut PendingSubscribe {
        match self.interest.request_mut(request) {
            Some(Request::Subscribe(pending)) => pending,
            _ => unreachable!("a SUBSCRIBE is pending until its own confirmation"),
        }
    }

    pub(super) fn unsubscribe(&mut self, now: Now, index: u32, unsubscribe: &Unsubscribe) {
        let number = self.connection(index).session;
        let reasons = unsubscribe
            .filters
            .iter()
            .map(|filter| match self.unsubscribe_one(now, number, filter) {
                true => ReasonCode::Success,
                false => ReasonCode::NoSubscriptionExisted,
            })
            .collect();
        let packet = Suback { packet_id: unsubscribe.packet_id, properties: None, reasons };
        if self.sessions[number as usize].stored.is_some() {
            let connection = self.connection(index).id;
            let waiter = Waiter::Packet(connection, Packet::Unsuback(packet));
            return self.commit(Vec::new(), waiter);
        }
        let (connection, wire) = self.connection_and_wire(index);
        connection.send(&Packet::Unsuback(packet), wire);
    }

    fn unsubscribe_one(&mut self, now: Now, number: u32, filter: &TopicFilter) -> bool {
        let session = self.session(number);
        let Some(gone) = session.subscriptions.remove(filter) else { return false };
        session.outbound.forget_retained(filter);
        session.filter_bytes -= filter_bytes(filter);
        self.wire.stats.subscriptions -= 1;
        self.wire.stats.shared_subscriptions -= u64::from(filter.share_name().is_some());
        if let Some(queue) = self.session(number).stored.as_ref().map(|stored| stored.queue) {
            self.write_lazily(delete(&Key::Subscription(queue, filter.clone())));
        }
        if gone.verdict != Verdict::Never {
            self.unlist(now, number, filter);
        }
        true
    }

    /// Makes a subscription, or puts another in its place, without a gap ([MQTT-3.8.4-4]).
    pub(super) fn replace_subscription(
        &mut self,
        now: Now,
        number: u32,
        filter: &TopicFilter,
        subscription: &Subscription,
        request: Option<u64>,
    ) {
        let before =
            self.session(number).subscriptions.insert(filter.clone(), subscription.clone());
        let listed = before.as_ref().is_some_and(|before| before.verdict != Verdict::Never);
        if before.is_none() {
            self.session(number).filter_bytes += filter_bytes(filter);
            self.wire.stats.subscriptions += 1;
            self.wire.stats.shared_subscriptions += u64::from(filter.share_name().is_some());
        }
        match (listed, subscription.verdict != Verdict::Never) {
            (false, false) => {}
            (true, false) => self.unlist(now, number, filter),
            (listed, true) => self.list(number, filter, subscription, listed, request),
        }
    }

    /// Makes messages reach a subscription; `listed`: they did already, its options change.
    fn list(
        &mut self,
        number: u32,
        filter: &TopicFilter,
        subscription: &Subscription,
        listed: bool,
        request: Option<u64>,
    ) {
        if filter.share_name().is_some() {
            return self.join(number, filter, subscription, request);
        }
        let subscriber = Subscriber::Session {
            session: number,
            options: subscription.options,
            identifier: subscription.identifier,
            per_topic: subscription.verdict == Verdict::PerTopic,
        };
        let stored = self.sessions[number as usize].stored.is_some();
        if listed {
            let values = self.filters.values_mut(filter.filter());
            if let Some(known) = values.iter_mut().find(|known| known.is_session(number)) {
                *known = subscriber;
            }
            // Perhaps not all shards know of the first SUBSCRIBE yet.
            self.confirm_interest(filter.filter(), stored, request);
        } else {
            self.filters.insert(filter.filter(), subscriber);
            self.add_interest(filter.filter(), stored, request);
        }
    }

    /// Makes messages reach a subscription no more.
    fn unlist(&mut self, now: Now, number: u32, filter: &TopicFilter) {
        if filter.share_name().is_some() {
            return self.leave(now, number, filter);
        }
        self.filters.remove(filter.filter(), |known| known.is_session(number));
        self.drop_interest(now, filter.filter());
    }

    /// A session ends: its subscriptions go, and what it had of shared ones finds other members.
    pub(super) fn leave_all(&mut self, now: Now, number: u32) {
        let mut shared = self.session(number).outbound.flight.take_shared();
        shared.extend(self.take_waiting_shared(number, false));
        let queue = self.session(number).stored.as_ref().map(|stored| stored.queue);
        let clearing = queue.map(|queue| (queue, self.clearing(number, queue)));
        self.session(number).stored = None;
        let filters: Vec<TopicFilter> =
            self.session(number).subscriptions.keys().cloned().collect();
        for filter in &filters {
            self.unsubscribe_one(now, number, filter);
        }
        match clearing {
            Some((queue, operations)) => {
                self.by_queue.remove(&queue);
                self.end_queue(now, number, queue, operations, &filters, shared);
            }
            None => shared.into_iter().for_each(|delivery| self.give_back(now, delivery, None)),
        }
    }

    /// A member is away for a while: what it has not been sent is offered to the others, and comes
    /// back when there are none. What it may have been sent at QoS 2 waits for it alone
    /// ([MQTT-4.8.2-4]).
    pub(super) fn give_back_waiting(&mut self, now: Now, number: u32) {
        let queue = self.session(number).stored.as_ref().map(|stored| stored.queue);
        for delivery in self.take_waiting_shared(number, true) {
            self.give_back(now, delivery, queue);
        }
    }

    fn take_waiting_shared(&mut self, number: u32, comes_back: bool) -> Vec<Delivery> {
        let session = self.session(number);
        let waiting = session.outbound.take_shared(comes_back);
        let bytes: usize = waiting.iter().map(|delivery| delivery.message.bytes()).sum();
        self.wire.stats.queued -= waiting.len() as u64;
        self.wire.stats.queued_bytes -= bytes as u64;
        waiting
    }
}

/// What a filter costs, about: its text, which the session, the map of filters and the other shards
/// hold, and a node for each level.
fn filter_bytes(filter: &TopicFilter) -> usize {
    const COPIES: usize = 8;
    const LEVEL_BYTES: usize = 96;
    let text = filter.text().as_str();
    COPIES * text.len() + LEVEL_BYTES * text.split('/').count()
}

fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}

impl Subscriber {
    fn is_session(&self, number: u32) -> bool {
        matches!(self, Subscriber::Session { session, .. } if *session == number)
    }
}
