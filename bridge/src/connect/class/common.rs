//! The options that every connector has: Connect's own.
//!
//! Their words are Connect's where they are about Connect; groups, order and defaults too.

use std::time::Duration;

use midge_rules::check_kafka_topic;
use midge_rules::options::Default::{Null, Required, Text};
use midge_rules::options::Importance::{High, Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef, Value, Width};

use super::Idle;
use super::given::Given;
use crate::connect::plan::{DeadLetters, Errors, LogErrors};

const GROUP: &str = "Common";

/// Of every connector.
pub(super) static COMMON: &[OptionDef] = &[
    OptionDef::new(
        "name",
        Kind::String,
        Required,
        High,
        "Globally unique name to use for this connector.",
    )
    .accepting(&[Accepted::Check { check: is_name, says: "non-empty string" }])
    .shown(GROUP, 1, Width::Medium, "Connector name"),
    OptionDef::new(
        "connector.class",
        Kind::Class,
        Required,
        High,
        "Name or alias of the class for this connector: the full name, or the simple one with or \
         without \"Connector\" where only one class has it.",
    )
    .shown(GROUP, 2, Width::Long, "Connector class"),
    OptionDef::new(
        "connector.plugin.version",
        Kind::String,
        Null,
        Medium,
        "Version of the connector.",
    )
    .shown(GROUP, 3, Width::Medium, "Connector version"),
    OptionDef::new(
        "tasks.max",
        Kind::Int,
        Text("1"),
        High,
        "Maximum number of tasks to use for this connector.",
    )
    .accepting(&[Accepted::Between(1, TASKS_MAX)])
    .shown(GROUP, 4, Width::Short, "Tasks max"),
    OptionDef::new(
        "tasks.max.enforce",
        Kind::Boolean,
        Text("true"),
        Low,
        "(Deprecated) Whether to enforce that the tasks.max property is respected by the connector.",
    )
    .shown(GROUP, 5, Width::Short, "Enforce tasks max"),
    OptionDef::new(
        "key.converter",
        Kind::Class,
        Null,
        Low,
        "Converter class used to convert between Kafka Connect format and the serialized form that \
         is written to Kafka. This controls the format of the keys in messages written to or read \
         from Kafka. Without it the worker's counts, with the worker's options of it.",
    )
    .shown(GROUP, 6, Width::Short, "Key converter class"),
    OptionDef::new(
        "key.converter.plugin.version",
        Kind::String,
        Null,
        Low,
        "Version of the key converter.",
    )
    .shown(GROUP, 7, Width::Short, "Key converter version"),
    OptionDef::new(
        "value.converter",
        Kind::Class,
        Null,
        Low,
        "Converter class used to convert between Kafka Connect format and the serialized form that \
         is written to Kafka. This controls the format of the values in messages written to or \
         read from Kafka. Without it the worker's counts, with the worker's options of it.",
    )
    .shown(GROUP, 8, Width::Short, "Value converter class"),
    OptionDef::new(
        "value.converter.plugin.version",
        Kind::String,
        Null,
        Low,
        "Version of the value converter.",
    )
    .shown(GROUP, 9, Width::Short, "Value converter version"),
    OptionDef::new(
        "header.converter",
        Kind::Class,
        Null,
        Low,
        "HeaderConverter class used to convert between Kafka Connect format and the serialized \
         form of headers. By default, the SimpleHeaderConverter is used.",
    )
    .shown(GROUP, 10, Width::Short, "Header converter class"),
    OptionDef::new(
        "header.converter.plugin.version",
        Kind::String,
        Null,
        Low,
        "Version of the header converter.",
    )
    .shown(GROUP, 11, Width::Short, "Header converter version"),
    OptionDef::new(
        "transforms",
        Kind::List,
        Text(""),
        Low,
        "Aliases for the transformations to be applied to records.",
    )
    .shown("Transforms", 12, Width::Long, "Transforms"),
    OptionDef::new(
        "predicates",
        Kind::List,
        Text(""),
        Low,
        "Aliases for the predicates used by transformations.",
    )
    .shown("Predicates", 13, Width::Long, "Predicates"),
    OptionDef::new(
        "config.action.reload",
        Kind::String,
        Text("restart"),
        Low,
        "The action that Connect should take on the connector when changes in external \
         configuration providers result in a change in the connector's configuration properties.",
    )
    .accepting(&[Accepted::OneOf(&["none", "restart"])])
    .shown(GROUP, 14, Width::Medium, "Reload Action"),
];

/// More tasks than any worker has use for.
const TASKS_MAX: i64 = 1_000;

/// Of every sink.
pub(super) static TOPICS: &[OptionDef] = &[
    OptionDef::new(
        "topics",
        Kind::List,
        Text(""),
        High,
        "List of topics to consume, separated by commas",
    )
    .shown(GROUP, 4, Width::Long, "Topics"),
    OptionDef::new(
        "topics.regex",
        Kind::String,
        Text(""),
        High,
        "Regular expression giving topics to consume. Only one of topics or topics.regex should be \
         specified.",
    )
    .shown(GROUP, 4, Width::Long, "Topics regex"),
];

