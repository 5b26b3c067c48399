//! Messages on their way to one client: in flight, waiting, and retained ones still to be sent.
//!
//! A QoS 1 or 2 message has a [`Position`], the next of its session, and a packet id that follows
//! from it, `(position - 1) % 65535 + 1`. Slots in flight stand in the order of positions: an
//! acknowledgement finds its slot by arithmetic, resending keeps the order, and an id is never in
//! use twice because the slots never span more than 65,535. What waits comes behind what is in
//! flight, and what waits in the store alone ([`Tail`]) behind what waits in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use midge_codec::{PacketId, QoS, SubscriptionIdentifier, TopicFilter, TopicName};

use super::Shape;
use super::tail::Tail;
use crate::commit::Position;
use crate::message::Message;
use crate::settings::{Limits, QueueFull};

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
    /// 0: none, as with QoS 0, or none yet.
    pub(crate) position: Position,
    /// Whether the commit that stores it is still to become durable.
    pub(crate) uncommitted: bool,
}

impl Delivery {
    /// QoS 2 is not delivered before it is stored: what is sent cannot be taken back.
    fn is_held(&self) -> bool {
        self.uncommitted && self.shape.qos == QoS::ExactlyOnce
    }
}

/// A slot in flight.
#[derive(Clone, Debug)]
pub(crate) enum Inflight {
    /// QoS 1: PUBLISH is out.
    AwaitPuback(Delivery),
    /// QoS 2: PUBLISH is out.
    AwaitPubrec(Delivery),
    /// QoS 2: the receiver has the message; PUBREL waits until that is durable.
    Releasing,
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
    /// PUBREL is due once it is durable that the message at this position is released.
    Releasing(Position),
    /// That it is released is on its way to the disk already.
    Wait,
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
    Queued(Position),
    /// Queued, and the oldest one that waited was dropped for it, which was at the second position.
    Displaced(Position, Position),
    /// Queued, and the oldest one in the store is to be dropped for it.
    DisplacedStored(Position),
    /// The queue is at its limit: this message is dropped, as Mosquitto does.
    Full,
    /// The queue is at its limit: its publisher is to hear of it.
    Refused,
}

