//! Why bytes are no packet, one variant for each form the standards forbid.
//!
//! Invariant: every form maps to the one Reason Code that a CONNACK or DISCONNECT says of it
//! (4.13); a form that no version of the wire format can produce is not here.

use crate::{InvalidText, InvalidTopic, PacketType, Property, ProtocolVersion, ReasonCode, Text};

/// Why bytes are no packet: which packet, in which protocol version, and what is wrong with it.
///
/// After an error the connection is at its end: where the next packet would begin is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    packet: Option<PacketType>,
    version: Option<ProtocolVersion>,
    malformed: Malformed,
}

impl DecodeError {
    pub(super) fn new(
        packet: Option<PacketType>,
        version: Option<ProtocolVersion>,
        malformed: Malformed,
    ) -> DecodeError {
        DecodeError { packet, version, malformed }
    }

    /// The packet's type; `None` when not even that is valid.
    pub fn packet(&self) -> Option<PacketType> {
        self.packet
    }

    /// The version the peer speaks, so far as its bytes tell. Of an unsupported level it is the
    /// version whose CONNACK the peer understands best: code 0x01 of 3.1.1 for levels below 5,
    /// Reason Code 0x84 of MQTT 5 above. `None`: what came is no MQTT, and gets no answer.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// What is wrong.
    pub fn malformed(&self) -> &Malformed {
        &self.malformed
    }

