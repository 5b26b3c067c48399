//! The publishing thread: all publishers of a run on one epoll.
//!
//! A publisher has at most W messages that a subscriber lacks and at most W that the broker has
//! not acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::histogram::Histogram;
use crate::link::{Link, PATIENCE, READ_BYTES};
use crate::pace;
use crate::shared::Shared;
use crate::stream::Stream;
use crate::window::Faults;
use crate::wire::{self, Frame, Malformed, Stamp, Template};

const WAKE: u64 = u64::MAX;
/// How often a sleeping thread looks at the flags.
pub(crate) const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What the publishers of a run do.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) qos: u8,
    pub(crate) window: usize,
    pub(crate) payload_bytes: usize,
    /// Messages a second over all publishers; `None` sends whenever a window is open.
    pub(crate) rate: Option<f64>,
    /// Whether subscribers report what they have; otherwise only acknowledgements count.
    pub(crate) subscribed: bool,
    /// Whether to measure how long acknowledgements take.
    pub(crate) timed: bool,
}

/// A publisher's connection, and what it sends.
pub(crate) struct Source {
    pub(crate) stream: Stream,
    pub(crate) sends: Sends,
}

/// What a publisher sends.
pub(crate) enum Sends {
    /// Payloads that a stamp opens, under `bench/` and its number.
    Stamped,
    /// The same under topics of its own.
    Numbered(Topics),
    /// Readings, under `bench/` and its number.
    Readings,
}

/// A pattern with a number in it, and the first number and how many there are.
pub(crate) struct Topics {
    pub(crate) pattern: String,
    pub(crate) numbers: (u64, u64),
}

impl<S: Into<Stream>> From<S> for Source {
    fn from(stream: S) -> Self {
        Self { stream: stream.into(), sends: Sends::Stamped }
    }
}

impl Source {
    fn template(&self, index: usize, plan: &Plan) -> Template {
        let topic = format!("bench/{index}");
        match &self.sends {
            Sends::Stamped => Template::new(&topic, plan.qos, plan.payload_bytes),
            Sends::Numbered(Topics { pattern, numbers }) => {
                Template::numbered(pattern, *numbers, plan.qos, plan.payload_bytes)
            }
            Sends::Readings => Template::reading(&topic, plan.qos),
        }
    }
}

/// What the publishers had done at the end.
pub(crate) struct Published {
    /// Messages sent, by publisher.
    pub(crate) sent: Vec<u64>,
    /// From sending to the end of the handshake, when the plan asks for it.
    pub(crate) acknowledged: Histogram,
    pub(crate) faults: Faults,
}

/// A message whose handshake has not ended.
#[derive(Clone, Copy)]
struct Underway {
    packet_id: u16,
    /// PUBREL was sent.
    released: bool,
    sent_nanos: u64,
}

struct Publisher {
    link: Link,
    template: Template,
    sent: u64,
    /// Oldest first.
    unacknowledged: VecDeque<Underway>,
    /// When those were sent whose handshake ended with the last read.
    ended: Vec<u64>,
}

/// Publishes until told to stop and everything is delivered and acknowledged, or nothing moves.
pub(crate) fn run(shared: &Shared, plan: Plan, sources: Vec<Source>) -> io::Result<Published> {
    shared.enrol(0);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &shared.wake, EventData::new_u64(WAKE), EventFlags::IN)?;
    let mut publishers = Vec::with_capacity(sources.len());
    for (index, source) in sources.into_iter().enumerate() {
        publishers.push(Publisher {
            template: source.template(index, &plan),
            link: Link::new(source.stream, &poll, index as u64)?,
            sent: 0,
            unacknowledged: VecDeque::with_capacity(plan.window),
            ended: Vec::with_capacity(plan.window),
        });
    }
    let (acknowledged, faults) = (Histogram::new(), Faults::default());
    let (turns, late) = (0, BTreeSet::new());
    let mut group = Group { shared, plan, poll, publishers, turns, late, acknowledged, faults };
    if let Err(error) = group.drive() {
        group.faults.violation(format!("publisher: {error}"));
        shared.failed.store(true, Ordering::SeqCst);
    }
    let left: usize = group.publishers.iter().map(|p| p.unacknowledged.len()).sum();
    group.faults.unacknowledged = left as u64;
    Ok(Published {
        sent: group.publishers.iter().map(|publisher| publisher.sent).collect(),
        acknowledged: group.acknowledged,
        faults: group.faults,
    })
}

struct Group<'a> {
    shared: &'a Shared,
    plan: Plan,
    poll: OwnedFd,
    publishers: Vec<Publisher>,
    /// At a rate: so many messages had become due when it was looked last.
    turns: u64,
    /// At a rate: publishers that have more due than they could send.
    late: BTreeSet<usize>,
    acknowledged: Histogram,
    faults: Faults,
}

