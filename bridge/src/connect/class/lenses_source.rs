//! Lenses' MQTT source: statements of KCQL from topic filters to Kafka topics.

use std::collections::BTreeMap;

use midge_rules::converter::{Converter, Side, SourceClass, SourceConverter};
use midge_rules::kcql::{Kcql, Source};
use midge_rules::options::Default::Text;
use midge_rules::options::Importance::Low;
use midge_rules::options::{Kind, OptionDef};
use midge_rules::pipeline::SourceParts;
use midge_rules::projection::{Missing, Projection};

use super::converters::{self, Shared};
use super::given::Given;
use super::lenses::{self, KCQL, SCHEMAS};
use super::source::{self, SourceOptions, Statement};
use super::{Class, Direction, Idle, common};
use crate::connect::plan::{SourceRulePlan, Task};

pub(super) static CLASS: Class = Class {
    names: &[
        "io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector",
        "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector",
    ],
    direction: Direction::Source,
    options: OPTIONS,
    own: source::OWN,
    idle: &[
        Idle {
            options: &["connect.mqtt.polling.timeout"],
            why: "messages are taken when they come, nothing is polled",
        },
        Idle {
            options: &["connect.mqtt.share.replicate"],
            why: "all tasks at another broker share all subscriptions anyway",
        },
        Idle {
            options: &["connect.mqtt.process.duplicates"],
            why: "a message that is sent again is never thrown away for that",
        },
    ],
    connection: lenses::CONNECTION,
    page: "lenses-mqtt-source",
    tasks,
};

static OPTIONS: &[OptionDef] = &[
    lenses::HOSTS,
    lenses::STATEMENTS,
    lenses::SERVICE_QUALITY,
    lenses::USERNAME,
    lenses::PASSWORD,
    lenses::CLIENT_ID,
    lenses::TIMEOUT,
    lenses::CLEAN,
    lenses::KEEP_ALIVE,
    lenses::CA,
    lenses::CERTIFICATE,
    lenses::KEY,
    lenses::THROW_ON_ERROR,
    lenses::AVRO_SCHEMAS,
    common::PROGRESS,
    OptionDef::new(
        "connect.mqtt.polling.timeout",
        Kind::Int,
        Text("1000"),
        Low,
        "How long a poll may take, in milliseconds.",
    ),
    OptionDef::new(
        "connect.mqtt.share.replicate",
        Kind::Boolean,
        Text("false"),
        Low,
        "Whether every task has the shared subscriptions.",
    ),
    OptionDef::new(
        "connect.mqtt.process.duplicates",
        Kind::Boolean,
        Text("false"),
        Low,
        "Whether messages that are marked as sent again are processed.",
    ),
];

const THROW_ON_ERROR: &str = lenses::THROW_ON_ERROR.name;

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let schemas = schemas(given);
    let shared = converters::shared(given, converters::STRING);
    let statements = lenses::statements(given, KCQL, Kcql::sources);
    let rules = match (statements, shared, schemas) {
        (Some(statements), Some(shared), Some(schemas)) => {
            rules(given, statements, &shared, &schemas)
        }
        (None, ..) => {
            converters::converter(given, Side::Value, converters::BYTES);
            None
        }
        _ => None,
    };
    let throw = given.flag(THROW_ON_ERROR);
    let any_payload = rules.as_ref().is_some_and(|rules| rules.iter().all(takes_any_payload));
    if any_payload && given.given(THROW_ON_ERROR).is_some() {
        let why = "every statement takes any payload, as it is";
        given.notice(format!("ignored: {THROW_ON_ERROR}: {why}"));
    }
    let options = SourceOptions {
        names: &lenses::NAMES,
        qos: "connect.mqtt.service.quality",
        one_task: false,
        skip_unconvertible: !throw && !any_payload,
    };
    let option = given.spelt(KCQL);
    source::tasks(given, &options, Some(&option), rules)
}

/// Whether no payload can be one that the statement cannot read.
fn takes_any_payload(statement: &Statement) -> bool {
    let SourceParts { source, keys, projection, .. } = &statement.rule.parts;
    source.class() == SourceClass::Bytes && keys.is_empty() && projection.is_everything()
}

fn rules(
    given: &mut Given<'_>,
    statements: Vec<(Source, String)>,
    shared: &Shared,
    schemas: &BTreeMap<String, String>,
) -> Option<Vec<Statement>> {
    let wanted = statements.len();
    let mut rules = Vec::new();
    for filter in schemas.keys() {
        let mut avro = statements.iter().filter(|(source, _)| source.converter.needs_schema());
        if !avro.any(|(source, _)| source.filter.text().as_str() == filter) {
            given.notice(format!(
                "ignored: {SCHEMAS}: no statement reads {filter} by AvroConverter"
            ));
        }
    }
    for (statement, text) in statements {
        let value = value(given, statement.converter);
        let rule = source::rule(given, KCQL, &statement.kafka_topic);
        let schema = schemas.get(statement.filter.text().as_str()).map(String::as_str);
        let source = match SourceConverter::new(statement.converter, schema) {
            Ok(source) => Some(source),
            Err(error) => {
                let filter = statement.filter.text().as_str();
                let spelt = given.spelt(SCHEMAS);
                given.error(&spelt, format!("{spelt}: {filter}: {error}"));
                None
            }
        };
        let (Some(value), Some(rule), Some(source)) = (value, rule, source) else { continue };
        let rule = SourceRulePlan {
            filters: vec![statement.filter.clone()],
            parts: SourceParts {
                rule,
                regex: statement.regex.clone(),
                source,
                keys: statement.key_paths(),
                projection: Projection::new(&statement.selection, Missing::LeftOut),
                chain: shared.chain.clone(),
                key: shared.key.clone(),
                value,
                header: shared.header.clone(),
            },
        };
        rules.push(Statement { rule, text: Some(text) });
    }
    (rules.len() == wanted).then_some(rules)
}

/// Where nobody names a converter, payloads that stay bytes or text stay as they are, and what
/// becomes a struct is written as Connect's own worker files have it.
fn value(given: &mut Given<'_>, class: SourceClass) -> Option<Converter> {
    let default = match class {
        SourceClass::Bytes => converters::BYTES,
        SourceClass::JsonPassThrough => converters::STRING,
        SourceClass::JsonSimple | SourceClass::JsonOptNull | SourceClass::Avro => converters::JSON,
    };
    converters::converter(given, Side::Value, default)
}

/// Texts of Avro schemas by their filters.
fn schemas(given: &mut Given<'_>) -> Option<BTreeMap<String, String>> {
    let text = given.text(SCHEMAS).unwrap_or_default();
    let parts = match lenses::schemas(&text) {
        Ok(parts) => parts,
        Err(part) => {
            given.wrong(SCHEMAS, part, "expected FILTER=PATH");
            return None;
        }
    };
    let mut schemas = BTreeMap::new();
    let mut missing = false;
    for (filter, path) in parts {
        match given.worker.files.get(path) {
            Some(schema) => {
                schemas.insert(filter.to_owned(), schema.clone());
            }
            None => {
                given.wrong(SCHEMAS, path, "the file could not be read");
                missing = true;
            }
        }
    }
    (!missing).then_some(schemas)
}
