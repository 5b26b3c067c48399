//! Messages between shards, and the shared subscriptions whose members they connect.

use std::sync::Arc;

use midge_codec::{QoS, TopicFilter};

use super::Shard;
use super::Subscriber;
use super::deliver::{Envelope, Frames};
use super::gather::Gather;
use super::interest::Request;
use crate::commit::{Operation, QueueId, Reference};
use crate::message::Message;
use crate::retained::Version;
use crate::session::{Delivery, Identifiers, Shape, Subscription};
use crate::settings::Verdict;
use crate::shared::Member;
use crate::{Now, Out, ShardId};

/// A message from one shard to another. Opaque to the caller, who carries it.
#[derive(Debug)]
pub enum PeerMessage {
    /// A publish of the sender's client.
    Publish {
        /// The message.
        message: Arc<Message>,
        /// Set: it is retained.
        version: Option<Version>,
        /// Whether the receiver has subscribers.
        deliver: bool,
        /// Whom to tell which stored sessions take it.
        gather: Option<Gather>,
    },
    /// The answer to a letter of a gathering.
    Assigned {
        /// The gathering.
        gathering: u64,
        /// The exclusive or of the letter's token and those of the letters it begot.
        tokens: u64,
        /// Where sessions of the sender take the message.
        references: Vec<Reference>,
        /// Whether one of them could not, and its publisher is to hear of it.
        refused: bool,
    },
    /// What a gathering of the sender committed is durable.
    Committed {
        /// The gathering.
        gathering: u64,
    },
    /// The sender has subscribers for a filter.
    Interested {
        /// Without `$share`.
        filter: Box<str>,
        /// For the answer.
        announcement: u64,
        /// Whether sessions among them are stored.
        stored: bool,
    },
    /// The answer: from now on publishes come.
    InterestKnown {
        /// The filter.
        filter: Box<str>,
        /// From the question.
        announcement: u64,
    },
    /// The sender has no subscribers for a filter any more.
    Uninterested {
        /// The filter.
        filter: Box<str>,
    },
    /// A session of the sender joins a group of the receiver, or changes its options.
    Join {
        /// With `$share`.
        filter: TopicFilter,
        /// The session.
        member: Member,
        /// For the answer, if one is waited for.
        request: Option<u64>,
    },
    /// The answer: the member gets its share from now on.
    Joined {
        /// From the question.
        request: u64,
    },
    /// A session of the sender leaves a group.
    Leave {
        /// With `$share`.
        filter: TopicFilter,
        /// The session's slot.
        session: u32,
        /// The session's incarnation.
        incarnation: u32,
    },
    /// A member connected or disconnected.
    Online {
        /// With `$share`.
        filter: TopicFilter,
        /// The session's slot.
        session: u32,
        /// The session's incarnation.
        incarnation: u32,
        /// Which of the two.
        online: bool,
    },
    /// A message of a group for a member in the receiver.
    Shared {
        /// With `$share`.
        filter: Arc<TopicFilter>,
        /// The message.
        message: Arc<Message>,
        /// The chosen member.
        member: Member,
        /// How often a member was chosen before.
        attempts: u8,
        /// Whom to tell whether the member is stored.
        gather: Option<Gather>,
    },
    /// Publishers of the sender wait for memory: the receiver's queues are to make room too.
    MemoryFull,
    /// A message of the receiver's group that a member could not take.
    GivenBack {
        /// With `$share`.
        filter: Arc<TopicFilter>,
        /// The message.
        message: Arc<Message>,
        /// How often a member was chosen.
        attempts: u8,
        /// Whom to tell of the next one.
        gather: Option<Gather>,
    },
}

/// A message that so many members could not take is dropped.
const ATTEMPTS: u8 = 8;

