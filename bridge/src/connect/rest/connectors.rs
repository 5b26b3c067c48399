//! `/connectors`: making, showing, changing and ending connectors and their tasks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Rest;
use super::exchange::{Answer, Request, encoded, flat, kind};
use super::routes::object;
use crate::connect::InvalidConfig;
use crate::connect::definition::{Properties, TargetState};
use crate::connect::herder::{Description, HerderError};
use crate::connect::status::{Condition, ConnectorCondition};

pub(super) fn list(rest: &Rest, request: &Request) -> Answer {
    let names = rest.herder.connectors();
    if request.parameters("expand").next().is_none() {
        return Answer::json(200, &json!(names));
    }
    let expands = |what: &str| request.parameters("expand").any(|expand| expand == what);
    let mut expanded = Vec::new();
    for name in names {
        let mut parts = Vec::new();
        // One that has gone since is not listed.
        let (Ok(condition), Ok(description)) =
            (rest.herder.condition(&name), rest.herder.describe(&name))
        else {
            continue;
        };
        if expands("status") {
            parts.push(("status".to_owned(), shown(rest, &condition)));
        }
        if expands("info") {
            parts.push(("info".to_owned(), described(&description)));
        }
        expanded.push((name, object(parts)));
    }
    Answer::json(200, &object(expanded))
}

pub(super) fn create(rest: &Rest, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let Value::Object(mut fields) = body else {
        let message = format!("found {}, expected an object with name and config", kind(&body));
        return Err(Answer::error(400, &message));
    };
    let known = ["name", "config", "initial_state"];
    if let Some(other) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        let message = format!(
            "found the field {other:?}, expected only \"name\", \"config\", \"initial_state\""
        );
        return Err(Answer::error(400, &message));
    }
    let name = match fields.remove("name") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(name)) => name.trim().to_owned(),
        Some(other) => {
            let message = format!("name: found {}, expected text", kind(&other));
            return Err(Answer::error(400, &message));
        }
    };
    let target = match fields.remove("initial_state") {
        None | Some(Value::Null) => TargetState::Running,
        Some(state) => initial_state(&state)?,
    };
    let Some(config) = fields.get("config").filter(|config| !config.is_null()) else {
        return Err(Answer::error(400, "config: found nothing, expected an object of properties"));
    };
    let config = complete(&name, flat(config)?)?;
    if name.is_empty() {
        let why = "Invalid value  for configuration name: String may not be empty";
        return Err(invalid(&[why.to_owned()]));
    }
    let description = rest.herder.create(&name, config, target).map_err(|error| match error {
        HerderError::Exists(name) => {
            Answer::error(409, &format!("Connector {name} already exists"))
        }
        error => refused(&error),
    })?;
    Ok(made(rest, request, &Description { tasks: 0, ..description }))
}

fn initial_state(state: &Value) -> Result<TargetState, Answer> {
    let states = [
        ("RUNNING", TargetState::Running),
        ("PAUSED", TargetState::Paused),
        ("STOPPED", TargetState::Stopped),
    ];
    let named = state.as_str().map(str::to_ascii_uppercase).unwrap_or_default();
    let found = states.iter().find(|(name, _)| *name == named).map(|(_, state)| *state);
    found.ok_or_else(|| {
        let message = format!(
            "initial_state: found {state}, expected \"RUNNING\", \"PAUSED\" or \"STOPPED\""
        );
        Answer::error(400, &message)
    })
}

/// Properties with the connector's name among them.
fn complete(name: &str, config: BTreeMap<String, Option<String>>) -> Result<Properties, Answer> {
    if let Some(Some(other)) = config.get("name")
        && other.trim() != name
    {
        let message = format!(
            "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
        );
        return Err(Answer::error(400, &message));
    }
    let nulls = config.values().filter(|value| value.is_none()).count();
    if nulls > 0 {
        let why = "Null value can not be supplied as the configuration value.";
        return Err(invalid(&vec![why.to_owned(); nulls]));
    }
    let mut config: Properties =
        config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    config.insert("name".to_owned(), name.to_owned());
    Ok(config)
}

