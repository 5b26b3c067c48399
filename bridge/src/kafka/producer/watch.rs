//! Watching over the client: is Kafka there, does the client get through to it, what helps if not.
//!
//! The mildest remedy comes first: a client that has lost Kafka is given its addresses again. One
//! that still does not bring its lowest record through, though Kafka serves others, gives way to a
//! new one; what it had under way is taken again, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_core::Position;
use midge_rules::RecordBuffer;
use rdkafka::producer::{BaseProducer, Producer as _};
use tracing::{debug, warn};

use super::context::Context;
use super::pulse::Backoff;
use super::{Broken, Feeder, PROBE, create};
use crate::kafka::verdict;
use crate::source::view;

/// How long the lowest record under way may wait before a new client asks for its topic.
const STALLED: Duration = Duration::from_secs(5);
/// How soon that is asked again, and how often at most: each time is a connection.
const ASK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How long the answer may take; nothing else is done meanwhile.
const REACH: Duration = Duration::from_secs(2);
/// How long a producer may at most be left stuck, when replacing it has not helped so far.
const LONGEST: Duration = Duration::from_secs(600);

/// What is known of a producer that gets nothing through.
#[derive(Debug)]
pub(super) struct Stall {
    /// How long Kafka has to serve others before the producer counts as stuck. Kafka itself may
    /// take so long for an answer to it: giving up sooner would make doubles for nothing.
    patience: Duration,
    ask: Backoff,
    /// Since when Kafka serves others.
    served: Option<Instant>,
    /// The record that was stuck when a producer was last replaced, and how often it was.
    last: Option<(usize, Position, u32)>,
}

impl Stall {
    pub(super) fn new(patience: Duration) -> Stall {
        Stall { patience, ask: Backoff::new(ASK.0, ASK.1), served: None, last: None }
    }

    fn is_over(&mut self) {
        self.served = None;
        self.ask.reset();
    }

    /// Whether a new client should ask for Kafka.
    fn wants_to_ask(&mut self, now: Instant) -> bool {
        let wants = self.ask.is_over(now);
        if wants {
            self.ask.begin(now);
        }
        wants
    }

    /// Kafka serves a new client, or does not; whether the old one counts as stuck.
    fn answered(&mut self, now: Instant, served: bool, stuck: (usize, Position)) -> bool {
        if !served {
            self.served = None;
            return false;
        }
        let Some(since) = self.served else {
            self.served = Some(now);
            self.ask.reset();
            self.ask.begin(now);
            return false;
        };
        let before = match self.last {
            Some((lane, sequence, times)) if (lane, sequence) == stuck => times,
            _ => 0,
        };
        let patience = self.patience.saturating_mul(1 << before.min(16)).min(LONGEST);
        if now.saturating_duration_since(since) < patience.max(self.patience) {
            return false;
        }
        self.last = Some((stuck.0, stuck.1, before + 1));
        self.is_over();
        true
    }

    /// Whether the record was stuck before, which has been said then.
    fn is_known(&self) -> bool {
        self.last.is_some_and(|(_, _, times)| times > 1)
    }
}

impl Feeder {
    /// Looks at what librdkafka complains of and at the clock.
    pub(super) fn judge(&mut self, now: Instant) {
        let errors = self.callbacks.take_errors();
        if let (false, Some(connected)) = (errors.is_empty(), &self.connected) {
            let fatal = connected.client.client().fatal_error();
            if let Some((_, why)) = fatal {
                self.broken = Some(Broken::Lost(why));
                return;
            }
        }
        for (code, why) in errors {
            if verdict::is_away(code) {
                self.pulse.doubt(now, code, why);
            } else {
                self.lanes.iter().for_each(|lane| lane.source.health.trouble(&why));
            }
        }
        let busy = self.lanes.iter().any(|lane| lane.in_flight > 0);
        if self.pulse.wants_probe(now, busy)
            && let Some(connected) = &self.connected
        {
            let answer = connected.client.client().fetch_metadata(None, PROBE);
            if answer.is_ok() {
                self.pulse.beat(now);
                self.lanes.iter().for_each(|lane| lane.source.health.back());
            }
        }
        if let Some(why) = self.pulse.lost(now, busy) {
            self.lanes.iter().for_each(|lane| lane.source.health.away(&why));
            if let Some(connected) = &self.connected
                && self.pulse.wants_brokers(now)
            {
                self.brokers.give(connected.client.client());
            }
        }
    }

