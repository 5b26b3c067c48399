//! Arbitrary packets, each valid in the version it is made for.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use midge_codec::ProtocolVersion::{V5, V31};
use midge_codec::{
    Ack, AckProperties, Auth, AuthProperties, Connack, ConnackProperties, Connect,
    ConnectProperties, Disconnect, DisconnectProperties, Packet, PacketId, PacketType,
    ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode, RetainHandling, Suback,
    Subscribe, SubscribeProperties, SubscriptionOptions, Text, TopicFilter, TopicName, Unsubscribe,
    Will, WillProperties,
};
use prop::collection::vec;
use prop::option::of;
use proptest::prelude::*;

pub(crate) fn text(text: &str) -> Text {
    Text::try_from(text).expect("a valid string")
}

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(vec![V31, ProtocolVersion::V311, V5])
}

pub(crate) fn versioned_packet() -> impl Strategy<Value = (ProtocolVersion, Packet)> {
    version().prop_flat_map(|version| packet(version).prop_map(move |packet| (version, packet)))
}

pub(crate) fn packet(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let ack = move |packet| ack(version, packet);
    let both = prop_oneof![
        connect(version).prop_map(|connect| Packet::Connect(Box::new(connect))),
        connack(version).prop_map(|connack| Packet::Connack(Box::new(connack))),
        publish(version).prop_map(Packet::Publish),
        ack(PacketType::Puback).prop_map(Packet::Puback),
        ack(PacketType::Pubrec).prop_map(Packet::Pubrec),
        ack(PacketType::Pubrel).prop_map(Packet::Pubrel),
        ack(PacketType::Pubcomp).prop_map(Packet::Pubcomp),
        subscribe(version).prop_map(Packet::Subscribe),
        suback(version).prop_map(Packet::Suback),
        unsubscribe(version).prop_map(Packet::Unsubscribe),
        unsuback(version).prop_map(Packet::Unsuback),
        Just(Packet::Pingreq),
        Just(Packet::Pingresp),
        disconnect(version).prop_map(Packet::Disconnect),
    ];
    match version {
        V5 => prop_oneof![14 => both, 1 => auth().prop_map(Packet::Auth)].boxed(),
        _ => both.boxed(),
    }
}

fn string() -> impl Strategy<Value = Text> {
    "[a-zäß€😀 /+#]{0,12}".prop_map(|string| text(&string))
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn topic_name() -> impl Strategy<Value = TopicName> {
    "[$/a-cü ]{1,12}".prop_map(|name| TopicName::try_from(name.as_str()).expect("no wildcards"))
}

fn topic_filter() -> impl Strategy<Value = TopicFilter> {
    let levels = vec(prop_oneof!["[a-cü ]{0,4}", Just("+".to_owned())], 1..5);
    ("(\\$share/g[a-z]{0,3}/)?", levels, "(/#)?").prop_filter_map(
        "empty",
        |(share, levels, last)| {
            TopicFilter::try_from(format!("{share}{}{last}", levels.join("/")).as_str()).ok()
        },
    )
}

fn qos() -> impl Strategy<Value = QoS> {
    prop::sample::select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| NonZeroU16::new(id).expect("not 0"))
}

fn subscription_identifier() -> impl Strategy<Value = NonZeroU32> {
    (1..=268_435_455_u32).prop_map(|id| NonZeroU32::new(id).expect("not 0"))
}

fn user_properties() -> impl Strategy<Value = Vec<(Text, Text)>> {
    vec((string(), string()), 0..4)
}

fn reason(packet: PacketType) -> impl Strategy<Value = ReasonCode> {
    let valid = (0..=u8::MAX).filter_map(ReasonCode::from_byte);
    prop::sample::select(valid.filter(|code| code.is_valid_in(packet)).collect::<Vec<_>>())
}

/// The value in MQTT 5, the empty one before.
fn if_v5<T: Default + std::fmt::Debug + Clone + 'static>(
    version: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    match version {
        V5 => strategy.boxed(),
        _ => Just(T::default()).boxed(),
    }
}

/// Properties that are none are `None` once decoded.
fn boxed<T: Default + PartialEq>(properties: T) -> Option<Box<T>> {
    (properties != T::default()).then(|| Box::new(properties))
}

