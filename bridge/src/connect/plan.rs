//! What a connector is to do, with nothing left to interpret: what a class makes of properties, and
//! what the bridge's engine runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use midge_codec::{QoS, TopicFilter};
use midge_config::{Ack, ClientProperties, MqttUser, OffsetReset, Secret, Spool};
use midge_rules::kcql::InfluxSink;
use midge_rules::pipeline::{SinkParts, SourceParts};

use super::definition::Properties;

/// A connector's tasks, and what holds for all of them.
#[derive(Clone)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// One or more.
    pub tasks: Vec<Task>,
    /// What happens to a record that does not come through.
    pub errors: Errors,
    /// Says now and then how many records have passed (`connect.progress.enabled`).
    pub progress: bool,
    /// `producer.override.*` of a source or `consumer.override.*` of a sink, for its own client.
    pub overrides: ClientProperties,
    /// What its dead letters have of their own.
    pub dead_letter_clients: DeadLetterClients,
    /// What was accepted and yet is worth a word.
    pub notices: Vec<String>,
}

/// A part of a connector that runs by itself.
#[derive(Clone)]
pub struct Task {
    /// Its properties, as they are shown.
    pub config: Properties,
    /// What it does.
    pub work: Work,
}

/// What a task does.
#[derive(Clone)]
pub enum Work {
    /// MQTT to Kafka.
    Source(SourceWork),
    /// Kafka to MQTT.
    MqttSink(MqttSinkWork),
    /// Kafka to InfluxDB.
    InfluxSink(InfluxSinkWork),
}

/// MQTT to Kafka.
#[derive(Clone)]
pub struct SourceWork {
    /// Where messages come from.
    pub broker: Broker,
    /// The QoS subscribed with at another broker; at this one messages keep their own.
    pub qos: QoS,
    /// What a publisher's acknowledgement waits for.
    pub ack: Ack,
    /// Bytes and messages that wait for Kafka before publishers are held back.
    pub buffer: (usize, usize),
    /// The bounds of what waits on disk.
    pub spool: Spool,
    /// Bytes of records a second that are given to Kafka; `None` is no limit.
    pub producer_byte_rate: Option<u64>,
    /// Whether a payload that the statement's own converter cannot read
    /// ([`Stage::TaskPoll`](midge_rules::pipeline::Stage::TaskPoll)) is logged and passed over,
    /// whatever `errors` say (`connect.mqtt.converter.throw.on.error=false`).
    pub skip_unconvertible: bool,
    /// One a statement; every one that matches a message makes a record of it.
    pub rules: Vec<SourceRulePlan>,
}

/// What one statement of a source makes of messages.
#[derive(Clone)]
pub struct SourceRulePlan {
    /// Which messages it takes; none is of a shared subscription at this broker.
    pub filters: Vec<TopicFilter>,
    /// What becomes of them.
    pub parts: SourceParts,
}

/// Kafka to MQTT.
#[derive(Clone)]
pub struct MqttSinkWork {
    /// Where messages go.
    pub broker: Broker,
    /// What is read.
    pub reading: Reading,
    /// What becomes of a record.
    pub parts: SinkParts,
    /// What happens when the broker takes none.
    pub policy: ErrorPolicy,
}

/// Kafka to InfluxDB.
#[derive(Clone)]
pub struct InfluxSinkWork {
    /// What is read.
    pub reading: Reading,
    /// Converters and transforms; its statements are in `statements`.
    pub parts: SinkParts,
    /// What becomes of a record.
    pub statements: Vec<InfluxSink>,
    /// The database.
    pub database: InfluxDatabase,
    /// What happens when it takes none.
    pub policy: ErrorPolicy,
}

/// Which records a sink reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Topics; one that begins with `^` is a regular expression.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group_id: String,
    /// Where a group without offsets begins.
    pub offset_reset: OffsetReset,
    /// Records taken from Kafka and not finished yet.
    pub max_under_way: usize,
}

/// Where an InfluxDB is and how it is written to.
#[derive(Clone)]
pub struct InfluxDatabase {
    /// Its address.
    pub url: String,
    /// The database (1.x) or the bucket (2.x).
    pub database: String,
    /// A name and a password (1.x), if it wants them.
    pub user: Option<(String, Secret)>,
    /// A token and the organization (2.x) instead.
    pub token: Option<(Secret, String)>,
    /// The retention policy.
    pub retention_policy: String,
    /// The write consistency.
    pub consistency: String,
    /// A file of certificate authorities in PEM; the system's, without one.
    pub ca: Option<String>,
}

/// The MQTT broker of a connector.
#[derive(Clone)]
pub enum Broker {
    /// This one, in process. It acts as this user, or as the operator.
    Here(Option<MqttUser>),
    /// Another one.
    There(Box<RemoteBroker>),
}