    /// Replaces a client that gets nothing through though Kafka serves others, whatever the cause.
    pub(super) fn rescue(&mut self, now: Instant) {
        if self.connected.is_none() || self.broken.is_some() {
            return;
        }
        let lanes = self.lanes.iter_mut().enumerate();
        let longest = lanes.filter_map(|(index, lane)| Some((index, lane.waits(now)?)));
        let Some((lane, (sequence, since))) = longest.min_by_key(|(_, (_, since))| *since) else {
            return self.stall.is_over();
        };
        if now.saturating_duration_since(since) < STALLED {
            return self.stall.is_over();
        }
        if !self.stall.wants_to_ask(now) {
            return;
        }
        let Some(topic) = self.kafka_topic_of_front(lane) else { return };
        let client = match create(&self.config, &self.callbacks) {
            Ok(client) => client,
            Err(error) => return debug!(error = %error, "no second client"),
        };
        let served = serves(&client, &topic);
        if self.stall.answered(Instant::now(), served, (lane, sequence)) {
            if !self.stall.is_known() {
                let connectors = self.callbacks.name();
                warn!(connectors, kafka_topic = topic, "the producer is stuck, a new one follows");
            }
            self.broken = Some(Broken::Replaced(client));
        }
    }

    /// Where the lowest unfinished record of a lane goes.
    fn kafka_topic_of_front(&self, lane: usize) -> Option<String> {
        let source = &self.lanes[lane].source;
        let message = source.log().spool.front().map(|(_, message)| Arc::clone(message))?;
        let mut record = RecordBuffer::default();
        source.mapping.rule().record(&view(&message), &mut record).ok()?;
        Some(record.kafka_topic)
    }
}

/// Whether a new client reaches Kafka and finds a leader for each partition of a topic. Without
/// leaders no producer gets anything through.
fn serves(client: &BaseProducer<Context>, topic: &str) -> bool {
    let deadline = Instant::now() + REACH;
    loop {
        // It may want a token first.
        client.poll(Duration::ZERO);
        match client.client().fetch_metadata(Some(topic), PROBE) {
            Ok(metadata) => {
                let found = metadata.topics().iter().find(|found| found.name() == topic);
                return found.is_some_and(|found| {
                    let mut partitions = found.partitions().iter();
                    found.error().is_none() && partitions.all(|one| one.leader() >= 0)
                });
            }
            Err(_) if Instant::now() < deadline => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_producer_is_stuck_only_while_kafka_serves_others_for_long_enough() {
        let start = Instant::now();
        let mut stall = Stall::new(PATIENCE);
        assert!(!stall.answered(start, true, (0, 7)));
        assert!(!stall.answered(start + PATIENCE / 2, true, (0, 7)));
        assert!(!stall.answered(start + PATIENCE / 2, false, (0, 7)), "Kafka has gone");
        assert!(!stall.answered(start + PATIENCE, true, (0, 7)), "and is back");
        assert!(stall.answered(start + PATIENCE * 2, true, (0, 7)));
    }

    #[test]
    fn replacing_a_producer_again_for_the_same_record_takes_ever_longer() {
        let mut now = Instant::now();
        let mut stall = Stall::new(PATIENCE);
        for times in 0..3 {
            assert!(!stall.answered(now, true, (0, 7)));
            now += PATIENCE * (1 << times);
            assert!(!stall.answered(now - PATIENCE / 2, true, (0, 7)));
            assert!(stall.answered(now, true, (0, 7)));
            assert_eq!(stall.is_known(), times > 0);
        }
        assert!(!stall.answered(now, true, (0, 8)));
        assert!(stall.answered(now + PATIENCE, true, (0, 8)), "another record");
        assert!(!stall.is_known());
    }

    #[test]
    fn asking_gets_rarer_until_kafka_answers() {
        let start = Instant::now();
        let mut stall = Stall::new(PATIENCE);
        assert!(stall.wants_to_ask(start));
        assert!(!stall.wants_to_ask(start));
        assert!(stall.wants_to_ask(start + ASK.0));
        assert!(!stall.wants_to_ask(start + ASK.0 * 2));
        stall.answered(start + ASK.0 * 2, true, (0, 7));
        assert!(stall.wants_to_ask(start + ASK.0 * 3));
    }
}
