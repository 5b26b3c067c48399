//! An event as a line of text or of JSON.

use std::fmt::Write;

use jiff::Zoned;
use midge_config::{Log, LogFormat, LogTimestamp};
use serde_json::{Map, Value, json};
use tracing::Event;
use tracing::field::{Field, Visit};

use crate::logging::LogType;

/// What an event says, without its time.
pub(crate) struct Message {
    text: String,
    fields: Vec<(&'static str, String)>,
}

/// How lines look.
pub(crate) struct Lines {
    timestamp: LogTimestamp,
    format: LogFormat,
}

/// Collects what an event says.
pub(crate) fn message(event: &Event<'_>) -> Message {
    let mut message = Message { text: String::new(), fields: Vec::new() };
    event.record(&mut message);
    message
}

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.text.push_str(value),
            name => self.fields.push((name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "{value:?}");
            }
            name => self.fields.push((name, format!("{value:?}"))),
        }
    }
}

impl Message {
    /// For people; control characters, which clients choose, are escaped.
    pub(crate) fn plain(&self) -> String {
        let mut plain = self.text.clone();
        for (name, value) in &self.fields {
            let separator = if plain.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(plain, "{separator}{name}={value}");
        }
        if plain.contains(char::is_control) {
            plain = plain
                .chars()
                .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
                .collect();
        }
        plain
    }
}

impl Lines {
    pub(crate) fn new(log: &Log) -> Lines {
        Lines { timestamp: log.timestamp.clone(), format: log.format }
    }

    /// The whole line, without its end.
    pub(crate) fn line(&self, kind: LogType, message: &Message) -> String {
        match self.format {
            LogFormat::Text => match self.time() {
                Some(time) => format!("{time}: {}", message.plain()),
                None => message.plain(),
            },
            LogFormat::Json => {
                let mut line = Map::new();
                let time = self.time().unwrap_or_else(|| Zoned::now().timestamp().to_string());
                line.insert("time".to_owned(), json!(time));
                line.insert("type".to_owned(), json!(kind.name()));
                line.insert("message".to_owned(), json!(message.text));
                for (name, value) in &message.fields {
                    line.insert((*name).to_owned(), json!(value));
                }
                Value::Object(line).to_string()
            }
        }
    }

    fn time(&self) -> Option<String> {
        match &self.timestamp {
            LogTimestamp::None => None,
            LogTimestamp::Unix => Some(Zoned::now().timestamp().as_second().to_string()),
            // A pattern that means nothing to us stands for itself.
            LogTimestamp::Format(format) => Some(
                jiff::fmt::strtime::format(format, &Zoned::now())
                    .unwrap_or_else(|_| format.clone()),
            ),
        }
    }
}
