//! The properties of each packet (2.2.2), written from its own struct.
//!
//! Invariant: absent properties take no bytes, and a set is always preceded by its length.

use super::Detail;
use super::sink::{Count, Sink};
use crate::{
    AckProperties, AuthProperties, ConnackProperties, ConnectProperties, DisconnectProperties,
    Property, PublishProperties, SubscribeProperties, Text, WillProperties,
};

/// The properties of one packet.
pub(super) trait Properties {
    /// Writes them without their length.
    fn write<S: Sink>(&self, detail: Detail, out: &mut S);

    /// Writes their length (2.2.2.1) and them; [MQTT-2.2.2-1]: a 0 when there are none.
    fn write_block<S: Sink>(&self, detail: Detail, out: &mut S) {
        out.variable_byte_integer(self.count(detail));
        self.write(detail, out);
    }

    fn count(&self, detail: Detail) -> usize {
        let mut count = Count::default();
        self.write(detail, &mut count);
        count.bytes
    }
}

impl Properties for ConnectProperties {
    fn write<S: Sink>(&self, _detail: Detail, out: &mut S) {
        out.u32_property(Property::SessionExpiryInterval, self.session_expiry_interval);
        out.u16_property(Property::ReceiveMaximum, self.receive_maximum);
        out.u32_property(Property::MaximumPacketSize, self.maximum_packet_size);
        out.u16_property(Property::TopicAliasMaximum, self.topic_alias_maximum);
        out.bool_property(Property::RequestResponseInformation, self.request_response_information);
        out.bool_property(Property::RequestProblemInformation, self.request_problem_information);
        out.user_properties(&self.user_properties);
        out.text_property(Property::AuthenticationMethod, self.authentication_method.as_ref());
        out.binary_property(Property::AuthenticationData, self.authentication_data.as_deref());
    }
}

impl Properties for WillProperties {
    fn write<S: Sink>(&self, _detail: Detail, out: &mut S) {
        out.u32_property(Property::WillDelayInterval, self.will_delay_interval);
        out.u32_property(Property::MessageExpiryInterval, self.publish.message_expiry_interval);
        write_message(&self.publish, out);
    }
}

/// What PUBLISH and a will have in common, but for the expiry, which counts down.
pub(super) fn write_message<S: Sink>(properties: &PublishProperties, out: &mut S) {
    out.u8_property(Property::PayloadFormatIndicator, properties.payload_format_indicator);
    out.topic_property(Property::ResponseTopic, properties.response_topic.as_ref());
    out.binary_property(Property::CorrelationData, properties.correlation_data.as_deref());
    out.user_properties(&properties.user_properties);
    out.text_property(Property::ContentType, properties.content_type.as_ref());
}

impl Properties for ConnackProperties {
    fn write<S: Sink>(&self, detail: Detail, out: &mut S) {
        out.u32_property(Property::SessionExpiryInterval, self.session_expiry_interval);
        out.u16_property(Property::ReceiveMaximum, self.receive_maximum);
        out.u8_property(Property::MaximumQoS, self.maximum_qos);
        out.bool_property(Property::RetainAvailable, self.retain_available);
        out.u32_property(Property::MaximumPacketSize, self.maximum_packet_size);
        let assigned_client_identifier = self.assigned_client_identifier.as_ref();
        out.text_property(Property::AssignedClientIdentifier, assigned_client_identifier);
        out.u16_property(Property::TopicAliasMaximum, self.topic_alias_maximum);
        write_explanation(self.reason_string.as_ref(), &self.user_properties, detail, out);
        let wildcards = self.wildcard_subscription_available;
        out.bool_property(Property::WildcardSubscriptionAvailable, wildcards);
        let identifiers = self.subscription_identifiers_available;
        out.bool_property(Property::SubscriptionIdentifiersAvailable, identifiers);
        let shared = self.shared_subscription_available;
        out.bool_property(Property::SharedSubscriptionAvailable, shared);
        out.u16_property(Property::ServerKeepAlive, self.server_keep_alive);
        out.text_property(Property::ResponseInformation, self.response_information.as_ref());
        out.text_property(Property::ServerReference, self.server_reference.as_ref());
        out.text_property(Property::AuthenticationMethod, self.authentication_method.as_ref());
        out.binary_property(Property::AuthenticationData, self.authentication_data.as_deref());
    }
}

impl Properties for AckProperties {
    fn write<S: Sink>(&self, detail: Detail, out: &mut S) {
        write_explanation(self.reason_string.as_ref(), &self.user_properties, detail, out);
    }
}

impl<P: Properties + ?Sized> Properties for Option<Box<P>> {
    fn write<S: Sink>(&self, detail: Detail, out: &mut S) {
        if let Some(properties) = self {
            properties.write(detail, out);
        }
    }
}

impl Properties for SubscribeProperties {
    fn write<S: Sink>(&self, _detail: Detail, out: &mut S) {
        if let Some(identifier) = self.subscription_identifier {
            out.property(Property::SubscriptionIdentifier);
            out.variable_byte_integer(identifier.get() as usize);
        }
        out.user_properties(&self.user_properties);
    }
}

/// Those of UNSUBSCRIBE.
impl Properties for Vec<(Text, Text)> {
    fn write<S: Sink>(&self, _detail: Detail, out: &mut S) {
        out.user_properties(self);
    }
}

impl Properties for DisconnectProperties {
    fn write<S: Sink>(&self, detail: Detail, out: &mut S) {
        out.u32_property(Property::SessionExpiryInterval, self.session_expiry_interval);
        write_explanation(self.reason_string.as_ref(), &self.user_properties, detail, out);
        out.text_property(Property::ServerReference, self.server_reference.as_ref());
    }
}

impl Properties for AuthProperties {
    fn write<S: Sink>(&self, detail: Detail, out: &mut S) {
        out.text_property(Property::AuthenticationMethod, self.authentication_method.as_ref());
        out.binary_property(Property::AuthenticationData, self.authentication_data.as_deref());
        write_explanation(self.reason_string.as_ref(), &self.user_properties, detail, out);
    }
}

/// What may be left out for want of room.
fn write_explanation<S: Sink>(
    reason_string: Option<&Text>,
    user_properties: &[(Text, Text)],
    detail: Detail,
    out: &mut S,
) {
    if detail >= Detail::ReasonString {
        out.text_property(Property::ReasonString, reason_string);
    }
    if detail >= Detail::Full {
        out.user_properties(user_properties);
    }
}
