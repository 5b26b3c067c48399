//! The guide to Lenses' MQTT sink: a property file made a connector by `connect-cli`, an Avro record
//! by the console producer, and JSON at an MQTT client.
//!
//! The public broker of the guide is a name of this broker. The guide's web client is
//! `mosquitto_sub`; its topic there, "/datamountaineer/mqtt_sink_topic/+", is not the one that its
//! statement publishes to, so this one subscribes to both.

use midge_tests::{Kafka, Midge, Port, Subscriber};

use crate::avro_console_producer::produce;
use crate::connect_cli::{CREATE, PS, create, lines, shell, to, worker};
use crate::listens;

/// `conf/mqtt-sink.properties`, and what `create` prints of it.
pub(crate) const PROPERTIES: &str = "\
    #Connector name=`mqtt-sink`
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

/// What the worker's log shows of it. The guide's has `connect.progress.enabled = true`, which neither
/// its file nor the default that it names says.
const LOGGED: &str = "
        connect.mqtt.clean = true
        connect.mqtt.client.id = dm_sink_id,
        connect.mqtt.converter.throw.on.error = false
        connect.mqtt.error.policy = THROW
        connect.mqtt.hosts = tcp://broker.mqttdashboard.com:1883
        connect.mqtt.kcql = INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic
        connect.mqtt.keep.alive = 1000
        connect.mqtt.max.retries = 20
        connect.mqtt.password = null
        connect.mqtt.retry.interval = 60000
        connect.mqtt.service.quality = 1
        connect.mqtt.ssl.ca.cert = null
        connect.mqtt.ssl.cert = null
        connect.mqtt.ssl.key = null
        connect.mqtt.timeout = 1000
        connect.mqtt.username = null
";

pub(crate) const PRODUCER: &str = r#"${CONFLUENT_HOME}/bin/kafka-avro-console-producer \
      --broker-list localhost:9092 --topic kafka-topic \
      --property value.schema='{"type":"record","name":"User","namespace":"com.datamountaineer.streamreactor.connect.mqtt"
      ,"fields":[{"name":"firstName","type":"string"},{"name":"lastName","type":"string"},{"name":"age","type":"int"},{"name":"salary","type":"double"}]}'"#;
pub(crate) const RECORD: &str =
    r#"{"firstName": "John", "lastName": "Smith", "age":30, "salary": 4830}"#;

/// "The payload of the MQTT message sent to the MQTT broker is sent as json."
pub(crate) const JOHN: &str = r#"{"firstName":"John","lastName":"Smith","age":30,"salary":4830.0}"#;

/// A broker that the guide calls broker.mqttdashboard.com.
fn start() -> Midge {
    worker("\n[bridge]\nlocal_hosts = [\"broker.mqttdashboard.com\"]\n").start()
}

#[test]
fn the_quickstart_s_avro_record_is_json_at_the_mqtt_client() {
    Kafka::shared().create_topic("kafka-topic", 1);
    let midge = start();
    let shell = shell().file("conf/mqtt-sink.properties", PROPERTIES);
    let subscriber = Subscriber::new(
        &midge,
        &["-v", "-t", "/datamountaineer/mqtt_sink_topic/+", "-t", "/datamountaineer/mqtt_topic"],
    );

    let created = shell.run(&to(&midge, CREATE)).success().stdout;
    assert_eq!(created.lines().collect::<Vec<_>>(), lines(PROPERTIES));
    assert_eq!(shell.run(&to(&midge, PS)).success().stdout, "mqtt-sink\n");
    midge.says(&["MqttSinkConfig values:"]);
    for line in lines(LOGGED) {
        midge.says(&[line]);
    }

    let command = PRODUCER.replace("localhost:9092", Kafka::shared().bootstrap());
    produce(&shell, &command, RECORD);
    assert_eq!(subscriber.messages(1), [format!("/datamountaineer/mqtt_topic {JOHN}")]);
}

#[test]
fn at_another_broker_the_same_file_is_a_client_there() {
    Kafka::shared().create_topic("kafka-topic-there", 1);
    let there = Port::take();
    let shell = shell().file(
        "mosquitto.conf",
        &format!("listener {} 127.0.0.1\nallow_anonymous true\n", there.number()),
    );
    let _mosquitto = shell.start("exec mosquitto -c mosquitto.conf", "mosquitto.log");
    listens(&there);
    let midge = worker("").start();
    let subscriber = Subscriber::at(there.number(), &["-v", "-t", "/datamountaineer/mqtt_topic"]);
    let file = PROPERTIES
        .replace("broker.mqttdashboard.com:1883", &format!("localhost:{}", there.number()))
        .replace("kafka-topic", "kafka-topic-there")
        .replace("name=mqtt-sink", "name=mqtt-sink-there");
    create(&midge, &shell, "mqtt-sink-there", &file);
    let command = PRODUCER.replace("localhost:9092", Kafka::shared().bootstrap());
    produce(&shell, &command.replace("kafka-topic", "kafka-topic-there"), RECORD);
    assert_eq!(subscriber.messages(1), [format!("/datamountaineer/mqtt_topic {JOHN}")]);
}