/// Another broker, and how it is connected to.
#[derive(Clone)]
pub struct RemoteBroker {
    /// Its addresses, tried in turn: whether with TLS, host, port.
    pub addresses: Vec<(bool, String, u16)>,
    /// The client id of this task.
    pub client_id: String,
    /// Whether the session ends with the connection.
    pub clean_session: bool,
    /// How long the connection may be silent.
    pub keep_alive: Duration,
    /// How long connecting may take.
    pub timeout: Duration,
    /// A user name, and a password if there is one.
    pub user: Option<(String, Option<Secret>)>,
    /// Files of certificates in PEM: the authorities, ours, its key.
    pub tls: RemoteTls,
}

/// Files that a connection with TLS needs; what is not said is the system's, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteTls {
    /// The authorities that vouch for the broker.
    pub ca: Option<String>,
    /// Our certificate.
    pub certificate: Option<String>,
    /// Its key.
    pub key: Option<String>,
}

/// What happens when the other side takes nothing (`error.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The task fails.
    Throw,
    /// The record is passed over.
    Noop,
    /// It is tried again after an interval, so many times; then the task fails.
    Retry {
        /// How long in between.
        interval: Duration,
        /// How many times.
        max: u32,
    },
}

/// What happens to a record that does not come through (`errors.*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Whether it is passed over (`all`) instead of failing the task (`none`).
    pub tolerate: bool,
    /// How long what may pass is tried again.
    pub retry: Retry,
    /// Whether each error is logged, and whether with the record.
    pub log: Option<LogErrors>,
    /// Where such records go.
    pub dead_letters: Option<DeadLetters>,
}

/// How long what may pass is tried again, such as a schema registry that is away or a Kafka topic
/// that is not there yet (`errors.retry.*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long; then it is an error as others are.
    pub within: Within,
    /// The longest pause between two attempts.
    pub delay_max: Duration,
}

/// How long something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Nobody has said: as long as it takes, unless one message would hold up others by it.
    NotSaid,
    /// So long; not at all when it is zero.
    Time(Duration),
    /// As long as it takes.
    Ever,
}

impl Retry {
    /// The pause after so many attempts, one at least. It doubles, from Connect's 300 ms on.
    #[must_use]
    pub fn delay(&self, attempts: u32) -> Duration {
        let doubled = 300_u64.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        Duration::from_millis(doubled).min(self.delay_max)
    }

    /// Whether what was first tried so long ago is given up.
    #[must_use]
    pub fn is_over(&self, elapsed: Duration) -> bool {
        matches!(self.within, Within::Time(time) if elapsed >= time)
    }
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { within: Within::NotSaid, delay_max: Duration::from_secs(1) }
    }
}

/// How errors are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogErrors {
    /// Whether topic, partition and offset of the record are in it.
    pub messages: bool,
}

/// The dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// The Kafka topic.
    pub kafka_topic: Arc<str>,
    /// With how many replicas it is made, if it is not there; -1: as many as Kafka itself would
    /// make. `None`: nobody has said, and the topic is Kafka's business.
    pub replication_factor: Option<i16>,
    /// Whether headers say where and why a record failed.
    pub context_headers: bool,
}

/// Properties of the clients that dead letters have of their own. It has no `Debug` because it may
/// hold secrets.
#[derive(Clone, Default)]
pub struct DeadLetterClients {
    /// Of the producer, for a sink's: those of a source go the way of its records.
    pub producer: ClientProperties,
    /// Of the client that makes the topic.
    pub admin: ClientProperties,
}

/// What classes have to know of the worker they run in.
#[derive(Clone, Default)]
pub struct Worker {
    /// Defaults of the worker's own properties: converters, `group.id` and the like.
    pub properties: Properties,
    /// Hosts and ports that are this broker: a host of `bridge.local_hosts` with any port, a
    /// loopback address with the port of a listener, a listener's own host with its port.
    pub local_hosts: Vec<String>,
    /// The ports of this broker's listeners.
    pub local_ports: Vec<u16>,
    /// Hosts that listeners are bound to by name or address, each with its listener's port.
    pub local_addresses: Vec<(String, u16)>,
    /// Whether there is a disk to spool to.
    pub persistent: bool,
    /// Of a worker that is one of a group: how long it may be silent, and how often it is not.
    pub session: Option<(Duration, Duration)>,
    /// Milliseconds since the epoch, for dates with two digits of a year.
    pub now_unix_millis: i64,
    /// Texts of Avro schema files by their paths, as `connect.converter.avro.schemas` names them.
    pub files: BTreeMap<String, String>,
}
