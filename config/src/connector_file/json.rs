//! A connector's file in JSON, as `connect-standalone` takes it since Kafka 3.7: the properties as
//! one object, or the body of POST /connectors with `name` and `config`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What is wrong in a file: the line, if it is in one, the property, and what it is.
pub(super) type Wrong = (Option<usize>, String, String);

/// Reads the properties, each with its line.
///
/// # Errors
/// All that is wrong with them.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, (String, usize)>, Vec<Wrong>> {
    let whole: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| vec![(Some(error.line()), String::new(), error.to_string())])?;
    let lines = Lines::of(bytes);
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut refuse = |key: &str, what: String| wrong.push((lines.find(key), key.to_owned(), what));
    let (outer, mut config) = match whole.get("config") {
        Some(Value::Object(config)) => (Some(&whole), config.clone()),
        _ => (None, whole.clone()),
    };
    if let Some(outer) = outer {
        match outer.get("initial_state") {
            None | Some(Value::Null) => {}
            Some(Value::String(state)) if state.eq_ignore_ascii_case("running") => {}
            Some(state) => refuse(
                "initial_state",
                format!("found {state}, expected RUNNING: a connector of a file runs"),
            ),
        }
        let name = outer.get("name").cloned().unwrap_or(Value::Null);
        match config.get("name") {
            None => {
                config.insert("name".to_owned(), name);
            }
            Some(inner) if *inner == name => {}
            Some(inner) => {
                refuse("name", format!("found {inner} in config, expected {name} as beside it"));
            }
        }
    }
    let mut properties = BTreeMap::new();
    for (key, value) in config {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) => {
                refuse(&key, "found an array, expected text".to_owned());
                continue;
            }
            Value::Object(_) => {
                refuse(&key, "found an object, expected text".to_owned());
                continue;
            }
        };
        let line = lines.find(&key).unwrap_or(1);
        properties.insert(key, (text, line));
    }
    if wrong.is_empty() { Ok(properties) } else { Err(wrong) }
}

/// Where keys stand: the reader of JSON does not tell.
struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Of a text that has been read as JSON: a string before a colon is a key. The last of a name
    /// counts, as its value does.
    fn of(bytes: &[u8]) -> Lines {
        let mut lines = BTreeMap::new();
        let (mut line, mut at) = (1, 0);
        while at < bytes.len() {
            if bytes[at] != b'"' {
                line += usize::from(bytes[at] == b'\n');
                at += 1;
                continue;
            }
            let start = at;
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at = (at + 1).min(bytes.len());
            let before_colon = bytes[at..].trim_ascii_start().starts_with(b":");
            if before_colon && let Ok(key) = serde_json::from_slice(&bytes[start..at]) {
                lines.insert(key, line);
            }
        }
        Lines(lines)
    }

    fn find(&self, key: &str) -> Option<usize> {
        self.0.get(key).copied()
    }
}
