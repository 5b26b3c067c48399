//! The subscribing thread: all subscribers of a run on one epoll.
//!
//! Each message is held against what its publisher had sent before; at the end every subscriber
//! asks for a PINGRESP, behind which no delivery can hide. At QoS 2 a window opens with the PUBREL:
//! otherwise handshakes would pile up in a broker that is slower with them than with messages.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::event::epoll::{self, EventFlags};

use crate::histogram::Histogram;
use crate::link::{Link, PATIENCE, READ_BYTES};
use crate::publish::{GLANCE, interrupted};
use crate::shared::Shared;
use crate::stream::Stream;
use crate::window::{Arrival, Expected, Faults, Progress};
use crate::wire::{self, Frame, Malformed, Stamp};

/// Which publishers a subscriber hears.
#[derive(Clone, Copy)]
pub(crate) struct Hears {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// A subscriber's connection, what it hears, and with whom it shares that.
pub(crate) struct Member {
    pub(crate) stream: Stream,
    pub(crate) hears: Hears,
    /// Members of one group hear the same publishers, and each message comes to one of them.
    pub(crate) group: Option<usize>,
}

impl<S: Into<Stream>> From<(S, Hears)> for Member {
    fn from((stream, hears): (S, Hears)) -> Self {
        Self { stream: stream.into(), hears, group: None }
    }
}

/// A subscriber, or a group of them: who has to have each message once.
struct Audience {
    hears: Hears,
    expected: Vec<Expected>,
    is_group: bool,
}

/// What the subscribers had at the end.
pub(crate) struct Received {
    audiences: Vec<Audience>,
    pub(crate) latency: Histogram,
    pub(crate) faults: Faults,
}

impl Received {
    /// What somebody else has received who hears everybody, with what was wrong.
    pub(crate) fn by_publisher(expected: Vec<Expected>, faults: Faults) -> Received {
        let hears = Hears { first: 0, count: expected.len() };
        let audiences = vec![Audience { hears, expected, is_group: false }];
        Received { audiences, latency: Histogram::new(), faults }
    }

    /// Deliveries that are missing of what was sent.
    pub(crate) fn lost(&self, sent: &[u64]) -> u64 {
        self.audiences
            .iter()
            .flat_map(|audience| audience.expected.iter().zip(&sent[audience.hears.first..]))
            .map(|(expected, sent)| expected.lost(*sent))
            .sum()
    }
}

struct Subscriber {
    link: Link,
    audience: usize,
    /// Of each publisher, the number behind the highest that came here: what one member of a group
    /// has is in order, though the group as a whole need not be.
    behind: Vec<u64>,
    /// QoS 2: packet ids without a PUBREL, and the first receipt each stands for.
    unreleased: VecDeque<(u16, Option<Receipt>)>,
    ponged: bool,
}

/// A message that came for the first time.
#[derive(Clone, Copy)]
struct Receipt {
    publisher: usize,
    sequence: u64,
}

/// What all subscribers of the thread count in common.
struct Tally<'a> {
    shared: &'a Shared,
    qos: u8,
    progress: Vec<Progress>,
    latency: Histogram,
    faults: Faults,
    delivered: u64,
}

/// Receives until told that nothing more will come.
pub(crate) fn run(
    shared: &Shared,
    qos: u8,
    window: usize,
    members: Vec<Member>,
) -> io::Result<Received> {
    shared.enrol(1);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut subscribers = Vec::with_capacity(members.len());
    let mut audiences = Vec::new();
    let mut groups = BTreeMap::new();
    let mut hearers = vec![0; shared.completed.len()];
    for (index, Member { stream, hears, group }) in members.into_iter().enumerate() {
        let known = group.and_then(|group| groups.get(&group).copied());
        let audience = known.unwrap_or_else(|| {
            hearers[hears.first..][..hears.count].iter_mut().for_each(|count| *count += 1);
            let expected = (0..hears.count).map(|_| Expected::default()).collect();
            audiences.push(Audience { hears, expected, is_group: group.is_some() });
            audiences.len() - 1
        });
        groups.extend(group.map(|group| (group, audience)));
        subscribers.push(Subscriber {
            link: Link::new(stream, &poll, index as u64)?,
            audience,
            behind: vec![0; if group.is_some() { hears.count } else { 0 }],
            unreleased: VecDeque::new(),
            ponged: false,
        });
    }
    let mut tally = Tally {
        shared,
        qos,
        progress: hearers.into_iter().map(|count| Progress::new(window, count)).collect(),
        latency: Histogram::new(),
        faults: Faults::default(),
        delivered: 0,
    };
    if let Err(error) = drive(&poll, &mut subscribers, &mut audiences, &mut tally) {
        tally.faults.violation(format!("subscriber: {error}"));
        shared.failed.store(true, Ordering::SeqCst);
        shared.wake_publishers()?;
    }
    tally.faults.unacknowledged = subscribers.iter().map(|s| s.unreleased.len() as u64).sum();
    Ok(Received { audiences, latency: tally.latency, faults: tally.faults })
}

