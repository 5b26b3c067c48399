//! Finishing entries by what librdkafka reports of their records.
//!
//! An entry is finished when Kafka has acknowledged or refused its record for good; every other
//! report leaves it to be produced again.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use midge_codec::ReasonCode;
use midge_core::Position;
use midge_rules::pipeline::KafkaRecord;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer as _;
use tracing::info;

use super::lane::Lane;
use super::tally::LETTERS;
use super::{Broken, Feeder, create, observe};
use crate::kafka::verdict::{self, Verdict};
use crate::spool;

impl Feeder {
    /// Finishes what librdkafka has reported.
    pub(super) fn settle(&mut self) {
        let Some(connected) = &self.connected else { return };
        let reports = connected.client.context().take_reports();
        if reports.is_empty() {
            return;
        }
        // librdkafka reports all records of a batch at once.
        let too_large =
            reports.iter().filter(|report| report.result.is_err_and(verdict::is_too_large)).count();
        let mut shrink = false;
        let mut reports = reports
            .into_iter()
            .filter_map(|report| Some((self.slots.remove(report.place)?, report)))
            .peekable();
        let now = Instant::now();
        let mut reached = false;
        while let Some(((lane_index, ..), _)) = reports.peek() {
            let lane_index = *lane_index;
            let lane = &mut self.lanes[lane_index];
            let (mut count, mut bytes) = (0, 0);
            let source = Arc::clone(&lane.source);
            let lane_reports =
                std::iter::from_fn(|| reports.next_if(|((index, ..), _)| *index == lane_index));
            source.with(|spool, settled_at| {
                for ((_, position, topic), report) in lane_reports {
                    lane.in_flight -= 1;
                    let letter = (topic == LETTERS).then(|| lane.posted.remove(&position));
                    let letter = letter.flatten();
                    let verdict = match report.result {
                        Ok(_) => spool::Report::Delivered,
                        Err(code)
                            if verdict::is_too_large(code)
                                && too_large > 1
                                && self.batch_bytes > 1
                                // What fills a batch alone was refused for its own size.
                                && value_bytes(spool, position, letter.as_deref())
                                    .is_some_and(|bytes| bytes < self.batch_bytes) =>
                        {
                            shrink = true;
                            spool::Report::Again
                        }
                        Err(code) => match (verdict::of_record(code), letter) {
                            (Verdict::Refused(_) | Verdict::NoTopic, Some(letter)) => {
                                let (why, alone) = (code.to_string(), verdict::is_too_large(code));
                                let told = lane.letter_refused(position, letter, &why, alone);
                                told.unwrap_or(spool::Report::Again)
                            }
                            (Verdict::Refused(reason), None) => {
                                refuse(lane, spool, position, code, reason)
                            }
                            (Verdict::NoTopic, None) => match lane.no_topic(now, position) {
                                Some(reason) => refuse(lane, spool, position, code, reason),
                                None => spool::Report::Again,
                            },
                            (Verdict::Again, _) => {
                                self.broken.get_or_insert_with(|| Broken::Lost(code.to_string()));
                                spool::Report::Again
                            }
                        },
                    };
                    let Some(message) = spool.report(settled_at, position, verdict) else {
                        continue;
                    };
                    match report.result {
                        Ok((partition, offset)) => {
                            count += 1;
                            lane.tally.taken(topic);
                            bytes += message.payload.len() as u64;
                            if let Some(observer) = &self.observer {
                                observe(observer, &source, &message, partition, offset);
                            }
                        }
                        Err(code) => source.health.refused(&message.topic, &code),
                    }
                }
                // Before publishers are told: who hears of it finds it in the status.
                if count > 0 {
                    reached = true;
                    lane.came_through();
                    source.health.went(count, bytes);
                    if let Some(usage) = source.health.usage() {
                        lane.tally.tell(usage);
                    }
                }
            });
        }
        if reached {
            self.backoff.reset();
            self.pulse.beat(now);
            self.lanes.iter().for_each(|lane| lane.source.health.back());
        }
        if shrink && self.broken.is_none() {
            self.shrink_batches();
        }
    }

    /// Makes batches half as large, with a new client: Kafka takes or refuses a batch as a whole,
    /// and the limit is that of a topic, which only Kafka knows. At the end all batches are below
    /// the limit, and a record above it has no company that would be refused with it.
    fn shrink_batches(&mut self) {
        self.batch_bytes = (self.batch_bytes / 2).max(1);
        self.config.set("batch.size", self.batch_bytes.to_string());
        let connectors = self.callbacks.name();
        info!(connectors, batch_size = self.batch_bytes, "kafka refused a batch as too large");
        self.broken = Some(match create(&self.config, &self.callbacks) {
            Ok(client) => Broken::Replaced(client),
            Err(error) => Broken::Lost(error.to_string()),
        });
    }
}

/// Bytes of the value of a dead letter, or of the record of an entry.
fn value_bytes(
    spool: &spool::Spool,
    position: Position,
    letter: Option<&KafkaRecord>,
) -> Option<usize> {
    match letter {
        Some(letter) => Some(letter.value.as_ref().map_or(0, Bytes::len)),
        None => spool.get(position).map(|message| message.payload.len()),
    }
}

/// What the log is told of a record that Kafka has refused for good.
fn refuse(
    lane: &mut Lane,
    spool: &spool::Spool,
    position: Position,
    code: Code,
    reason: ReasonCode,
) -> spool::Report {
    let Some(message) = spool.get(position).cloned() else { return spool::Report::Refused(reason) };
    // Its place is taken by a dead letter, or stays where the task has failed.
    lane.refused(position, &message, &code.to_string(), reason).unwrap_or(spool::Report::Again)
}
