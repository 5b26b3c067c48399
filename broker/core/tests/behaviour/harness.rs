//! Shards, clients and the bridge in one thread, each step asked for by the test.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Ack, Connack, Connect, ConnectProperties, Disconnect, DisconnectProperties, Packet, PacketId,
    ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode, Subscribe, SubscribeProperties,
    SubscriptionOptions, Text, TopicFilter, TopicName, Unsubscribe, Will, WillProperties, decode,
};
use midge_core::{
    Attach, Authorize, Client as Identity, ConnectionId, Generation, In, Inject, Limits, Memory,
    Now, Offer, Out, PeerMessage, Shard, ShardId, Tap, TapId, Ticket, Verdict,
};

pub(crate) use midge_codec::ProtocolVersion::{V5, V31, V311};

use crate::store::Store;

/// What each client may do, by plain functions.
#[derive(Clone, Copy)]
pub(crate) struct Access {
    pub(crate) publish: fn(&str, &str) -> bool,
    pub(crate) read: fn(&str, &str) -> bool,
    pub(crate) subscribe: fn(&str, &str) -> Verdict,
}

impl Default for Access {
    fn default() -> Access {
        Access { publish: |_, _| true, read: |_, _| true, subscribe: |_, _| Verdict::Always }
    }
}

impl Authorize for Access {
    fn publish(&self, client: &Identity, topic: &TopicName) -> bool {
        (self.publish)(&client.client_id, topic.as_str())
    }

    fn read(&self, client: &Identity, topic: &TopicName) -> bool {
        (self.read)(&client.client_id, topic.as_str())
    }

    fn subscribe(&self, client: &Identity, filter: &TopicFilter) -> Verdict {
        (self.subscribe)(&client.client_id, filter.text().as_str())
    }
}

/// A client's connection, as the test names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    pub(crate) shard: ShardId,
    pub(crate) id: ConnectionId,
    pub(crate) version: ProtocolVersion,
}

pub(crate) struct Broker {
    pub(crate) now: Now,
    pub(crate) shards: Vec<Shard>,
    pub(crate) memory: Arc<Memory>,
    /// Messages between shards that are held back.
    pub(crate) links: VecDeque<(ShardId, ShardId, PeerMessage)>,
    pub(crate) holds_links: bool,
    pub(crate) offers: Vec<(ShardId, Offer)>,
    pub(crate) injected: Vec<ReasonCode>,
    /// Whether messages between shards are being delivered already.
    delivering: bool,
    closed: HashSet<Peer>,
    peers: HashMap<(ShardId, ConnectionId), Peer>,
    bytes: HashMap<Peer, BytesMut>,
    numbers: u32,
    generation: u64,
    pub(crate) store: Store,
    limits: Limits,
    pub(crate) access: Access,
    taps: Arc<[Tap]>,
}

impl Broker {
    pub(crate) fn new() -> Broker {
        Broker::with(1, Limits::default(), Access::default(), Vec::new(), usize::MAX)
    }

    pub(crate) fn limited(limits: Limits) -> Broker {
        Broker::with(1, limits, Access::default(), Vec::new(), usize::MAX)
    }

    pub(crate) fn of_shards(count: usize) -> Broker {
        Broker::with(count, Limits::default(), Access::default(), Vec::new(), usize::MAX)
    }

    pub(crate) fn with(
        count: usize,
        limits: Limits,
        access: Access,
        taps: Vec<Tap>,
        memory_bytes: usize,
    ) -> Broker {
        let memory = Memory::new(memory_bytes);
        let generation =
            Arc::new(Generation { number: 1, limits: limits.clone(), authorize: Arc::new(access) });
        let shards = (0..count)
            .map(|id| Shard::new(ShardId(id as u8), count, generation.clone(), memory.clone()))
            .collect();
        let mut broker = Broker {
            now: Now { instant: Instant::now(), unix_millis: 1_000_000 },
            shards,
            memory,
            links: VecDeque::new(),
            holds_links: false,
            offers: Vec::new(),
            injected: Vec::new(),
            delivering: false,
            closed: HashSet::new(),
            peers: HashMap::new(),
            bytes: HashMap::new(),
            numbers: 0,
            generation: 1,
            store: Store::default(),
            limits,
            access,
            taps: taps.into(),
        };
        broker.retap();
        broker
    }

