//! A case for both sides, and what a side makes of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use midge_rules::connect::{ConnectRecord, Datum};
use midge_rules::converter::{Converter, Side};
use midge_rules::transform::Chain;
use serde_json::{Value as Json, json};

use super::configs::Options;
use super::random::Random;
use super::{NOW, configs, data, encoding};

const TRANSFORMS: &str = "org.apache.kafka.connect.transforms.";
const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";

/// What both sides are asked.
#[derive(Debug)]
pub(crate) enum Case {
    /// A record through one transform, with a predicate or without.
    Transform {
        class: String,
        options: Options,
        predicate: Option<(&'static str, Options)>,
        negated: bool,
        record: Box<ConnectRecord>,
    },
    /// A value to JSON.
    ToJson { options: Options, datum: Datum },
    /// A value from JSON.
    FromJson { options: Options, bytes: Vec<u8> },
}

/// What a side says.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Good(Good),
    /// The options are wrong.
    Invalid(Vec<String>),
    /// The data is.
    Failed {
        exception: String,
        message: String,
    },
}

/// What came out.
#[derive(Debug, PartialEq)]
pub(crate) enum Good {
    Record(Option<Box<ConnectRecord>>),
    Datum(Datum),
    Text(Option<String>),
}

impl Outcome {
    /// Whether two sides say the same. Converters need only agree that there is a mistake: its
    /// words are those of their JSON parsers.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Good(Good::Text(Some(ours))), Self::Good(Good::Text(Some(theirs)))) => {
                // The order of maps is Java's.
                ours == theirs || is_same_json(ours, theirs)
            }
            (Self::Failed { exception, .. }, Self::Failed { .. }) if exception.is_empty() => true,
            _ => self == other,
        }
    }
}

fn is_same_json(ours: &str, theirs: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Json>(text).ok();
    ours.len() == theirs.len() && read(ours).is_some() && read(ours) == read(theirs)
}

impl Case {
    pub(crate) fn transform(random: &mut Random, class: &str) -> Self {
        let simple = class.split('$').next().expect("a name");
        let conditional = simple == "Filter" || random.percent(5);
        Self::Transform {
            class: class.to_owned(),
            options: configs::options(random, simple),
            predicate: conditional.then(|| configs::predicate(random)),
            negated: random.percent(50),
            record: Box::new(data::record(random)),
        }
    }

    pub(crate) fn to_json(random: &mut Random) -> Self {
        Self::ToJson { options: json_options(random), datum: data::datum(random) }
    }

