//! The shards, the network, the disk and the bridge, moved step by step by chance.

mod carry;
mod crash;
mod network;
mod settle;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use midge_codec::{QoS, Text, TopicFilter};
use midge_core::{
    Attach, Authorize, Client as Identity, ConnectionId, Generation, In, Limits, Memory, Now, Out,
    PeerMessage, QueueFull, Shard, ShardId, Tap, TapId, Verdict,
};
use midge_store::{Durability, Settings};

use crate::bridge::Bridge;
use crate::cast::{PUBLISHERS, cast};
use crate::client::{Client, Request};
use crate::disk::{Disk, Load, Loaded};
use crate::label::{COMMON, KEPT, Label};
use crate::ledger::Ledger;
use crate::mutation::Mutation;
use crate::random::Random;
use crate::trace::{About, Trace};
use crate::violation::{Rule, Violation};
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

/// Seeds from this one on have a spool, and a Kafka with troubles of its own.
pub(crate) const SPOOLED: u64 = 1_000_000;

pub(crate) const OUTPUT_BYTES: usize = 512;
const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// More than any message of this world costs.
pub(crate) const MESSAGE_BYTES: usize = 2_048;

/// What kind of trouble a seed brings.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Little memory, and clients that never acknowledge.
    pub(crate) tight: bool,
    /// Queues have limits: messages are dropped, and counted.
    pub(crate) limited: bool,
    /// Crashes in 10,000 steps.
    crashes: usize,
    failing_syncs: bool,
    full_disks: bool,
    flips: bool,
    /// The number of shards changes at a restart.
    reshards: bool,
}

/// A will that is to be published.
#[derive(Clone, Copy, Debug)]
struct PendingWill {
    label: Label,
    delay_millis: u64,
    lost_at: u64,
}

