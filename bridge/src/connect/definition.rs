//! What is wanted of a connector: its properties, and whether it shall run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Properties of a connector, a task or a worker.
pub type Properties = BTreeMap<String, String>;

/// Whether a connector shall run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetState {
    /// It runs.
    #[default]
    #[serde(alias = "STARTED")]
    Running,
    /// It rests: a source of this broker keeps what comes, any other task takes nothing new.
    Paused,
    /// It has no tasks.
    Stopped,
}

/// Whose a connector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A file's: REST may show, pause and restart it, and no more.
    File,
    /// REST's.
    Rest,
}

/// What is wanted of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its properties, the name among them.
    pub config: Properties,
    /// Whether it shall run.
    pub target: TargetState,
    /// Whose it is.
    pub owner: Owner,
    /// In a group of workers: whether each of them runs it for its own broker, and none of them runs
    /// it for another one's. So said by the worker that made the connector, so that all agree; where
    /// nobody has said it, each worker judges by itself.
    pub everywhere: Option<bool>,
}
