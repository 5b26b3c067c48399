//! A client: its session state as the standard asks of it, which it keeps whatever happens to the
//! broker.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Ack, Connect, ConnectProperties, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Subscribe, SubscribeProperties, SubscriptionOptions, Text, TopicName, Unsubscribe,
    Will, WillProperties, decode, encode,
};
use midge_core::{ConnectionId, ShardId};

use crate::label::{Label, TOPICS, WILL};
use crate::ledger::Ledger;
use crate::trace::{About, Trace};
use crate::violation::{Rule, Violation};

/// The first packet id of SUBSCRIBE and UNSUBSCRIBE: those of PUBLISH are below.
const FIRST_REQUEST: u16 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
}

/// What a client is like.
#[derive(Clone, Debug)]
pub(crate) struct Character {
    pub(crate) version: ProtocolVersion,
    /// Its session outlives its connections.
    pub(crate) lasting: bool,
    /// For so many milliseconds; `None`: for ever.
    pub(crate) expiry: Option<u64>,
    /// It begins anew now and then.
    pub(crate) restless: bool,
    /// It leaves a will of this QoS, with this delay in seconds.
    pub(crate) will: Option<(QoS, u32)>,
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) aliases: Option<u16>,
    /// Packet ids it uses in turn.
    pub(crate) ids: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Subscribe,
    Unsubscribe,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) character: Character,
    pub(crate) connection: Option<(ShardId, ConnectionId)>,
    /// CONNACK has come.
    pub(crate) connected: bool,
    /// The CONNECT in force asked for a session that outlives the connection.
    pub(crate) lasts: bool,
    /// It has thrown its session away, and says so until that is acknowledged.
    pub(crate) clean: bool,
    /// It has said goodbye.
    pub(crate) leaving: bool,
    /// It does not read what it is sent.
    pub(crate) slow: bool,
    /// It does not acknowledge what it gets on this connection.
    pub(crate) mute: bool,
    pub(crate) to_server: BytesMut,
    pub(crate) from_server: BytesMut,
    unacknowledged: BTreeMap<u64, (PacketId, Publish, Label, Awaits)>,
    next_id: u16,
    next_request: u16,
    order: u64,
    numbers: BTreeMap<usize, u64>,
    /// QoS 2 packet ids of the server's that are not released.
    unreleased: BTreeMap<PacketId, Label>,
    requests: BTreeMap<PacketId, (Request, usize)>,
    trace: Trace,
}

impl Client {
    pub(crate) fn new(number: usize, character: Character, trace: Trace) -> Client {
        Client {
            number,
            character,
            connection: None,
            connected: false,
            lasts: false,
            clean: false,
            leaving: false,
            slow: false,
            mute: false,
            to_server: BytesMut::new(),
            from_server: BytesMut::new(),
            unacknowledged: BTreeMap::new(),
            next_id: 0,
            next_request: FIRST_REQUEST,
            order: 0,
            numbers: BTreeMap::new(),
            unreleased: BTreeMap::new(),
            requests: BTreeMap::new(),
            trace,
        }
    }

    pub(crate) fn id(&self) -> Text {
        Text::try_from(format!("client-{}", self.number)).unwrap()
    }

    fn note(&self, text: impl FnOnce() -> String) {
        self.trace.note(About::Client(self.number), text);
    }

    fn note_of(&self, label: Label, text: impl FnOnce() -> String) {
        self.trace.note(About::Both(self.number, label), text);
    }

    /// The next message that it makes of a topic.
    fn next_label(&mut self, topic: usize, qos: QoS) -> Label {
        let number = self.numbers.entry(topic).or_default();
        *number += 1;
        Label { publisher: self.number, topic, qos: qos as u8, number: *number }
    }

