//! The publishers of the outage: MQTT 5, QoS 1, a fixed rate over all, one thread for them.
//!
//! A message is due at a fixed time, whatever became of those before it: when the broker holds its
//! sender up, the wait counts in its latency.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};

use super::{CLIENTS, PAYLOAD_BYTES, Phase, RATE, TOPICS};
use crate::histogram::Histogram;
use crate::link::{Link, PATIENCE, READ_BYTES};
use crate::publish::interrupted;
use crate::window::Faults;
use crate::wire::{self, FILLER, Frame, Malformed, Stamp};

/// Messages a client may have unacknowledged: what Midge allows one of MQTT 5 by default.
const RECEIVE_MAXIMUM: usize = 1_024;
/// Publishers that hear nothing for this long give up.
const SILENCE: Duration = Duration::from_secs(60);
/// How often the thread looks what is due: five messages each time.
const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// What the publishing thread shares with the one that observes.
pub(super) struct Board {
    origin: Instant,
    phase: AtomicUsize,
    acknowledged: AtomicU64,
    stop: AtomicBool,
    failed: AtomicBool,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            phase: AtomicUsize::new(Phase::Connecting as usize),
            acknowledged: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Time since the run began.
    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// What is acknowledged from now on counts here.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as usize, Ordering::Relaxed);
    }

    /// No new message; what is under way is still acknowledged.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What the publishers had done at the end.
pub(super) struct Published {
    /// Messages sent, by topic.
    pub(super) sent: Vec<u64>,
    /// From when they were due to their PUBACK, by phase.
    pub(super) latencies: [Histogram; Phase::ALL.len()],
    pub(super) faults: Faults,
}

/// One client with the topics that are its own.
struct Client {
    link: Link,
    /// Number, frame without packet id and stamp, and messages sent.
    topics: Vec<(usize, Frames, u64)>,
    /// Messages over all its topics.
    sent: u64,
    /// Packet ids under way with the time their messages were due, oldest first.
    unacknowledged: VecDeque<(u16, u64)>,
}

/// Name of an MQTT topic.
pub(super) fn mqtt_topic(number: usize) -> String {
    format!("outage/{number}")
}

/// Connects all publishers.
pub(super) fn open(port: u16) -> io::Result<Vec<TcpStream>> {
    (0..CLIENTS).map(|number| connect(port, &format!("publisher-{number}"))).collect()
}

fn connect(port: u16, client_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&connect_bytes(client_id))?;
    // The fixed header of a CONNACK of less than 128 bytes, then the rest.
    let mut header = [0; 2];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; usize::from(header[1] & 0x7f)];
    stream.read_exact(&mut body)?;
    // No session was there, success.
    if header[0] != wire::CONNACK || header[1] & 0x80 != 0 || !body.starts_with(&[0, 0]) {
        return Err(io::Error::other(format!(
            "{client_id} expected CONNACK 0, found {header:02x?} {body:02x?}"
        )));
    }
    Ok(stream)
}

/// A CONNECT of MQTT 5 with a clean start, a keep alive longer than any run (the load itself keeps
/// the connection alive) and no properties.
fn connect_bytes(client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 0x02];
    body.extend_from_slice(&600u16.to_be_bytes());
    body.push(0);
    wire::string(&mut body, client_id);
    wire::packet(0x10, &body)
}

/// A PUBLISH of MQTT 5 at QoS 1 without properties, encoded once.
struct Frames(Vec<u8>);

impl Frames {
    fn new(topic: &str) -> Self {
        let mut body = Vec::new();
        wire::string(&mut body, topic);
        body.extend_from_slice(&[0, 0, 0]);
        body.resize(body.len() + PAYLOAD_BYTES, FILLER);
        Self(wire::packet(0x32, &body))
    }

