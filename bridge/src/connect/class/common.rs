//! The options that every connector has: Connect's own.
//!
//! Their words are Connect's where they are about Connect; groups, order and defaults too.

use midge_rules::options::Default::{Null, Required, Text};
use midge_rules::options::Importance::{High, Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef, Value, Width};

use super::Idle;
use super::given::Given;

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
        "(Deprecated) Whether to enforce that the tasks.max property is respected by the \
         connector.",
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
         form of headers. By default, the SimpleHeaderConverter is used, for which text \
         stays text.",
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

fn is_name(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.is_empty() => {
            Err(format!("Invalid value  for configuration {name}: String may not be empty"))
        }
        Value::String(text) => check_name(name, text),
        _ => Ok(()),
    }
}

/// A connector's name stands in the trails of its messages, so it is text as MQTT has it.
pub(super) fn check_name(option: &str, name: &str) -> Result<(), String> {
    midge_codec::Text::try_from(name)
        .map(drop)
        .map_err(|error| format!("Invalid value for configuration {option}: {error}"))
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
