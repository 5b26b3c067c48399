//! The connector classes: what each makes of a connector's properties, and how it tells about them.
//!
//! A class is a table of options and a function from their values to tasks. One reading of the
//! properties serves all askers: [`plan`] takes what came of it, [`validate`] the mistakes beside
//! each option, [`config_keys`] the tables alone, and the pages of `docs/connectors` are made of
//! them too.
//!
//! Invariants: pure, what files say comes in [`Worker::files`]. All mistakes are told at once. No
//! property is passed over in silence: it is obeyed, or refused, or told as without effect.

mod broker;
mod common;
mod confluent_sink;
mod confluent_source;
mod converters;
mod errors;
mod evokly_source;
mod given;
mod influx_sink;
mod lenses;
mod lenses_sink;
mod lenses_source;
mod overrides;
mod plugins;
mod reference;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod topic_lists;
mod topics;
mod validate;
mod values;

use midge_rules::options::{ConfigError, OptionDef};

pub(crate) use converters::of_worker as converters_of_worker;
pub(crate) use influx_sink::CA as INFLUX_CA;
pub use lenses::files;
pub use plugins::plugins;
pub use reference::{names, page};
pub use validate::{config_keys, validate};
pub use values::values;

use super::definition::Properties;
use super::engine::InvalidConfig;
use super::plan::{Plan, Task, Worker};
use given::Given;

/// A class of connectors.
#[derive(Debug)]
pub struct Class {
    /// Its full names, the one it is known by first.
    pub names: &'static [&'static str],
    /// Which way it carries records.
    pub direction: Direction,
    /// Its own options.
    options: &'static [OptionDef],
    /// Those that are ours, which the class has nowhere else.
    own: &'static [OptionDef],
    /// Options that are accepted and do nothing.
    idle: &'static [Idle],
    /// Options that say how a broker is connected to, and do nothing where it is this one.
    connection: &'static [&'static str],
    /// The page of `docs/connectors` about it.
    page: &'static str,
    /// What its options come to; `None` when a mistake has been told.
    tasks: fn(&mut Given<'_>) -> Option<Vec<Task>>,
}

/// Which way records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To Kafka.
    Source,
    /// From Kafka.
    Sink,
}

/// Options that are accepted and do nothing.
#[derive(Debug)]
struct Idle {
    options: &'static [&'static str],
    why: &'static str,
}

/// In the order in which they are listed.
static CLASSES: [&Class; 7] = [
    &evokly_source::CLASS,
    &lenses_source::CLASS,
    &lenses_sink::CLASS,
    &influx_sink::CLASS,
    &confluent_source::CLASS,
    &confluent_sink::CLASS,
    &topic_lists::CLASS,
];

/// What was found in a connector's properties.
pub struct Reading {
    /// What they come to, without mistakes.
    pub plan: Option<Plan>,
    /// All mistakes, each with the property it is about.
    pub errors: Vec<ConfigError>,
    /// What was accepted and yet is worth a word.
    pub notices: Vec<String>,
}

impl Direction {
    /// Its name as REST has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Source => "source",
            Direction::Sink => "sink",
        }
    }
}

impl Class {
    /// Whether a name is this class's: a full name, the simple one, or that without `Connector`.
    fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|full| {
            let simple = full.rsplit('.').next().unwrap_or(full);
            name == *full || name == simple || simple.strip_suffix("Connector") == Some(name)
        })
    }

    /// Every table of it, in the order in which Connect shows them.
    fn tables(&self) -> impl Iterator<Item = &'static [OptionDef]> {
        static OF_SOURCES: [&[OptionDef]; 3] =
            [common::TOPIC_CREATION, common::EXACTLY_ONCE, common::OFFSETS];
        static OF_SINKS: [&[OptionDef]; 1] = [common::TOPICS];
        let of_direction: &[&[OptionDef]] = match self.direction {
            Direction::Source => &OF_SOURCES,
            Direction::Sink => &OF_SINKS,
        };
        [common::COMMON, errors::OPTIONS]
            .into_iter()
            .chain(of_direction.iter().copied())
            .chain([self.options, self.own])
    }

    /// Options of it, and of Connect, that are accepted and do nothing.
    fn idle(&self) -> impl Iterator<Item = &'static Idle> {
        self.idle.iter().chain(common::IDLE)
    }
}

/// The class of a name: a full one of either family, or a simple one that only one class has.
///
/// # Errors
/// In Connect's words when there is none, or more than one.
pub fn find(name: &str) -> Result<&'static Class, InvalidConfig> {
    let name = name.trim();
    let mut called = CLASSES.iter().filter(|class| class.is_called(name));
    match (called.next(), called.next()) {
        (Some(class), None) => Ok(class),
        (None, _) => {
            let all: Vec<&str> = CLASSES.iter().flat_map(|class| class.names).copied().collect();
            Err(InvalidConfig::Whole(format!(
                "Failed to find any class that implements Connector and which name matches {name}, \
                 available connectors are: {}",
                all.join(", ")
            )))
        }
        (Some(_), Some(_)) => {
            let classes = CLASSES.iter().filter(|class| class.is_called(name));
            let all: Vec<&str> = classes.map(|class| class.names[0]).collect();
            Err(InvalidConfig::Whole(format!(
                "More than one connector matches alias {name}. Please use full package and class \
                 name instead. Classes found: {}",
                all.join(", ")
            )))
        }
    }
}

/// The class that properties name.
fn named(properties: &Properties) -> Result<&'static Class, InvalidConfig> {
    match properties.get("connector.class") {
        Some(name) => find(name),
        None => {
            let pairs: Vec<String> = properties
                .iter()
                .map(|(key, value)| format!("{key}={}", shown(key, value)))
                .collect();
            Err(InvalidConfig::Whole(format!(
                "Connector config {{{}}} contains no connector type",
                pairs.join(", ")
            )))
        }
    }
}

/// A value for messages: not that of a password, whose option nobody knows without a class.
pub(crate) fn shown<'v>(key: &str, value: &'v str) -> &'v str {
    let key = key.to_ascii_lowercase();
    let secret = ["password", "secret", "token", "credential", "user.info", "jaas", "key.pem"];
    if secret.iter().any(|word| key.contains(word)) { "[hidden]" } else { value }
}

/// Reads the properties of a connector.
///
/// # Errors
/// When their class is none.
pub fn read(
    name: &str,
    properties: &Properties,
    worker: &Worker,
) -> Result<Reading, InvalidConfig> {
    let class = named(properties)?;
    let mut given = Given::new(class, name, properties, worker);
    let errors = errors::errors(&mut given);
    let (overrides, dead_letter_clients) = overrides::overrides(&mut given);
    let progress = common::progress(&given);
    let tasks = (class.tasks)(&mut given);
    given.tell_idle();
    given.tell_unknown();
    let Given { errors: mistakes, notices, .. } = given;
    let plan = tasks.filter(|_| mistakes.is_empty()).map(|tasks| Plan {
        name: name.to_owned(),
        tasks,
        errors,
        progress,
        overrides,
        dead_letter_clients,
        notices: notices.clone(),
    });
    Ok(Reading { plan, errors: mistakes, notices })
}

/// What a connector's properties come to.
///
/// # Errors
/// With all that is wrong.
pub fn plan(name: &str, properties: &Properties, worker: &Worker) -> Result<Plan, InvalidConfig> {
    let Reading { plan, errors, .. } = read(name, properties, worker)?;
    plan.ok_or_else(|| {
        InvalidConfig::Values(errors.into_iter().map(|error| error.message).collect())
    })
}
