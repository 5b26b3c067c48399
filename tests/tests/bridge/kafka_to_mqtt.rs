//! Kafka to MQTT: which record becomes which message, and what a restart loses: nothing.

use midge_tests::{
    Kafka, Outgoing, QOS0, QOS1, QOS2, Setup, Subscriber, eventually, kcat, message,
    mosquitto_passwd,
};

use crate::bridged;

#[test]
fn a_record_is_printed_by_mosquitto_sub() {
    let midge = bridged(
        "[connectors.commands]\ntype = \"sink\"\nkafka_topics = [\"commands\"]\n\
         mqtt_topic = \"from/${topic}/${key}\"\n",
    )
    .start();
    let subscriber = Subscriber::new(&midge, &["-v", "-q", "1", "-t", "from/#"]);
    let kafka = Kafka::shared();
    kafka.produce("commands", "valve-3:open\nvalve-4:close\n");
    subscriber.prints("from/commands/valve-3 open");
    subscriber.prints("from/commands/valve-4 close");
    // Kafka's own producer is as good.
    kafka.console_producer("commands", "valve-5:half\n");
    subscriber.prints("from/commands/valve-5 half");
}

#[test]
fn records_arrive_at_the_qos_and_with_the_retain_of_their_rule() {
    let midge = bridged(
        "[connectors.twice]\ntype = \"sink\"\nkafka_topics = [\"twice\"]\nmqtt_topic = \"twice\"\n\
         qos = 2\nretain = true\n\n\
         [connectors.never]\ntype = \"sink\"\nkafka_topics = [\"never\"]\nmqtt_topic = \"never\"\n\
         qos = 0\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("twice", QOS2);
    client.subscribe("never", QOS2);
    Kafka::shared().produce("twice", "k:two\n");
    assert_eq!(client.expect("twice", "two").qos, QOS2);
    Kafka::shared().produce("never", "k:zero\n");
    assert_eq!(client.expect("never", "zero").qos, QOS0);
    let mut late = midge.client("late");
    late.subscribe("twice", QOS1);
    assert!(late.expect("twice", "two").retain);
    late.subscribe("never", QOS1);
    assert_eq!(late.unread(), []);
}

#[test]
fn a_topic_made_after_the_start_is_found() {
    let midge = bridged(
        "[connectors.later]\ntype = \"sink\"\nkafka_topics = [\"later\"]\nmqtt_topic = \"later\"\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("later", QOS1);
    // It has looked for the topic and not found it.
    midge.says(&["later", "not available"]);
    Kafka::shared().produce("later", "k:in the end\n");
    client.expect("later", "in the end");
}

#[test]
fn records_keep_their_order() {
    let midge = bridged(
        "[connectors.sequence]\ntype = \"sink\"\nkafka_topics = [\"sequence\"]\n\
         mqtt_topic = \"sequence/${key}\"\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("sequence/#", QOS1);
    let lines: String = (0..1000).map(|number| format!("k:{number}\n")).collect();
    Kafka::shared().produce("sequence", &lines);
    for number in 0..1000 {
        client.expect("sequence/k", &number.to_string());
    }
}

#[test]
fn a_record_without_a_value_is_skipped_or_clears_what_is_retained() {
    let midge = bridged(
        "[connectors.state]\ntype = \"sink\"\nkafka_topics = [\"state\"]\nmqtt_topic = \"state/${key}\"\n\
         retain = true\ntombstones = \"clear\"\n\n\
         [connectors.keep]\ntype = \"sink\"\nkafka_topics = [\"state\"]\nmqtt_topic = \"keep/${key}\"\n\
         retain = true\n",
    )
    .start();
    let kafka = Kafka::shared();
    kafka.produce("state", "lamp:on\n");
    let retained = |topic: &str| {
        let mut late = midge.client("late");
        late.subscribe(topic, QOS0);
        !late.unread().is_empty()
    };
    eventually("both are retained", || {
        (retained("state/lamp") && retained("keep/lamp")).then_some(())
    });
    // -Z: an empty value is none.
    kcat(kafka.bootstrap(), &["-P", "-t", "state", "-K", ":", "-Z"], "lamp:\n").success();
    eventually("one is cleared", || (!retained("state/lamp")).then_some(()));
    assert!(retained("keep/lamp"));
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let setup = bridged(
        "[connectors.resumed]\ntype = \"sink\"\nkafka_topics = [\"resumed\"]\nmqtt_topic = \"resumed\"\n\
         retain = true\ngroup_id = \"resumed-group\"\n",
    );
    let mut midge = setup.start();
    let kafka = Kafka::shared();
    let mut client = midge.client("c");
    client.subscribe("resumed", QOS1);
    kafka.produce("resumed", "k:1\nk:2\nk:3\n");
    for number in 1..=3 {
        client.expect("resumed", &number.to_string());
    }
    midge.restart();
    // What came while it was away is there, what it had done before is not done again. It may come
    // before this client does: it is retained.
    kafka.produce("resumed", "k:4\n");
    let mut client = midge.client("c");
    client.subscribe("resumed", QOS1);
    client.expect("resumed", "4");
    kafka.produce("resumed", "k:5\n");
    client.expect("resumed", "5");
}

#[test]
fn a_record_that_makes_no_topic_is_passed_over_with_a_line() {
    let midge = bridged(
        "[connectors.odd]\ntype = \"sink\"\nkafka_topics = [\"odd\"]\nmqtt_topic = \"odd/${key}\"\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("odd/#", QOS1);
    Kafka::shared().produce("odd", "a/#:wildcard\ngood:x\n");
    client.expect("odd/good", "x");
    midge.says(&["odd", "refused"]);
}

#[test]
fn a_connector_with_a_user_writes_only_what_that_user_may() {
    let conf = "password_file @DIR@/passwords\nacl_file @DIR@/acl\n";
    let acl = "topic read #\nuser connector\ntopic write allowed/#\n";
    let setup = Setup::conf(conf).file("acl", acl).bridge(&format!(
        "[kafka]\nbootstrap_servers = \"{}\"\n\
         [connectors.limited-in]\ntype = \"sink\"\nkafka_topics = [\"written\"]\nmqtt_topic = \"${{key}}\"\n\
         mqtt_user = \"connector\"\nmqtt_password = \"secret\"\n",
        Kafka::shared().bootstrap()
    ));
    mosquitto_passwd(&setup.directory().join("passwords"), "connector", "secret");
    let midge = setup.start();
    let mut client = midge.client("c");
    client.subscribe("#", QOS1);
    Kafka::shared().produce("written", "forbidden/x:no\nallowed/x:yes\n");
    client.expect("allowed/x", "yes");
}

#[test]
fn a_message_may_go_to_kafka_and_come_back_elsewhere() {
    let midge = bridged(
        "[connectors.there-out]\ntype = \"source\"\nmqtt_filters = \"there/#\"\nkafka_topic = \"there\"\n\n\
         [connectors.there-in]\ntype = \"sink\"\nkafka_topics = [\"there\"]\nmqtt_topic = \"back/${key}\"\n",
    )
    .start();
    let mut client = midge.client("c");
    client.subscribe("back/#", QOS1);
    client.publish(message("there/and", "hello").qos(QOS1));
    client.expect("back/there/and", "hello");
}
