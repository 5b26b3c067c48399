//! The bridge: the real log of a rule over the simulation's journal, and a producer that takes from
//! it for a Kafka that is slow, away, fails, and loses acknowledgements.
//!
//! Chance of its own decides what it does. In a run without a spool the log is in memory alone and
//! Kafka takes one message at a time at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use midge_bridge::spool::{Limits, Loaded, Notice, Output, Report, Spool};
use midge_bridge::{Kept, Queues};
use midge_config::SpoolFull;
use midge_core::{DutyId, In, Now, Offer, ShardId, TapId};

use crate::cast::PUBLISHERS;
use crate::kafka::Kafka;
use crate::label::Label;
use crate::mutation::{Mutation, Spoiler};
use crate::random::Random;
use crate::trace::{About, Trace};
use crate::violation::{Rule, Violation};
use crate::world::MESSAGE_BYTES;

pub(crate) struct Bridge {
    random: Random,
    /// Kafka and the disk may do what they want.
    spools: bool,
    limits: Limits,
    spool: Spool,
    pub(crate) kafka: Kafka,
    /// What the shards hear next.
    pub(crate) letters: VecDeque<(ShardId, In)>,
    /// The producer has failed: what it had is given up, then all comes again.
    failed: bool,
    /// Something was offered since the last tick.
    pub(crate) fresh: bool,
    /// When a message was offered first: its place in the order.
    pub(crate) places: BTreeMap<Label, usize>,
    offers: usize,
    /// Offered since the log was beyond its limits; since all shards knew it; and how many may be.
    since_pressed: usize,
    since_braked: usize,
    pub(crate) latecomers: usize,
    pressed: bool,
    braked: bool,
    pub(crate) dropped: u64,
    pub(crate) calm: bool,
    pub(crate) damaged: bool,
    pub(crate) spilled: u64,
    submitted: u64,
    spoiler: Spoiler,
    trace: Trace,
}

/// Of a log that is never full.
const ENDLESS: usize = 1 << 40;

impl Bridge {
    pub(crate) fn new(seed: u64, spools: bool, mutation: Option<Mutation>, trace: Trace) -> Bridge {
        let mut random = Random::new(seed.rotate_left(32));
        let limits = if spools { limits(&mut random) } else { endless() };
        Bridge {
            spool: Spool::new(limits.clone(), None),
            limits,
            spools,
            kafka: Kafka::default(),
            letters: VecDeque::new(),
            failed: false,
            fresh: false,
            places: BTreeMap::new(),
            offers: 0,
            since_pressed: 0,
            since_braked: 0,
            latecomers: 0,
            pressed: false,
            braked: false,
            dropped: 0,
            calm: false,
            damaged: false,
            spilled: 0,
            submitted: 0,
            spoiler: Spoiler::new(mutation, seed.rotate_left(16)),
            trace,
            random,
        }
    }

    /// Whether something happens to it in this step of the world.
    pub(crate) fn has_its_turn(&mut self) -> bool {
        self.spools && self.random.chance(15)
    }

    /// The process is gone.
    pub(crate) fn crash(&mut self) {
        self.kafka.crash(&mut self.random);
        self.spool = Spool::new(self.limits.clone(), None);
        self.letters.clear();
        (self.failed, self.fresh, self.pressed, self.braked) = (false, false, false, false);
        (self.since_pressed, self.since_braked, self.submitted) = (0, 0, 0);
    }

    /// Begins on what the store has, and keeps the places of those messages that are still there.
    pub(crate) fn start(&mut self, kept: &Kept, in_store: &BTreeSet<Label>) {
        let known = &self.kafka.known;
        self.places.retain(|label, _| known.contains(label) || in_store.contains(label));
        if self.spools {
            let queue = Queues::new(kept).take("rule", Bytes::from_static(b"generation"));
            let (base, entries) = (queue.base, queue.entries);
            self.trace.note(About::All, || format!("the spool has {entries}, goes on at {base}"));
            self.spool = Spool::new(self.limits.clone(), Some(queue));
        }
    }

    pub(crate) fn offer(&mut self, now: Now, shard: ShardId, offer: Offer) {
        let label = Label::read(&offer.message.payload).expect("a message of this world");
        self.trace.note(About::Message(label), || "is offered to the rule".to_owned());
        self.offers += 1;
        self.since_pressed += 1;
        self.since_braked += 1;
        self.places.entry(label).or_insert(self.offers);
        self.fresh = true;
        let duty = offer.duty.map(|duty| (shard, duty));
        if self.spool.offer(now, offer.message, duty).is_err() {
            self.raise(format!("<{label}> is far beyond the limits"));
        }
    }

