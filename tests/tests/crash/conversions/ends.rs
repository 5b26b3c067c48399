//! The two ends of the run: MQTT clients that lose their connection and come back.
//!
//! Invariant: a publisher sends over its next connection what was not acknowledged over the last
//! one; the subscriber acknowledges what it has noted, and never finds its session gone.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use midge_codec::{Connack, Packet, ProtocolVersion::V5, Publish, ReasonCode};
use midge_tests::{Outgoing, QOS1, message};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::records;
use crate::link::Link;
use crate::session::ack;

/// How many publish.
pub(super) const PUBLISHERS: u64 = 4;
/// Messages of one publisher that wait for their acknowledgement.
const WINDOW: usize = 100;

/// What the ends and the test know of each other.
#[derive(Default)]
pub(super) struct Progress {
    /// Messages that may be published by now, over all publishers.
    pub(super) allowed: AtomicU64,
    /// Acknowledgements over all publishers.
    pub(super) acknowledged: AtomicU64,
    /// Everything the subscriber got, in its order.
    pub(super) heard: Mutex<Vec<Publish>>,
    /// Nothing more is expected.
    pub(super) end: AtomicBool,
}

impl Progress {
    pub(super) fn heard(&self) -> usize {
        self.heard.lock().expect("what was heard").len()
    }

    fn has_ended(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }
}

/// Publishes every [`PUBLISHERS`]th number from `publisher` on, as far as that is allowed.
pub(super) fn publish(address: SocketAddr, connect: &Packet, publisher: u64, progress: &Progress) {
    let (mut next, mut unacknowledged) = (0, VecDeque::new());
    while let Some(mut link) = open(address, progress) {
        link.put(connect);
        let mut connected = false;
        let mut packets = Vec::new();
        let mut is_open = true;
        while is_open && !progress.has_ended() {
            link.write();
            wait(&link);
            is_open = link.read(&mut packets);
            for packet in packets.drain(..) {
                match packet {
                    Packet::Connack(connack) => {
                        accepted(&connack);
                        connected = true;
                        unacknowledged.iter().for_each(|turn| link.put(&reading(publisher, *turn)));
                    }
                    Packet::Puback(ack) => {
                        assert_eq!(ack.reason, ReasonCode::Success);
                        let of = |turn: &u64| packet_id(*turn) == ack.packet_id.get();
                        let at = unacknowledged.iter().position(of).expect("one that was sent");
                        unacknowledged.remove(at);
                        progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    // It was told to end.
                    Packet::Disconnect(_) => {}
                    other => panic!("a publisher got {other:?}"),
                }
            }
            let allowed = progress.allowed.load(Ordering::Relaxed);
            while connected
                && unacknowledged.len() < WINDOW
                && next * PUBLISHERS + publisher < allowed
            {
                link.put(&reading(publisher, next));
                unacknowledged.push_back(next);
                next += 1;
            }
        }
    }
}

fn reading(publisher: u64, turn: u64) -> Packet {
    let payload = records::payload(turn * PUBLISHERS + publisher);
    let message = message(&records::mqtt_topic(publisher), payload);
    Packet::Publish(message.qos(QOS1).id(packet_id(turn)))
}

fn packet_id(turn: u64) -> u16 {
    u16::try_from(turn % 60_000).expect("less than 60,000") + 1
}

/// Takes what comes for a session that is there already.
pub(super) fn hear(address: SocketAddr, connect: &Packet, progress: &Progress) {
    while let Some(mut link) = open(address, progress) {
        link.put(connect);
        let mut packets = Vec::new();
        let mut is_open = true;
        while is_open && !progress.has_ended() {
            link.write();
            wait(&link);
            is_open = link.read(&mut packets);
            let mut heard = progress.heard.lock().expect("what was heard");
            for packet in packets.drain(..) {
                match packet {
                    Packet::Connack(connack) => {
                        accepted(&connack);
                        assert!(connack.session_present, "the subscriber's session is gone");
                    }
                    Packet::Publish(publish) => {
                        link.put(&Packet::Puback(ack(publish.packet_id.expect("QoS 1"))));
                        heard.push(publish);
                    }
                    Packet::Disconnect(_) => {}
                    other => panic!("the subscriber got {other:?}"),
                }
            }
        }
    }
}

fn accepted(connack: &Connack) {
    assert_eq!(connack.reason, ReasonCode::Success, "{connack:?}");
}

/// The next connection; `None` at the end.
fn open(address: SocketAddr, progress: &Progress) -> Option<Link> {
    while !progress.has_ended() {
        if let Some(link) = Link::open(address, V5) {
            return Some(link);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    None
}

/// Until there is something to read, or a few milliseconds are over.
fn wait(link: &Link) {
    let wanted = if link.is_waiting() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
    let mut sockets = [PollFd::from_borrowed_fd(link.socket(), wanted)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    // Interrupted or not, it is looked at.
    let _ = poll(&mut sockets, Some(&timeout));
}
