//! `errors.*`: what happens to a record that does not come through.
//!
//! Words, groups, order and defaults are Connect's; unlike there, dead letters serve sources too.

use std::time::Duration;

use midge_rules::check_kafka_topic;
use midge_rules::options::Default::Text;
use midge_rules::options::Importance::Medium;
use midge_rules::options::{Accepted, Kind, OptionDef, Value, Width};

use super::given::Given;
use crate::connect::plan::{DeadLetters, Errors, LogErrors, Retry, Within};

/// What happens to records that do not come through.
pub(super) static OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "errors.retry.timeout",
        Kind::Long,
        Text("0"),
        Medium,
        "The maximum duration in milliseconds that a failed operation will be reattempted: a schema \
         registry that is away, a Kafka topic that is not there. Where it is not said it takes as \
         long as it takes, but for topics that messages choose; 0 means no retries, -1 infinite \
         ones.",
    )
    .accepting(&[Accepted::AtLeast(-1)])
    .shown(GROUP, 1, Width::Medium, "Retry Timeout for Errors"),
    OptionDef::new(
        "errors.retry.delay.max.ms",
        Kind::Long,
        Text("60000"),
        Medium,
        "The maximum duration in milliseconds between consecutive retry attempts. Where it is not \
         said it is 1000.",
    )
    .accepting(&[Accepted::AtLeast(0)])
    .shown(GROUP, 2, Width::Medium, "Maximum Delay Between Retries for Errors"),
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
    .shown(GROUP, 3, Width::Short, "Error Tolerance"),
    OptionDef::new(
        "errors.log.enable",
        Kind::Boolean,
        Text("false"),
        Medium,
        "If true, write each error and the details of the failed operation and problematic record \
         to the Connect application log. This is 'false' by default, so that only errors that are \
         not tolerated are reported.",
    )
    .shown(GROUP, 4, Width::Short, "Log Errors"),
    OptionDef::new(
        "errors.log.include.messages",
        Kind::Boolean,
        Text("false"),
        Medium,
        "Whether to include in the log the topic, partition and offset of the record that resulted \
         in a failure.",
    )
    .shown(GROUP, 5, Width::Short, "Log Error Details"),
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
    .shown(GROUP, 6, Width::Medium, "Dead Letter Queue Topic Name"),
    OptionDef::new(
        "errors.deadletterqueue.topic.replication.factor",
        Kind::Short,
        Text("3"),
        Medium,
        "Replication factor used to create the dead letter queue topic when it doesn't already \
         exist; -1 is Kafka's own. Where it is not said the topic is made by Kafka with the first \
         record (`auto.create.topics.enable`), or beforehand.",
    )
    .accepting(&[Accepted::Check { check: is_replication_factor, says: "-1, or 1 and more" }])
    .shown(GROUP, 7, Width::Medium, "Dead Letter Queue Topic Replication Factor"),
    OptionDef::new(
        "errors.deadletterqueue.context.headers.enable",
        Kind::Boolean,
        Text("false"),
        Medium,
        "If true, add headers containing error context to the messages written to the dead letter \
         queue. All of them start with __connect.errors.",
    )
    .shown(GROUP, 8, Width::Medium, "Enable Error Context Headers"),
];

const GROUP: &str = "Error Handling";

/// What happens to records that do not come through.
pub(super) fn errors(given: &mut Given<'_>) -> Errors {
    let millis = |number: i64| Duration::from_millis(number.max(0).unsigned_abs());
    let mut retry = Retry::default();
    if given.given("errors.retry.timeout").is_some() {
        retry.within = match given.number("errors.retry.timeout") {
            timeout if timeout < 0 => Within::Ever,
            timeout => Within::Time(millis(timeout)),
        };
    }
    if given.given("errors.retry.delay.max.ms").is_some() {
        retry.delay_max = millis(given.number("errors.retry.delay.max.ms"));
    }
    let messages = given.flag("errors.log.include.messages");
    let log = given.flag("errors.log.enable").then_some(LogErrors { messages });
    if log.is_none() && messages {
        given.notice("ignored: errors.log.include.messages: errors.log.enable is false");
    }
    let context_headers = given.flag("errors.deadletterqueue.context.headers.enable");
    let name = "errors.deadletterqueue.topic.replication.factor";
    let factor = given.given(name).is_some().then(|| given.number(name));
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
        retry,
        log,
        dead_letters: topic.map(|topic| DeadLetters {
            kafka_topic: topic.into(),
            replication_factor: factor.map(|factor| i16::try_from(factor).unwrap_or(-1)),
            context_headers,
        }),
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