    /// Gives every shard the bridge's rules.
    fn retap(&mut self) {
        for shard in &mut self.shards {
            shard.handle(self.now, In::Taps(Arc::clone(&self.taps)));
        }
    }

    /// Switches every shard to a new configuration.
    pub(crate) fn reload(&mut self, limits: &Limits, access: Access) {
        for shard in 0..self.shards.len() {
            self.reload_one(shard, limits.clone(), access);
        }
    }

    /// Switches one shard: the others follow later.
    pub(crate) fn reload_one(&mut self, shard: usize, limits: Limits, access: Access) {
        self.generation += 1;
        let number = self.generation;
        let generation = Generation { number, limits, authorize: Arc::new(access) };
        self.handle(ShardId(shard as u8), In::Generation(Arc::new(generation)));
    }

    /// Attaches a client without looking at what it is answered.
    pub(crate) fn attach(
        &mut self,
        name: &str,
        version: ProtocolVersion,
        change: impl FnOnce(&mut Connect),
    ) -> Peer {
        let mut connect = Connect {
            version,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            properties: ConnectProperties::default(),
            client_id: text(name),
            will: None,
            username: None,
            password: None,
        };
        change(&mut connect);
        let shard = ShardId::home(name, self.shards.len());
        self.numbers += 1;
        let id = ConnectionId { index: self.numbers, number: self.numbers };
        let peer = Peer { shard, id, version };
        self.peers.insert((shard, id), peer);
        self.bytes.insert(peer, BytesMut::new());
        let identity = Identity {
            client_id: text(name),
            username: connect.username.clone(),
            listener: Text::empty(),
            address: String::new(),
        };
        self.handle(
            shard,
            In::Attach(Box::new(Attach {
                connection: id,
                client: Arc::new(identity),
                connect: Box::new(connect),
                assigned_client_id: false,
                authentication: None,
            })),
        );
        peer
    }

    /// Attaches a client and takes its CONNACK.
    pub(crate) fn connect_with(
        &mut self,
        name: &str,
        version: ProtocolVersion,
        change: impl FnOnce(&mut Connect),
    ) -> Peer {
        let peer = self.attach(name, version, change);
        let connack = self.connack(peer);
        assert_eq!(connack.reason, ReasonCode::Success);
        peer
    }

    /// A client with a clean session.
    pub(crate) fn connect(&mut self, name: &str, version: ProtocolVersion) -> Peer {
        self.connect_with(name, version, |_| {})
    }

    /// A client whose session stays, and goes on if it was there.
    pub(crate) fn resume(&mut self, name: &str, version: ProtocolVersion) -> Peer {
        self.connect_with(name, version, stays)
    }

    /// Takes the CONNACK and leaves the rest unread.
    pub(crate) fn connack(&mut self, peer: Peer) -> Connack {
        self.take_bytes(peer);
        let bytes = self.bytes.get_mut(&peer).unwrap();
        match decode(bytes, peer.version, u32::MAX).unwrap() {
            Some(Packet::Connack(connack)) => *connack,
            other => panic!("expected CONNACK, found {other:?}"),
        }
    }

    /// One packet of a client.
    pub(crate) fn send(&mut self, peer: Peer, packet: Packet) {
        self.handle(peer.shard, In::Packet { connection: peer.id, packet });
    }

    pub(crate) fn publish(&mut self, peer: Peer, publish: Publish) {
        self.send(peer, Packet::Publish(publish));
    }

    /// Subscribes and takes the SUBACK; what follows it stays unread.
    pub(crate) fn subscribe(&mut self, peer: Peer, filter: &str, qos: QoS) -> ReasonCode {
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        self.subscribe_with(peer, filter, options, None)
    }

