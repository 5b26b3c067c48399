use super::*;

/// The properties of Kafka's own connect-distributed.properties that are a group's.
const SHIPPED: &str = "group.id=connect-cluster
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
";

fn try_read(text: &str, expected: bool) -> (Option<WorkerGroup>, Draft, BTreeMap<String, String>) {
    let mut draft = Draft::default();
    let mut properties = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let (key, value) = line.split_once('=').expect("a property");
        properties.insert(key.to_owned(), value.to_owned());
        let origin = Origin::Line { file: "worker.properties".into(), line: at + 1 };
        draft.said.insert(said(key), origin);
    }
    let group = resolve(&mut draft, &mut properties, expected);
    (group, draft, properties)
}

fn errors(text: &str) -> Vec<String> {
    let (group, draft, _) = try_read(text, true);
    assert!(group.is_none());
    draft.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn kafka_s_own_file_makes_a_group_with_connect_s_defaults() {
    let text = format!("{SHIPPED}value.converter=x\n");
    let (group, draft, rest) = try_read(&text, true);
    assert!(draft.errors.is_empty() && draft.notices.is_empty());
    let topic = |name: &str, partitions| StorageTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        settings: Vec::new(),
    };
    let expected = WorkerGroup {
        group_id: "connect-cluster".to_owned(),
        config: topic("connect-configs", 1),
        status: topic("connect-status", 5),
        offsets: topic("connect-offsets", 25),
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_secs(3),
        rebalance_timeout: Duration::from_secs(60),
        advertised: Advertised::default(),
    };
    assert_eq!(group, Some(expected));
    assert_eq!(rest.into_keys().collect::<Vec<_>>(), ["value.converter"]);
}

#[test]
fn what_is_said_of_a_group_is_obeyed() {
    let more = "session.timeout.ms=6000\nheartbeat.interval.ms=1000\nrebalance.timeout.ms=5000\n\
                status.storage.partitions=3\nconfig.storage.min.insync.replicas=2\n\
                rest.advertised.host.name=one\nrest.advertised.port=8084\n";
    let (group, draft, _) = try_read(&format!("{SHIPPED}{more}"), true);
    let group = group.unwrap_or_else(|| panic!("{:?}", draft.errors));
    assert_eq!(group.session_timeout, Duration::from_secs(6));
    assert_eq!(group.heartbeat_interval, Duration::from_secs(1));
    assert_eq!(group.rebalance_timeout, Duration::from_secs(5));
    assert_eq!(group.status.partitions, 3);
    let settings = vec![("min.insync.replicas".to_owned(), "2".to_owned())];
    assert_eq!(group.config.settings, settings);
    let advertised = Advertised { host: Some("one".to_owned()), port: Some(8084) };
    assert_eq!(group.advertised, advertised);
}

#[test]
fn what_has_no_effect_is_told_and_a_file_without_a_group_makes_none() {
    let more = "scheduled.rebalance.max.delay.ms=300000\ninter.worker.key.ttl.ms=1\n";
    let (_, draft, _) = try_read(&format!("{SHIPPED}{more}"), true);
    let notices: Vec<String> = draft.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "worker.properties:9: ignored: inter.worker.key.ttl.ms: workers speak by Kafka alone",
            "worker.properties:8: ignored: scheduled.rebalance.max.delay.ms: tasks of a worker that \
             has gone move at once",
        ]
    );
    let (group, draft, _) = try_read("session.timeout.ms=6000\n", false);
    assert!(group.is_none());
    let notices: Vec<String> = draft.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["worker.properties:1: ignored: session.timeout.ms: there is no group.id"]);
    let (group, draft, rest) = try_read("offset.storage.file.filename=/x\n", false);
    assert!(group.is_none() && draft.notices.is_empty() && rest.len() == 1);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_line() {
    assert_eq!(
        errors(
            "config.storage.topic=a b\nconfig.storage.partitions=2\nstatus.storage.topic=s\n\
             status.storage.replication.factor=0\noffset.storage.topic=s\n\
             offset.storage.cleanup.policy=delete\nsession.timeout.ms=1000\n\
             heartbeat.interval.ms=3000\nrest.advertised.port=0\nrest.advertised.listener=https\n"
        ),
        [
            "configuration: group.id: found nothing, expected a name: workers share by it",
            "worker.properties:1: config.storage.topic: found \"a b\", expected letters, digits, `.`, \
             `_` and `-`, at most 249",
            "worker.properties:2: config.storage.partitions: found 2, expected 1: only then they are \
             in order",
            "worker.properties:4: status.storage.replication.factor: found \"0\", expected a number \
             from 1 to 32767, or -1",
            "worker.properties:5: offset.storage.topic: found the topic of another storage, expected \
             one of its own",
            "worker.properties:6: offset.storage.cleanup.policy: found \"delete\", expected compact",
            "worker.properties:8: heartbeat.interval.ms: found 3000, expected less than \
             session.timeout.ms",
            "worker.properties:9: rest.advertised.port: found \"0\", expected a port",
            "worker.properties:10: rest.advertised.listener: found \"https\", expected http",
        ]
    );
}
