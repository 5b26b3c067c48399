//! A connector of the bridge: MQTT to Kafka (source) or Kafka to MQTT (sink).
//!
//! Templates are kept as text; the bridge compiles them.

use std::time::Duration;

use crate::error::Origin;
use crate::resolved::kafka::ClientProperties;
use crate::secret::Secret;

/// One named connector.
#[derive(Clone, PartialEq, Eq)]
pub struct Connector {
    /// Its name, unique.
    pub name: String,
    /// Where it was defined, for messages.
    pub origin: Origin,
    /// The MQTT user it acts as: the password is checked and the ACL applies. Without one it acts
    /// as the operator.
    pub user: Option<MqttUser>,
    /// Properties of its Kafka client that differ from [`Kafka::client`](super::Kafka::client).
    pub overrides: ClientProperties,
    /// Its direction and what belongs to it.
    pub kind: ConnectorKind,
}

/// The direction of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKind {
    /// MQTT to Kafka.
    Source(SourceConnector),
    /// Kafka to MQTT.
    Sink(SinkConnector),
}

/// The MQTT user a connector acts as.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttUser {
    /// The user name.
    pub name: String,
    /// The password.
    pub password: Option<Secret>,
}

/// MQTT to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConnector {
    /// Topic filters, at least one, each valid MQTT.
    pub mqtt_filters: Vec<String>,
    /// Template of the Kafka topic.
    pub kafka_topic: String,
    /// Template of the record's key.
    pub key: String,
    /// Add headers: topic, client id, QoS, retain and MQTT 5 user properties.
    pub headers: bool,
    /// What a publisher's acknowledgement waits for.
    pub ack: Ack,
    /// Bytes of records that wait for Kafka before publishers are held back.
    pub buffer_bytes: usize,
    /// Records that wait for Kafka before publishers are held back.
    pub buffer_messages: usize,
    /// The bounds of its spool; there is one with persistence, whatever `ack` is.
    pub spool: Spool,
    /// Bytes of records a second that are given to Kafka; `None` is no limit.
    pub producer_byte_rate: Option<u64>,
}

/// What a publisher's acknowledgement waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Kafka has the record or the spool has it, whichever is first. Only with persistence.
    Spool,
    /// Kafka has the record.
    Kafka,
    /// Nothing: a record may be lost.
    None,
}

/// The bounds of what waits on disk for Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Bytes of messages.
    pub max_bytes: u64,
    /// The age of a message; `None` keeps it for as long as it takes.
    pub max_age: Option<Duration>,
    /// What happens at `max_bytes`.
    pub full: SpoolFull,
    /// How long Kafka may leave a record unacknowledged before all that are go to the disk.
    pub after: Duration,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            // Ten minutes of 5,000 messages a second at 256 bytes fit, with what stands beside them.
            max_bytes: 1 << 30,
            max_age: None,
            full: SpoolFull::PushBack,
            // A busy cluster answers in tens of milliseconds, one that elects a leader in seconds.
            after: Duration::from_secs(1),
        }
    }
}

/// What happens when a spool has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolFull {
    /// Publishers are held back until there is room.
    PushBack,
    /// The oldest messages are dropped, and counted.
    DropOldest,
    /// The new message is dropped, and counted.
    DropNewest,
}

/// Kafka to MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConnector {
    /// Kafka topics, at least one; one that begins with `^` is a regular expression.
    pub kafka_topics: Vec<String>,
    /// The consumer group.
    pub group_id: String,
    /// Template of the MQTT topic.
    pub mqtt_topic: String,
    /// The QoS published with, 0, 1 or 2.
    pub qos: u8,
    /// Publish as retained messages.
    pub retain: bool,
    /// What happens to a record without a value.
    pub tombstones: Tombstones,
    /// Where a group without offsets begins.
    pub offset_reset: OffsetReset,
    /// Records taken from Kafka and not routed yet.
    pub max_inflight_messages: usize,
}

/// What happens to a record without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// It is passed over.
    Skip,
    /// It is published empty and retained, which removes the retained message of its topic.
    Clear,
}

/// Where a consumer group without offsets begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the oldest record.
    Earliest,
    /// At the next record.
    Latest,
}