impl Shard {
    pub(super) fn peer(&mut self, now: Now, from: ShardId, message: PeerMessage) {
        match message {
            PeerMessage::Publish { message, version, deliver, gather } => {
                let mut envelope = Envelope::of(Arc::clone(&message));
                if let Some(version) = version {
                    self.store_retained(now, version, &mut envelope);
                }
                if deliver {
                    self.gather = gather;
                    self.deliver_here(now, &mut envelope);
                    self.answer_or_commit(now, gather, &message);
                    self.make_room();
                }
            }
            PeerMessage::Assigned { gathering, tokens, references, refused } => {
                self.assigned(now, from, gathering, tokens, references, refused);
            }
            PeerMessage::Committed { gathering } => self.peer_committed(now, from, gathering),
            PeerMessage::Interested { filter, announcement, stored } => {
                self.interest.learn(&filter, from, stored);
                let message = PeerMessage::InterestKnown { filter, announcement };
                self.wire.outs.push_back(Out::Peer { to: from, message });
            }
            PeerMessage::InterestKnown { filter, announcement } => {
                self.interest_known(now, &filter, announcement);
            }
            PeerMessage::Uninterested { filter } => self.interest.unlearn(&filter, from),
            PeerMessage::Join { filter, member, request } => {
                let request = request
                    .map(|request| self.open_request(Request::Join { shard: from, request }));
                self.group_join(&filter, member, request);
                if let Some(request) = request {
                    self.request_ready(now, request);
                }
            }
            PeerMessage::Joined { request } => self.request_ready(now, request),
            PeerMessage::Leave { filter, session, incarnation } => {
                self.group_leave(now, &filter, from, session, incarnation);
            }
            PeerMessage::Online { filter, session, incarnation, online } => {
                self.group_online(&filter, from, session, incarnation, online);
            }
            PeerMessage::Shared { filter, message, member, attempts, gather } => {
                self.gather = gather;
                self.deliver_to_member(now, &filter, Arc::clone(&message), &member, attempts);
                self.answer_or_commit(now, gather, &message);
            }
            PeerMessage::MemoryFull => self.make_room(),
            PeerMessage::GivenBack { filter, message, attempts, gather } => {
                self.gather = gather;
                self.choose_again(now, &filter, Arc::clone(&message), attempts);
                self.answer_or_commit(now, gather, &message);
            }
        }
    }

    /// A message has been delivered: tells its gathering what was taken, or, when it has none,
    /// stores that.
    fn answer_or_commit(&mut self, now: Now, gather: Option<Gather>, message: &Arc<Message>) {
        self.gather = None;
        match gather {
            Some(gather) => self.answer(now, gather, message),
            None => self.commit_collected(now, message),
        }
    }

    /// The gathering that a letter sent now belongs to, if any.
    fn forward(&mut self, message: &Message) -> Option<Gather> {
        let gather = self.gather.filter(|_| message.qos > QoS::AtMostOnce)?;
        let token = self.new_token();
        self.commits.collected.forwarded ^= token;
        Some(Gather { token, ..gather })
    }

    /// The shard in which a shared subscription's group lives.
    fn group_home(&self, filter: &TopicFilter) -> ShardId {
        ShardId::home(filter.text(), self.shards)
    }

    /// A session of ours joins its group, or changes its options there.
    pub(super) fn join(
        &mut self,
        number: u32,
        filter: &TopicFilter,
        subscription: &Subscription,
        request: Option<u64>,
    ) {
        let session = &self.sessions[number as usize];
        let judged =
            (subscription.verdict == Verdict::PerTopic).then(|| Arc::clone(&session.client));
        let member = Member {
            shard: self.id,
            session: number,
            incarnation: session.incarnation,
            options: subscription.options,
            identifier: subscription.identifier,
            judged,
            online: session.connection.is_some(),
            stored: session.stored.is_some(),
        };
        let home = self.group_home(filter);
        if home == self.id {
            self.group_join(filter, member, request);
        } else {
            if let Some(request) = request {
                self.request_waits(request);
            }
            let filter = filter.clone();
            let message = PeerMessage::Join { filter, member, request };
            self.wire.outs.push_back(Out::Peer { to: home, message });
        }
    }

