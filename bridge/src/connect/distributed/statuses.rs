//! What the workers tell of connectors and tasks: records of the status topic, in the formats of
//! Connect's own workers, and what has been read of them.
//!
//! Invariant: nothing is kept of a unit after its record has been taken back; what is malformed is an
//! error that stops nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::config_record::{numbered, object};
use crate::connect::group::Unit;
use crate::connect::status::{Condition, RunState};

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
/// Between a topic and its connector.
const OF: &str = ":connector-";

/// Units and topics beyond that are passed over.
const ENTRIES_MAX: usize = 100_000;

/// What has been read.
#[derive(Default)]
pub(super) struct Statuses {
    units: BTreeMap<(String, Unit), Condition>,
    topics: BTreeMap<String, BTreeSet<String>>,
}

/// What a record was about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A unit.
    Unit(String, Unit),
    /// A topic of a connector, which is used or not any more.
    Topic { connector: String, used: bool },
}

/// The key of a unit's record.
pub(super) fn key(name: &str, unit: Unit) -> String {
    match unit {
        Unit::Connector => format!("{CONNECTOR}{name}"),
        Unit::Task(task) => format!("{TASK}{name}-{task}"),
    }
}

/// Its value; the generation orders those of several workers.
pub(super) fn value(condition: &Condition, generation: u32) -> Vec<u8> {
    let Condition { state, worker_id, trace } = condition;
    let value = json!({
        "state": state.name(),
        "trace": trace,
        "worker_id": worker_id,
        "generation": generation,
        "version": env!("CARGO_PKG_VERSION"),
    });
    value.to_string().into_bytes()
}

/// The key of the record of a topic that a connector uses.
pub(super) fn topic_key(name: &str, topic: &str) -> String {
    format!("{TOPIC}{topic}{OF}{name}")
}

/// Its value.
pub(super) fn topic_value(name: &str, task: usize, topic: &str, unix_millis: u64) -> Vec<u8> {
    let value = json!({
        "topic": {
            "name": topic,
            "connector": name,
            "task": task,
            "discoverTimestamp": unix_millis,
        }
    });
    value.to_string().into_bytes()
}

impl Statuses {
    /// Takes a record; what it was about.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<About, String> {
        let key = std::str::from_utf8(key).map_err(|_| "its key is not text".to_owned())?;
        let (name, unit) = if let Some(of) = key.strip_prefix(TOPIC) {
            return self.topic(of, value);
        } else if let Some(name) = key.strip_prefix(CONNECTOR) {
            (name, Unit::Connector)
        } else if let Some(of) = key.strip_prefix(TASK) {
            let (name, task) = numbered(of).ok_or("it names no task")?;
            (name, Unit::Task(task))
        } else {
            return Err("its key is none of a status topic".to_owned());
        };
        let of = (name.to_owned(), unit);
        match value {
            None => drop(self.units.remove(&of)),
            Some(value) => {
                let condition = condition(value)?;
                self.room(self.units.contains_key(&of))?;
                self.units.insert(of, condition);
            }
        }
        Ok(About::Unit(name.to_owned(), unit))
    }

    fn topic(&mut self, of: &str, value: Option<&[u8]>) -> Result<About, String> {
        // A topic has no colon in its name.
        let (topic, name) = of.split_once(OF).ok_or("it names no connector")?;
        let connector = name.to_owned();
        match value {
            None => {
                if let Some(topics) = self.topics.get_mut(name) {
                    topics.remove(topic);
                    if topics.is_empty() {
                        self.topics.remove(name);
                    }
                }
                Ok(About::Topic { connector, used: false })
            }
            Some(value) => {
                object(value)?.get("topic").and_then(Value::as_object).ok_or("it has no topic")?;
                let topics = self.topics.get(name);
                self.room(topics.is_some_and(|topics| topics.contains(topic)))?;
                self.topics.entry(connector.clone()).or_default().insert(topic.to_owned());
                Ok(About::Topic { connector, used: true })
            }
        }
    }

    fn room(&self, known: bool) -> Result<(), String> {
        let have = self.units.len() + self.topics.values().map(BTreeSet::len).sum::<usize>();
        match known || have < ENTRIES_MAX {
            true => Ok(()),
            false => Err(format!("there are {ENTRIES_MAX} statuses already")),
        }
    }

    /// What was last told of a unit.
    pub(super) fn of(&self, name: &str, unit: Unit) -> Option<&Condition> {
        self.units.get(&(name.to_owned(), unit))
    }

    /// The tasks of a connector that have a status.
    pub(super) fn tasks(&self, name: &str) -> Vec<usize> {
        let from = (name.to_owned(), Unit::Task(0));
        let of_it = self.units.range(from..).take_while(|((of, _), _)| of == name);
        of_it
            .filter_map(|((_, unit), _)| match unit {
                Unit::Task(task) => Some(*task),
                Unit::Connector => None,
            })
            .collect()
    }

    /// The topics of a connector.
    pub(super) fn topics(&self, name: &str) -> BTreeSet<String> {
        self.topics.get(name).cloned().unwrap_or_default()
    }

    /// Tasks that another worker said it runs, as far as anybody has heard.
    pub(super) fn alive_elsewhere(&self, worker_id: &str) -> impl Iterator<Item = (&str, Unit)> {
        let alive = move |condition: &Condition| {
            condition.worker_id != worker_id
                && matches!(
                    condition.state,
                    RunState::Running | RunState::Paused | RunState::Restarting
                )
        };
        let tasks = self.units.iter().filter(|((_, unit), _)| *unit != Unit::Connector);
        tasks
            .filter(move |(_, condition)| alive(condition))
            .map(|((name, unit), _)| (&**name, *unit))
    }
}

