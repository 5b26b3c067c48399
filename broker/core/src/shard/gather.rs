//! One commit for a message that sessions of several shards take.
//!
//! The publisher's shard asks, the others deliver and answer with references into their sessions'
//! queues; then one transaction holds the message, all references and whatever else has to become
//! true with it. Letters may beget letters (a shared subscription's group picks a member in a third
//! shard), so it is not known beforehand how many answers there will be: every letter has a token,
//! every answer tells the tokens of the letter and of those it begot, and all have been answered
//! when each token has been told twice, which is when their exclusive or is zero.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use midge_codec::{PacketId, ReasonCode};

use super::Shard;
use super::commits::{Collected, Commits, Uncommitted, Waiter};
use super::peer::PeerMessage;
use crate::commit::{Operation, Position, QueueId, Reference};
use crate::message::Message;
use crate::session::Session;
use crate::stored::{Key, entry};
use crate::{DutyId, Now, Out, ShardId};

/// The gathering that a letter belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    pub(crate) shard: ShardId,
    pub(crate) number: u64,
    pub(crate) token: u64,
}

/// A message whose references are being gathered.
#[derive(Debug)]
pub(super) struct Gathering {
    message: Arc<Message>,
    /// The exclusive or of all tokens told.
    tokens: u64,
    /// A receiver's queue was full, and the publisher is told.
    refused: bool,
    /// Routing and the offers to the bridge are over.
    sealed: bool,
    /// It was published, and is written behind what was published to its topic before.
    in_order: bool,
    /// Its transaction has been written, and may not be durable yet.
    written: bool,
    references: Vec<Reference>,
    /// Deliveries in this shard.
    own: Vec<Uncommitted>,
    /// Shards that wait to hear of the commit, as bits.
    shards: u64,
    /// What becomes true with it.
    operations: Vec<Operation>,
    /// Whose acknowledgement waits for it.
    duty: Option<DutyId>,
    /// A QoS 2 packet id that is remembered with it: then all else that the duty waits for comes
    /// first, so that a repetition after a crash is either new or safe.
    inbound: Option<Inbound>,
    /// Set together with the message if any session takes it.
    mark: Option<Bytes>,
    /// It was an ended session's.
    ending: Option<QueueId>,
    /// It leaves this place in a session's queue.
    leaves: Option<(QueueId, Position)>,
}

#[derive(Clone, Copy, Debug)]
struct Inbound {
    session: u32,
    incarnation: u32,
    packet_id: PacketId,
}

