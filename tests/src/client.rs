//! An MQTT client that does exactly what a test says, and nothing by itself.
//!
//! Packets that come while another is waited for stay in their order for later.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use midge_codec::{
    Ack, Connack, Disconnect, DisconnectProperties, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, Subscribe, SubscribeProperties, SubscriptionOptions, TopicFilter, Unsubscribe,
};

use crate::{Outgoing, QOS0, QOS2, Raw, filter, options};

/// A connected client.
pub struct Client {
    connection: Raw,
    version: ProtocolVersion,
    connack: Connack,
    waiting: VecDeque<Packet>,
    next_id: u16,
}

impl Client {
    pub(crate) fn new(connection: Raw, version: ProtocolVersion, connack: Connack) -> Client {
        Client { connection, version, connack, waiting: VecDeque::new(), next_id: 1 }
    }

    /// The CONNACK it was accepted with.
    pub fn connack(&self) -> &Connack {
        &self.connack
    }

    /// Session Present of the CONNACK.
    pub fn session_present(&self) -> bool {
        self.connack.session_present
    }

    /// The connection beneath.
    pub fn raw(&mut self) -> &mut Raw {
        &mut self.connection
    }

    /// Waits this long for what is to come, instead of [`crate::DEADLINE`].
    pub fn patience(&mut self, deadline: std::time::Duration) {
        self.connection.socket().set_read_timeout(Some(deadline)).expect("read timeout");
    }

    /// A packet id it has not used yet, or not for long.
    pub fn fresh_id(&mut self) -> PacketId {
        let id = NonZeroU16::new(self.next_id).expect("ids start at 1");
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        id
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: impl Into<Packet>) -> &mut Client {
        self.connection.send(&packet.into(), self.version);
        self
    }

