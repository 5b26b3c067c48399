//! Records of the configuration topic, in the formats of Connect's own workers.
//!
//! They are JSON without schemas. Records that only those workers need (the configurations of tasks,
//! which every worker of ours makes of the connector's own) are passed over; a record that is none
//! of theirs or ours is an error that stops nobody.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::connect::definition::{Definition, Owner, Properties, TargetState};
use crate::connect::group::Change;

/// Before the name of a connector: its properties.
const CONNECTOR: &str = "connector-";
/// Whether it shall run.
const TARGET: &str = "target-state-";
/// It starts anew.
const RESTART: &str = "restart-connector-";
/// One of its tasks does. Connect's workers ask each other for that by REST.
const RESTART_TASK: &str = "restart-task-";
/// What Connect's workers alone need.
const PASSED: [&str; 4] = ["task-", "commit-", "tasks-fencing-", "logger-cluster-"];
const SESSION_KEY: &str = "session-key";

/// Connectors beyond that are passed over.
const CONNECTORS_MAX: usize = 10_000;

/// A record of the topic, for one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is wanted so.
    Definition(Definition),
    /// It shall run, rest or stop.
    Target(TargetState),
    /// It is gone.
    Gone,
    /// It starts anew.
    Restart {
        /// With its tasks.
        include_tasks: bool,
        /// Only what has failed.
        only_failed: bool,
    },
    /// One task starts anew.
    RestartTask(usize),
}

/// The records that say a change, in the order in which they have to be written.
pub(crate) fn records(name: &str, change: &Change) -> Vec<(String, Option<Vec<u8>>)> {
    let record = |prefix: &str, value: &Value| {
        (format!("{prefix}{name}"), Some(value.to_string().into_bytes()))
    };
    match change {
        Change::Config { config, everywhere, target } => {
            // The state first: the properties alone make the connector.
            let state = target.map(|target| record(TARGET, &state(target)));
            let mut value = json!({ "properties": config });
            if *everywhere {
                value["everywhere"] = Value::Bool(true);
            }
            state.into_iter().chain([record(CONNECTOR, &value)]).collect()
        }
        Change::Target(target) => vec![record(TARGET, &state(*target))],
        Change::Gone => {
            vec![(format!("{CONNECTOR}{name}"), None), (format!("{TARGET}{name}"), None)]
        }
        Change::Restart { include_tasks, only_failed } => {
            let value = json!({ "include-tasks": include_tasks, "only-failed": only_failed });
            vec![record(RESTART, &value)]
        }
        Change::RestartTask(task) => {
            vec![(format!("{RESTART_TASK}{name}-{task}"), Some(b"{}".to_vec()))]
        }
    }
}

/// A state; those who do not know the second field know no third state either.
fn state(target: TargetState) -> Value {
    let (old, new) = match target {
        TargetState::Running => ("STARTED", "STARTED"),
        TargetState::Paused => ("PAUSED", "PAUSED"),
        TargetState::Stopped => ("PAUSED", "STOPPED"),
    };
    json!({ "state": old, "state.v2": new })
}

/// What the topic says, as far as it has been read.
#[derive(Default)]
pub(crate) struct Known {
    definitions: BTreeMap<String, Definition>,
    /// Of connectors that may still come: their state is written before their properties.
    targets: BTreeMap<String, TargetState>,
}

impl Known {
    /// All connectors.
    pub(crate) fn definitions(&self) -> &BTreeMap<String, Definition> {
        &self.definitions
    }

    /// Takes a record; what it says of which connector, if it says anything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<Option<(String, Heard)>, String> {
        let key = std::str::from_utf8(key).map_err(|_| "its key is not text".to_owned())?;
        if key == SESSION_KEY || PASSED.iter().any(|prefix| key.starts_with(prefix)) {
            return Ok(None);
        }
        let value = value.map(object).transpose()?;
        let heard = if let Some(name) = key.strip_prefix(TARGET) {
            self.target(name, value)?.map(|heard| (name, heard))
        } else if let Some(name) = key.strip_prefix(CONNECTOR) {
            Some((name, self.connector(name, value)?))
        } else if let Some(name) = key.strip_prefix(RESTART) {
            value.map(|value| {
                let is = |field: &str| value.get(field).and_then(Value::as_bool).unwrap_or(false);
                let (include_tasks, only_failed) = (is("include-tasks"), is("only-failed"));
                (name, Heard::Restart { include_tasks, only_failed })
            })
        } else if let Some(of) = key.strip_prefix(RESTART_TASK) {
            let (name, task) = numbered(of).ok_or("it names no task")?;
            value.map(|_| (name, Heard::RestartTask(task)))
        } else {
            return Err("its key is none of a configuration topic".to_owned());
        };
        Ok(heard.map(|(name, heard)| (name.to_owned(), heard)))
    }

    fn target(
        &mut self,
        name: &str,
        value: Option<Map<String, Value>>,
    ) -> Result<Option<Heard>, String> {
        let target = match value {
            None => {
                self.targets.remove(name);
                TargetState::Running
            }
            Some(value) => {
                let field = |field: &str| value.get(field).and_then(Value::as_str);
                let text = field("state.v2").or_else(|| field("state")).ok_or("it has no state")?;
                let target = match text {
                    "STARTED" => TargetState::Running,
                    "PAUSED" => TargetState::Paused,
                    "STOPPED" => TargetState::Stopped,
                    other => return Err(format!("found the state {other:?}")),
                };
                self.room(self.targets.len(), self.targets.contains_key(name))?;
                self.targets.insert(name.to_owned(), target);
                target
            }
        };
        let Some(definition) = self.definitions.get_mut(name) else { return Ok(None) };
        if definition.target == target {
            return Ok(None);
        }
        definition.target = target;
        Ok(Some(Heard::Target(target)))
    }

    fn connector(
        &mut self,
        name: &str,
        value: Option<Map<String, Value>>,
    ) -> Result<Heard, String> {
        let Some(value) = value else {
            self.definitions.remove(name);
            return Ok(Heard::Gone);
        };
        let found = value.get("properties").and_then(Value::as_object);
        let mut config = Properties::new();
        for (key, value) in found.ok_or("it has no properties")? {
            match value {
                Value::String(text) => drop(config.insert(key.clone(), text.clone())),
                Value::Null => {}
                _ => return Err(format!("the property {key} is not text")),
            }
        }
        self.room(self.definitions.len(), self.definitions.contains_key(name))?;
        let target = self.targets.get(name).copied().unwrap_or_default();
        let everywhere = value.get("everywhere").and_then(Value::as_bool);
        // Ours say it when it is so; of others' nobody has.
        let definition = Definition { config, target, owner: Owner::Rest, everywhere };
        self.definitions.insert(name.to_owned(), definition.clone());
        Ok(Heard::Definition(definition))
    }

    fn room(&self, have: usize, known: bool) -> Result<(), String> {
        match known || have < CONNECTORS_MAX {
            true => Ok(()),
            false => Err(format!("there are {CONNECTORS_MAX} connectors already")),
        }
    }
}

/// A name and a number with a hyphen between.
pub(super) fn numbered(text: &str) -> Option<(&str, usize)> {
    let (name, number) = text.rsplit_once('-')?;
    Some((name, number.parse().ok()?))
}

/// A JSON object.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("its value is no object".to_owned()),
        Err(error) => Err(format!("its value is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
