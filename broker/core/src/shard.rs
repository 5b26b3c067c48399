//! The state machine of one shard: inputs in, outputs out, time as an argument.
//!
//! Each kind of input has its file below. Invariants: a session is in `by_client_id` exactly as
//! long as it is in `sessions`; a connection's session names that connection back; what a session
//! subscribes to is in `filters` (or in a group) exactly as long as the subscription may see
//! anything.

mod acks;
mod attach;
mod close;
mod commits;
mod deliver;
mod duties;
mod ending;
pub(crate) mod gather;
mod interest;
mod memory;
pub(crate) mod peer;
mod publish;
mod refill;
mod reload;
mod restore;
mod route;
mod subscribe;
mod taps;

use std::sync::Arc;
use std::time::Instant;

use hashbrown::{DefaultHashBuilder, HashMap};
use midge_codec::{Packet, ReasonCode, SubscriptionIdentifier, SubscriptionOptions, Text};
use slab::Slab;

use crate::commit::{Operation, QueueId};
use crate::connection::{Connection, Wire, paused};
use crate::duty::Duties;
use crate::filters::FilterMap;
use crate::message::Memory;
use crate::output::Output;
use crate::retained::Retained;
use crate::session::Session;
use crate::settings::{Generation, Limits};
use crate::shared::Groups;
use crate::stats::{Footprint, Stats};
use crate::stored::Key;
use crate::timers::{Due, Timer, Timers};
use crate::{ConnectionId, In, Now, Out, ShardId};

use commits::Commits;
use deliver::Scratch;
use interest::Interest;
use taps::Taps;

/// One shard of a broker. See the crate's documentation for how to drive it.
pub struct Shard {
    id: ShardId,
    shards: usize,
    generation: Arc<Generation>,
    memory: Arc<Memory>,
    wire: Wire,
    sessions: Slab<Session>,
    by_client_id: HashMap<Text, u32>,
    /// By [`ConnectionId::index`].
    connections: Vec<Option<Connection>>,
    /// What is left to write of connections that are closed for us.
    closing: HashMap<ConnectionId, Output>,
    filters: FilterMap<Subscriber>,
    groups: Groups,
    interest: Interest,
    retained: Retained,
    /// Whether there was no room for the last one: one warning an episode.
    retained_full: bool,
    duties: Duties,
    timers: Timers,
    taps: Taps,
    scratch: Scratch,
    memory_timer: Option<Timer>,
    /// Since when publishers have been waiting for memory.
    memory_full_since: Option<Instant>,
    incarnations: u32,
    hashing: DefaultHashBuilder,
    /// Whether there is a store: sessions that outlive their connection are kept in it.
    durable: bool,
    commits: Commits,
    /// The gathering that what is being delivered now belongs to.
    gather: Option<gather::Gather>,
    /// Stored sessions.
    by_queue: HashMap<QueueId, (u32, u32)>,
    /// Clients whose CONNACK waits for the store.
    arriving: HashMap<ConnectionId, u32>,
}

/// Who gets the messages of a filter in this shard.
#[derive(Clone, Copy, Debug)]
enum Subscriber {
    Session {
        session: u32,
        options: SubscriptionOptions,
        identifier: Option<SubscriptionIdentifier>,
        /// Whether access is asked for each topic.
        per_topic: bool,
    },
    /// A shared subscription's group that lives here.
    Group(u32),
}

impl Shard {
    /// A shard without sessions. `memory` is the account of all `shards` together.
    ///
    /// # Panics
    /// When there are more shards than [`ShardId::MAX`], or `id` is none of them.
    pub fn new(
        id: ShardId,
        shards: usize,
        generation: Arc<Generation>,
        memory: Arc<Memory>,
    ) -> Shard {
        assert!((1..=ShardId::MAX).contains(&shards) && usize::from(id.0) < shards);
        Shard {
            id,
            shards,
            taps: Taps::default(),
            generation,
            memory,
            wire: Wire::default(),
            sessions: Slab::new(),
            by_client_id: HashMap::new(),
            connections: Vec::new(),
            closing: HashMap::new(),
            filters: FilterMap::default(),
            groups: Groups::default(),
            interest: Interest::default(),
            retained: Retained::new(shards),
            retained_full: false,
            duties: Duties::default(),
            timers: Timers::default(),
            scratch: Scratch::default(),
            memory_timer: None,
            memory_full_since: None,
            incarnations: 0,
            hashing: DefaultHashBuilder::default(),
            durable: false,
            commits: Commits::default(),
            gather: None,
            by_queue: HashMap::new(),
            arriving: HashMap::new(),
        }
    }

