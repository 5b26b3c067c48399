//! Confluent's MQTT sink: each record to the MQTT topic that is called as its Kafka topic.

use std::time::Duration;

use midge_rules::kcql::{Column, Selection, Span, Taken};
use midge_rules::options::Default::Text;
use midge_rules::options::Importance::{Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::pipeline::{SinkParts, SinkStatement, SinkTarget};
use midge_rules::projection::{Missing, Projection};

use super::confluent_source as confluent;
use super::given::Given;
use super::{Class, Direction, broker, sink, source};
use crate::connect::plan::{ErrorPolicy, MqttSinkWork, Task, Work};

pub(super) static CLASS: Class = Class {
    names: &["io.confluent.connect.mqtt.MqttSinkConnector"],
    direction: Direction::Sink,
    options: OPTIONS,
    own: sink::MQTT_OWN,
    idle: &[],
    connection: confluent::CONNECTION,
    page: "confluent-mqtt-sink",
    tasks,
};

static OPTIONS: &[OptionDef] = &[
    confluent::SERVER,
    OptionDef::new("mqtt.qos", Kind::Int, Text("1"), Low, "The QoS published with.")
        .accepting(source::QOS),
    OptionDef::new(
        "mqtt.retained.enabled",
        Kind::Boolean,
        Text("true"),
        Medium,
        "Publish as retained messages.",
    ),
    OptionDef::new(
        "max.retry.time.ms",
        Kind::Int,
        Text("30000"),
        Low,
        "How long a message that the broker does not take is tried again, in milliseconds, once a \
         second; then the task fails.",
    )
    .accepting(&[Accepted::AtLeast(0)]),
    confluent::USERNAME,
    confluent::PASSWORD,
    confluent::CLEAN,
    confluent::TIMEOUT,
    confluent::KEEP_ALIVE,
    confluent::TRUST_STORE,
    confluent::CERTIFICATE,
    confluent::KEY_STORE,
    confluent::STORE_PASSWORDS[0],
    confluent::STORE_PASSWORDS[1],
    confluent::STORE_PASSWORDS[2],
];

/// Between two tries.
const INTERVAL: Duration = Duration::from_secs(1);

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let broker = broker::broker(given, &confluent::NAMES);
    let reading = sink::reading(given);
    let converters = sink::converters(given);
    let qos = source::qos(given, "mqtt.qos");
    let retain = given.flag("mqtt.retained.enabled");
    let rule = sink::rule(given, "topics", "${topic}", qos, retain);
    let tries = source::millis(given.number("max.retry.time.ms")).as_secs();
    let policy = match u32::try_from(tries).unwrap_or(u32::MAX) {
        0 => ErrorPolicy::Throw,
        max => ErrorPolicy::Retry { interval: INTERVAL, max },
    };
    let (broker, reading, (shared, value)) = (broker?, reading?, converters?);
    let all = Column { taken: Taken::AllOfValue(Vec::new()), span: Span::default() };
    let everything = Selection { columns: vec![all], ignored: Vec::new() };
    let parts = SinkParts {
        key: shared.key,
        value,
        header: shared.header,
        chain: shared.chain,
        statements: vec![SinkStatement {
            kafka_topic: None,
            rule: rule?,
            target: SinkTarget::Rule,
            projection: Projection::new(&everything, Missing::LeftOut),
        }],
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
