//! The properties of MQTT 5 (2.2.2), one struct for each set of them that packets share.

use bytes::Bytes;

use crate::{SubscriptionIdentifier, Text, TopicName};

/// Properties of CONNECT (3.1.2.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectProperties {
    /// Seconds; absent means 0, `u32::MAX` never.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 publishes the client takes at once; never 0, absent means 65,535.
    pub receive_maximum: Option<u16>,
    /// Bytes; never 0, absent means no limit beyond the protocol's.
    pub maximum_packet_size: Option<u32>,
    /// Highest alias the client accepts; absent means 0.
    pub topic_alias_maximum: Option<u16>,
    /// Absent means false.
    pub request_response_information: Option<bool>,
    /// Absent means true.
    pub request_problem_information: Option<bool>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
    /// Authentication Method.
    pub authentication_method: Option<Text>,
    /// Authentication Data.
    pub authentication_data: Option<Bytes>,
}

/// Properties of a Will (3.1.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WillProperties {
    /// Seconds; absent means 0.
    pub will_delay_interval: Option<u32>,
    /// What the will carries when it is published.
    pub publish: PublishProperties,
}

/// Properties of CONNACK (3.2.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnackProperties {
    /// Seconds, when other than what was asked for.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 publishes the server takes at once.
    pub receive_maximum: Option<u16>,
    /// Absent means 2.
    pub maximum_qos: Option<u8>,
    /// Absent means true.
    pub retain_available: Option<bool>,
    /// Bytes.
    pub maximum_packet_size: Option<u32>,
    /// The id the server made up.
    pub assigned_client_identifier: Option<Text>,
    /// Highest alias the server accepts; absent means 0.
    pub topic_alias_maximum: Option<u16>,
    /// Human readable.
    pub reason_string: Option<Text>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
    /// Absent means true.
    pub wildcard_subscription_available: Option<bool>,
    /// Absent means true.
    pub subscription_identifiers_available: Option<bool>,
    /// Absent means true.
    pub shared_subscription_available: Option<bool>,
    /// Seconds; replaces what the client asked for.
    pub server_keep_alive: Option<u16>,
    /// Response Information.
    pub response_information: Option<Text>,
    /// Server Reference.
    pub server_reference: Option<Text>,
    /// Authentication Method.
    pub authentication_method: Option<Text>,
    /// Authentication Data.
    pub authentication_data: Option<Bytes>,
}

/// Properties of PUBLISH (3.3.2.3) but for the Topic Alias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishProperties {
    /// 0: bytes, 1: UTF-8.
    pub payload_format_indicator: Option<u8>,
    /// Seconds.
    pub message_expiry_interval: Option<u32>,
    /// Response Topic.
    pub response_topic: Option<TopicName>,
    /// Correlation Data.
    pub correlation_data: Option<Bytes>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
    /// Server to client only.
    pub subscription_identifiers: Vec<SubscriptionIdentifier>,
    /// Content Type.
    pub content_type: Option<Text>,
}

impl PublishProperties {
    /// Cuts every part loose from the buffer it was read from.
    pub fn detach(&mut self) {
        self.response_topic = self.response_topic.as_ref().map(TopicName::detached);
        self.correlation_data =
            self.correlation_data.as_ref().map(|data| Bytes::copy_from_slice(data));
        self.content_type = self.content_type.as_ref().map(Text::detached);
        for (name, value) in &mut self.user_properties {
            *name = name.detached();
            *value = value.detached();
        }
    }
}

/// Properties of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckProperties {
    /// Human readable.
    pub reason_string: Option<Text>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
}

/// Properties of SUBSCRIBE (3.8.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeProperties {
    /// For every filter of the packet.
    pub subscription_identifier: Option<SubscriptionIdentifier>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
}

/// Properties of DISCONNECT (3.14.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisconnectProperties {
    /// Seconds; client to server only.
    pub session_expiry_interval: Option<u32>,
    /// Human readable.
    pub reason_string: Option<Text>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
    /// Server Reference.
    pub server_reference: Option<Text>,
}

/// Properties of AUTH (3.15.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthProperties {
    /// Authentication Method.
    pub authentication_method: Option<Text>,
    /// Authentication Data.
    pub authentication_data: Option<Bytes>,
    /// Human readable.
    pub reason_string: Option<Text>,
    /// User Properties, in their order.
    pub user_properties: Vec<(Text, Text)>,
}
