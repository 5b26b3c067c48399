//! What follows the Fixed Header in each packet but PUBLISH.
//!
//! Invariant: what a version cannot carry is left out, never written in another's form.

use bytes::Bytes;

use super::Detail;
use super::properties::Properties;
use super::sink::Sink;
use crate::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketType, ProtocolVersion, QoS, ReasonCode,
    Suback, Subscribe, SubscriptionOptions, Unsubscribe, Will,
};

/// Of a PUBLISH nothing: it is a [`super::PublishFrame`].
pub(super) fn write<S: Sink>(
    packet: &Packet,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    match packet {
        Packet::Connect(connect) => write_connect(connect, detail, out),
        Packet::Connack(connack) => write_connack(connack, version, detail, out),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            write_ack(ack, version, detail, out);
        }
        Packet::Subscribe(subscribe) => write_subscribe(subscribe, version, detail, out),
        Packet::Suback(suback) => write_suback(suback, version, detail, out),
        Packet::Unsubscribe(unsubscribe) => write_unsubscribe(unsubscribe, version, detail, out),
        Packet::Unsuback(unsuback) => write_unsuback(unsuback, version, detail, out),
        Packet::Disconnect(disconnect) => write_disconnect(disconnect, version, detail, out),
        Packet::Auth(auth) => write_auth(auth, detail, out),
        Packet::Publish(_) | Packet::Pingreq | Packet::Pingresp => {}
    }
}

pub(super) fn packet_type(packet: &Packet) -> PacketType {
    match packet {
        Packet::Connect(_) => PacketType::Connect,
        Packet::Connack(_) => PacketType::Connack,
        Packet::Publish(_) => PacketType::Publish,
        Packet::Puback(_) => PacketType::Puback,
        Packet::Pubrec(_) => PacketType::Pubrec,
        Packet::Pubrel(_) => PacketType::Pubrel,
        Packet::Pubcomp(_) => PacketType::Pubcomp,
        Packet::Subscribe(_) => PacketType::Subscribe,
        Packet::Suback(_) => PacketType::Suback,
        Packet::Unsubscribe(_) => PacketType::Unsubscribe,
        Packet::Unsuback(_) => PacketType::Unsuback,
        Packet::Pingreq => PacketType::Pingreq,
        Packet::Pingresp => PacketType::Pingresp,
        Packet::Disconnect(_) => PacketType::Disconnect,
        Packet::Auth(_) => PacketType::Auth,
    }
}

fn write_connect<S: Sink>(connect: &Connect, detail: Detail, out: &mut S) {
    let version = connect.version;
    let (name, bridge): (&[u8], _) = match version {
        ProtocolVersion::V31 => (b"MQIsdp", connect.bridge),
        ProtocolVersion::V311 => (b"MQTT", connect.bridge),
        // MQTT 5 has options for what bridges need.
        ProtocolVersion::V5 => (b"MQTT", false),
    };
    out.binary(name);
    out.u8(version as u8 | u8::from(bridge) << 7);
    let password = password(connect);
    let mut flags = u8::from(connect.clean_start) << 1;
    flags |= u8::from(connect.username.is_some()) << 7 | u8::from(password.is_some()) << 6;
    if let Some(will) = &connect.will {
        flags |= 1 << 2 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
    }
    out.u8(flags);
    out.u16(connect.keep_alive);
    if version == ProtocolVersion::V5 {
        connect.properties.write_block(detail, out);
    }
    // [MQTT-3.1.3-1]: client id, will, user name and password, in this order.
    out.text(&connect.client_id);
    if let Some(will) = &connect.will {
        write_will(will, version, detail, out);
    }
    if let Some(username) = &connect.username {
        out.text(username);
    }
    if let Some(password) = password {
        out.binary(password);
    }
}

/// 3.1.1 [MQTT-3.1.2-22]: not without a user name.
fn password(connect: &Connect) -> Option<&Bytes> {
    let is_allowed = connect.version == ProtocolVersion::V5 || connect.username.is_some();
    connect.password.as_ref().filter(|_| is_allowed)
}

fn write_will<S: Sink>(will: &Will, version: ProtocolVersion, detail: Detail, out: &mut S) {
    if version == ProtocolVersion::V5 {
        will.properties.write_block(detail, out);
    }
    out.text(will.topic.text());
    out.binary(&will.payload);
}

