//! Property files: read, and given to a class.

use midge_config::parse_properties;

use crate::connect::Properties;
use crate::connect::class;

/// All classes, and two names that several have.
const CLASSES: [&str; 8] = [
    "com.evokly.kafka.connect.mqtt.MqttSourceConnector",
    "io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector",
    "io.lenses.streamreactor.connect.mqtt.sink.MqttSinkConnector",
    "InfluxSink",
    "io.confluent.connect.mqtt.MqttSourceConnector",
    "io.confluent.connect.mqtt.MqttSinkConnector",
    "MqttSourceConnector",
    "MqttSink",
];

/// A byte that chooses the class, and a file of whatever bytes: what one asker is told of it, the
/// others are told too.
pub fn try_file(input: &[u8]) {
    let Some((chosen, bytes)) = input.split_first() else { return };
    let (properties, malformed) = parse_properties(bytes);
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    assert!(properties.iter().all(|property| (1..=lines).contains(&property.line)));
    assert!(malformed.iter().all(|malformed| (1..=lines).contains(&malformed.line)));
    let mut properties: Properties =
        properties.into_iter().map(|property| (property.key, property.value)).collect();
    // Every other byte leaves the class to the file.
    if chosen.is_multiple_of(2) {
        let class = CLASSES[usize::from(*chosen) / 2 % CLASSES.len()];
        properties.insert("connector.class".to_owned(), class.to_owned());
    }
    try_properties(&properties);
}

fn try_properties(properties: &Properties) {
    let worker = crate::worker();
    let name = properties.get("name").map_or("", |name| name.trim());
    let lines = class::values(name, properties, &worker);
    match class::read(name, properties, &worker) {
        Err(error) => {
            assert!(!error.to_string().is_empty() && lines.is_empty());
            assert_eq!(class::validate(properties, &worker).err(), Some(error));
        }
        Ok(read) => {
            assert!(!lines.is_empty());
            assert_eq!(read.plan.is_some(), read.errors.is_empty(), "{:?}", read.errors);
            if let Some(plan) = &read.plan {
                assert!(!plan.tasks.is_empty());
            }
            let validation = class::validate(properties, &worker).expect("a class, as before");
            let found: usize = validation.configs.iter().map(|(_, value)| value.errors.len()).sum();
            assert_eq!(found, read.errors.len(), "{:?}", read.errors);
        }
    }
}
