//! All clients of a round, driven by one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use midge_codec::{Packet, ProtocolVersion};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ledger::{Fault, Ledger, Wrong};
use crate::link::Link;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::receiver::{Presence, Receiver, Wanted};
use crate::witness::Witness;

mod member;

use member::{Actor, Member};

/// How long nothing at all may happen while something is waited for, unless the fleet is told
/// otherwise; in all it may take [`IN_ALL`] times that.
const PATIENCE: Duration = Duration::from_secs(60);

const IN_ALL: u32 = 10;

/// The clients, and what they know together.
pub(crate) struct Fleet {
    address: SocketAddr,
    members: Vec<Member>,
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
    pub(crate) patience: Duration,
    witnesses: usize,
    /// Witnesses that have seen every promise kept.
    pub(crate) witnessed: usize,
}

impl Fleet {
    pub(crate) fn new(address: SocketAddr, random: Random) -> Fleet {
        Fleet {
            address,
            members: Vec::new(),
            ledger: Ledger::new(),
            random,
            patience: PATIENCE,
            witnesses: 0,
            witnessed: 0,
        }
    }

    pub(crate) fn publisher(&mut self, name: &str, version: ProtocolVersion, stored: bool) {
        let publisher = Publisher::new(name, version, stored, self.random.fork());
        self.members.push(Member::new(Actor::Publisher(publisher)));
    }

    /// Each publisher pauses so long after a few messages.
    pub(crate) fn slow_down(&mut self, pause: Duration) {
        for member in &mut self.members {
            if let Actor::Publisher(publisher) = &mut member.actor {
                publisher.pause = pause;
            }
        }
    }

    pub(crate) fn receiver(
        &mut self,
        name: &str,
        version: ProtocolVersion,
        presence: Presence,
        subscriptions: &[Wanted],
    ) {
        let (random, ledger) = (self.random.fork(), &mut self.ledger);
        let receiver = Receiver::new(name, version, presence, subscriptions, random, ledger);
        self.members.push(Member::new(Actor::Receiver(receiver)));
    }

    /// A client that looks at what is retained. One that was cut off before is replaced.
    pub(crate) fn send_witness(&mut self) {
        self.members.retain(|member| !matches!(member.actor, Actor::Witness(_)));
        self.witnesses += 1;
        let witness = Witness::new(self.witnesses, &self.ledger);
        self.members.push(Member::new(Actor::Witness(witness)));
    }

    /// Everybody does a little.
    pub(crate) fn turn(&mut self) {
        self.members.iter_mut().for_each(|member| member.connect(self.address));
        self.wait();
        let mut packets = Vec::new();
        for member in &mut self.members {
            member.read(&mut packets, &mut self.ledger);
            member.turn(&mut self.ledger);
        }
        let (ledger, witnessed) = (&self.ledger, &mut self.witnessed);
        self.members.retain(|member| match &member.actor {
            Actor::Witness(witness) if witness.missing(ledger).is_none() => {
                *witnessed += 1;
                false
            }
            _ => true,
        });
    }

