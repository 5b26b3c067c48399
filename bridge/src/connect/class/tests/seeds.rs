//! What people hold in their hands: property files and bodies of curl commands, as they are.

use std::time::Duration;

use midge_codec::QoS;
use midge_config::{Ack, OffsetReset, Spool};
use midge_rules::converter::SourceClass;
use midge_rules::kcql::{Measurement, TimestampFrom};
use midge_rules::pipeline::SinkTarget;

use super::*;
use crate::connect::plan::{ErrorPolicy, Errors, Reading, RemoteTls};

/// The file that goes into `connect-cli create mqtt-sink`, the comments around it and all.
const MQTT_SINK: &str = "#Connector name=`mqtt-sink`
    name=mqtt-sink
    tasks.max=1
    connector.class=com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector  
    topics=kafka-topic
    connect.mqtt.hosts=tcp://broker.mqttdashboard.com:1883
    connect.mqtt.kcql=INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic
    connect.mqtt.clean=true
    connect.mqtt.timeout=1000
    connect.mqtt.keep.alive=1000
    connect.mqtt.client.id=dm_sink_id,
    connect.mqtt.service.quality=1
    tasks.max=1
    #task ids: 0
";

#[test]
fn the_sink_of_the_quickstart_publishes_at_the_other_broker() {
    let plan = planned(&file(MQTT_SINK), &worker());
    let work = mqtt_sink(&plan);
    let Broker::There(remote) = &work.broker else { panic!("another broker") };
    assert_eq!(remote.addresses, [(false, "broker.mqttdashboard.com".to_owned(), 1883)]);
    assert_eq!(remote.client_id, "dm_sink_id");
    assert!(remote.clean_session && remote.user.is_none());
    assert_eq!(
        (remote.keep_alive, remote.timeout),
        (Duration::from_secs(1), Duration::from_secs(1))
    );
    assert_eq!(remote.tls, RemoteTls::default());
    assert_eq!(
        work.reading,
        Reading {
            topics: vec!["kafka-topic".to_owned()],
            group_id: "connect-mqtt-sink".to_owned(),
            offset_reset: OffsetReset::Earliest,
            max_under_way: 1000,
        }
    );
    assert_eq!(work.policy, ErrorPolicy::Throw);
    let [statement] = &work.parts.statements[..] else { panic!("one statement") };
    assert_eq!(statement.kafka_topic.as_deref(), Some("kafka-topic"));
    assert!(matches!(statement.target, SinkTarget::Rule));
    assert!(statement.projection.is_everything());
    assert!(format!("{:?}", statement.rule).contains("/datamountaineer/mqtt_topic"));
    assert_eq!((plan.errors.clone(), plan.progress), (Errors::default(), false));
    let config = &plan.tasks[0].config;
    assert_eq!(
        config["task.class"],
        "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkTask"
    );
    assert_eq!(config["connect.mqtt.client.id"], "dm_sink_id,");
    assert_eq!(
        plan.notices,
        [
            "connect.mqtt.client.id: the comma at its end is left out: dm_sink_id",
            "key.converter: nobody names one: org.apache.kafka.connect.json.JsonConverter",
            "value.converter: nobody names one: org.apache.kafka.connect.json.JsonConverter",
        ]
    );
}

#[test]
fn the_words_of_the_option_list_mean_the_same_as_those_of_the_quickstart() {
    let listed = "name=mqtt-sink
        connector.class=com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector
        topics=kafka-topic
        connect.mqtt.hosts=ssl://broker.mqttdashboard.com:8883
        connect.mqtt.ksql=INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic
        connect.mqtt.connection.clean=false
        connect.mqtt.connection.timeout=2500
        connect.mqtt.connection.keep.alive=7500
        connect.mqtt.connection.ssl.ca.cert=/ca.pem
        connect.mqtt.connection.ssl.cert=/own.pem
        connect.mqtt.connection.ssl.key=/own.key
        connect.mqtt.max.retires=3
        connect.mqtt.error.policy=retry
        connect.progress.enabled=true
        ";
    let plan = planned(&file(listed), &worker());
    let work = mqtt_sink(&plan);
    let Broker::There(remote) = &work.broker else { panic!("another broker") };
    assert_eq!(remote.addresses, [(true, "broker.mqttdashboard.com".to_owned(), 8883)]);
    assert!(!remote.clean_session);
    assert_eq!(remote.client_id, "midge-mqtt-sink");
    assert_eq!(remote.timeout, Duration::from_millis(2500));
    assert_eq!(remote.keep_alive, Duration::from_secs(8), "MQTT has seconds");
    let path = |path: &str| Some(path.to_owned());
    assert_eq!(
        remote.tls,
        RemoteTls { ca: path("/ca.pem"), certificate: path("/own.pem"), key: path("/own.key") }
    );
    assert_eq!(work.policy, ErrorPolicy::Retry { interval: Duration::from_secs(60), max: 3 });
    assert!(plan.progress);
}

