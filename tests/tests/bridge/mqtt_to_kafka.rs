//! MQTT to Kafka: which message becomes which record.

use midge_codec::{Packet, ReasonCode};
use midge_tests::{
    Kafka, Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message, mosquitto_passwd, text,
};

use crate::{bridged, bridged_to};

#[test]
fn an_acknowledged_message_is_a_record_of_kafka() {
    let midge = bridged(
        "[connectors.all]\ntype = \"source\"\nmqtt_filters = [\"all/#\"]\nkafka_topic = \"all\"\n",
    )
    .start();
    let kafka = Kafka::shared();
    let mut expected = Vec::new();
    for version in VERSIONS {
        for qos in [QOS1, QOS2] {
            let mut client = midge.dial(version, "device").connect();
            let topic = format!("all/{version:?}/{qos:?}");
            let publish = message(&topic, "payload with spaces").qos(qos);
            // Success where nobody subscribes: Kafka has it.
            assert_eq!(client.publish(publish), ReasonCode::Success);
            expected.push(format!("{topic} payload with spaces"));
            // No waiting here: the acknowledgement said so.
            let mut records = kafka.records("all", "%k %s\n");
            records.sort();
            let mut sorted = expected.clone();
            sorted.sort();
            assert_eq!(records, sorted);
        }
    }
    let mut client = midge.client("device");
    client.publish(message("all/zero", "qos 0"));
    kafka.eventually_records("all", "%k %s\n", expected.len() + 1);
    // What no filter takes is none of Kafka's business.
    client.publish(message("other", "x").qos(QOS1));
    client.publish(message("all/end", "x").qos(QOS1));
    assert_eq!(kafka.records("all", "%k\n").len(), expected.len() + 2);
}

#[test]
fn templates_make_the_kafka_topic_and_the_key() {
    let midge = bridged(
        "[connectors.levels]\ntype = \"source\"\nmqtt_filters = \"plant/+/+\"\n\
         kafka_topic = \"templates-${topic[2]}\"\nkey = \"${clientid}/${topic[3]}\"\n\n\
         [connectors.whole]\ntype = \"source\"\nmqtt_filters = [\"whole/#\"]\n\
         kafka_topic = \"${topic}\"\n",
    )
    .start();
    let mut client = midge.client("sensor-7");
    client.publish(message("plant/north/heat", "21").qos(QOS1));
    client.publish(message("plant/south/heat", "30").qos(QOS1));
    client.publish(message("whole/of/it", "x").qos(QOS1));
    let kafka = Kafka::shared();
    assert_eq!(kafka.records("templates-north", "%k %s\n"), ["sensor-7/heat 21"]);
    assert_eq!(kafka.records("templates-south", "%k %s\n"), ["sensor-7/heat 30"]);
    assert_eq!(kafka.records("whole_of_it", "%k %s\n"), ["whole/of/it x"]);
}

#[test]
fn headers_tell_where_a_record_comes_from() {
    let midge = bridged(
        "[connectors.headers]\ntype = \"source\"\nmqtt_filters = [\"headers/#\"]\n\
         kafka_topic = \"headers\"\n\n\
         [connectors.bare]\ntype = \"source\"\nmqtt_filters = [\"headers/#\"]\n\
         kafka_topic = \"bare\"\nheaders = false\n",
    )
    .start();
    let mut client = midge.client("sensor-7");
    let publish = message("headers/x", "21").qos(QOS1).retained().with(|set| {
        set.user_properties = vec![(text("unit"), text("°C")), (text("unit"), text("K"))];
    });
    client.publish(publish);
    let kafka = Kafka::shared();
    let headers = kafka.records("headers", "%h\n");
    for part in [
        "mqtt.topic=headers/x",
        "mqtt.client.id=sensor-7",
        "mqtt.qos=1",
        "mqtt.retain=true",
        "unit=°C",
        "unit=K",
    ] {
        assert!(headers[0].contains(part), "{part} is not in {headers:?}");
    }
    assert!(!kafka.records("bare", "%h\n")[0].contains("mqtt.topic"));
}

#[test]
fn a_record_has_the_time_of_its_message() {
    let midge = bridged(
        "[connectors.times]\ntype = \"source\"\nmqtt_filters = \"times\"\nkafka_topic = \"times\"\n",
    )
    .start();
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_millis()
    };
    let before = now();
    midge.client("c").publish(message("times", "x").qos(QOS1));
    let after = now();
    let time: u128 = Kafka::shared().records("times", "%T\n")[0].parse().expect("a number");
    assert!((before..=after).contains(&time), "{before} {time} {after}");
}

#[test]
fn records_go_to_the_partitions_that_java_would_choose() {
    let kafka = Kafka::shared();
    kafka.create_topic("partitions-midge", 7);
    kafka.create_topic("partitions-java", 7);
    let midge = bridged(
        "[connectors.partitions]\ntype = \"source\"\nmqtt_filters = \"spread/#\"\n\
         kafka_topic = \"partitions-midge\"\n",
    )
    .start();
    let topics: Vec<String> = (0..40).map(|number| format!("spread/ключ/{number}")).collect();
    let mut client = midge.client("c");
    for topic in &topics {
        client.publish(message(topic, "x").qos(QOS1));
    }
    let lines: String = topics.iter().map(|topic| format!("{topic}:x\n")).collect();
    kafka.console_producer("partitions-java", &lines);
    let sorted = |topic: &str| {
        let mut records = kafka.eventually_records(topic, "%k %p\n", topics.len());
        records.sort();
        records
    };
    assert_eq!(sorted("partitions-midge"), sorted("partitions-java"));
}