    fn append(&self, out: &mut Vec<u8>, packet_id: u16, stamp: Stamp) {
        let start = out.len();
        out.extend_from_slice(&self.0);
        let payload_at = out.len() - PAYLOAD_BYTES;
        // Before the payload lies the length of the properties, before that the packet id.
        out[payload_at - 3..payload_at - 1].copy_from_slice(&packet_id.to_be_bytes());
        stamp.write(&mut out[payload_at..]);
        debug_assert!(payload_at > start + 3, "a frame has a header");
    }
}

/// Publishes until told to stop and everything is acknowledged, or nothing comes any more.
pub(super) fn run(board: &Board, streams: Vec<TcpStream>) -> io::Result<Published> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::with_capacity(streams.len());
    for (index, stream) in streams.into_iter().enumerate() {
        let topics = (index..TOPICS).step_by(CLIENTS);
        clients.push(Client {
            link: Link::new(stream, &poll, index as u64)?,
            topics: topics.map(|number| (number, Frames::new(&mqtt_topic(number)), 0)).collect(),
            sent: 0,
            unacknowledged: VecDeque::with_capacity(RECEIVE_MAXIMUM),
        });
    }
    let latencies = std::array::from_fn(|_| Histogram::new());
    let mut group = Group { board, poll, clients, latencies, faults: Faults::default() };
    if let Err(error) = group.drive() {
        group.faults.violation(format!("publisher: {error}"));
        board.failed.store(true, Ordering::Relaxed);
    }
    let left: usize = group.clients.iter().map(|client| client.unacknowledged.len()).sum();
    group.faults.unacknowledged = left as u64;
    let mut sent = vec![0; TOPICS];
    for (number, _, count) in group.clients.iter().flat_map(|client| &client.topics) {
        sent[*number] = *count;
    }
    Ok(Published { sent, latencies: group.latencies, faults: group.faults })
}

struct Group<'a> {
    board: &'a Board,
    poll: OwnedFd,
    clients: Vec<Client>,
    latencies: [Histogram; Phase::ALL.len()],
    faults: Faults,
}

impl Group<'_> {
    fn drive(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(CLIENTS);
        let mut scratch = vec![0; READ_BYTES];
        let mut frames = Vec::new();
        let mut last_heard = Instant::now();
        loop {
            let stop = self.board.stop.load(Ordering::Relaxed);
            if stop && self.clients.iter().all(Client::is_done) {
                return Ok(());
            }
            if !stop {
                let now = self.board.now();
                for client in &mut self.clients {
                    client.publish(now, &mut frames);
                    if !frames.is_empty() {
                        client.link.send(&self.poll, &frames)?;
                        frames.clear();
                    }
                }
            }
            events.clear();
            let space = rustix::buffer::spare_capacity(&mut events);
            interrupted(epoll::wait(&self.poll, space, Some(&TURN)))?;
            let mut heard = 0;
            for event in events.drain(..) {
                heard += self.serve({ event.data }.u64(), event.flags, &mut scratch)?;
            }
            if heard > 0 {
                self.board.acknowledged.fetch_add(heard, Ordering::Relaxed);
                last_heard = Instant::now();
            } else if last_heard.elapsed() > SILENCE {
                return Err(io::Error::other("nothing was acknowledged any more"));
            }
        }
    }

    /// Goes on with one client; tells how many messages were acknowledged.
    fn serve(&mut self, token: u64, flags: EventFlags, scratch: &mut [u8]) -> io::Result<u64> {
        let Some(client) = self.clients.get_mut(token as usize) else { return Ok(0) };
        if flags.contains(EventFlags::OUT) {
            client.link.flush(&self.poll)?;
        }
        let mut heard = 0;
        let latencies = &mut self.latencies[self.board.phase.load(Ordering::Relaxed)];
        let unacknowledged = &mut client.unacknowledged;
        let now = self.board.now().as_nanos() as u64;
        client.link.receive(scratch, |frame| {
            latencies.record(now.saturating_sub(acknowledge(unacknowledged, frame)?));
            heard += 1;
            Ok(())
        })?;
        Ok(heard)
    }
}