    /// The same with a store: what sessions have that outlive their connection is written with
    /// [`Out::Commit`], and acknowledgements wait for it. All shards of a broker have one or none.
    #[must_use]
    pub fn with_store(mut self) -> Shard {
        self.durable = true;
        self
    }

    /// Takes one input. Outputs it causes wait in [`Shard::poll`].
    pub fn handle(&mut self, now: Now, input: In) {
        match input {
            In::Packet { connection, packet } => {
                if let Some(index) = self.live(connection) {
                    self.packet(now, index, packet);
                }
            }
            In::Written(connection) => {
                if let Some(index) = self.live(connection) {
                    self.written(now, index);
                }
            }
            In::Attach(attach) => self.attach(now, *attach),
            In::Malformed { connection, reason } => {
                if let Some(index) = self.live(connection) {
                    self.close(now, index, Some(reason));
                }
            }
            In::Closed(connection) => {
                self.closing.remove(&connection);
                if let Some(index) = self.live(connection) {
                    self.lost(now, index);
                } else {
                    self.arriving_lost(now, connection);
                }
            }
            In::Disconnect { connection, reason } => {
                if let Some(index) = self.live(connection) {
                    self.close(now, index, Some(reason));
                } else {
                    self.turn_away(now, connection);
                }
            }
            In::Peer { from, message } => self.peer(now, from, message),
            In::Inject(inject) => self.inject(now, *inject),
            In::DutyDone { duty, reason } => self.duty_met(now, duty, reason),
            In::TapFull { tap, full } => self.tap_full(now, tap, full),
            In::Durable(number) => self.durable(now, number),
            In::Loaded { queue, from, entries, end, lost } => {
                self.loaded(now, queue, from, entries, end, lost);
            }
            In::StoreFull(full) => self.commits.full = full,
            In::Generation(generation) => self.reload(now, generation),
            In::Taps(taps) => self.retap(now, taps),
            In::Shutdown => self.shutdown(now),
        }
    }

    /// What is to be done, in order. Drain it once a turn: what gathers between two drains is
    /// written together.
    pub fn poll(&mut self) -> Option<Out> {
        if self.durable && self.wire.outs.is_empty() {
            self.write_rest();
        }
        let out = self.wire.outs.pop_front()?;
        if let Out::Flush(connection) = &out
            && let Some(connection) = self.connection_mut(*connection)
        {
            connection.flush_taken();
        }
        Some(out)
    }

