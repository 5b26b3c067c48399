//! Both directions over the same topics: a message passes each rule once.

use midge_tests::{Kafka, Outgoing, QOS1, message};

use crate::bridged;

#[test]
fn a_message_does_not_go_in_a_circle() {
    Kafka::shared().create_topic("circle", 1);
    let midge = bridged(
        "[connectors.circle-out]\ntype = \"source\"\nmqtt_filters = \"circle/#\"\nkafka_topic = \"circle\"\n\
         key = \"k\"\n\n\
         [connectors.circle-in]\ntype = \"sink\"\nkafka_topics = [\"circle\"]\nmqtt_topic = \"circle/back\"\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("circle/#", QOS1);
    for number in 1..=3 {
        let payload = number.to_string();
        client.publish(message("circle/out", payload.clone()).qos(QOS1));
        client.expect("circle/out", &payload);
        client.expect("circle/back", &payload);
        // With the next one through, the former would have come round again.
    }
    assert_eq!(Kafka::shared().records("circle", "%s\n"), ["1", "2", "3"]);
    assert_eq!(client.unread(), []);
}

#[test]
fn two_brokers_on_the_same_topics_pass_each_message_once() {
    Kafka::shared().create_topic("shared", 1);
    let connectors = |name: &str| {
        format!(
            "[connectors.out-{name}]\ntype = \"source\"\nmqtt_filters = \"shared/#\"\n\
             kafka_topic = \"shared\"\n\n\
             [connectors.in-{name}]\ntype = \"sink\"\nkafka_topics = [\"shared\"]\n\
             mqtt_topic = \"${{key}}\"\n"
        )
    };
    let first = bridged(&connectors("first")).start();
    let second = bridged(&connectors("second")).start();
    let mut here = first.client("here");
    let mut there = second.client("there");
    here.subscribe("shared/#", QOS1);
    there.subscribe("shared/#", QOS1);
    for number in 1..=3 {
        let topic = format!("shared/{number}");
        here.publish(message(&topic, "x").qos(QOS1));
        there.expect(&topic, "x");
    }
    // From there to here, after everything else.
    there.publish(message("shared/end", "x").qos(QOS1));
    while here.accept().name() != "shared/end" {}
    let records = Kafka::shared().records("shared", "%k\n");
    // Each broker's own sink may hand the record to the other's source once; never more.
    for topic in ["shared/1", "shared/2", "shared/3"] {
        let times = records.iter().filter(|record| *record == topic).count();
        assert!((1..=2).contains(&times), "{topic} {times} times: {records:?}");
    }
}
