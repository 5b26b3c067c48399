//! Connectors by class: made by Connect's REST interface or by a property file.

use std::time::{Duration, Instant};

use midge_tests::{
    Kafka, Midge, Publisher, QOS1, Setup, Subscriber, eventually, mosquitto_passwd, rest, rest_as,
    will,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bridged;

pub(crate) const SOURCE: &str =
    "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";
pub(crate) const SINK: &str =
    "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
pub(crate) const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
pub(crate) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
pub(crate) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A broker with a disk and a REST interface at its second port.
pub(crate) fn with_rest(more: &str) -> Setup {
    let rest = format!(
        "[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n{more}\n\
         [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n"
    );
    bridged(&rest).listening(&[1, 2])
}

/// Waits until a connector and its first task are in a state.
#[track_caller]
pub(crate) fn is(midge: &Midge, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), || {
        let (_, status) = rest(midge, "GET", &format!("/connectors/{name}/status"), None);
        let task = &status["tasks"][0]["state"];
        (status["connector"]["state"] == state && (task.is_null() || task == state))
            .then_some(status)
    })
}

pub(crate) fn source(midge: &Midge, name: &str, kafka_topic: &str) -> Value {
    json!({
        "name": name,
        "config": {
            "connector.class": SOURCE,
            "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
            "connect.mqtt.kcql": format!("INSERT INTO {kafka_topic} SELECT * FROM `{name}/+`"),
            "key.converter": STRING,
            "value.converter": BYTES,
        }
    })
}

pub(crate) fn publish(midge: &Midge, topic: &str, payload: &str) {
    Publisher::new(midge).arguments(&["-q", "1", "-t", topic, "-m", payload]).succeeds();
}

#[test]
fn a_source_made_by_rest_rests_goes_on_and_is_there_after_a_kill() {
    let mut midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("rest-source", 1);
    let made = source(&midge, "posted", "rest-source");
    let (status, answer) = rest(&midge, "POST", "/connectors", Some(&made));
    assert_eq!((status, &answer["type"]), (201, &json!("source")), "{answer}");
    let (status, answer) = rest(&midge, "POST", "/connectors", Some(&made));
    assert_eq!((status, &answer["error_code"]), (409, &json!(409)));
    is(&midge, "posted", "RUNNING");
    publish(&midge, "posted/1", "one");
    // No waiting: the acknowledgement said that it is safe, the spool may still hold it.
    kafka.eventually_records("rest-source", "%s\n", 1);

    assert_eq!(rest(&midge, "PUT", "/connectors/posted/pause", None).0, 202);
    is(&midge, "posted", "PAUSED");
    // A source at rest keeps what comes.
    publish(&midge, "posted/1", "meanwhile");
    assert_eq!(rest(&midge, "PUT", "/connectors/posted/resume", None).0, 202);
    is(&midge, "posted", "RUNNING");
    let again = "/connectors/posted/restart?includeTasks=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    is(&midge, "posted", "RUNNING");
    publish(&midge, "posted/1", "two");

    midge.crash();
    // Who is served after a restart is served with the source: there is nothing to wait for.
    publish(&midge, "posted/1", "three");
    is(&midge, "posted", "RUNNING");
    let mut records = kafka.eventually_records("rest-source", "%s\n", 4);
    // Kafka may have had the second one when the process was killed, which did not hear of it.
    records.dedup();
    assert_eq!(records, ["one", "meanwhile", "two", "three"]);

    assert_eq!(rest(&midge, "DELETE", "/connectors/posted", None).0, 204);
    midge.restart();
    assert_eq!(rest(&midge, "GET", "/connectors", None), (200, json!([])));
}

#[test]
fn a_will_that_came_due_while_nothing_ran_reaches_a_source_made_by_rest() {
    let mut midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("rest-wills", 1);
    let made = source(&midge, "wills-kept", "rest-wills");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "wills-kept", "RUNNING");
    let mut last = will("wills-kept/1", "farewell");
    last.properties.will_delay_interval = Some(2);
    midge.v5("mortal").persistent().will(last).connect().vanish();
    let due = Instant::now() + Duration::from_secs(2);
    // Its SUBACK waits for the disk, and what was written before it is there then, too.
    let mut barrier = midge.v5("barrier").persistent().connect();
    barrier.subscribe("nothing", QOS1);
    midge.signal(Signal::KILL);
    midge.await_kill();
    // The will has to be due when the broker starts: that is what is tested.
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
    midge.start_again();
    assert_eq!(kafka.eventually_records("rest-wills", "%s\n", 1), ["farewell"]);
}

