//! Messages on their way to one client: in flight, waiting, and retained ones still to be sent.
//!
//! Packet ids follow from a sequence, `(sequence - 1) % 65535 + 1`, and slots in flight stand in
//! its order: an acknowledgement finds its slot by arithmetic, resending keeps the order, and an id
//! is never in use twice because the slots never span more than 65,535.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use midge_codec::{PacketId, QoS, SubscriptionIdentifier, TopicFilter, TopicName};

use super::Shape;
use crate::message::Message;
use crate::settings::Limits;

const PACKET_IDS: u64 = 65_535;

/// The Subscription Identifiers a delivery carries ([MQTT-3.3.4-3]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Identifiers {
    #[default]
    None,
    One(SubscriptionIdentifier),
    Many(Vec<SubscriptionIdentifier>),
}

impl Identifiers {
    pub(crate) fn as_slice(&self) -> &[SubscriptionIdentifier] {
        match self {
            Identifiers::None => &[],
            Identifiers::One(one) => std::slice::from_ref(one),
            Identifiers::Many(many) => many,
        }
    }

    pub(crate) fn add(&mut self, identifier: Option<SubscriptionIdentifier>) {
        let Some(identifier) = identifier else { return };
        match self {
            Identifiers::None => *self = Identifiers::One(identifier),
            Identifiers::One(one) => *self = Identifiers::Many(vec![*one, identifier]),
            Identifiers::Many(many) => many.push(identifier),
        }
    }
}

/// A message for one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) shape: Shape,
}

/// A slot in flight.
#[derive(Clone, Debug)]
pub(crate) enum Inflight {
    /// QoS 1: PUBLISH is out.
    AwaitPuback(Delivery),
    /// QoS 2: PUBLISH is out.
    AwaitPubrec(Delivery),
    /// QoS 2: PUBREL is out, the message is the receiver's ([MQTT-4.3.3-6]).
    AwaitPubcomp,
    /// Finished before an earlier slot.
    Done,
}

/// What an acknowledgement did.
#[derive(Debug)]
pub(crate) enum Acknowledged {
    /// The exchange has ended.
    Finished,
    /// PUBREL is due.
    Release,
    /// No such packet id, or not in this state.
    Unknown,
}

/// How much may be in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) messages: usize,
    /// One message is always allowed, however large.
    pub(crate) bytes: usize,
}

/// What became of a message put in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    Queued,
    /// The queue is at its limit: this message is dropped, as Mosquitto does.
    Full,
}

#[derive(Debug, Default)]
pub(crate) struct Outbound {
    /// Sequence of the first slot; the next one to be given is this plus the slots.
    first: u64,
    slots: VecDeque<Inflight>,
    /// Slots that are not [`Inflight::Done`].
    open: usize,
    /// So many slots, from the first, have been sent on the present connection; the others were
    /// sent on an earlier one and wait for room in the window.
    sent: usize,
    /// The open ones among them.
    sent_open: usize,
    /// Bytes of messages in flight.
    open_bytes: usize,
    queue: VecDeque<Delivery>,
    queue_bytes: usize,
    queued_qos0: usize,
    /// No message in the queue expires before this.
    queue_expires: Option<Instant>,
    /// New subscriptions whose retained messages are still to be sent, as there is room.
    retained: VecDeque<RetainedFor>,
}

/// A subscription whose retained messages are being sent. The messages stay where they are until
/// their turn comes: they cost nothing here, and never come older than they are then.
#[derive(Clone, Debug)]
pub(crate) struct RetainedFor {
    pub(crate) filter: TopicFilter,
    /// The last topic sent.
    pub(crate) after: Option<TopicName>,
}

fn packet_id(sequence: u64) -> PacketId {
    // Sequences start at 0 here, so this is `(seq - 1) % 65535 + 1` of one that starts at 1.
    PacketId::new((sequence % PACKET_IDS) as u16 + 1).expect("1 to 65,535")
}

impl Outbound {
    /// QoS 1 and 2 messages under way.
    pub(crate) fn inflight(&self) -> usize {
        self.open
    }

