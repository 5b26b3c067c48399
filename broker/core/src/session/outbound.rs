//! Messages on their way to one client: in flight, waiting, and retained ones still to be sent.
//!
//! A QoS 1 or 2 message has a [`Position`], the next of its session, and a packet id that follows
//! from it, `(position - 1) % 65535 + 1`. What waits comes behind what is in flight, and what waits
//! in the store alone ([`Tail`]) behind what waits in memory.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use midge_codec::{PacketId, QoS, TopicFilter, TopicName};

use super::Delivery;
use super::flight::{Flight, Inflight, Window, packet_id};
use super::tail::Tail;
use crate::commit::Position;
use crate::settings::{Limits, QueueFull};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    Queued(Position),
    /// Queued, and the oldest one that waited was dropped for it, which was at the second position.
    Displaced(Position, Position),
    /// Queued, and the oldest one in the store, at the second position or behind it, is to be dropped
    /// for it.
    DisplacedStored(Position, Position),
    /// The queue is at its limit: this message is dropped, as Mosquitto does.
    Full,
    /// The queue is at its limit: its publisher is to hear of it.
    Refused,
}

impl Push {
    /// Where the message waits; `None`: it does not.
    pub(crate) fn position(self) -> Option<Position> {
        match self {
            Push::Queued(at) | Push::Displaced(at, _) | Push::DisplacedStored(at, _) => Some(at),
            Push::Full | Push::Refused => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Outbound {
    /// The next position to be given; they begin with 1.
    next: Position,
    pub(crate) flight: Flight,
    queue: VecDeque<Delivery>,
    queue_bytes: usize,
    queued_qos0: usize,
    /// What waits in the store alone, behind all that is in `queue`.
    tail: Option<Box<Tail>>,
    /// What is below this position may have been sent before, and goes out with DUP. How many were
    /// is not known after a start: what was acknowledged behind one that was not is sent again, so
    /// they may be more than were ever in flight at once.
    restored_below: Position,
    /// What another member of a shared subscription is to have: ours until that is written.
    leaving: BTreeSet<Position>,
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

/// Beyond so many messages or bytes that wait in memory a stored session's wait in the store alone.
const MEMORY_MESSAGES: usize = 256;
const MEMORY_BYTES: usize = 256 * 1024;

impl Default for Outbound {
    fn default() -> Outbound {
        Outbound {
            next: 1,
            flight: Flight::default(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            queued_qos0: 0,
            tail: None,
            restored_below: 0,
            leaving: BTreeSet::new(),
            queue_expires: None,
            retained: VecDeque::new(),
        }
    }
}

impl Outbound {
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

    /// Whether nothing waits to be sent, or to be sent again.
    pub(crate) fn is_all_sent(&self) -> bool {
        self.flight.is_all_sent()
            && self.queue.is_empty()
            && self.tail.is_none()
            && self.retained.is_empty()
    }

    /// All positions below are done with.
    pub(crate) fn low(&self) -> Position {
        let waiting = self.queue.iter().map(|waiting| waiting.position).find(|at| *at > 0);
        let stored = self.tail.as_ref().map(|tail| tail.next());
        let leaving = self.leaving.first().copied();
        let lows = [self.flight.low(), waiting, stored, leaving];
        lows.into_iter().flatten().min().unwrap_or(self.next)
    }

    /// A message that was taken is on its way to another member.
    pub(crate) fn leave(&mut self, position: Position) {
        self.leaving.insert(position);
    }

    /// That another member has it is written.
    pub(crate) fn left(&mut self, position: Position) {
        self.leaving.remove(&position);
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
                    || !self.flight.has_room(window, self.next)
            }
        }
    }

    /// Puts a QoS 1 or 2 message in flight; gives its packet id and whether it may have been sent
    /// before.
    pub(crate) fn start(&mut self, mut delivery: Delivery) -> (PacketId, bool) {
        if delivery.position == 0 {
            delivery.position = self.assign();
        }
        let position = delivery.position;
        let dup = position < self.restored_below;
        self.flight.start(delivery);
        (packet_id(position), dup)
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
        let mut displaced_stored = None;
        if full {
            match limits.queue_full {
                QueueFull::DropNewest => return Push::Full,
                QueueFull::Refuse => return Push::Refused,
                QueueFull::DropOldest => {
                    displaced = self.pop_queue().map(|oldest| oldest.position);
                    let tail = self.tail.as_mut().filter(|_| displaced.is_none());
                    displaced_stored = tail.and_then(|tail| tail.drop_first());
                    if displaced.is_none() && displaced_stored.is_none() {
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
            (_, Some(from)) => Push::DisplacedStored(position, from),
            _ => Push::Queued(position),
        }
    }

    /// Puts a message behind all that waits, in memory or, when something waits in the store alone,
    /// there with it.
    pub(crate) fn enqueue_or_leave_stored(&mut self, delivery: Delivery, stored: bool) {
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
                && (delivery.is_held() || !self.flight.has_room(window, delivery.position));
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

    /// Takes what waits for shared subscriptions; if the client `comes_back`, without what of QoS 2
    /// may turn out to be its own: what it may have been sent before the broker stopped (how far
    /// the window had come was not written), and what is not stored yet, so that its publisher may
    /// have to send it again.
    pub(crate) fn take_shared(&mut self, comes_back: bool) -> Vec<Delivery> {
        let restored = if comes_back { 1..self.restored_below } else { 0..0 };
        self.take_waiting(|waiting| {
            // Nor what is not stored yet: the commit that it belongs to remembers its packet id.
            let stays = waiting.shape.qos == QoS::ExactlyOnce
                && (restored.contains(&waiting.position) || comes_back && waiting.uncommitted);
            waiting.shape.shared.is_some() && !stays
        })
    }

    /// Leaves what is in flight to the store alone, to be sent again under the same packet ids to
    /// the next connection; returns how many they are.
    pub(crate) fn recall(&mut self) -> usize {
        self.spill();
        let recalled = self.flight.recall();
        let Some(first) = recalled.first().map(|delivery| delivery.position) else { return 0 };
        let mut tail = self.tail.take().unwrap_or_else(|| Box::new(Tail::new(first)));
        tail.reach_back_to(first);
        for delivery in &recalled {
            tail.push(delivery.position, delivery.message.bytes(), delivery.uncommitted);
        }
        self.tail = Some(tail);
        let last = recalled.last().map_or(first, |delivery| delivery.position);
        self.restored_below = self.restored_below.max(last + 1);
        recalled.len()
    }

    /// Gives up what is in flight, but for what is released already; returns how many they are.
    pub(crate) fn abandon_all(&mut self) -> usize {
        self.flight.recall().len()
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
        if self.tail.as_mut().is_some_and(|tail| tail.committed(position))
            || self.flight.committed(position)
        {
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
        self.tail.as_mut().filter(|_| waiting < MEMORY_MESSAGES / 4)?.load(self.next)
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
    pub(crate) fn restore(&mut self, next: Position, tail: Option<Tail>, released: &[Position]) {
        self.next = next;
        self.tail = tail.map(Box::new);
        self.restored_below = next;
        for position in released {
            self.flight.place(*position, Inflight::AwaitPubcomp);
        }
    }

    /// Where those begin that wait in the store alone.
    pub(crate) fn stored_from(&self) -> Option<Position> {
        self.tail.as_ref().map(|tail| tail.next())
    }
}

#[cfg(test)]
mod tests;
