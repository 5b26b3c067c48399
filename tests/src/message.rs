//! Packets written as sentences: `message("a/b", "hello").qos(QOS1).retained()`.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use midge_codec::{
    ProtocolVersion, Publish, PublishProperties, QoS, RetainHandling, SubscriptionOptions, Text,
    TopicFilter, TopicName, Will, WillProperties,
};

/// At most once.
pub const QOS0: QoS = QoS::AtMostOnce;
/// At least once.
pub const QOS1: QoS = QoS::AtLeastOnce;
/// Exactly once.
pub const QOS2: QoS = QoS::ExactlyOnce;

/// Every protocol version.
pub const VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

/// A valid string.
///
/// # Panics
/// When it is not.
pub fn text(text: &str) -> Text {
    Text::try_from(text).expect("a valid string")
}

/// A valid Topic Name.
///
/// # Panics
/// When it is not.
pub fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).expect("a valid topic name")
}

/// A valid Topic Filter.
///
/// # Panics
/// When it is not.
pub fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).expect("a valid topic filter")
}

/// Subscription Options with everything but the QoS at its default.
pub fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

/// A PUBLISH of QoS 0.
///
/// # Panics
/// When the topic is invalid.
pub fn message(topic_name: &str, payload: impl Into<Vec<u8>>) -> Publish {
    Publish {
        dup: false,
        qos: QOS0,
        retain: false,
        topic: Some(topic(topic_name)),
        packet_id: None,
        topic_alias: None,
        properties: None,
        payload: Bytes::from(payload.into()),
    }
}

/// A Will Message of QoS 0.
///
/// # Panics
/// When the topic is invalid.
pub fn will(topic_name: &str, payload: &str) -> Will {
    Will {
        qos: QOS0,
        retain: false,
        topic: topic(topic_name),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        properties: WillProperties::default(),
    }
}

/// What can be said of a PUBLISH before it is sent, and asked of one that came.
pub trait Outgoing: Sized {
    /// With this QoS.
    #[must_use]
    fn qos(self, qos: QoS) -> Self;
    /// With RETAIN.
    #[must_use]
    fn retained(self) -> Self;
    /// With DUP.
    #[must_use]
    fn duplicate(self) -> Self;
    /// With this packet id; otherwise the client chooses one.
    #[must_use]
    fn id(self, packet_id: u16) -> Self;
    /// With a Topic Alias.
    #[must_use]
    fn alias(self, alias: u16) -> Self;
    /// Without a Topic Name.
    #[must_use]
    fn nameless(self) -> Self;
    /// With properties.
    #[must_use]
    fn with(self, set: impl FnOnce(&mut PublishProperties)) -> Self;
    /// The Topic Name; empty when there is none.
    fn name(&self) -> &str;
    /// The payload as text.
    fn said(&self) -> String;
    /// The Subscription Identifiers, sorted.
    fn subscription_identifiers(&self) -> Vec<u32>;
}

impl Outgoing for Publish {
    fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    fn duplicate(mut self) -> Self {
        self.dup = true;
        self
    }

    fn id(mut self, packet_id: u16) -> Self {
        self.packet_id = NonZeroU16::new(packet_id);
        self
    }

    fn alias(mut self, alias: u16) -> Self {
        self.topic_alias = NonZeroU16::new(alias);
        self
    }

    fn nameless(mut self) -> Self {
        self.topic = None;
        self
    }

    fn with(mut self, set: impl FnOnce(&mut PublishProperties)) -> Self {
        set(self.properties.get_or_insert_default());
        self
    }

    fn name(&self) -> &str {
        self.topic.as_ref().map_or("", TopicName::as_str)
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    fn subscription_identifiers(&self) -> Vec<u32> {
        let properties = self.properties.as_deref();
        let mut identifiers: Vec<u32> = properties
            .map_or(&[][..], |properties| &properties.subscription_identifiers)
            .iter()
            .copied()
            .map(NonZeroU32::get)
            .collect();
        identifiers.sort_unstable();
        identifiers
    }
}
