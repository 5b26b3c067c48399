use super::*;

fn properties(topic: &str) -> Properties {
    BTreeMap::from([("topics".to_owned(), topic.to_owned())])
}

fn config(topic: &str, target: Option<TargetState>) -> Change {
    Change::Config { config: properties(topic), everywhere: false, target }
}

fn write(known: &mut Known, name: &str, change: &Change) -> Vec<Heard> {
    let heard = records(name, change).into_iter().filter_map(|(key, value)| {
        let heard = known.read(key.as_bytes(), value.as_deref()).expect("one of ours");
        heard.map(|(of, heard)| {
            assert_eq!(of, name);
            heard
        })
    });
    heard.collect()
}

#[test]
fn what_one_worker_writes_another_reads() {
    let mut known = Known::default();
    let definition = |topic, target| Definition {
        config: properties(topic),
        target,
        owner: Owner::Rest,
        everywhere: None,
    };
    let (paused, running) = (TargetState::Paused, TargetState::Running);
    assert_eq!(
        write(&mut known, "a-1", &config("x", Some(paused))),
        [Heard::Definition(definition("x", paused))]
    );
    assert_eq!(
        write(&mut known, "a-1", &config("y", None)),
        [Heard::Definition(definition("y", paused))]
    );
    assert_eq!(write(&mut known, "a-1", &Change::Target(running)), [Heard::Target(running)]);
    assert_eq!(write(&mut known, "a-1", &Change::Target(running)), []);
    assert_eq!(
        write(&mut known, "a-1", &Change::Target(TargetState::Stopped)),
        [Heard::Target(TargetState::Stopped)]
    );
    let restart = Change::Restart { include_tasks: true, only_failed: false };
    assert_eq!(
        write(&mut known, "a-1", &restart),
        [Heard::Restart { include_tasks: true, only_failed: false }]
    );
    assert_eq!(write(&mut known, "a-1", &Change::RestartTask(12)), [Heard::RestartTask(12)]);
    assert_eq!(write(&mut known, "a-1", &Change::Gone), [Heard::Gone]);
    assert!(known.definitions().is_empty());
    // It was stopped; the next one of its name is not.
    assert_eq!(
        write(&mut known, "a-1", &config("z", None)),
        [Heard::Definition(definition("z", running))]
    );
}

#[test]
fn that_every_worker_runs_a_connector_is_said_with_its_properties() {
    let mut known = Known::default();
    let change = Change::Config { config: properties("x"), everywhere: true, target: None };
    write(&mut known, "a", &change);
    assert_eq!(known.definitions()["a"].everywhere, Some(true));
    let text = records("a", &change)[0].1.clone().unwrap();
    assert_eq!(text, br#"{"everywhere":true,"properties":{"topics":"x"}}"#);
}

#[test]
fn records_are_those_of_a_connect_worker() {
    let texts = |change: &Change| -> Vec<(String, Option<String>)> {
        let records = records("a", change).into_iter();
        records.map(|(key, value)| (key, value.map(|v| String::from_utf8(v).unwrap()))).collect()
    };
    let some = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    assert_eq!(
        texts(&config("x", Some(TargetState::Stopped))),
        [
            some("target-state-a", r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
            some("connector-a", r#"{"properties":{"topics":"x"}}"#),
        ]
    );
    assert_eq!(
        texts(&Change::Restart { include_tasks: false, only_failed: true }),
        [some("restart-connector-a", r#"{"include-tasks":false,"only-failed":true}"#)]
    );
    assert_eq!(
        texts(&Change::Gone),
        [("connector-a".to_owned(), None), ("target-state-a".to_owned(), None)]
    );
}

#[test]
fn a_topic_of_connect_s_own_workers_is_understood() {
    let mut known = Known::default();
    for (key, value) in [
        ("session-key", r#"{"key":"eA==","algorithm":"HmacSHA256","creation-timestamp":1}"#),
        ("connector-old", r#"{"properties":{"topics":"x","gone":null}}"#),
        ("task-old-0", r#"{"properties":{"topics":"x"}}"#),
        ("commit-old", r#"{"tasks":1}"#),
        ("tasks-fencing-old", r#"{"task-count":1}"#),
        ("target-state-old", r#"{"state":"PAUSED"}"#),
        ("logger-cluster-a", r#"{"level":"INFO"}"#),
    ] {
        known.read(key.as_bytes(), Some(value.as_bytes())).expect(key);
    }
    let definition = &known.definitions()["old"];
    assert_eq!(definition.config, properties("x"));
    assert_eq!(definition.target, TargetState::Paused);
    assert_eq!(definition.everywhere, None);
}

#[test]
fn what_is_no_record_is_refused_and_changes_nothing() {
    let mut known = Known::default();
    write(&mut known, "a", &config("x", None));
    for (key, value) in [
        ("what", "{}"),
        ("connector-a", "{"),
        ("connector-a", "[]"),
        ("connector-a", "{}"),
        ("connector-a", r#"{"properties":{"topics":1}}"#),
        ("target-state-a", r#"{"state":"ASLEEP"}"#),
        ("target-state-a", "{}"),
        ("restart-task-a", "{}"),
        ("restart-task-a-x", "{}"),
    ] {
        assert!(known.read(key.as_bytes(), Some(value.as_bytes())).is_err(), "{key} {value}");
    }
    assert!(known.read(b"\xff", None).is_err());
    assert_eq!(known.definitions()["a"].config, properties("x"));
}
