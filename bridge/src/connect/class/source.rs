//! What sources have in common: our own options of the way to Kafka, and rules made of statements.

use std::time::Duration;

use midge_codec::{QoS, Text as MqttText, TopicFilter};
use midge_config::{Ack, Spool, SpoolFull, parse_interval};
use midge_rules::SourceRule;
use midge_rules::options::Default::{Null, Text};
use midge_rules::options::Importance::{Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef, Value};

use super::broker::{self, Names};
use super::given::Given;
use crate::connect::definition::Properties;
use crate::connect::plan::{Broker, SourceRulePlan, SourceWork, Task, Work};

/// Ours: the same as the keys of a source in `midge.toml`.
pub(super) static OWN: &[OptionDef] = &[
    OptionDef::new(
        "midge.ack",
        Kind::String,
        Null,
        Medium,
        "What a publisher's acknowledgement waits for: `spool` until Kafka has the record or the \
         disk has it, whichever is first (needs persistence, and is the default with it), `kafka` \
         until Kafka has the record (the default without), `none` for nothing, so that a record \
         may be lost. QoS 0, where it is said, makes it `none`.",
    )
    .accepting(&[Accepted::Check { check: is_ack, says: "spool, kafka, none" }]),
    OptionDef::new(
        "midge.headers",
        Kind::Boolean,
        Text("false"),
        Low,
        "Add headers: topic, client id, QoS, retain and MQTT 5 user properties.",
    ),
    OptionDef::new(
        "midge.buffer_bytes",
        Kind::Long,
        Text("67108864"),
        Low,
        "Bytes of records that wait for Kafka before publishers are held back.",
    )
    .accepting(&[Accepted::AtLeast(65_536)]),
    OptionDef::new(
        "midge.buffer_messages",
        Kind::Long,
        Text("100000"),
        Low,
        "Records that wait for Kafka before publishers are held back.",
    )
    .accepting(&[Accepted::Between(1, 100_000_000)]),
    OptionDef::new(
        "midge.producer_byte_rate",
        Kind::Long,
        Text("0"),
        Low,
        "Bytes of records a second that are given to Kafka; 0 is no limit.",
    )
    .accepting(&[Accepted::AtLeast(0)]),
    OptionDef::new(
        "midge.spool_max_bytes",
        Kind::Long,
        Text("1073741824"),
        Medium,
        "Bytes of messages that wait on disk for Kafka.",
    )
    .accepting(&[Accepted::AtLeast(1_048_576)]),
    OptionDef::new(
        "midge.spool_max_age",
        Kind::String,
        Null,
        Low,
        "Messages that have waited for longer are dropped and counted; without it they are kept \
         until Kafka has them.",
    )
    .accepting(&[INTERVAL]),
    OptionDef::new(
        "midge.spool_full",
        Kind::String,
        Text("push_back"),
        Low,
        "What happens at `midge.spool_max_bytes`: `push_back` holds publishers back until there is \
         room, `drop_oldest` drops what has waited longest, `drop_newest` drops what comes. Drops \
         are counted and logged.",
    )
    .accepting(&[Accepted::OneOf(&["push_back", "drop_oldest", "drop_newest"])]),
    OptionDef::new(
        "midge.spool_after",
        Kind::String,
        Text("1s"),
        Low,
        "How long Kafka may leave a record unacknowledged before all that it has not acknowledged \
         go to the disk.",
    )
    .accepting(&[INTERVAL]),
];

const INTERVAL: Accepted = Accepted::Check {
    check: |name, value| match value {
        Value::String(text) if parse_interval(text).is_none() => Err(format!(
            "Invalid value {text} for configuration {name}: expected a number followed by ms, s, \
             min, h or d"
        )),
        _ => Ok(()),
    },
    says: "a number followed by ms, s, min, h or d",
};

const ACKS: [&str; 3] = ["spool", "kafka", "none"];

fn is_ack(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if !ACKS.contains(&text.as_str()) => {
            let acks = ACKS.join(", ");
            let why = format!("String must be one of: {acks}");
            Err(format!("Invalid value {text} for configuration {name}: {why}"))
        }
        _ => Ok(()),
    }
}