fn connect(version: ProtocolVersion) -> impl Strategy<Value = Connect> {
    let bridge = if version == V5 { Just(false).boxed() } else { any::<bool>().boxed() };
    let head = (bridge, any::<bool>(), any::<u16>(), if_v5(version, connect_properties()));
    let credentials = (of(string()), of(binary()));
    (head, string(), of(will(version)), credentials).prop_map(
        move |(
            (bridge, clean_start, keep_alive, properties),
            client_id,
            will,
            (user, password),
        )| {
            // 3.1.1 [MQTT-3.1.2-22]
            let password = password.filter(|_| version == V5 || user.is_some());
            Connect {
                version,
                bridge,
                clean_start,
                keep_alive,
                properties,
                client_id,
                will,
                username: user,
                password,
            }
        },
    )
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    let numbers = (of(any::<u32>()), of(1..=u16::MAX), of(1..=u32::MAX), of(any::<u16>()));
    let authentication = of((string(), of(binary())));
    (numbers, of(any::<bool>()), of(any::<bool>()), user_properties(), authentication).prop_map(
        |((expiry, receive, size, aliases), response, problem, user_properties, authentication)| {
            let (method, data) = authentication.map_or((None, None), |(m, d)| (Some(m), d));
            ConnectProperties {
                session_expiry_interval: expiry,
                receive_maximum: receive,
                maximum_packet_size: size,
                topic_alias_maximum: aliases,
                request_response_information: response,
                request_problem_information: problem,
                user_properties,
                authentication_method: method,
                authentication_data: data,
            }
        },
    )
}

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    let properties = (of(any::<u32>()), publish_properties()).prop_map(|(delay, mut publish)| {
        publish.subscription_identifiers.clear();
        WillProperties { will_delay_interval: delay, publish }
    });
    (qos(), any::<bool>(), topic_name(), binary(), if_v5(version, properties)).prop_map(
        |(qos, retain, topic, payload, properties)| Will {
            qos,
            retain,
            topic,
            payload,
            properties,
        },
    )
}

fn publish_properties() -> impl Strategy<Value = PublishProperties> {
    let message = (of(0..=1_u8), of(any::<u32>()), of(topic_name()), of(binary()));
    let identifiers = vec(subscription_identifier(), 0..4);
    (message, user_properties(), identifiers, of(string())).prop_map(
        |((format, expiry, response, correlation), user_properties, identifiers, content)| {
            PublishProperties {
                payload_format_indicator: format,
                message_expiry_interval: expiry,
                response_topic: response,
                correlation_data: correlation,
                user_properties,
                subscription_identifiers: identifiers,
                content_type: content,
            }
        },
    )
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = Connack> {
    let reason = match version {
        V5 => reason(PacketType::Connack).boxed(),
        _ => prop::sample::select(vec![
            ReasonCode::Success,
            ReasonCode::UnsupportedProtocolVersion,
            ReasonCode::ClientIdentifierNotValid,
            ReasonCode::ServerUnavailable,
            ReasonCode::BadUserNameOrPassword,
            ReasonCode::NotAuthorized,
        ])
        .boxed(),
    };
    (any::<bool>(), reason, if_v5(version, connack_properties())).prop_map(
        move |(session_present, reason, properties)| Connack {
            session_present: session_present && reason == ReasonCode::Success && version != V31,
            reason,
            properties,
        },
    )
}

fn connack_properties() -> impl Strategy<Value = ConnackProperties> {
    let numbers = (of(any::<u32>()), of(1..=u16::MAX), of(1..=u32::MAX), of(any::<u16>()));
    let features = prop::array::uniform5(of(any::<bool>()));
    let texts = prop::array::uniform5(of(string()));
    (numbers, features, texts, of(any::<u16>()), user_properties(), of(binary())).prop_map(
        |((expiry, receive, size, aliases), features, texts, keep_alive, user_properties, data)| {
            let [qos_1, retain, wildcards, identifiers, shared] = features;
            let [id, reason, response, server, method] = texts;
            ConnackProperties {
                session_expiry_interval: expiry,
                receive_maximum: receive,
                maximum_qos: qos_1.map(u8::from),
                retain_available: retain,
                maximum_packet_size: size,
                assigned_client_identifier: id,
                topic_alias_maximum: aliases,
                reason_string: reason,
                user_properties,
                wildcard_subscription_available: wildcards,
                subscription_identifiers_available: identifiers,
                shared_subscription_available: shared,
                server_keep_alive: keep_alive,
                response_information: response,
                server_reference: server,
                authentication_method: method,
                authentication_data: data,
            }
        },
    )
}

pub(crate) fn publish(version: ProtocolVersion) -> impl Strategy<Value = Publish> {
    let flags = (any::<bool>(), qos(), any::<bool>());
    let alias = if_v5(version, of(packet_id()));
    let properties = if_v5(version, publish_properties().prop_map(boxed));
    let payload = prop_oneof![binary(), vec(any::<u8>(), 0..300).prop_map(Bytes::from)];
    (flags, topic_name(), any::<bool>(), packet_id(), alias, properties, payload).prop_map(
        |((dup, qos, retain), topic, has_topic, packet_id, topic_alias, properties, payload)| {
            Publish {
                dup: dup && qos != QoS::AtMostOnce,
                qos,
                retain,
                topic: Some(topic).filter(|_| has_topic || topic_alias.is_none()),
                packet_id: Some(packet_id).filter(|_| qos != QoS::AtMostOnce),
                topic_alias,
                properties,
                payload,
            }
        },
    )
}

fn ack(version: ProtocolVersion, packet: PacketType) -> impl Strategy<Value = Ack> {
    let reason = match version {
        V5 => reason(packet).boxed(),
        _ => Just(ReasonCode::Success).boxed(),
    };
    (packet_id(), reason, if_v5(version, ack_properties()))
        .prop_map(|(packet_id, reason, properties)| Ack { packet_id, reason, properties })
}

fn ack_properties() -> impl Strategy<Value = Option<Box<AckProperties>>> {
    (of(string()), user_properties()).prop_map(|(reason_string, user_properties)| {
        boxed(AckProperties { reason_string, user_properties })
    })
}

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
    let properties = (of(subscription_identifier()), user_properties()).prop_map(
        |(subscription_identifier, user_properties)| SubscribeProperties {
            subscription_identifier,
            user_properties,
        },
    );
    let subscription = (topic_filter(), qos(), if_v5(version, options())).prop_map(
        |(filter, qos, (no_local, retain_as_published, retain_handling))| {
            let no_local = no_local && filter.share_name().is_none();
            let retain_handling =
                [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]
                    [usize::from(retain_handling)];
            (filter, SubscriptionOptions { qos, no_local, retain_as_published, retain_handling })
        },
    );
    (packet_id(), if_v5(version, properties), vec(subscription, 1..5)).prop_map(
        |(packet_id, properties, subscriptions)| Subscribe { packet_id, properties, subscriptions },
    )
}

