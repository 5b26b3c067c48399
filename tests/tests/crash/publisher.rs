//! A publishing client that forgets nothing until it may.
//!
//! Invariant: what is not acknowledged is sent again after every reconnect, with DUP and the same
//! packet id, in the order it was first sent in [MQTT-4.4.0-1]; where a PUBREC has come, the PUBREL.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_codec::{Ack, Connack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS};
use midge_tests::{Outgoing, QOS1, QOS2, message};

use crate::ledger::{Ledger, Wrong};
use crate::payload;
use crate::random::Random;
use crate::session::{self, Session};

/// Packet ids are taken from so few, so that each is used again soon.
const PACKET_IDS: u16 = 200;

/// A topic of its own.
struct Stream {
    topic: Arc<str>,
    qos: QoS,
    retained: bool,
}

/// Which answer is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// PUBACK or PUBREC.
    Published,
    /// PUBCOMP.
    Released,
}

struct Outstanding {
    packet_id: PacketId,
    stream: usize,
    number: usize,
    payload: Bytes,
    stage: Stage,
}

/// The client.
pub(crate) struct Publisher {
    session: Session,
    streams: Vec<Stream>,
    window: usize,
    outstanding: VecDeque<Outstanding>,
    last_id: u16,
    random: Random,
    /// Goes on publishing.
    pub(crate) producing: bool,
    /// Between a few messages and the next ones.
    pub(crate) pause: Duration,
    next: Instant,
}

impl Publisher {
    /// With `load/NAME/q1/N`, `load/NAME/q2/N` and `state/NAME/N` as topics; one without a stored
    /// session has nothing of QoS 2, where the broker's memory is half of the promise.
    pub(crate) fn new(name: &str, version: ProtocolVersion, stored: bool, random: Random) -> Self {
        let mut random = random;
        let topic = |prefix: &str, qos, retained, number| {
            let topic = match retained {
                true => format!("state/{name}/{prefix}/{number}").into(),
                false => format!("load/{name}/{prefix}/{number}").into(),
            };
            Stream { topic, qos, retained }
        };
        let mut streams = Vec::new();
        for number in 0..2 {
            streams.push(topic("q1", QOS1, false, number));
            streams.push(topic("q1", QOS1, true, number));
            if stored {
                streams.push(topic("q2", QOS2, false, number));
                streams.push(topic("q2", QOS2, true, number));
            }
        }
        let session = Session::new(&format!("publisher-{name}"), version, stored);
        let window = random.one_of(&[1, 5, 30, 100]);
        Publisher {
            session,
            streams,
            window,
            outstanding: VecDeque::new(),
            last_id: 0,
            random,
            producing: true,
            pause: Duration::ZERO,
            next: Instant::now(),
        }
    }

    pub(crate) fn connect(&self) -> Connect {
        self.session.connect(None)
    }

    /// The broker has let it in.
    pub(crate) fn is_connected(&self) -> bool {
        self.session.is_connected()
    }

