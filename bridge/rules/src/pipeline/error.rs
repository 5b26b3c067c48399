//! Why a record does not come through, and where.

use std::fmt;

use crate::converter::{ConvertError, Question, Side};
use crate::projection::ProjectionError;
use crate::refusal::Refusal;
use crate::transform::TransformError;

/// A step of a connector, by Connect's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connector's own part of a sink.
    TaskPut,
    /// A transform.
    Transformation,
    /// The converter of keys.
    KeyConverter,
    /// The converter of values.
    ValueConverter,
    /// The converter of headers.
    HeaderConverter,
    /// The connector's own part of a source.
    TaskPoll,
    /// Handing the record to Kafka.
    KafkaProduce,
}

/// Why a record does not come through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineError {
    /// A schema registry has to be asked first; then the same call again.
    Ask(Side, Box<Question>),
    /// The record can never come through.
    Refused {
        /// Where.
        stage: Stage,
        /// Which class of Connect does that step.
        class: &'static str,
        /// Which exception it would throw.
        exception: &'static str,
        /// What was found and what was expected.
        message: String,
    },
    /// It has passed this rule before: not a mistake of the record.
    Circle,
}

/// The exception for data that is not what it should be.
pub(super) const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
const CONNECT_EXCEPTION: &str = "org.apache.kafka.connect.errors.ConnectException";

impl Stage {
    /// Its name in headers of dead letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stage::TaskPut => "TASK_PUT",
            Stage::Transformation => "TRANSFORMATION",
            Stage::KeyConverter => "KEY_CONVERTER",
            Stage::ValueConverter => "VALUE_CONVERTER",
            Stage::HeaderConverter => "HEADER_CONVERTER",
            Stage::TaskPoll => "TASK_POLL",
            Stage::KafkaProduce => "KAFKA_PRODUCE",
        }
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PipelineError::Ask(_, question) => {
                write!(f, "a schema registry has to be asked: {question}")
            }
            PipelineError::Refused { stage, message, .. } => {
                write!(f, "{}: {message}", stage.name())
            }
            PipelineError::Circle => f.write_str("the message has passed this rule before"),
        }
    }
}

impl std::error::Error for PipelineError {}

impl PipelineError {
    /// What a converter of keys or values says.
    pub(super) fn of_converter(side: Side, class: &'static str, error: ConvertError) -> Self {
        let stage = match side {
            Side::Key => Stage::KeyConverter,
            Side::Value => Stage::ValueConverter,
        };
        match error {
            ConvertError::Ask(question) => PipelineError::Ask(side, question),
            ConvertError::Data(message) => {
                PipelineError::Refused { stage, class, exception: DATA_EXCEPTION, message }
            }
        }
    }

    /// What a connector's own part says.
    pub(super) fn of_task(stage: Stage, class: &'static str, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        PipelineError::Refused { stage, class, exception: CONNECT_EXCEPTION, message }
    }

    pub(super) fn of_transform(error: &TransformError) -> Self {
        let TransformError { class, exception, .. } = *error;
        let message = error.to_string();
        PipelineError::Refused { stage: Stage::Transformation, class, exception, message }
    }

    pub(super) fn of_projection(
        stage: Stage,
        class: &'static str,
        error: &ProjectionError,
    ) -> Self {
        PipelineError::of_task(stage, class, error)
    }

    pub(super) fn of_rule(stage: Stage, class: &'static str, refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Circle => PipelineError::Circle,
            refusal => PipelineError::of_task(stage, class, refusal),
        }
    }

    pub(super) fn of_header(message: impl Into<String>) -> Self {
        PipelineError::Refused {
            stage: Stage::HeaderConverter,
            class: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            exception: DATA_EXCEPTION,
            message: message.into(),
        }
    }
}