pub(super) fn describe(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    let description = rest.herder.describe(name).map_err(|error| refused(&error))?;
    Ok(Answer::json(200, &described(&description)))
}

pub(super) fn config(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    let description = rest.herder.describe(name).map_err(|error| refused(&error))?;
    Ok(Answer::json(200, &json!(description.config)))
}

pub(super) fn put(rest: &Rest, name: &str, request: &Request) -> Result<Answer, Answer> {
    let config = complete(name, request.properties()?)?;
    let (new, description) = rest.herder.put(name, config).map_err(|error| refused(&error))?;
    Ok(match new {
        true => made(rest, request, &Description { tasks: 0, ..description }),
        false => Answer::json(200, &described(&description)),
    })
}

pub(super) fn patch(rest: &Rest, name: &str, request: &Request) -> Result<Answer, Answer> {
    let changes = request.properties()?;
    let description = rest.herder.patch(name, changes).map_err(|error| refused(&error))?;
    Ok(Answer::json(200, &described(&description)))
}

pub(super) fn delete(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    rest.herder.delete(name).map_err(|error| refused(&error))?;
    Ok(Answer::empty(204))
}

pub(super) fn target(rest: &Rest, name: &str, change: &str) -> Result<Answer, Answer> {
    let (target, status) = match change {
        "pause" => (TargetState::Paused, 202),
        "resume" => (TargetState::Running, 202),
        _ => (TargetState::Stopped, 204),
    };
    rest.herder.target(name, target).map_err(|error| unknown(&error, "Unknown connector "))?;
    Ok(Answer::empty(status))
}

pub(super) fn restart(rest: &Rest, name: &str, request: &Request) -> Result<Answer, Answer> {
    let (include_tasks, only_failed) = (request.is("includeTasks"), request.is("onlyFailed"));
    let condition = rest
        .herder
        .restart(name, include_tasks, only_failed)
        .map_err(|error| unknown(&error, "Unknown connector: "))?;
    Ok(match include_tasks || only_failed {
        true => Answer::json(202, &shown(rest, &condition)),
        false => Answer::empty(204),
    })
}

pub(super) fn restart_task(rest: &Rest, name: &str, task: &str) -> Result<Answer, Answer> {
    let number = task.parse().unwrap_or(usize::MAX);
    rest.herder.restart_task(name, number).map_err(|error| match error {
        HerderError::NoTask(..) => Answer::error(404, &format!("Unknown task: {name}-{task}")),
        error => unknown(&error, "Unknown connector: "),
    })?;
    Ok(Answer::empty(204))
}

pub(super) fn status(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    let condition = rest.herder.condition(name);
    let condition = condition.map_err(|error| unknown(&error, "No status found for connector "))?;
    Ok(Answer::json(200, &shown(rest, &condition)))
}

pub(super) fn task_status(rest: &Rest, name: &str, task: &str) -> Result<Answer, Answer> {
    let none = || Answer::error(404, &format!("No status found for task {name}-{task}"));
    let number: usize = task.parse().map_err(|_| none())?;
    let condition = rest.herder.condition(name).map_err(|_| none())?;
    let task = condition.tasks.get(number).ok_or_else(none)?;
    Ok(Answer::json(200, &shown_task(rest, number, task)))
}

pub(super) fn tasks(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    let configs = rest.herder.task_configs(name).map_err(|error| refused(&error))?;
    let tasks: Vec<Value> = configs
        .iter()
        .enumerate()
        .map(
            |(task, config)| json!({ "id": { "connector": name, "task": task }, "config": config }),
        )
        .collect();
    Ok(Answer::json(200, &Value::Array(tasks)))
}

pub(super) fn topics(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    tracks_topics(rest)?;
    // Of a connector that is none Connect knows no topics.
    let topics = rest.herder.topics(name).unwrap_or_default();
    Ok(Answer::json(200, &object([(name.to_owned(), json!({ "topics": topics }))])))
}