#[test]
fn a_stopped_sink_that_is_set_back_delivers_its_records_again() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("rest-sink", 1);
    let subscriber = Subscriber::new(&midge, &["-v", "-q", "1", "-t", "again"]);
    kafka.produce("rest-sink", "k:one\nk:two\n");
    let config = json!({
        "connector.class": SINK,
        "topics": "rest-sink",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
        "connect.mqtt.kcql": "INSERT INTO again SELECT * FROM `rest-sink`",
        "key.converter": STRING,
        "value.converter": STRING,
        "consumer.override.auto.offset.reset": "earliest",
    });
    let (status, answer) = rest(&midge, "PUT", "/connectors/backwards/config", Some(&config));
    assert_eq!(status, 201, "{answer}");
    assert_eq!(subscriber.messages(2), ["again one", "again two"]);

    let offsets = "/connectors/backwards/offsets";
    let back = json!({"offsets": [{
        "partition": {"kafka_topic": "rest-sink", "kafka_partition": 0},
        "offset": {"kafka_offset": 1},
    }]});
    let (status, answer) = rest(&midge, "PATCH", offsets, Some(&back));
    assert_eq!(status, 400, "it runs: {answer}");
    assert_eq!(rest(&midge, "PUT", "/connectors/backwards/stop", None).0, 204);
    is(&midge, "backwards", "STOPPED");
    eventually("its offset is told", || {
        let (_, told) = rest(&midge, "GET", offsets, None);
        (told["offsets"][0]["offset"]["kafka_offset"] == 2).then_some(())
    });
    let (status, answer) = rest(&midge, "PATCH", offsets, Some(&back));
    assert_eq!(status, 200, "{answer}");
    let (_, told) = rest(&midge, "GET", offsets, None);
    assert_eq!(told["offsets"][0]["offset"]["kafka_offset"], 1);
    assert_eq!(rest(&midge, "PUT", "/connectors/backwards/resume", None).0, 202);
    assert_eq!(subscriber.messages(3), ["again one", "again two", "again two"]);

    let wrong = json!({"offsets": [{
        "partition": {"kafka_topic": "rest-sink"},
        "offset": {"kafka_offset": 1},
    }]});
    assert_eq!(rest(&midge, "PUT", "/connectors/backwards/stop", None).0, 204);
    let (status, answer) = rest(&midge, "PATCH", offsets, Some(&wrong));
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = rest(&midge, "DELETE", offsets, None);
    assert_eq!(status, 200, "whoever has stopped it need not wait: {answer}");
    // Kafka has forgotten them: what counts is auto.offset.reset.
    assert_eq!(rest(&midge, "GET", offsets, None), (200, json!({ "offsets": [] })));
    assert_eq!(rest(&midge, "PUT", "/connectors/backwards/resume", None).0, 202);
    assert_eq!(subscriber.messages(5)[3..], ["again one", "again two"]);
}

#[test]
fn without_the_token_nobody_speaks_to_the_rest_interface() {
    let midge = with_rest("rest_token = \"open sesame\"").start();
    for header in ["", "Authorization: Bearer sesame\r\n"] {
        assert_eq!(rest_as(&midge, header, "GET", "/connectors", None).0, 401);
    }
    let header = "Authorization: Bearer open sesame\r\n";
    assert_eq!(rest_as(&midge, header, "GET", "/connectors", None), (200, json!([])));
}

#[test]
fn a_property_file_runs_with_the_worker_s_converters_and_is_not_deleted_by_rest() {
    let midge = with_rest("worker_properties = \"@DIR@/worker.properties\"")
        .file("worker.properties", &format!("key.converter={STRING}\nvalue.converter={JSON}\n"))
        .file(
            "lenses.properties",
            &format!(
                "name=filed\nconnector.class={SOURCE}\nconnect.mqtt.hosts=tcp://localhost:@PORT@\n\
                 connect.mqtt.kcql=INSERT INTO by-file SELECT * FROM `filed/+`\n"
            ),
        )
        .argument("--connector")
        .argument("@DIR@/lenses.properties")
        .start();
    publish(&midge, "filed/1", "from a file");
    // Bytes within JSON with its schema.
    let record: Value = Kafka::shared().eventually_records("by-file", "%s\n", 1)[0]
        .parse()
        .expect("what the worker's converter makes");
    assert_eq!(record["schema"]["type"], "bytes");
    assert_eq!(record["payload"], "ZnJvbSBhIGZpbGU=");
    assert_eq!(rest(&midge, "GET", "/connectors", None), (200, json!(["filed"])));
    let (status, answer) = rest(&midge, "DELETE", "/connectors/filed", None);
    assert!(status >= 400, "{answer}");
    is(&midge, "filed", "RUNNING");
}

#[test]
fn mistakes_in_a_property_file_of_another_class_are_told_with_their_lines() {
    let refusal = with_rest("")
        .file(
            "lenses.properties",
            &format!(
                "name=wrong\nconnector.class={SOURCE}\nconnect.mqtt.hosts=tcp://localhost:@PORT@\n\
                 connect.mqtt.kcql=INSERT INTO SELECT\n"
            ),
        )
        .argument("--connector")
        .argument("@DIR@/lenses.properties")
        .run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.all().contains("lenses.properties:4: "), "{}", refusal.all());
}

#[test]
fn a_user_whom_a_reload_has_taken_away_may_not_start_a_task_again() {
    let setup = Setup::conf("password_file @DIR@/passwords\n")
        .bridge(&format!(
            "[kafka]\nbootstrap_servers = \"{}\"\n[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n",
            Kafka::shared().bootstrap()
        ))
        .file("passwords", "")
        .listening(&[1, 2]);
    let midge = setup.start();
    mosquitto_passwd(&midge.directory().join("passwords"), "ana", "secret");
    midge.reload();
    midge.says(&["configuration reloaded"]);
    let mut made = source(&midge, "acting", "acting");
    made["config"]["connect.mqtt.username"] = json!("ana");
    made["config"]["connect.mqtt.password"] = json!("secret");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "acting", "RUNNING");

    std::fs::write(midge.directory().join("passwords"), "").expect("a file");
    midge.reload();
    let again = "/connectors/acting/restart?includeTasks=true";
    let failed = eventually("its task fails", || {
        assert_eq!(rest(&midge, "POST", again, None).0, 202);
        // The reload may still be under way, and then it runs once more.
        let status = eventually("it has been started again", || {
            let (_, status) = rest(&midge, "GET", "/connectors/acting/status", None);
            (status["tasks"][0]["state"] != "RESTARTING").then_some(status)
        });
        (status["tasks"][0]["state"] == "FAILED").then_some(status)
    });
    let trace = failed["tasks"][0]["trace"].as_str().expect("a trace");
    assert!(trace.contains("ana"), "{trace}");
}