pub(crate) struct World {
    pub(crate) random: Random,
    now: Now,
    started: Instant,
    step: u64,
    pub(crate) plan: Plan,
    limits: Limits,
    pub(crate) shards: Vec<Shard>,
    links: HashMap<(ShardId, ShardId), VecDeque<PeerMessage>>,
    pub(crate) clients: Vec<Client>,
    owners: HashMap<(ShardId, ConnectionId), usize>,
    numbers: u32,
    pub(crate) disk: Disk,
    pub(crate) bridge: Bridge,
    pub(crate) memory: Arc<Memory>,
    pub(crate) ledger: Ledger,
    pub(crate) calm: bool,
    /// Publishers that came since memory was full: each may publish once before it waits.
    latecomers: usize,
    full: bool,
    /// The wills in the clients' CONNECT packets.
    wills: Vec<Option<Label>>,
    pending_wills: Vec<Option<PendingWill>>,
    /// Published since the start, and perhaps not stored yet.
    published_wills: Vec<PendingWill>,
    lost_at: Vec<u64>,
    /// Whose connection the disk was too full to write of.
    unwritten: Vec<bool>,
    restarted_at: u64,
    /// The broker has seen that the disk fails: it is about to exit.
    dying: Option<usize>,
    /// What shards that are gone have counted.
    pub(crate) dropped_before: u64,
    pub(crate) crashes: u64,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) trace: Trace,
}

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
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, trace: Trace) -> World {
        let mut random = Random::new(seed);
        let (tight, limited) = (random.chance(30), random.chance(25));
        let plan = Plan {
            tight,
            limited,
            crashes: [0, 5, 20, 60][random.below(4)],
            failing_syncs: random.chance(25),
            full_disks: random.chance(25),
            flips: random.chance(6),
            reshards: random.chance(20),
        };
        let memory = Memory::new(match tight {
            true => 12_000 + random.below(40_000),
            false => MEMORY_BYTES,
        });
        let bound = |random: &mut Random, least, more| match limited && random.chance(50) {
            true => least + random.below(more),
            false => 0,
        };
        let policies = [QueueFull::DropNewest, QueueFull::DropOldest, QueueFull::Refuse];
        let limits = Limits {
            max_inflight: 1 + random.below(if tight { 20 } else { 8 }) as u16,
            max_queued_messages: bound(&mut random, 1, 20),
            max_queued_bytes: bound(&mut random, MESSAGE_BYTES, 8_000),
            queue_full: policies[random.below(3)],
            max_inflight_bytes: if tight && random.chance(50) { 4_000 } else { 0 },
            output_bytes: OUTPUT_BYTES,
            receive_maximum: 8,
            ..Limits::default()
        };
        let settings = Settings {
            durability: Durability::Fsync,
            segment_bytes: 4_096 << random.below(4),
            max_bytes: None,
        };
        let disk = Disk::new(random.next(), settings, mutation, trace.clone());
        let bridge = Bridge::new(seed, seed >= SPOOLED, mutation, trace.clone());
        let started = Instant::now();
        let mut world = World {
            now: Now { instant: started, unix_millis: 1_000_000 },
            started,
            step: 0,
            limits,
            shards: Vec::new(),
            links: HashMap::new(),
            clients: Vec::new(),
            owners: HashMap::new(),
            numbers: 0,
            disk,
            bridge,
            memory,
            ledger: Ledger::new(plan.limited),
            calm: false,
            latecomers: 0,
            full: false,
            wills: Vec::new(),
            pending_wills: Vec::new(),
            published_wills: Vec::new(),
            lost_at: Vec::new(),
            unwritten: Vec::new(),
            restarted_at: 0,
            dying: None,
            dropped_before: 0,
            crashes: 0,
            plan,
            mutation,
            trace,
            random,
        };
        for (character, view) in cast(&mut world.random) {
            world.invite(character, view);
        }
        world.ledger.refuses = limited && world.limits.queue_full == QueueFull::Refuse;
        let shards = 1 + world.random.below(4);
        world.start(shards);
        world
    }

    pub(crate) fn invite(
        &mut self,
        character: crate::client::Character,
        view: crate::ledger::View,
    ) -> usize {
        let number = self.clients.len();
        self.clients.push(Client::new(number, character, self.trace.clone()));
        self.ledger.views.push(view);
        self.wills.push(None);
        self.pending_wills.push(None);
        self.lost_at.push(0);
        self.unwritten.push(false);
        number
    }

    fn generation(&self) -> Arc<Generation> {
        Arc::new(Generation {
            number: 1,
            limits: self.limits.clone(),
            authorize: Arc::new(Everything),
        })
    }

    pub(crate) fn millis(&self) -> u64 {
        (self.now.instant - self.started).as_millis() as u64
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        self.step += 1;
        self.trace.at(self.step, self.millis());
        let number = self.random.below(self.clients.len());
        match self.random.below(1_000) {
            0..=49 => self.connect(number),
            50..=209 => self.publish(number),
            210..=409 => {
                let number = self.likely(number, World::has_to_send);
                self.client_to_server(number);
            }
            410..=589 => {
                let number = self.likely(number, World::has_to_read);
                self.server_to_client(number);
            }
            590..=729 => {
                self.peer_message();
            }
            730..=779 => {
                self.disk.append(&mut self.random);
            }
            780..=809 => self.commit(),
            810..=859 => {
                self.durable();
            }
            860..=879 => {
                self.load();
            }
            880..=909 => {
                self.kafka_answers();
            }
            910..=924 => self.break_connection(number),
            925..=934 => self.clients[number].slow = self.random.chance(30),
            935..=949 => self.wish(number),
            950..=952 => self.leave(number),
            953..=962 => {
                self.maintain();
            }
            963..=967 => self.trouble(),
            _ => self.pass_time(),
        }
        if self.bridge.has_its_turn() {
            self.kafka_answers();
        }
        self.crash_if_due();
        self.assert_bounds();
    }

    /// Mostly a client behind this one with something to do.
    fn likely(&mut self, number: usize, has: fn(&mut World, usize) -> bool) -> usize {
        let count = self.clients.len();
        let mut behind = (0..count).map(|step| (number + step) % count);
        behind.find(|other| has(self, *other)).unwrap_or(number)
    }

    fn has_to_send(&mut self, number: usize) -> bool {
        let client = &self.clients[number];
        let Some((shard, id)) = client.connection else { return false };
        !client.to_server.is_empty() && !self.shards[usize::from(shard.0)].is_paused(id)
    }

    fn has_to_read(&mut self, number: usize) -> bool {
        let client = &self.clients[number];
        let Some((shard, id)) = client.connection else { return false };
        let output = self.shards[usize::from(shard.0)].output(id);
        !client.slow && (!client.from_server.is_empty() || output.is_some_and(|o| !o.is_empty()))
    }

    fn commit(&mut self) {
        if self.disk.failed {
            return;
        }
        if !self.disk.commit() && !self.disk.power.is_cut() {
            // It stops taking work, and exits.
            self.dying = Some(self.random.below(20));
            self.bridge.store_usable(false);
        }
        self.tell_full();
    }

    fn maintain(&mut self) -> bool {
        let more = !self.disk.failed && self.disk.maintain();
        self.tell_full();
        more
    }

    /// The shards are told when the disk is full, and when it is not any more.
    fn tell_full(&mut self) {
        let full = !self.disk.failed && self.disk.is_full();
        if full != self.full {
            self.full = full;
            self.trace.note(About::All, || format!("the disk is full: {full}"));
            self.bridge.store_usable(!full && !self.disk.failed);
            self.carry_out();
            for shard in 0..self.shards.len() {
                self.handle(ShardId(shard as u8), In::StoreFull(full));
            }
        }
    }

    fn trouble(&mut self) {
        let files = &self.disk.power.files;
        if self.plan.failing_syncs && self.random.chance(4) {
            self.trace.note(About::All, || "a sync is going to fail".to_owned());
            files.fail_syncs(1);
        }
        if self.plan.full_disks {
            match self.random.below(20) {
                0 => {
                    let left = self.random.below(40_000) as u64;
                    self.trace.note(About::All, || format!("{left} bytes are left on the disk"));
                    files.limit_free(Some(left));
                }
                1..=4 => {
                    self.trace.note(About::All, || "the disk has room".to_owned());
                    files.limit_free(None);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn connect(&mut self, number: usize) {
        // Now and then the old connection is still there: a takeover.
        if self.clients[number].connection.is_some() {
            if !self.random.chance(20) {
                return;
            }
            // The client gives up its side; the server does not know yet.
            self.loses(number);
        }
        self.clients[number].leaving = false;
        let restless = self.clients[number].character.restless && !self.calm;
        let clean = restless && self.random.chance(30);
        let client = &mut self.clients[number];
        client.lasts = client.character.lasting;
        if clean || client.clean {
            client.clean = true;
            client.lasts &= client.character.version == midge_codec::ProtocolVersion::V5;
            client.forget(&mut self.ledger);
        }
        self.will_before_connect(number);
        if self.may_be_gone(number) {
            self.ledger.expired.insert(number);
        } else {
            self.ledger.expired.remove(&number);
        }
        let client = &mut self.clients[number];
        let shard = ShardId::home(&client.id(), self.shards.len());
        self.numbers += 1;
        let index = self.free_slot(shard);
        let id = ConnectionId { index, number: self.numbers };
        let client = &mut self.clients[number];
        let (connect, will) = client.connect_packet();
        let identity = Identity {
            client_id: client.id(),
            username: None,
            listener: Text::empty(),
            address: String::new(),
        };
        client.connection = Some((shard, id));
        client.mute = self.plan.tight && !self.calm && self.random.chance(20);
        let (clean, lasts) = (connect.clean_start, client.lasts);
        self.trace.note(About::Client(number), || {
            format!("connects to shard {}, clean start {clean}, lasts {lasts}", shard.0)
        });
        // With a full disk a session is resumed, so that its queue can be emptied, but not written.
        self.unwritten[number] = self.full;
        self.wills[number] = will.filter(|_| lasts && !self.full);
        if let Some(label) = will {
            self.ledger.will(label, false);
        }
        self.latecomers += usize::from(number < PUBLISHERS);
        self.bridge.latecomers += usize::from(number < PUBLISHERS);
        self.owners.insert((shard, id), number);
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
    }

    /// Whether a session may have expired, as far as its client can tell.
    fn may_be_gone(&self, number: usize) -> bool {
        let expiry = self.clients[number].character.expiry;
        let away = self.millis() - self.lost_at[number];
        self.clients[number].connection.is_none() && expiry.is_some_and(|expiry| away >= expiry)
    }

    fn free_slot(&self, shard: ShardId) -> u32 {
        let taken: BTreeSet<u32> =
            self.owners.keys().filter(|(home, _)| *home == shard).map(|(_, id)| id.index).collect();
        (0..).find(|slot| !taken.contains(slot)).unwrap()
    }

    fn publish(&mut self, number: usize) {
        let publisher = number % PUBLISHERS;
        let client = &mut self.clients[publisher];
        if !client.connected || client.leaving || client.unfinished() >= 6 {
            return;
        }
        let padding = match self.random.below(10) {
            0 => self.random.below(1_000),
            _ => self.random.below(60),
        };
        if KEPT.len() > publisher && self.random.chance(20) {
            let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][self.random.below(2)];
            let padding = (!self.random.chance(20)).then_some(padding);
            return client.publish(&mut self.ledger, KEPT.start + publisher, qos, true, padding);
        }
        let topic = COMMON[self.random.below(COMMON.len())];
        let qos = match self.random.below(10) {
            0 | 1 => QoS::AtMostOnce,
            2..=5 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        client.publish(&mut self.ledger, topic, qos, false, Some(padding));
    }

    /// A client changes its mind about a filter, or asks for what it wants.
    pub(crate) fn wish(&mut self, number: usize) {
        let count = self.ledger.views[number].wishes.len();
        if count == 0 || self.clients[number].leaving {
            return;
        }
        let place = self.random.below(count);
        let wish = &mut self.ledger.views[number].wishes[place];
        if wish.changes && !self.calm {
            wish.wanted = self.random.chance(60);
        }
        let again = !self.calm && self.random.chance(10);
        self.ask(number, place, again);
    }

    /// Sends a request where what is and what is wanted differ; `again`: even if they do not.
    pub(crate) fn ask(&mut self, number: usize, place: usize, again: bool) -> bool {
        let client = &mut self.clients[number];
        if !client.connected || client.leaving || client.requested().contains(&place) {
            return false;
        }
        let wish = &self.ledger.views[number].wishes[place];
        let request = match wish.wanted {
            true if wish.held.is_none() || again => Request::Subscribe,
            false if wish.absent.is_none() => Request::Unsubscribe,
            _ => return false,
        };
        client.request(&mut self.ledger, request, place);
        true
    }

    fn leave(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if client.connected && !client.leaving {
            client.disconnect();
        }
    }

    fn peer_message(&mut self) -> bool {
        let mut waiting: Vec<(ShardId, ShardId)> =
            self.links.iter().filter(|(_, link)| !link.is_empty()).map(|(ends, _)| *ends).collect();
        if waiting.is_empty() {
            return false;
        }
        waiting.sort();
        let ends = waiting[self.random.below(waiting.len())];
        self.letter(ends);
        true
    }

    /// Delivers the next letter of a link.
    fn letter(&mut self, (from, to): (ShardId, ShardId)) {
        let Some(link) = self.links.get_mut(&(from, to)) else { return };
        if link.len() > 1 && self.disk.spoiler.strikes(Mutation::LettersOvertake, 10) {
            link.swap(0, 1);
        }
        let Some(message) = link.pop_front() else { return };
        let committed = matches!(message, PeerMessage::Committed { .. });
        if committed && self.disk.spoiler.strikes(Mutation::LoseCommitted, 10) {
            return;
        }
        self.handle(to, In::Peer { from, message });
    }

    fn durable(&mut self) -> bool {
        let Some((place, number)) = self.disk.report(&mut self.random) else { return false };
        self.trace.note(About::Store, || format!("{place}/{number} is durable"));
        if place < self.shards.len() {
            self.handle(ShardId(place as u8), In::Durable(number));
        } else {
            self.bridge_hears(number);
        }
        true
    }

    fn load(&mut self) -> bool {
        if self.random.chance(50) && self.disk.read() {
            return true;
        }
        match self.disk.loaded() {
            Some((place, loaded)) if place == self.shards.len() => {
                self.bridge_reads(loaded);
                true
            }
            Some((place, Loaded { queue, from, entries, end, lost })) => {
                let loaded = In::Loaded { queue, from, entries, end, lost };
                self.handle(ShardId(place as u8), loaded);
                true
            }
            None => self.disk.read(),
        }
    }

    /// A client's connection is gone, on its side.
    fn loses(&mut self, number: usize) {
        let lost_at = self.millis();
        let client = &mut self.clients[number];
        if client.connection.is_none() {
            return;
        }
        let armed = client.connected && !client.leaving && client.lasts;
        let delay_millis = match (client.character.will, client.character.version) {
            (Some((_, delay)), midge_codec::ProtocolVersion::V5) => u64::from(delay) * 1_000,
            _ => 0,
        };
        if client.connected && !self.unwritten[number] {
            // Of a connection that was never acknowledged the server may know nothing.
            self.lost_at[number] = lost_at;
        }
        self.clients[number].lose_connection(&mut self.ledger);
        let label = self.wills[number].take().filter(|_| armed);
        self.pending_wills[number] = label.map(|label| {
            self.ledger.will(label, false);
            PendingWill { label, delay_millis, lost_at }
        });
    }

    /// What becomes of a client's last will when it comes back.
    fn will_before_connect(&mut self, number: usize) {
        let Some(will) = self.pending_wills[number].take() else { return };
        if will.delay_millis == 0 {
            self.ledger.will(will.label, true);
        }
    }

    /// Wills whose delay is over have been published.
    fn wills_due(&mut self) {
        let now = self.millis();
        for number in 0..self.pending_wills.len() {
            let Some(will) = self.pending_wills[number] else { continue };
            if now >= will.lost_at.max(self.restarted_at) + will.delay_millis {
                self.trace.note(About::Message(will.label), || "is due".to_owned());
                self.ledger.will(will.label, true);
                self.published_wills.push(will);
                self.pending_wills[number] = None;
            }
        }
    }

    fn break_connection(&mut self, number: usize) {
        if let Some((shard, id)) = self.clients[number].connection {
            self.loses(number);
            self.owners.remove(&(shard, id));
            self.handle(shard, In::Closed(id));
        }
    }

    fn pass_time(&mut self) {
        let millis = 1 + self.random.below(2_000) as u64;
        self.pass(millis);
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.instant += Duration::from_millis(millis);
        self.now.unix_millis += millis;
        self.trace.at(self.step, self.millis());
        for shard in 0..self.shards.len() {
            // Clients of this world do not ping: what is due for them is that they went silent.
            if self.shards[shard].deadline().is_some_and(|due| due <= self.now.instant) {
                self.shards[shard].tick(self.now);
                self.drain(ShardId(shard as u8));
            }
        }
        if self.bridge.is_due(self.now) {
            self.carry_out();
        }
        self.wills_due();
    }

    pub(crate) fn handle(&mut self, shard: ShardId, input: In) {
        self.shards[usize::from(shard.0)].handle(self.now, input);
        self.drain(shard);
    }

    pub(crate) fn drain(&mut self, shard: ShardId) {
        let place = usize::from(shard.0);
        while let Some(out) = self.shards[place].poll() {
            match out {
                Out::Flush(_) | Out::Pause(_) | Out::Resume(_) => {}
                Out::Close(id) => self.closed(shard, id),
                Out::Peer { to, message } => {
                    assert_ne!(to, shard);
                    self.links.entry((shard, to)).or_default().push_back(message);
                }
                Out::Offer(offer) => self.offered(shard, offer),
                Out::Injected { .. } => unreachable!("nobody waits for what is injected"),
                Out::Commit(operations) => self.disk.submit(place, operations),
                Out::Load { queue, from, below, max_entries, max_bytes } => {
                    let load = Load { queue, from, below, max_entries, max_bytes };
                    self.disk.want(place, load);
                }
            }
        }
        if self.bridge.fresh {
            self.carry_out();
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
        self.loses(number);
    }

    fn assert_bounds(&mut self) {
        for number in 0..self.clients.len() {
            let Some((shard, id)) = self.clients[number].connection else { continue };
            if let Some(output) = self.shards[usize::from(shard.0)].output(id)
                && output.len() > 8 * OUTPUT_BYTES
            {
                let text = format!("{} bytes wait for client {number}", output.len());
                Violation::of(Rule::Bounds, text).client(number).raise();
            }
        }
        if !self.memory.is_full() {
            self.latecomers = 0;
        }
        // Who publishes learns that memory is full from its own next message; and what waited on
        // the disk for a client that has come back is loaded, some of it, whatever memory there is.
        let readers = self.clients.iter().filter(|client| client.connected).count();
        let beyond = (PUBLISHERS + self.latecomers + readers) * MESSAGE_BYTES;
        let (used, limit) = (self.memory.used(), self.memory.limit());
        if used > limit + beyond {
            Violation::of(Rule::Bounds, format!("{used} bytes of {limit}")).raise();
        }
    }
}
