//! What the operator decides: limits and access, as one generation of them, and the bridge's rules.

use std::sync::Arc;
use std::time::Duration;

use midge_codec::{QoS, Text, TopicFilter, TopicName};

use crate::message::Client;

/// One consistent configuration. A reload makes a new one; shards switch to it whole.
pub struct Generation {
    /// Counts reloads.
    pub number: u64,
    /// Bounds and defaults.
    pub limits: Limits,
    /// Who may what.
    pub authorize: Arc<dyn Authorize>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Names a rule of the bridge; no other rule of the process ever has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId(pub u32);

/// A source rule of the bridge, as far as routing has to know it.
#[derive(Clone, Debug)]
pub struct Tap {
    /// The rule.
    pub id: TapId,
    /// Its name in a message's trail: it refuses messages that carry it.
    pub name: Text,
    /// Which messages it takes; a message that several match is taken once.
    pub filters: Vec<TopicFilter>,
    /// Whether a publisher's acknowledgement waits for it (`ack = "kafka"`).
    pub waits: bool,
    /// Whose right to read counts; `None`: the operator's, all topics.
    pub reader: Option<Arc<Client>>,
}

/// Access control: pure decisions, called on the way of every message.
pub trait Authorize: Send + Sync {
    /// Whether `client` may publish to `topic`.
    fn publish(&self, client: &Client, topic: &TopicName) -> bool;
    /// Whether messages of `topic` may be delivered to `client`.
    fn read(&self, client: &Client, topic: &TopicName) -> bool;
    /// What a subscription of `client` to `filter` may see.
    fn subscribe(&self, client: &Client, filter: &TopicFilter) -> Verdict;
}

/// What a subscription may see; decided when it is made and again when the rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every topic it matches.
    Always,
    /// No topic it could match: refused.
    Never,
    /// Each topic is judged when a message comes.
    PerTopic,
}

/// What happens when a session's queue is at its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueFull {
    /// The message that comes is dropped for this session, as Mosquitto does.
    #[default]
    DropNewest,
    /// The oldest one that waits is.
    DropOldest,
    /// Its publisher is told (0x97), or with MQTT 3.x not answered and disconnected.
    Refuse,
}

impl QueueFull {
    /// As configuration and log write it.
    pub fn name(self) -> &'static str {
        match self {
            QueueFull::DropNewest => "drop_newest",
            QueueFull::DropOldest => "drop_oldest",
            QueueFull::Refuse => "refuse",
        }
    }
}

/// Bounds and defaults of the protocol's engine. Every one is there because what it bounds would
/// otherwise grow with what a peer does.
#[derive(Clone, Debug)]
pub struct Limits {
    /// QoS 1 and 2 messages under way to one client; its Receive Maximum lowers it; 0: only that.
    pub max_inflight: u16,
    /// Bytes of them; 0: bounded by count alone.
    pub max_inflight_bytes: usize,
    /// Messages waiting for one session beyond those in flight; 0: bounded by bytes alone.
    pub max_queued_messages: usize,
    /// Bytes waiting for one session beyond those in flight; 0: bounded by count alone.
    pub max_queued_bytes: usize,
    /// What happens to a message for a session whose queue is at its limit.
    pub queue_full: QueueFull,
    /// Whether QoS 0 messages wait for a session that is offline.
    pub queue_qos0: bool,
    /// Bytes encoded for one connection and not yet written; beyond it messages wait unencoded.
    pub output_bytes: usize,
    /// QoS 1 and 2 publishes one client may have unacknowledged: our Receive Maximum.
    pub receive_maximum: u16,
    /// Largest packet taken, in bytes.
    pub max_packet_size: u32,
    /// Largest application message taken, in bytes; 0: as the packet allows.
    pub max_payload: usize,
    /// Highest Topic Alias taken from clients.
    pub topic_alias_maximum: u16,
    /// Highest Topic Alias used toward clients, however many they allow.
    pub topic_alias_outgoing: u16,
    /// Longest keep alive, in seconds; 0: any, none included.
    pub max_keep_alive: u16,
    /// Longest life of a session without connection; `None`: as the client asks.
    pub max_session_expiry: Option<Duration>,
    /// Highest QoS taken.
    pub max_qos: QoS,
    /// Whether messages are retained at all.
    pub retain_available: bool,
    /// Longest life of a retained message; `None`: for ever.
    pub retain_expiry: Option<Duration>,
    /// Subscriptions of one session.
    pub max_subscriptions: usize,
    /// Retained messages of the broker.
    pub max_retained: usize,
    /// Sessions of one shard, online and offline.
    pub max_sessions: usize,
    /// Levels of a topic or filter; deeper ones cost a node a level.
    pub max_topic_levels: usize,
    /// Whether a filter that can see nothing is refused in the SUBACK, or granted and silent.
    pub deny_subscribe: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_inflight: 20,
            max_inflight_bytes: 0,
            max_queued_messages: 1_000,
            max_queued_bytes: 0,
            queue_full: QueueFull::DropNewest,
            queue_qos0: false,
            output_bytes: 64 * 1024,
            receive_maximum: 1_024,
            max_packet_size: 2_000_000,
            max_payload: 0,
            topic_alias_maximum: 10,
            topic_alias_outgoing: 10,
            max_keep_alive: 0,
            max_session_expiry: None,
            max_qos: QoS::ExactlyOnce,
            retain_available: true,
            retain_expiry: None,
            max_subscriptions: 100_000,
            max_retained: 1_000_000,
            max_sessions: 1_000_000,
            max_topic_levels: 200,
            deny_subscribe: true,
        }
    }
}
