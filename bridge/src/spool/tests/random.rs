//! Random runs against a model of the store and of Kafka: every step may be a crash.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{identity, message_at, queue};
use super::*;

const TOPICS: u64 = 4;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }
}

struct World {
    seed: u64,
    random: Random,
    start: Instant,
    millis: u64,
    limits: Limits,
    store: Store,
    run: u64,
    spool: Spool,
    loads: Vec<Output>,
    /// Inside the producer, in the order in which they were given.
    inside: Vec<(Position, u64, u64)>,
    last_taken: Option<Position>,
    kafka_up: bool,
    pressed: bool,
    /// Records of each topic.
    kafka: BTreeMap<u64, Vec<u64>>,
    next: [u64; TOPICS as usize],
    /// Acknowledged and neither dropped nor refused.
    acknowledged: BTreeSet<(u64, u64)>,
    dropped: u64,
    offered: u64,
}

fn key(duty: Duty) -> (u64, u64) {
    (duty.1.0 >> 32, duty.1.0 & 0xffff_ffff)
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.below(2);
        }
        let limits = Limits {
            messages: 20 + random.below(200) as usize,
            bytes: 20_000 + random.below(50_000) as usize,
            after: (!random.one_in(4)).then_some(Duration::from_millis(50)),
            durable_is_enough: !random.one_in(3),
            max_bytes: 100_000 + random.below(200_000),
            max_age: None,
            full: match random.below(3) {
                0 => SpoolFull::PushBack,
                1 => SpoolFull::DropOldest,
                _ => SpoolFull::DropNewest,
            },
            byte_rate: random.one_in(4).then_some(2_000_000),
        };
        let store = Store::default();
        let spool = Spool::new(limits.clone(), Some(queue(&store, 1)));
        World {
            seed,
            random,
            start: Instant::now(),
            millis: 0,
            limits,
            store,
            run: 1,
            spool,
            loads: Vec::new(),
            inside: Vec::new(),
            last_taken: None,
            kafka_up: true,
            pressed: false,
            kafka: BTreeMap::new(),
            next: [0; TOPICS as usize],
            acknowledged: BTreeSet::new(),
            dropped: 0,
            offered: 0,
        }
    }

    fn now(&self) -> Now {
        super::now(self.start, self.millis)
    }

    fn check(&self, holds: bool, what: &str) {
        assert!(holds, "seed {}, at {} ms: {what}\n{:#?}", self.seed, self.millis, self.limits);
    }

    fn step(&mut self) {
        self.millis += self.random.below(5);
        match self.random.below(16) {
            0..=3 => self.publish(),
            4..=6 => self.produce(),
            7..=9 => self.deliver(),
            10 | 11 => self.sync(),
            12 | 13 => self.load(),
            14 => self.misfortune(),
            _ => self.millis += self.random.below(60),
        }
        self.settle();
    }

    fn publish(&mut self) {
        if self.pressed {
            return;
        }
        for _ in 0..=self.random.below(10) {
            let topic = self.random.below(TOPICS);
            let number = self.next[topic as usize];
            self.next[topic as usize] += 1;
            self.offered += 1;
            let bytes = 10 + self.random.below(300) as usize;
            let duty = Some((ShardId(0), DutyId(topic << 32 | number)));
            let message = message_at(topic, number, bytes, self.millis);
            let taken = self.spool.offer(self.now(), message, duty).is_ok();
            self.check(taken, "the overrun is far away");
        }
    }

    fn produce(&mut self) {
        for _ in 0..self.random.below(20) {
            let Some((position, message)) = self.spool.take(self.now()) else { break };
            self.check(self.last_taken.is_none_or(|last| last < position), "out of order");
            self.last_taken = Some(position);
            if self.random.one_in(50) {
                // The producer is full.
                self.spool.rewind_to(position);
                self.last_taken = self.inside.last().map(|(position, ..)| *position);
                break;
            }
            let (topic, number) = identity(&message);
            self.inside.push((position, topic, number));
        }
    }

    /// Kafka takes some of what is inside; of one topic in order.
    fn deliver(&mut self) {
        if !self.kafka_up {
            return;
        }
        let slow = self.random.below(TOPICS * 2);
        for _ in 0..self.random.below(20) {
            let index = self.inside.iter().position(|(_, topic, _)| *topic != slow);
            let Some(index) = index else { break };
            let (position, topic, number) = self.inside.remove(index);
            self.kafka.entry(topic).or_default().push(number);
            self.spool.report(self.now(), position, Report::Delivered);
        }
    }

    fn sync(&mut self) {
        let count = self.random.below(6) as usize;
        if let Some(number) = self.store.sync(count).last() {
            self.spool.durable(*number);
        }
    }

    fn load(&mut self) {
        if self.loads.is_empty() {
            return;
        }
        let load = self.loads.remove(0);
        let failed = self.random.one_in(20);
        let loaded = (!failed).then(|| self.store.load(&load));
        self.spool.loaded(self.now(), loaded);
    }

    fn misfortune(&mut self) {
        match self.random.below(12) {
            0..=2 => self.kafka_up = !self.kafka_up,
            3 | 4 => {
                let usable = self.random.one_in(2);
                self.spool.store_usable(usable);
            }
            5 | 6 => self.lose_producer(),
            7 => self.crash(),
            _ => {}
        }
    }

    /// Some of what was inside has reached Kafka, without a word.
    fn lose_producer(&mut self) {
        let reached = self.random.below(self.inside.len() as u64 + 1) as usize;
        for (_, topic, number) in self.inside.drain(..).take(reached) {
            self.kafka.entry(topic).or_default().push(number);
        }
        self.inside.clear();
        self.spool.rewind();
        self.last_taken = None;
    }

    fn crash(&mut self) {
        self.lose_producer();
        let survive = self.random.below(self.store.pending() as u64 + 1) as usize;
        self.store.crash(survive);
        self.run += 1;
        self.loads.clear();
        self.pressed = false;
        self.spool = Spool::new(self.limits.clone(), Some(queue(&self.store, self.run)));
    }

    fn settle(&mut self) {
        self.spool.tick(self.now());
        let outputs = drain(&mut self.spool);
        let mut dropped = 0;
        for notice in notices(&outputs) {
            match notice {
                Notice::Dropped(_, count) => dropped += count,
                Notice::Lost(_) => self.check(false, "nothing is damaged here"),
                _ => {}
            }
        }
        self.dropped += dropped;
        for output in &outputs {
            match output {
                Output::Pressure(on) => self.pressed = *on,
                Output::Done(duty, reason) => {
                    let (topic, number) = key(*duty);
                    self.check(!reason.is_error(), "nothing is refused");
                    if self.is_safe(topic, number) {
                        let new = self.acknowledged.insert((topic, number));
                        self.check(new, "acknowledged twice");
                    } else {
                        self.check(dropped > 0, "acknowledged and nowhere");
                    }
                }
                _ => {}
            }
        }
        self.loads.extend(self.store.take(outputs));
        self.check(self.loads.len() <= 1, "one load at a time");
        self.check_bounds();
    }

    /// Whether Kafka has a message, or may the disk be relied on for it.
    fn is_safe(&self, topic: u64, number: u64) -> bool {
        let kafka = self.kafka.get(&topic).is_some_and(|all| all.contains(&number));
        kafka || (self.limits.durable_is_enough && self.store.has(topic, number))
    }

    fn check_bounds(&self) {
        let (messages, bytes) = self.spool.resident();
        // What one step publishes comes on top, and what is loaded.
        let step = 10 + self.limits.messages / 8;
        self.check(messages <= self.limits.messages + step, "too many messages in memory");
        let step = 10 * 1_000 + self.limits.bytes / 8;
        self.check(bytes <= self.limits.bytes + step, "too many bytes in memory");
        if self.spool.is_spooling() && self.limits.full != SpoolFull::PushBack {
            // What is inside the producer cannot be dropped, what is on disk alone only after it
            // was loaded, what comes before the disk is used is not bounded by it.
            let inside = self.limits.bytes as u64 * 2;
            self.check(self.spool.bytes() <= self.limits.max_bytes + inside + step as u64, "disk");
        }
    }

    /// All is well from now on: everything arrives.
    fn end(&mut self) {
        self.kafka_up = true;
        self.spool.store_usable(true);
        for _ in 0..100_000 {
            self.millis += 20;
            self.produce();
            self.deliver();
            self.sync();
            self.load();
            self.settle();
            if self.spool.open() == 0 && self.inside.is_empty() && self.store.pending() == 0 {
                break;
            }
        }
        self.check(self.spool.open() == 0, "something is left");
        self.check(self.spool.bytes() == 0 && self.spool.resident() == (0, 0), "bytes are left");
        self.check(!self.pressed && !self.spool.is_spooling(), "it is in memory again");
        self.check(self.store.entries.is_empty(), "the store keeps what is done with");
        let arrived: BTreeSet<(u64, u64)> = self
            .kafka
            .iter()
            .flat_map(|(topic, all)| all.iter().map(|number| (*topic, *number)))
            .collect();
        let lost = self.acknowledged.difference(&arrived).count() as u64;
        self.check(lost <= self.dropped, "acknowledged, not dropped, and never arrived");
        if self.limits.full == SpoolFull::PushBack {
            self.check(lost == 0 && self.dropped == 0, "nothing is dropped");
        }
        for (topic, all) in &self.kafka {
            let mut seen = BTreeSet::new();
            let firsts: Vec<u64> = all.iter().copied().filter(|n| seen.insert(*n)).collect();
            self.check(firsts.is_sorted(), &format!("topic {topic} is out of order: {firsts:?}"));
        }
        if self.run == 1 {
            let missing = self.offered - arrived.len() as u64;
            self.check(missing == self.dropped, "without a crash only drops are missing");
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_order_holds_whatever_happens() {
    let mut spooled = 0;
    let mut crashed = 0;
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
            spooled += u64::from(world.spool.is_spooling());
        }
        crashed += world.run - 1;
        world.end();
    }
    assert!(spooled > 10_000 && crashed > 400, "the runs are worth something: {spooled} {crashed}");
}