    /// Does what is possible or due; gives what is for the store.
    pub(crate) fn tick(&mut self, now: Now, shards: usize) -> Vec<Output> {
        self.fresh = false;
        self.spool.tick(now);
        let mut wishes = Vec::new();
        while let Some(output) = self.spool.poll() {
            match output {
                Output::Done((shard, duty), reason) => self.done(shard, duty, reason),
                Output::Pressure(full) => self.press(full, shards),
                Output::Notice(notice) => self.notice(notice),
                Output::Commit(_) => {
                    self.submitted += 1;
                    wishes.push(output);
                    if self.spoiler.is(Mutation::SpoolDurableEarly) {
                        self.spool.durable(self.submitted);
                    }
                }
                Output::Load { .. } => wishes.push(output),
            }
        }
        self.assert_bounds();
        wishes
    }

    fn done(&mut self, shard: ShardId, duty: DutyId, reason: midge_codec::ReasonCode) {
        self.letters.push_back((shard, In::DutyDone { duty, reason }));
    }

    fn press(&mut self, full: bool, shards: usize) {
        self.trace.note(About::All, || format!("the rule's log is full: {full}"));
        (self.pressed, self.braked) = (full, false);
        self.since_pressed = 0;
        for shard in 0..shards {
            self.letters.push_back((ShardId(shard as u8), In::TapFull { tap: TapId(1), full }));
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.trace.note(About::All, || format!("the spool: {notice:?}"));
        match notice {
            Notice::Dropped(_, count) => self.dropped += count,
            Notice::Spilled { .. } => self.spilled += 1,
            Notice::Lost(count) if !self.damaged => {
                let text = format!("{count} messages of the spool are lost");
                Violation::of(Rule::Damage, text).raise();
            }
            _ => {}
        }
    }

    /// The next word to a shard.
    pub(crate) fn letter(&mut self) -> Option<(ShardId, In)> {
        let letter = self.letters.pop_front()?;
        let more = self.letters.iter().any(|(_, input)| matches!(input, In::TapFull { .. }));
        if matches!(letter.1, In::TapFull { full: true, .. }) && self.pressed && !more {
            self.braked = true;
            (self.since_braked, self.latecomers) = (0, 0);
        }
        Some(letter)
    }

    /// How many letters go at once.
    pub(crate) fn letters_at_once(&mut self) -> usize {
        if self.spools { 1 + self.random.below(4) } else { 1 }
    }

    /// The transactions up to this number are durable.
    pub(crate) fn durable(&mut self, number: u64) {
        self.spool.durable(number);
    }

    pub(crate) fn loaded(&mut self, now: Now, loaded: Loaded) {
        let failed = !self.calm && self.random.chance(5);
        self.spool.loaded(now, (!failed).then_some(loaded));
    }

    pub(crate) fn store_usable(&mut self, usable: bool) {
        self.spool.store_usable(usable);
    }

    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.spool.deadline().is_some_and(|due| due <= now.instant)
    }

    /// The producer or Kafka does something; whether there was something to do.
    pub(crate) fn step(&mut self, now: Now) -> bool {
        if !self.spools {
            let Some((position, message)) = self.spool.take(now) else { return false };
            self.kafka.send(position, Label::read(&message.payload).expect("a message"));
            drop(message);
            for partition in 0..2 {
                self.kafka.arrive(partition, 1);
                for position in self.kafka.acknowledge(partition, 1) {
                    self.spool.report(now, position, Report::Delivered);
                }
            }
            return true;
        }
        if self.failed {
            return self.give_up(now);
        }
        let (partition, most) = (self.random.below(2), 1 + self.random.below(6));
        if self.calm {
            let moved = self.produce(now, 20);
            let moved = (0..2).fold(moved, |moved, part| self.kafka.arrive(part, 20) || moved);
            return (0..2).fold(moved, |moved, part| self.acknowledge(now, part, 20) || moved);
        }
        match self.random.below(100) {
            0..=34 => self.produce(now, most),
            35..=64 => self.kafka.arrive(partition, most),
            65..=91 => self.acknowledge(now, partition, most),
            _ => self.trouble(),
        }
    }

    /// The producer takes, so many at most.
    fn produce(&mut self, now: Now, most: usize) -> bool {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((position, message)) = self.spool.take(now)
        {
            if !self.calm && self.random.chance(4) {
                // The producer's own queue is full: this one comes again.
                self.spool.rewind_to(position);
                break;
            }
            let label = Label::read(&message.payload).expect("a message of this world");
            taken.push((position, label));
        }
        let last = taken.len().saturating_sub(1);
        if taken.len() > 1
            && taken[last].1.topic == taken[last - 1].1.topic
            && self.spoiler.strikes(Mutation::SwapTakes, 30)
        {
            taken.swap(last, last - 1);
        }
        for (position, label) in &taken {
            self.trace.note(About::Message(*label), || format!("is taken, position {position}"));
            self.kafka.send(*position, *label);
        }
        !taken.is_empty()
    }

