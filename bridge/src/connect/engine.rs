//! What the herder asks of those who run connectors.

use std::collections::BTreeSet;
use std::fmt;

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
}

/// All that is wrong with the properties of a connector, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig(pub Vec<String>);

/// Those who run connectors.
pub trait Engine: Send + Sync + 'static {
    /// `source` or `sink`, by the connector's class; `unknown` for a class that is none.
    fn kind(&self, config: &Properties) -> &'static str;

    /// What properties come to.
    ///
    /// # Errors
    /// With all that is wrong.
    fn plan(&self, name: &str, config: &Properties) -> Result<ConnectorPlan, InvalidConfig>;

    /// Starts a task, which may rest from the beginning.
    ///
    /// # Errors
    /// With the trace.
    fn start(
        &self,
        name: &str,
        number: usize,
        task: &TaskPlan,
        paused: bool,
        failed: Failed,
    ) -> Result<TaskHandle, String>;

    /// Has a task take nothing new, or go on.
    fn pause(&self, task: &TaskHandle, pause: bool);

    /// Ends a task; returns when nothing of it runs.
    fn end(&self, task: TaskHandle);

    /// Kafka topics that a task has used since they were last forgotten.
    fn topics(&self, name: &str, task: usize) -> BTreeSet<String>;
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