    pub(crate) fn from_json(random: &mut Random) -> Self {
        let options = json_options(random);
        let datum = data::datum(random);
        let written = converter(&options).and_then(|mut converter| {
            let written = converter.from_connect("t", &datum);
            written.map_err(|error| error.to_string())
        });
        let mut bytes = match written {
            Ok(Some(written)) => written.to_vec(),
            _ => random.pick(&["", "null", "{}", "[1,2", "{\"a\":1.5e3}", "\"x\""]).into(),
        };
        if random.percent(15) && !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] = *random.pick(&[&b'1', &b'"', &b'}', &b' ', &b'n', &b',']);
        }
        Self::FromJson { options, bytes }
    }

    /// The question to Apache Kafka's side.
    pub(crate) fn question(&self) -> Json {
        let object = |options: &Options| {
            let entries = options.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
            Json::Object(entries.collect())
        };
        match self {
            Self::Transform { class, options, predicate, negated, record } => {
                let predicate = predicate.as_ref().map(|(class, options)| {
                    let class = format!("{TRANSFORMS}predicates.{class}");
                    json!({"class": class, "config": object(options)})
                });
                let stage = json!({
                    "class": format!("{TRANSFORMS}{class}"),
                    "config": object(options),
                    "predicate": predicate,
                    "negate": negated,
                });
                json!({"do": "transform", "stages": [stage], "record": encoding::record(record)})
            }
            Self::ToJson { options, datum } => json!({
                "do": "to_json",
                "config": object(options),
                "topic": "t",
                "schema": encoding::schema(datum.schema.as_deref()),
                "value": encoding::value(&datum.value),
            }),
            Self::FromJson { options, bytes } => json!({
                "do": "from_json",
                "config": object(options),
                "topic": "t",
                "bytes": STANDARD.encode(bytes),
            }),
        }
    }

    /// What our side says.
    pub(crate) fn ours(&self) -> Outcome {
        let failed = |message: String| Outcome::Failed { exception: String::new(), message };
        match self {
            Self::Transform { class, options, predicate, negated, record } => {
                let mut properties = BTreeMap::new();
                let mut set = |name: String, value: &str| properties.insert(name, value.to_owned());
                set("transforms".to_owned(), "t");
                set("transforms.t.type".to_owned(), &format!("{TRANSFORMS}{class}"));
                for (name, value) in options {
                    set(format!("transforms.t.{name}"), value);
                }
                if let Some((class, options)) = predicate {
                    set("predicates".to_owned(), "p");
                    set("transforms.t.predicate".to_owned(), "p");
                    set("transforms.t.negate".to_owned(), &negated.to_string());
                    set("predicates.p.type".to_owned(), class);
                    for (name, value) in options {
                        set(format!("predicates.p.{name}"), value);
                    }
                }
                match Chain::from_properties(&properties, NOW) {
                    Err(errors) => {
                        Outcome::Invalid(errors.into_iter().map(|error| error.message).collect())
                    }
                    Ok(chain) => match chain.apply(ConnectRecord::clone(record)) {
                        Ok(record) => Outcome::Good(Good::Record(record.map(Box::new))),
                        Err(error) => Outcome::Failed {
                            exception: error.exception.to_owned(),
                            message: error.message,
                        },
                    },
                }
            }
            Self::ToJson { options, datum } => match converter(options) {
                Err(message) => Outcome::Invalid(vec![message]),
                Ok(mut converter) => match converter.from_connect("t", datum) {
                    Err(error) => failed(error.to_string()),
                    Ok(bytes) => {
                        let text = |bytes: Bytes| String::from_utf8(bytes.into()).expect("UTF-8");
                        Outcome::Good(Good::Text(bytes.map(text)))
                    }
                },
            },
            Self::FromJson { options, bytes } => match converter(options) {
                Err(message) => Outcome::Invalid(vec![message]),
                Ok(mut converter) => match converter.to_connect("t", Some(&bytes.clone().into())) {
                    Err(error) => failed(error.to_string()),
                    Ok(datum) => Outcome::Good(Good::Datum(datum)),
                },
            },
        }
    }

    /// What Apache Kafka's side answered.
    pub(crate) fn theirs(&self, answer: &Json) -> Outcome {
        if let Some(messages) = answer.get("invalid").and_then(Json::as_array) {
            let text = |message: &Json| message.as_str().unwrap_or_default().to_owned();
            return Outcome::Invalid(messages.iter().map(text).collect());
        }
        if let Some(thrown) = answer.get("thrown") {
            let text = |name: &str| thrown[name].as_str().unwrap_or_default().to_owned();
            let (exception, message) = (text("class"), text("message"));
            return if exception == "org.apache.kafka.common.config.ConfigException" {
                Outcome::Invalid(vec![message])
            } else {
                Outcome::Failed { exception, message }
            };
        }
        let good = &answer["ok"];
        Outcome::Good(match self {
            Self::Transform { .. } if good.is_null() => Good::Record(None),
            Self::Transform { .. } => Good::Record(Some(Box::new(encoding::read_record(good)))),
            Self::FromJson { .. } => Good::Datum(encoding::read_datum(good)),
            Self::ToJson { .. } => Good::Text(good.as_str().map(|text| {
                let bytes = STANDARD.decode(text).expect("Base64");
                String::from_utf8(bytes).expect("UTF-8")
            })),
        })
    }
}

fn converter(options: &Options) -> Result<Converter, String> {
    let names: Vec<String> = options.iter().map(|(name, _)| format!("c.{name}")).collect();
    let pairs = names.iter().map(String::as_str).zip(options.iter().map(|(_, v)| v.as_str()));
    let all = std::iter::once(("c", JSON_CONVERTER)).chain(pairs);
    Converter::from_options(Side::Value, "c", all).map_err(|error| error.to_string())
}

fn json_options(random: &mut Random) -> Options {
    let mut options: Options = vec![("schemas.enable", random.pick(&["true", "false"]).to_owned())];
    if random.percent(40) {
        let format = random.pick(&["BASE64", "NUMERIC", "numeric"]).to_owned();
        options.push(("decimal.format", format));
    }
    if random.percent(40) {
        let replaces = random.pick(&["true", "false"]).to_owned();
        options.push(("replace.null.with.default", replaces));
    }
    options
}