    /// The packet that opens a connection, and the will in it.
    pub(crate) fn connect_packet(&mut self) -> (Connect, Option<Label>) {
        let Character { version, expiry, will, receive_maximum, aliases, .. } = self.character;
        let v5 = version == ProtocolVersion::V5;
        let seconds = match (self.lasts, expiry) {
            (false, _) => 0,
            (true, None) => u32::MAX,
            (true, Some(millis)) => (millis / 1_000) as u32,
        };
        let will = will.map(|(qos, delay)| (self.next_label(WILL, qos), qos, delay));
        let packet = Connect {
            version,
            bridge: false,
            clean_start: self.clean || (!v5 && !self.lasts),
            keep_alive: 60,
            properties: ConnectProperties {
                session_expiry_interval: v5.then_some(seconds),
                receive_maximum: receive_maximum.filter(|_| v5),
                topic_alias_maximum: aliases.filter(|_| v5),
                ..ConnectProperties::default()
            },
            client_id: self.id(),
            will: will.map(|(label, qos, delay)| Will {
                qos,
                retain: false,
                topic: TopicName::try_from(TOPICS[WILL]).unwrap(),
                payload: label.payload(0),
                properties: WillProperties {
                    will_delay_interval: (v5 && delay > 0).then_some(delay),
                    ..WillProperties::default()
                },
            }),
            username: None,
            password: None,
        };
        (packet, will.map(|(label, ..)| label))
    }

    fn send(&mut self, packet: &Packet) {
        encode(packet, self.character.version, u32::MAX, &mut self.to_server).unwrap();
    }

    /// Acknowledges, unless it never does.
    fn answer(&mut self, packet: &Packet) {
        if !self.mute {
            self.send(packet);
        }
    }

    /// The connection is gone and with it all bytes under way.
    pub(crate) fn lose_connection(&mut self, ledger: &mut Ledger) {
        if self.connection.take().is_some() {
            self.note(|| "loses its connection".to_owned());
        }
        self.connected = false;
        self.to_server.clear();
        self.from_server.clear();
        self.requests.clear();
        if !self.lasts {
            self.forget(ledger);
        }
    }

    /// Throws its session away.
    pub(crate) fn forget(&mut self, ledger: &mut Ledger) {
        self.unreleased.clear();
        for (_, (_, _, label, _)) in std::mem::take(&mut self.unacknowledged) {
            ledger.abandoned(label);
        }
        ledger.session_ended(self.number);
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Messages it has that the server has not told it to forget.
    pub(crate) fn unreleased(&self) -> usize {
        self.unreleased.len()
    }

    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(crate) fn disconnect(&mut self) {
        self.note(|| "says goodbye".to_owned());
        self.leaving = true;
        let reason = ReasonCode::Success;
        self.send(&Packet::Disconnect(Disconnect { reason, properties: None }));
    }

    /// Subscribes to or unsubscribes from one of its filters.
    pub(crate) fn request(&mut self, ledger: &mut Ledger, request: Request, place: usize) {
        self.next_request = FIRST_REQUEST + (self.next_request - FIRST_REQUEST + 1) % 1_000;
        let packet_id = PacketId::new(self.next_request).unwrap();
        self.requests.insert(packet_id, (request, place));
        let (filter, qos) = ledger.requested(self.number, request, place);
        self.note(|| format!("{request:?} {filter} QoS {}", qos as u8));
        let packet = match request {
            Request::Subscribe => Packet::Subscribe(Subscribe {
                packet_id,
                properties: SubscribeProperties::default(),
                subscriptions: vec![(
                    filter,
                    SubscriptionOptions { qos, ..SubscriptionOptions::default() },
                )],
            }),
            Request::Unsubscribe => Packet::Unsubscribe(Unsubscribe {
                packet_id,
                user_properties: Vec::new(),
                filters: vec![filter],
            }),
        };
        self.send(&packet);
    }

    /// Publishes; `padding` makes the message larger, `None` deletes what is retained.
    pub(crate) fn publish(
        &mut self,
        ledger: &mut Ledger,
        topic: usize,
        qos: QoS,
        retain: bool,
        padding: Option<usize>,
    ) {
        let label = self.next_label(topic, qos);
        ledger.made(label, retain, padding.is_none());
        let packet_id = (qos > QoS::AtMostOnce).then(|| self.free_id());
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic: Some(TopicName::try_from(TOPICS[topic]).unwrap()),
            packet_id,
            topic_alias: None,
            properties: None,
            payload: padding.map_or_else(Bytes::new, |padding| label.payload(padding)),
        };
        self.note_of(label, || {
            let what = if padding.is_none() { "deletes" } else { "publishes" };
            format!("{what}, packet id {packet_id:?}")
        });
        self.send(&Packet::Publish(publish.clone()));
        if let Some(id) = packet_id {
            let flow = match qos {
                QoS::ExactlyOnce => Awaits::Pubrec,
                _ => Awaits::Puback,
            };
            self.order += 1;
            self.unacknowledged.insert(self.order, (id, publish, label, flow));
        }
    }

