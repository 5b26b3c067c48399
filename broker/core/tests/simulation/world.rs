//! The shards, the network and the bridge, moved step by step by chance.

mod network;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use midge_codec::{Disconnect, Packet, ProtocolVersion, QoS, ReasonCode, Text, TopicFilter};
use midge_core::{
    Attach, Authorize, Client as Identity, ConnectionId, Generation, In, Limits, Memory, Now,
    Offer, Out, PeerMessage, Shard, ShardId, Tap, TapId, Verdict,
};

use crate::client::{Client, Label};
use crate::random::Random;
use network::take;

struct Everything;

impl Authorize for Everything {
    fn publish(&self, _: &Identity, _: &midge_codec::TopicName) -> bool {
        true
    }

    fn read(&self, _: &Identity, _: &midge_codec::TopicName) -> bool {
        true
    }

    fn subscribe(&self, _: &Identity, _: &TopicFilter) -> Verdict {
        Verdict::Always
    }
}

pub(crate) const OUTPUT_BYTES: usize = 512;
const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// Clients that publish: the first ones.
const PUBLISHERS: usize = 4;
/// More than any message of this world costs.
const MESSAGE_BYTES: usize = 512;
/// How often waiting publishers may look for memory before they go on, once everybody reads.
const PATIENCE: usize = 50;
/// What a broken network may still hold for one connection, in bytes.
const PIPE_BYTES: usize = 2_048;

pub(crate) struct World {
    pub(crate) random: Random,
    now: Now,
    pub(crate) shards: Vec<Shard>,
    links: HashMap<(ShardId, ShardId), VecDeque<PeerMessage>>,
    pub(crate) clients: Vec<Client>,
    owners: HashMap<(ShardId, ConnectionId), usize>,
    numbers: u32,
    bridge: VecDeque<(ShardId, Offer)>,
    /// What the bridge has acknowledged, before the shard is told.
    pub(crate) bridged: BTreeSet<Label>,
    pub(crate) memory: Arc<Memory>,
    /// Publishes made so far, and when each was made.
    pub(crate) published: u64,
    pub(crate) made: HashMap<Label, u64>,
    calm: bool,
    /// Memory and queues are small and some clients never acknowledge: messages are dropped, and
    /// counted.
    pub(crate) tight: bool,
    /// Publishers that came since memory was full: each may publish once before it waits.
    latecomers: usize,
}

const TOPICS: [&str; 5] = ["a/one", "a/two", "b/one", "tap/x", "shared/y"];

