//! `ExtractTopic`, Confluent's: takes the Kafka topic from the key, the value or a header.

use std::sync::Arc;

use super::fields::entry;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

const SKIP: OptionDef = OptionDef::new(
    "skip.missing.or.null",
    Kind::Boolean,
    Default::Text("false"),
    Importance::Low,
    "Whether records without the field, or with null in it, keep their topic; otherwise they are \
     an error.",
);

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "field",
        Kind::String,
        Default::Text(""),
        Importance::Medium,
        "Field to take the topic from; empty for the whole key or value, which is a string then.",
    ),
    OptionDef::new(
        "field.format",
        Kind::String,
        Default::Text("PLAIN"),
        Importance::Medium,
        "How the field is named: PLAIN is a field at the root, JSON_PATH a path such as $.a.b or \
         $['a']['b'].",
    )
    .accepting(&[Accepted::OneOfAnyCase(&["PLAIN", "JSON_PATH"])]),
    SKIP,
];

pub(super) const HEADER_OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "field",
        Kind::String,
        Default::Required,
        Importance::Medium,
        "Header to take the topic from; the last one of its name counts.",
    )
    .accepting(&[Accepted::NonEmptyString]),
    SKIP,
];

#[derive(Debug)]
pub(super) struct ExtractTopic {
    place: Place,
    skips: bool,
}

#[derive(Debug)]
enum Place {
    Header(String),
    /// No names are the whole key or value.
    Path(Side, Vec<String>),
}

impl ExtractTopic {
    pub(super) fn of(side: Side, options: &Options) -> Result<Self, String> {
        let field = options.string("field");
        let path = if field.is_empty() {
            Vec::new()
        } else if options.string("field.format").eq_ignore_ascii_case("JSON_PATH") {
            json_path(field)?
        } else {
            vec![field.to_owned()]
        };
        Ok(Self { place: Place::Path(side, path), skips: options.boolean(SKIP.name) })
    }

    pub(super) fn of_header(options: &Options) -> Self {
        let place = Place::Header(options.string("field").to_owned());
        Self { place, skips: options.boolean(SKIP.name) }
    }

    fn topic(&self, record: &ConnectRecord) -> Result<Option<Arc<str>>, Failure> {
        let found = match &self.place {
            Place::Header(name) => {
                let header = record.headers.iter().rfind(|header| *header.name == **name);
                header.map(|header| &header.datum.value)
            }
            Place::Path(side, path) => step_down(&side.of(record).value, path)?,
        };
        match found {
            Some(Value::String(topic)) if topic.is_empty() => {
                Err(Failure::data(format!("{self} is empty, expected the name of a topic")))
            }
            Some(Value::String(topic)) => Ok(Some(topic.clone())),
            None | Some(Value::Null) if self.skips => Ok(None),
            None => Err(Failure::data(format!("{self} is missing"))),
            Some(Value::Null) => Err(Failure::data(format!("{self} is null"))),
            Some(other) => {
                Err(Failure::data(format!("{self} is a {}, expected a string", other.java_class())))
            }
        }
    }
}

impl std::fmt::Display for ExtractTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = |side: &Side| if *side == Side::Key { "the key" } else { "the value" };
        match &self.place {
            Place::Header(name) => write!(f, "the header '{name}'"),
            Place::Path(side, path) if path.is_empty() => f.write_str(whole(side)),
            Place::Path(side, path) => {
                write!(f, "the field '{}' of {}", path.join("."), whole(side))
            }
        }
    }
}

impl Transform for ExtractTopic {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if let Some(topic) = self.topic(&record)? {
            record.kafka_topic = topic;
        }
        Ok(Some(record))
    }
}

/// The value at a path; none when a name of it is missing.
fn step_down<'a>(value: &'a Value, path: &[String]) -> Result<Option<&'a Value>, Failure> {
    let mut current = value;
    for name in path {
        let next = match current {
            Value::Map(map) => entry(map, name),
            Value::Struct(structure) => structure.value(name),
            Value::Null => None,
            other => {
                return Err(Failure::data(format!(
                    "a field '{name}' is looked for in a {}, expected a struct or a map",
                    other.java_class()
                )));
            }
        };
        let Some(next) = next else { return Ok(None) };
        current = next;
    }
    Ok(Some(current))
}

/// `$.a.b`, `$['a']["b"]` and mixtures of them.
fn json_path(path: &str) -> Result<Vec<String>, String> {
    let refused = |rest: &str| {
        format!(
            "Invalid value {path} for configuration field: found '{rest}', expected .name or \
             ['name']"
        )
    };
    let mut rest = path.strip_prefix('$').ok_or_else(|| refused(path))?;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, after) = if let Some(plain) = rest.strip_prefix('.') {
            plain.split_at(plain.find(['.', '[']).unwrap_or(plain.len()))
        } else {
            let quoted = rest.strip_prefix("['").map(|quoted| (quoted, "']"));
            let quoted = quoted.or_else(|| rest.strip_prefix("[\"").map(|quoted| (quoted, "\"]")));
            let (quoted, end) = quoted.ok_or_else(|| refused(rest))?;
            quoted.split_once(end).ok_or_else(|| refused(rest))?
        };
        if name.is_empty() || name == "*" {
            return Err(refused(rest));
        }
        names.push(name.to_owned());
        rest = after;
    }
    if names.is_empty() { Err(refused(path)) } else { Ok(names) }
}
