//! What becomes of records that the broker refuses, by each policy, against a Kafka in the process.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_bridge::Bridge;
use midge_bridge::connect::plan::Worker;
use midge_bridge::connect::{Definitions, Herder, Properties, RunState, Runner};
use midge_bridge::dev::EmbeddedKafka;
use midge_codec::ReasonCode;
use support::{Broker, eventually, kafka, settings};

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

struct Sink {
    broker: Arc<Broker>,
    bridge: Arc<Bridge>,
    herder: Arc<Herder>,
    kafka: EmbeddedKafka,
}

/// A sink with this policy that has read three records of a partition; no outcome has come yet.
fn sink(policy: &[(&str, &str)]) -> Sink {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    for value in ["0", "1", "2"] {
        kafka.produce("t", Some(b"k"), Some(value.as_bytes()), &[]).expect("kafka takes it");
    }
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), Vec::new()));
    let worker = Worker { local_ports: vec![1883], ..Worker::default() };
    let runner = Arc::new(Runner::new(Arc::clone(&bridge), worker, Arc::new(|_| Ok(()))));
    let definitions = Definitions::in_memory();
    let herder = Herder::start(runner, definitions, "here:8083".to_owned(), BTreeMap::new());
    let herder = herder.expect("a thread");
    let class = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
    let config = [
        ("name", "s"),
        ("connector.class", class),
        ("topics", "t"),
        ("connect.mqtt.hosts", "tcp://localhost:1883"),
        ("connect.mqtt.kcql", "INSERT INTO a SELECT * FROM t"),
        ("key.converter", STRING),
        ("value.converter", STRING),
    ];
    let config = config.iter().chain(policy);
    let config: Properties =
        config.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    herder.put("s", config).expect("nothing is wrong");
    let sink = Sink { broker, bridge, herder, kafka };
    sink.injects(3);
    sink
}

impl Sink {
    fn injects(&self, count: usize) {
        self.broker.wait("the injects", |seen| seen.injects.len() == count);
    }

    fn payloads(&self) -> Vec<String> {
        let seen = self.broker.lock();
        let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).expect("text");
        seen.injects.iter().map(|inject| text(&inject.payload)).collect()
    }

    /// Answers the injects from `first` on.
    fn answers(&self, first: usize, reasons: &[ReasonCode]) {
        for (index, reason) in reasons.iter().enumerate() {
            let ticket = self.broker.lock().injects[first + index].ticket.expect("a ticket");
            self.bridge.injected(ticket, *reason);
        }
    }

    fn eventually_committed(&self, offset: i64) {
        eventually("the offset is committed", || {
            self.kafka.committed("connect-s", "t", 0) == Ok(Some(offset))
        });
    }

    fn state(&self) -> (RunState, Option<String>) {
        let task = self.herder.condition("s").expect("it is there").tasks.remove(0);
        (task.state, task.trace)
    }

    /// Waits until the task has failed; its trace.
    fn trace(&self) -> String {
        eventually("it fails", || self.state().0 == RunState::Failed);
        self.state().1.expect("a trace")
    }
}

const TAKEN: ReasonCode = ReasonCode::Success;
const REFUSED: ReasonCode = ReasonCode::NotAuthorized;

#[test]
fn a_refused_record_fails_its_task_and_comes_again_after_a_restart() {
    let sink = sink(&[]);
    sink.answers(0, &[TAKEN, REFUSED, TAKEN]);
    let trace = sink.trace();
    assert!(
        trace.contains("Error policy is set to THROW: t[0]@1: its publish was refused"),
        "{trace}"
    );
    sink.eventually_committed(1);
    sink.herder.restart("s", true, false).expect("it is there");
    sink.injects(5);
    assert_eq!(sink.payloads()[3..], ["1", "2"], "from the refused one on");
    sink.answers(3, &[TAKEN, TAKEN]);
    sink.eventually_committed(3);
    assert_eq!(sink.state().0, RunState::Running);
}

#[test]
fn a_refused_record_is_passed_over_and_counted_by_noop() {
    let sink = sink(&[("connect.mqtt.error.policy", "noop")]);
    sink.answers(0, &[TAKEN, REFUSED, TAKEN]);
    sink.eventually_committed(3);
    let status = &sink.bridge.status()[0];
    assert_eq!((status.records_out, status.errors), (2, 1));
    let error = status.last_error.as_deref().expect("it says which");
    assert!(error.starts_with("t[0]@1: its publish was refused"), "{error}");
    assert_eq!((sink.state().0, sink.payloads().len()), (RunState::Running, 3));
}

#[test]
fn a_refused_record_alone_comes_again_until_its_retries_are_exhausted() {
    let sink = sink(&[
        ("connect.mqtt.error.policy", "RETRY"),
        ("connect.mqtt.retry.interval", "20"),
        ("connect.mqtt.max.retries", "2"),
    ]);
    // Those behind it have been taken, and do not come twice.
    sink.answers(0, &[TAKEN, REFUSED, TAKEN]);
    sink.injects(4);
    sink.kafka.produce("t", Some(b"k"), Some(b"3"), &[]).expect("kafka takes it");
    sink.answers(3, &[TAKEN]);
    sink.injects(5);
    assert_eq!(sink.payloads()[3..], ["1", "3"]);

    for first in [4, 5] {
        sink.answers(first, &[REFUSED]);
        sink.injects(first + 2);
    }
    sink.answers(6, &[REFUSED]);
    let trace = sink.trace();
    assert!(trace.contains("RETRY, 2 retries are exhausted: t[0]@3: "), "{trace}");
    assert_eq!(sink.payloads()[4..], ["3", "3", "3"]);
    sink.eventually_committed(3);
}

#[test]
fn records_that_are_all_refused_come_again_in_their_order() {
    let sink =
        sink(&[("connect.mqtt.error.policy", "RETRY"), ("connect.mqtt.retry.interval", "20")]);
    // One that is under way is waited for, not read again.
    sink.answers(0, &[REFUSED]);
    sink.injects(4);
    sink.answers(1, &[REFUSED, REFUSED]);
    sink.injects(6);
    assert_eq!(sink.payloads()[3..], ["0", "1", "2"]);
    sink.answers(3, &[TAKEN, TAKEN, TAKEN]);
    sink.eventually_committed(3);
}