/// What happens to records that do not come through.
pub(super) static ERRORS: &[OptionDef] = &[
    OptionDef::new(
        "errors.retry.timeout",
        Kind::Long,
        Text("0"),
        Medium,
        "The maximum duration in milliseconds that a failed operation will be reattempted. The \
         default is 0, which means no retries will be attempted. Use -1 for infinite retries.",
    )
    .accepting(&[Accepted::AtLeast(-1)])
    .shown(ERROR_GROUP, 1, Width::Medium, "Retry Timeout for Errors"),
    OptionDef::new(
        "errors.retry.delay.max.ms",
        Kind::Long,
        Text("60000"),
        Medium,
        "The maximum duration in milliseconds between consecutive retry attempts.",
    )
    .accepting(&[Accepted::AtLeast(0)])
    .shown(ERROR_GROUP, 2, Width::Medium, "Maximum Delay Between Retries for Errors"),
    OptionDef::new(
        "errors.tolerance",
        Kind::String,
        Text("none"),
        Medium,
        "Behavior for tolerating errors during connector operation. 'none' is the default value \
         and signals that any error will result in an immediate connector task failure; 'all' \
         changes the behavior to skip over problematic records.",
    )
    .accepting(&[Accepted::OneOf(&["none", "all"])])
    .shown(ERROR_GROUP, 3, Width::Short, "Error Tolerance"),
    OptionDef::new(
        "errors.log.enable",
        Kind::Boolean,
        Text("false"),
        Medium,
        "If true, write each error and the details of the failed operation and problematic record \
         to the Connect application log. This is 'false' by default, so that only errors that are \
         not tolerated are reported.",
    )
    .shown(ERROR_GROUP, 4, Width::Short, "Log Errors"),
    OptionDef::new(
        "errors.log.include.messages",
        Kind::Boolean,
        Text("false"),
        Medium,
        "Whether to include in the log the topic, partition and offset of the record that resulted \
         in a failure.",
    )
    .shown(ERROR_GROUP, 5, Width::Short, "Log Error Details"),
    OptionDef::new(
        "errors.deadletterqueue.topic.name",
        Kind::String,
        Text(""),
        Medium,
        "The name of the topic to be used as the dead letter queue (DLQ) for messages that result \
         in an error. It serves sources as well as sinks. By default the name is blank, which \
         means that no messages are to be recorded in the DLQ.",
    )
    .accepting(&[Accepted::Check { check: is_kafka_topic, says: "a Kafka topic" }])
    .shown(ERROR_GROUP, 6, Width::Medium, "Dead Letter Queue Topic Name"),
    OptionDef::new(
        "errors.deadletterqueue.topic.replication.factor",
        Kind::Short,
        Text("3"),
        Medium,
        "Replication factor used to create the dead letter queue topic when it doesn't already \
         exist. -1 leaves it to Kafka.",
    )
    .accepting(&[Accepted::Check { check: is_replication_factor, says: "-1, or 1 and more" }])
    .shown(ERROR_GROUP, 7, Width::Medium, "Dead Letter Queue Topic Replication Factor"),
    OptionDef::new(
        "errors.deadletterqueue.context.headers.enable",
        Kind::Boolean,
        Text("false"),
        Medium,
        "If true, add headers containing error context to the messages written to the dead letter \
         queue. All of them start with __connect.errors.",
    )
    .shown(ERROR_GROUP, 8, Width::Medium, "Enable Error Context Headers"),
];

const ERROR_GROUP: &str = "Error Handling";

/// Of every source.
pub(super) static TOPIC_CREATION: &[OptionDef] = &[OptionDef::new(
    "topic.creation.groups",
    Kind::List,
    Text(""),
    Low,
    "Groups of configurations for topics created by source connectors",
)
.shown("Topic Creation", 1, Width::Long, "Topic Creation Groups")];

/// Of every source.
pub(super) static EXACTLY_ONCE: &[OptionDef] = &[
    OptionDef::new(
        "exactly.once.support",
        Kind::String,
        Text("requested"),
        Medium,
        "Permitted values are requested, required. Records reach Kafka at least once, so \
         \"required\" is refused.",
    )
    .accepting(&[Accepted::Check { check: is_not_exactly_once, says: "requested" }])
    .shown(EXACTLY_ONCE_GROUP, 2, Width::Short, "Exactly once support"),
    OptionDef::new(
        "transaction.boundary",
        Kind::String,
        Text("poll"),
        Medium,
        "Permitted values are: poll, interval, connector.",
    )
    .accepting(&[Accepted::OneOfAnyCase(&["poll", "interval", "connector"])])
    .shown(EXACTLY_ONCE_GROUP, 3, Width::Short, "Transaction Boundary"),
    OptionDef::new(
        "transaction.boundary.interval.ms",
        Kind::Long,
        Null,
        Low,
        "If 'transaction.boundary' is set to 'interval', determines the interval for producer \
         transaction commits by connector tasks.",
    )
    .shown(EXACTLY_ONCE_GROUP, 4, Width::Short, "Transaction boundary interval"),
];

