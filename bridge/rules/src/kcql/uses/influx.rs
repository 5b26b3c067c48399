//! A statement as an InfluxDB sink reads it: which records it takes and the points they become.

use std::num::NonZeroU32;

use super::{Findings, Use};
use crate::kcql::error::{KcqlError, Warning};
use crate::kcql::path::{Field, Selection};
use crate::kcql::statement::{Clause, Statement, Tag, TimestampFrom, TimestampUnit};

/// Kafka to InfluxDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfluxSink {
    /// The records of this topic.
    pub kafka_topic: String,
    /// Where a point goes.
    pub measurement: Measurement,
    /// SELECT and IGNORE: a point's fields.
    pub selection: Selection,
    /// A point's time; nothing given: when it is written.
    pub timestamp: TimestampFrom,
    /// What integers of a timestamp field count.
    pub timestamp_unit: TimestampUnit,
    /// In order.
    pub tags: Vec<Tag>,
    /// The most points of one write; nothing given: the connector's own limit.
    pub batch: Option<NonZeroU32>,
}

/// Where a point goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// Always there.
    Literal(String),
    /// Where a field says, which must be text.
    Field(Field),
}

impl Statement {
    /// What an InfluxDB sink does with it, and what is worth a word; all mistakes otherwise.
    pub fn for_influx(&self) -> Result<(InfluxSink, Vec<Warning>), Vec<KcqlError>> {
        let mut findings = Findings::new(self, Use::Influx);
        let kafka_topic = findings.kafka_topic();
        for (name, _) in &self.properties {
            findings
                .unknown_property(name, "no properties: those of this sink are the connector's");
        }
        let measurement = match &self.with_target {
            Some(field) => Measurement::Field(field.clone()),
            None => Measurement::Literal(self.target.text.clone()),
        };
        let timestamp = self.timestamp.clone().unwrap_or(TimestampFrom::SystemTime);
        if timestamp == TimestampFrom::SystemTime
            && let Some(span) = self.place_of(Clause::TimestampUnit)
        {
            findings.warn(span, "TIMESTAMPUNIT has no effect without a field in WITHTIMESTAMP");
        }
        findings.done(Some(InfluxSink {
            kafka_topic,
            measurement,
            selection: self.selection.clone(),
            timestamp,
            timestamp_unit: self.timestamp_unit.unwrap_or_default(),
            tags: self.tags.clone(),
            batch: self.batch,
        }))
    }
}