    /// A session of ours leaves its group.
    pub(super) fn leave(&mut self, now: Now, number: u32, filter: &TopicFilter) {
        let incarnation = self.session(number).incarnation;
        let home = self.group_home(filter);
        if home == self.id {
            self.group_leave(now, filter, self.id, number, incarnation);
        } else {
            let message =
                PeerMessage::Leave { filter: filter.clone(), session: number, incarnation };
            self.wire.outs.push_back(Out::Peer { to: home, message });
        }
    }

    /// Tells the groups of a session that it connected or disconnected.
    pub(super) fn members_online(&mut self, number: u32, online: bool) {
        let session = &self.sessions[number as usize];
        let incarnation = session.incarnation;
        let filters: Vec<TopicFilter> = session
            .subscriptions
            .iter()
            .filter(|(filter, known)| {
                filter.share_name().is_some() && known.verdict != Verdict::Never
            })
            .map(|(filter, _)| filter.clone())
            .collect();
        for filter in filters {
            let home = self.group_home(&filter);
            if home == self.id {
                self.group_online(&filter, home, number, incarnation, online);
            } else {
                let message = PeerMessage::Online { filter, session: number, incarnation, online };
                self.wire.outs.push_back(Out::Peer { to: home, message });
            }
        }
    }

    fn group_join(&mut self, filter: &TopicFilter, member: Member, request: Option<u64>) {
        let (number, new) = self.groups.find_or_create(filter);
        let stored = member.stored;
        if let Some(group) = self.groups.get_mut(number) {
            group.join(member);
        }
        if new {
            self.filters.insert(filter.filter(), Subscriber::Group(number));
            self.add_interest(filter.filter(), stored, request);
        } else {
            self.confirm_interest(filter.filter(), stored, request);
        }
    }

    fn group_leave(
        &mut self,
        now: Now,
        filter: &TopicFilter,
        shard: ShardId,
        session: u32,
        incarnation: u32,
    ) {
        let Some(number) = self.groups.find(filter) else { return };
        let Some(group) = self.groups.get_mut(number) else { return };
        if group.leave(shard, session, incarnation) {
            self.groups.remove(number);
            self.filters.remove(
                filter.filter(),
                |known| matches!(known, Subscriber::Group(known) if *known == number),
            );
            self.drop_interest(now, filter.filter());
        }
    }

    fn group_online(
        &mut self,
        filter: &TopicFilter,
        shard: ShardId,
        session: u32,
        incarnation: u32,
        online: bool,
    ) {
        let Some(number) = self.groups.find(filter) else { return };
        let group = self.groups.get_mut(number);
        if let Some(member) = group.and_then(|group| group.find(shard, session, incarnation)) {
            member.online = online;
        }
    }

    /// Gives a message to one member of a group that lives here.
    pub(super) fn deliver_shared(
        &mut self,
        now: Now,
        number: u32,
        envelope: &mut Envelope,
        attempts: u8,
        frames: &mut Frames,
    ) {
        let authorize = &self.generation.authorize;
        let Some(group) = self.groups.get_mut(number) else { return };
        let filter = Arc::clone(&group.filter);
        let message = envelope.message();
        let only_online = message.qos == QoS::AtMostOnce && !self.generation.limits.queue_qos0;
        let picked = group.pick(only_online, |member| {
            member.judged.as_ref().is_none_or(|client| authorize.read(client, &message.topic))
        });
        let Some(member) = picked.cloned() else {
            self.wire.stats.dropped.no_member += 1;
            return;
        };
        if member.shard == self.id {
            match self.shape_for(&filter, envelope.message(), &member) {
                Some(shape) => self.deliver(now, member.session, shape, envelope, frames),
                None => self.wire.stats.dropped.no_member += 1,
            }
        } else {
            let message = envelope.share(&self.memory);
            let to = member.shard;
            let gather = self.forward(&message);
            let attempts = attempts + 1;
            let message = PeerMessage::Shared { filter, message, member, attempts, gather };
            self.wire.outs.push_back(Out::Peer { to, message });
        }
    }