const EXACTLY_ONCE_GROUP: &str = "Exactly Once Support";

/// Of every source.
pub(super) static OFFSETS: &[OptionDef] = &[OptionDef::new(
    "offsets.storage.topic",
    Kind::String,
    Null,
    Low,
    "The name of a separate offsets topic to use for this connector.",
)
.shown("offsets.topic", 1, Width::Long, "Offsets topic")];

/// Why a connector cannot say how topics are made.
pub(super) const TOPICS_OF_KAFKA: &str =
    "topics are made by Kafka (auto.create.topics.enable) or beforehand";

/// What of these is accepted and does nothing.
pub(super) static IDLE: &[Idle] = &[
    Idle {
        options: &[
            "connector.plugin.version",
            "key.converter.plugin.version",
            "value.converter.plugin.version",
            "header.converter.plugin.version",
        ],
        why: "there is one version of each class",
    },
    Idle { options: &["tasks.max.enforce"], why: "there are never more tasks than tasks.max" },
    Idle {
        options: &["config.action.reload"],
        why: "what configuration providers say is read when the connector is made",
    },
    Idle { options: &["topic.creation.groups"], why: TOPICS_OF_KAFKA },
    Idle {
        options: &["transaction.boundary", "transaction.boundary.interval.ms"],
        why: "records are written without transactions",
    },
    Idle {
        options: &["offsets.storage.topic"],
        why: "MQTT has no offsets, what was acknowledged is what has been read",
    },
];

/// Of every Lenses connector.
pub(super) const PROGRESS: OptionDef = OptionDef::new(
    "connect.progress.enabled",
    Kind::Boolean,
    Text("false"),
    Medium,
    "Enables the output for how many records have been processed.",
);

/// Whether a connector says how many records have passed.
pub(super) fn progress(given: &Given<'_>) -> bool {
    given.has(PROGRESS.name) && given.flag(PROGRESS.name)
}

/// What happens to records that do not come through.
pub(super) fn errors(given: &mut Given<'_>) -> Errors {
    let millis = |number: i64| Duration::from_millis(number.max(0).unsigned_abs());
    let timeout = given.number("errors.retry.timeout");
    let messages = given.flag("errors.log.include.messages");
    let log = given.flag("errors.log.enable").then_some(LogErrors { messages });
    if log.is_none() && messages {
        given.notice("ignored: errors.log.include.messages: errors.log.enable is false");
    }
    let context_headers = given.flag("errors.deadletterqueue.context.headers.enable");
    let factor = given.number("errors.deadletterqueue.topic.replication.factor");
    let topic = given.text("errors.deadletterqueue.topic.name");
    if topic.is_none() {
        let others = ["topic.replication.factor", "context.headers.enable"];
        let others = others.map(|other| format!("errors.deadletterqueue.{other}"));
        for other in others {
            if given.given(&other).is_some() {
                given.notice(format!(
                    "ignored: {other}: errors.deadletterqueue.topic.name names no topic"
                ));
            }
        }
    }
    Errors {
        tolerate: given.text("errors.tolerance").as_deref() == Some("all"),
        retry_timeout: (timeout >= 0).then(|| millis(timeout)),
        retry_delay_max: millis(given.number("errors.retry.delay.max.ms")),
        log,
        dead_letters: topic.map(|topic| DeadLetters {
            kafka_topic: topic.into(),
            replication_factor: i16::try_from(factor).unwrap_or(-1),
            context_headers,
        }),
    }
}

fn is_name(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.is_empty() => {
            Err(format!("Invalid value  for configuration {name}: String may not be empty"))
        }
        Value::String(text) => match midge_codec::Text::try_from(text.as_str()) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("Invalid value for configuration {name}: {error}")),
        },
        _ => Ok(()),
    }
}

fn is_kafka_topic(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if !text.is_empty() => check_kafka_topic(text)
            .map_err(|error| format!("Invalid value {text} for configuration {name}: {error}")),
        _ => Ok(()),
    }
}

fn is_replication_factor(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) if *number < 1 && *number != -1 => Err(format!(
            "Invalid value {number} for configuration {name}: Value must be -1, or at least 1"
        )),
        _ => Ok(()),
    }
}

fn is_not_exactly_once(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.eq_ignore_ascii_case("requested") => Ok(()),
        Value::String(text) if text.eq_ignore_ascii_case("required") => Err(format!(
            "Invalid value {text} for configuration {name}: records reach Kafka at least once"
        )),
        Value::String(text) => Err(format!(
            "Invalid value {text} for configuration {name}: String must be one of (case \
             insensitive): REQUESTED, REQUIRED"
        )),
        _ => Ok(()),
    }
}
