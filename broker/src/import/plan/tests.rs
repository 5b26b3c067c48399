use std::collections::BTreeMap;
use std::time::Instant;

use midge_core::stored::{Entry, Tag, read_retained};
use midge_core::{Origin, packet_id};

use super::*;
use crate::import::mosquitto_db::{Inbound, Outbound, Properties, StoredMessage, parse};

/// Written by Mosquitto 2.0.11; see the tests of the parser.
const RECORDED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mosquitto-2.0.db"));

const NOW_SECONDS: u64 = 1_800_000_000;

fn surroundings(unix_millis: u64) -> Surroundings {
    Surroundings {
        now: Now { instant: Instant::now(), unix_millis },
        listeners: vec![(1883, Text::from_static("plain"))],
        max_session_expiry: None,
    }
}

/// What the operations make of an empty store, as a person would ask for it.
#[derive(Debug, Default)]
struct Written {
    sessions: BTreeMap<String, SessionRecord>,
    subscriptions: BTreeMap<(QueueId, String), SubscriptionRecord>,
    inbound: Vec<(QueueId, u16)>,
    released: Vec<(QueueId, u16)>,
    queues: BTreeMap<QueueId, BTreeMap<Position, (Tag, Entry)>>,
    retained: BTreeMap<String, Entry>,
    appends: usize,
}

