//! Reason Codes (2.4) and what MQTT 3.x has in their place.

use crate::{PacketType, ProtocolVersion};

macro_rules! reason_codes {
    ($($name:ident = $code:literal $text:literal,)*) => {
        /// A Reason Code of MQTT 5 (2.4). Granted QoS 0, 1, 2 of a SUBACK share their numbers with
        /// Success; 0x01 and 0x02 are [`ReasonCode::GrantedQoS1`] and [`ReasonCode::GrantedQoS2`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = $text] $name = $code,)*
        }

        impl ReasonCode {
            /// The code for a byte off the wire; `None` when the standard knows no such code.
            pub fn from_byte(byte: u8) -> Option<ReasonCode> {
                match byte { $($code => Some(ReasonCode::$name),)* _ => None }
            }

            /// The standard's name.
            pub fn name(self) -> &'static str {
                match self { $(ReasonCode::$name => $text,)* }
            }
        }
    };
}

reason_codes! {
    Success = 0x00 "Success",
    GrantedQoS1 = 0x01 "Granted QoS 1",
    GrantedQoS2 = 0x02 "Granted QoS 2",
    DisconnectWithWill = 0x04 "Disconnect with Will Message",
    NoMatchingSubscribers = 0x10 "No matching subscribers",
    NoSubscriptionExisted = 0x11 "No subscription existed",
    ContinueAuthentication = 0x18 "Continue authentication",
    Reauthenticate = 0x19 "Re-authenticate",
    UnspecifiedError = 0x80 "Unspecified error",
    MalformedPacket = 0x81 "Malformed Packet",
    ProtocolError = 0x82 "Protocol Error",
    ImplementationSpecificError = 0x83 "Implementation specific error",
    UnsupportedProtocolVersion = 0x84 "Unsupported Protocol Version",
    ClientIdentifierNotValid = 0x85 "Client Identifier not valid",
    BadUserNameOrPassword = 0x86 "Bad User Name or Password",
    NotAuthorized = 0x87 "Not authorized",
    ServerUnavailable = 0x88 "Server unavailable",
    ServerBusy = 0x89 "Server busy",
    Banned = 0x8A "Banned",
    ServerShuttingDown = 0x8B "Server shutting down",
    BadAuthenticationMethod = 0x8C "Bad authentication method",
    KeepAliveTimeout = 0x8D "Keep Alive timeout",
    SessionTakenOver = 0x8E "Session taken over",
    TopicFilterInvalid = 0x8F "Topic Filter invalid",
    TopicNameInvalid = 0x90 "Topic Name invalid",
    PacketIdentifierInUse = 0x91 "Packet Identifier in use",
    PacketIdentifierNotFound = 0x92 "Packet Identifier not found",
    ReceiveMaximumExceeded = 0x93 "Receive Maximum exceeded",
    TopicAliasInvalid = 0x94 "Topic Alias invalid",
    PacketTooLarge = 0x95 "Packet too large",
    MessageRateTooHigh = 0x96 "Message rate too high",
    QuotaExceeded = 0x97 "Quota exceeded",
    AdministrativeAction = 0x98 "Administrative action",
    PayloadFormatInvalid = 0x99 "Payload format invalid",
    RetainNotSupported = 0x9A "Retain not supported",
    QoSNotSupported = 0x9B "QoS not supported",
    UseAnotherServer = 0x9C "Use another server",
    ServerMoved = 0x9D "Server moved",
    SharedSubscriptionsNotSupported = 0x9E "Shared Subscriptions not supported",
    ConnectionRateExceeded = 0x9F "Connection rate exceeded",
    MaximumConnectTime = 0xA0 "Maximum connect time",
    SubscriptionIdentifiersNotSupported = 0xA1 "Subscription Identifiers not supported",
    WildcardSubscriptionsNotSupported = 0xA2 "Wildcard Subscriptions not supported",
}

impl ReasonCode {
    /// Whether it tells of a failure (0x80 and above).
    pub fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// Whether the standard lets a packet bear it ([MQTT-3.2.2-8], [MQTT-3.4.2-1] and their likes).
    /// DISCONNECT: in either direction.
    pub fn is_valid_in(self, packet: PacketType) -> bool {
        match packet {
            PacketType::Connack => matches!(
                self as u8,
                0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F
            ),
            PacketType::Puback | PacketType::Pubrec => {
                matches!(self as u8, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
            }
            PacketType::Pubrel | PacketType::Pubcomp => matches!(self as u8, 0x00 | 0x92),
            PacketType::Suback => matches!(
                self as u8,
                0x00..=0x02 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2
            ),
            PacketType::Unsuback => {
                matches!(self as u8, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91)
            }
            PacketType::Disconnect => matches!(
                self as u8,
                0x00 | 0x04
                    | 0x80..=0x83
                    | 0x87
                    | 0x89
                    | 0x8B
                    | 0x8D..=0x90
                    | 0x93..=0xA2
            ),
            PacketType::Auth => matches!(self as u8, 0x00 | 0x18 | 0x19),
            PacketType::Connect
            | PacketType::Publish
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Pingreq
            | PacketType::Pingresp => false,
        }
    }

    /// The Connect Return code of MQTT 3.x (3.2.2.3) that says it best.
    pub fn connect_return_code(self) -> u8 {
        match self {
            ReasonCode::Success => 0,
            ReasonCode::UnsupportedProtocolVersion => 1,
            ReasonCode::ClientIdentifierNotValid => 2,
            ReasonCode::BadUserNameOrPassword => 4,
            ReasonCode::NotAuthorized | ReasonCode::Banned => 5,
            _ => 3,
        }
    }

    /// The byte of a SUBACK: 3.1 and 3.1.1 know one failure, 0x80.
    pub fn suback_byte(self, version: ProtocolVersion) -> u8 {
        match version {
            ProtocolVersion::V5 => self as u8,
            _ if self.is_error() => 0x80,
            _ => self as u8,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (0x{:02x})", self.name(), *self as u8)
    }
}
