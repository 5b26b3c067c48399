//! A broker that is none: it writes down what the bridge asks of it.

// Each test binary compiles this for itself and uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod far;
pub mod proxy;

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_bridge::dev::EmbeddedKafka;
use midge_bridge::{Bridge, Host, Settings, Storage};
use midge_codec::{QoS, ReasonCode, Text, TopicName};
use midge_config::{
    Ack, ClientProperties, Connector, ConnectorKind, Kafka, OffsetReset, Origin, SinkConnector,
    SourceConnector, Spool, Tombstones,
};
use midge_core::{
    Client, DutyId, Inject, Memory, Message, Offer, Origin as From, ShardId, Tap, TapId,
};

/// No condition may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub type Done = (ShardId, DutyId, ReasonCode);

#[derive(Default)]
pub struct Seen {
    pub done: Vec<Done>,
    pub full: Vec<(TapId, bool)>,
    pub injects: Vec<Inject>,
    pub taps: Vec<TapId>,
}

/// The fake broker.
#[derive(Default)]
pub struct Broker {
    seen: Mutex<Seen>,
    changed: Condvar,
    bridge: OnceLock<Weak<Bridge>>,
    /// What an inject is answered with at once; `None`: not at all.
    answer: Option<ReasonCode>,
}

impl Host for Broker {
    fn duties_done(&self, done: &mut Vec<Done>) {
        self.lock().done.append(done);
        self.changed.notify_all();
    }

    fn tap_full(&self, tap: TapId, full: bool) {
        self.lock().full.push((tap, full));
        self.changed.notify_all();
    }

    fn inject(&self, injects: &mut Vec<Box<Inject>>) {
        for inject in injects.drain(..) {
            let ticket = inject.ticket.expect("the bridge waits for every inject");
            self.lock().injects.push(*inject);
            self.changed.notify_all();
            if let Some(reason) = self.answer {
                let bridge = self.bridge.wait().upgrade();
                bridge.inspect(|bridge| bridge.injected(ticket, reason));
            }
        }
    }

    fn retap(&self, taps: &Arc<[Tap]>) -> Receiver<()> {
        self.lock().taps = taps.iter().map(|tap| tap.id).collect();
        self.changed.notify_all();
        mpsc::channel().1
    }
}

impl Broker {
    pub fn new() -> Arc<Broker> {
        Arc::default()
    }

    /// A broker that routes every inject at once, with this outcome.
    pub fn that_answers(reason: ReasonCode) -> Arc<Broker> {
        Arc::new(Broker { answer: Some(reason), ..Broker::default() })
    }

    pub fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test panics with it")
    }

    /// Waits until `holds`, or fails with `what`.
    pub fn wait(&self, what: &str, mut holds: impl FnMut(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.lock();
        while !holds(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "never came: {what} ({} done, {} injects, full {:?})",
                seen.done.len(),
                seen.injects.len(),
                seen.full
            );
            seen = self.changed.wait_timeout(seen, left).expect("no test panics with it").0;
        }
    }

    pub fn start(self: &Arc<Broker>, settings: Settings) -> Arc<Bridge> {
        self.start_with(settings, None)
    }

    pub fn start_with(
        self: &Arc<Broker>,
        settings: Settings,
        storage: Option<Storage>,
    ) -> Arc<Bridge> {
        let host: Arc<dyn Host> = self.clone();
        let bridge = Arc::new(Bridge::start(settings, host, storage).unwrap_or_else(|errors| {
            panic!("{errors:?}");
        }));
        self.bridge.set(Arc::downgrade(&bridge)).expect("one bridge a broker");
        bridge
    }
}

/// Waits until `holds`, or fails with `what`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn settings(bootstrap_servers: &str, connectors: Vec<Connector>) -> Settings {
    let mut client = ClientProperties::default();
    client.plain.insert("bootstrap.servers".to_owned(), bootstrap_servers.to_owned());
    // An outage in a test lasts a moment.
    client.plain.insert("reconnect.backoff.ms".to_owned(), "20".to_owned());
    client.plain.insert("reconnect.backoff.max.ms".to_owned(), "200".to_owned());
    client.plain.insert("retry.backoff.ms".to_owned(), "20".to_owned());
    // The embedded Kafka lets a group form anew only after the session of the member that left.
    client.plain.insert("session.timeout.ms".to_owned(), "3000".to_owned());
    client.plain.insert("heartbeat.interval.ms".to_owned(), "500".to_owned());
    Settings {
        kafka: Kafka { client, oauth: None },
        connectors,
        also_kept: Vec::new(),
        observer: None,
    }
}

pub fn source(name: &str, kafka_topic: &str) -> Connector {
    connector(
        name,
        ConnectorKind::Source(SourceConnector {
            mqtt_filters: vec!["#".to_owned()],
            kafka_topic: kafka_topic.to_owned(),
            key: "${topic}".to_owned(),
            headers: true,
            ack: Ack::Kafka,
            buffer_bytes: 64 << 20,
            buffer_messages: 100_000,
            spool: Spool::default(),
            producer_byte_rate: None,
        }),
    )
}

pub fn sink(name: &str, kafka_topic: &str, mqtt_topic: &str) -> Connector {
    connector(
        name,
        ConnectorKind::Sink(SinkConnector {
            kafka_topics: vec![kafka_topic.to_owned()],
            group_id: format!("group-{name}"),
            mqtt_topic: mqtt_topic.to_owned(),
            qos: 1,
            retain: false,
            tombstones: Tombstones::Clear,
            offset_reset: OffsetReset::Earliest,
            max_inflight_messages: 1_000,
        }),
    )
}

fn connector(name: &str, kind: ConnectorKind) -> Connector {
    Connector {
        name: name.to_owned(),
        origin: Origin::File(format!("{name}.toml").into()),
        user: None,
        overrides: ClientProperties::default(),
        kind,
    }
}

pub fn kafka() -> EmbeddedKafka {
    EmbeddedKafka::start().expect("loopback ports are free")
}

pub fn message(topic: &str, payload: impl Into<Vec<u8>>) -> Message {
    Message::new(
        TopicName::try_from(topic).expect(topic),
        Bytes::from(payload.into()),
        QoS::AtLeastOnce,
        false,
        None,
        None,
        1_700_000_000_123,
        From::Client(Arc::new(Client {
            client_id: Text::from_static("sensor-1"),
            username: Some(Text::from_static("ana")),
            listener: Text::empty(),
            address: String::new(),
        })),
        Vec::new(),
    )
}

pub fn offer(tap: u32, message: Message, duty: u64) -> Offer {
    let message = message.keep(&Memory::new(usize::MAX));
    Offer { tap: TapId(tap), message, duty: Some(DutyId(duty)) }
}

/// Offers `payloads` for `topic` of shard 0; the duty of each is its payload.
pub fn publish(bridge: &Bridge, topic: &str, payloads: std::ops::Range<u64>) {
    for batch in payloads.collect::<Vec<_>>().chunks(50) {
        let mut offers: Vec<Offer> = batch
            .iter()
            .map(|number| offer(0, message(topic, number.to_string()), *number))
            .collect();
        bridge.offer(ShardId(0), &mut offers);
        assert!(offers.is_empty(), "offers are drained");
    }
}

/// The payloads of a topic's records, as numbers, in order of offset; needs one partition.
pub fn numbers(kafka: &EmbeddedKafka, topic: &str, count: usize) -> Vec<u64> {
    let records = kafka.records(topic, count).expect("they are there");
    records
        .into_iter()
        .map(|record| {
            let text = String::from_utf8(record.value.expect("a value")).expect("text");
            text.parse().expect("a number")
        })
        .collect()
}