    fn deliver_to_member(
        &mut self,
        now: Now,
        filter: &Arc<TopicFilter>,
        message: Arc<Message>,
        member: &Member,
        attempts: u8,
    ) {
        match self.shape_for(filter, &message, member) {
            Some(shape) => self.deliver_alone(now, member.session, shape, message),
            // It left, or may not read it any more, since the message is on its way.
            None => {
                let filter = Arc::clone(filter);
                let to = self.group_home(&filter);
                let gather = self.forward(&message);
                let message = PeerMessage::GivenBack { filter, message, attempts, gather };
                self.wire.outs.push_back(Out::Peer { to, message });
            }
        }
    }

    /// How a member of ours gets a message; `None`: it is a member no more.
    fn shape_for(
        &mut self,
        filter: &Arc<TopicFilter>,
        message: &Message,
        member: &Member,
    ) -> Option<Shape> {
        let authorize = Arc::clone(&self.generation.authorize);
        let session = self.session_of(member.session, member.incarnation)?;
        // The group may live in a shard that does not know the latest rules yet.
        let readable = match session.subscriptions.get(&**filter)?.verdict {
            Verdict::Always => true,
            Verdict::PerTopic => authorize.read(&session.client, &message.topic),
            Verdict::Never => false,
        };
        readable.then(|| Shape {
            // [MQTT-4.8.2-3]
            qos: member.options.qos.min(message.qos),
            retain: member.options.retain_as_published && message.retain,
            identifiers: member.identifier.map_or(Identifiers::None, Identifiers::One),
            shared: Some(Arc::clone(filter)),
        })
    }

    fn choose_again(
        &mut self,
        now: Now,
        filter: &TopicFilter,
        message: Arc<Message>,
        attempts: u8,
    ) {
        // [MQTT-3.3.2-5]: its delivery to another one has not begun.
        if message.is_expired(now.instant) {
            self.wire.stats.dropped.expired += 1;
            return;
        }
        match self.groups.find(filter) {
            Some(group) if attempts < ATTEMPTS => {
                let mut frames = Frames::default();
                let mut envelope = Envelope::of(message);
                self.deliver_shared(now, group, &mut envelope, attempts, &mut frames);
            }
            _ => self.wire.stats.dropped.no_member += 1,
        }
    }

    /// What a session had of a shared subscription goes to another member (4.8.2). `queue`: where
    /// it is stored.
    pub(super) fn give_back(&mut self, now: Now, delivery: Delivery, queue: Option<QueueId>) {
        self.give_back_from(now, delivery, queue, false);
    }

    /// The message leaves one queue and enters another in one transaction.
    pub(super) fn give_back_from(
        &mut self,
        now: Now,
        delivery: Delivery,
        queue: Option<QueueId>,
        ended: bool,
    ) {
        let Delivery { message, shape, position, .. } = delivery;
        let Some(filter) = shape.shared else { return };
        let gathering = queue.filter(|_| position > 0).map(|queue| (self.next_gathering(), queue));
        self.gather = gathering.map(|(number, _)| Gather { shard: self.id, number, token: 0 });
        let home = self.group_home(&filter);
        if home == self.id {
            self.choose_again(now, &filter, Arc::clone(&message), 0);
        } else {
            let gather = self.forward(&message);
            let message = Arc::clone(&message);
            let message = PeerMessage::GivenBack { filter, message, attempts: 0, gather };
            self.wire.outs.push_back(Out::Peer { to: home, message });
        }
        self.gather = None;
        let Some((number, queue)) = gathering else {
            return self.commit_collected(now, &message);
        };
        let operations = vec![Operation::Acknowledge { queue, position }];
        self.gather(number, message, 0, operations);
        self.gather_leaving(number, queue, position);
        if ended {
            self.gather_for_ending(number, queue);
        }
        self.seal(now, number);
    }
}
