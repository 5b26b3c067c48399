//! A client: its session state as the standard asks of it, and what it has seen.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Ack, Connect, ConnectProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode,
    Subscribe, SubscribeProperties, SubscriptionOptions, Text, TopicFilter, TopicName, decode,
    encode,
};
use midge_core::{ConnectionId, ShardId};

/// What a message says of itself: `publisher topic qos number`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Label {
    pub(crate) publisher: usize,
    pub(crate) topic: String,
    pub(crate) qos: u8,
    pub(crate) number: u64,
}

impl Label {
    fn payload(&self) -> Bytes {
        let Label { publisher, topic, qos, number } = self;
        Bytes::from(format!("{publisher} {topic} {qos} {number}"))
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Label> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.split(' ');
        Some(Label {
            publisher: words.next()?.parse().ok()?,
            topic: words.next()?.to_owned(),
            qos: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
        })
    }
}

/// One message as a client got it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) label: Label,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) version: ProtocolVersion,
    /// Its session outlives its connections.
    pub(crate) persistent: bool,
    pub(crate) filter: Option<(TopicFilter, QoS)>,
    /// When its SUBSCRIBE was acknowledged, in publishes made by anyone until then.
    pub(crate) subscribed_at: Option<u64>,
    pub(crate) connection: Option<(ShardId, ConnectionId)>,
    pub(crate) connected: bool,
    /// It does not read what it is sent.
    pub(crate) slow: bool,
    /// It does not acknowledge what it gets on this connection.
    pub(crate) mute: bool,
    pub(crate) to_server: BytesMut,
    pub(crate) from_server: BytesMut,
    unacknowledged: BTreeMap<u64, (PacketId, Publish, Awaits)>,
    next_id: u16,
    order: u64,
    numbers: BTreeMap<(String, u8), u64>,
    unreleased: BTreeSet<PacketId>,
    pub(crate) received: Vec<Received>,
    /// Messages whose publish is finished: PUBACK or PUBCOMP has come.
    pub(crate) finished: Vec<Label>,
}

