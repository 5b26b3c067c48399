//! Workers of one group: they share connectors and tasks, and REST on any of them answers for all.

use std::collections::BTreeSet;
use std::time::Duration;

use midge_tests::{Kafka, Midge, Mosquitto, Publisher, Setup, Subscriber, eventually, rest, until};
use rustix::process::Signal;
use serde_json::{Value, json};

const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

const SOURCE: &str = "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// How long a killed worker's tasks may need on a machine that is busy.
const MOVED: Duration = Duration::from_secs(90);

/// Kafka's own connect-distributed.properties with names of its own, and shorter times.
fn properties(kafka: &str, group: &str) -> String {
    format!(
        "bootstrap.servers={kafka}\n\
         group.id={group}\n\
         config.storage.topic={group}-configs\nconfig.storage.replication.factor=1\n\
         status.storage.topic={group}-status\nstatus.storage.replication.factor=1\n\
         offset.storage.topic={group}-offsets\noffset.storage.replication.factor=1\n\
         key.converter={STRING}\nvalue.converter={STRING}\noffset.flush.interval.ms=10000\n\
         session.timeout.ms=6000\nheartbeat.interval.ms=1000\n"
    )
}

/// A worker of a group that is a process of its own, without a broker; REST at its second port.
fn process(group: &str) -> Setup {
    process_of(Kafka::shared(), group)
}

fn process_of(kafka: &Kafka, group: &str) -> Setup {
    let properties = format!("{}rest.port=@PORT2@\n", properties(kafka.bootstrap(), group));
    Setup::arguments(&["connect-distributed", "@DIR@/worker.properties"])
        .file("worker.properties", &properties)
        .listening(&[2])
}