impl Push {
    /// Where the message waits; `None`: it does not.
    pub(crate) fn position(self) -> Option<Position> {
        match self {
            Push::Queued(at) | Push::Displaced(at, _) | Push::DisplacedStored(at) => Some(at),
            Push::Full | Push::Refused => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Outbound {
    /// The next position to be given; they begin with 1.
    next: Position,
    /// Position of the first slot.
    first: Position,
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
    /// What waits in the store alone, behind all that is in `queue`.
    tail: Option<Box<Tail>>,
    /// What was stored below this position when the broker started may have been sent before.
    restored_below: Position,
    /// So many of these go out with DUP: more were never in flight at once.
    perhaps_sent: usize,
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

/// The packet id of a position.
pub(crate) fn packet_id(position: Position) -> PacketId {
    PacketId::new(((position - 1) % PACKET_IDS) as u16 + 1).expect("1 to 65,535")
}

/// Beyond so many messages or bytes that wait in memory a stored session's wait in the store alone.
const MEMORY_MESSAGES: usize = 256;
const MEMORY_BYTES: usize = 256 * 1024;

impl Default for Outbound {
    fn default() -> Outbound {
        Outbound {
            next: 1,
            first: 1,
            slots: VecDeque::new(),
            open: 0,
            sent: 0,
            sent_open: 0,
            open_bytes: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            queued_qos0: 0,
            tail: None,
            restored_below: 0,
            perhaps_sent: 0,
            queue_expires: None,
            retained: VecDeque::new(),
        }
    }
}

impl Outbound {
    /// QoS 1 and 2 messages under way.
    pub(crate) fn inflight(&self) -> usize {
        self.open
    }

    /// Messages that wait, in memory and in the store.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() + self.tail.as_ref().map_or(0, |tail| tail.entries())
    }

    /// Bytes of them.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue_bytes + self.tail.as_ref().map_or(0, |tail| tail.bytes())
    }

    /// Bytes of messages that wait in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.queue_bytes
    }

    /// All positions below are done with.
    pub(crate) fn low(&self) -> Position {
        let inflight = (!self.slots.is_empty()).then_some(self.first);
        let waiting = self.queue.iter().map(|waiting| waiting.position).find(|at| *at > 0);
        let stored = self.tail.as_ref().map(|tail| tail.next());
        [inflight, waiting, stored].into_iter().flatten().min().unwrap_or(self.next)
    }

    /// Gives the next position.
    pub(crate) fn assign(&mut self) -> Position {
        let position = self.next;
        self.next += 1;
        position
    }

    /// The subscription whose retained messages are to be sent next.
    pub(crate) fn retained_front(&mut self) -> Option<&mut RetainedFor> {
        self.retained.front_mut()
    }

    /// All retained messages of that subscription have been sent.
    pub(crate) fn retained_done(&mut self) {
        self.retained.pop_front();
    }

    /// Whether a new message of this QoS must wait behind others.
    pub(crate) fn must_wait(&self, qos: QoS, window: Window) -> bool {
        match qos {
            QoS::AtMostOnce => self.queued_qos0 > 0,
            _ => {
                self.queue.len() > self.queued_qos0
                    || self.tail.is_some()
                    || !self.has_room(window, self.next)
            }
        }
    }

    /// Whether the QoS 1 or 2 message at this position may be sent ([MQTT-3.3.4-9]).
    fn has_room(&self, window: Window, position: Position) -> bool {
        let end = self.first + self.slots.len() as u64;
        self.sent == self.slots.len()
            && self.open < window.messages
            && (self.open_bytes == 0 || self.open_bytes < window.bytes)
            && (self.slots.is_empty()
                || end.max(position + 1) - self.first.min(position) <= PACKET_IDS)
    }

    /// Puts a QoS 1 or 2 message in flight; gives its packet id and whether it may have been sent
    /// before.
    pub(crate) fn start(&mut self, mut delivery: Delivery) -> (PacketId, bool) {
        if delivery.position == 0 {
            delivery.position = self.assign();
        }
        let position = delivery.position;
        let dup = position < self.restored_below && self.perhaps_sent > 0;
        self.perhaps_sent -= usize::from(dup);
        self.open_bytes += delivery.message.bytes();
        let slot = match delivery.shape.qos {
            QoS::ExactlyOnce => Inflight::AwaitPubrec(delivery),
            _ => Inflight::AwaitPuback(delivery),
        };
        self.place(position, slot);
        self.sent = self.slots.len();
        self.sent_open += 1;
        (packet_id(position), dup)
    }

    /// Puts an open slot in its place among the others.
    fn place(&mut self, position: Position, slot: Inflight) {
        if self.slots.is_empty() {
            self.first = position;
        }
        while position < self.first {
            self.slots.push_front(Inflight::Done);
            self.first -= 1;
        }
        while position >= self.first + self.slots.len() as u64 {
            self.slots.push_back(Inflight::Done);
        }
        self.slots[(position - self.first) as usize] = slot;
        self.open += 1;
    }

    /// Puts a message in the queue, unless it is at its limit. Expired ones make room and are
    /// counted. `stored`: it is being stored as well.
    pub(crate) fn push(
        &mut self,
        mut delivery: Delivery,
        stored: bool,
        limits: &Limits,
        now: Instant,
        expired: &mut u64,
    ) -> Push {
        let bytes = delivery.message.bytes();
        if self.is_full(bytes, limits) && self.queue_expires.is_some_and(|first| first <= now) {
            *expired += self.take_waiting(|waiting| waiting.message.is_expired(now)).len() as u64;
        }
        let full = self.is_full(bytes, limits);
        let mut displaced = None;
        let mut displaced_stored = false;
        if full {
            match limits.queue_full {
                QueueFull::DropNewest => return Push::Full,
                QueueFull::Refuse => return Push::Refused,
                QueueFull::DropOldest => {
                    displaced = self.pop_queue().map(|oldest| oldest.position);
                    let tail = self.tail.as_mut().filter(|_| displaced.is_none());
                    displaced_stored = tail.is_some_and(|tail| tail.drop_first());
                    if displaced.is_none() && !displaced_stored {
                        return Push::Full;
                    }
                }
            }
        }
        if delivery.shape.qos > QoS::AtMostOnce && delivery.position == 0 {
            delivery.position = self.assign();
        }
        let position = delivery.position;
        self.enqueue_or_leave_stored(delivery, stored);
        match (displaced, displaced_stored) {
            (Some(oldest), _) => Push::Displaced(position, oldest),
            (_, true) => Push::DisplacedStored(position),
            _ => Push::Queued(position),
        }
    }

    fn enqueue_or_leave_stored(&mut self, delivery: Delivery, stored: bool) {
        let leaves = stored && delivery.position > 0;
        let much = self.queue.len() - self.queued_qos0 >= MEMORY_MESSAGES
            || self.queue_bytes >= MEMORY_BYTES;
        if !leaves || (self.tail.is_none() && !much) {
            return self.enqueue(delivery);
        }
        let tail = self.tail.get_or_insert_with(|| Box::new(Tail::new(delivery.position)));
        tail.push(delivery.position, delivery.message.bytes(), delivery.uncommitted);
    }

    fn is_full(&self, bytes: usize, limits: &Limits) -> bool {
        let count_full =
            limits.max_queued_messages > 0 && self.queued() >= limits.max_queued_messages;
        let bytes_full =
            limits.max_queued_bytes > 0 && self.queued_bytes() + bytes > limits.max_queued_bytes;
        count_full || bytes_full
    }

    /// Puts a message at the end of the queue, whatever its limit.
    pub(crate) fn enqueue(&mut self, delivery: Delivery) {
        self.queue_bytes += delivery.message.bytes();
        self.queued_qos0 += usize::from(delivery.shape.qos == QoS::AtMostOnce);
        let expiries = [self.queue_expires, delivery.message.expires];
        self.queue_expires = expiries.into_iter().flatten().min();
        self.queue.push_back(delivery);
    }

    /// The retained messages of a subscription are to be sent, from the first.
    pub(crate) fn want_retained(&mut self, filter: TopicFilter) {
        self.want_retained_after(filter, None);
    }

    /// The retained messages of a subscription are to be sent, behind this topic.
    pub(crate) fn want_retained_after(&mut self, filter: TopicFilter, after: Option<TopicName>) {
        self.forget_retained(&filter);
        self.retained.push_back(RetainedFor { filter, after });
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
            let delivery = self.queue.front()?;
            let waits = delivery.shape.qos > QoS::AtMostOnce
                && (delivery.is_held() || !self.has_room(window, delivery.position));
            if waits {
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

    /// PUBREC; `refused`: its Reason Code was an error, which ends the exchange ([MQTT-4.4.0-2]);
    /// `stored`: that it has come is to be made durable.
    pub(crate) fn pubrec(&mut self, id: PacketId, refused: bool, stored: bool) -> Acknowledged {
        match self.slot(id) {
            Some(slot @ Inflight::AwaitPubrec(_)) if refused => {
                let before = std::mem::replace(slot, Inflight::Done);
                self.release(&before);
                self.finish()
            }
            Some(slot @ Inflight::AwaitPubrec(_)) => {
                let next = if stored { Inflight::Releasing } else { Inflight::AwaitPubcomp };
                let before = std::mem::replace(slot, next);
                self.release(&before);
                match before {
                    Inflight::AwaitPubrec(delivery) if stored => {
                        Acknowledged::Releasing(delivery.position)
                    }
                    _ => Acknowledged::Release,
                }
            }
            Some(Inflight::Releasing) => Acknowledged::Wait,
            // A repeated PUBREC means our PUBREL was lost.
            Some(Inflight::AwaitPubcomp) => Acknowledged::Release,
            _ => Acknowledged::Unknown,
        }
    }

    /// That a message is released is durable; whether its PUBREL is to be sent now.
    pub(crate) fn released(&mut self, position: Position) -> bool {
        let Some(place) = position.checked_sub(self.first) else { return false };
        match self.slots.get_mut(place as usize) {
            Some(slot @ Inflight::Releasing) => {
                *slot = Inflight::AwaitPubcomp;
                (place as usize) < self.sent
            }
            _ => false,
        }
    }

    /// The position in flight under a packet id.
    pub(crate) fn position(&self, id: PacketId) -> Position {
        self.first + self.offset(id) as u64
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

    /// How far behind the first slot the one of a packet id is.
    fn offset(&self, id: PacketId) -> usize {
        let first = (self.first - 1) % PACKET_IDS;
        ((u64::from(id.get()) - 1 + PACKET_IDS - first) % PACKET_IDS) as usize
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Inflight> {
        let offset = self.offset(id);
        // What this connection has not been sent cannot be acknowledged on it.
        if offset < self.sent { self.slots.get_mut(offset) } else { None }
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
        loop {
            match self.slots.get(self.sent)? {
                Inflight::Done => {}
                // Its PUBREL goes out by itself.
                Inflight::Releasing => self.sent_open += 1,
                _ => break,
            }
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

    /// Leaves what is in flight to the store alone, to be sent again under the same packet ids to
    /// the next connection.
    pub(crate) fn recall(&mut self) -> u64 {
        self.spill();
        let open =
            |slot: &Inflight| matches!(slot, Inflight::AwaitPuback(_) | Inflight::AwaitPubrec(_));
        let Some(place) = self.slots.iter().position(open) else { return 0 };
        let first = self.first + place as u64;
        let mut tail = self.tail.take().unwrap_or_else(|| Box::new(Tail::new(first)));
        tail.reach_back_to(first);
        let mut count = 0;
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if let Inflight::AwaitPuback(delivery) | Inflight::AwaitPubrec(delivery) = slot {
                let bytes = delivery.message.bytes();
                tail.push(delivery.position, bytes, delivery.uncommitted);
                *slot = Inflight::Done;
                count += 1;
                self.open -= 1;
                self.sent_open -= usize::from(place < self.sent);
            }
        }
        self.tail = Some(tail);
        self.open_bytes = 0;
        self.restored_below = self.next;
        self.perhaps_sent = count as usize;
        self.pop_done();
        count
    }

    /// Leaves what waits to the store alone: memory is short.
    pub(crate) fn spill(&mut self) {
        let Some(first) = self.queue.iter().map(|waiting| waiting.position).find(|at| *at > 0)
        else {
            return;
        };
        let mut tail = self.tail.take().unwrap_or_else(|| Box::new(Tail::new(first)));
        tail.reach_back_to(first);
        for delivery in self.take_waiting(|waiting| waiting.position > 0) {
            tail.push(delivery.position, delivery.message.bytes(), delivery.uncommitted);
        }
        self.tail = Some(tail);
    }

    /// The commit of the message at this position is durable.
    pub(crate) fn committed(&mut self, position: Position) {
        if self.tail.as_mut().is_some_and(|tail| tail.committed(position)) {
            return;
        }
        // Those of QoS 0 have no position: they are few, and mostly none.
        let found = if self.queued_qos0 == 0 {
            let place = self.queue.binary_search_by_key(&position, |waiting| waiting.position);
            place.ok().and_then(|place| self.queue.get_mut(place))
        } else {
            self.queue.iter_mut().find(|waiting| waiting.position == position)
        };
        if let Some(waiting) = found {
            waiting.uncommitted = false;
        }
    }

    /// What to load from the store, if it is time to: from this position, below the other.
    pub(crate) fn wants_load(&mut self) -> Option<(Position, Position)> {
        let waiting = self.queue.len() - self.queued_qos0;
        self.tail.as_mut().filter(|_| waiting < MEMORY_MESSAGES / 4)?.load()
    }

    /// Takes what was loaded, if it is what was asked for last; how many messages turned out not
    /// to be there, if so.
    pub(crate) fn loaded(
        &mut self,
        from: Position,
        deliveries: Vec<Delivery>,
        end: bool,
    ) -> Option<u64> {
        let tail = self.tail.as_mut()?;
        let missing = tail.loaded(from, &deliveries, end)?;
        if tail.entries() == 0 {
            self.tail = None;
        }
        for delivery in deliveries {
            self.enqueue(delivery);
        }
        Some(missing)
    }

    /// What a stored session had when the broker stopped: entries in the store, and messages that
    /// are released but not completed.
    pub(crate) fn restore(
        &mut self,
        next: Position,
        tail: Option<Tail>,
        released: &[Position],
        perhaps_sent: usize,
    ) {
        self.next = next;
        self.first = next;
        self.tail = tail.map(Box::new);
        self.restored_below = next;
        self.perhaps_sent = perhaps_sent;
        for position in released {
            self.place(*position, Inflight::AwaitPubcomp);
        }
    }

    /// Where those begin that wait in the store alone.
    pub(crate) fn stored_from(&self) -> Option<Position> {
        self.tail.as_ref().map(|tail| tail.next())
    }

    /// Positions that are released but not completed.
    pub(crate) fn unreleased(&self) -> impl Iterator<Item = Position> + '_ {
        self.slots.iter().zip(self.first..).filter_map(|(slot, position)| {
            matches!(slot, Inflight::Releasing | Inflight::AwaitPubcomp).then_some(position)
        })
    }
}

#[cfg(test)]
mod tests;