    /// Messages that wait.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of them.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue_bytes
    }

    /// The subscription whose retained messages are to be sent next.
    pub(crate) fn retained_front(&mut self) -> Option<&mut RetainedFor> {
        self.retained.front_mut()
    }

    /// All retained messages of that subscription have been sent.
    pub(crate) fn retained_done(&mut self) {
        self.retained.pop_front();
    }

    /// Whether a message of this QoS must wait behind others.
    pub(crate) fn must_wait(&self, qos: QoS, window: Window) -> bool {
        match qos {
            QoS::AtMostOnce => self.queued_qos0 > 0,
            _ => self.queue.len() > self.queued_qos0 || !self.has_room(window),
        }
    }

    /// Whether another QoS 1 or 2 message may be sent ([MQTT-3.3.4-9]).
    pub(crate) fn has_room(&self, window: Window) -> bool {
        self.sent == self.slots.len()
            && self.open < window.messages
            && (self.open_bytes == 0 || self.open_bytes < window.bytes)
            && (self.slots.len() as u64) < PACKET_IDS
    }

    /// Puts a QoS 1 or 2 message in flight and gives its packet id.
    pub(crate) fn start(&mut self, delivery: Delivery) -> PacketId {
        let sequence = self.first + self.slots.len() as u64;
        self.open_bytes += delivery.message.bytes();
        self.slots.push_back(match delivery.shape.qos {
            QoS::ExactlyOnce => Inflight::AwaitPubrec(delivery),
            _ => Inflight::AwaitPuback(delivery),
        });
        self.open += 1;
        self.sent = self.slots.len();
        self.sent_open += 1;
        packet_id(sequence)
    }

    /// Puts a message in the queue, unless it is at its limit. Expired ones make room and are
    /// counted.
    pub(crate) fn push(
        &mut self,
        delivery: Delivery,
        limits: &Limits,
        now: Instant,
        expired: &mut u64,
    ) -> Push {
        let bytes = delivery.message.bytes();
        if self.is_full(bytes, limits) && self.queue_expires.is_some_and(|first| first <= now) {
            *expired += self.take_waiting(|waiting| waiting.message.is_expired(now)).len() as u64;
        }
        if self.is_full(bytes, limits) {
            return Push::Full;
        }
        self.enqueue(delivery);
        Push::Queued
    }

    fn is_full(&self, bytes: usize, limits: &Limits) -> bool {
        let count_full =
            limits.max_queued_messages > 0 && self.queue.len() >= limits.max_queued_messages;
        let bytes_full =
            limits.max_queued_bytes > 0 && self.queue_bytes + bytes > limits.max_queued_bytes;
        count_full || bytes_full
    }

    fn enqueue(&mut self, delivery: Delivery) {
        self.queue_bytes += delivery.message.bytes();
        self.queued_qos0 += usize::from(delivery.shape.qos == QoS::AtMostOnce);
        let expiries = [self.queue_expires, delivery.message.expires];
        self.queue_expires = expiries.into_iter().flatten().min();
        self.queue.push_back(delivery);
    }

    /// The retained messages of a subscription are to be sent, from the first.
    pub(crate) fn want_retained(&mut self, filter: TopicFilter) {
        self.forget_retained(&filter);
        self.retained.push_back(RetainedFor { filter, after: None });
    }

    /// Sends no more retained messages of a subscription.
    pub(crate) fn forget_retained(&mut self, filter: &TopicFilter) {
        self.retained.retain(|waiting| waiting.filter != *filter);
    }

    /// The next message of the queue that may be sent now. Expired ones are dropped on the way
    /// and counted.
    pub(crate) fn next(
        &mut self,
        window: Window,
        now: Instant,
        expired: &mut u64,
    ) -> Option<Delivery> {
        loop {
            let room = self.has_room(window);
            let delivery = self.queue.front()?;
            if delivery.shape.qos > QoS::AtMostOnce && !room {
                return None;
            }
            let delivery = self.pop_queue()?;
            if !delivery.message.is_expired(now) {
                return Some(delivery);
            }
            *expired += 1;
        }
    }

    fn pop_queue(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.queue_bytes -= delivery.message.bytes();
        self.queued_qos0 -= usize::from(delivery.shape.qos == QoS::AtMostOnce);
        Some(delivery)
    }

    /// PUBACK.
    pub(crate) fn puback(&mut self, id: PacketId) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPuback(_)) => {
                let before = std::mem::replace(slot, Inflight::Done);
                self.release(&before);
                self.finish()
            }
            _ => Acknowledged::Unknown,
        }
    }

    /// PUBREC; `refused`: its Reason Code was an error, which ends the exchange ([MQTT-4.4.0-2]).
    pub(crate) fn pubrec(&mut self, id: PacketId, refused: bool) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPubrec(_)) if refused => {
                let before = std::mem::replace(slot, Inflight::Done);
                self.release(&before);
                self.finish()
            }
            Some(slot @ Inflight::AwaitPubrec(_)) => {
                let before = std::mem::replace(slot, Inflight::AwaitPubcomp);
                self.release(&before);
                Acknowledged::Release
            }
            // A repeated PUBREC means our PUBREL was lost.
            Some(Inflight::AwaitPubcomp) => Acknowledged::Release,
            _ => Acknowledged::Unknown,
        }
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, id: PacketId) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPubcomp) => {
                *slot = Inflight::Done;
                self.finish()
            }
            _ => Acknowledged::Unknown,
        }
    }

    /// The receiver has the message: its bytes are in flight no more.
    fn release(&mut self, slot: &Inflight) {
        if let Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery) = slot {
            self.open_bytes -= delivery.message.bytes();
        }
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Inflight> {
        let offset = (u64::from(id.get()) - 1 + PACKET_IDS - self.first % PACKET_IDS) % PACKET_IDS;
        // What this connection has not been sent cannot be acknowledged on it.
        self.slots.range_mut(..self.sent).nth(offset as usize)
    }

    fn finish(&mut self) -> Acknowledged {
        self.open -= 1;
        self.sent_open -= 1;
        self.pop_done();
        Acknowledged::Finished
    }

    fn pop_done(&mut self) {
        while let Some(Inflight::Done) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
            // After a reconnect also slots that were done before may not have been passed yet.
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// Gives up a message that was to be sent again.
    pub(crate) fn abandon(&mut self, id: PacketId) {
        if let Some(slot) = self.slot(id) {
            let before = std::mem::replace(slot, Inflight::Done);
            self.release(&before);
            self.finish();
        }
    }

    /// Gives up every message that is in flight, not what is released already; returns how many.
    pub(crate) fn abandon_all(&mut self) -> u64 {
        let mut count = 0;
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Inflight::AwaitPuback(_) | Inflight::AwaitPubrec(_)) {
                *slot = Inflight::Done;
                count += 1;
                self.open -= 1;
                self.sent_open -= usize::from(place < self.sent);
            }
        }
        self.open_bytes = 0;
        self.pop_done();
        count
    }

    /// Bytes of messages in flight.
    pub(crate) fn inflight_bytes(&self) -> usize {
        self.open_bytes
    }

    /// A new connection: all that is in flight is to be sent again ([MQTT-4.4.0-1]).
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
        self.sent_open = 0;
    }

    /// The next slot to be sent again, in the order they were first sent. A PUBLISH waits for room
    /// in the window, which may be smaller than it was.
    pub(crate) fn next_resend(&mut self, window: Window) -> Option<(PacketId, &Inflight)> {
        while matches!(self.slots.get(self.sent)?, Inflight::Done) {
            self.sent += 1;
        }
        let slot = self.slots.get(self.sent)?;
        if !matches!(slot, Inflight::AwaitPubcomp) && self.sent_open >= window.messages {
            return None;
        }
        let id = packet_id(self.first + self.sent as u64);
        self.sent += 1;
        self.sent_open += 1;
        Some((id, slot))
    }

    /// Takes waiting messages that `gone` picks.
    pub(crate) fn take_waiting(
        &mut self,
        mut gone: impl FnMut(&Delivery) -> bool,
    ) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let before = std::mem::take(&mut self.queue);
        self.queue_bytes = 0;
        self.queued_qos0 = 0;
        self.queue_expires = None;
        for delivery in before {
            if gone(&delivery) {
                taken.push(delivery);
            } else {
                self.enqueue(delivery);
            }
        }
        taken
    }

    /// Takes what was sent at QoS 1 for a shared subscription and not acknowledged: another member
    /// gets it when this session ends (4.8.2).
    pub(crate) fn take_shared_inflight(&mut self) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for slot in &mut self.slots {
            if let Inflight::AwaitPuback(delivery) = slot
                && delivery.shape.shared.is_some()
            {
                taken.push(delivery.clone());
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests;
