//! How connectors and their tasks are.

use std::fmt;

/// What a connector or a task is doing, as Connect calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// It has not been given to a worker, or not been started yet.
    #[default]
    Unassigned,
    /// It runs.
    Running,
    /// It rests, as [`TargetState::Paused`](super::TargetState::Paused) says.
    Paused,
    /// It has ended with an error and waits for a restart.
    Failed,
    /// It is being started again.
    Restarting,
    /// It has no tasks.
    Stopped,
}

/// A state, and why it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The state.
    pub state: RunState,
    /// Which worker says so.
    pub worker_id: String,
    /// What went wrong, in lines.
    pub trace: Option<String>,
}

/// How a connector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorCondition {
    /// Its name.
    pub name: String,
    /// The connector itself.
    pub connector: Condition,
    /// Its tasks, by number.
    pub tasks: Vec<Condition>,
    /// `source` or `sink`; nothing is known of a class that is none.
    pub kind: &'static str,
}

impl RunState {
    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<RunState> {
        [
            RunState::Unassigned,
            RunState::Running,
            RunState::Paused,
            RunState::Failed,
            RunState::Restarting,
            RunState::Stopped,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }

    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RunState::Unassigned => "UNASSIGNED",
            RunState::Running => "RUNNING",
            RunState::Paused => "PAUSED",
            RunState::Failed => "FAILED",
            RunState::Restarting => "RESTARTING",
            RunState::Stopped => "STOPPED",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