impl Client {
    /// Appends the frames of what is due, as far as the broker lets the client go.
    fn publish(&mut self, now: Duration, frames: &mut Vec<u8>) {
        if self.link.is_blocked() {
            return;
        }
        for (number, frame, count) in &mut self.topics {
            while due(*number, *count) <= now && self.unacknowledged.len() < RECEIVE_MAXIMUM {
                let (packet_id, sent_nanos) =
                    (wire::packet_id(self.sent), due(*number, *count).as_nanos() as u64);
                let stamp = Stamp { publisher: *number as u32, sequence: *count, sent_nanos };
                frame.append(frames, packet_id, stamp);
                self.unacknowledged.push_back((packet_id, sent_nanos));
                self.sent += 1;
                *count += 1;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.unacknowledged.is_empty() && !self.link.is_blocked()
    }
}

/// When a message is due: the topics follow each other in turn.
fn due(topic: usize, sequence: u64) -> Duration {
    Duration::from_secs_f64((sequence * TOPICS as u64 + topic as u64) as f64 / RATE)
}

/// Takes a PUBACK and tells when its message was due.
fn acknowledge(
    unacknowledged: &mut VecDeque<(u16, u64)>,
    frame: &Frame<'_>,
) -> Result<u64, Malformed> {
    if frame.first != wire::PUBACK {
        return Err(Malformed("expected a PUBACK"));
    }
    // A reason code that is left out is success; those below 0x80 are no errors.
    let (high, low) = match frame.body {
        [high, low] => (*high, *low),
        [high, low, reason, ..] if *reason < 0x80 => (*high, *low),
        [_, _, ..] => return Err(Malformed("PUBACK refuses its message")),
        _ => return Err(Malformed("PUBACK is shorter than a packet id")),
    };
    let packet_id = u16::from_be_bytes([high, low]);
    // Usually the oldest: brokers acknowledge in order [MQTT-4.6.0-2].
    let at = unacknowledged.iter().position(|(id, _)| *id == packet_id);
    let at = at.ok_or(Malformed("PUBACK has a packet id that is not under way"))?;
    let (_, due) = unacknowledged.remove(at).ok_or(Malformed("PUBACK came twice"))?;
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_the_bytes_of_mqtt_5() {
        assert_eq!(connect_bytes("a"), b"\x10\x0e\x00\x04MQTT\x05\x02\x02\x58\x00\x00\x01a");
        let stamp = Stamp { publisher: 7, sequence: 3, sent_nanos: 9 };
        let mut out = vec![0xff];
        Frames::new("ab").append(&mut out, 513, stamp);
        // 4 bytes of topic, 2 of packet id, 1 of properties, 256 of payload.
        assert_eq!(out[1..11], [0x32, 0x87, 0x02, 0, 2, b'a', b'b', 2, 1, 0]);
        assert_eq!(Stamp::read(&out[11..]), Ok(stamp));
        assert_eq!(out.len(), 11 + PAYLOAD_BYTES);
    }

    #[test]
    fn messages_are_due_in_turn_at_the_rate() {
        let micros = |topic, sequence| due(topic, sequence).as_micros();
        assert_eq!(
            [micros(0, 0), micros(1, 0), micros(0, 1), micros(99, 49)],
            [0, 200, 20_000, 999_800]
        );
    }

    #[test]
    fn acknowledgements_count_once_and_refusals_do_not() {
        let mut queue = VecDeque::from([(4, 40), (5, 50), (6, 60)]);
        let mut step = |first, body: &[u8]| acknowledge(&mut queue, &Frame { first, body });
        assert_eq!(step(wire::PUBACK, &[0, 5]), Ok(50));
        assert!(step(wire::PUBACK, &[0, 5]).is_err(), "the same again");
        assert_eq!(step(wire::PUBACK, &[0, 4, 0x10, 0]), Ok(40), "no matching subscribers");
        assert!(step(wire::PUBACK, &[0, 6, 0x97]).is_err(), "refused");
        assert!(step(wire::PUBREC, &[0, 6]).is_err());
        assert_eq!(queue, [(6, 60)]);
    }
}