/// A worker of a group, inside a broker; MQTT at its first port, REST at its second.
fn worker(group: &str) -> Setup {
    Setup::conf("log_type error\nlog_type warning\nlog_type notice\nlog_type information\n")
        .bridge(
            "[bridge]\nlocal_hosts = [\"this-broker\"]\n\
             [connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n\
             worker_properties = \"@DIR@/worker.properties\"\n\
             [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n",
        )
        .file("worker.properties", &properties(Kafka::shared().bootstrap(), group))
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
        until(MOVED, &format!("{name_of} runs at {expected:?}"), || {
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
    until(MOVED, "the records of all partitions come here", || {
        let printed: BTreeSet<String> = at_two.printed().into_iter().collect();
        (100..200).all(|number: u32| printed.contains(&number.to_string())).then_some(())
    });
}

#[track_caller]
fn put(midge: &Midge, name: &str, config: &Value) {
    let (status, answer) = rest(midge, "PUT", &format!("/connectors/{name}/config"), Some(config));
    assert!(matches!(status, 200 | 201), "{status} {answer}");
}

#[track_caller]
fn publish(mosquitto: &Mosquitto, topic: &str, numbers: std::ops::Range<usize>) {
    let lines: Vec<String> = numbers.map(|number| format!("{number}\n")).collect();
    Publisher::to(mosquitto.port())
        .arguments(&["-q", "1", "-t", topic])
        .lines(lines.concat())
        .succeeds();
}

/// Waits until a Kafka topic has all these numbers.
#[track_caller]
fn all_in(kafka: &Kafka, topic: &str, numbers: std::ops::Range<usize>) {
    until(MOVED, &format!("{topic} has {numbers:?}"), || {
        let records: BTreeSet<String> = kafka.records(topic, "%s\n").into_iter().collect();
        numbers.clone().all(|number| records.contains(&number.to_string())).then_some(())
    });
}

#[test]
fn a_source_at_another_broker_moves_with_its_session_and_loses_nothing() {
    let kafka = Kafka::shared();
    kafka.create_topic("moving-source", 1);
    let mosquitto = Mosquitto::start("max_queued_messages 0\n");
    let mut workers = [process("group-source").start(), process("group-source").start()];
    let config = json!({
        "connector.class": SOURCE,
        "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
        "connect.mqtt.client.id": "moving",
        "connect.mqtt.clean": "false",
        "connect.mqtt.kcql": "INSERT INTO moving-source SELECT * FROM `moving/#`",
        "value.converter": BYTES,
    });
    put(&workers[0], "moving", &config);
    let at = |workers: &[Midge; 2]| {
        let found = until(MOVED, "it runs", || runners(&workers[1], "moving", 1));
        usize::from(!found[0].ends_with(&name(&workers[0])))
    };
    let first = at(&workers);
    mosquitto.says("Sending SUBACK to moving", 1);
    publish(&mosquitto, "moving/1", 0..50);
    workers[first].signal(Signal::KILL);
    workers[first].await_kill();
    publish(&mosquitto, "moving/1", 50..100);
    let other = 1 - first;
    until(MOVED, "the other worker has it", || {
        let found = runners(&workers[other], "moving", 1)?;
        found[0].ends_with(&name(&workers[other])).then_some(())
    });
    all_in(kafka, "moving-source", 0..100);

    // Told to stop, a worker hands over at once.
    workers[first].start_again();
    eventually("it has heard of the connector", || {
        (rest(&workers[first], "GET", "/connectors/moving", None).0 == 200).then_some(())
    });
    publish(&mosquitto, "moving/1", 100..150);
    workers[other].signal(Signal::TERM);
    assert_eq!(workers[other].ended(), Some(0));
    publish(&mosquitto, "moving/1", 150..200);
    run_at("moving", 1, &[&workers[first]]);
    all_in(kafka, "moving-source", 0..200);
}

#[test]
fn any_worker_may_say_what_becomes_of_a_connector() {
    let kafka = Kafka::shared();
    kafka.create_topic("said-anywhere", 4);
    let mosquitto = Mosquitto::start("");
    let subscriber = Subscriber::at(mosquitto.port(), &["-q", "1", "-t", "said"]);
    let mut workers = [process("group-said").start(), process("group-said").start()];
    let config = json!({
        "connector.class": SINK,
        "tasks.max": "2",
        "topics": "said-anywhere",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
        "connect.mqtt.kcql": "INSERT INTO said SELECT * FROM `said-anywhere`",
        "connect.mqtt.service.quality": "1",
    });
    put(&workers[0], "said", &config);
    let [one, two] = &workers;
    run_at("said", 2, &[one, two]);
    kafka.produce("said-anywhere", "a:1\nb:2\nc:3\nd:4\n");
    assert_eq!(subscriber.messages(4).len(), 4);
    // One task is one member of the sink's group: none runs twice.
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let describe = ["--describe", "--members", "--group", "connect-said"];
    let of = [&["--bootstrap-server", kafka.bootstrap()][..], &describe].concat();
    let members = kafka.tool(class, &of).stdout;
    assert_eq!(members.lines().filter(|line| line.starts_with("connect-said")).count(), 2);

    let is = |midge: &Midge, state: &str| {
        eventually(&format!("it is {state}"), || {
            let status = status(midge, "said");
            let tasks = status["tasks"].as_array()?;
            let all = tasks.iter().all(|task| task["state"] == state);
            (status["connector"]["state"] == state && all).then_some(())
        });
    };
    assert_eq!(rest(two, "PUT", "/connectors/said/pause", None).0, 202);
    is(one, "PAUSED");
    assert_eq!(rest(one, "PUT", "/connectors/said/stop", None).0, 204);
    is(two, "STOPPED");
    let offsets = "/connectors/said/offsets";
    let (status, answer) = rest(two, "DELETE", offsets, None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(rest(two, "PUT", "/connectors/said/resume", None).0, 202);
    run_at("said", 2, &[one, two]);
    assert_eq!(subscriber.messages(8).len(), 8, "all of them came again");

    // Both end and begin again with what was wanted last.
    assert_eq!(rest(one, "PUT", "/connectors/said/pause", None).0, 202);
    for worker in &mut workers {
        worker.signal(Signal::KILL);
        worker.await_kill();
    }
    for worker in &mut workers {
        worker.start_again();
    }
    let [one, two] = &workers;
    let shown = eventually("it is there", || {
        let (status, shown) = rest(two, "GET", "/connectors/said", None);
        (status == 200).then_some(shown)
    });
    assert_eq!(shown["config"]["topics"], "said-anywhere");
    until(MOVED, "it rests", || {
        (self::status(one, "said")["connector"]["state"] == "PAUSED").then_some(())
    });
    assert_eq!(rest(two, "DELETE", "/connectors/said", None).0, 204);
    eventually("it is gone", || {
        (rest(one, "GET", "/connectors", None) == (200, json!([]))).then_some(())
    });
}

#[test]
fn a_worker_killed_while_it_writes_leaves_the_old_or_the_new_definition() {
    let mut workers = [process("group-write").start(), process("group-write").start()];
    let config = |version: usize| {
        let mut config = sink("never-there", 1);
        config["connect.mqtt.hosts"] = json!("tcp://127.0.0.1:9");
        config["connect.mqtt.client.id"] = json!(format!("v{version}"));
        config
    };
    put(&workers[0], "written", &config(0));
    let mut acknowledged = 0;
    for version in 1..20 {
        let killed = version % 5 == 0;
        if killed {
            let pid = workers[0].pid();
            // While the answer is on its way, or before.
            std::thread::spawn(move || rustix::process::kill_process(pid, Signal::KILL));
        }
        let path = "/connectors/written/config";
        let wrote = std::panic::catch_unwind(|| {
            rest(&workers[0], "PUT", path, Some(&config(version))).0 == 200
        });
        if wrote.unwrap_or(false) {
            acknowledged = version;
        }
        if killed {
            workers[0].await_kill();
            workers[0].start_again();
        }
        for worker in &workers {
            eventually("it shows what was acknowledged, or what came after", || {
                let (status, shown) = rest(worker, "GET", path, None);
                if status != 200 {
                    return None;
                }
                let id = shown["connect.mqtt.client.id"].as_str().expect("a whole definition");
                let found: usize = id[1..].parse().expect("a version");
                assert!(found <= version, "{found} was never written");
                (found >= acknowledged).then_some(())
            });
        }
    }
    assert!(acknowledged > 0);
}

#[test]
fn a_worker_without_a_word_from_kafka_ends_its_tasks_and_goes_on_when_there_is_one() {
    let kafka = Kafka::own();
    kafka.create_topic("cut-off", 1);
    let mosquitto = Mosquitto::start("");
    let subscriber = Subscriber::at(mosquitto.port(), &["-q", "1", "-t", "cut"]);
    let midge = process_of(&kafka, "group-cut").start();
    let config = json!({
        "connector.class": SINK,
        "topics": "cut-off",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
        "connect.mqtt.kcql": "INSERT INTO cut SELECT * FROM `cut-off`",
        "connect.mqtt.service.quality": "1",
    });
    put(&midge, "cut", &config);
    run_at("cut", 1, &[&midge]);
    kafka.produce("cut-off", "a:1\n");
    assert_eq!(subscriber.messages(1), ["1"]);

    kafka.stop();
    until(MOVED, "the task has ended", || {
        let status = status(&midge, "cut");
        (status["tasks"][0]["state"] == "UNASSIGNED").then_some(())
    });
    let (status, answer) = rest(&midge, "PUT", "/connectors/cut/pause", None);
    assert_eq!((status, &answer["error_code"]), (503, &json!(503)), "{answer}");

    kafka.resume();
    run_at("cut", 1, &[&midge]);
    kafka.produce("cut-off", "b:2\n");
    until(MOVED, "what comes is delivered", || {
        subscriber.printed().iter().any(|line| line == "2").then_some(())
    });
}