/// Numbers that are never the exclusive or of a few others but by a chance of 2^-64.
fn token(shard: ShardId, number: u64) -> u64 {
    // SplitMix64.
    let mut z = (number << 6 | u64::from(shard.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Equal for messages of one topic and QoS, and for few others.
fn order(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    (message.topic.as_str(), message.qos as u8).hash(&mut hasher);
    hasher.finish()
}

impl Shard {
    pub(super) fn new_token(&mut self) -> u64 {
        self.commits.tokens += 1;
        token(self.id, self.commits.tokens)
    }

    /// The number of the next gathering.
    pub(super) fn next_gathering(&mut self) -> u64 {
        self.commits.gathering_number += 1;
        self.commits.gathering_number
    }

    /// Begins a gathering with what this shard's own sessions took.
    pub(super) fn gather(
        &mut self,
        number: u64,
        message: Arc<Message>,
        tokens: u64,
        operations: Vec<Operation>,
    ) {
        let Collected { references, uncommitted: own, forwarded, refused, .. } =
            self.take_collected();
        let gathering = Gathering {
            refused,
            message,
            tokens: tokens ^ forwarded,
            sealed: false,
            in_order: false,
            written: false,
            references,
            own,
            shards: 0,
            operations,
            duty: None,
            inbound: None,
            mark: None,
            ending: None,
            leaves: None,
        };
        self.commits.gatherings.insert(number, gathering);
    }

    pub(super) fn gather_for_duty(&mut self, number: u64, duty: DutyId) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.duty = Some(duty);
            if let Some(duty) = self.duties.get_mut(duty) {
                duty.gathering = Some(number);
                if gathering.refused {
                    duty.worst = duty.worst.max(ReasonCode::QuotaExceeded);
                }
            }
        }
    }

    pub(super) fn gather_with_packet_id(&mut self, number: u64, session: u32, id: PacketId) {
        let incarnation = self.sessions[session as usize].incarnation;
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.inbound = Some(Inbound { session, incarnation, packet_id: id });
        }
    }

    pub(super) fn gather_with_mark(&mut self, number: u64, mark: Option<Bytes>) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.mark = mark;
        }
    }

    /// Something else becomes true with it.
    pub(super) fn gather_with(&mut self, number: u64, operation: Operation) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.operations.push(operation);
        }
    }

    pub(super) fn gather_for_ending(&mut self, number: u64, ending: QueueId) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.ending = Some(ending);
        }
    }

    /// The message leaves a queue with it; until then the queue may not be trimmed beyond.
    pub(super) fn gather_leaving(&mut self, number: u64, queue: QueueId, position: Position) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.leaves = Some((queue, position));
        }
        if let Some(session) = self.session_with(queue) {
            session.outbound.leave(position);
        }
    }

    /// The session that a queue belongs to, unless it has ended.
    fn session_with(&mut self, queue: QueueId) -> Option<&mut Session> {
        let (number, incarnation) = self.by_queue.get(&queue).copied()?;
        self.session_of(number, incarnation)
    }

    /// The messages of one topic and QoS are written in the order they were published: a crash
    /// between two leaves the first, also if its answers take a longer way ([MQTT-4.6.0-6]).
    pub(super) fn gather_in_order(&mut self, number: u64) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.in_order = true;
        }
    }

    /// Nothing more will be added from here.
    pub(super) fn seal(&mut self, now: Now, number: u64) {
        if let Some(gathering) = self.commits.gatherings.get_mut(&number) {
            gathering.sealed = true;
        }
        self.commit_gathered(now, number);
        let commits = &mut self.commits;
        let waits = commits.gatherings.get(&number).filter(|it| it.in_order && !it.written);
        if let Some(gathering) = waits {
            commits.unwritten.insert((order(&gathering.message), number));
        }
    }

    /// Another shard's answer.
    pub(super) fn assigned(
        &mut self,
        now: Now,
        from: ShardId,
        number: u64,
        tokens: u64,
        references: Vec<Reference>,
        refused: bool,
    ) {
        let Some(gathering) = self.commits.gatherings.get_mut(&number) else { return };
        gathering.tokens ^= tokens;
        if !references.is_empty() {
            gathering.shards |= 1 << from.0;
            gathering.references.extend(references);
        }
        if refused {
            self.gather_refused(number);
        }
        self.commit_gathered(now, number);
    }

    /// A receiver's queue is full, and its publisher is told.
    pub(super) fn gather_refused(&mut self, number: u64) {
        let duty = self.commits.gatherings.get(&number).and_then(|gathering| gathering.duty);
        if let Some(duty) = duty.and_then(|duty| self.duties.get_mut(duty)) {
            duty.worst = duty.worst.max(ReasonCode::QuotaExceeded);
        }
    }

    /// Commits if all is there, and then what waited for it.
    pub(super) fn commit_gathered(&mut self, now: Now, number: u64) {
        let mut next = Some(number);
        while let Some(number) = next {
            next = self.commit_in_turn(now, number);
        }
    }

    /// Commits if all is there and its turn has come; what may come after it.
    fn commit_in_turn(&mut self, now: Now, number: u64) -> Option<u64> {
        let Commits { gatherings, unwritten, .. } = &mut self.commits;
        let gathering = gatherings.get_mut(&number)?;
        if gathering.tokens != 0 || !gathering.sealed || gathering.written {
            return None;
        }
        let duty = gathering.duty.and_then(|duty| self.duties.get_mut(duty));
        if gathering.inbound.is_some() && duty.as_ref().is_some_and(|duty| duty.pending > 1) {
            return None;
        }
        let mut next = None;
        if gathering.in_order && !unwritten.is_empty() {
            let order = order(&gathering.message);
            if unwritten.range((order, 0)..(order, number)).next().is_some() {
                return None;
            }
            unwritten.remove(&(order, number));
            next = unwritten.range((order, number)..=(order, u64::MAX)).next().map(|it| it.1);
        }
        // A refused message's id is the client's to use again.
        let taken = duty.is_none_or(|duty| !duty.worst.is_error());
        gathering.written = true;
        let mut operations = std::mem::take(&mut gathering.operations);
        let references = std::mem::take(&mut gathering.references);
        let stored = !references.is_empty();
        let (inbound, mark) = (gathering.inbound.take(), gathering.mark.take());
        let leaves = gathering.leaves.take();
        let message = Arc::clone(&gathering.message);
        if stored {
            let put = |key| Operation::Put { key, version: None, value: Bytes::new() };
            if let Some(Inbound { session, incarnation, packet_id }) = inbound.filter(|_| taken)
                && let Some(session) = self.session_of(session, incarnation)
                && let Some(queue) = session.stored.as_ref().map(|stored| stored.queue)
            {
                session.inbound.store(packet_id);
                operations.push(put(Key::Inbound(queue, packet_id).bytes()));
            }
            operations.extend(mark.map(put));
            // Mostly the only one: a vector grown by itself begins with room for four.
            operations.reserve_exact(1);
            operations.push(Operation::Append { entry: entry(&message, now), to: references });
        }
        if operations.is_empty() {
            self.gathered(now, number);
        } else {
            self.commit(operations, Waiter::Gathered(number));
        }
        // A trim is written behind this.
        if let Some((queue, position)) = leaves
            && let Some(session) = self.session_with(queue)
        {
            session.outbound.left(position);
        }
        next
    }

    /// The commit is durable.
    pub(super) fn gathered(&mut self, now: Now, number: u64) {
        let Some(gathering) = self.commits.gatherings.remove(&number) else { return };
        for shard in (0..self.shards as u8).filter(|shard| gathering.shards & (1 << shard) != 0) {
            let message = PeerMessage::Committed { gathering: number };
            self.wire.outs.push_back(Out::Peer { to: ShardId(shard), message });
        }
        self.all_committed(now, &gathering.own);
        if let Some(queue) = gathering.ending {
            self.ending_step(now, queue);
        }
        if let Some(duty) = gathering.duty {
            self.duty_met(now, duty, ReasonCode::Success);
        }
    }

    /// What this shard's sessions took of another's message goes there.
    pub(super) fn answer(&mut self, now: Now, gather: Gather, message: &Arc<Message>) {
        if gather.shard == self.id {
            // A message that came back to the shard it was gathered in.
            let Collected { references, uncommitted, forwarded, refused, .. } =
                self.take_collected();
            let Some(gathering) = self.commits.gatherings.get_mut(&gather.number) else {
                return;
            };
            gathering.tokens ^= gather.token ^ forwarded;
            gathering.references.extend(references);
            gathering.own.extend(uncommitted);
            if refused {
                self.gather_refused(gather.number);
            }
            return self.commit_gathered(now, gather.number);
        }
        let collected = self.take_collected();
        debug_assert!(
            message.qos > midge_codec::QoS::AtMostOnce || collected.references.is_empty()
        );
        if !collected.uncommitted.is_empty() {
            let key = (gather.shard, gather.number);
            self.commits.uncommitted.entry(key).or_default().extend(collected.uncommitted);
        }
        let message = PeerMessage::Assigned {
            gathering: gather.number,
            tokens: gather.token ^ collected.forwarded,
            references: collected.references,
            refused: collected.refused,
        };
        self.wire.outs.push_back(Out::Peer { to: gather.shard, message });
    }

    /// Another shard's commit is durable.
    pub(super) fn peer_committed(&mut self, now: Now, from: ShardId, number: u64) {
        if let Some(uncommitted) = self.commits.uncommitted.remove(&(from, number)) {
            self.all_committed(now, &uncommitted);
        }
    }
}
