//! How a source makes a record of a message: by a rule alone, or by a pipeline.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use bytes::Bytes;
use midge_codec::Text;
use midge_core::Message;
use midge_rules::SourceRule;
use midge_rules::pipeline::{KafkaRecord, PipelineError, SourcePipeline, Stage};

use crate::connect::plan::Retry;
use crate::error_handling::{ErrorHandling, Judgement, Original};
use crate::questions::{Asked, Questions};
use crate::source::view;

/// How a source makes records.
pub(crate) enum Mapping {
    /// The payload stays as it is.
    Rule(SourceRule),
    /// Converters, projection and transforms.
    Pipeline(Box<Piped>),
}

/// A pipeline, with what it asks and what happens to what does not come through.
pub(crate) struct Piped {
    rule: SourceRule,
    /// Transforms may give a record another topic.
    routes_by_transforms: bool,
    pipeline: Mutex<SourcePipeline>,
    questions: Questions,
    pub(crate) errors: ErrorHandling,
}

/// What became of a message.
pub(crate) enum Made {
    /// Its record.
    Record(Box<KafkaRecord>),
    /// One of the dead-letter topic in its place.
    Letter(Box<KafkaRecord>),
    /// It is passed over.
    Nothing,
    /// A schema registry is asked, or a dead letter has no topic yet; why there is no answer, if that
    /// is known.
    Wait(Option<String>),
    /// The task has failed.
    Failed,
}

impl Mapping {
    /// The rule, which says topic, key and trail.
    pub(crate) fn rule(&self) -> &SourceRule {
        match self {
            Mapping::Rule(rule) => rule,
            Mapping::Pipeline(piped) => &piped.rule,
        }
    }

    /// Whether its task has failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Mapping::Pipeline(piped) if piped.errors.has_failed())
    }

    /// Whether a registry has answered what was asked for a record that waits.
    pub(crate) fn has_answers(&self) -> bool {
        matches!(self, Mapping::Pipeline(piped) if piped.questions.has_answers())
    }

    /// Its name in trails.
    pub(crate) fn name(&self) -> &Text {
        self.rule().name()
    }

    /// The Kafka topic, when it is the same for all messages.
    pub(crate) fn constant_kafka_topic(&self) -> Option<&str> {
        match self {
            Mapping::Rule(rule) => rule.constant_kafka_topic(),
            Mapping::Pipeline(piped) => {
                piped.rule.constant_kafka_topic().filter(|_| !piped.routes_by_transforms)
            }
        }
    }

    /// How long a Kafka topic that is not there is waited for.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Mapping::Rule(_) => Retry::default(),
            Mapping::Pipeline(piped) => piped.errors.retry(),
        }
    }
}

impl Piped {
    pub(crate) fn new(pipeline: SourcePipeline, errors: ErrorHandling) -> Result<Piped, String> {
        let questions = Questions::new(pipeline.registries(), errors.retry())?;
        let rule = pipeline.rule().clone();
        let routes_by_transforms = pipeline.has_transforms();
        Ok(Piped { rule, routes_by_transforms, pipeline: Mutex::new(pipeline), questions, errors })
    }

    /// Makes the record of a message; `asker` is woken when a registry has answered.
    pub(crate) fn make(&self, message: &Message, asker: Thread) -> Made {
        if self.errors.has_failed() {
            return Made::Failed;
        }
        let mut pipeline = self.pipeline.lock().unwrap_or_else(PoisonError::into_inner);
        for (side, question, answer) in self.questions.answers() {
            pipeline.answer(side, question, answer);
        }
        let received = i64::try_from(message.received_unix_millis).unwrap_or(0);
        match pipeline.record(&view(message), &message.payload, received) {
            Ok(Some(record)) => Made::Record(Box::new(record)),
            Ok(None) | Err(PipelineError::Circle) => Made::Nothing,
            Err(PipelineError::Ask(side, question)) => {
                match self.questions.ask(side, *question, asker) {
                    Asked::Waits(why) => Made::Wait(why),
                    Asked::GivenUp(error) => self.judge(&error, message),
                }
            }
            Err(error) => self.judge(&error, message),
        }
    }

    /// What becomes of a message whose record Kafka does not take.
    pub(crate) fn not_produced(&self, why: &str, message: &Message) -> Made {
        let error = PipelineError::Refused {
            stage: Stage::KafkaProduce,
            class: "org.apache.kafka.connect.runtime.WorkerSourceTask",
            exception: "org.apache.kafka.common.KafkaException",
            message: why.to_owned(),
        };
        self.judge(&error, message)
    }

    fn judge(&self, error: &PipelineError, message: &Message) -> Made {
        if self.errors.waits_for_topic() {
            return Made::Wait(None);
        }
        match self.errors.judge(error, || original(&self.rule, message)) {
            Judgement::Skip => Made::Nothing,
            Judgement::DeadLetter(letter) => Made::Letter(letter),
            Judgement::Fail => Made::Failed,
        }
    }
}

/// A message as it came: the payload under its topic, with the headers of the rule.
fn original(rule: &SourceRule, message: &Message) -> Original {
    let mut headers = Vec::new();
    rule.headers(&view(message), |name, value| {
        headers.push((Arc::from(name), Some(Bytes::copy_from_slice(value))));
    });
    Original {
        key: Some(Bytes::copy_from_slice(message.topic.as_str().as_bytes())),
        value: Some(message.payload.clone()),
        headers,
        timestamp: i64::try_from(message.received_unix_millis).ok(),
        place: None,
    }
}
