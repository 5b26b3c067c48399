//! An application message on its way, and the account of memory that all of them draw on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use midge_codec::{PublishProperties, QoS, Text, TopicName};

/// Payloads up to this size are copied out of the read buffer when a message is kept, so that a
/// small message never keeps a large buffer alive.
const DETACH_BYTES: usize = 8 * 1024;

/// Who is behind a connection, or behind a connector that acts as a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Never empty.
    pub client_id: Text,
    /// As authenticated: the CONNECT's or the certificate's.
    pub username: Option<Text>,
    /// Names the listener, whose access rules apply; empty for the operator's own.
    pub listener: Text,
    /// The peer's address, for logs and access; empty when there is none.
    pub address: String,
}

/// Where a message came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A client's publish or will, or a connector that acts as a user.
    Client(Arc<Client>),
    /// The broker, the operator's connectors, the embedding program.
    Broker,
}

impl Origin {
    /// The publisher's client id.
    pub fn client_id(&self) -> Option<&Text> {
        match self {
            Origin::Client(client) => Some(&client.client_id),
            Origin::Broker => None,
        }
    }

    /// The publisher's user name.
    pub fn username(&self) -> Option<&Text> {
        match self {
            Origin::Client(client) => client.username.as_ref(),
            Origin::Broker => None,
        }
    }
}

/// An application message, shared by all who still need it.
#[derive(Debug)]
pub struct Message {
    /// Topic Name.
    pub topic: TopicName,
    /// Application Message.
    pub payload: Bytes,
    /// As published.
    pub qos: QoS,
    /// As published.
    pub retain: bool,
    /// MQTT 5 properties, as published.
    pub properties: Option<Box<PublishProperties>>,
    /// When its Message Expiry Interval ends.
    pub expires: Option<Instant>,
    /// When it came, in milliseconds since 1970-01-01 UTC.
    pub received_unix_millis: u64,
    /// Who published it.
    pub origin: Origin,
    /// The bridge rules it has passed.
    pub trail: Vec<Text>,
    permit: Option<Permit>,
}

impl Message {
    /// A message that is not counted yet: see [`Message::keep`].
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        topic: TopicName,
        payload: Bytes,
        qos: QoS,
        retain: bool,
        properties: Option<Box<PublishProperties>>,
        expires: Option<Instant>,
        received_unix_millis: u64,
        origin: Origin,
        trail: Vec<Text>,
    ) -> Message {
        Message {
            topic,
            payload,
            qos,
            retain,
            properties,
            expires,
            received_unix_millis,
            origin,
            trail,
            permit: None,
        }
    }

    /// Makes it shareable: cut loose from the buffer it was read into when it is small, and
    /// counted in `memory` until the last reference goes.
    pub fn keep(mut self, memory: &Arc<Memory>) -> Arc<Message> {
        if self.payload.len() <= DETACH_BYTES {
            // One allocation holds topic and payload.
            let topic_bytes = self.topic.as_str().len();
            let mut both = Vec::with_capacity(topic_bytes + self.payload.len());
            both.extend_from_slice(self.topic.as_str().as_bytes());
            both.extend_from_slice(&self.payload);
            let both = Bytes::from(both);
            self.payload = both.slice(topic_bytes..);
            self.topic = self.topic.moved_to(both.slice(..topic_bytes));
        }
        if let Some(properties) = &mut self.properties {
            properties.detach();
        }
        self.permit = Some(Permit::take(memory, self.bytes()));
        Arc::new(self)
    }

    /// What it costs in memory, about.
    pub fn bytes(&self) -> usize {
        let properties = self.properties.as_deref().map_or(0, properties_bytes);
        size_of::<Message>() + self.topic.as_str().len() + self.payload.len() + properties
    }

    /// Whether its Message Expiry Interval has passed ([MQTT-3.3.2-5]).
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Seconds that remain of its Message Expiry Interval ([MQTT-3.3.2-6]).
    pub fn remaining_expiry(&self, now: Instant) -> Option<u32> {
        self.expires.map(|expires| {
            let left = expires.saturating_duration_since(now);
            // Rounded up: a message that is still alive must not say 0.
            u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
        })
    }
}

/// What the properties of a message cost in memory, about.
pub(crate) fn properties_bytes(properties: &PublishProperties) -> usize {
    let user_properties = properties.user_properties.iter();
    size_of::<PublishProperties>()
        + properties.correlation_data.as_ref().map_or(0, Bytes::len)
        + properties.response_topic.as_ref().map_or(0, |topic| topic.as_str().len())
        + properties.content_type.as_ref().map_or(0, |text| text.as_str().len())
        + user_properties.map(|(name, value)| name.len() + value.len() + 64).sum::<usize>()
}

/// The account of memory that kept messages draw on, one for all shards.
#[derive(Debug)]
pub struct Memory {
    used: AtomicUsize,
    limit: usize,
}

impl Memory {
    /// An account of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Memory> {
        Arc::new(Memory { used: AtomicUsize::new(0), limit })
    }

    /// Bytes that kept messages hold.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether publishers have to wait.
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit
    }
}

/// Memory that something holds, until it goes.
#[derive(Debug)]
pub(crate) struct Permit {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Permit {
    pub(crate) fn take(memory: &Arc<Memory>, bytes: usize) -> Permit {
        memory.used.fetch_add(bytes, Ordering::Relaxed);
        Permit { memory: Arc::clone(memory), bytes }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