    pub(crate) fn subscribe_with(
        &mut self,
        peer: Peer,
        name: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> ReasonCode {
        self.send(peer, subscription(name, options, identifier));
        self.take_bytes(peer);
        let bytes = self.bytes.get_mut(&peer).unwrap();
        match decode(bytes, peer.version, u32::MAX).unwrap() {
            Some(Packet::Suback(suback)) => suback.reasons[0],
            other => panic!("expected SUBACK, found {other:?}"),
        }
    }

    /// Subscribes at QoS 0 without looking at what comes back.
    pub(crate) fn subscribe_blindly(&mut self, peer: Peer, name: &str) {
        self.send(peer, subscription(name, SubscriptionOptions::default(), None));
    }

    pub(crate) fn unsubscribe(&mut self, peer: Peer, name: &str) {
        self.send(
            peer,
            Packet::Unsubscribe(Unsubscribe {
                packet_id: id(9),
                user_properties: Vec::new(),
                filters: vec![filter(name)],
            }),
        );
    }

    pub(crate) fn disconnect(&mut self, peer: Peer, reason: ReasonCode) {
        self.send(peer, Packet::Disconnect(Disconnect { reason, properties: None }));
    }

    /// DISCONNECT with another Session Expiry Interval.
    pub(crate) fn disconnect_expiring(&mut self, peer: Peer, seconds: u32) {
        let properties = DisconnectProperties {
            session_expiry_interval: Some(seconds),
            ..DisconnectProperties::default()
        };
        let properties = Some(Box::new(properties));
        self.send(peer, Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties }));
    }

    /// The network breaks.
    pub(crate) fn lose(&mut self, peer: Peer) {
        self.handle(peer.shard, In::Closed(peer.id));
    }

    /// The client reads all there is, also what comes because it reads.
    pub(crate) fn read(&mut self, peer: Peer) -> Vec<Packet> {
        let mut packets = Vec::new();
        loop {
            while let Some(packet) =
                decode(self.bytes.get_mut(&peer).unwrap(), peer.version, u32::MAX).unwrap()
            {
                packets.push(packet);
            }
            if !self.take_bytes(peer) {
                return packets;
            }
        }
    }

    /// The publishes among what it reads.
    pub(crate) fn read_publishes(&mut self, peer: Peer) -> Vec<Publish> {
        let packets = self.read(peer).into_iter();
        packets
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect()
    }

    /// Their payloads.
    pub(crate) fn read_payloads(&mut self, peer: Peer) -> Vec<String> {
        let publishes = self.read_publishes(peer).into_iter();
        publishes.map(|publish| String::from_utf8(publish.payload.to_vec()).unwrap()).collect()
    }

    pub(crate) fn is_closed(&self, peer: Peer) -> bool {
        self.closed.contains(&peer)
    }

    pub(crate) fn is_paused(&self, peer: Peer) -> bool {
        self.shards[usize::from(peer.shard.0)].is_paused(peer.id)
    }

    /// Bytes that wait for a client to read.
    pub(crate) fn waiting_bytes(&mut self, peer: Peer) -> usize {
        self.shards[usize::from(peer.shard.0)].output(peer.id).map_or(0, |output| output.len())
    }

    pub(crate) fn stats(&self) -> midge_core::Stats {
        let mut all = midge_core::Stats::default();
        for shard in &self.shards {
            all += shard.stats();
        }
        all
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.unix_millis += time.as_millis() as u64;
        for shard in 0..self.shards.len() {
            let due = self.shards[shard].deadline();
            if due.is_some_and(|due| due <= self.now.instant) {
                self.shards[shard].tick(self.now);
            }
            self.drain(ShardId(shard as u8));
        }
    }

    pub(crate) fn inject(&mut self, inject: Inject) {
        let shard = ShardId::of_topic(&inject.topic, self.shards.len());
        self.handle(shard, In::Inject(Box::new(inject)));
    }

    /// The bridge reports on all it was offered.
    pub(crate) fn bridge_reports(&mut self, reason: ReasonCode) {
        for (shard, offer) in std::mem::take(&mut self.offers) {
            if let Some(duty) = offer.duty {
                self.handle(shard, In::DutyDone { duty, reason });
            }
        }
    }

    pub(crate) fn handle(&mut self, shard: ShardId, input: In) {
        self.shards[usize::from(shard.0)].handle(self.now, input);
        self.drain(shard);
    }

    /// Lets one message between shards arrive.
    pub(crate) fn deliver_one(&mut self) -> bool {
        let Some((from, to, message)) = self.links.pop_front() else { return false };
        self.shards[usize::from(to.0)].handle(self.now, In::Peer { from, message });
        self.drain(to);
        true
    }

    /// Lets all of them arrive.
    pub(crate) fn deliver_all(&mut self) {
        self.holds_links = false;
        while self.deliver_one() {}
    }

    fn drain(&mut self, shard: ShardId) {
        while let Some(out) = self.shards[usize::from(shard.0)].poll() {
            match out {
                Out::Flush(_) | Out::Pause(_) | Out::Resume(_) => {}
                Out::Close(id) => {
                    let peer = self.peers[&(shard, id)];
                    let output = self.shards[usize::from(shard.0)].take_output(id);
                    if let Some(mut output) = output {
                        take(&mut output, self.bytes.get_mut(&peer).unwrap());
                    }
                    self.closed.insert(peer);
                }
                Out::Peer { to, message } => self.links.push_back((shard, to, message)),
                Out::Offer(offer) => self.offers.push((shard, offer)),
                Out::Injected { reason, .. } => self.injected.push(reason),
                Out::Commit(operations) => self.store.commit(shard, operations),
                Out::Load { queue, from, below, max_entries, .. } => {
                    self.store.want(shard, (queue, from, below, max_entries));
                }
            }
        }
        if !self.holds_links && !self.delivering {
            self.delivering = true;
            while self.deliver_one() {}
            self.delivering = false;
        }
        if !self.store.waits && !self.store.answering {
            self.sync();
        }
    }

    /// The store brings to the disk what it has been given, and answers what it was asked.
    pub(crate) fn sync(&mut self) {
        self.sync_some(usize::MAX);
    }

    /// So many of the things that wait for the store are done, in the order they were asked for.
    pub(crate) fn sync_some(&mut self, count: usize) {
        self.store.answering = true;
        for _ in 0..count {
            let Some((shard, input)) = self.store.answer() else { break };
            self.shards[usize::from(shard.0)].handle(self.now, input);
            self.drain(shard);
        }
        self.store.answering = false;
    }

    /// The same broker with a store.
    pub(crate) fn with_store(mut self) -> Broker {
        self.shards = self.shards.into_iter().map(Shard::with_store).collect();
        self
    }

    /// `kill -9`: all that is left is what the store has made durable.
    pub(crate) fn crash(&mut self) {
        let count = self.shards.len();
        let generation = Arc::new(Generation {
            number: 1,
            limits: self.limits.clone(),
            authorize: Arc::new(self.access),
        });
        self.memory = Memory::new(self.memory.limit());
        self.links.clear();
        self.offers.clear();
        self.closed.extend(self.bytes.keys());
        let (restored, clear) = self.store.crash(self.now, count, &self.memory);
        self.shards = (0..count)
            .map(|id| Shard::new(ShardId(id as u8), count, generation.clone(), self.memory.clone()))
            .map(Shard::with_store)
            .collect();
        self.retap();
        self.store.clear(clear);
        for (id, restored) in restored.into_iter().enumerate() {
            self.shards[id].restore(self.now, restored);
        }
        for id in 0..count {
            self.drain(ShardId(id as u8));
        }
        self.pass(Duration::ZERO);
    }

    pub(crate) fn store_full(&mut self, full: bool) {
        for shard in 0..self.shards.len() {
            self.handle(ShardId(shard as u8), In::StoreFull(full));
        }
    }

    /// The network takes a part of what waits for a client.
    pub(crate) fn take_some(&mut self, peer: Peer, bytes: usize) {
        let output = self.shards[usize::from(peer.shard.0)].output(peer.id).unwrap();
        assert!(bytes < output.len());
        let mut parts = [std::io::IoSlice::new(&[]); 1];
        output.parts(&mut parts);
        let part = parts[0][..bytes.min(parts[0].len())].to_vec();
        output.advance(part.len());
        self.bytes.get_mut(&peer).unwrap().extend_from_slice(&part);
    }

    fn take_bytes(&mut self, peer: Peer) -> bool {
        let shard = &mut self.shards[usize::from(peer.shard.0)];
        let Some(output) = shard.output(peer.id) else { return false };
        if output.is_empty() {
            return false;
        }
        take(output, self.bytes.get_mut(&peer).unwrap());
        self.handle(peer.shard, In::Written(peer.id));
        true
    }
}