    /// Everything it published is settled.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding.is_empty() && self.session.is_connected()
    }

    pub(crate) fn connected(&mut self, connack: &Connack, out: &mut Vec<Packet>, l: &mut Ledger) {
        self.session.connected(connack, l);
        for outstanding in &self.outstanding {
            out.push(match outstanding.stage {
                Stage::Published => Packet::Publish(self.publish(outstanding).duplicate()),
                Stage::Released => Packet::Pubrel(session::ack(outstanding.packet_id)),
            });
        }
    }

    pub(crate) fn lost(&mut self) {
        self.session.lost();
    }

    pub(crate) fn packet(&mut self, packet: &Packet, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        match packet {
            Packet::Puback(ack) => self.taken_over(ack, Stage::Published, ledger),
            Packet::Pubrec(ack) => {
                self.taken_over(ack, Stage::Released, ledger);
                out.push(Packet::Pubrel(session::ack(ack.packet_id)));
            }
            // Packet Identifier not found says that it was through with it already.
            Packet::Pubcomp(ack) => self.outstanding.retain(|it| it.packet_id != ack.packet_id),
            Packet::Disconnect(_) | Packet::Pingresp => {}
            other => panic!("a publisher got {other:?}"),
        }
    }

    fn taken_over(&mut self, ack: &Ack, next: Stage, ledger: &mut Ledger) {
        let Some(at) = self.outstanding.iter().position(|it| it.packet_id == ack.packet_id) else {
            return;
        };
        let outstanding = &mut self.outstanding[at];
        let (stream, number) = (&self.streams[outstanding.stream], outstanding.number);
        if ack.reason.is_error() {
            let text = format!("{} number {number}: {}", stream.topic, ack.reason);
            ledger.fault(Wrong::Refused, &text);
        }
        ledger.acknowledged(&stream.topic, number, stream.retained);
        match next {
            Stage::Published => _ = self.outstanding.remove(at),
            Stage::Released => outstanding.stage = next,
        }
    }

    /// Publishes a few more.
    pub(crate) fn turn(&mut self, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        let now = Instant::now();
        if !self.producing || !self.session.is_connected() || now < self.next {
            return;
        }
        self.next = now + self.pause;
        for _ in 0..8 {
            let stream = self.random.index(self.streams.len());
            if self.outstanding.len() >= self.window {
                return;
            }
            self.produce(stream, out, ledger);
        }
    }

    /// Publishes one more to every topic: order tells that all before it are through.
    pub(crate) fn last(&mut self, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        for stream in 0..self.streams.len() {
            self.produce(stream, out, ledger);
        }
    }

    fn produce(&mut self, index: usize, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        let Stream { topic, qos, retained } = &self.streams[index];
        let (topic, qos, retained) = (Arc::clone(topic), *qos, *retained);
        // Sent again, the older one of two would come last.
        if retained && self.outstanding.iter().any(|outstanding| outstanding.stream == index) {
            return;
        }
        let Some(packet_id) = self.free_id() else { return };
        let clears = retained && self.random.one_in(4);
        let number = ledger.next_number(&topic, retained);
        let payload = match clears {
            true => Bytes::new(),
            false => payload::compose(number, &mut self.random),
        };
        let sent = ledger.sent(&topic, qos, retained.then_some(clears));
        assert_eq!(sent, number);
        let stage = Stage::Published;
        let outstanding = Outstanding { packet_id, stream: index, number, payload, stage };
        out.push(Packet::Publish(self.publish(&outstanding)));
        self.outstanding.push_back(outstanding);
    }

    fn publish(&self, outstanding: &Outstanding) -> Publish {
        let stream = &self.streams[outstanding.stream];
        let mut publish = message(&stream.topic, Vec::new()).qos(stream.qos);
        publish.payload = outstanding.payload.clone();
        publish.packet_id = Some(outstanding.packet_id);
        publish.retain = stream.retained;
        publish
    }

    fn free_id(&mut self) -> Option<PacketId> {
        (0..PACKET_IDS).find_map(|_| {
            self.last_id = self.last_id % PACKET_IDS + 1;
            let id = PacketId::new(self.last_id)?;
            let free = self.outstanding.iter().all(|outstanding| outstanding.packet_id != id);
            free.then_some(id)
        })
    }

    /// What it waits for.
    pub(crate) fn describe(&self) -> String {
        let first = self.outstanding.front().map(|outstanding| {
            let (topic, number) = (&self.streams[outstanding.stream].topic, outstanding.number);
            let answer = match outstanding.stage {
                Stage::Published => "acknowledgement",
                Stage::Released => "PUBCOMP",
            };
            format!("{topic} number {number} for its {answer}")
        });
        let count = self.outstanding.len();
        format!("{}: {count} unacknowledged, first {first:?}", self.session.describe())
    }
}
