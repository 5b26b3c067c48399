//! `error.policy` of sinks in the broker: what its access control refuses.

use midge_tests::{Kafka, Midge, Publisher, Setup, Subscriber, eventually, mosquitto_passwd, rest};
use serde_json::{Value, json};

const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// Ana may write to `ok/#` alone; everybody may read.
const ACL: &str = "topic read #\npattern read #\nuser ana\ntopic readwrite ok/#\n";

/// A broker where Ana may write to a part of the topics alone.
fn guarded() -> Midge {
    let setup = Setup::conf(
        "log_type all\nallow_anonymous true\npassword_file @DIR@/passwords\nacl_file @DIR@/acl\n",
    );
    let setup = setup
        .bridge(&format!(
            "[kafka]\nbootstrap_servers = \"{}\"\n[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n",
            Kafka::shared().bootstrap()
        ))
        .file("passwords", "")
        .file("acl", ACL);
    let midge = setup.listening(&[1, 2]).start();
    mosquitto_passwd(&midge.directory().join("passwords"), "ana", "secret");
    midge.reload();
    eventually("ana may log in", || {
        let publisher = Publisher::new(&midge);
        let arguments = ["-u", "ana", "-P", "secret", "-t", "ok/login", "-n"];
        (publisher.arguments(&arguments).run().code == Some(0)).then_some(())
    });
    midge
}

/// A sink that acts as Ana and publishes records to the topics that their keys name, the second of
/// which she may not write to.
#[track_caller]
fn sink(midge: &Midge, name: &str, more: &Value) -> Subscriber {
    let kafka = Kafka::shared();
    kafka.create_topic(name, 1);
    kafka.produce(name, "ok/1:one\nno/2:two\nok/3:three\n");
    let subscriber = Subscriber::new(midge, &["-v", "-q", "1", "-t", "ok/#", "-t", "no/#"]);
    let mut config = json!({
        "connector.class": SINK,
        "topics": name,
        "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
        "connect.mqtt.kcql": format!("INSERT INTO `_key` SELECT * FROM `{name}`"),
        "connect.mqtt.username": "ana",
        "connect.mqtt.password": "secret",
        "key.converter": STRING,
        "value.converter": STRING,
    });
    let more = more.as_object().expect("properties").clone();
    config.as_object_mut().expect("properties").extend(more);
    let (status, answer) = rest(midge, "PUT", &format!("/connectors/{name}/config"), Some(&config));
    assert_eq!(status, 201, "{answer}");
    subscriber
}

/// From now on Ana may write to the other topics too.
fn allow(midge: &Midge) {
    let acl = format!("{ACL}topic readwrite no/#\n");
    std::fs::write(midge.directory().join("acl"), acl).expect("a file");
    midge.reload();
}

/// Waits until a connector's task is in a state; its status.
#[track_caller]
fn is(midge: &Midge, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), || {
        let (_, status) = rest(midge, "GET", &format!("/connectors/{name}/status"), None);
        (status["tasks"][0]["state"] == state).then_some(status)
    })
}

/// Waits until Kafka knows that a sink has come to an offset.
#[track_caller]
fn passes(midge: &Midge, name: &str, offset: u64) {
    eventually(&format!("{name} has come to {offset}"), || {
        let (_, told) = rest(midge, "GET", &format!("/connectors/{name}/offsets"), None);
        (told["offsets"][0]["offset"]["kafka_offset"] == offset).then_some(())
    });
}

#[test]
fn a_publish_that_access_control_refuses_fails_the_task_and_holds_its_offset() {
    let midge = guarded();
    let subscriber = sink(&midge, "policy-throw", &json!({}));
    let status = is(&midge, "policy-throw", "FAILED");
    let trace = status["tasks"][0]["trace"].as_str().expect("a trace");
    let expected = "Error policy is set to THROW: policy-throw[0]@1: its publish was refused";
    assert!(trace.contains(expected), "{trace}");
    passes(&midge, "policy-throw", 1);

    allow(&midge);
    eventually("ana may write there", || {
        let publisher = Publisher::new(&midge);
        let arguments = ["-u", "ana", "-P", "secret", "-q", "1", "-t", "no/probe", "-m", "x"];
        publisher.arguments(&arguments).succeeds();
        subscriber.has_printed("no/probe x").then_some(())
    });
    let again = "/connectors/policy-throw/restart?includeTasks=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    subscriber.prints("no/2 two");
    passes(&midge, "policy-throw", 3);
    is(&midge, "policy-throw", "RUNNING");
}

#[test]
fn with_noop_a_refused_publish_is_passed_over_and_said_once() {
    let midge = guarded();
    let noop = json!({"connect.mqtt.error.policy": "NOOP"});
    let subscriber = sink(&midge, "policy-noop", &noop);
    assert_eq!(subscriber.messages(2), ["ok/1 one", "ok/3 three"]);
    passes(&midge, "policy-noop", 3);
    is(&midge, "policy-noop", "RUNNING");
    midge.says(&["refused", "policy-noop[0]@1"]);
}

#[test]
fn with_retry_a_refused_publish_comes_once_it_is_allowed_and_nothing_is_lost() {
    let midge = guarded();
    let retry = json!({
        "connect.mqtt.error.policy": "RETRY",
        "connect.mqtt.retry.interval": "50",
        "connect.mqtt.max.retries": "100000",
    });
    let subscriber = sink(&midge, "policy-retry", &retry);
    midge.says(&["not taken, trying again", "policy-retry[0]@1"]);
    assert_eq!(subscriber.messages(2), ["ok/1 one", "ok/3 three"]);
    allow(&midge);
    assert_eq!(subscriber.messages(3), ["ok/1 one", "ok/3 three", "no/2 two"]);
    Kafka::shared().produce("policy-retry", "ok/4:four\n");
    assert_eq!(subscriber.messages(4)[3], "ok/4 four");
    passes(&midge, "policy-retry", 4);
}