fn take(output: &mut midge_core::Output, into: &mut BytesMut) {
    while !output.is_empty() {
        let mut parts = [std::io::IoSlice::new(&[]); 8];
        let used = output.parts(&mut parts);
        let before = into.len();
        for part in &parts[..used] {
            into.extend_from_slice(part);
        }
        let taken = into.len() - before;
        output.advance(taken);
    }
}

/// A session that goes on, in the words of each version.
pub(crate) fn stays(connect: &mut Connect) {
    connect.clean_start = false;
    if connect.version == V5 {
        connect.properties.session_expiry_interval = Some(u32::MAX);
    }
}

pub(crate) fn text(text: &str) -> Text {
    Text::try_from(text.to_owned()).unwrap()
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).unwrap()
}

pub(crate) fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn ack(number: u16) -> Ack {
    Ack { packet_id: id(number), reason: ReasonCode::Success, properties: None }
}

/// The acknowledgement of a publish that came.
pub(crate) fn ack_of(publish: &Publish) -> Ack {
    ack(publish.packet_id.unwrap().get())
}

/// A PUBLISH; its packet id is 1 where it needs one.
pub(crate) fn message(name: &str, qos: QoS, payload: &str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(topic(name)),
        packet_id: (qos > QoS::AtMostOnce).then(|| id(1)),
        topic_alias: None,
        properties: None,
        payload: Bytes::from(payload.to_owned()),
    }
}