    /// When [`Shard::tick`] is due; `None`: only after more input.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        while let Some(due) = self.timers.pop(now.instant) {
            match due {
                Due::KeepAlive(connection) => self.keep_alive_due(now, connection),
                Due::SessionExpiry(session) => self.session_expiry_due(now, session),
                Due::WillDelay(session) => self.will_delay_due(now, session),
                Due::Retained(topic) => {
                    let went = self.retained.forget(topic.as_str());
                    if went && ShardId::of_topic(&topic, self.shards) == self.id {
                        self.wire.stats.retained -= 1;
                        if self.durable {
                            self.reserve_versions();
                            let version = Some(self.retained.next_version(self.id).number());
                            let key = Key::Retained(topic).bytes();
                            self.write_lazily(Operation::Delete { key, version });
                        }
                    }
                }
                Due::Memory => self.memory_due(now),
                Due::Wills => self.publish_restored_wills(now),
            }
        }
    }

    /// Whether packets of this connection must wait; also true when it is gone.
    pub fn is_paused(&self, connection: ConnectionId) -> bool {
        match self.connections.get(connection.index as usize) {
            Some(Some(live)) if live.id == connection => live.paused != 0,
            _ => true,
        }
    }

    /// What a connection has to send.
    pub fn output(&mut self, connection: ConnectionId) -> Option<&mut Output> {
        self.connection_mut(connection).map(|live| &mut live.output)
    }

    /// What a closed connection had left to send, once.
    pub fn take_output(&mut self, connection: ConnectionId) -> Option<Output> {
        self.closing.remove(&connection)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let mut stats = self.wire.stats;
        stats.clients_disconnected = self.sessions.len() as u64 - stats.clients_connected;
        stats
    }

    /// What it holds. Counts through all filters: for diagnosis, not for every second.
    pub fn footprint(&self) -> Footprint {
        let (interest, requests) = self.interest.len();
        Footprint {
            sessions: self.sessions.len(),
            connections: self.connections.iter().flatten().count(),
            closing: self.closing.len(),
            duties: self.duties.len(),
            groups: self.groups.len(),
            requests,
            timers: self.timers.len(),
            subscribers: self.filters.len(),
            interest,
            retained: self.retained.len(),
            waits_for_store: !self.commits.is_idle(),
        }
    }

    fn packet(&mut self, now: Now, index: u32, packet: Packet) {
        self.wire.stats.packets_received += 1;
        self.connection(index).last_packet = now.instant;
        match packet {
            Packet::Publish(publish) => self.publish(now, index, publish),
            Packet::Puback(ack) => self.puback(now, index, &ack),
            Packet::Pubrec(ack) => self.pubrec(now, index, &ack),
            Packet::Pubrel(ack) => self.pubrel(now, index, &ack),
            Packet::Pubcomp(ack) => self.pubcomp(now, index, &ack),
            Packet::Subscribe(subscribe) => self.subscribe(now, index, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(now, index, &unsubscribe),
            Packet::Pingreq => {
                let (connection, wire) = self.connection_and_wire(index);
                connection.send(&Packet::Pingresp, wire);
            }
            Packet::Disconnect(disconnect) => self.disconnect(now, index, &disconnect),
            // [MQTT-3.1.0-2] for CONNECT; the others are the server's to send, and AUTH after
            // CONNECT needs a method that none was agreed on (4.12.0-7).
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Auth(_) => self.close(now, index, Some(ReasonCode::ProtocolError)),
        }
        self.pause_slow_reader(index);
    }

    /// A client that makes us answer without reading the answers waits until it has read them.
    fn pause_slow_reader(&mut self, index: u32) {
        let limit = 4 * self.generation.limits.output_bytes;
        if let Some(connection) = &self.connections[index as usize]
            && connection.output.len() > limit
        {
            self.pause(index, paused::OUTPUT);
        }
    }

    fn written(&mut self, now: Now, index: u32) {
        self.resume(now, index, paused::OUTPUT);
        self.refill(now, index);
        let (connection, wire) = self.connection_and_wire(index);
        connection.written(wire);
    }

    fn pause(&mut self, index: u32, reason: u8) {
        let (connection, wire) = self.connection_and_wire(index);
        if connection.paused == 0 {
            wire.outs.push_back(Out::Pause(connection.id));
        }
        connection.paused |= reason;
    }

    fn resume(&mut self, now: Now, index: u32, reason: u8) {
        let (connection, wire) = self.connection_and_wire(index);
        if connection.paused & reason == 0 {
            return;
        }
        connection.paused &= !reason;
        if connection.paused == 0 {
            // It was not listened to: its silence starts now.
            connection.last_packet = now.instant;
            wire.outs.push_back(Out::Resume(connection.id));
        }
    }

    fn limits(&self) -> &Limits {
        &self.generation.limits
    }

    fn live(&self, connection: ConnectionId) -> Option<u32> {
        match self.connections.get(connection.index as usize) {
            Some(Some(live)) if live.id == connection => Some(connection.index),
            _ => None,
        }
    }

    fn connection_mut(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        self.connections
            .get_mut(connection.index as usize)?
            .as_mut()
            .filter(|live| live.id == connection)
    }

    /// The connection in a slot that is known to be taken.
    fn connection(&mut self, index: u32) -> &mut Connection {
        self.connections[index as usize].as_mut().expect("a live connection")
    }

    fn connection_and_wire(&mut self, index: u32) -> (&mut Connection, &mut Wire) {
        let connection = self.connections[index as usize].as_mut().expect("a live connection");
        (connection, &mut self.wire)
    }

    fn session(&mut self, session: u32) -> &mut Session {
        &mut self.sessions[session as usize]
    }

    /// The session of a slot, if it is still the one that was meant.
    fn session_of(&mut self, session: u32, incarnation: u32) -> Option<&mut Session> {
        self.sessions.get_mut(session as usize).filter(|session| session.incarnation == incarnation)
    }
}