    fn free_id(&mut self) -> PacketId {
        loop {
            self.next_id = self.next_id % self.character.ids + 1;
            let id = PacketId::new(self.next_id).unwrap();
            if self.unacknowledged.values().all(|(used, ..)| *used != id) {
                return id;
            }
        }
    }

    /// Takes in what has come.
    pub(crate) fn read(&mut self, ledger: &mut Ledger) {
        while let Some(packet) =
            decode(&mut self.from_server, self.character.version, u32::MAX).unwrap()
        {
            self.take(ledger, packet);
        }
    }

    fn take(&mut self, ledger: &mut Ledger, packet: Packet) {
        match packet {
            Packet::Connack(connack) if connack.reason.is_error() => {
                self.note(|| format!("is refused: {}", connack.reason));
                if connack.reason != ReasonCode::QuotaExceeded
                    && connack.reason != ReasonCode::ServerUnavailable
                    && self.character.version == ProtocolVersion::V5
                {
                    self.protocol(&format!("CONNACK {}", connack.reason));
                }
            }
            Packet::Connack(connack) => {
                self.note(|| format!("is connected, session present {}", connack.session_present));
                self.connected = true;
                if !connack.session_present {
                    if !self.clean {
                        ledger.session_missing(self.number);
                    }
                    self.forget(ledger);
                } else if self.clean {
                    self.protocol("a session after a clean start");
                }
                if ledger.expired.remove(&self.number) {
                    // It may have expired and been made anew for a CONNACK that never arrived.
                    self.forget(ledger);
                }
                self.clean = false;
                ledger.connected(self.number, self.lasts, !connack.session_present);
                self.resend(ledger);
            }
            Packet::Publish(publish) => self.received(ledger, &publish),
            Packet::Puback(ack) => self.finish(ledger, &ack, Awaits::Puback),
            Packet::Pubrec(ack) => self.pubrec(ledger, &ack),
            Packet::Pubcomp(ack) => self.finish(ledger, &ack, Awaits::Pubcomp),
            Packet::Pubrel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.answer(&Packet::Pubcomp(plain(ack.packet_id)));
            }
            Packet::Suback(suback) => {
                let Some((request, place)) = self.requests.remove(&suback.packet_id) else {
                    self.protocol(&format!("SUBACK {}", suback.packet_id))
                };
                self.note(|| format!("SUBACK {:?}", suback.reasons[0]));
                assert_eq!(request, Request::Subscribe);
                match suback.reasons[0].is_error() {
                    false => ledger.subscribed(self.number, place),
                    true if suback.reasons[0] == ReasonCode::QuotaExceeded
                        || self.character.version != ProtocolVersion::V5 =>
                    {
                        ledger.subscription_refused(self.number, place);
                    }
                    true => self.protocol(&format!("SUBACK {:?}", suback.reasons)),
                }
            }
            Packet::Unsuback(unsuback) => {
                let Some((_, place)) = self.requests.remove(&unsuback.packet_id) else {
                    self.protocol(&format!("UNSUBACK {}", unsuback.packet_id))
                };
                self.note(|| "UNSUBACK".to_owned());
                ledger.unsubscribed(self.number, place);
            }
            Packet::Pingresp => {}
            Packet::Disconnect(disconnect) => {
                self.note(|| format!("is told to leave: {}", disconnect.reason));
            }
            other => self.protocol(&format!("{other:?}")),
        }
    }

    fn protocol(&self, what: &str) -> ! {
        let text = format!("client {} gets {what}", self.number);
        Violation::of(Rule::Protocol, text).client(self.number).raise()
    }

    fn received(&mut self, ledger: &mut Ledger, publish: &Publish) {
        // Topic Aliases: the payload tells the topic. What is empty deletes something retained.
        let Some(label) = Label::read(&publish.payload) else {
            if let Some(id) = publish.packet_id {
                match publish.qos {
                    QoS::ExactlyOnce => self.answer(&Packet::Pubrec(plain(id))),
                    _ => self.answer(&Packet::Puback(plain(id))),
                }
            }
            return;
        };
        if publish.topic.as_ref().is_some_and(|topic| topic.as_str() != label.topic()) {
            self.protocol(&format!("<{label}> under {:?}", publish.topic));
        }
        let (qos, retain) = (publish.qos, publish.retain);
        self.note_of(label, || {
            let id = publish.packet_id;
            format!("gets it, QoS {}, id {id:?}, dup {}, retain {retain}", qos as u8, publish.dup)
        });
        match publish.packet_id {
            None => ledger.received(self.number, label, qos, retain),
            Some(id) if qos == QoS::ExactlyOnce => {
                match self.unreleased.insert(id, label) {
                    None => ledger.received(self.number, label, qos, retain),
                    Some(before) if before != label => {
                        self.protocol(&format!("<{label}> under id {id} of <{before}>"))
                    }
                    // [MQTT-3.3.1-1]
                    Some(_) if !publish.dup => {
                        self.protocol(&format!("<{label}> again, without DUP"))
                    }
                    Some(_) => {}
                }
                self.answer(&Packet::Pubrec(plain(id)));
            }
            Some(id) => {
                ledger.received(self.number, label, qos, retain);
                self.answer(&Packet::Puback(plain(id)));
            }
        }
    }

    fn pubrec(&mut self, ledger: &mut Ledger, ack: &Ack) {
        let found = self
            .unacknowledged
            .iter_mut()
            .find(|(_, (id, ..))| *id == ack.packet_id)
            .map(|(order, (.., label, flow))| (*order, *label, flow));
        let Some((order, label, flow @ (Awaits::Pubrec | Awaits::Pubcomp))) = found else { return };
        if ack.reason.is_error() {
            self.unacknowledged.remove(&order);
            self.note_of(label, || format!("is refused: {}", ack.reason));
            return ledger.refused(label);
        }
        if *flow == Awaits::Pubrec {
            *flow = Awaits::Pubcomp;
            self.note_of(label, || "gets PUBREC".to_owned());
            ledger.acknowledged(label);
        }
        self.send(&Packet::Pubrel(plain(ack.packet_id)));
    }

    fn finish(&mut self, ledger: &mut Ledger, ack: &Ack, expected: Awaits) {
        // A PUBREL sent again may find the id released already.
        let released =
            expected == Awaits::Pubcomp && ack.reason == ReasonCode::PacketIdentifierNotFound;
        let found = self
            .unacknowledged
            .iter()
            .find(|(_, (id, _, _, flow))| *id == ack.packet_id && *flow == expected)
            .map(|(order, _)| *order);
        let Some((_, _, label, _)) = found.and_then(|order| self.unacknowledged.remove(&order))
        else {
            return;
        };
        if ack.reason.is_error() && !released {
            self.note_of(label, || format!("is refused: {}", ack.reason));
            return ledger.refused(label);
        }
        self.note_of(label, || format!("is done ({expected:?})"));
        ledger.acknowledged(label);
    }

    /// After a reconnect: what is not finished is sent again, in its order.
    fn resend(&mut self, ledger: &mut Ledger) {
        let mut again = Vec::new();
        for (id, publish, label, flow) in self.unacknowledged.values() {
            match flow {
                Awaits::Pubcomp => again.push(Packet::Pubrel(plain(*id))),
                _ => {
                    self.note_of(*label, || "publishes it again".to_owned());
                    ledger.made_again(*label);
                    again.push(Packet::Publish(Publish { dup: true, ..publish.clone() }));
                }
            }
        }
        for packet in &again {
            self.send(packet);
        }
    }

    /// Filters a request is under way for.
    pub(crate) fn requested(&self) -> BTreeSet<usize> {
        self.requests.values().map(|(_, place)| *place).collect()
    }
}

fn plain(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}
