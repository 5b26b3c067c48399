//! Which shards have subscribers for what: kept in every shard, so that a publish finds its target
//! shards without asking.
//!
//! A SUBACK waits until every other shard knows of the subscription's filter: whoever publishes
//! after the SUBACK, wherever, reaches it.

use hashbrown::HashMap;
use midge_codec::{Packet, Suback, TopicFilter};

use super::Shard;
use super::peer::PeerMessage;
use super::subscribe::PENDING_SUBSCRIBES;
use crate::connection::paused;
use crate::filters::{FilterMap, Visits};
use crate::{ConnectionId, Now, Out, ShardId};

#[derive(Debug, Default)]
pub(super) struct Interest {
    /// What the other shards have subscribers for.
    others: FilterMap<Other>,
    /// What this one has told the others.
    own: HashMap<Box<str>, Own>,
    announcements: u64,
    requests: u64,
    waiting: HashMap<u64, Waiting>,
}

/// A shard that has subscribers for a filter.
#[derive(Clone, Copy, Debug)]
struct Other {
    shard: ShardId,
    /// Whether sessions among them are stored: these are asked what they took.
    stored: bool,
}

#[derive(Debug)]
struct Own {
    references: usize,
    stored: bool,
    announcement: u64,
    /// Shards that have not confirmed.
    unconfirmed: usize,
    requests: Vec<u64>,
}

/// Who waits for confirmations.
#[derive(Debug)]
struct Waiting {
    confirmations: usize,
    request: Request,
}

#[derive(Debug)]
pub(super) enum Request {
    /// A SUBSCRIBE of this shard.
    Subscribe(PendingSubscribe),
    /// A member of another shard joined a group here.
    Join { shard: ShardId, request: u64 },
}

/// A SUBSCRIBE whose SUBACK waits.
#[derive(Debug)]
pub(super) struct PendingSubscribe {
    pub(super) session: u32,
    pub(super) incarnation: u32,
    pub(super) connection: ConnectionId,
    pub(super) suback: Suback,
    /// Subscriptions whose retained messages follow it.
    pub(super) retained: Vec<TopicFilter>,
}

impl Interest {
    /// The shards, as bits, that have subscribers for a topic, and those of them whose subscribers
    /// may be stored.
    pub(super) fn shards(&self, topic: &str, visits: &mut Visits) -> (u64, u64) {
        let (mut all, mut stored) = (0, 0);
        self.others.visit(topic, visits, |other| {
            all |= 1_u64 << other.shard.0;
            stored |= u64::from(other.stored) << other.shard.0;
        });
        (all, stored)
    }

    /// How many filters the others have subscribers for, and requests wait.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.others.len(), self.waiting.len())
    }

    /// A request that is not complete.
    pub(super) fn request_mut(&mut self, request: u64) -> Option<&mut Request> {
        self.waiting.get_mut(&request).map(|waiting| &mut waiting.request)
    }

    pub(super) fn learn(&mut self, filter: &str, shard: ShardId, stored: bool) {
        let known = self.others.values_mut(filter).iter_mut().find(|known| known.shard == shard);
        match known {
            Some(known) => known.stored |= stored,
            None => self.others.insert(filter, Other { shard, stored }),
        }
    }

    pub(super) fn unlearn(&mut self, filter: &str, shard: ShardId) {
        self.others.remove(filter, |known| known.shard == shard);
    }
}

impl Shard {
    /// Opens a request that will need confirmations; close it with [`Shard::request_ready`].
    pub(super) fn open_request(&mut self, request: Request) -> u64 {
        self.interest.requests += 1;
        let number = self.interest.requests;
        // One confirmation stands for the request's own making.
        self.interest.waiting.insert(number, Waiting { confirmations: 1, request });
        number
    }

    /// One more confirmation that a request waits for.
    pub(super) fn request_waits(&mut self, request: u64) {
        if let Some(waiting) = self.interest.waiting.get_mut(&request) {
            waiting.confirmations += 1;
        }
    }

