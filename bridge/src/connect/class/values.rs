//! What a connector's options come to, line by line, as a Connect worker logs it at a start.
//!
//! Invariant: the value of a secret is never among them.

use midge_rules::options::{Judged, Kind, Value};

use super::given::Given;
use super::{Direction, named};
use crate::connect::definition::Properties;
use crate::connect::plan::Worker;

/// Options with their values in the order of their names: those of Connect, then those of the class,
/// each under a heading. Nothing for properties without a class.
#[must_use]
pub fn values(name: &str, properties: &Properties, worker: &Worker) -> Vec<String> {
    let Ok(class) = named(properties) else { return Vec::new() };
    let given = Given::new(class, name, properties, worker);
    let own = class.options.len() + class.own.len();
    let judged = given.judged();
    let (of_connect, of_class) = judged.split_at(judged.len() - own);
    let simple = class.names[0].rsplit('.').next().unwrap_or_default();
    let simple = simple.strip_suffix("Connector").unwrap_or(simple);
    let direction = match class.direction {
        Direction::Source => "Source",
        Direction::Sink => "Sink",
    };
    let mut lines = Vec::new();
    let sections = [
        (format!("{direction}Connector"), of_connect, "[]"),
        // The classes themselves have such values as plain text.
        (simple.to_owned(), of_class, ""),
    ];
    for (title, judged, brackets) in sections {
        lines.push(format!("{title}Config values:"));
        let mut options: Vec<String> = judged.iter().map(|option| line(option, brackets)).collect();
        options.sort_unstable();
        lines.append(&mut options);
    }
    lines
}

/// An option's line; a list stands within these brackets, with none as it is written in a file.
fn line(judged: &Judged, brackets: &str) -> String {
    let name = judged.given.as_ref().unwrap_or(&judged.name);
    let list = |items: &[String]| match brackets.split_at_checked(1) {
        Some((before, after)) => format!("{before}{}{after}", items.join(", ")),
        None => items.join(","),
    };
    let value = match (&judged.value, judged.definition.kind) {
        (Value::Null, Kind::List) => list(&[]),
        (Value::Null, _) => "null".to_owned(),
        (_, Kind::Password) => "[hidden]".to_owned(),
        (Value::List(items), _) => list(items),
        (value, _) => value.to_string(),
    };
    format!("{name} = {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_line_with_its_own_spelling_and_secrets_are_hidden() {
        let properties = [
            ("connector.class", "MqttSink"),
            ("name", "a"),
            ("topics", "b, c"),
            ("connect.influx.password", "secret"),
            ("connect.influx.max.retires", "3"),
        ];
        let mut properties: Properties =
            properties.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        assert!(
            values("a", &properties, &Worker::default()).is_empty(),
            "two classes are so called"
        );
        properties.insert("connector.class".to_owned(), "InfluxSink".to_owned());
        let lines = values("a", &properties, &Worker::default());
        let heading = lines.iter().position(|line| line == "InfluxSinkConfig values:");
        let (of_connect, of_class) = lines.split_at(heading.expect("a heading"));
        assert_eq!(of_connect[0], "SinkConnectorConfig values:");
        assert!(of_connect[1..].is_sorted() && of_class[1..].is_sorted());
        for line in ["topics = [b, c]", "transforms = []", "key.converter = null", "tasks.max = 1"]
        {
            assert!(of_connect.iter().any(|found| found == line), "{line}: {of_connect:?}");
        }
        for line in ["connect.influx.password = [hidden]", "connect.influx.max.retires = 3"] {
            assert!(of_class.iter().any(|found| found == line), "{line}: {of_class:?}");
        }
    }
}