impl Client {
    pub(crate) fn new(number: usize, version: ProtocolVersion, persistent: bool) -> Client {
        Client {
            number,
            version,
            persistent,
            filter: None,
            subscribed_at: None,
            connection: None,
            connected: false,
            slow: false,
            mute: false,
            to_server: BytesMut::new(),
            from_server: BytesMut::new(),
            unacknowledged: BTreeMap::new(),
            next_id: 0,
            order: 0,
            numbers: BTreeMap::new(),
            unreleased: BTreeSet::new(),
            received: Vec::new(),
            finished: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> Text {
        Text::try_from(format!("client-{}", self.number)).unwrap()
    }

    pub(crate) fn connect_packet(&self, clean_start: bool) -> Connect {
        let expiry = if self.persistent { u32::MAX } else { 0 };
        let v5 = self.version == ProtocolVersion::V5;
        Connect {
            version: self.version,
            bridge: false,
            clean_start: clean_start || (!self.persistent && !v5),
            keep_alive: 60,
            properties: ConnectProperties {
                session_expiry_interval: v5.then_some(expiry),
                receive_maximum: (v5 && self.number.is_multiple_of(3)).then_some(2),
                topic_alias_maximum: (v5 && self.number.is_multiple_of(2)).then_some(3),
                ..ConnectProperties::default()
            },
            client_id: self.id(),
            will: None,
            username: None,
            password: None,
        }
    }

    fn send(&mut self, packet: &Packet) {
        encode(packet, self.version, u32::MAX, &mut self.to_server).unwrap();
    }

    /// Acknowledges, unless it never does.
    fn answer(&mut self, packet: &Packet) {
        if !self.mute {
            self.send(packet);
        }
    }

    /// The connection is gone and with it all bytes under way.
    pub(crate) fn lose_connection(&mut self) {
        self.connection = None;
        self.connected = false;
        self.to_server.clear();
        self.from_server.clear();
        if !self.persistent {
            self.unreleased.clear();
            self.subscribed_at = None;
        }
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.unacknowledged.len()
    }

    pub(crate) fn subscribe(&mut self) {
        let Some((filter, qos)) = self.filter.clone() else { return };
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MAX,
            properties: SubscribeProperties::default(),
            subscriptions: vec![(filter, options)],
        }));
    }

    pub(crate) fn publish(&mut self, topic: &str, qos: QoS, retain: bool) {
        let number = self.numbers.entry((topic.to_owned(), qos as u8)).or_default();
        *number += 1;
        let label = Label {
            publisher: self.number,
            topic: topic.to_owned(),
            qos: qos as u8,
            number: *number,
        };
        let packet_id = (qos > QoS::AtMostOnce).then(|| self.free_id());
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic: Some(TopicName::try_from(topic).unwrap()),
            packet_id,
            topic_alias: None,
            properties: None,
            payload: label.payload(),
        };
        self.send(&Packet::Publish(publish.clone()));
        if let Some(id) = packet_id {
            let flow = match qos {
                QoS::ExactlyOnce => Awaits::Pubrec,
                _ => Awaits::Puback,
            };
            self.order += 1;
            self.unacknowledged.insert(self.order, (id, publish, flow));
        }
    }

    /// The message published last with this topic and QoS.
    pub(crate) fn last_label(&self, topic: &str, qos: QoS) -> Label {
        let number = self.numbers[&(topic.to_owned(), qos as u8)];
        Label { publisher: self.number, topic: topic.to_owned(), qos: qos as u8, number }
    }

    fn free_id(&mut self) -> PacketId {
        loop {
            self.next_id = self.next_id % 1_000 + 1;
            let id = PacketId::new(self.next_id).unwrap();
            if self.unacknowledged.values().all(|(used, ..)| *used != id) {
                return id;
            }
        }
    }

    /// Takes in what has come. `published`: how many publishes anyone has made so far.
    pub(crate) fn read(&mut self, published: u64) {
        while let Some(packet) = decode(&mut self.from_server, self.version, u32::MAX).unwrap() {
            self.take(packet, published);
        }
    }

    fn take(&mut self, packet: Packet, published: u64) {
        match packet {
            Packet::Connack(connack) => {
                assert_eq!(connack.reason, ReasonCode::Success);
                self.connected = true;
                if !connack.session_present {
                    self.unreleased.clear();
                    self.subscribed_at = None;
                }
                self.resend();
                if self.subscribed_at.is_none() {
                    self.subscribe();
                }
            }
            Packet::Publish(publish) => self.received(&publish),
            Packet::Puback(ack) => self.finish(&ack, Awaits::Puback),
            Packet::Pubrec(ack) => {
                assert!(!ack.reason.is_error(), "{ack:?}");
                let found = self.unacknowledged.values_mut().find(|(id, ..)| *id == ack.packet_id);
                if let Some((_, _, flow @ (Awaits::Pubrec | Awaits::Pubcomp))) = found {
                    *flow = Awaits::Pubcomp;
                    self.send(&Packet::Pubrel(self.ack(ack.packet_id)));
                }
            }
            Packet::Pubcomp(ack) => self.finish(&ack, Awaits::Pubcomp),
            Packet::Pubrel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.answer(&Packet::Pubcomp(self.ack(ack.packet_id)));
            }
            Packet::Suback(suback) => {
                assert!(!suback.reasons[0].is_error(), "{suback:?}");
                self.subscribed_at.get_or_insert(published);
            }
            Packet::Pingresp | Packet::Disconnect(_) => {}
            other => panic!("a server does not send {other:?}"),
        }
    }

    fn ack(&self, packet_id: PacketId) -> Ack {
        Ack { packet_id, reason: ReasonCode::Success, properties: None }
    }

    fn received(&mut self, publish: &Publish) {
        // Topic Aliases: the payload tells the topic.
        let label = Label::read(&publish.payload).expect("a message of this simulation");
        if let Some(topic) = &publish.topic {
            assert_eq!(topic.as_str(), label.topic);
        }
        let received = Received { label, qos: publish.qos, retain: publish.retain };
        match publish.packet_id {
            None => self.received.push(received),
            Some(id) if publish.qos == QoS::ExactlyOnce => {
                if self.unreleased.insert(id) {
                    self.received.push(received);
                }
                self.answer(&Packet::Pubrec(self.ack(id)));
            }
            Some(id) => {
                self.received.push(received);
                self.answer(&Packet::Puback(self.ack(id)));
            }
        }
    }

    fn finish(&mut self, ack: &Ack, expected: Awaits) {
        // A PUBREL sent again may find the id released already.
        let released =
            expected == Awaits::Pubcomp && ack.reason == ReasonCode::PacketIdentifierNotFound;
        assert!(released || !ack.reason.is_error(), "{ack:?}");
        let found = self
            .unacknowledged
            .iter()
            .find(|(_, (id, _, flow))| *id == ack.packet_id && *flow == expected)
            .map(|(order, _)| *order);
        if let Some((_, publish, _)) = found.and_then(|order| self.unacknowledged.remove(&order)) {
            self.finished.push(Label::read(&publish.payload).unwrap());
        }
    }

    /// After a reconnect: what is not finished is sent again, in its order.
    fn resend(&mut self) {
        let again: Vec<Packet> = self
            .unacknowledged
            .values()
            .map(|(id, publish, flow)| match flow {
                Awaits::Pubcomp => Packet::Pubrel(self.ack(*id)),
                _ => Packet::Publish(Publish { dup: true, ..publish.clone() }),
            })
            .collect();
        for packet in &again {
            self.send(packet);
        }
    }
}
