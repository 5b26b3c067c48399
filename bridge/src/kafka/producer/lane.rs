//! One source connector as its producer sees it.
//!
//! A lane whose only Kafka topic does not exist rests, and begins again from its lowest unfinished
//! entry once nothing of it is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_core::{Message, Position};
use midge_rules::pipeline::KafkaRecord;

use crate::mapping::{Made, Mapping};
use crate::source::Source;
use crate::spool::Report;

/// How long a lane rests whose one Kafka topic does not exist.
const NO_TOPIC: Duration = Duration::from_secs(1);

/// How long a lane rests that has asked a schema registry, if the answer does not come sooner.
const ASKED: Duration = Duration::from_millis(20);

pub(super) struct Lane {
    pub(super) source: Arc<Source>,
    /// Records inside librdkafka.
    pub(super) in_flight: usize,
    /// Until when nothing is produced; then everything unfinished is taken again.
    pub(super) rests: Option<Instant>,
    /// Records that go to the dead-letter topic instead of those that Kafka did not take.
    pub(super) letters: Vec<(Position, Box<KafkaRecord>)>,
    /// The lowest unfinished entry, and since when it is while records are under way.
    front: Option<(Position, Instant)>,
}

impl Lane {
    pub(super) fn new(source: Arc<Source>) -> Lane {
        Lane { source, in_flight: 0, rests: None, letters: Vec::new(), front: None }
    }

    /// Kafka knows no such topic. A rule with one topic waits for the operator to make it, and
    /// loses nothing; one whose topics come from messages refuses this one, or any device could
    /// stop all others. The reason for the publisher, if it is refused.
    pub(super) fn no_topic(&mut self, now: Instant) -> Option<ReasonCode> {
        let Some(kafka_topic) = self.source.mapping.constant_kafka_topic() else {
            return Some(ReasonCode::ImplementationSpecificError);
        };
        self.source.health.trouble(&format!("kafka has no topic {kafka_topic:?}"));
        self.rests.get_or_insert(now + NO_TOPIC);
        None
    }

    /// Whether its task has failed: nothing is produced any more.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.source.mapping, Mapping::Pipeline(piped) if piped.errors.has_failed())
    }

    /// Kafka will never take this record. What the log is told; `None`: nothing yet, since a dead
    /// letter goes in its place, or since the task has failed.
    pub(super) fn refused(
        &mut self,
        position: Position,
        message: &Message,
        why: &str,
        reason: ReasonCode,
    ) -> Option<Report> {
        let Mapping::Pipeline(piped) = &self.source.mapping else {
            return Some(Report::Refused(reason));
        };
        match piped.not_produced(why, message) {
            Made::Record(record) => {
                self.letters.push((position, record));
                None
            }
            Made::Failed => None,
            Made::Nothing | Made::Wait(_) => Some(Report::Delivered),
        }
    }

    /// A schema registry is asked: nothing is produced for a moment.
    pub(super) fn wait(&mut self, now: Instant) {
        self.rests.get_or_insert(now + ASKED);
    }

    /// What waits longest of what is under way, and since when.
    pub(super) fn waits(&mut self, now: Instant) -> Option<(Position, Instant)> {
        let front = self.source.log().spool.front().map(|(position, _)| position);
        self.front = match (front, self.front) {
            _ if self.in_flight == 0 => None,
            (Some(front), Some((position, since))) if front == position => Some((front, since)),
            (front, _) => front.map(|front| (front, now)),
        };
        self.front
    }

    /// Nothing is under way any more, and everything unfinished is taken again.
    pub(super) fn start_again(&mut self) {
        self.in_flight = 0;
        self.rests = None;
        // What they stand for is taken again.
        self.letters.clear();
        self.front = None;
        self.source.log().spool.rewind();
    }

    /// Whether nothing would be lost if the producer ended now, and nothing is to be had by waiting.
    pub(super) fn is_at_rest(&self) -> bool {
        let log = self.source.log();
        let under_way = log.spool.under_way() > 0 && !self.source.health.is_away();
        log.spool.open() == 0 || (log.spool.is_safe() && !under_way)
    }

    /// Whether it rests; ends the rest when its time has come and nothing is under way, so that
    /// what is taken again cannot overtake anything.
    pub(super) fn is_resting(&mut self, now: Instant) -> bool {
        match self.rests {
            None => false,
            Some(until) if now < until || self.in_flight > 0 => true,
            Some(_) => {
                self.rests = None;
                self.source.log().spool.rewind();
                false
            }
        }
    }
}
