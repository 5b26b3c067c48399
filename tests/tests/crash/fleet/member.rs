//! One client of the fleet with its connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use midge_codec::{Connect, Packet};

use crate::ledger::Ledger;
use crate::link::Link;
use crate::publisher::Publisher;
use crate::receiver::Receiver;
use crate::witness::Witness;

/// What a client is.
pub(super) enum Actor {
    Publisher(Publisher),
    Receiver(Receiver),
    Witness(Witness),
}

/// A client and its connection.
pub(super) struct Member {
    pub(super) actor: Actor,
    pub(super) link: Option<Link>,
    /// Not before then.
    next_attempt: Instant,
}

impl Actor {
    fn connect(&self) -> Connect {
        match self {
            Actor::Publisher(publisher) => publisher.connect(),
            Actor::Receiver(receiver) => receiver.connect(),
            Actor::Witness(witness) => witness.connect(),
        }
    }

    fn is_here(&self) -> bool {
        match self {
            Actor::Publisher(_) | Actor::Witness(_) => true,
            Actor::Receiver(receiver) => receiver.is_here(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        match self {
            Actor::Publisher(publisher) => publisher.is_connected(),
            Actor::Receiver(_) | Actor::Witness(_) => false,
        }
    }

    fn packet(&mut self, packet: &Packet, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        match (self, packet) {
            (Actor::Publisher(it), Packet::Connack(connack)) => it.connected(connack, out, ledger),
            (Actor::Receiver(it), Packet::Connack(connack)) => it.connected(connack, ledger),
            (Actor::Witness(it), Packet::Connack(connack)) => it.connected(connack, out, ledger),
            (Actor::Publisher(it), _) => it.packet(packet, out, ledger),
            (Actor::Receiver(it), _) => it.packet(packet, ledger),
            (Actor::Witness(it), _) => it.packet(packet, out, ledger),
        }
    }

    fn lost(&mut self) {
        match self {
            Actor::Publisher(publisher) => publisher.lost(),
            Actor::Receiver(receiver) => receiver.lost(),
            Actor::Witness(_) => {}
        }
    }

    /// True: it goes.
    fn turn(&mut self, out: &mut Vec<Packet>, ledger: &mut Ledger) -> bool {
        match self {
            Actor::Publisher(publisher) => publisher.turn(out, ledger),
            Actor::Receiver(receiver) => return receiver.turn(out, ledger),
            Actor::Witness(_) => {}
        }
        false
    }
}

impl Member {
    pub(super) fn new(actor: Actor) -> Member {
        Member { actor, link: None, next_attempt: Instant::now() }
    }

    pub(super) fn connect(&mut self, address: SocketAddr) {
        if self.link.is_some() || !self.actor.is_here() || Instant::now() < self.next_attempt {
            return;
        }
        let connect = self.actor.connect();
        self.next_attempt = Instant::now() + Duration::from_millis(5);
        let Some(mut link) = Link::open(address, connect.version) else { return };
        link.put(&Packet::Connect(Box::new(connect)));
        link.write();
        self.link = Some(link);
    }

    /// Reads, and answers.
    pub(super) fn read(&mut self, packets: &mut Vec<Packet>, ledger: &mut Ledger) {
        let Some(link) = &mut self.link else { return };
        let open = link.read(packets);
        let mut out = Vec::new();
        for packet in packets.drain(..) {
            self.actor.packet(&packet, &mut out, ledger);
        }
        out.iter().for_each(|packet| link.put(packet));
        if !open {
            self.link = None;
            self.actor.lost();
        }
    }

    pub(super) fn turn(&mut self, ledger: &mut Ledger) {
        let Some(link) = &mut self.link else { return };
        let mut out = Vec::new();
        // One that does not read what it asked for publishes no more.
        let leaves = !link.is_waiting() && self.actor.turn(&mut out, ledger);
        out.iter().for_each(|packet| link.put(packet));
        link.write();
        if leaves {
            self.link = None;
            self.actor.lost();
        }
    }
}
