//! What is written to the store, and who waits until it is durable.
//!
//! A message that stored sessions take is written once, with a reference for each of them: its
//! publisher's shard gathers the references of all shards and commits them in one transaction, so
//! that after a crash either all have it or none. Everything else of a session is written by its
//! home alone, in the order in which it happened.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use midge_codec::{Packet, PacketId, ReasonCode};
use tracing::error;

use super::Shard;
use super::deliver::PUBREL;
use super::gather::Gathering;
use crate::commit::{Operation, Position, QueueId, Reference, StoredEntry};
use crate::event::Attach;
use crate::message::Message;
use crate::session::{Delivery, Stored, packet_id};
use crate::stored::{Key, delete, delivery, entry};
use crate::{ConnectionId, Now, Out, ShardId};

/// How much of a queue is loaded at once.
const LOAD_MESSAGES: usize = 256;
const LOAD_BYTES: usize = 1 << 20;

/// First byte of PUBCOMP (3.7.1).
pub(super) const PUBCOMP: u8 = 0x70;

#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Commits handed out, which is the number of the last one.
    number: u64,
    waiting: VecDeque<(u64, Waiter)>,
    /// What nobody waits for, to be written with the next thing or at the end of the turn.
    lazy: Vec<Operation>,
    /// Sessions with entries that are done with.
    trims: Vec<(u32, u32)>,
    /// References made by what is being delivered now.
    pub(super) collected: Collected,
    pub(super) gatherings: HashMap<u64, Gathering>,
    pub(super) gathering_number: u64,
    /// Gatherings that wait to be written, by what orders them.
    pub(super) unwritten: BTreeSet<(u64, u64)>,
    pub(super) tokens: u64,
    /// Deliveries here whose commit is another shard's.
    pub(super) uncommitted: HashMap<(ShardId, u64), Vec<Uncommitted>>,
    /// Queues of ended sessions that still have messages to give to others.
    pub(super) endings: HashMap<QueueId, super::ending::Ending>,
    /// Wills that were being published when the broker stopped, by their keys.
    pub(super) wills: Vec<(Bytes, Message)>,
    /// What versions of retained messages began with.
    pub(super) clock: u64,
    /// Whether the store knows that they have begun.
    pub(super) clock_reserved: bool,
    next_queue: u64,
    pub(super) full: bool,
}

/// What delivering one message brought.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) references: Vec<Reference>,
    pub(super) uncommitted: Vec<Uncommitted>,
    /// What made room for it.
    displaced: Vec<Operation>,
    /// Letters that answer for themselves, see [`Gathering`].
    pub(super) forwarded: u64,
    /// A session's queue was full, and its publisher is to hear of it.
    pub(super) refused: bool,
}

impl Collected {
    /// A delivery to a stored session was started or queued: this is to be stored of it.
    pub(super) fn add(
        &mut self,
        (session, incarnation): (u32, u32),
        stored: &Stored,
        position: Position,
        tag: Bytes,
    ) {
        let queue = stored.queue;
        self.references.push(Reference { queue, position, tag });
        self.uncommitted.push(Uncommitted { session, incarnation, position, queue });
    }

    /// An older message of the queue made room for this one.
    pub(super) fn displace(&mut self, operation: Operation) {
        self.displaced.push(operation);
    }
}

/// A delivery that waits for its commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uncommitted {
    session: u32,
    incarnation: u32,
    position: Position,
    queue: QueueId,
}

/// Who goes on when a commit is durable.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A message that was gathered.
    Gathered(u64),
    /// A message that only this shard had to do with.
    Own(Vec<Uncommitted>),
    /// A request that waits for confirmations.
    Request(u64),
    /// A packet for a connection.
    Packet(ConnectionId, Packet),
    /// PUBCOMP, for an id that was on the disk.
    Pubcomp { session: u32, incarnation: u32, packet_id: PacketId },
    /// PUBREL, for the message at this position of a session.
    Pubrel { session: u32, incarnation: u32, position: Position },
    /// A client's CONNACK.
    Attach(Box<Attach>, bool),
}

impl Commits {
    pub(super) fn new_queue(&mut self, shard: ShardId) -> QueueId {
        let number = self.next_queue;
        self.next_queue += 1;
        QueueId(number << 6 | u64::from(shard.0))
    }

    pub(super) fn begin_queues_at(&mut self, next_queue: u64) {
        self.next_queue = self.next_queue.max((next_queue >> 6) + 1);
    }

    /// Writes what nobody waits for, some time soon.
    pub(super) fn write_lazily(&mut self, operation: Operation) {
        self.lazy.push(operation);
    }