    /// Until somebody has something to read, or a few milliseconds are over.
    fn wait(&self) {
        let links = self.members.iter().filter_map(|member| member.link.as_ref());
        let mut sockets: Vec<PollFd<'_>> =
            links.map(|link| PollFd::from_borrowed_fd(link.socket(), PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        // Interrupted or not, everybody is looked at.
        let _ = poll(&mut sockets, Some(&timeout));
    }

    /// Turns until every receiver has made its subscriptions once.
    pub(crate) fn await_subscriptions(&mut self) {
        self.until(|fleet| {
            let mut subscriptions = fleet.ledger.subscriptions.iter();
            subscriptions.all(|it| it.periods.iter().any(|period| period.granted.is_some()))
        });
    }

    /// Turns until the broker has let somebody in.
    pub(crate) fn await_connack(&mut self) {
        self.until(|fleet| fleet.members.iter().any(|member| member.actor.is_connected()));
    }

    /// The broker is dead: reads what it had sent, to the end of every connection.
    pub(crate) fn read_out(&mut self) {
        let started = Instant::now();
        let mut packets = Vec::new();
        while self.members.iter().any(|member| member.link.is_some()) {
            self.wait();
            for member in &mut self.members {
                member.read(&mut packets, &mut self.ledger);
            }
            assert!(started.elapsed() < PATIENCE, "a dead broker's connections do not end");
        }
    }

    /// No more is published, whoever was away comes back, and everything has to arrive.
    pub(crate) fn drain(&mut self) {
        for member in &mut self.members {
            match &mut member.actor {
                Actor::Publisher(publisher) => publisher.producing = false,
                Actor::Receiver(receiver) => receiver.settle(),
                Actor::Witness(_) => {}
            }
        }
        self.until(|fleet| fleet.are_settled() && fleet.are_witnesses_gone());
        for member in &mut self.members {
            let (Actor::Publisher(publisher), Some(link)) = (&mut member.actor, &mut member.link)
            else {
                continue;
            };
            let mut out = Vec::new();
            publisher.last(&mut out, &mut self.ledger);
            out.iter().for_each(|packet| link.put(packet));
        }
        self.until(|fleet| fleet.are_settled());
        self.until(|fleet| fleet.ledger.is_complete());
        // What comes twice comes late.
        for round in 0..2 {
            let before = self.pings();
            for member in &mut self.members {
                if let (Actor::Receiver(_), Some(link)) = (&member.actor, &mut member.link) {
                    link.put(&Packet::Pingreq);
                }
            }
            let receivers = before.len();
            self.until(|fleet| {
                let now = fleet.pings();
                now.iter().zip(&before).filter(|(now, before)| now > before).count() == receivers
            });
            if round == 0 {
                self.send_witness();
                self.until(|fleet| fleet.are_witnesses_gone());
            }
        }
        self.look_for_left_overs();
    }

    /// Everything is acknowledged now, so the retained messages are known exactly.
    fn look_for_left_overs(&mut self) {
        self.witnesses += 1;
        let mut witness = Witness::new(self.witnesses, &self.ledger);
        let mut link = None;
        let (mut packets, mut answered) = (Vec::new(), false);
        let started = Instant::now();
        while !answered || witness.missing(&self.ledger).is_some() {
            let link = link.get_or_insert_with(|| {
                let connect = witness.connect();
                let mut link = Link::open(self.address, connect.version).expect("it listens");
                link.put(&Packet::Connect(Box::new(connect)));
                link
            });
            let mut out = Vec::new();
            assert!(link.read(&mut packets), "the last witness was closed");
            for packet in packets.drain(..) {
                match &packet {
                    Packet::Connack(connack) => {
                        witness.connected(connack, &mut out, &mut self.ledger);
                        out.push(Packet::Pingreq);
                    }
                    Packet::Pingresp => answered = true,
                    other => witness.packet(other, &mut out, &mut self.ledger),
                }
            }
            out.iter().for_each(|packet| link.put(packet));
            link.write();
            if started.elapsed() > self.patience {
                let text = witness.missing(&self.ledger).unwrap_or_default();
                return self.ledger.fault(Wrong::Retained, &text);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for text in witness.left_over(&self.ledger) {
            self.ledger.fault(Wrong::Retained, &text);
        }
    }

    fn pings(&self) -> Vec<usize> {
        let receivers = self.members.iter().filter_map(|member| match &member.actor {
            Actor::Receiver(receiver) => Some(receiver.pings()),
            _ => None,
        });
        receivers.collect()
    }

    fn are_settled(&self) -> bool {
        self.members.iter().all(|member| match &member.actor {
            Actor::Publisher(publisher) => publisher.is_idle(),
            Actor::Receiver(receiver) => receiver.is_ready(),
            Actor::Witness(_) => true,
        })
    }

    fn are_witnesses_gone(&self) -> bool {
        !self.members.iter().any(|member| matches!(member.actor, Actor::Witness(_)))
    }

    /// Turns until the condition holds; what never comes is a fault.
    fn until(&mut self, condition: impl Fn(&Fleet) -> bool) {
        let started = Instant::now();
        let mut last = (self.ledger.step(), started);
        while self.ledger.faults.is_empty() {
            let looked = Instant::now();
            if condition(self) {
                return;
            }
            // Looking at very much takes its time, and most of it belongs to the clients.
            let pause = (looked.elapsed() * 10).max(Duration::from_millis(5));
            let until = Instant::now() + pause;
            while Instant::now() < until {
                self.turn();
            }
            if self.ledger.step() != last.0 {
                last = (self.ledger.step(), Instant::now());
            }
            if last.1.elapsed() > self.patience || started.elapsed() > self.patience * IN_ALL {
                return self.give_up();
            }
        }
    }

    fn give_up(&mut self) {
        let mut texts = Vec::new();
        for member in &self.members {
            match &member.actor {
                Actor::Publisher(it) if !it.is_idle() => {
                    texts.push((Wrong::Stuck, it.describe()));
                }
                Actor::Receiver(it) if !it.is_ready() => {
                    texts.push((Wrong::Stuck, it.describe()));
                }
                Actor::Witness(it) => {
                    texts.extend(it.missing(&self.ledger).map(|text| (Wrong::Retained, text)));
                }
                _ => {}
            }
        }
        if texts.is_empty() && self.ledger.verdict().is_empty() {
            texts.push((Wrong::Stuck, "the last condition never came true".to_owned()));
        }
        for (wrong, text) in texts {
            self.ledger.fault(wrong, &text);
        }
    }

    /// All that is wrong.
    pub(crate) fn verdict(&self) -> Vec<Fault> {
        self.ledger.verdict()
    }
}