#[test]
fn the_influx_sink_of_the_quickstart_writes_points_of_now() {
    let text = "#Connector name=`influx-sink`
    name=influxdb-sink
    connector.class=com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector
    tasks.max=1
    topics=influx-topic
    connect.influx.kcql=INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()
    connect.influx.url=http://localhost:8086
    connect.influx.db=mydb
    #task ids: 0
";
    let plan = planned(&file(text), &worker());
    let work = influx_sink(&plan);
    assert_eq!(work.reading.topics, ["influx-topic"]);
    assert_eq!(work.reading.group_id, "connect-influxdb-sink");
    let [statement] = &work.statements[..] else { panic!("one statement") };
    assert_eq!(statement.kafka_topic, "influx-topic");
    assert_eq!(statement.measurement, Measurement::Literal("influxMeasure".to_owned()));
    assert_eq!(statement.timestamp, TimestampFrom::SystemTime);
    let database = &work.database;
    assert_eq!((&*database.url, &*database.database), ("http://localhost:8086", "mydb"));
    assert!(database.user.is_none() && database.token.is_none());
    assert_eq!((&*database.retention_policy, &*database.consistency), ("autogen", "all"));
    assert_eq!(work.policy, ErrorPolicy::Throw);
    // As its log shows it, a letter short.
    let logged = "connect.influx.username = root\nconnect.influx.password = root\n\
                  connect.influx.max.retires = 7\nconnect.influx.error.policy = RETRY\n\
                  connect.influx.retry.interval = 100\n";
    let plan = planned(&file(&format!("{text}{logged}")), &worker());
    let work = influx_sink(&plan);
    let user = work.database.user.as_ref().map(|(name, password)| (&**name, password.expose()));
    assert_eq!(user, Some(("root", "root")));
    assert_eq!(work.policy, ErrorPolicy::Retry { interval: Duration::from_millis(100), max: 7 });
}

/// The configuration in the body of a curl command.
fn body(json: &str) -> Properties {
    let body: serde_json::Value = serde_json::from_str(json).unwrap();
    let config = body.get("config").unwrap_or(&body);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut config: Properties =
        config.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let name = body.get("name").map_or_else(|| "smap-mqtt-source-lenses".to_owned(), text);
    config.insert("name".to_owned(), name);
    config
}

#[test]
fn confluents_source_of_the_curl_command_subscribes_at_the_other_broker() {
    let body = body(
        r#"{"name": "smap-mqtt-source", "config": {"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "tasks.max":"1", "mqtt.server.uri":"tcp://emqx:1883", "mqtt.topics":"telemetry/#", "kafka.topic": "smap_telemetry_data",  "mqtt.username":"zenatix_mqtt_client", "mqtt.password":"xitanez123"}}"#,
    );
    let plan = planned(&body, &worker());
    let work = source(&plan);
    assert_eq!(
        shown_broker(&work.broker),
        "[(false, \"emqx\", 1883)] \"midge-smap-mqtt-source\" clean=true 60s 30s \
         Some((\"zenatix_mqtt_client\", Some(\"xitanez123\"))) RemoteTls { ca: None, certificate: \
         None, key: None }"
    );
    assert_eq!(work.qos, QoS::AtMostOnce, "as Confluent documents it");
    let [rule] = &work.rules[..] else { panic!("one rule") };
    assert_eq!(rule.filters[0].text().as_str(), "telemetry/#");
    assert_eq!(rule.parts.rule.constant_kafka_topic(), Some("smap_telemetry_data"));
    assert_eq!(rule.parts.source.class(), SourceClass::Bytes);
}

/// The body that is to be validated, its one mistake included.
#[test]
fn a_misspelt_option_of_the_curl_command_is_told_with_the_nearest() {
    let body = body(
        r#"{"name":"smap-mqtt-source","config": {"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "tasks.max":"1", "mqtt.server.uri":"tcp://emqx:1883", "mqtt.username":"zenatix_mqtt_client", "mqtt.password":"xitanez123", "mqtt.topic":"smap_telemetry_data", "kafka.topic": "smap_telemetry_data"}}"#,
    );
    let reading = read("smap-mqtt-source", &body, &worker()).unwrap();
    assert!(reading.plan.is_none());
    let messages: Vec<&str> = reading.errors.iter().map(|error| &*error.message).collect();
    assert_eq!(
        messages,
        [
            "Missing required configuration \"mqtt.topics\" which has no default value.",
            "Invalid value null for configuration mqtt.topics: Empty list",
        ]
    );
    let hint = "ignored: mqtt.topic: unknown property, did you mean mqtt.topics?";
    assert!(reading.notices.iter().any(|notice| notice == hint), "{:?}", reading.notices);
}