fn drive(
    poll: &OwnedFd,
    subscribers: &mut [Subscriber],
    audiences: &mut [Audience],
    tally: &mut Tally<'_>,
) -> io::Result<()> {
    let mut events = Vec::with_capacity(1_024);
    let mut scratch = vec![0; READ_BYTES];
    let mut replies = Vec::new();
    let mut finishing = None;
    loop {
        events.clear();
        interrupted(epoll::wait(poll, rustix::buffer::spare_capacity(&mut events), Some(&GLANCE)))?;
        for event in events.drain(..) {
            let token = { event.data }.u64();
            let subscriber = &mut subscribers[token as usize];
            if { event.flags }.contains(EventFlags::OUT) {
                subscriber.link.flush(poll)?;
            }
            let audience = &mut audiences[subscriber.audience];
            subscriber.receive(poll, &mut scratch, &mut replies, audience, tally)?;
        }
        tally.shared.delivered.store(tally.delivered, Ordering::Release);
        tally.shared.wake_publishers()?;
        match finishing {
            None if tally.shared.finish.load(Ordering::Acquire) => {
                finishing = Some(Instant::now());
                for subscriber in subscribers.iter_mut() {
                    subscriber.link.send(poll, &wire::PINGREQ)?;
                }
            }
            Some(_) if subscribers.iter().all(|subscriber| subscriber.ponged) => return Ok(()),
            Some(since) if since.elapsed() > PATIENCE => {
                return Err(io::Error::other("PINGREQ was not answered"));
            }
            _ if tally.shared.failed.load(Ordering::Relaxed) => return Ok(()),
            _ => {}
        }
    }
}

impl Subscriber {
    fn receive(
        &mut self,
        poll: &OwnedFd,
        scratch: &mut [u8],
        replies: &mut Vec<u8>,
        audience: &mut Audience,
        tally: &mut Tally<'_>,
    ) -> io::Result<()> {
        let Self { link, behind, unreleased, ponged, .. } = self;
        replies.clear();
        let mut now = None;
        link.receive(scratch, |frame| {
            match frame.first {
                first if first & 0xf0 == 0x30 => {
                    // One look at the clock a read: what came together was seen together.
                    let now = *now.get_or_insert_with(|| tally.shared.now_nanos());
                    let (packet_id, receipt) = tally.publish(frame, audience, behind, now)?;
                    match (tally.qos, receipt) {
                        (0, Some(receipt)) => tally.complete(receipt),
                        (1, receipt) => {
                            replies.extend(wire::acknowledgement(wire::PUBACK, packet_id));
                            receipt.into_iter().for_each(|receipt| tally.complete(receipt));
                        }
                        (2, receipt) => {
                            replies.extend(wire::acknowledgement(wire::PUBREC, packet_id));
                            unreleased.push_back((packet_id, receipt));
                        }
                        _ => {}
                    }
                }
                wire::PUBREL => {
                    let packet_id = frame.packet_id()?;
                    let receipt = release(unreleased, packet_id)?;
                    receipt.into_iter().for_each(|receipt| tally.complete(receipt));
                    replies.extend(wire::acknowledgement(wire::PUBCOMP, packet_id));
                }
                wire::PINGRESP => *ponged = true,
                _ => return Err(Malformed("packet does not fit a subscriber")),
            }
            Ok(())
        })?;
        if !replies.is_empty() {
            self.link.send(poll, replies)?;
        }
        Ok(())
    }
}

impl Tally<'_> {
    /// Holds one PUBLISH against its publisher's earlier ones; a second copy has no receipt.
    fn publish(
        &mut self,
        frame: &Frame<'_>,
        audience: &mut Audience,
        behind: &mut [u64],
        now: u64,
    ) -> Result<(u16, Option<Receipt>), Malformed> {
        let (packet_id, payload) = frame.publish(self.qos)?;
        let stamp = Stamp::read(payload)?;
        let publisher = stamp.publisher as usize;
        let place = publisher.checked_sub(audience.hears.first).unwrap_or(usize::MAX);
        let Some(expected) = audience.expected.get_mut(place) else {
            return Err(Malformed("message is of a publisher that was not subscribed to"));
        };
        if !self.progress[publisher].admits(stamp.sequence) {
            return Err(Malformed("message has a number that was not sent yet"));
        }
        let mut arrival = expected.arrive(stamp.sequence);
        if audience.is_group && arrival != Arrival::Duplicate {
            // Another member may be ahead; only what came to this one must have been in order.
            let behind = &mut behind[place];
            let is_late = stamp.sequence < *behind;
            *behind = (*behind).max(stamp.sequence + 1);
            arrival = if is_late { Arrival::Late } else { Arrival::InOrder };
        }
        self.faults.count(&arrival);
        if arrival == Arrival::Duplicate {
            return Ok((packet_id, None));
        }
        self.delivered += 1;
        if self.shared.measuring.load(Ordering::Relaxed) {
            self.latency.record(now.saturating_sub(stamp.sent_nanos));
        }
        Ok((packet_id, Some(Receipt { publisher, sequence: stamp.sequence })))
    }

    /// Counts a receipt whose handshake has ended toward its publisher's window.
    fn complete(&mut self, receipt: Receipt) {
        let progress = &mut self.progress[receipt.publisher];
        progress.receive(receipt.sequence);
        progress.show(&self.shared.completed[receipt.publisher]);
    }
}