pub(crate) fn numbered(name: &str, qos: QoS, payload: &str, number: u16) -> Publish {
    Publish { packet_id: Some(id(number)), ..message(name, qos, payload) }
}

pub(crate) fn retained(name: &str, payload: &str) -> Publish {
    Publish { retain: true, ..message(name, QoS::AtMostOnce, payload) }
}

pub(crate) fn expiring(name: &str, qos: QoS, payload: &str, seconds: u32) -> Publish {
    let properties =
        PublishProperties { message_expiry_interval: Some(seconds), ..Default::default() };
    Publish { properties: Some(Box::new(properties)), ..message(name, qos, payload) }
}

pub(crate) fn subscription(
    name: &str,
    options: SubscriptionOptions,
    identifier: Option<u32>,
) -> Packet {
    let subscription_identifier = identifier.and_then(std::num::NonZeroU32::new);
    Packet::Subscribe(Subscribe {
        packet_id: id(7),
        properties: SubscribeProperties { subscription_identifier, user_properties: Vec::new() },
        subscriptions: vec![(filter(name), options)],
    })
}

pub(crate) fn will(name: &str, payload: &str, delay: Option<u32>) -> Option<Will> {
    Some(Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: topic(name),
        payload: Bytes::from(payload.to_owned()),
        properties: WillProperties {
            will_delay_interval: delay,
            publish: PublishProperties::default(),
        },
    })
}

pub(crate) fn injection(name: &str, payload: &[u8], qos: QoS) -> Inject {
    Inject {
        ticket: Some(Ticket { owner: 0, number: 0 }),
        client: None,
        topic: topic(name),
        payload: Bytes::copy_from_slice(payload),
        qos,
        retain: false,
        properties: None,
        trail: Vec::new(),
        mark: None,
    }
}

/// A rule that takes `filter` and makes publishers wait.
pub(crate) fn waiting_tap(name: &str) -> Tap {
    Tap {
        id: TapId(1),
        name: Text::from_static("rule"),
        filters: vec![filter(name)],
        waits: true,
        reader: None,
    }
}

/// A name whose home is that shard.
pub(crate) fn at_home(prefix: &str, shard: u8, shards: usize) -> String {
    (0..)
        .map(|number| format!("{prefix}{number}"))
        .find(|name| ShardId::home(name, shards) == ShardId(shard))
        .unwrap()
}