fn written(plan: &Plan<'_, '_>) -> Written {
    let now = plan.surroundings.now;
    let mut written = Written::default();
    for operation in plan.operations() {
        match operation {
            Operation::Append { entry, to } => {
                written.appends += 1;
                for Reference { queue, position, tag } in to {
                    let entry = Entry::read(entry.clone(), now).expect("an entry");
                    let tag = Tag::read(tag).expect("a tag");
                    let queue = written.queues.entry(queue).or_default();
                    assert!(queue.insert(position, (tag, entry)).is_none(), "a position twice");
                }
            }
            Operation::Put { key, value, .. } => match Key::read(&key).expect("a key") {
                Key::Session(id) => {
                    let record = SessionRecord::read(value, now).expect("a session");
                    written.sessions.insert(id.to_string(), record);
                }
                Key::Subscription(queue, filter) => {
                    let record = SubscriptionRecord::read(value).expect("a subscription");
                    written.subscriptions.insert((queue, filter.text().to_string()), record);
                }
                Key::Inbound(queue, id) => written.inbound.push((queue, id.get())),
                Key::Released(queue, at) => written.released.push((queue, packet_id(at).get())),
                Key::Retained(topic) => {
                    let entry = read_retained(value, now).expect("a retained message");
                    written.retained.insert(topic.as_str().to_owned(), entry);
                }
                Key::Will(..) | Key::Versions | Key::Foreign => panic!("{key:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    written
}

impl Written {
    fn queue(&self, client_id: &str) -> QueueId {
        self.sessions[client_id].queue
    }

    /// Topics and QoS of what waits, in order.
    fn waiting(&self, client_id: &str) -> Vec<(&str, u8)> {
        let queue = self.queues.get(&self.queue(client_id));
        let entries = queue.into_iter().flat_map(BTreeMap::values);
        entries.map(|(tag, Entry(message))| (message.topic.as_str(), tag.qos as u8)).collect()
    }

    /// Packet ids that what waits is sent under.
    fn ids(&self, client_id: &str) -> Vec<u16> {
        let queue = self.queues.get(&self.queue(client_id));
        queue.into_iter().flat_map(BTreeMap::keys).map(|at| packet_id(*at).get()).collect()
    }
}

fn stored(topic: &'static str, qos: QoS) -> StoredMessage<'static> {
    StoredMessage {
        topic,
        payload: b"payload",
        qos,
        retain: false,
        expires_at: None,
        source_id: Some("publisher"),
        source_username: Some("joe"),
        source_packet_id: 1,
        source_port: Some(1883),
        properties: Properties::default(),
    }
}

fn session(client_id: &'static str) -> Session<'static> {
    Session {
        client_id,
        username: Some("another"),
        listener_port: Some(1883),
        session_expiry_interval: u32::MAX,
        expires_at: None,
        last_packet_id: 0,
        subscriptions: Vec::new(),
        inbound: Vec::new(),
        outbound: Vec::new(),
    }
}

fn subscription(filter: &'static str, qos: QoS) -> Subscription<'static> {
    Subscription { filter, qos, no_local: false, retain_as_published: false, identifier: None }
}

fn outbound(message: usize, qos: QoS, state: OutboundState) -> Outbound {
    Outbound { message, qos, retain: false, dup: false, subscription_identifier: None, state }
}

fn received(message: usize, packet_id: u16) -> Inbound {
    Inbound { message, packet_id, state: InboundState::AwaitPubrel, dup: false }
}

#[test]
fn a_recorded_database_is_taken_over_whole() {
    let database = parse(RECORDED).expect("a database");
    // Before anything in it has expired.
    let gateway = database.sessions.iter().find(|it| it.client_id == "gateway").expect("a session");
    let ends = gateway.expires_at.expect("a time") as u64;
    let surroundings = surroundings((ends - 86_400 + 60) * 1_000);
    let plan = Plan::new(&database, &surroundings);
    assert_eq!(plan.left_out, LeftOut::default());
    let counts =
        Counts { sessions: 3, subscriptions: 3, queued: 5, inflight: 3, inbound: 1, retained: 2 };
    assert_eq!(plan.counts, counts);
    let written = written(&plan);
    let gateway = &written.sessions["gateway"];
    assert_eq!((gateway.unclaimed, &gateway.username), (true, &None));
    assert_eq!(gateway.expiry, Some(Duration::from_secs(86_400)));
    assert_eq!(gateway.offline_since, Some((ends - 86_400) * 1_000));
    assert_eq!(written.sessions["légacy"].expiry, None);
    let temperature = &written.subscriptions[&(gateway.queue, "plant/+/temp".to_owned())];
    assert!(temperature.options.no_local && temperature.options.retain_as_published);
    assert_eq!(temperature.identifier.map(SubscriptionIdentifier::get), Some(7));
    assert_eq!(
        written.waiting("légacy"),
        [("jobs/2", 1), ("jobs/3", 2), ("jobs/4", 1), ("jobs/5", 2)]
    );
    assert_eq!(written.ids("légacy"), [2, 3, 4, 5]);
    assert_eq!(written.released, [(written.queue("légacy"), 1)]);
    assert_eq!(written.inbound, [(written.queue("uploader"), 513)]);
    assert_eq!(
        written.waiting("gateway").iter().map(|(topic, _)| *topic).collect::<Vec<_>>(),
        ["plant/a/temp", "plant/a/temp", "plant/b/state"]
    );
    let (tag, Entry(message)) = written.queues[&gateway.queue].values().next().expect("an entry");
    assert_eq!(tag.identifiers.iter().map(|it| it.get()).collect::<Vec<_>>(), [7]);
    let properties = message.properties.as_deref().expect("properties");
    assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(properties.user_properties.len(), 2);
    assert!(message.expires.is_some());
    assert_eq!(written.retained.keys().collect::<Vec<_>>(), ["state/off", "state/on"]);
    assert!(written.retained.values().all(|Entry(message)| message.retain));
}

#[test]
fn a_message_that_waits_for_many_is_written_once() {
    let mut database =
        Database { messages: vec![stored("t", QoS::AtLeastOnce)], ..Database::default() };
    for client_id in ["a", "b", "c"] {
        let mut session = session(client_id);
        session.outbound.push(outbound(0, QoS::AtLeastOnce, OutboundState::Queued));
        database.sessions.push(session);
    }
    let surroundings = surroundings(NOW_SECONDS * 1_000);
    let written = written(&Plan::new(&database, &surroundings));
    assert_eq!(written.appends, 1);
    for client_id in ["a", "b", "c"] {
        assert_eq!(written.waiting(client_id), [("t", 1)]);
    }
    let Origin::Client(publisher) = &written.queues[&written.queue("a")][&1].1.0.origin else {
        panic!("no publisher")
    };
    assert_eq!(publisher.username.as_deref(), Some("joe"));
    assert_eq!((&*publisher.client_id, &*publisher.listener), ("publisher", "plain"));
}

#[test]
fn what_is_queued_comes_behind_what_is_in_flight_also_where_packet_ids_wrap() {
    let (one, two) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    let mut session = session("a");
    session.outbound = vec![
        outbound(0, two, OutboundState::AwaitPubrec { packet_id: 65_535 }),
        outbound(1, one, OutboundState::AwaitPuback { packet_id: 1 }),
        outbound(2, one, OutboundState::Queued),
        // Mosquitto keeps these too, with queue_qos0_messages.
        outbound(3, QoS::AtMostOnce, OutboundState::Queued),
    ];
    let database = Database {
        messages: ["t/0", "t/1", "t/2", "t/3"].map(|topic| stored(topic, two)).to_vec(),
        sessions: vec![session],
        ..Database::default()
    };
    let surroundings = surroundings(NOW_SECONDS * 1_000);
    let written = written(&Plan::new(&database, &surroundings));
    assert_eq!(written.waiting("a"), [("t/0", 2), ("t/1", 1), ("t/2", 1), ("t/3", 0)]);
    assert_eq!(written.ids("a"), [65_535, 1, 2, 3]);
}

#[test]
fn what_a_client_has_not_released_goes_to_those_who_subscribe() {
    let mut publisher = session("publisher");
    publisher.inbound = vec![
        received(1, 7),
        received(2, 8),
        received(3, 9),
        Inbound { state: InboundState::Queued, ..received(4, 10) },
    ];
    publisher.subscriptions =
        vec![Subscription { no_local: true, ..subscription("up/#", QoS::ExactlyOnce) }];
    let mut both = session("both");
    both.outbound.push(outbound(0, QoS::AtLeastOnce, OutboundState::Queued));
    both.subscriptions = vec![
        Subscription { identifier: Some(3), ..subscription("up/+", QoS::AtLeastOnce) },
        Subscription { identifier: Some(4), ..subscription("up/#", QoS::ExactlyOnce) },
        subscription("other", QoS::ExactlyOnce),
    ];
    let mut deaf = session("deaf");
    deaf.subscriptions = vec![subscription("up/1", QoS::AtMostOnce)];
    let (mut first, mut second) = (session("first"), session("second"));
    for member in [&mut first, &mut second] {
        member.subscriptions = vec![subscription("$share/g/up/1", QoS::AtLeastOnce)];
    }
    let kept = StoredMessage { retain: true, ..stored("up/1", QoS::ExactlyOnce) };
    let cleared = StoredMessage { retain: true, payload: b"", ..stored("up/2", QoS::ExactlyOnce) };
    let database = Database {
        messages: vec![
            stored("earlier", QoS::AtLeastOnce),
            kept,
            cleared,
            stored("nobody/wants", QoS::ExactlyOnce),
            stored("up/again", QoS::ExactlyOnce),
            StoredMessage { retain: true, ..stored("up/2", QoS::AtMostOnce) },
        ],
        retained: vec![5],
        sessions: vec![publisher, both, deaf, first, second],
        ..Database::default()
    };
    let surroundings = surroundings(NOW_SECONDS * 1_000);
    let plan = Plan::new(&database, &surroundings);
    assert_eq!(plan.counts.inbound, 3, "what has no PUBREC comes again by itself");
    let written = written(&plan);
    let queue = written.queue("publisher");
    assert_eq!(written.inbound, [(queue, 7), (queue, 8), (queue, 9)]);
    assert_eq!(written.waiting("publisher"), []);
    assert_eq!(written.waiting("both"), [("earlier", 1), ("up/1", 2), ("up/2", 2)]);
    let entries = &written.queues[&written.queue("both")];
    assert_eq!(entries[&2].0.identifiers.iter().map(|it| it.get()).collect::<Vec<_>>(), [3, 4]);
    assert!(!entries[&2].0.retain, "without Retain As Published");
    assert_eq!(written.waiting("deaf"), []);
    assert_eq!(written.waiting("first"), [("up/1", 1)]);
    assert_eq!(written.waiting("second"), []);
    let shared = written.queues[&written.queue("first")][&1].0.shared.as_ref();
    assert_eq!(shared.map(|filter| filter.text().as_str()), Some("$share/g/up/1"));
    assert_eq!(written.retained.keys().collect::<Vec<_>>(), ["up/1"]);
}

#[test]
fn sessions_end_when_they_would_have_ended() {
    let interval = |seconds, expires_at| Session {
        session_expiry_interval: seconds,
        expires_at,
        ..session("a")
    };
    let now = NOW_SECONDS as i64;
    let surroundings = surroundings(NOW_SECONDS * 1_000);
    let lifetime = |session: &Session<'_>, most| {
        let surroundings =
            Surroundings { max_session_expiry: most, ..surroundings_like(&surroundings) };
        let database = Database { sessions: vec![session.clone()], ..Database::default() };
        let plan = Plan::new(&database, &surroundings);
        let written = written(&plan);
        assert_eq!(plan.left_out.expired_sessions, 1 - written.sessions.len());
        let record = written.sessions.get("a")?;
        let ago = NOW_SECONDS * 1_000 - record.offline_since.expect("a time");
        Some((record.expiry.map(|expiry| expiry.as_secs()), ago / 1_000))
    };
    assert_eq!(lifetime(&interval(u32::MAX, None), None), Some((None, 0)));
    assert_eq!(lifetime(&interval(3_600, None), None), Some((Some(3_600), 0)));
    assert_eq!(lifetime(&interval(3_600, Some(now + 600)), None), Some((Some(3_600), 3_000)));
    assert_eq!(lifetime(&interval(3_600, Some(now)), None), None);
    assert_eq!(lifetime(&interval(3_600, Some(now - 1)), None), None);
    assert_eq!(lifetime(&interval(0, None), None), None);
    // persistent_client_expiration.
    assert_eq!(lifetime(&interval(u32::MAX, Some(now + 60)), None), Some((Some(60), 0)));
    let most = Some(Duration::from_secs(100));
    assert_eq!(lifetime(&interval(u32::MAX, None), most), Some((Some(100), 0)));
    assert_eq!(lifetime(&interval(3_600, Some(now + 3_550)), most), Some((Some(100), 50)));
    assert_eq!(lifetime(&interval(3_600, Some(now + 600)), most), None);
}

fn surroundings_like(other: &Surroundings) -> Surroundings {
    Surroundings {
        now: other.now,
        listeners: other.listeners.clone(),
        max_session_expiry: other.max_session_expiry,
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let mut session = session("a");
    session.subscriptions = vec![subscription("a/#/b", QoS::AtLeastOnce)];
    session.outbound = vec![
        outbound(0, QoS::AtLeastOnce, OutboundState::Queued),
        outbound(1, QoS::AtLeastOnce, OutboundState::Queued),
        outbound(2, QoS::AtLeastOnce, OutboundState::AwaitPuback { packet_id: 4 }),
        outbound(3, QoS::AtLeastOnce, OutboundState::Queued),
    ];
    let expired = StoredMessage {
        expires_at: Some(NOW_SECONDS as i64),
        ..stored("expired", QoS::AtLeastOnce)
    };
    let alive = StoredMessage {
        expires_at: Some(NOW_SECONDS as i64 + 1),
        ..stored("alive", QoS::AtLeastOnce)
    };
    let database = Database {
        messages: vec![alive, stored("wild/+", QoS::AtLeastOnce), expired.clone(), expired],
        sessions: vec![session],
        retained: vec![1],
        left_out: 2,
        ..Database::default()
    };
    let surroundings = surroundings(NOW_SECONDS * 1_000);
    let plan = Plan::new(&database, &surroundings);
    let left_out =
        LeftOut { expired_sessions: 0, expired_messages: 2, not_valid: 3, without_message: 2 };
    assert_eq!(plan.left_out, left_out);
    let counts = Counts { sessions: 1, queued: 1, ..Counts::default() };
    assert_eq!(plan.counts, counts);
    assert_eq!(written(&plan).waiting("a"), [("alive", 1)]);
}

#[test]
fn a_message_too_large_for_a_packet_is_none() {
    let large = vec![0; 268_000_001];
    let message = StoredMessage { payload: &large, ..stored("t", QoS::AtLeastOnce) };
    let now = surroundings(NOW_SECONDS * 1_000).now;
    assert_eq!(fate(&message, now), Fate::NotValid);
    let message = StoredMessage { payload: &large[1..], ..message };
    assert_eq!(fate(&message, now), Fate::Taken);
}