#[test]
fn the_lenses_sources_of_the_curl_commands_take_what_their_statements_say() {
    let bodies = [
        r#"{"name": "smap-mqtt-source-lenses", "config": {"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://emqx:1883", "connect.mqtt.username":"zenatix_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.service.quality":"1", "connect.mqtt.kcql":"INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}}"#,
        r#"{"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://mqtt.vernemq:1883", "connect.mqtt.username":"zenatix_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.service.quality":"1", "connect.mqtt.clean":"false", "connect.mqtt.kcql":"INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}"#,
        r#"{"name": "bench-test", "config": {"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://mqtt.vernemq:1883", "connect.mqtt.username":"example_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.client.id":"bench-test-client-id", "connect.mqtt.service.quality":"1", "connect.mqtt.clean":"false", "connect.mqtt.kcql":"INSERT INTO bench_data SELECT * FROM bench/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}}"#,
    ];
    let tls = "RemoteTls { ca: None, certificate: None, key: None }";
    let expected = [
        (
            "[(false, \"emqx\", 1883)] \"midge-smap-mqtt-source-lenses\" clean=true 5s 3s \
          Some((\"zenatix_mqtt_client\", Some(\"xitanez123\")))",
            "telemetry/+/+",
            "smap_telemetry_data",
        ),
        (
            "[(false, \"mqtt.vernemq\", 1883)] \"midge-smap-mqtt-source-lenses\" clean=false 5s 3s \
          Some((\"zenatix_mqtt_client\", Some(\"xitanez123\")))",
            "telemetry/+/+",
            "smap_telemetry_data",
        ),
        (
            "[(false, \"mqtt.vernemq\", 1883)] \"bench-test-client-id\" clean=false 5s 3s \
          Some((\"example_mqtt_client\", Some(\"xitanez123\")))",
            "bench/+",
            "bench_data",
        ),
    ];
    for (json, (broker, filter, kafka_topic)) in bodies.iter().zip(expected) {
        let plan = planned(&body(json), &worker());
        let work = source(&plan);
        assert_eq!(shown_broker(&work.broker), format!("{broker} {tls}"));
        assert_eq!((work.qos, work.ack), (QoS::AtLeastOnce, Ack::Kafka));
        let [rule] = &work.rules[..] else { panic!("one rule") };
        assert_eq!(rule.filters[0].text().as_str(), filter);
        let parts = &rule.parts;
        assert_eq!(parts.rule.constant_kafka_topic(), Some(kafka_topic));
        assert_eq!(parts.source.class(), SourceClass::Bytes);
        assert_eq!(parts.value.class(), converters::BYTES);
        assert_eq!(parts.key.class(), converters::STRING);
    }
}

#[test]
fn the_body_of_the_lenses_command_runs_inside_the_broker_that_it_names() {
    let mut body = body(
        r#"{"name": "bench-test", "config": {"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "connect.mqtt.hosts":"tcp://broker.test:7777", "connect.mqtt.username":"u", "connect.mqtt.password":"p", "connect.mqtt.client.id":"id", "connect.mqtt.clean":"false", "connect.mqtt.ksql":"INSERT INTO bench_data SELECT * FROM bench/+"}}"#,
    );
    let plan = planned(&body, &worker());
    assert_eq!(shown_broker(&source(&plan).broker), "here as Some((\"u\", Some(\"p\")))");
    assert_eq!(
        plan.notices.last().unwrap(),
        "ignored: connect.mqtt.client.id, connect.mqtt.clean: the connector runs inside the broker"
    );
    body.insert("connect.mqtt.hosts".to_owned(), "tcp://broker.test,tcp://emqx".to_owned());
    let error = plan_error(&body);
    assert!(error.contains("addresses of this broker alone"), "{error}");
}

fn plan_error(properties: &Properties) -> String {
    plan("a", properties, &worker()).err().expect("a mistake").to_string()
}

#[test]
fn the_file_of_the_mosquitto_walkthrough_acts_as_its_user_inside_the_broker() {
    let text = "  name=mqtt
  connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector
  tasks.max=1
  kafka.topic=hello-mqtt-kafka
  mqtt.client_id=mqtt-kafka
  mqtt.clean_session=true
  mqtt.connection_timeout=30
  mqtt.keep_alive_interval=60
  mqtt.server_uris=tcp://localhost:1883
  mqtt.topic=hello-mqtt
  mqtt.user=mosquitto
  mqtt.password=mosquitto
";
    // Its last line goes into the worker's file.
    let mut worker = worker();
    let converter = "org.apache.kafka.connect.converters.ByteArrayConverter".to_owned();
    worker.properties.insert("value.converter".to_owned(), converter);
    let plan = planned(&file(text), &worker);
    let work = source(&plan);
    assert_eq!(shown_broker(&work.broker), "here as Some((\"mosquitto\", Some(\"mosquitto\")))");
    assert_eq!((work.ack, work.buffer), (Ack::Kafka, (64 << 20, 100_000)));
    assert_eq!((&work.spool, work.producer_byte_rate), (&Spool::default(), None));
    let [rule] = &work.rules[..] else { panic!("one rule") };
    assert_eq!(rule.filters[0].text().as_str(), "hello-mqtt");
    assert_eq!(rule.parts.rule.constant_kafka_topic(), Some("hello-mqtt-kafka"));
    assert_eq!(rule.parts.value.class(), converters::BYTES);
    assert_eq!(
        plan.notices,
        [
            "key.converter: nobody names one: org.apache.kafka.connect.storage.StringConverter",
            "ignored: mqtt.client_id, mqtt.clean_session, mqtt.connection_timeout, \
             mqtt.keep_alive_interval: the connector runs inside the broker",
        ]
    );
}