    fn acknowledge(&mut self, now: Now, partition: usize, most: usize) -> bool {
        let positions = self.kafka.acknowledge(partition, most);
        for position in &positions {
            self.spool.report(now, *position, Report::Delivered);
        }
        !positions.is_empty()
    }

    fn trouble(&mut self) -> bool {
        let away = self.kafka.away;
        match self.random.below(20) {
            0..=3 if !away => self.change_away(true),
            0..=7 if away => self.change_away(false),
            8..=12 => self.kafka.lose_acknowledgements(self.random.below(2)),
            13..=15 => {
                self.trace.note(About::All, || "the producer fails".to_owned());
                self.failed = true;
            }
            16 => self.spool.hurry(Duration::from_millis(50)),
            _ => {}
        }
        true
    }

    fn change_away(&mut self, away: bool) {
        self.trace.note(About::All, || format!("Kafka is away: {away}"));
        self.kafka.away = away;
    }

    /// A producer that has failed gives back what it had; then another one begins at the lowest.
    fn give_up(&mut self, now: Now) -> bool {
        for _ in 0..1 + self.random.below(8) {
            let Some((position, report)) = self.kafka.purge(&mut self.random) else {
                self.trace.note(About::All, || "another producer".to_owned());
                self.failed = false;
                self.spool.rewind();
                if self.spoiler.is(Mutation::RewindSkips)
                    && let Some((position, _)) = self.spool.take(now)
                {
                    self.spool.report(now, position, Report::Delivered);
                }
                return true;
            };
            self.spool.report(now, position, report);
        }
        true
    }

    /// Nothing fails any more.
    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
        self.kafka.away = false;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.spool.open() == 0
            && self.kafka.is_idle()
            && self.letters.is_empty()
            && !self.fresh
            && !self.failed
    }

    /// What it is at, for a person.
    pub(crate) fn state(&self) -> String {
        let spool = &self.spool;
        format!(
            "the bridge idle {}: {} messages open, {} under way, {:?} in memory, spooling {}, {:?}",
            self.is_idle(),
            spool.open(),
            spool.under_way(),
            spool.resident(),
            spool.is_spooling(),
            self.limits
        )
    }

    /// What has come to rest holds nothing.
    pub(crate) fn assert_empty(&self) {
        let left = (self.spool.open(), self.spool.bytes(), self.spool.resident());
        if left != (0, 0, (0, 0)) || self.spool.is_spooling() || self.pressed {
            self.raise(format!("the spool still has {left:?}"));
        }
    }

    /// The memory of the log: its limits, what is loaded ahead, and what came before the brake held.
    fn assert_bounds(&self) {
        let Limits { messages, bytes, .. } = self.limits;
        let (now, now_bytes) = self.spool.resident();
        // Before it is pressed one batch may carry it beyond; loads come on top, one at a time.
        let more = self.since_pressed + messages / 8 + 2;
        if self.pressed && (now > messages + more || now_bytes > bytes + more * MESSAGE_BYTES) {
            self.raise(format!("{now} messages, {now_bytes} bytes, of {:?}", self.limits));
        }
        let most = PUBLISHERS + self.latecomers;
        if self.braked && self.since_braked > most {
            let text = format!("{} messages came of {most} that hold", self.since_braked);
            self.raise(text);
        }
    }

    fn raise(&self, text: String) -> ! {
        Violation::of(Rule::Bounds, text).raise()
    }
}

fn endless() -> Limits {
    Limits {
        messages: ENDLESS,
        bytes: ENDLESS,
        after: None,
        durable_is_enough: false,
        max_bytes: ENDLESS as u64,
        max_age: None,
        full: SpoolFull::PushBack,
        byte_rate: None,
    }
}

fn limits(random: &mut Random) -> Limits {
    let max_bytes = match random.chance(30) {
        true => 4_000 + random.below(20_000),
        false => ENDLESS,
    };
    let policies = [SpoolFull::PushBack, SpoolFull::DropOldest, SpoolFull::DropNewest];
    Limits {
        messages: 4 + random.below(40),
        bytes: 4_000 + random.below(20_000),
        after: (!random.chance(15)).then(|| Duration::from_millis(random.below(2_000) as u64)),
        durable_is_enough: random.chance(80),
        max_bytes: max_bytes as u64,
        max_age: random.chance(10).then(|| Duration::from_secs(5 + random.below(60) as u64)),
        full: policies[random.below(3)],
        byte_rate: random.chance(20).then(|| 20_000 + random.below(50_000) as u64),
    }
}