fn tracks_topics(rest: &Rest) -> Result<(), Answer> {
    match rest.topic_tracking.enabled {
        true => Ok(()),
        false => Err(Answer::error(403, "Topic tracking is disabled.")),
    }
}

pub(super) fn reset_topics(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    tracks_topics(rest)?;
    if !rest.topic_tracking.allow_reset {
        return Err(Answer::error(403, "Topic tracking reset is disabled."));
    }
    rest.herder.reset_topics(name).map_err(|error| refused(&error))?;
    Ok(Answer::empty(202))
}

/// A connector that has been made, and where.
fn made(rest: &Rest, request: &Request, description: &Description) -> Answer {
    let host = request.host.clone().unwrap_or_else(|| rest.herder.worker_id().to_owned());
    let location = format!("http://{host}/connectors/{}", encoded(&description.name));
    Answer::json(201, &described(description)).at(location)
}

fn described(description: &Description) -> Value {
    let Description { name, config, tasks, kind } = description;
    let tasks: Vec<Value> =
        (0..*tasks).map(|task| json!({ "connector": name, "task": task })).collect();
    json!({ "name": name, "config": config, "tasks": tasks, "type": kind })
}

fn shown(rest: &Rest, condition: &ConnectorCondition) -> Value {
    let ConnectorCondition { name, connector, tasks, kind } = condition;
    let tasks: Vec<Value> =
        tasks.iter().enumerate().map(|(number, task)| shown_task(rest, number, task)).collect();
    json!({
        "name": name,
        "connector": object(state(rest, connector)),
        "tasks": tasks,
        "type": kind,
    })
}

fn shown_task(rest: &Rest, number: usize, task: &Condition) -> Value {
    object(std::iter::once(("id".to_owned(), json!(number))).chain(state(rest, task)))
}

fn state(rest: &Rest, condition: &Condition) -> Vec<(String, Value)> {
    let Condition { state, worker_id, trace } = condition;
    let mut pairs = vec![
        ("state".to_owned(), json!(state.name())),
        ("worker_id".to_owned(), json!(worker_id)),
        ("version".to_owned(), json!(rest.about.version)),
    ];
    if let Some(trace) = trace {
        pairs.push(("trace".to_owned(), json!(trace)));
    }
    pairs
}

/// A connector that is none, in the words of the call.
fn unknown(error: &HerderError, words: &str) -> Answer {
    match error {
        HerderError::NotFound(name) => Answer::error(404, &format!("{words}{name}")),
        error => refused(error),
    }
}

/// What the herder does not do.
pub(super) fn refused(error: &HerderError) -> Answer {
    match error {
        HerderError::NotFound(name) => Answer::error(404, &format!("Connector {name} not found")),
        HerderError::Invalid(InvalidConfig::Whole(message)) => Answer::error(400, message),
        HerderError::Invalid(InvalidConfig::Values(errors)) => invalid(errors),
        HerderError::Exists(_) | HerderError::OfFile(_) => Answer::error(409, &error.to_string()),
        HerderError::NotStopped(name) => Answer::error(
            400,
            &format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This \
                 can be done for the specified connector by issuing a 'PUT' request to the \
                 '/connectors/{name}/stop' endpoint"
            ),
        ),
        HerderError::NoTask(..) => Answer::error(404, &error.to_string()),
        HerderError::WrongOffsets(why) => Answer::error(400, why),
        HerderError::NotKept(..) | HerderError::Offsets(_) => {
            Answer::error(500, &error.to_string())
        }
        HerderError::NotTold(..) | HerderError::Starting(_) => {
            Answer::error(503, &error.to_string())
        }
    }
}

/// Properties that are none, in Connect's words.
fn invalid(errors: &[String]) -> Answer {
    let message = format!(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can \
         also find the above list of errors at the endpoint \
         `/connector-plugins/{{connectorType}}/config/validate`",
        errors.len(),
        errors.join("\n")
    );
    Answer::error(400, &message)
}