impl Group<'_> {
    fn drive(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1_024);
        let mut scratch = vec![0; READ_BYTES];
        let mut frames = Vec::new();
        let mut acknowledged = 0u64;
        let mut last_state = (0, 0);
        let mut last_change = Instant::now();
        loop {
            let sent = self.refill(&mut frames)?;
            if !sent && self.is_done() {
                return Ok(());
            }
            if self.shared.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            events.clear();
            self.wait(&mut events, sent)?;
            for event in events.drain(..) {
                let token = { event.data }.u64();
                let Some(publisher) = self.publishers.get_mut(token as usize) else { continue };
                if { event.flags }.contains(EventFlags::OUT) {
                    publisher.link.flush(&self.poll)?;
                }
                acknowledged += publisher.receive(&self.poll, &mut scratch, self.plan.qos)?;
                if self.plan.timed {
                    let now = self.shared.now_nanos();
                    let measuring = self.shared.measuring.load(Ordering::Relaxed);
                    for sent in publisher.ended.drain(..).filter(|_| measuring) {
                        self.acknowledged.record(now.saturating_sub(sent));
                    }
                }
                publisher.ended.clear();
            }
            self.shared.acknowledged.store(acknowledged, Ordering::Release);
            let state = (acknowledged, self.shared.delivered.load(Ordering::Relaxed));
            if sent || state != last_state {
                last_state = state;
                last_change = Instant::now();
            } else if last_change.elapsed() > PATIENCE {
                return Err(io::Error::other("nothing was delivered or acknowledged any more"));
            }
        }
    }

    /// Opens every window as far as it goes; one write a publisher.
    fn refill(&mut self, frames: &mut Vec<u8>) -> io::Result<bool> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let now = self.shared.now_nanos();
        let mut sent = false;
        let Some(rate) = self.plan.rate else {
            for index in 0..self.publishers.len() {
                sent |= self.refill_one(index, now, u64::MAX, frames)?;
            }
            return Ok(sent);
        };
        // Those whose turn has come since the last look, which of ten thousand are few, and those
        // that could not send all they had to.
        let count = self.publishers.len() as u64;
        let total = pace::due_in_all(rate, now);
        let fresh = (self.turns.max(total.saturating_sub(count))..total).map(|turn| turn % count);
        self.turns = total;
        let mut indices = std::mem::take(&mut self.late);
        indices.extend(fresh.map(|index| index as usize));
        for index in indices {
            let due = pace::due(total, index as u64, count);
            sent |= self.refill_one(index, now, due, frames)?;
            if self.publishers[index].sent < due {
                self.late.insert(index);
            }
        }
        Ok(sent)
    }

    /// Opens one publisher's window as far as it goes and messages are due; one write.
    fn refill_one(
        &mut self,
        index: usize,
        now: u64,
        due: u64,
        frames: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let count = self.publishers.len() as u64;
        let publisher = &mut self.publishers[index];
        let limit = publisher.window_end(self.shared, &self.plan, index).min(due);
        if publisher.link.is_blocked() || publisher.sent >= limit {
            return Ok(false);
        }
        frames.clear();
        for sequence in publisher.sent..limit {
            let sent_nanos = match self.plan.rate {
                // The time it should have gone: a broker that holds up the sender is not excused
                // from the wait it caused.
                Some(rate) => pace::due_at(rate, sequence, index as u64, count),
                None => now,
            };
            let packet_id = wire::packet_id(sequence);
            let stamp = Stamp { publisher: index as u32, sequence, sent_nanos };
            publisher.template.append(frames, packet_id, stamp);
            if self.plan.qos > 0 {
                let underway = Underway { packet_id, released: false, sent_nanos };
                publisher.unacknowledged.push_back(underway);
            }
        }
        publisher.sent = limit;
        publisher.link.send(&self.poll, frames)?;
        Ok(true)
    }

    fn is_done(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
            && self.publishers.iter().enumerate().all(|(index, publisher)| {
                publisher.unacknowledged.is_empty()
                    && !publisher.link.is_blocked()
                    && (!self.plan.subscribed
                        || self.shared.completed[index].load(Ordering::Acquire) == publisher.sent)
            })
    }

    /// Sleeps until a socket, a window or the next due message; looks only when something was sent.
    fn wait(&self, events: &mut Vec<epoll::Event>, sent: bool) -> io::Result<()> {
        let mut timeout = GLANCE;
        if sent {
            timeout = Timespec { tv_sec: 0, tv_nsec: 0 };
        } else {
            self.shared.doze();
            if self.any_window_opened() {
                timeout = Timespec { tv_sec: 0, tv_nsec: 0 };
            } else if let Some(rate) = self.plan.rate {
                // epoll_wait counts in milliseconds: ppoll does the fine waiting.
                let pause = pace::until_next(rate, self.shared.now_nanos());
                let pause = Timespec {
                    tv_sec: 0,
                    tv_nsec: pause.min(Duration::from_millis(20)).as_nanos() as i64,
                };
                interrupted(rustix::event::poll(
                    &mut [PollFd::new(&self.poll, PollFlags::IN)],
                    Some(&pause),
                ))?;
                timeout = Timespec { tv_sec: 0, tv_nsec: 0 };
            }
        }
        let space = rustix::buffer::spare_capacity(events);
        interrupted(epoll::wait(&self.poll, space, Some(&timeout)))?;
        if !sent {
            self.shared.rouse();
        }
        Ok(())
    }

    fn any_window_opened(&self) -> bool {
        // At a fixed rate the due message decides, and the wake-up serves a window that was shut.
        self.plan.rate.is_none()
            && !self.shared.stop.load(Ordering::Relaxed)
            && self.publishers.iter().enumerate().any(|(index, publisher)| {
                !publisher.link.is_blocked()
                    && publisher.sent < publisher.window_end(self.shared, &self.plan, index)
            })
    }
}