#[test]
fn payloads_are_bytes_and_arrive_as_they_are() {
    let midge = bridged(
        "[connectors.bytes]\ntype = \"source\"\nmqtt_filters = \"bytes\"\nkafka_topic = \"bytes\"\n",
    )
    .start();
    let mut client = midge.client("c");
    let all: Vec<u8> = (0..=255).collect();
    let large = vec![b'x'; 500_000];
    for payload in [all, large] {
        client.publish(message("bytes", payload).qos(QOS1));
    }
    let read = midge_tests::kcat(
        Kafka::shared().bootstrap(),
        &["-C", "-t", "bytes", "-o", "beginning", "-e", "-q", "-f", "%S\n"],
        "",
    );
    assert_eq!(read.stdout, "256\n500000\n");
}

#[test]
fn a_message_larger_than_kafka_takes_is_refused_and_holds_up_nobody() {
    let midge = bridged(
        "[connectors.large]\ntype = \"source\"\nmqtt_filters = \"large\"\nkafka_topic = \"large\"\n",
    )
    .start();
    let mut client = midge.client("c");
    let reason = client.publish(message("large", vec![b'x'; 1_500_000]).qos(QOS1));
    assert!(reason.is_error(), "{reason}");
    assert_eq!(client.publish(message("large", "small").qos(QOS1)), ReasonCode::Success);
    assert_eq!(Kafka::shared().records("large", "%s\n"), ["small"]);
    midge.says(&["large", "refused"]);
}

#[test]
fn a_connector_with_a_user_takes_only_what_that_user_may_read() {
    let conf = "password_file @DIR@/passwords\nacl_file @DIR@/acl\n";
    let acl = "user connector\ntopic read shown/#\nuser device\ntopic write #\n";
    let setup = midge_tests::Setup::conf(conf).file("acl", acl).bridge(&format!(
        "[kafka]\nbootstrap_servers = \"{}\"\n\
         [connectors.limited-out]\ntype = \"source\"\nmqtt_filters = [\"#\"]\nkafka_topic = \"limited\"\n\
         mqtt_user = \"connector\"\nmqtt_password = \"secret\"\n",
        Kafka::shared().bootstrap()
    ));
    for user in ["connector", "device"] {
        mosquitto_passwd(&setup.directory().join("passwords"), user, "secret");
    }
    let midge = setup.start();
    let mut device = midge.client_of("device", "secret");
    device.publish(message("hidden/x", "not for Kafka").qos(QOS1));
    device.publish(message("shown/x", "for Kafka").qos(QOS1));
    assert_eq!(Kafka::shared().records("limited", "%k %s\n"), ["shown/x for Kafka"]);
}

#[test]
fn order_is_kept_for_each_mqtt_topic() {
    let kafka = Kafka::shared();
    kafka.create_topic("ordered", 4);
    let midge = bridged(
        "[connectors.ordered]\ntype = \"source\"\nmqtt_filters = \"ordered/+\"\n\
         kafka_topic = \"ordered\"\n",
    )
    .start();
    let mut client = midge.client("c");
    let mut ids = std::collections::VecDeque::new();
    for number in 0..1000 {
        let topic = format!("ordered/{}", number % 5);
        ids.push_back(client.send_publish(message(&topic, number.to_string()).qos(QOS1)));
        if ids.len() == 100 {
            client.pick("PUBACK", |packet| matches!(packet, Packet::Puback(_)).then_some(()));
            ids.pop_front();
        }
    }
    let records = kafka.eventually_records("ordered", "%k %s\n", 1000);
    assert_eq!(records.len(), 1000);
    for topic in 0..5 {
        let prefix = format!("ordered/{topic} ");
        let numbers: Vec<&str> =
            records.iter().filter_map(|record| record.strip_prefix(&prefix)).collect();
        let expected: Vec<String> = (0..1000)
            .filter(|number| number % 5 == topic)
            .map(|number| number.to_string())
            .collect();
        assert_eq!(numbers, expected);
    }
}

#[test]
fn an_unreachable_kafka_holds_back_acknowledgements_of_its_own_rules_alone() {
    let midge = bridged_to(
        "127.0.0.1:1",
        "[connectors.safe]\ntype = \"source\"\nmqtt_filters = \"safe\"\nkafka_topic = \"safe\"\n\n\
         [connectors.fast]\ntype = \"source\"\nmqtt_filters = \"fast\"\nkafka_topic = \"fast\"\n\
         ack = \"none\"\n",
    )
    .start();
    // It runs and says so.
    midge.says(&["kafka", "safe"]);
    let mut client = midge.client("c");
    let held = client.send_publish(message("safe", "x").qos(QOS1)).expect("an id");
    let held2 = client.send_publish(message("safe", "x").qos(QOS2)).expect("an id");
    // Neither other rules nor other topics nor other packets wait for that.
    assert!(!client.publish(message("fast", "x").qos(QOS1)).is_error());
    assert!(!client.publish(message("none/of/kafka", "x").qos(QOS2)).is_error());
    assert_eq!(client.subscribe("safe", QOS0), ReasonCode::Success);
    let acknowledged = |packet: &Packet| match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) => {
            ack.packet_id == held || ack.packet_id == held2
        }
        _ => false,
    };
    let unread = client.unread();
    assert!(!unread.iter().any(acknowledged), "{unread:?}");
    // Subscribers of MQTT get theirs meanwhile.
    client.send_publish(message("safe", "live").qos(QOS1));
    client.expect("safe", "live");
}

#[test]
fn a_broker_without_connectors_needs_no_kafka() {
    let midge = Midge::start("");
    midge.client("c").ping();
    assert!(!midge.log().contains("kafka"), "{}", midge.log());
}