    /// What a DISCONNECT or CONNACK says of it.
    pub fn reason(&self) -> ReasonCode {
        self.malformed.reason()
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(packet) = self.packet {
            write!(f, "{packet}: ")?;
        }
        self.malformed.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

/// What the standards forbid. Clauses are those of MQTT 5 where the versions agree.
///
/// | form | clause | reason |
/// |---|---|---|
/// | [`ReservedPacketType`](Malformed::ReservedPacketType) | 2.1.2 | 0x81 |
/// | [`ExpectedConnect`](Malformed::ExpectedConnect) | \[MQTT-3.1.0-1\] | 0x82 |
/// | [`FixedHeaderFlags`](Malformed::FixedHeaderFlags) | \[MQTT-2.1.3-1\] | 0x81 |
/// | [`PublishQoS`](Malformed::PublishQoS) | \[MQTT-3.3.1-4\] | 0x81 |
/// | [`DupWithQoS0`](Malformed::DupWithQoS0) | \[MQTT-3.3.1-2\] | 0x81 |
/// | [`VariableByteIntegerTooLong`](Malformed::VariableByteIntegerTooLong) | 1.5.5 | 0x81 |
/// | [`VariableByteIntegerNotShortest`](Malformed::VariableByteIntegerNotShortest) | \[MQTT-1.5.5-1\] | 0x81 |
/// | [`PacketTooLarge`](Malformed::PacketTooLarge) | \[MQTT-3.2.2-15\] | 0x95 |
/// | [`Truncated`](Malformed::Truncated) | 4.13 | 0x81 |
/// | [`TrailingBytes`](Malformed::TrailingBytes) | 4.13 | 0x81 |
/// | [`Text`](Malformed::Text) | \[MQTT-1.5.4-1\], \[MQTT-1.5.4-2\] | 0x81 |
/// | [`PacketIdZero`](Malformed::PacketIdZero) | \[MQTT-2.2.1-3\] | 0x82 |
/// | [`TopicName`](Malformed::TopicName) | \[MQTT-3.3.2-2\], \[MQTT-4.7.3-1\] | 0x90 |
/// | [`TopicMissing`](Malformed::TopicMissing) | 3.3.2.1 | 0x82 |
/// | [`TopicFilter`](Malformed::TopicFilter) | 4.7.1, 4.8.2 | 0x8F |
/// | [`ResponseTopic`](Malformed::ResponseTopic) | \[MQTT-3.3.2-14\] | 0x82 |
/// | [`TopicAliasZero`](Malformed::TopicAliasZero) | \[MQTT-3.3.2-8\] | 0x94 |
/// | [`ReasonCode`](Malformed::ReasonCode) | \[MQTT-3.4.2-1\] and its likes | 0x82 |
/// | [`ConnackFlags`](Malformed::ConnackFlags) | \[MQTT-3.2.2-1\] | 0x81 |
/// | [`SessionPresentOnRefusal`](Malformed::SessionPresentOnRefusal) | \[MQTT-3.2.2-6\] | 0x82 |
/// | [`ProtocolName`](Malformed::ProtocolName) | \[MQTT-3.1.2-1\] | 0x84 |
/// | [`ProtocolLevel`](Malformed::ProtocolLevel) | \[MQTT-3.1.2-2\] | 0x84 |
/// | [`ConnectFlagsReserved`](Malformed::ConnectFlagsReserved) | \[MQTT-3.1.2-3\] | 0x81 |
/// | [`WillQoS`](Malformed::WillQoS) | \[MQTT-3.1.2-12\] | 0x81 |
/// | [`WillFlagsWithoutWill`](Malformed::WillFlagsWithoutWill) | \[MQTT-3.1.2-11\], \[MQTT-3.1.2-13\] | 0x81 |
/// | [`PasswordWithoutUserName`](Malformed::PasswordWithoutUserName) | 3.1.1 \[MQTT-3.1.2-22\] | 0x81 |
/// | [`NoTopicFilter`](Malformed::NoTopicFilter) | \[MQTT-3.8.3-2\], \[MQTT-3.10.3-2\] | 0x82 |
/// | [`SubscriptionOptionsReserved`](Malformed::SubscriptionOptionsReserved) | \[MQTT-3.8.3-5\] | 0x81 |
/// | [`SubscriptionQoS`](Malformed::SubscriptionQoS) | 3.8.3.1 | 0x82 |
/// | [`RetainHandling`](Malformed::RetainHandling) | 3.8.3.1 | 0x82 |
/// | [`NoLocalOnShared`](Malformed::NoLocalOnShared) | \[MQTT-3.8.3-4\] | 0x82 |
/// | [`UnknownProperty`](Malformed::UnknownProperty) | 2.2.2.2 | 0x81 |
/// | [`PropertyNotAllowed`](Malformed::PropertyNotAllowed) | 2.2.2.2 | 0x81 |
/// | [`DuplicateProperty`](Malformed::DuplicateProperty) | 2.2.2.2 | 0x82 |
/// | [`PropertyValue`](Malformed::PropertyValue) | 3.1.2.11, 3.2.2.3, 3.3.2.3, 3.8.2.1 | 0x82 |
/// | [`AuthenticationDataWithoutMethod`](Malformed::AuthenticationDataWithoutMethod) | 3.1.2.11.10 | 0x82 |
/// | [`AuthenticationMethodMissing`](Malformed::AuthenticationMethodMissing) | 3.15.2.2.2 | 0x82 |
///
/// MQTT 3.1 knew fewer rules, and its clients are taken as they are: reserved flags, DUP with QoS 0,
/// will flags without a will, a SUBSCRIBE or UNSUBSCRIBE without filters, and a user name or
/// password flag whose field is missing at the end pass at level 3. That a length takes the
/// shortest form is a rule of MQTT 5 alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Type 0, or 15 before MQTT 5.
    #[error("packet type {found} is reserved")]
    ReservedPacketType {
        /// The type.
        found: u8,
    },
    /// Another packet stood where a CONNECT must.
    #[error("first packet of the connection, expected CONNECT")]
    ExpectedConnect,
    /// Reserved flags that are not as they must be.
    #[error("fixed header flags {found:#06b}, expected {expected:#06b}")]
    FixedHeaderFlags {
        /// What stood there.
        found: u8,
        /// What must.
        expected: u8,
    },
    /// Both QoS bits of a PUBLISH.
    #[error("QoS 3, expected at most 2")]
    PublishQoS,
    /// DUP of a PUBLISH that is never acknowledged.
    #[error("DUP set with QoS 0")]
    DupWithQoS0,
    /// A length whose fourth byte says that a fifth follows.
    #[error("variable byte integer of more than 4 bytes")]
    VariableByteIntegerTooLong,
    /// A length with leading zeros.
    #[error("variable byte integer {value} in {bytes} bytes, expected the shortest form")]
    VariableByteIntegerNotShortest {
        /// Its value.
        value: u32,
        /// How many bytes it took.
        bytes: usize,
    },
    /// The header announces more than we take.
    #[error("{bytes} bytes, expected at most {maximum}")]
    PacketTooLarge {
        /// The size of the whole packet.
        bytes: usize,
        /// The most we take.
        maximum: usize,
    },
    /// The packet ends within a field.
    #[error("{field}: {found} bytes left, expected {expected}")]
    Truncated {
        /// The field.
        field: &'static str,
        /// What it needs.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// The packet goes on after its last field.
    #[error("{bytes} bytes after the last field")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// A string that is none.
    #[error("{field}: {error}")]
    Text {
        /// The field.
        field: &'static str,
        /// Why.
        error: InvalidText,
    },
    /// Packet Identifier 0.
    #[error("packet identifier 0, expected 1 to 65,535")]
    PacketIdZero,
    /// A PUBLISH or a will to what no Topic Name is.
    #[error("{field}: {error}")]
    TopicName {
        /// The field.
        field: &'static str,
        /// Why.
        error: InvalidTopic,
    },
    /// A PUBLISH with neither topic nor alias.
    #[error("neither a topic name nor a topic alias")]
    TopicMissing,
    /// A wildcard where none may be, no share name, or nothing at all.
    #[error("topic filter: {error}")]
    TopicFilter {
        /// Why.
        error: InvalidTopic,
    },
    /// A Response Topic that no one can publish to.
    #[error("Response Topic: {error}")]
    ResponseTopic {
        /// Why.
        error: InvalidTopic,
    },
    /// Topic Alias 0.
    #[error("Topic Alias 0, expected 1 to 65,535")]
    TopicAliasZero,
    /// A code the packet does not have.
    #[error("reason code {found:#04x} is none of this packet")]
    ReasonCode {
        /// The byte.
        found: u8,
    },
    /// Reserved bits of a CONNACK.
    #[error("acknowledge flags {found:#010b}, expected bits 7 to 1 clear")]
    ConnackFlags {
        /// The byte.
        found: u8,
    },
    /// A refusal that speaks of a session.
    #[error("session present with {reason}")]
    SessionPresentOnRefusal {
        /// Why it was refused.
        reason: ReasonCode,
    },
    /// Not MQTT.
    #[error("protocol name {found:?}, expected \"MQTT\" or \"MQIsdp\"")]
    ProtocolName {
        /// How it begins.
        found: Text,
    },
    /// A version that is not ours, or does not go with the name.
    #[error("protocol level {found} of {name:?}, expected 4 or 5 of \"MQTT\" or 3 of \"MQIsdp\"")]
    ProtocolLevel {
        /// The protocol name.
        name: &'static str,
        /// The level.
        found: u8,
    },
    /// Bit 0 of the connect flags.
    #[error("connect flags {found:#010b}, expected bit 0 clear")]
    ConnectFlagsReserved {
        /// The byte.
        found: u8,
    },
    /// Both QoS bits of the will.
    #[error("will QoS 3, expected at most 2")]
    WillQoS,
    /// Will QoS or Will Retain of no will.
    #[error("connect flags {found:#010b}, expected will QoS and will retain clear without a will")]
    WillFlagsWithoutWill {
        /// The byte.
        found: u8,
    },
    /// A password alone, which is new in MQTT 5.
    #[error("a password without a user name")]
    PasswordWithoutUserName,
    /// SUBSCRIBE or UNSUBSCRIBE of nothing.
    #[error("no topic filter, expected at least one")]
    NoTopicFilter,
    /// Bits of the subscription options that mean nothing in this version.
    #[error("subscription options {found:#010b}, expected the reserved bits clear")]
    SubscriptionOptionsReserved {
        /// The byte.
        found: u8,
    },
    /// Both QoS bits of the subscription options.
    #[error("subscription QoS 3, expected at most 2")]
    SubscriptionQoS,
    /// Both bits of Retain Handling.
    #[error("retain handling 3, expected at most 2")]
    RetainHandling,
    /// No Local on a shared subscription.
    #[error("no local set on a shared subscription")]
    NoLocalOnShared,
    /// No property has this identifier.
    #[error("property identifier {found:#04x} is unknown")]
    UnknownProperty {
        /// The identifier.
        found: u32,
    },
    /// A property of other packets.
    #[error("{property} is none of this packet's properties")]
    PropertyNotAllowed {
        /// The property.
        property: Property,
    },
    /// A property that stands at most once.
    #[error("{property} more than once")]
    DuplicateProperty {
        /// The property.
        property: Property,
    },
    /// A value the property does not take.
    #[error("{property} {found}, expected {expected}")]
    PropertyValue {
        /// The property.
        property: Property,
        /// Its value.
        found: u32,
        /// What it takes.
        expected: &'static str,
    },
    /// Authentication Data of no method.
    #[error("Authentication Data without an Authentication Method")]
    AuthenticationDataWithoutMethod,
    /// AUTH must name its method.
    #[error("no Authentication Method")]
    AuthenticationMethodMissing,
}

impl Malformed {
    /// What a DISCONNECT or CONNACK says of it (4.13).
    pub fn reason(&self) -> ReasonCode {
        match self {
            Malformed::ReservedPacketType { .. }
            | Malformed::FixedHeaderFlags { .. }
            | Malformed::PublishQoS
            | Malformed::DupWithQoS0
            | Malformed::VariableByteIntegerTooLong
            | Malformed::VariableByteIntegerNotShortest { .. }
            | Malformed::Truncated { .. }
            | Malformed::TrailingBytes { .. }
            | Malformed::Text { .. }
            | Malformed::ConnackFlags { .. }
            | Malformed::ConnectFlagsReserved { .. }
            | Malformed::WillQoS
            | Malformed::WillFlagsWithoutWill { .. }
            | Malformed::PasswordWithoutUserName
            | Malformed::SubscriptionOptionsReserved { .. }
            | Malformed::UnknownProperty { .. }
            | Malformed::PropertyNotAllowed { .. } => ReasonCode::MalformedPacket,
            Malformed::ExpectedConnect
            | Malformed::PacketIdZero
            | Malformed::TopicMissing
            | Malformed::ResponseTopic { .. }
            | Malformed::ReasonCode { .. }
            | Malformed::SessionPresentOnRefusal { .. }
            | Malformed::NoTopicFilter
            | Malformed::SubscriptionQoS
            | Malformed::RetainHandling
            | Malformed::NoLocalOnShared
            | Malformed::DuplicateProperty { .. }
            | Malformed::PropertyValue { .. }
            | Malformed::AuthenticationDataWithoutMethod
            | Malformed::AuthenticationMethodMissing => ReasonCode::ProtocolError,
            Malformed::ProtocolName { .. } | Malformed::ProtocolLevel { .. } => {
                ReasonCode::UnsupportedProtocolVersion
            }
            Malformed::TopicName { .. } => ReasonCode::TopicNameInvalid,
            Malformed::TopicFilter { .. } => ReasonCode::TopicFilterInvalid,
            Malformed::TopicAliasZero => ReasonCode::TopicAliasInvalid,
            Malformed::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
        }
    }
}