    /// One confirmation has come; the last one completes the request.
    pub(super) fn request_ready(&mut self, now: Now, request: u64) {
        let Some(waiting) = self.interest.waiting.get_mut(&request) else { return };
        waiting.confirmations -= 1;
        if waiting.confirmations > 0 {
            return;
        }
        let Some(Waiting { request, .. }) = self.interest.waiting.remove(&request) else { return };
        match request {
            Request::Subscribe(pending) => self.subscribed(now, pending),
            Request::Join { shard, request } => {
                let message = PeerMessage::Joined { request };
                self.wire.outs.push_back(Out::Peer { to: shard, message });
            }
        }
    }

    /// This shard has one more subscriber for a filter; `request` waits until all know.
    pub(super) fn add_interest(&mut self, filter: &str, stored: bool, request: Option<u64>) {
        if self.shards == 1 {
            return;
        }
        if !self.interest.own.contains_key(filter) {
            let (announcement, unconfirmed) = (0, 0);
            let requests = Vec::new();
            let own = Own { references: 0, stored, announcement, unconfirmed, requests };
            self.interest.own.insert(filter.into(), own);
            self.announce(filter, stored);
        }
        if let Some(own) = self.interest.own.get_mut(filter) {
            own.references += 1;
        }
        self.confirm_interest(filter, stored, request);
    }

    /// Makes a request wait for a filter that is known to be listed; `stored`: a session that has
    /// it is.
    pub(super) fn confirm_interest(&mut self, filter: &str, stored: bool, request: Option<u64>) {
        let Some(own) = self.interest.own.get_mut(filter) else { return };
        if stored && !own.stored {
            own.stored = true;
            self.announce(filter, stored);
        }
        let Some(own) = self.interest.own.get_mut(filter) else { return };
        if let Some(request) = request.filter(|_| own.unconfirmed > 0) {
            own.requests.push(request);
            self.request_waits(request);
        }
    }

    /// Tells the other shards of a filter; what they have been told before is not waited for.
    fn announce(&mut self, filter: &str, stored: bool) {
        self.interest.announcements += 1;
        let announcement = self.interest.announcements;
        if let Some(own) = self.interest.own.get_mut(filter) {
            own.announcement = announcement;
            own.unconfirmed = self.shards - 1;
        }
        self.tell_peers(|| PeerMessage::Interested { filter: filter.into(), announcement, stored });
    }

    /// One subscriber less.
    pub(super) fn drop_interest(&mut self, now: Now, filter: &str) {
        if self.shards == 1 {
            return;
        }
        let Some(own) = self.interest.own.get_mut(filter) else { return };
        own.references -= 1;
        if own.references > 0 {
            return;
        }
        let own = self.interest.own.remove(filter).expect("just found");
        self.tell_peers(|| PeerMessage::Uninterested { filter: filter.into() });
        // A SUBSCRIBE undone before all knew of it is still answered.
        for request in own.requests {
            self.request_ready(now, request);
        }
    }

    /// Another shard knows of a filter.
    pub(super) fn interest_known(&mut self, now: Now, filter: &str, announcement: u64) {
        let Some(own) = self.interest.own.get_mut(filter) else { return };
        if own.announcement != announcement {
            return;
        }
        own.unconfirmed -= 1;
        if own.unconfirmed == 0 {
            for request in std::mem::take(&mut own.requests) {
                self.request_ready(now, request);
            }
        }
    }

    pub(super) fn tell_peers(&mut self, message: impl Fn() -> PeerMessage) {
        for shard in (0..self.shards as u8).map(ShardId).filter(|shard| *shard != self.id) {
            self.wire.outs.push_back(Out::Peer { to: shard, message: message() });
        }
    }

    /// Everybody knows: SUBACK, then retained messages.
    fn subscribed(&mut self, now: Now, pending: PendingSubscribe) {
        let PendingSubscribe { session, incarnation, connection, suback, retained } = pending;
        if let Some(index) = self.live(connection) {
            let (connection, wire) = self.connection_and_wire(index);
            connection.send(&Packet::Suback(suback), wire);
            connection.requests -= 1;
            if connection.requests < PENDING_SUBSCRIBES {
                self.resume(now, index, paused::REQUESTS);
            }
            self.pause_slow_reader(index);
        }
        if let Some(session) = self.session_of(session, incarnation) {
            for filter in retained {
                // What has been unsubscribed since wants none.
                if session.subscriptions.contains_key(&filter) {
                    session.outbound.want_retained(filter);
                }
            }
            if let Some(index) = session.connection {
                self.refill(now, index);
            }
        }
    }
}
