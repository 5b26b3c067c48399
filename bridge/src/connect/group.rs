//! The workers that share connectors, as the herder of one of them sees them.
//!
//! Invariant: what one worker writes, every worker hears, in the same order; so all of them want the
//! same of each connector, and the last one that writes counts.

use std::collections::BTreeSet;

use super::definition::{Properties, TargetState};
use super::status::Condition;

/// What has a status and runs at one worker: a connector, or one of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// The connector itself.
    Connector,
    /// A task, by its number.
    Task(usize),
}

/// What a worker has all others hear of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is made, or has other properties.
    Config {
        /// All of them.
        config: Properties,
        /// Whether every worker runs it for its own broker; see
        /// [`Definition::everywhere`](super::Definition::everywhere).
        everywhere: bool,
        /// Whether it shall run, where that is new.
        target: Option<TargetState>,
    },
    /// It shall run, rest or stop.
    Target(TargetState),
    /// It is gone.
    Gone,
    /// It starts anew, with its tasks or those of them that failed.
    Restart {
        /// Whether its tasks do as well.
        include_tasks: bool,
        /// Whether only what has failed does.
        only_failed: bool,
    },
    /// One of its tasks starts anew.
    RestartTask(usize),
}

/// The group of workers that this one belongs to.
pub trait Group: Send + Sync + 'static {
    /// Whether all that the workers share has been read once; why not, otherwise.
    ///
    /// # Errors
    /// What is being waited for.
    fn ready(&self) -> Result<(), String>;

    /// Has every worker hear of a change; returns when this one has heard it.
    ///
    /// # Errors
    /// Why nobody knows whether they will.
    fn write(&self, name: &str, change: &Change) -> Result<(), String>;

    /// Whether a unit is this worker's, though it may have to wait before it runs.
    fn owns(&self, name: &str, unit: Unit) -> bool;

    /// Whether a task is this worker's, and nobody else can be running it.
    fn may_run(&self, name: &str, task: usize) -> bool;

    /// Tells all workers how a unit is; `None` is that there is no such unit any more.
    fn tell(&self, name: &str, unit: Unit, condition: Option<&Condition>);

    /// What was last told of a unit, by whomever.
    fn told(&self, name: &str, unit: Unit) -> Option<Condition>;

    /// The tasks of a connector of which something has been told.
    fn told_tasks(&self, name: &str) -> Vec<usize>;

    /// Tells all workers of a Kafka topic that a task uses.
    fn tell_topic(&self, name: &str, task: usize, topic: &str);

    /// The topics that have been told of a connector.
    fn topics(&self, name: &str) -> BTreeSet<String>;

    /// Has all workers forget them.
    fn forget_topics(&self, name: &str);

    /// Waits, for a while, until what has been told is where others read it.
    fn flush(&self);
}