    /// Whether nothing waits for the disk.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.gatherings.is_empty() && self.uncommitted.is_empty()
    }
}

impl Shard {
    /// Writes what nobody waits for, some time soon.
    pub(super) fn write_lazily(&mut self, operation: Operation) {
        self.commits.write_lazily(operation);
    }

    /// Writes a transaction, behind all that was written before.
    pub(super) fn commit(&mut self, operations: Vec<Operation>, waiter: Waiter) {
        self.write_lazy();
        let commits = &mut self.commits;
        commits.number += 1;
        commits.waiting.push_back((commits.number, waiter));
        self.wire.outs.push_back(Out::Commit(operations));
    }

    fn write_lazy(&mut self) {
        if !self.commits.lazy.is_empty() {
            self.commits.number += 1;
            let operations = std::mem::take(&mut self.commits.lazy);
            self.wire.outs.push_back(Out::Commit(operations));
        }
    }

    /// The turn ends: writes what has gathered.
    pub(super) fn write_rest(&mut self) {
        let mut trims = std::mem::take(&mut self.commits.trims);
        for (number, incarnation) in trims.drain(..) {
            let Some(session) = self.session_of(number, incarnation) else { continue };
            let low = session.outbound.low();
            let Some(stored) = &mut session.stored else { continue };
            stored.trim_due = false;
            if low > stored.trimmed {
                stored.trimmed = low;
                let queue = stored.queue;
                self.commits.lazy.push(Operation::Trim { queue, below: low });
            }
        }
        self.commits.trims = trims;
        self.write_lazy();
    }

    /// Messages of a session may be done with: the store is told at the end of the turn.
    pub(super) fn trim_later(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let incarnation = session.incarnation;
        if let Some(stored) = &mut session.stored
            && !stored.trim_due
        {
            stored.trim_due = true;
            self.commits.trims.push((number, incarnation));
        }
    }

    /// A session's place in the store, new.
    pub(super) fn new_place(&mut self) -> Stored {
        Stored { queue: self.commits.new_queue(self.id), trimmed: 0, trim_due: false }
    }

    pub(super) fn durable(&mut self, now: Now, number: u64) {
        while self.commits.waiting.front().is_some_and(|(of, _)| *of <= number) {
            let Some((_, waiter)) = self.commits.waiting.pop_front() else { return };
            match waiter {
                Waiter::Gathered(gathering) => self.gathered(now, gathering),
                Waiter::Own(uncommitted) => self.all_committed(now, &uncommitted),
                Waiter::Request(request) => self.request_ready(now, request),
                Waiter::Packet(connection, packet) => {
                    if let Some(index) = self.live(connection) {
                        let (connection, wire) = self.connection_and_wire(index);
                        connection.send(&packet, wire);
                        self.pause_slow_reader(index);
                    }
                }
                Waiter::Pubcomp { session, incarnation, packet_id } => {
                    self.complete(session, incarnation, packet_id);
                }
                Waiter::Pubrel { session, incarnation, position } => {
                    self.release(session, incarnation, position);
                }
                Waiter::Attach(attach, session_present) => {
                    self.arrived(now, *attach, session_present);
                }
            }
        }
    }

    /// That a message is released is durable.
    fn release(&mut self, number: u32, incarnation: u32, position: Position) {
        let Some(session) = self.session_of(number, incarnation) else { return };
        if session.outbound.flight.released(position)
            && let Some(index) = session.connection
        {
            let (connection, wire) = self.connection_and_wire(index);
            connection.acknowledge(PUBREL, packet_id(position), ReasonCode::Success, wire);
        }
    }

    /// That a packet id is free again is durable.
    fn complete(&mut self, number: u32, incarnation: u32, packet_id: PacketId) {
        let Some(session) = self.session_of(number, incarnation) else { return };
        session.inbound.end_release(packet_id);
        if let Some(index) = session.connection {
            let (connection, wire) = self.connection_and_wire(index);
            connection.acknowledge(PUBCOMP, packet_id, ReasonCode::Success, wire);
        }
    }

    /// These deliveries are stored: those that were held go out.
    pub(super) fn all_committed(&mut self, now: Now, uncommitted: &[Uncommitted]) {
        for waiting in uncommitted {
            let Some(session) = self.session_of(waiting.session, waiting.incarnation) else {
                // The session ended meanwhile, and its entry came after its queue was removed.
                if !self.commits.endings.contains_key(&waiting.queue) {
                    self.write_lazily(Operation::Remove { queue: waiting.queue });
                }
                continue;
            };
            session.outbound.committed(waiting.position);
            if session.outbound.queued() > 0
                && let Some(index) = session.connection
            {
                self.refill(now, index);
            }
        }
    }

