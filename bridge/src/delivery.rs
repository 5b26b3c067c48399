//! What a sink makes of a record: publishes, by a rule alone or by a pipeline.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use bytes::Bytes;
use midge_rules::pipeline::{KafkaRecord, PipelineError, SinkPipeline};
use midge_rules::{Outcome, Publish, Record, Refusal, SinkRule};

use crate::error_handling::{ErrorHandling, Judgement, Original};
use crate::questions::Questions;

/// How a sink makes publishes.
pub(crate) enum Delivery {
    /// The value stays as it is.
    Rule(SinkRule),
    /// Converters, transforms and projection, by one or more statements.
    Pipeline(Box<Piped>),
}

/// A pipeline, with what it asks and what happens to what does not come through.
pub(crate) struct Piped {
    pipeline: Mutex<SinkPipeline>,
    questions: Questions,
    pub(crate) errors: ErrorHandling,
}

/// The publishes of a record.
#[derive(Debug)]
pub(crate) enum Publishes {
    /// It is passed over.
    None,
    /// One.
    One(Publish),
    /// The first, and at least one more.
    Several(Publish, Vec<Publish>),
}

/// What became of a record.
pub(crate) enum Delivered {
    /// It is done with when these are.
    Publishes(Publishes),
    /// It can never come through, and the rule passes it over.
    Refused(Refusal),
    /// It goes to the dead-letter topic first.
    DeadLetter(Box<KafkaRecord>),
    /// A schema registry is asked; why it does not answer, if that is known.
    Wait(Option<String>),
    /// The task has failed.
    Failed,
}

impl Delivery {
    /// Makes the publishes of a record; `asker` is woken when a registry has answered.
    pub(crate) fn deliver(
        &self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
        asker: Thread,
    ) -> Delivered {
        match self {
            Delivery::Rule(rule) => match rule.publish(record) {
                Ok(Outcome::Publish(publish)) => Delivered::Publishes(Publishes::One(publish)),
                // The other side of a circle is no mistake of this record: it has been here.
                Ok(Outcome::Skip) | Err(Refusal::Circle) => Delivered::Publishes(Publishes::None),
                Err(refusal) => Delivered::Refused(refusal),
            },
            Delivery::Pipeline(piped) => piped.deliver(record, offset, timestamp, asker),
        }
    }
}

impl Piped {
    pub(crate) fn new(pipeline: SinkPipeline, errors: ErrorHandling) -> Result<Piped, String> {
        let questions = Questions::new(pipeline.registries())?;
        Ok(Piped { pipeline: Mutex::new(pipeline), questions, errors })
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
        for (side, question, answer) in self.questions.answers() {
            pipeline.answer(side, question, answer);
        }
        let made = pipeline.record(record, offset, timestamp).and_then(|made| match made {
            Some(made) => pipeline.publishes(&made, record.headers),
            None => Ok(Vec::new()),
        });
        match made {
            Ok(publishes) => Delivered::Publishes(publishes.into()),
            Err(PipelineError::Circle) => Delivered::Publishes(Publishes::None),
            Err(PipelineError::Ask(side, question)) => {
                Delivered::Wait(self.questions.ask(side, *question, asker))
            }
            Err(error) => match self.errors.judge(&error, || original(record, offset, timestamp)) {
                Judgement::Skip => Delivered::Publishes(Publishes::None),
                Judgement::DeadLetter(letter) => Delivered::DeadLetter(letter),
                Judgement::Fail => Delivered::Failed,
            },
        }
    }
}

impl From<Vec<Publish>> for Publishes {
    fn from(mut publishes: Vec<Publish>) -> Publishes {
        match publishes.len() {
            0 => Publishes::None,
            1 => Publishes::One(publishes.remove(0)),
            _ => {
                let first = publishes.remove(0);
                Publishes::Several(first, publishes)
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