fn options() -> impl Strategy<Value = (bool, bool, u8)> {
    (any::<bool>(), any::<bool>(), 0..3_u8)
}

fn suback(version: ProtocolVersion) -> impl Strategy<Value = Suback> {
    let reason = match version {
        V5 => reason(PacketType::Suback).boxed(),
        _ => prop::sample::select(vec![
            ReasonCode::Success,
            ReasonCode::GrantedQoS1,
            ReasonCode::GrantedQoS2,
            ReasonCode::UnspecifiedError,
        ])
        .boxed(),
    };
    (packet_id(), if_v5(version, ack_properties()), vec(reason, 1..5))
        .prop_map(|(packet_id, properties, reasons)| Suback { packet_id, properties, reasons })
}

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), if_v5(version, user_properties()), vec(topic_filter(), 1..5)).prop_map(
        |(packet_id, user_properties, filters)| Unsubscribe { packet_id, user_properties, filters },
    )
}

fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = Suback> {
    let reasons = if_v5(version, vec(reason(PacketType::Unsuback), 1..5));
    (packet_id(), if_v5(version, ack_properties()), reasons)
        .prop_map(|(packet_id, properties, reasons)| Suback { packet_id, properties, reasons })
}

fn disconnect(version: ProtocolVersion) -> impl Strategy<Value = Disconnect> {
    let properties = (of(any::<u32>()), of(string()), user_properties(), of(string())).prop_map(
        |(session_expiry_interval, reason_string, user_properties, server_reference)| {
            boxed(DisconnectProperties {
                session_expiry_interval,
                reason_string,
                user_properties,
                server_reference,
            })
        },
    );
    let reason = match version {
        V5 => reason(PacketType::Disconnect).boxed(),
        _ => Just(ReasonCode::Success).boxed(),
    };
    (reason, if_v5(version, properties))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
}

fn auth() -> impl Strategy<Value = Auth> {
    let properties = (string(), of(binary()), of(string()), user_properties()).prop_map(
        |(method, authentication_data, reason_string, user_properties)| AuthProperties {
            authentication_method: Some(method),
            authentication_data,
            reason_string,
            user_properties,
        },
    );
    (reason(PacketType::Auth), properties)
        .prop_map(|(reason, properties)| Auth { reason, properties })
}
