//! Sources inside the broker whose tasks fail, rest, or are started anew while devices publish: what
//! is acknowledged comes to Kafka.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use midge_tests::{Kafka, Midge, Publisher, eventually, message, rest};
use serde_json::json;

use crate::connect::{JSON, SOURCE, STRING, is, publish, source, with_rest};

/// Waits until a topic has all these lines, each once, in their order.
#[track_caller]
fn has(kafka: &Kafka, topic: &str, expected: &[String]) {
    eventually(&format!("{topic} has {} records", expected.len()), || {
        (kafka.records(topic, "%s\n").len() >= expected.len()).then_some(())
    });
    assert_eq!(kafka.records(topic, "%s\n"), expected);
}

fn lines(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// A source whose converter refuses what is no JSON.
fn strict(midge: &Midge, kafka_topic: &str, errors_tolerance: &str) -> serde_json::Value {
    json!({
        "connector.class": SOURCE,
        "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
        "connect.mqtt.kcql": format!(
            "INSERT INTO {kafka_topic} SELECT * FROM `strict/+` \
             WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.JsonSimpleConverter`"
        ),
        "connect.mqtt.converter.throw.on.error": "true",
        "key.converter": STRING,
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "errors.tolerance": errors_tolerance,
        "midge.spool_after": "200ms",
    })
}

#[test]
fn what_comes_after_a_message_that_fails_a_source_waits_until_it_is_mended() {
    let mut midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("after-poison", 1);
    let config = strict(&midge, "after-poison", "none");
    assert_eq!(rest(&midge, "PUT", "/connectors/strict/config", Some(&config)).0, 201);
    is(&midge, "strict", "RUNNING");
    publish(&midge, "strict/1", "{\"id\":1}");
    publish(&midge, "strict/1", "no JSON");
    let state = |midge: &Midge| {
        let (_, status) = rest(midge, "GET", "/connectors/strict/status", None);
        status["tasks"][0]["state"].as_str().map(str::to_owned)
    };
    eventually("it fails", || (state(&midge).as_deref() == Some("FAILED")).then_some(()));
    publish(&midge, "strict/1", "{\"id\":2}");
    let again = "/connectors/strict/restart?includeTasks=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    publish(&midge, "strict/1", "{\"id\":3}");
    eventually("it fails again", || (state(&midge).as_deref() == Some("FAILED")).then_some(()));
    publish(&midge, "strict/1", "{\"id\":4}");
    midge.crash();
    publish(&midge, "strict/1", "{\"id\":5}");
    let config = strict(&midge, "after-poison", "all");
    assert_eq!(rest(&midge, "PUT", "/connectors/strict/config", Some(&config)).0, 200);
    publish(&midge, "strict/1", "{\"id\":6}");
    let all: Vec<String> = (1..7).map(|id| format!("{{\"id\":{id}}}")).collect();
    has(kafka, "after-poison", &all);
}

#[test]
fn a_source_that_is_started_anew_changed_and_paused_misses_nothing_and_keeps_the_order() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("anew", 1);
    let made = source(&midge, "anew", "anew");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "anew", "RUNNING");
    let port = midge.port(1);
    let publisher = std::thread::spawn(move || {
        // Each publish waits for its acknowledgement, so this outlasts what is done meanwhile.
        for part in 0..10 {
            let part = lines(part * 100..(part + 1) * 100).join("\n") + "\n";
            Publisher::to(port).arguments(&["-q", "1", "-t", "anew/1"]).lines(part).succeeds();
        }
    });
    let mut changes = 0;
    let mut config = made["config"].clone();
    while !publisher.is_finished() {
        changes += 1;
        match changes % 3 {
            0 => {
                let again = "/connectors/anew/restart?includeTasks=true";
                assert_eq!(rest(&midge, "POST", again, None).0, 202);
            }
            1 => {
                config["errors.log.enable"] = json!((changes % 2 == 0).to_string());
                let put = rest(&midge, "PUT", "/connectors/anew/config", Some(&config));
                assert_eq!(put.0, 200, "{}", put.1);
            }
            _ => {
                assert_eq!(rest(&midge, "PUT", "/connectors/anew/pause", None).0, 202);
                is(&midge, "anew", "PAUSED");
                assert_eq!(rest(&midge, "PUT", "/connectors/anew/resume", None).0, 202);
            }
        }
        is(&midge, "anew", "RUNNING");
    }
    publisher.join().expect("all are acknowledged");
    assert!(changes > 2, "{changes}");
    has(kafka, "anew", &lines(0..1_000));
}