/// The one rule of the bridge: it takes what is published below `tap/`.
pub(crate) fn taps() -> Arc<[Tap]> {
    Arc::new([Tap {
        id: TapId(1),
        name: Text::from_static("rule"),
        filters: vec![TopicFilter::try_from("tap/#").unwrap()],
        waits: true,
        reader: None,
    }])
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let count = 1 + random.below(4);
        let tight = random.chance(40);
        let memory = Memory::new(match tight {
            true => 2_000 + random.below(6_000),
            false => MEMORY_BYTES,
        });
        let bound = |random: &mut Random, most: usize| match tight && random.chance(50) {
            true => 1 + random.below(most),
            false => 0,
        };
        let generation = Arc::new(Generation {
            number: 1,
            limits: Limits {
                max_inflight: 1 + random.below(if tight { 20 } else { 6 }) as u16,
                max_queued_messages: bound(&mut random, 20),
                max_queued_bytes: bound(&mut random, 4_000),
                max_inflight_bytes: bound(&mut random, 4_000),
                output_bytes: OUTPUT_BYTES,
                receive_maximum: 8,
                ..Limits::default()
            },
            authorize: Arc::new(Everything),
        });
        let now = Now { instant: Instant::now(), unix_millis: 1_000_000 };
        let shards = (0..count)
            .map(|id| {
                let id = ShardId(id as u8);
                let mut shard = Shard::new(id, count, generation.clone(), memory.clone());
                shard.handle(now, In::Taps(taps()));
                shard
            })
            .collect();
        let mut world = World {
            random,
            now,
            shards,
            links: HashMap::new(),
            clients: Vec::new(),
            owners: HashMap::new(),
            numbers: 0,
            bridge: VecDeque::new(),
            bridged: BTreeSet::new(),
            memory,
            published: 0,
            made: HashMap::new(),
            calm: false,
            tight,
            latecomers: 0,
        };
        world.invite();
        world
    }

    /// Publishers, subscribers that stay, subscribers that come and go, and a shared group.
    fn invite(&mut self) {
        let filters = ["a/+", "#", "a/one", "+/one", "$share/g/shared/#", "$share/g/shared/#"];
        for number in 0..16 {
            let version = match self.random.below(2) {
                0 => ProtocolVersion::V311,
                _ => ProtocolVersion::V5,
            };
            let mut client = Client::new(number, version, number < 11);
            if number >= 4 {
                let filter = filters[(number - 4) % filters.len()];
                let qos = match (number - 4) % 3 {
                    0 => QoS::ExactlyOnce,
                    1 => QoS::AtLeastOnce,
                    _ => [QoS::AtMostOnce, QoS::ExactlyOnce][self.random.below(2)],
                };
                client.filter = Some((TopicFilter::try_from(filter).unwrap(), qos));
            }
            self.clients.push(client);
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let number = self.random.below(self.clients.len());
        match self.random.below(100) {
            0..=4 => self.connect(number, false),
            5..=24 => self.publish(number),
            25..=49 => {
                self.client_to_server(number);
            }
            50..=69 => {
                self.server_to_client(number);
            }
            70..=84 => {
                self.peer_message();
            }
            85..=89 => {
                self.bridge_answers();
            }
            90..=91 => self.break_connection(number),
            92..=93 => self.clients[number].slow = self.random.chance(30),
            _ => self.pass_time(),
        }
        self.assert_bounds();
    }

    /// Faults stop; everything under way arrives.
    pub(crate) fn settle(&mut self) {
        self.calm = true;
        for number in 0..self.clients.len() {
            self.clients[number].slow = false;
            if self.clients[number].mute {
                self.break_connection(number);
            }
        }
        let mut waits = 0;
        for _ in 0..200_000 {
            let mut moved = false;
            for number in 0..self.clients.len() {
                if self.clients[number].connection.is_none() {
                    self.connect(number, false);
                }
                moved |= self.client_to_server(number);
                moved |= self.server_to_client(number);
            }
            moved |= self.peer_message();
            moved |= self.bridge_answers();
            if !moved && self.is_quiet() {
                return;
            }
            if !moved && self.tight && waits < PATIENCE {
                waits += 1;
                self.pass(20);
            }
        }
        let unfinished: Vec<usize> = self.clients.iter().map(Client::unfinished).collect();
        panic!("does not come to rest, unfinished publishes: {unfinished:?}");
    }

    fn is_quiet(&mut self) -> bool {
        let links = self.links.values().all(VecDeque::is_empty);
        let outputs = (0..self.clients.len()).all(|number| match self.clients[number].connection {
            Some((shard, connection)) => self.shards[usize::from(shard.0)]
                .output(connection)
                .is_none_or(|output| output.is_empty()),
            None => true,
        });
        let clients = self
            .clients
            .iter()
            .all(|client| client.unfinished() == 0 && client.to_server.is_empty());
        links && outputs && clients && self.bridge.is_empty()
    }

    pub(crate) fn connect(&mut self, number: usize, clean_start: bool) {
        // Now and then the old connection is still there: a takeover.
        if self.clients[number].connection.is_some() && !self.random.chance(20) {
            return;
        }
        if self.clients[number].connection.is_some() {
            // The client gives up its side; the server does not know yet.
            self.clients[number].lose_connection();
        }
        let client = &self.clients[number];
        let shard = ShardId::home(&client.id(), self.shards.len());
        self.numbers += 1;
        let id = ConnectionId { index: self.free_slot(shard), number: self.numbers };
        let connect = Box::new(client.connect_packet(clean_start));
        let identity = Identity {
            client_id: client.id(),
            username: None,
            listener: Text::empty(),
            address: String::new(),
        };
        self.clients[number].connection = Some((shard, id));
        self.clients[number].mute = self.tight && !self.calm && self.random.chance(25);
        self.latecomers += usize::from(number < PUBLISHERS);
        self.owners.insert((shard, id), number);
        self.handle(
            shard,
            In::Attach(Box::new(Attach {
                connection: id,
                client: Arc::new(identity),
                connect,
                assigned_client_id: false,
                authentication: None,
            })),
        );
    }

    fn free_slot(&self, shard: ShardId) -> u32 {
        let taken: BTreeSet<u32> =
            self.owners.keys().filter(|(home, _)| *home == shard).map(|(_, id)| id.index).collect();
        (0..).find(|slot| !taken.contains(slot)).unwrap()
    }

    fn publish(&mut self, number: usize) {
        let publisher = number % PUBLISHERS;
        let client = &mut self.clients[publisher];
        if !client.connected || client.unfinished() >= 6 {
            return;
        }
        let topic = TOPICS[self.random.below(TOPICS.len())];
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][self.random.below(3)];
        let retain = self.random.chance(10);
        self.published += 1;
        client.publish(topic, qos, retain);
        let last = client.last_label(topic, qos);
        self.made.insert(last, self.published);
    }

    fn peer_message(&mut self) -> bool {
        let mut waiting: Vec<(ShardId, ShardId)> =
            self.links.iter().filter(|(_, link)| !link.is_empty()).map(|(ends, _)| *ends).collect();
        if waiting.is_empty() {
            return false;
        }
        waiting.sort();
        let (from, to) = waiting[self.random.below(waiting.len())];
        let message = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front).unwrap();
        self.handle(to, In::Peer { from, message });
        true
    }

    fn bridge_answers(&mut self) -> bool {
        if self.bridge.is_empty() {
            return false;
        }
        let place = self.random.below(self.bridge.len());
        let (shard, offer) = self.bridge.remove(place).unwrap();
        self.bridged.insert(Label::read(&offer.message.payload).unwrap());
        if let Some(duty) = offer.duty {
            self.handle(shard, In::DutyDone { duty, reason: ReasonCode::Success });
        }
        true
    }

    fn break_connection(&mut self, number: usize) {
        if let Some((shard, id)) = self.clients[number].connection {
            self.clients[number].lose_connection();
            self.owners.remove(&(shard, id));
            self.handle(shard, In::Closed(id));
        }
    }

    fn pass_time(&mut self) {
        let millis = 1 + self.random.below(2_000) as u64;
        self.pass(millis);
    }

    fn pass(&mut self, millis: u64) {
        self.now.instant += Duration::from_millis(millis);
        self.now.unix_millis += millis;
        for shard in 0..self.shards.len() {
            // Clients of this world do not ping: what is due for them is that they went silent.
            if self.shards[shard].deadline().is_some_and(|due| due <= self.now.instant) {
                self.shards[shard].tick(self.now);
                self.drain(ShardId(shard as u8));
            }
        }
    }

    pub(crate) fn handle(&mut self, shard: ShardId, input: In) {
        self.shards[usize::from(shard.0)].handle(self.now, input);
        self.drain(shard);
    }

    fn drain(&mut self, shard: ShardId) {
        while let Some(out) = self.shards[usize::from(shard.0)].poll() {
            match out {
                Out::Flush(_) | Out::Pause(_) | Out::Resume(_) => {}
                Out::Close(id) => self.closed(shard, id),
                Out::Peer { to, message } => {
                    assert_ne!(to, shard);
                    self.links.entry((shard, to)).or_default().push_back(message);
                }
                Out::Offer(offer) => self.bridge.push_back((shard, offer)),
                Out::Injected { .. } => unreachable!("nothing is injected"),
                Out::Commit(_) | Out::Load { .. } => unreachable!("there is no store"),
            }
        }
    }

    /// The server closes: the client gets the last bytes, or not.
    fn closed(&mut self, shard: ShardId, id: ConnectionId) {
        let mut output = self.shards[usize::from(shard.0)].take_output(id).unwrap();
        let Some(number) = self.owners.remove(&(shard, id)) else { return };
        if self.clients[number].connection != Some((shard, id)) {
            return;
        }
        if self.calm || self.random.chance(50) {
            let mut bytes = BytesMut::new();
            take(&mut output, usize::MAX, &mut bytes);
            self.clients[number].from_server.extend_from_slice(&bytes);
            self.client_reads(number);
        }
        self.clients[number].lose_connection();
    }

    /// Every session ends.
    pub(crate) fn dismiss_everyone(&mut self) {
        for number in 0..self.clients.len() {
            self.break_connection(number);
        }
        for number in 0..self.clients.len() {
            self.clients[number].persistent = false;
            self.clients[number].filter = None;
            self.connect(number, true);
            let (shard, connection) = self.clients[number].connection.unwrap();
            let packet =
                Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: None });
            self.handle(shard, In::Packet { connection, packet });
        }
        self.settle_peers();
    }

    pub(crate) fn settle_peers(&mut self) {
        while self.peer_message() {}
        self.pass(20);
        while self.peer_message() {}
    }

    /// Time enough for everything that is remembered for a while.
    pub(crate) fn forget(&mut self) {
        self.now.instant += Duration::from_secs(3_600);
        for shard in 0..self.shards.len() {
            self.shards[shard].tick(self.now);
            self.drain(ShardId(shard as u8));
        }
    }

    /// One more client, connected and subscribed once all is delivered.
    pub(crate) fn newcomer(&mut self, filter: &str) -> usize {
        let number = self.clients.len();
        let mut client = Client::new(number, ProtocolVersion::V5, false);
        client.filter = Some((TopicFilter::try_from(filter).unwrap(), QoS::AtLeastOnce));
        self.clients.push(client);
        self.connect(number, true);
        self.settle();
        number
    }

    fn assert_bounds(&mut self) {
        for number in 0..self.clients.len() {
            let Some((shard, id)) = self.clients[number].connection else { continue };
            if let Some(output) = self.shards[usize::from(shard.0)].output(id) {
                assert!(output.len() <= 8 * OUTPUT_BYTES, "{} bytes wait", output.len());
            }
        }
        if !self.memory.is_full() {
            self.latecomers = 0;
        }
        // Who publishes learns that memory is full from its own next message.
        let beyond = (PUBLISHERS + self.latecomers) * MESSAGE_BYTES;
        let (used, limit) = (self.memory.used(), self.memory.limit());
        assert!(used <= limit + beyond, "{used} bytes of {limit}");
    }
}

/// The topics of this world.
pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
    TOPICS.into_iter()
}