    /// Sends bytes.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> &mut Client {
        self.connection.send_bytes(bytes);
        self
    }

    /// Sends a PUBLISH without waiting for its acknowledgement; returns its packet id.
    pub fn send_publish(&mut self, mut publish: Publish) -> Option<PacketId> {
        if publish.qos != QOS0 && publish.packet_id.is_none() {
            publish.packet_id = Some(self.fresh_id());
        }
        let id = publish.packet_id;
        self.send(Packet::Publish(publish));
        id
    }

    /// Sends a PUBLISH and completes its exchange; returns the reason it ended with.
    #[track_caller]
    pub fn publish(&mut self, publish: Publish) -> ReasonCode {
        let qos = publish.qos;
        let Some(id) = self.send_publish(publish) else { return ReasonCode::Success };
        if qos != QOS2 {
            return self.puback(id);
        }
        let reason = self.pubrec(id);
        if reason.is_error() {
            return reason;
        }
        self.send(pubrel(id));
        self.pubcomp(id)
    }

    /// Waits for the PUBACK with this id.
    #[track_caller]
    pub fn puback(&mut self, id: PacketId) -> ReasonCode {
        self.pick("PUBACK", |packet| match packet {
            Packet::Puback(ack) if ack.packet_id == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Waits for the PUBREC with this id.
    #[track_caller]
    pub fn pubrec(&mut self, id: PacketId) -> ReasonCode {
        self.pick("PUBREC", |packet| match packet {
            Packet::Pubrec(ack) if ack.packet_id == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Waits for the PUBREL with this id.
    #[track_caller]
    pub fn pubrel(&mut self, id: PacketId) -> ReasonCode {
        self.pick("PUBREL", |packet| match packet {
            Packet::Pubrel(ack) if ack.packet_id == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Waits for the PUBCOMP with this id.
    #[track_caller]
    pub fn pubcomp(&mut self, id: PacketId) -> ReasonCode {
        self.pick("PUBCOMP", |packet| match packet {
            Packet::Pubcomp(ack) if ack.packet_id == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Subscribes to one filter; returns what the SUBACK says of it.
    #[track_caller]
    pub fn subscribe(&mut self, topic_filter: &str, qos: QoS) -> ReasonCode {
        self.subscribe_with(topic_filter, options(qos), None)
    }

    /// Subscribes to one filter with options and perhaps a Subscription Identifier.
    #[track_caller]
    pub fn subscribe_with(
        &mut self,
        topic_filter: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> ReasonCode {
        let properties = SubscribeProperties {
            subscription_identifier: identifier.and_then(std::num::NonZeroU32::new),
            ..SubscribeProperties::default()
        };
        let reasons = self.subscribe_all(vec![(filter(topic_filter), options)], properties);
        assert_eq!(reasons.len(), 1, "a reason for each filter");
        reasons[0]
    }

    /// Sends one SUBSCRIBE; returns what the SUBACK with the same id says of each filter.
    #[track_caller]
    pub fn subscribe_all(
        &mut self,
        subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
        properties: SubscribeProperties,
    ) -> Vec<ReasonCode> {
        let packet_id = self.fresh_id();
        self.send(Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
        self.pick("SUBACK", |packet| match packet {
            Packet::Suback(suback) if suback.packet_id == packet_id => Some(suback.reasons.clone()),
            _ => None,
        })
    }

    /// Unsubscribes; returns what the UNSUBACK with the same id says, which is nothing in 3.x.
    #[track_caller]
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Vec<ReasonCode> {
        let packet_id = self.fresh_id();
        let filters = filters.iter().copied().map(filter).collect();
        let user_properties = Vec::new();
        self.send(Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters }));
        self.pick("UNSUBACK", |packet| match packet {
            Packet::Unsuback(unsuback) if unsuback.packet_id == packet_id => {
                Some(unsuback.reasons.clone())
            }
            _ => None,
        })
    }

    /// Waits for the next PUBLISH and leaves it unacknowledged.
    #[track_caller]
    pub fn message(&mut self) -> Publish {
        self.pick("PUBLISH", |packet| match packet {
            Packet::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
    }

    /// Waits for the next PUBLISH and completes its exchange.
    #[track_caller]
    pub fn accept(&mut self) -> Publish {
        let publish = self.message();
        self.acknowledge(&publish);
        publish
    }

    /// Completes the exchange of a PUBLISH that came.
    #[track_caller]
    pub fn acknowledge(&mut self, publish: &Publish) {
        let Some(id) = publish.packet_id else { return };
        if publish.qos != QOS2 {
            self.send(puback(id));
            return;
        }
        self.send(pubrec(id));
        self.pubrel(id);
        self.send(pubcomp(id));
    }

    /// Accepts the next PUBLISH, which must be this one.
    #[track_caller]
    pub fn expect(&mut self, topic_name: &str, payload: &str) -> Publish {
        let publish = self.accept();
        assert_eq!((publish.name(), publish.said().as_str()), (topic_name, payload));
        publish
    }

    /// Sends a PINGREQ and waits for the PINGRESP.
    #[track_caller]
    pub fn ping(&mut self) {
        self.send(Packet::Pingreq);
        self.pick("PINGRESP", |packet| matches!(packet, Packet::Pingresp).then_some(()));
    }

    /// What came and was not asked for yet, after an exchange of pings.
    #[track_caller]
    pub fn unread(&mut self) -> Vec<Packet> {
        self.ping();
        self.waiting.drain(..).collect()
    }

    /// Sends a DISCONNECT and waits until the broker has seen it.
    #[track_caller]
    pub fn disconnect(self) {
        self.disconnect_with(ReasonCode::Success, None);
    }

    /// Sends a DISCONNECT that says more and waits until the broker has seen it.
    #[track_caller]
    pub fn disconnect_with(mut self, reason: ReasonCode, session_expiry_interval: Option<u32>) {
        let properties = session_expiry_interval.map(|seconds| {
            let session_expiry_interval = Some(seconds);
            Box::new(DisconnectProperties { session_expiry_interval, ..Default::default() })
        });
        self.send(Packet::Disconnect(Disconnect { reason, properties }));
        self.vanish();
    }

    /// Closes the connection without a DISCONNECT and waits until the broker has seen it.
    #[track_caller]
    pub fn vanish(mut self) {
        self.connection.end();
        self.connection.closed();
    }

    /// Waits until the broker closes the connection; returns what it sent before.
    #[track_caller]
    pub fn closed(&mut self) -> Vec<Packet> {
        while let Some(packet) = self.connection.packet(self.version) {
            // [MQTT-3.14.4-1]: a DISCONNECT is the last word.
            let last = self.waiting.back();
            assert!(!matches!(last, Some(Packet::Disconnect(_))), "{packet:?} after a DISCONNECT");
            if let Packet::Disconnect(Disconnect { properties: Some(properties), .. }) = &packet {
                // [MQTT-3.14.2-2]
                assert_eq!(properties.session_expiry_interval, None, "in a DISCONNECT of a server");
            }
            self.waiting.push_back(packet);
        }
        self.waiting.drain(..).collect()
    }

    /// Waits until the broker closes the connection: with a DISCONNECT that gives this reason in
    /// MQTT 5, without a word in 3.x.
    #[track_caller]
    pub fn dropped(&mut self, reason: ReasonCode) {
        self.dropped_for(&[reason]);
    }

    /// As [`Client::dropped`], for one of several reasons the standard allows.
    #[track_caller]
    pub fn dropped_for(&mut self, reasons: &[ReasonCode]) {
        let packets = self.closed();
        let told = packets.iter().find_map(|packet| match packet {
            Packet::Disconnect(disconnect) => Some(disconnect.reason),
            _ => None,
        });
        match (self.version, told) {
            (ProtocolVersion::V5, Some(reason)) => {
                assert!(reasons.contains(&reason), "{reason}, expected one of {reasons:?}");
            }
            (ProtocolVersion::V5, None) => panic!("closed without a DISCONNECT: {packets:?}"),
            (_, told) => assert_eq!(told, None, "{packets:?}"),
        }
    }

    /// Waits for the next packet that `pick` takes, or for the end of the connection.
    #[track_caller]
    pub fn closed_or<T>(&mut self, mut pick: impl FnMut(&Packet) -> Option<T>) -> Option<T> {
        while let Some(packet) = self.connection.packet(self.version) {
            if let Some(picked) = pick(&packet) {
                return Some(picked);
            }
            self.waiting.push_back(packet);
        }
        None
    }

    /// Waits for so many packets that `pick` takes, in the order they came.
    #[track_caller]
    pub fn pick_all<T>(
        &mut self,
        count: usize,
        mut pick: impl FnMut(&Packet) -> Option<T>,
    ) -> Vec<T> {
        (0..count).map(|_| self.pick("a packet", &mut pick)).collect()
    }

    /// Waits for the next packet that `pick` takes; others stay for later.
    #[track_caller]
    pub fn pick<T>(&mut self, what: &str, mut pick: impl FnMut(&Packet) -> Option<T>) -> T {
        for index in 0..self.waiting.len() {
            if let Some(picked) = pick(&self.waiting[index]) {
                self.waiting.remove(index);
                return picked;
            }
        }
        loop {
            let Some(packet) = self.connection.packet(self.version) else {
                panic!("expected {what}, the broker closed; unread: {:?}", self.waiting);
            };
            if let Some(picked) = pick(&packet) {
                return picked;
            }
            // [MQTT-3.2.0-2]
            assert!(!matches!(packet, Packet::Connack(_)), "a second CONNACK");
            if let (Packet::Disconnect(disconnect), true) = (&packet, what != "DISCONNECT") {
                panic!("expected {what}, the broker sent {disconnect:?}");
            }
            self.waiting.push_back(packet);
        }
    }
}

/// A PUBACK of success.
fn puback(packet_id: PacketId) -> Packet {
    Packet::Puback(success(packet_id))
}

/// A PUBREC of success.
fn pubrec(packet_id: PacketId) -> Packet {
    Packet::Pubrec(success(packet_id))
}

/// A PUBREL of success.
fn pubrel(packet_id: PacketId) -> Packet {
    Packet::Pubrel(success(packet_id))
}

/// A PUBCOMP of success.
fn pubcomp(packet_id: PacketId) -> Packet {
    Packet::Pubcomp(success(packet_id))
}

fn success(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}