/// A shard may have offered a message to a rule that has ended in the very moment in which it hears
/// of the one that follows. QoS 0 shows it: nobody waits for an acknowledgement meanwhile.
#[test]
fn no_moment_of_a_new_start_lets_a_message_pass_by() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("moments", 1);
    let made = source(&midge, "moments", "moments");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "moments", "RUNNING");
    let enough = AtomicBool::new(false);
    let published: Vec<usize> = std::thread::scope(|scope| {
        let publish = |number: usize| {
            let mut client = midge.client(&format!("client-{number}"));
            let enough = &enough;
            scope.spawn(move || {
                let mut sent = 0;
                while !enough.load(Ordering::Relaxed) {
                    for _ in 0..4 {
                        client.send_publish(message("moments/1", format!("{number} {sent}")));
                        sent += 1;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                client.ping();
                sent
            })
        };
        let publishers: Vec<_> = (0..3).map(publish).collect();
        for _ in 0..8 {
            let again = "/connectors/moments/restart?includeTasks=true";
            assert_eq!(rest(&midge, "POST", again, None).0, 202);
            is(&midge, "moments", "RUNNING");
        }
        enough.store(true, Ordering::Relaxed);
        publishers.into_iter().map(|publisher| publisher.join().expect("it has sent")).collect()
    });
    publish(&midge, "moments/1", "the end");
    let last = || kafka.records("moments", "%s\n").last().is_some_and(|last| last == "the end");
    eventually("the last record", || last().then_some(()));
    let records = kafka.records("moments", "%s\n");
    for (number, published) in published.into_iter().enumerate() {
        let prefix = format!("{number} ");
        let of_client = records.iter().filter_map(|record| record.strip_prefix(&prefix));
        let numbers: Vec<usize> = of_client.map(|text| text.parse().expect("a number")).collect();
        let odd = (0..).zip(&numbers).find(|(at, number)| at != *number);
        assert_eq!((odd, numbers.len()), (None, published), "client {number}");
    }
}

#[test]
fn statements_that_change_places_take_what_came_for_them() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    for topic in ["places-a", "places-b"] {
        kafka.create_topic(topic, 1);
    }
    let of =
        |letter: &str| format!("INSERT INTO places-{letter} SELECT * FROM `places/{letter}/+`");
    let mut made = source(&midge, "places", "unused");
    let orders = [format!("{}; {}", of("a"), of("b")), format!("{}; {}", of("b"), of("a"))];
    made["config"]["connect.mqtt.kcql"] = json!(orders[0]);
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "places", "RUNNING");
    let port = midge.port(1);
    let publishers = ["a", "b"].map(|letter| {
        std::thread::spawn(move || {
            for part in 0..10 {
                let part = lines(part * 50..(part + 1) * 50).join("\n") + "\n";
                let topic = format!("places/{letter}/1");
                Publisher::to(port).arguments(&["-q", "1", "-t", &topic]).lines(part).succeeds();
            }
        })
    });
    let mut changes = 0;
    while !publishers.iter().all(std::thread::JoinHandle::is_finished) {
        changes += 1;
        made["config"]["connect.mqtt.kcql"] = json!(orders[changes % 2]);
        let put = rest(&midge, "PUT", "/connectors/places/config", Some(&made["config"]));
        assert_eq!(put.0, 200, "{}", put.1);
        is(&midge, "places", "RUNNING");
    }
    for publisher in publishers {
        publisher.join().expect("all are acknowledged");
    }
    assert!(changes > 2, "{changes}");
    has(kafka, "places-a", &lines(0..500));
    has(kafka, "places-b", &lines(0..500));
}

#[test]
fn what_the_spool_has_for_a_statement_goes_its_way_from_another_place_too() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    for topic in ["order-a", "order-b"] {
        kafka.create_topic(topic, 1);
    }
    let of = |letter: &str| format!("INSERT INTO order-{letter} SELECT * FROM `order/{letter}/+`");
    let mut made = source(&midge, "order", "unused");
    made["config"]["connect.mqtt.kcql"] = json!(format!("{}; {}", of("a"), of("b")));
    made["config"]["midge.spool_after"] = json!("200ms");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "order", "RUNNING");
    assert_eq!(rest(&midge, "PUT", "/connectors/order/pause", None).0, 202);
    is(&midge, "order", "PAUSED");
    // The spool acknowledges them.
    publish(&midge, "order/a/1", "0");
    publish(&midge, "order/b/1", "0");
    made["config"]["connect.mqtt.kcql"] = json!(format!("{}; {}", of("b"), of("a")));
    assert_eq!(rest(&midge, "PUT", "/connectors/order/config", Some(&made["config"])).0, 200);
    assert_eq!(rest(&midge, "PUT", "/connectors/order/resume", None).0, 202);
    has(kafka, "order-a", &lines(0..1));
    has(kafka, "order-b", &lines(0..1));
}