/// A QoS.
pub(super) const QOS: &[Accepted] = &[Accepted::Between(0, 2)];

pub(super) fn qos(given: &Given<'_>, name: &str) -> QoS {
    match given.number(name) {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// What stands between a class's options and the tasks of a source.
pub(super) struct SourceOptions {
    pub(super) names: &'static Names,
    /// The option with the QoS.
    pub(super) qos: &'static str,
    /// A payload that its converter cannot read is logged and passed over.
    pub(super) skip_unconvertible: bool,
    /// The class never has more than one.
    pub(super) one_task: bool,
}

/// A rule and the properties that a task with it alone would show.
pub(super) struct Statement {
    pub(super) rule: SourceRulePlan,
    /// Its text, where it was a statement of KCQL.
    pub(super) text: Option<String>,
}

/// The tasks of a source. Those of another broker share their subscriptions; those of this one
/// share out the statements.
pub(super) fn tasks(
    given: &mut Given<'_>,
    options: &SourceOptions,
    kcql: Option<&str>,
    statements: Option<Vec<Statement>>,
) -> Option<Vec<Task>> {
    let broker = broker::broker(given, options.names);
    let template = work(given, options);
    let statements = statements?;
    let broker = broker?;
    let mut tasks_max = usize::try_from(given.number("tasks.max")).unwrap_or(1).max(1);
    if options.one_task && tasks_max > 1 {
        given.notice(format!("tasks.max: 1 of {tasks_max}: this connector has one task"));
        tasks_max = 1;
    }
    let config = task_config(given);
    let task = |config: &Properties, broker: Broker, rules: Vec<SourceRulePlan>| Task {
        config: config.clone(),
        work: Work::Source(SourceWork { broker, rules, ..template.clone() }),
    };
    if matches!(broker, Broker::There(_)) {
        let mut rules: Vec<SourceRulePlan> =
            statements.into_iter().map(|statement| statement.rule).collect();
        if tasks_max > 1 {
            let name = share(given, &mut rules);
            given.notice(format!(
                "tasks.max: {tasks_max} tasks share the subscriptions, as $share/{name}/FILTER: \
                 messages of one topic may change their order"
            ));
        }
        let tasks = (0..tasks_max).map(|number| {
            task(&config, broker::of_task(&broker, number, tasks_max), rules.clone())
        });
        return Some(tasks.collect());
    }
    // As Connect groups partitions: sizes differ by one at most, the larger ones first.
    let groups = tasks_max.min(statements.len()).max(1);
    if groups < tasks_max {
        let why = match kcql {
            Some(_) => "each statement has a task of its own already",
            None => "inside the broker one task uses all workers",
        };
        given.notice(format!("tasks.max: {groups} of {tasks_max}: {why}"));
    }
    let (size, larger) = (statements.len() / groups, statements.len() % groups);
    let mut rest = statements.into_iter();
    let tasks = (0..groups).map(|number| {
        let mut config = config.clone();
        let (mut rules, mut texts) = (Vec::new(), Vec::new());
        for mut statement in rest.by_ref().take(size + usize::from(number < larger)) {
            unshare(given, &mut statement.rule);
            rules.push(statement.rule);
            texts.extend(statement.text);
        }
        if let Some(option) = kcql.filter(|_| groups > 1) {
            config.insert(option.to_owned(), texts.join(";"));
        }
        task(&config, broker.clone(), rules)
    });
    Some(tasks.collect())
}

/// Makes subscriptions shared ones; returns their share's name.
fn share(given: &Given<'_>, rules: &mut [SourceRulePlan]) -> String {
    let name = given.name.replace(['/', '+', '#'], "_");
    for filter in rules.iter_mut().flat_map(|rule| &mut rule.filters) {
        if filter.share_name().is_none() {
            let shared = format!("$share/{name}/{}", filter.filter());
            if let Ok(shared) = TopicFilter::try_from(shared.as_str()) {
                *filter = shared;
            }
        }
    }
    name
}

/// Inside the broker a rule sees every message once: there is nobody to share with.
fn unshare(given: &mut Given<'_>, rule: &mut SourceRulePlan) {
    for filter in &mut rule.filters {
        if filter.share_name().is_some() {
            given.notice(format!(
                "ignored: $share of {}: inside the broker a rule sees every message once",
                filter.text().as_str()
            ));
            if let Ok(plain) = TopicFilter::try_from(filter.filter()) {
                *filter = plain;
            }
        }
    }
}

/// A connector's properties as its tasks show them.
pub(super) fn task_config(given: &Given<'_>) -> Properties {
    let mut config = given.properties.clone();
    let class = config.get("connector.class").map_or("", |class| class.trim());
    let full =
        given.class.names.iter().find(|full| **full == class).unwrap_or(&given.class.names[0]);
    let task = full.strip_suffix("Connector").unwrap_or(full);
    config.insert("task.class".to_owned(), format!("{task}Task"));
    config
}

/// Everything of a source's work but its broker and its rules.
fn work(given: &mut Given<'_>, options: &SourceOptions) -> SourceWork {
    let interval =
        |given: &Given<'_>, name| given.text(name).and_then(|text| parse_interval(&text));
    let default = Spool::default();
    let spool = Spool {
        max_bytes: given.number("midge.spool_max_bytes").unsigned_abs(),
        max_age: interval(given, "midge.spool_max_age"),
        full: match given.text("midge.spool_full").as_deref() {
            Some("drop_oldest") => SpoolFull::DropOldest,
            Some("drop_newest") => SpoolFull::DropNewest,
            _ => SpoolFull::PushBack,
        },
        after: interval(given, "midge.spool_after").unwrap_or(default.after),
    };
    let count = |given: &Given<'_>, name| usize::try_from(given.number(name)).unwrap_or(usize::MAX);
    let rate = given.number("midge.producer_byte_rate").unsigned_abs();
    SourceWork {
        broker: Broker::Here(None),
        qos: qos(given, options.qos),
        ack: ack(given, options),
        buffer: (count(given, "midge.buffer_bytes"), count(given, "midge.buffer_messages")),
        spool,
        producer_byte_rate: (rate > 0).then_some(rate),
        skip_unconvertible: options.skip_unconvertible,
        rules: Vec::new(),
    }
}

fn ack(given: &mut Given<'_>, options: &SourceOptions) -> Ack {
    let persistent = given.worker.persistent;
    let at_most_once = given.given(options.qos).is_some() && given.number(options.qos) == 0;
    let ack = match given.text("midge.ack").as_deref() {
        Some("spool") if !persistent => {
            let why = "found spool without persistence, expected kafka or none, or persistence \
                       enabled: the spool is on disk";
            given.error("midge.ack", format!("midge.ack: {why}"));
            return Ack::Spool;
        }
        Some("spool") => Ack::Spool,
        Some("kafka") => Ack::Kafka,
        Some("none") => Ack::None,
        _ if at_most_once => Ack::None,
        _ if persistent => Ack::Spool,
        _ => Ack::Kafka,
    };
    if ack != Ack::Spool {
        // With persistence the other rules have a spool as well, for what memory cannot hold.
        let (reason, names): (_, &[&str]) = match persistent {
            true => {
                let reason = "only acknowledgements from the spool make it begin by time";
                (reason, &["midge.spool_after"])
            }
            false => (
                "persistence is off, and the spool is on disk",
                &[
                    "midge.spool_max_bytes",
                    "midge.spool_max_age",
                    "midge.spool_full",
                    "midge.spool_after",
                ],
            ),
        };
        for name in names.iter().filter(|name| given.given(name).is_some()).collect::<Vec<_>>() {
            given.notice(format!("ignored: {name}: {reason}"));
        }
    }
    ack
}

/// The rule of a Kafka topic; a mistake is told at `option`.
pub(super) fn rule(given: &mut Given<'_>, option: &str, kafka_topic: &str) -> Option<SourceRule> {
    // A name that is none is told where the name is judged.
    let name = MqttText::try_from(given.name).ok()?;
    match SourceRule::new(name, kafka_topic, "${topic}", given.flag("midge.headers")) {
        Ok(rule) => Some(rule),
        Err(error) => {
            given.wrong(option, kafka_topic, error);
            None
        }
    }
}

/// How long an option's number of milliseconds is.
pub(super) fn millis(number: i64) -> Duration {
    Duration::from_millis(number.max(0).unsigned_abs())
}