/// Takes a PUBREL's packet id off the handshakes under way, usually the oldest.
fn release(
    unreleased: &mut VecDeque<(u16, Option<Receipt>)>,
    packet_id: u16,
) -> Result<Option<Receipt>, Malformed> {
    unreleased
        .iter()
        .position(|(id, _)| *id == packet_id)
        .and_then(|at| unreleased.remove(at))
        .map(|(_, receipt)| receipt)
        .ok_or(Malformed("PUBREL has a packet id that is not under way"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(shared: &Shared, qos: u8) -> Tally<'_> {
        Tally {
            shared,
            qos,
            progress: vec![Progress::new(4, 1), Progress::new(4, 1)],
            latency: Histogram::new(),
            faults: Faults::default(),
            delivered: 0,
        }
    }

    fn publish(
        tally: &mut Tally<'_>,
        audience: &mut Audience,
        publisher: u32,
        sequence: u64,
    ) -> Result<(u16, Option<Receipt>), Malformed> {
        let mut bytes = Vec::new();
        let stamp = Stamp { publisher, sequence, sent_nanos: 0 };
        wire::Template::new("bench/0", tally.qos, 64).append(&mut bytes, 1, stamp);
        let frame = wire::next_frame(&mut bytes.as_slice())?.ok_or(Malformed("partial"))?;
        let mut behind = [0];
        tally.publish(&frame, audience, &mut behind, 0)
    }

    fn audience() -> Audience {
        let hears = Hears { first: 1, count: 1 };
        Audience { hears, expected: vec![Expected::default()], is_group: false }
    }

    #[test]
    fn messages_of_strangers_and_of_the_future_are_refused() {
        let shared = Shared::new(2).unwrap();
        let mut tally = tally(&shared, 0);
        let mut audience = audience();
        assert!(publish(&mut tally, &mut audience, 0, 0).is_err(), "publisher 0 is not heard");
        assert!(publish(&mut tally, &mut audience, 2, 0).is_err(), "publisher 2 does not exist");
        assert!(publish(&mut tally, &mut audience, 1, 4).is_err(), "the window ends before 4");
        assert!(publish(&mut tally, &mut audience, 1, 3).unwrap().1.is_some());
        assert_eq!(tally.delivered, 1);
    }

    #[test]
    fn second_copy_is_a_fault_and_opens_no_window() {
        let shared = Shared::new(2).unwrap();
        let mut tally = tally(&shared, 1);
        let mut audience = audience();
        let receipt = publish(&mut tally, &mut audience, 1, 0).unwrap().1.unwrap();
        tally.complete(receipt);
        assert!(publish(&mut tally, &mut audience, 1, 0).unwrap().1.is_none());
        assert_eq!((tally.delivered, tally.faults.duplicated), (1, 1));
        assert_eq!(shared.completed[1].load(Ordering::Relaxed), 1);
    }

    #[test]
    fn group_has_each_message_once_and_each_member_its_own_in_order() {
        let shared = Shared::new(2).unwrap();
        let mut tally = tally(&shared, 0);
        let mut group = Audience { is_group: true, ..audience() };
        let mut members = [[0], [0]];
        for (member, sequence) in [(0, 1), (1, 0), (1, 2), (0, 3), (1, 3)] {
            let stamp = Stamp { publisher: 1, sequence, sent_nanos: 0 };
            let mut bytes = Vec::new();
            wire::Template::new("bench/1", 0, 64).append(&mut bytes, 0, stamp);
            let frame = wire::next_frame(&mut bytes.as_slice()).unwrap().unwrap();
            tally.publish(&frame, &mut group, &mut members[member], 0).unwrap();
        }
        assert_eq!((tally.delivered, tally.faults.duplicated), (4, 1), "3 came to both");
        assert_eq!(tally.faults.reordered, 0, "0 came after 1, but to another member");
        assert_eq!(group.expected[0].lost(5), 1);
        let mut late = Vec::new();
        let stamp = Stamp { publisher: 1, sequence: 2, sent_nanos: 0 };
        wire::Template::new("bench/1", 0, 64).append(&mut late, 0, stamp);
        let mut group = Audience { is_group: true, ..audience() };
        let frame = wire::next_frame(&mut late.as_slice()).unwrap().unwrap();
        tally.publish(&frame, &mut group, &mut members[0], 0).unwrap();
        assert_eq!(tally.faults.reordered, 1, "this member had 3 before");
    }

    #[test]
    fn released_packet_ids_end_once() {
        let receipt = Some(Receipt { publisher: 0, sequence: 7 });
        let mut unreleased = VecDeque::from([(1, None), (2, receipt)]);
        assert_eq!(release(&mut unreleased, 2).unwrap().unwrap().sequence, 7);
        assert!(release(&mut unreleased, 2).is_err());
        assert_eq!(unreleased.len(), 1);
    }
}
