//! One source connector as its producer sees it.
//!
//! A lane whose only Kafka topic does not exist rests, and begins again from its lowest unfinished
//! entry once nothing of it is under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_core::{Message, Position};
use midge_rules::pipeline::KafkaRecord;

use super::tally::Tally;
use crate::connect::plan::Within;
use crate::error_handling::without_value;
use crate::mapping::{Made, Mapping};
use crate::source::Source;
use crate::spool::Report;

/// How long a lane rests that has asked a schema registry, if no answer comes sooner (which wakes its
/// producer).
const ASKED: Duration = Duration::from_millis(20);

pub(super) struct Lane {
    pub(super) source: Arc<Source>,
    /// Records inside librdkafka.
    pub(super) in_flight: usize,
    /// Until when nothing is produced; then everything unfinished is taken again.
    pub(super) rests: Option<Instant>,
    /// Records that go to the dead-letter topic in the place of entries, and are not handed over.
    pub(super) letters: VecDeque<(Position, Box<KafkaRecord>)>,
    /// Those inside librdkafka.
    pub(super) posted: BTreeMap<Position, Box<KafkaRecord>>,
    /// The lowest unfinished entry, and since when it is while records are under way.
    front: Option<(Position, Instant)>,
    /// Since when the topics of entries are missing.
    missing: BTreeMap<Position, Instant>,
    /// How often such a topic was looked for since Kafka has last taken a record.
    attempts: u32,
    /// The topics of its records.
    pub(super) tally: Tally,
}

impl Lane {
    pub(super) fn new(source: Arc<Source>) -> Lane {
        Lane {
            source,
            in_flight: 0,
            rests: None,
            letters: VecDeque::new(),
            posted: BTreeMap::new(),
            front: None,
            missing: BTreeMap::new(),
            attempts: 0,
            tally: Tally::default(),
        }
    }

    /// Kafka knows no such topic. It is waited for as `errors.retry.*` say. Where they say nothing, a
    /// rule with one topic waits for the operator to make it, and loses nothing; one whose topics
    /// come from messages refuses this one, or any device could stop all others. The reason for the publisher, if it is refused.
    pub(super) fn no_topic(&mut self, now: Instant, position: Position) -> Option<ReasonCode> {
        let constant = self.source.mapping.constant_kafka_topic();
        let retry = self.source.mapping.retry();
        let since = *self.missing.entry(position).or_insert(now);
        let waits = match retry.within {
            Within::NotSaid => constant.is_some(),
            Within::Time(_) | Within::Ever => !retry.is_over(now.duration_since(since)),
        };
        if !waits {
            self.missing.remove(&position);
            return Some(ReasonCode::ImplementationSpecificError);
        }
        self.source.health.trouble(&match constant {
            Some(kafka_topic) => format!("kafka has no topic {kafka_topic:?}"),
            None => "kafka has no such topic".to_owned(),
        });
        if self.rests.is_none() {
            self.attempts = self.attempts.saturating_add(1);
            self.rests = Some(now + retry.delay(self.attempts));
        }
        None
    }

    /// Kafka has taken records.
    pub(super) fn came_through(&mut self) {
        self.attempts = 0;
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
            Made::Record(record) | Made::Letter(record) => {
                self.letters.push_back((position, record));
                None
            }
            Made::Failed => None,
            Made::Wait(_) => {
                self.wait(Instant::now());
                None
            }
            Made::Nothing => Some(Report::Delivered),
        }
    }

    /// Kafka will never take a dead letter. One that is too large goes without its value; if it is
    /// too large even so what it stands for is passed over, or any device could stop all others. For
    /// any other reason that stays where it is, and the task fails. What the log is told; `None`:
    /// nothing yet.
    pub(super) fn letter_refused(
        &mut self,
        position: Position,
        letter: Box<KafkaRecord>,
        why: &str,
        too_large: bool,
    ) -> Option<Report> {
        if too_large {
            let Some(letter) = without_value(letter) else { return Some(Report::Delivered) };
            self.letters.push_back((position, letter));
        } else if let Mapping::Pipeline(piped) = &self.source.mapping {
            piped.errors.fail(&format!("the dead-letter topic does not take a record: {why}"));
        }
        None
    }

    /// A schema registry is asked, or a topic is being made: nothing is produced for a moment.
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
        self.posted.clear();
        self.front = None;
        self.source.log().spool.rewind();
    }

    /// Whether nothing is to be had by waiting: nothing would be lost if the producer ended now, or
    /// what is left is not going to Kafka, since the source rests or has failed.
    pub(super) fn may_end(&self) -> bool {
        (!self.source.works() && self.in_flight == 0) || self.is_at_rest()
    }

    fn is_at_rest(&self) -> bool {
        let log = self.source.log();
        let under_way = log.spool.under_way() > 0 && !self.source.health.is_away();
        log.spool.open() == 0 || (log.spool.is_safe() && !under_way)
    }

    /// Whether it rests; ends the rest when its time has come and nothing is under way, so that
    /// what is taken again cannot overtake anything.
    pub(super) fn is_resting(&mut self, now: Instant) -> bool {
        match self.rests {
            None => false,
            Some(_) if self.in_flight > 0 => true,
            Some(until) if now < until && !self.source.mapping.has_answers() => true,
            Some(_) => {
                self.rests = None;
                // What they stand for is taken again.
                self.letters.clear();
                let mut log = self.source.log();
                log.spool.rewind();
                match log.spool.front() {
                    Some((front, _)) => self.missing = self.missing.split_off(&front),
                    None => self.missing.clear(),
                }
                false
            }
        }
    }
}
