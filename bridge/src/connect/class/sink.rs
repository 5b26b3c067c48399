//! What sinks have in common: which records they read, and what happens when nobody takes them.

use midge_codec::{QoS, Text as MqttText};
use midge_config::OffsetReset;
use midge_rules::converter::{Converter, Side};
use midge_rules::options::Default::Text;
use midge_rules::options::Importance::{Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::{SinkRule, Tombstone};

use super::converters::{self, Shared};
use super::given::Given;
use super::overrides;
use super::source::{millis, task_config};
use super::topics;
use crate::connect::plan::{ErrorPolicy, Reading, Task, Work};

/// Ours, of every sink.
pub(super) const MAX_UNDER_WAY: OptionDef = OptionDef::new(
    "midge.max_inflight_messages",
    Kind::Int,
    Text("1000"),
    Low,
    "Records taken from Kafka and not finished yet; `consumer.override.max.poll.records` says the \
     same where this does not.",
)
.accepting(&[Accepted::Between(1, 1_000_000)]);

/// Ours, of every sink to MQTT.
pub(super) static MQTT_OWN: &[OptionDef] = &[
    OptionDef::new(
        "midge.tombstones",
        Kind::String,
        Text("skip"),
        Medium,
        "A record without a value: `skip` passes over it, `clear` publishes it empty and retained, \
         which removes the topic's retained message.",
    )
    .accepting(&[Accepted::OneOf(&["skip", "clear"])]),
    MAX_UNDER_WAY,
];

/// What `error.policy` may be.
pub(super) const POLICIES: &[Accepted] = &[Accepted::OneOfAnyCase(&["THROW", "NOOP", "RETRY"])];

/// The tasks of a sink: each is a member of the same group, and Kafka shares out the partitions.
pub(super) fn tasks(given: &Given<'_>, mut work: impl FnMut(usize, usize) -> Work) -> Vec<Task> {
    let tasks = usize::try_from(given.number("tasks.max")).unwrap_or(1).max(1);
    let config = task_config(given);
    (0..tasks).map(|number| Task { config: config.clone(), work: work(number, tasks) }).collect()
}

/// Which records a sink reads.
pub(super) fn reading(given: &mut Given<'_>) -> Option<Reading> {
    let topics = topics::topics(given);
    let group_id =
        overrides::consumer(given, "group.id").unwrap_or_else(|| format!("connect-{}", given.name));
    let offset_reset = match overrides::consumer(given, "auto.offset.reset").as_deref() {
        None | Some("earliest") => OffsetReset::Earliest,
        Some("latest") => OffsetReset::Latest,
        Some(other) => {
            let name = "consumer.override.auto.offset.reset";
            given.error(name, format!("{name}: found {other}, expected earliest or latest"));
            OffsetReset::Earliest
        }
    };
    let mut under_way = given.number(MAX_UNDER_WAY.name);
    if given.given(MAX_UNDER_WAY.name).is_none()
        && let Some(records) = overrides::consumer(given, "max.poll.records")
    {
        match records.parse::<u32>() {
            Ok(records @ 1..=1_000_000) => under_way = i64::from(records),
            _ => {
                let name = "consumer.override.max.poll.records";
                let expected = "expected a whole number from 1 to 1000000";
                given.error(name, format!("{name}: found {records}, {expected}"));
            }
        }
    }
    Some(Reading {
        topics: topics?,
        group_id,
        offset_reset,
        max_under_way: usize::try_from(under_way).unwrap_or(1).max(1),
    })
}

/// The converters of a sink, as Connect's own worker files have them where nobody names one.
pub(super) fn converters(given: &mut Given<'_>) -> Option<(Shared, Converter)> {
    let shared = converters::shared(given, converters::JSON);
    let value = converters::converter(given, Side::Value, converters::JSON);
    Some((shared?, value?))
}

/// What happens when the other side takes nothing, by the options that begin with `prefix`.
pub(super) fn policy(given: &mut Given<'_>, prefix: &str) -> ErrorPolicy {
    let option = |name: &str| format!("{prefix}.{name}");
    let policy = given.text(&option("error.policy")).unwrap_or_default().to_ascii_uppercase();
    let interval = millis(given.number(&option("retry.interval")));
    let max = u32::try_from(given.number(&option("max.retries"))).unwrap_or(0);
    if policy != "RETRY" {
        let given_ones = [option("retry.interval"), option("max.retries")];
        let names: Vec<String> =
            given_ones.iter().filter_map(|name| Some(given.given(name)?.to_owned())).collect();
        for name in names {
            given.notice(format!("ignored: {name}: {prefix}.error.policy is not RETRY"));
        }
    }
    match policy.as_str() {
        "NOOP" => ErrorPolicy::Noop,
        "RETRY" => ErrorPolicy::Retry { interval, max },
        _ => ErrorPolicy::Throw,
    }
}

pub(super) fn tombstone(given: &Given<'_>) -> Tombstone {
    match given.text("midge.tombstones").as_deref() {
        Some("clear") => Tombstone::Clear,
        _ => Tombstone::Skip,
    }
}

/// The rule of an MQTT topic's template; a mistake is told at `option`.
pub(super) fn rule(
    given: &mut Given<'_>,
    option: &str,
    template: &str,
    qos: QoS,
    retain: bool,
) -> Option<SinkRule> {
    // A name that is none is told where the name is judged.
    let name = MqttText::try_from(given.name).ok()?;
    match SinkRule::new(name, template, qos, retain, tombstone(given)) {
        Ok(rule) => Some(rule),
        Err(error) => {
            given.wrong(option, template, error);
            None
        }
    }
}