fn condition(value: &[u8]) -> Result<Condition, String> {
    let object = object(value)?;
    let text = |field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    let state = text("state").ok_or("it has no state")?;
    let state = RunState::named(&state).ok_or_else(|| format!("found the state {state:?}"))?;
    let worker_id = text("worker_id").ok_or("it has no worker_id")?;
    Ok(Condition { state, worker_id, trace: text("trace") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(worker_id: &str) -> Condition {
        Condition { state: RunState::Running, worker_id: worker_id.to_owned(), trace: None }
    }

    fn tell(statuses: &mut Statuses, name: &str, unit: Unit, condition: &Condition) {
        let read = statuses.read(key(name, unit).as_bytes(), Some(&value(condition, 7)));
        assert_eq!(read, Ok(About::Unit(name.to_owned(), unit)));
    }

    #[test]
    fn what_one_worker_tells_another_reads_until_it_is_taken_back() {
        let mut statuses = Statuses::default();
        let failed = Condition {
            state: RunState::Failed,
            worker_id: "one:8083".to_owned(),
            trace: Some("it broke\n\tat here".to_owned()),
        };
        tell(&mut statuses, "a-1", Unit::Connector, &running("one:8083"));
        tell(&mut statuses, "a-1", Unit::Task(10), &failed);
        tell(&mut statuses, "a-1", Unit::Task(2), &running("two:8083"));
        tell(&mut statuses, "a", Unit::Task(1), &running("two:8083"));
        assert_eq!(statuses.of("a-1", Unit::Task(10)), Some(&failed));
        assert_eq!(statuses.tasks("a-1"), [2, 10]);
        let alive: Vec<_> = statuses.alive_elsewhere("one:8083").collect();
        assert_eq!(alive, [("a", Unit::Task(1)), ("a-1", Unit::Task(2))]);
        statuses.read(b"status-task-a-1-10", None).unwrap();
        assert_eq!(statuses.tasks("a-1"), [2]);
    }

    #[test]
    fn topics_are_told_and_taken_back_one_by_one() {
        let mut statuses = Statuses::default();
        for topic in ["x", "y"] {
            let read = statuses.read(
                topic_key("c:connector-d", topic).as_bytes(),
                Some(&topic_value("c:connector-d", 0, topic, 1)),
            );
            assert!(matches!(read, Ok(About::Topic { used: true, .. })), "{read:?}");
        }
        assert_eq!(statuses.topics("c:connector-d").len(), 2);
        statuses.read(topic_key("c:connector-d", "x").as_bytes(), None).unwrap();
        assert_eq!(statuses.topics("c:connector-d"), BTreeSet::from(["y".to_owned()]));
    }

    #[test]
    fn a_record_of_a_connect_worker_is_understood_and_a_wrong_one_refused() {
        let mut statuses = Statuses::default();
        let theirs = br#"{"state":"RUNNING","trace":null,"worker_id":"10.0.0.1:8083","generation":3,"version":"4.3.1"}"#;
        statuses.read(b"status-connector-x", Some(theirs)).unwrap();
        assert_eq!(statuses.of("x", Unit::Connector), Some(&running("10.0.0.1:8083")));
        for (key, value) in [
            ("status-task-x", "{}"),
            ("status-task-x-0", "{}"),
            ("status-task-x-0", r#"{"state":"ASLEEP","worker_id":"w"}"#),
            ("status-connector-x", "nothing"),
            ("status-topic-x", "{}"),
            ("status-topic-t:connector-x", "{}"),
            ("other", "{}"),
        ] {
            assert!(statuses.read(key.as_bytes(), Some(value.as_bytes())).is_err(), "{key}");
        }
        assert_eq!(statuses.of("x", Unit::Connector), Some(&running("10.0.0.1:8083")));
    }
}
