//! What the herder asks of those who run connectors.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::definition::Properties;

/// What a task calls, once, when it cannot go on: with the trace.
pub type Failed = Box<dyn Fn(String) + Send + Sync>;

/// A task that runs.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskHandle(pub u64);

/// What a connector's properties come to.
#[derive(Debug, Clone)]
pub struct ConnectorPlan {
    /// One or more.
    pub tasks: Vec<TaskPlan>,
}

/// A part of a connector that runs by itself.
#[derive(Debug, Clone)]
pub struct TaskPlan {
    /// Its properties, as they are shown.
    pub config: Properties,
    /// Whether it takes what this broker's own clients publish, which no other worker can do.
    pub of_this_broker: bool,
}

/// What is wrong with the properties of a connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// They are not those of a connector at all.
    #[error("{0}")]
    Whole(String),
    /// All that is wrong with them, a line each.
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
}

/// Why a connector is not moved to other offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAltered {
    /// They are no offsets of such a connector.
    #[error("{0}")]
    Wrong(String),
    /// It cannot be done.
    #[error("{0}")]
    Failed(String),
}

/// A class that a worker has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// Its name in Java.
    pub class: &'static str,
    /// `source`, `sink`, `transformation`, `predicate`, `converter` or `header_converter`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// An option of a class, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigKey {
    /// Its name.
    pub name: String,
    /// Its type, in capitals.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it has to be said.
    pub required: bool,
    /// What stands for it when it is not said.
    pub default_value: Option<String>,
    /// `HIGH`, `MEDIUM` or `LOW`.
    pub importance: &'static str,
    /// What it does.
    pub documentation: String,
    /// Which options it stands with.
    pub group: Option<String>,
    /// Its place among them; -1 without a group.
    pub order_in_group: i32,
    /// `NONE`, `SHORT`, `MEDIUM` or `LONG`.
    pub width: &'static str,
    /// Its name in a form.
    pub display_name: String,
    /// Options that depend on it.
    pub dependents: Vec<String>,
}

/// What was found for an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigValue {
    /// Its name.
    pub name: String,
    /// The value, or its default.
    pub value: Option<String>,
    /// Values that would be good.
    pub recommended_values: Vec<String>,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

/// What was found in the properties of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The class.
    pub class: String,
    /// The groups, in order.
    pub groups: Vec<String>,
    /// Every option, in order.
    pub configs: Vec<(ConfigKey, ConfigValue)>,
}

/// A partition and an offset in it, both as Connect shows them; no offset is the beginning.
pub type Offset = (Map<String, Value>, Option<Map<String, Value>>);

/// Where a connector is in what it reads.
pub type Offsets = Vec<Offset>;

/// Those who run connectors.
pub trait Engine: Send + Sync + 'static {
    /// `source` or `sink`, by the connector's class; `unknown` for a class that is none.
    fn kind(&self, config: &Properties) -> &'static str;

    /// What properties come to.
    ///
    /// # Errors
    /// With all that is wrong.
    fn plan(&self, name: &str, config: &Properties) -> Result<ConnectorPlan, InvalidConfig>;

    /// Starts a task of a connector with these properties; it may rest from the beginning.
    ///
    /// # Errors
    /// With the trace.
    fn start(
        &self,
        name: &str,
        config: &Properties,
        number: usize,
        paused: bool,
        failed: Failed,
    ) -> Result<TaskHandle, String>;

    /// Has a task bring nothing to the other side, or go on.
    fn pause(&self, task: &TaskHandle, pause: bool);

    /// What keeps a task that runs from its work for the moment, if anything does.
    fn trouble(&self, name: &str, number: usize) -> Option<String>;

    /// Ends a task; returns when nothing of it runs.
    fn end(&self, task: TaskHandle);

    /// The same for a task that is to be started again: what comes for it waits until its connector
    /// is let go, where that can be.
    fn hold(&self, task: TaskHandle) {
        self.end(task);
    }

    /// All tasks of a connector that are to run have been started: they take what has waited.
    fn let_go(&self, _name: &str) {}

    /// Whether a task that has failed goes on keeping what comes for it, until it is started again.
    fn keeps(&self, _task: &TaskHandle) -> bool {
        false
    }

    /// Kafka topics that a connector has used since they were last forgotten.
    fn topics(&self, name: &str) -> BTreeSet<String>;

    /// Forgets them.
    fn forget_topics(&self, name: &str);

    /// Forgets all of a connector that has been removed.
    fn forget(&self, name: &str);

    /// Where a connector is in what it reads.
    ///
    /// # Errors
    /// Why nobody knows.
    fn offsets(&self, name: &str, config: &Properties) -> Result<Offsets, String>;

    /// Moves a connector that is stopped; an offset that is none begins anew. No offsets at all: all
    /// of them do.
    ///
    /// # Errors
    /// Why it cannot be moved.
    fn alter_offsets(
        &self,
        name: &str,
        config: &Properties,
        offsets: &Offsets,
    ) -> Result<(), NotAltered>;

    /// The classes there are: connectors first.
    fn plugins(&self) -> Vec<Plugin>;

    /// The options of a class, by its full or simple name.
    fn config_keys(&self, class: &str) -> Option<Vec<ConfigKey>>;

    /// What is found in properties for a connector.
    ///
    /// # Errors
    /// When their class is none.
    fn validate(&self, config: &Properties) -> Result<Validation, InvalidConfig>;

    /// The id of the Kafka cluster, once it is known.
    fn kafka_cluster_id(&self) -> Option<String>;
}