/// The statements of the guide's examples, each a connector's.
const EVERYTHING: &str = "    #Insert mode, select all fields from topicA and write to topicA
    INSERT INTO topicA SELECT * FROM topicA
";
const RENAMED: &str = "    #Insert mode, select 3 fields and rename from topicB and write to topicA
    INSERT INTO topicA SELECT x AS a, y AS b and z AS c FROM topicB
";

/// The file with another name, statement, topic and converter.
fn with(name: &str, topic: &str, kcql: &str, converter: &str) -> String {
    let statement = kcql.lines().map(str::trim).find(|line| line.starts_with("INSERT"));
    let quickstart = "INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic";
    let file = PROPERTIES
        .replace(quickstart, statement.expect("a statement"))
        .replace("topics=kafka-topic", &format!("topics={topic}"))
        .replace("name=mqtt-sink", &format!("name={name}"));
    format!("{file}key.converter=org.apache.kafka.connect.storage.StringConverter\n{converter}")
}

const JSON: &str = "value.converter=org.apache.kafka.connect.json.JsonConverter\n";
const PLAIN_JSON: &str = "value.converter=org.apache.kafka.connect.json.JsonConverter\n\
                          value.converter.schemas.enable=false\n";
const STRING: &str = "value.converter=org.apache.kafka.connect.storage.StringConverter\n";

#[test]
fn the_examples_of_statements_select_and_rename() {
    for topic in ["topicA", "topicB"] {
        Kafka::shared().create_topic(topic, 1);
    }
    let midge = start();
    let shell = shell();
    let subscriber = Subscriber::new(&midge, &["-v", "-t", "topicA"]);
    create(&midge, &shell, "everything", &with("everything", "topicA", EVERYTHING, PLAIN_JSON));
    create(&midge, &shell, "renamed", &with("renamed", "topicB", RENAMED, PLAIN_JSON));
    let ps = shell.run(&to(&midge, PS)).success().stdout;
    assert_eq!(ps.lines().collect::<Vec<_>>(), ["everything", "renamed"]);
    Kafka::shared().produce("topicA", "k:{\"x\":1,\"w\":[true]}\n");
    assert_eq!(subscriber.messages(1), [r#"topicA {"x":1,"w":[true]}"#]);
    Kafka::shared().produce("topicB", "k:{\"x\":1,\"y\":\"two\",\"z\":3.5,\"w\":4}\n");
    assert_eq!(subscriber.messages(2)[1], r#"topicA {"a":1,"b":"two","c":3.5}"#);
}

#[test]
fn every_payload_that_the_guide_lists_is_published_as_json() {
    let midge = start();
    let shell = shell();
    let kafka = Kafka::shared();
    let subscriber = Subscriber::new(&midge, &["-v", "-t", "/datamountaineer/mqtt_topic"]);
    let statement = |topic: &str| {
        format!("INSERT INTO /datamountaineer/mqtt_topic SELECT x AS a, y FROM {topic}")
    };
    let plain = r#"{"x":1,"y":"two","z":3}"#;
    let envelope = format!(
        r#"{{"schema":{{"type":"struct","fields":[{{"type":"int32","field":"x"}},{{"type":"string","field":"y"}},{{"type":"int8","field":"z"}}]}},"payload":{plain}}}"#
    );
    // "Json + Schema", "Schema.String and the json string", "without a schema and the payload json".
    let kinds = [
        ("with-schema", JSON, envelope.as_str()),
        ("in-a-string", STRING, plain),
        ("without-schema", PLAIN_JSON, plain),
    ];
    for (count, (topic, converter, record)) in kinds.into_iter().enumerate() {
        kafka.create_topic(topic, 1);
        create(&midge, &shell, topic, &with(topic, topic, &statement(topic), converter));
        kafka.produce(topic, &format!("k:{record}\n"));
        let messages = subscriber.messages(count + 1);
        assert_eq!(messages[count], r#"/datamountaineer/mqtt_topic {"a":1,"y":"two"}"#, "{topic}");
    }
}
