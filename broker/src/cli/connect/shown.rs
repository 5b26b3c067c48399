//! What `midge connect` prints, in the words and the form of the tool it stands for.
//!
//! Invariant: the value of a property that is a secret by its name is never among them, nor a password
//! within an address.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Properties by their names.
pub(super) type Properties = BTreeMap<String, String>;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "**********";

/// Words in the names of properties whose values are secrets.
const SECRET: &[&str] =
    &["password", "secret", "token", "credential", "user.info", "jaas", "key.pem"];

/// Properties that come first where no file says an order.
const FIRST: &[&str] = &["name", "connector.class", "tasks.max", "topics"];

/// A value as it may be shown.
fn value<'v>(key: &str, value: &'v str) -> Cow<'v, str> {
    if is_secret(key) { Cow::Borrowed(MASK) } else { without_passwords(value) }
}

/// A text without the passwords of the addresses in it, `http://USER:PASSWORD@HOST`.
fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = behind.find(['/', '?', '#', ',']).unwrap_or(behind.len());
        let (authority, after) = behind.split_at(end);
        match authority
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?, host)))
        {
            Some(((user, _), host)) => shown.push_str(&format!("{user}:{MASK}@{host}")),
            None => shown.push_str(authority),
        }
        rest = after;
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether a value has the mask of a secret in it.
pub(super) fn is_masked(key: &str, value: &str) -> bool {
    (is_secret(key) && value == MASK) || value.contains(&format!(":{MASK}@"))
}

/// Whether a property's value is a secret.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // What only begins with the word, such as `tokens.max`, is one too: better too many.
    SECRET.iter().any(|word| key.contains(word))
}

/// The properties of an object.
pub(super) fn properties(object: &Value) -> Properties {
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// A value of JSON as a property has it.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A connector: its properties as a file could have them, and its tasks. The name above them is the
/// one that was asked for; `order` are the keys of the file that it was made from.
pub(super) fn connector(asked: &str, order: &[String], connector: &Value) -> String {
    let config = properties(&connector["config"]);
    let mut text = format!("#Connector name=`{asked}`\n");
    let mut line = |key: &str| {
        if let Some(found) = config.get(key) {
            let _ = writeln!(text, "{key}={}", value(key, found));
        }
    };
    let first = FIRST.iter().copied().filter(|key| !order.iter().any(|known| known == key));
    let (named, first): (Vec<&str>, Vec<&str>) = first.partition(|key| *key == "name");
    named.into_iter().for_each(&mut line);
    order.iter().for_each(|key| line(key));
    first.iter().for_each(|key| line(key));
    let rest = config.keys().filter(|key| !FIRST.contains(&key.as_str()) && !order.contains(key));
    rest.for_each(|key| line(key));
    let tasks = connector["tasks"].as_array().into_iter().flatten();
    let tasks: Vec<String> = tasks.map(|task| task["task"].to_string()).collect();
    let _ = writeln!(text, "#task ids: {}", tasks.join("; "));
    text
}

/// How a connector and its tasks are.
pub(super) fn status(status: &Value) -> String {
    let connector = &status["connector"];
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = format!("connectorState: {}\n", self::text(&connector["state"]));
    let _ = writeln!(text, "workerId: {}", self::text(&connector["worker_id"]));
    trace(&mut text, "", &connector["trace"]);
    let _ = writeln!(text, "numberOfTasks: {}\ntasks:", tasks.len());
    for task in tasks {
        task_lines(&mut text, "  - ", "    ", task);
    }
    text
}

/// How a task is.
pub(super) fn task_status(task: &Value) -> String {
    let mut text = String::new();
    task_lines(&mut text, "", "", task);
    text
}

fn task_lines(text: &mut String, first: &str, indent: &str, task: &Value) {
    let _ = writeln!(text, "{first}taskId: {}", self::text(&task["id"]));
    let _ = writeln!(text, "{indent}taskState: {}", self::text(&task["state"]));
    trace(text, indent, &task["trace"]);
    let _ = writeln!(text, "{indent}workerId: {}", self::text(&task["worker_id"]));
}

/// A trace, whose lines keep the indent they are under.
fn trace(text: &mut String, indent: &str, trace: &Value) {
    let Some(trace) = trace.as_str() else { return };
    for (number, line) in trace.trim_end().lines().enumerate() {
        let label = if number == 0 { "trace: " } else { "" };
        let _ = writeln!(text, "{indent}{label}{line}");
    }
}

/// The tasks of a connector with their properties.
pub(super) fn tasks(tasks: &Value) -> String {
    let mut text = String::new();
    for task in tasks.as_array().into_iter().flatten() {
        let id = &task["id"];
        let (connector, number) = (self::text(&id["connector"]), self::text(&id["task"]));
        let _ = writeln!(text, "  - {connector} task {number}");
        for (key, found) in properties(&task["config"]) {
            let _ = writeln!(text, "      {key}: {}", value(&key, &found));
        }
    }
    text
}

/// The classes there are.
pub(super) fn plugins(plugins: &Value) -> String {
    let mut text = String::new();
    for plugin in plugins.as_array().into_iter().flatten() {
        let of = |key: &str| plugin[key].as_str().unwrap_or_default();
        let (class, kind, version) = (of("class"), of("type"), of("version"));
        let _ = writeln!(text, "Class name: {class}, Type: {kind}, Version: {version}");
    }
    text
}

/// What is different between a connector's properties and those of a file.
pub(super) fn difference(current: &Properties, provided: &Properties) -> String {
    let all = |text: &mut String, title: &str, entries: &Properties| {
        let _ = writeln!(text, "\n#{title}:");
        for (key, found) in entries {
            let _ = writeln!(text, "{key} -> {}", value(key, found));
        }
    };
    let without = |of: &Properties, others: &Properties| -> Properties {
        let own = of.iter().filter(|(key, _)| !others.contains_key(*key));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let mut text = String::new();
    all(&mut text, "current config", current);
    all(&mut text, "provided config", provided);
    let _ = writeln!(text, "\n#entry value diffs:");
    for (key, old) in current {
        if let Some(new) = provided.get(key).filter(|new| *new != old) {
            let _ = writeln!(text, "{key} -> ({}, {})", value(key, old), value(key, new));
        }
    }
    all(&mut text, "entries only in current config", &without(current, provided));
    all(&mut text, "entries only in provided config", &without(provided, current));
    text
}

/// All that is wrong with properties, by what the interface found in them.
pub(super) fn mistakes(validation: &Value) -> Vec<String> {
    let configs = validation["configs"].as_array().into_iter().flatten();
    let errors = configs.flat_map(|config| config["value"]["errors"].as_array());
    errors.flatten().map(text).collect()
}

/// JSON over several lines.
pub(super) fn pretty(value: &Value) -> String {
    // A value of JSON always has such a text.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
