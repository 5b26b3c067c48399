//! Lenses' MQTT sink: statements of KCQL from Kafka topics to MQTT topics.

use std::sync::Arc;

use midge_rules::kcql::{Kcql, MqttSink, MqttTarget};
use midge_rules::options::Default::Text;
use midge_rules::options::Importance::{High, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::pipeline::{SinkParts, SinkStatement, SinkTarget};
use midge_rules::projection::{Missing, Projection};

use super::given::Given;
use super::lenses::{self, KCQL};
use super::{Class, Direction, Idle, broker, common, sink, source, topics};
use crate::connect::plan::{MqttSinkWork, Task, Work};

pub(super) static CLASS: Class = Class {
    names: &[
        "io.lenses.streamreactor.connect.mqtt.sink.MqttSinkConnector",
        "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector",
    ],
    direction: Direction::Sink,
    options: OPTIONS,
    own: sink::MQTT_OWN,
    idle: &[Idle {
        options: &["connect.mqtt.converter.throw.on.error"],
        why: "a sink's records are read by key.converter and value.converter, and errors.tolerance \
              says what follows",
    }],
    connection: lenses::CONNECTION,
    page: "lenses-mqtt-sink",
    tasks,
};

static OPTIONS: &[OptionDef] = &[
    lenses::HOSTS,
    lenses::STATEMENTS,
    lenses::SERVICE_QUALITY,
    OptionDef::new(
        "connect.mqtt.retained.messages",
        Kind::Boolean,
        Text("false"),
        Medium,
        "Publish as retained messages.",
    ),
    lenses::USERNAME,
    lenses::PASSWORD,
    lenses::CLIENT_ID,
    lenses::TIMEOUT,
    lenses::CLEAN,
    lenses::KEEP_ALIVE,
    lenses::CA,
    lenses::CERTIFICATE,
    lenses::KEY,
    OptionDef::new(
        "connect.mqtt.error.policy",
        Kind::String,
        Text("THROW"),
        High,
        "What happens when the broker does not take a message: THROW fails the task, NOOP passes \
         over the record, RETRY tries again.",
    )
    .accepting(sink::POLICIES),
    OptionDef::new(
        "connect.mqtt.retry.interval",
        Kind::Int,
        Text("60000"),
        Medium,
        "With RETRY: milliseconds between two tries.",
    )
    .accepting(&[Accepted::AtLeast(1)]),
    OptionDef::new(
        "connect.mqtt.max.retries",
        Kind::Int,
        Text("20"),
        Medium,
        "With RETRY: how many times; then the task fails.",
    )
    .accepting(&[Accepted::AtLeast(0)])
    .spelt(&["connect.mqtt.max.retires"]),
    lenses::THROW_ON_ERROR,
    common::PROGRESS,
];

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let broker = broker::broker(given, &lenses::NAMES);
    let policy = sink::policy(given, "connect.mqtt");
    let reading = sink::reading(given);
    let converters = sink::converters(given);
    let resolved = lenses::statements(given, KCQL, Kcql::mqtt_sinks);
    let statements = resolved.map(|statements| {
        let sources: Vec<String> =
            statements.iter().map(|(statement, _)| statement.kafka_topic.clone()).collect();
        topics::check_statements(given, KCQL, &sources);
        let made: Vec<Option<SinkStatement>> =
            statements.into_iter().map(|(statement, _)| made(given, statement)).collect();
        made.into_iter().collect::<Option<Vec<SinkStatement>>>()
    });
    let (broker, reading, (shared, value)) = (broker?, reading?, converters?);
    let parts = SinkParts {
        key: shared.key,
        value,
        header: shared.header,
        chain: shared.chain,
        statements: statements??,
    };
    Some(sink::tasks(given, |task, tasks| {
        Work::MqttSink(MqttSinkWork {
            broker: broker::of_task(&broker, task, tasks),
            reading: reading.clone(),
            parts: parts.clone(),
            policy,
        })
    }))
}

fn made(given: &mut Given<'_>, statement: MqttSink) -> Option<SinkStatement> {
    let (template, target) = match statement.target {
        MqttTarget::Template(template) => (template, SinkTarget::Rule),
        // The rule needs one, and is never asked for it.
        MqttTarget::Field(field) => ("${topic}".to_owned(), SinkTarget::Field(field)),
    };
    let qos = source::qos(given, "connect.mqtt.service.quality");
    let retain = given.flag("connect.mqtt.retained.messages");
    Some(SinkStatement {
        kafka_topic: Some(Arc::from(statement.kafka_topic)),
        rule: sink::rule(given, KCQL, &template, qos, retain)?,
        target,
        projection: Projection::new(&statement.selection, Missing::LeftOut),
    })
}