    /// What delivering a message brought, to be stored.
    pub(super) fn take_collected(&mut self) -> Collected {
        let mut collected = std::mem::take(&mut self.commits.collected);
        self.commits.lazy.append(&mut collected.displaced);
        collected
    }

    /// Stores what delivering a message outside a publish brought.
    pub(super) fn commit_collected(&mut self, now: Now, message: &Arc<Message>) {
        let collected = self.take_collected();
        if !collected.references.is_empty() {
            let entry = entry(message, now);
            let operations = vec![Operation::Append { entry, to: collected.references }];
            self.commit(operations, Waiter::Own(collected.uncommitted));
        }
    }

    /// Stores messages of a session that are held until that is durable, and what else is true then.
    pub(super) fn commit_held(
        &mut self,
        number: u32,
        held: Vec<(Position, Operation)>,
        with: Vec<Operation>,
    ) {
        let session = &self.sessions[number as usize];
        let Some(queue) = session.stored.as_ref().map(|stored| stored.queue) else { return };
        let incarnation = session.incarnation;
        let (uncommitted, mut operations): (_, Vec<Operation>) = held
            .into_iter()
            .map(|(position, operation)| {
                (Uncommitted { session: number, incarnation, position, queue }, operation)
            })
            .unzip();
        operations.extend(with);
        self.commit(operations, Waiter::Own(uncommitted));
    }

    /// Asks the store for more of a session's queue, when it has come to that.
    pub(super) fn load_more(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let Some(queue) = session.stored.as_ref().map(|stored| stored.queue) else { return };
        if let Some((from, below)) = session.outbound.wants_load() {
            self.wire.outs.push_back(Out::Load {
                queue,
                from,
                below,
                max_entries: LOAD_MESSAGES,
                max_bytes: LOAD_BYTES,
            });
        }
    }

    pub(super) fn loaded(
        &mut self,
        now: Now,
        queue: QueueId,
        from: Position,
        entries: Vec<StoredEntry>,
        end: bool,
        lost: u64,
    ) {
        let mut damaged = lost;
        let mut deliveries: Vec<Delivery> = Vec::with_capacity(entries.len());
        for stored in entries {
            let position = stored.position;
            match delivery(stored, now, &self.memory) {
                Ok(delivery) => deliveries.push(delivery),
                Err(why) => {
                    error!(queue = queue.0, position, %why, "stored message cannot be read");
                    damaged += 1;
                }
            }
        }
        if self.commits.endings.contains_key(&queue) {
            return self.ending_loaded(now, queue, from, deliveries, end);
        }
        let Some((number, incarnation)) = self.by_queue.get(&queue).copied() else { return };
        let authorize = Arc::clone(&self.generation.authorize);
        let Some(session) = self.session_of(number, incarnation) else { return };
        let (queued, bytes) = (session.outbound.queued(), session.outbound.queued_bytes());
        let Some(missing) = session.outbound.loaded(from, deliveries, end) else {
            // Something happened meanwhile: what is wanted now is asked for anew.
            if session.connection.is_some() {
                self.load_more(number);
            }
            return;
        };
        // Access may have been taken away while they waited.
        let client = Arc::clone(&session.client);
        let unclaimed = session.unclaimed;
        let denied = session
            .outbound
            .take_waiting(|waiting| !unclaimed && !authorize.read(&client, &waiting.message.topic));
        let connection = session.connection;
        let gone = denied.len() as u64 + missing.max(damaged);
        session.dropped += gone;
        let (queued_now, bytes_now) = (session.outbound.queued(), session.outbound.queued_bytes());
        let stats = &mut self.wire.stats;
        stats.queued = stats.queued + queued_now as u64 - queued as u64;
        stats.queued_bytes = stats.queued_bytes + bytes_now as u64 - bytes as u64;
        stats.dropped.access += denied.len() as u64;
        stats.dropped.damaged += damaged;
        self.trim_later(number);
        if let Some(index) = connection {
            self.refill(now, index);
        }
    }

    /// What is to be written when a session is stored no more, or ends.
    pub(super) fn clearing(&self, number: u32, queue: QueueId) -> Vec<Operation> {
        let session = &self.sessions[number as usize];
        let mut operations = vec![Operation::Remove { queue }];
        let subscriptions = session.subscriptions.keys();
        operations
            .extend(subscriptions.map(|filter| delete(&Key::Subscription(queue, filter.clone()))));
        operations.extend(session.inbound.stored().map(|id| delete(&Key::Inbound(queue, id))));
        let unreleased = session.outbound.flight.unreleased();
        operations.extend(unreleased.map(|at| delete(&Key::Released(queue, at))));
        operations
    }
}
