//! What a sink makes of a record: publishes, by a rule alone or by a pipeline, or points of InfluxDB.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use midge_rules::pipeline::{InfluxPipeline, KafkaRecord, PipelineError, SinkPipeline, Stage};
use midge_rules::{Outcome, Publish, Record, Refusal, SinkRule};

use crate::connect::plan::ErrorPolicy;
use crate::error_handling::{ErrorHandling, Judgement, Original};
use crate::questions::{Answered, Asked, Questions};

/// How a sink makes what goes out.
pub(crate) enum Delivery {
    /// The value stays as it is.
    Rule(SinkRule),
    /// Converters, transforms and projection, by one or more statements.
    Pipeline(Box<Piped>),
}

/// A pipeline, with what it asks and what happens to what does not come through.
pub(crate) struct Piped {
    pipeline: Mutex<Pipeline>,
    questions: Questions,
    pub(crate) errors: ErrorHandling,
    /// What happens to a record that the other side does not take.
    pub(crate) policy: ErrorPolicy,
}

/// A pipeline, by where it leads.
pub(crate) enum Pipeline {
    /// To an MQTT broker.
    Mqtt(SinkPipeline),
    /// To InfluxDB.
    Influx(InfluxPipeline),
}

/// What goes out of a record.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Nothing: it is passed over.
    None,
    /// A publish.
    One(Publish),
    /// The first publish, and at least one more.
    Several(Publish, Vec<Publish>),
    /// Points in line protocol, at least one.
    Points(Vec<String>),
}

/// What became of a record.
pub(crate) enum Delivered {
    /// It is done with when these are.
    Outgoing(Outgoing),
    /// It can never come through, and is passed over: why.
    Refused(String),
    /// It goes to the dead-letter topic first.
    DeadLetter(Box<KafkaRecord>),
    /// A schema registry is asked, or a dead letter has no topic yet; why there is no answer, if that
    /// is known.
    Wait(Option<String>),
    /// The task has failed.
    Failed,
}

impl Delivery {
    /// Makes what goes out of a record; `asker` is woken when a registry has answered.
    pub(crate) fn deliver(
        &self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
        asker: Thread,
    ) -> Delivered {
        match self {
            Delivery::Rule(rule) => match rule.publish(record) {
                Ok(Outcome::Publish(publish)) => Delivered::Outgoing(Outgoing::One(publish)),
                // The other side of a circle is no mistake of this record: it has been here.
                Ok(Outcome::Skip) | Err(Refusal::Circle) => Delivered::Outgoing(Outgoing::None),
                Err(refusal) => Delivered::Refused(refusal.to_string()),
            },
            Delivery::Pipeline(piped) => piped.deliver(record, offset, timestamp, asker),
        }
    }
}

impl Piped {
    pub(crate) fn new(
        pipeline: Pipeline,
        errors: ErrorHandling,
        policy: ErrorPolicy,
    ) -> Result<Piped, String> {
        let questions = match &pipeline {
            Pipeline::Mqtt(pipeline) => Questions::new(pipeline.registries(), errors.retry()),
            Pipeline::Influx(pipeline) => Questions::new(pipeline.registries(), errors.retry()),
        }?;
        Ok(Piped { pipeline: Mutex::new(pipeline), questions, errors, policy })
    }

    fn deliver(
        &self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
        asker: Thread,
    ) -> Delivered {
        if self.errors.has_failed() {
            return Delivered::Failed;
        }
        let mut pipeline = self.pipeline.lock().unwrap_or_else(PoisonError::into_inner);
        for answered in self.questions.answers() {
            pipeline.answer(answered);
        }
        match pipeline.outgoing(record, offset, timestamp) {
            Ok(outgoing) => Delivered::Outgoing(outgoing),
            Err(PipelineError::Circle) => Delivered::Outgoing(Outgoing::None),
            Err(PipelineError::Ask(side, question)) => {
                match self.questions.ask(side, *question, asker) {
                    Asked::Waits(why) => Delivered::Wait(why),
                    Asked::GivenUp(error) => self.judge(&error, record, offset, timestamp),
                }
            }
            // What the connector itself refuses is its policy's, as in Connect.
            Err(PipelineError::Refused { stage: Stage::TaskPut, message, .. })
                if self.policy == ErrorPolicy::Noop =>
            {
                Delivered::Refused(message)
            }
            Err(error) => self.judge(&error, record, offset, timestamp),
        }
    }

    fn judge(
        &self,
        error: &PipelineError,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
    ) -> Delivered {
        if self.errors.waits_for_topic() {
            return Delivered::Wait(None);
        }
        match self.errors.judge(error, || original(record, offset, timestamp)) {
            Judgement::Skip => Delivered::Outgoing(Outgoing::None),
            Judgement::DeadLetter(letter) => Delivered::DeadLetter(letter),
            Judgement::Fail => Delivered::Failed,
        }
    }
}

impl Pipeline {
    fn outgoing(
        &mut self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
    ) -> Result<Outgoing, PipelineError> {
        match self {
            Pipeline::Mqtt(pipeline) => {
                pipeline.publishes(record, offset, timestamp).map(Outgoing::from)
            }
            Pipeline::Influx(pipeline) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
                let lines = pipeline.lines(record, offset, timestamp, now)?;
                Ok(if lines.is_empty() { Outgoing::None } else { Outgoing::Points(lines) })
            }
        }
    }

    fn answer(&mut self, (side, question, answer): Answered) {
        match self {
            Pipeline::Mqtt(pipeline) => pipeline.answer(side, question, answer),
            Pipeline::Influx(pipeline) => pipeline.answer(side, question, answer),
        }
    }
}

impl From<Vec<Publish>> for Outgoing {
    fn from(mut publishes: Vec<Publish>) -> Outgoing {
        match publishes.len() {
            0 => Outgoing::None,
            1 => Outgoing::One(publishes.remove(0)),
            _ => {
                let first = publishes.remove(0);
                Outgoing::Several(first, publishes)
            }
        }
    }
}

/// A record as it came.
fn original(record: &Record<'_>, offset: i64, timestamp: Option<i64>) -> Original {
    let headers = record.headers.iter();
    Original {
        key: record.key.map(Bytes::copy_from_slice),
        value: record.value.map(Bytes::copy_from_slice),
        headers: headers
            .map(|(name, value)| (Arc::from(*name), value.map(Bytes::copy_from_slice)))
            .collect(),
        timestamp,
        place: Some((Arc::from(record.kafka_topic), record.partition, offset)),
    }
}