fn write_connack<S: Sink>(
    connack: &Connack,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    // [MQTT-3.2.2-6]; the byte is reserved in 3.1.
    let session_present = connack.session_present
        && connack.reason == ReasonCode::Success
        && version != ProtocolVersion::V31;
    out.u8(u8::from(session_present));
    match version {
        ProtocolVersion::V5 => {
            out.u8(connack.reason as u8);
            connack.properties.write_block(detail, out);
        }
        ProtocolVersion::V31 | ProtocolVersion::V311 => {
            out.u8(connack.reason.connect_return_code());
        }
    }
}

fn write_ack<S: Sink>(ack: &Ack, version: ProtocolVersion, detail: Detail, out: &mut S) {
    out.u16(ack.packet_id.get());
    if version == ProtocolVersion::V5 {
        write_shortest(ack.reason, &ack.properties, detail, out);
    }
}

/// 3.4.2.1: what is Success without properties is left out, so are no properties.
fn write_shortest<S: Sink>(
    reason: ReasonCode,
    properties: &impl Properties,
    detail: Detail,
    out: &mut S,
) {
    let is_plain = properties.count(detail) == 0;
    if is_plain && reason == ReasonCode::Success {
        return;
    }
    out.u8(reason as u8);
    if !is_plain {
        properties.write_block(detail, out);
    }
}

fn write_subscribe<S: Sink>(
    subscribe: &Subscribe,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    out.u16(subscribe.packet_id.get());
    if version == ProtocolVersion::V5 {
        subscribe.properties.write_block(detail, out);
    }
    for (filter, options) in &subscribe.subscriptions {
        out.text(filter.text());
        out.u8(options_byte(*options, version));
    }
}

fn options_byte(options: SubscriptionOptions, version: ProtocolVersion) -> u8 {
    match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => options.qos as u8,
        ProtocolVersion::V5 => {
            options.qos as u8
                | u8::from(options.no_local) << 2
                | u8::from(options.retain_as_published) << 3
                | (options.retain_handling as u8) << 4
        }
    }
}

fn write_suback<S: Sink>(suback: &Suback, version: ProtocolVersion, detail: Detail, out: &mut S) {
    out.u16(suback.packet_id.get());
    if version == ProtocolVersion::V5 {
        suback.properties.write_block(detail, out);
    }
    for reason in &suback.reasons {
        out.u8(reason.suback_byte(version));
    }
}

fn write_unsubscribe<S: Sink>(
    unsubscribe: &Unsubscribe,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    out.u16(unsubscribe.packet_id.get());
    if version == ProtocolVersion::V5 {
        unsubscribe.user_properties.write_block(detail, out);
    }
    for filter in &unsubscribe.filters {
        out.text(filter.text());
    }
}

fn write_unsuback<S: Sink>(
    unsuback: &Suback,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    out.u16(unsuback.packet_id.get());
    // 3.1.1, 3.11.3: no payload.
    if version == ProtocolVersion::V5 {
        unsuback.properties.write_block(detail, out);
        for reason in &unsuback.reasons {
            out.u8(*reason as u8);
        }
    }
}

fn write_disconnect<S: Sink>(
    disconnect: &Disconnect,
    version: ProtocolVersion,
    detail: Detail,
    out: &mut S,
) {
    if version == ProtocolVersion::V5 {
        write_shortest(disconnect.reason, &disconnect.properties, detail, out);
    }
}

fn write_auth<S: Sink>(auth: &Auth, detail: Detail, out: &mut S) {
    // 3.15.2.1: both or neither.
    if auth.reason != ReasonCode::Success || auth.properties.count(detail) > 0 {
        out.u8(auth.reason as u8);
        auth.properties.write_block(detail, out);
    }
}

/// DUP, QoS and RETAIN of a PUBLISH (3.3.1).
pub(super) fn publish_flags(dup: bool, qos: QoS, retain: bool) -> u8 {
    // [MQTT-3.3.1-2]
    let dup = dup && qos != QoS::AtMostOnce;
    u8::from(dup) << 3 | (qos as u8) << 1 | u8::from(retain)
}
