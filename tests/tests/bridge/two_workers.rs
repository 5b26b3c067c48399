//! Workers of one group: they share connectors and tasks, and REST on any of them answers for all.

use std::collections::BTreeSet;
use std::time::Duration;

use midge_tests::{Kafka, Midge, Setup, Subscriber, eventually, rest, until};
use rustix::process::Signal;
use serde_json::{Value, json};

const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A worker of a group, inside a broker; MQTT at its first port, REST at its second.
fn worker(group: &str) -> Setup {
    let kafka = Kafka::shared().bootstrap();
    Setup::conf("log_type error\nlog_type warning\nlog_type notice\nlog_type information\n")
        .bridge(
            "[bridge]\nlocal_hosts = [\"this-broker\"]\n\
             [connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n\
             worker_properties = \"@DIR@/worker.properties\"\n\
             [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n",
        )
        .file(
            "worker.properties",
            &format!(
                "bootstrap.servers={kafka}\n\
                 group.id={group}\n\
                 config.storage.topic={group}-configs\nconfig.storage.replication.factor=1\n\
                 status.storage.topic={group}-status\nstatus.storage.replication.factor=1\n\
                 offset.storage.topic={group}-offsets\noffset.storage.replication.factor=1\n\
                 key.converter={STRING}\nvalue.converter={STRING}\n\
                 session.timeout.ms=6000\nheartbeat.interval.ms=1000\n"
            ),
        )
        .listening(&[1, 2])
}

/// A sink into the broker of whichever worker runs its task.
fn sink(kafka_topic: &str, tasks: usize) -> Value {
    json!({
        "connector.class": SINK,
        "tasks.max": tasks.to_string(),
        "topics": kafka_topic,
        "connect.mqtt.hosts": "tcp://this-broker:1883",
        "connect.mqtt.kcql": format!("INSERT INTO `{kafka_topic}` SELECT * FROM `{kafka_topic}`"),
        "connect.mqtt.service.quality": "1",
    })
}

fn status(midge: &Midge, name: &str) -> Value {
    rest(midge, "GET", &format!("/connectors/{name}/status"), None).1
}

/// The workers that run tasks of a connector, by the status that `midge` shows; `None` while not all
/// of so many run.
fn runners(midge: &Midge, name: &str, tasks: usize) -> Option<Vec<String>> {
    let status = status(midge, name);
    let found = status["tasks"].as_array()?;
    let running = found.iter().filter(|task| task["state"] == "RUNNING");
    let workers: Vec<String> =
        running.map(|task| task["worker_id"].as_str().unwrap_or_default().to_owned()).collect();
    (workers.len() == tasks).then_some(workers)
}

fn name(midge: &Midge) -> String {
    format!(":{}", midge.port(2))
}

/// Waits until tasks of a connector run at all these workers and at no other, as each of them says.
#[track_caller]
fn run_at(name_of: &str, tasks: usize, workers: &[&Midge]) {
    let expected: BTreeSet<String> = workers.iter().map(|midge| name(midge)).collect();
    for midge in workers {
        until(Duration::from_secs(60), &format!("{name_of} runs at {expected:?}"), || {
            let found = runners(midge, name_of, tasks)?;
            let found: BTreeSet<String> =
                found.iter().map(|id| id[id.rfind(':').unwrap_or(0)..].to_owned()).collect();
            (found == expected).then_some(())
        });
    }
}

#[test]
fn workers_share_the_tasks_of_a_connector_and_take_over_those_of_one_that_is_killed() {
    let kafka = Kafka::shared();
    kafka.create_topic("shared-tasks", 8);
    let (mut one, two) = (worker("group-kill").start(), worker("group-kill").start());
    let config = sink("shared-tasks", 4);
    let (status, answer) = rest(&one, "PUT", "/connectors/shared/config", Some(&config));
    assert_eq!(status, 201, "{answer}");
    // What one has been told the other one knows.
    let there = eventually("the other worker has heard of it", || {
        let (status, there) = rest(&two, "GET", "/connectors/shared", None);
        (status == 200).then_some(there)
    });
    assert_eq!(there["config"]["topics"], "shared-tasks");
    run_at("shared", 4, &[&one, &two]);

    let at_one = Subscriber::new(&one, &["-q", "1", "-t", "shared-tasks"]);
    let at_two = Subscriber::new(&two, &["-q", "1", "-t", "shared-tasks"]);
    let lines = |range: std::ops::Range<u32>| -> String {
        range.map(|number| format!("k{number}:{number}\n")).collect()
    };
    kafka.produce("shared-tasks", &lines(0..100));
    eventually("all records have been delivered", || {
        let printed: BTreeSet<String> =
            at_one.printed().into_iter().chain(at_two.printed()).collect();
        (printed.len() == 100).then_some(())
    });

    one.signal(Signal::KILL);
    one.await_kill();
    kafka.produce("shared-tasks", &lines(100..200));
    run_at("shared", 4, &[&two]);
    until(Duration::from_secs(60), "the records of all partitions come here", || {
        let printed: BTreeSet<String> = at_two.printed().into_iter().collect();
        (100..200).all(|number: u32| printed.contains(&number.to_string())).then_some(())
    });
}