impl Publisher {
    /// The first sequence number that may not be sent yet.
    fn window_end(&self, shared: &Shared, plan: &Plan, index: usize) -> u64 {
        let window = plan.window as u64;
        let mut end = self.sent + window - self.unacknowledged.len() as u64;
        if plan.subscribed {
            end = end.min(shared.completed[index].load(Ordering::SeqCst) + window);
        }
        end
    }

    /// Reads acknowledgements, answers PUBREC; tells how many handshakes ended.
    fn receive(&mut self, poll: &OwnedFd, scratch: &mut [u8], qos: u8) -> io::Result<u64> {
        let mut replies = Vec::new();
        let (unacknowledged, ended) = (&mut self.unacknowledged, &mut self.ended);
        self.link.receive(scratch, |frame| {
            ended.extend(acknowledge(unacknowledged, frame, qos, &mut replies)?);
            Ok(())
        })?;
        if !replies.is_empty() {
            self.link.send(poll, &replies)?;
        }
        Ok(self.ended.len() as u64)
    }
}

/// Takes one acknowledgement; when its message's handshake has ended, tells when that was sent.
fn acknowledge(
    unacknowledged: &mut VecDeque<Underway>,
    frame: &Frame<'_>,
    qos: u8,
    replies: &mut Vec<u8>,
) -> Result<Option<u64>, Malformed> {
    let packet_id = frame.packet_id()?;
    // Usually the oldest: brokers acknowledge in order [MQTT-4.6.0-2].
    let Some(at) = unacknowledged.iter().position(|sent| sent.packet_id == packet_id) else {
        return Err(Malformed("acknowledgement has a packet id that is not under way"));
    };
    match (qos, frame.first, unacknowledged[at].released) {
        (1, wire::PUBACK, _) | (2, wire::PUBCOMP, true) => {
            Ok(unacknowledged.remove(at).map(|sent| sent.sent_nanos))
        }
        (2, wire::PUBREC, false) => {
            unacknowledged[at].released = true;
            replies.extend_from_slice(&wire::acknowledgement(wire::PUBREL, packet_id));
            Ok(None)
        }
        _ => Err(Malformed("packet does not fit the publisher's handshake")),
    }
}

/// A signal ends a wait early, which is no fault.
pub(crate) fn interrupted(result: rustix::io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_end_once_and_in_their_order() {
        let sent =
            |packet_id| Underway { packet_id, released: false, sent_nanos: packet_id.into() };
        let step = |queue: &mut VecDeque<_>, first, qos| {
            let body = [0, 5];
            let mut replies = Vec::new();
            let ended = acknowledge(queue, &Frame { first, body: &body }, qos, &mut replies);
            (ended, replies)
        };
        let mut queue = VecDeque::from([sent(4), sent(5)]);
        assert_eq!(step(&mut queue, wire::PUBACK, 1), (Ok(Some(5)), vec![]));
        assert!(step(&mut queue, wire::PUBACK, 1).0.is_err(), "the same PUBACK again");

        let mut queue = VecDeque::from([sent(5)]);
        assert!(step(&mut queue, wire::PUBCOMP, 2).0.is_err(), "PUBCOMP before PUBREC");
        assert_eq!(step(&mut queue, wire::PUBREC, 2), (Ok(None), vec![0x62, 2, 0, 5]));
        assert!(step(&mut queue, wire::PUBREC, 2).0.is_err(), "PUBREC again");
        assert_eq!(step(&mut queue, wire::PUBCOMP, 2), (Ok(Some(5)), vec![]));
        assert!(queue.is_empty());
    }
}
