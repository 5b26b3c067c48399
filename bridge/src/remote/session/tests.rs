//! Both halves against a broker that a test speaks for, packet by packet.

use midge_codec::{Ack, Connack, ConnackProperties, Suback, TopicName};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A session with its broker's side.
struct Pair {
    session: Session,
    now: Instant,
    input: BytesMut,
}

fn pair() -> Pair {
    let now = Instant::now();
    let identity = Identity {
        client_id: Text::from_static("c"),
        user: Some((Text::from_static("ana"), Some(Bytes::from_static(b"secret")))),
        keep_alive: 10 * SECOND,
        timeout: 3 * SECOND,
    };
    Pair { session: Session::new(identity, now), now, input: BytesMut::new() }
}

impl Pair {
    /// Connects, with a broker that has the session or not; what follows CONNACK at once.
    fn connected(&mut self, session_present: bool) -> Vec<Packet> {
        self.session.connect(self.now, false);
        assert!(matches!(self.sent()[..], [Packet::Connect(_)]));
        assert_eq!(self.connack(session_present), Ok(vec![Event::Connected { session_present }]));
        self.sent()
    }

    fn connack(&mut self, session_present: bool) -> Result<Vec<Event>, Fault> {
        let properties = ConnackProperties::default();
        let connack = Connack { session_present, reason: ReasonCode::Success, properties };
        self.comes(&Packet::Connack(Box::new(connack)))
    }

    /// The broker sends a packet.
    fn comes(&mut self, packet: &Packet) -> Result<Vec<Event>, Fault> {
        encode(packet, VERSION, u32::MAX, &mut self.input).expect("a packet of a test");
        let mut events = Vec::new();
        while let Some(event) = self.session.receive(self.now, &mut self.input)? {
            events.push(event);
        }
        Ok(events)
    }

    /// What the broker got.
    fn sent(&mut self) -> Vec<Packet> {
        let output = self.session.output();
        let mut packets = Vec::new();
        while let Some(packet) = decode(output, VERSION, u32::MAX).expect("what we send") {
            packets.push(packet);
        }
        packets
    }

    /// A message comes for the first time.
    fn message(&mut self, publish: &Publish) -> Receipt {
        let events = self.comes(&Packet::Publish(publish.clone()));
        match events.as_deref() {
            Ok([Event::Message(came, Some(receipt))]) if came == publish => *receipt,
            other => panic!("{other:?}"),
        }
    }

    /// A message comes again: nothing happens, but what is answered.
    fn redelivered(&mut self, publish: Publish) -> Vec<Packet> {
        assert_eq!(self.comes(&Packet::Publish(Publish { dup: true, ..publish })), Ok(vec![]));
        self.sent()
    }

    fn acknowledge(&mut self, receipt: Receipt) -> Vec<Packet> {
        self.session.acknowledge(self.now, receipt);
        self.sent()
    }

    fn publish(&mut self, number: u64, qos: QoS) -> Vec<Packet> {
        assert!(self.session.has_room());
        let outgoing = Publish { packet_id: None, ..publish(1, qos, "out") };
        assert!(self.session.publish(self.now, Some(ticket(number)), outgoing));
        self.sent()
    }

    fn later(&mut self, duration: Duration) -> Result<Vec<Packet>, Fault> {
        self.now += duration;
        self.session.tick(self.now)?;
        Ok(self.sent())
    }
}

fn ticket(number: u64) -> Ticket {
    Ticket { owner: 7, number }
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("above zero")
}

fn publish(packet_id: u16, qos: QoS, payload: &'static str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::try_from("a/b").expect("a name")),
        packet_id: (qos > QoS::AtMostOnce).then(|| id(packet_id)),
        topic_alias: None,
        properties: None,
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

fn ack(number: u16) -> Ack {
    Ack { packet_id: id(number), reason: ReasonCode::Success, properties: None }
}

fn refused_id(fault: &Result<Vec<Event>, Fault>) {
    assert!(matches!(fault, Err(Fault::Unexpected { .. })), "{fault:?}");
}

#[test]
fn connect_says_who_we_are_and_a_refusal_says_what_connack_said() {
    let mut pair = pair();
    pair.session.connect(pair.now, true);
    let sent = pair.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("{sent:?}") };
    assert!(connect.clean_start);
    assert_eq!((connect.version, connect.keep_alive), (VERSION, 10));
    assert_eq!(connect.username, Some(Text::from_static("ana")));
    assert_eq!(connect.password, Some(Bytes::from_static(b"secret")));
    let reason = ReasonCode::BadUserNameOrPassword;
    let properties = ConnackProperties::default();
    let connack = Connack { session_present: false, reason, properties };
    let fault = pair.comes(&Packet::Connack(Box::new(connack))).expect_err("a refusal");
    let said = "the broker refuses the connection: Bad User Name or Password";
    assert_eq!(fault.to_string(), said);
}

#[test]
fn a_packet_before_connack_and_a_second_connack_end_the_connection() {
    let mut pair = pair();
    pair.session.connect(pair.now, false);
    refused_id(&pair.comes(&Packet::Publish(publish(1, QoS::AtMostOnce, "x"))));
    pair.input.clear();
    pair.connected(false);
    refused_id(&pair.connack(false));
}

#[test]
fn nothing_is_acknowledged_before_it_is_said_and_each_message_once() {
    let mut pair = pair();
    pair.connected(false);
    let one = pair.message(&publish(1, QoS::AtLeastOnce, "one"));
    let two = pair.message(&publish(2, QoS::AtLeastOnce, "two"));
    assert_eq!(pair.sent(), []);
    assert_eq!(pair.acknowledge(two), [Packet::Puback(ack(2))]);
    assert_eq!(pair.acknowledge(one), [Packet::Puback(ack(1))]);
    assert_eq!(pair.acknowledge(one), []);
    // The id is free for another message.
    let again = pair.message(&publish(1, QoS::AtLeastOnce, "one"));
    assert_ne!(again, one);
}

#[test]
fn a_redelivery_with_dup_joins_the_message_that_waits_and_is_acknowledged_with_it() {
    let mut pair = pair();
    pair.connected(false);
    let one = publish(1, QoS::AtLeastOnce, "one");
    let receipt = pair.message(&one);
    pair.connected(true);
    assert_eq!(pair.redelivered(one), [], "not before it is safe");
    assert_eq!(pair.acknowledge(receipt), [Packet::Puback(ack(1))]);
}

#[test]
fn what_became_safe_while_the_connection_was_gone_is_acknowledged_when_it_comes_again() {
    for (qos, answer) in
        [(QoS::AtLeastOnce, Packet::Puback(ack(1))), (QoS::ExactlyOnce, Packet::Pubrec(ack(1)))]
    {
        let mut pair = pair();
        pair.connected(false);
        let one = publish(1, qos, "one");
        let receipt = pair.message(&one);
        pair.session.lost();
        assert_eq!(pair.acknowledge(receipt), []);
        assert_eq!(pair.connected(true), [], "the PUBLISH did not come on this connection");
        assert_eq!(pair.acknowledge(receipt), []);
        assert_eq!(pair.redelivered(one), [answer]);
    }
}

#[test]
fn a_redelivery_of_qos_2_before_pubrel_is_no_second_message() {
    let mut pair = pair();
    pair.connected(false);
    let one = publish(1, QoS::ExactlyOnce, "one");
    let receipt = pair.message(&one);
    assert_eq!(pair.acknowledge(receipt), [Packet::Pubrec(ack(1))]);
    pair.connected(true);
    assert_eq!(pair.redelivered(one.clone()), [Packet::Pubrec(ack(1))]);
    assert_eq!(pair.redelivered(one.clone()), [Packet::Pubrec(ack(1))]);
    assert_eq!(pair.comes(&Packet::Pubrel(ack(1))), Ok(vec![]));
    assert_eq!(pair.sent(), [Packet::Pubcomp(ack(1))]);
    // Our PUBCOMP was lost.
    pair.connected(true);
    assert_eq!(pair.comes(&Packet::Pubrel(ack(1))), Ok(vec![]));
    assert_eq!(pair.sent(), [Packet::Pubcomp(ack(1))]);
    pair.message(&one);
}

#[test]
fn packet_ids_mean_nothing_to_a_broker_that_has_lost_the_session() {
    let mut pair = pair();
    pair.connected(false);
    let one = publish(1, QoS::AtLeastOnce, "one");
    let old = pair.message(&one);
    pair.connected(false);
    let new = pair.message(&one);
    assert_eq!(pair.acknowledge(old), []);
    assert_eq!(pair.acknowledge(new), [Packet::Puback(ack(1))]);
}

#[test]
fn another_message_under_an_id_that_is_in_use_ends_the_connection() {
    let mut pair = pair();
    pair.connected(false);
    let one = pair.message(&publish(1, QoS::AtLeastOnce, "one"));
    refused_id(&pair.comes(&Packet::Publish(publish(1, QoS::AtLeastOnce, "other"))));
    // On the next connection the broker may have forgotten the first one.
    pair.connected(true);
    let other = pair.message(&publish(1, QoS::AtLeastOnce, "other"));
    assert_eq!(pair.acknowledge(one), []);
    assert_eq!(pair.acknowledge(other), [Packet::Puback(ack(1))]);
}

#[test]
fn a_message_that_says_the_same_without_dup_is_another_one() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut pair = pair();
        pair.connected(false);
        let one = pair.message(&publish(1, qos, "one"));
        pair.session.lost();
        assert_eq!(pair.acknowledge(one), []);
        pair.connected(true);
        let other = pair.message(&publish(1, qos, "one"));
        assert_ne!(one, other);
    }
}

#[test]
fn pubrel_of_a_message_that_has_not_been_taken_ends_the_connection() {
    let mut pair = pair();
    pair.connected(false);
    pair.message(&publish(1, QoS::ExactlyOnce, "one"));
    refused_id(&pair.comes(&Packet::Pubrel(ack(1))));
}

#[test]
fn a_message_that_is_forgotten_is_new_when_it_comes_again() {
    let mut pair = pair();
    pair.connected(false);
    let one = publish(1, QoS::AtLeastOnce, "one");
    let receipt = pair.message(&one);
    pair.session.forget(receipt);
    pair.connected(true);
    pair.message(&Publish { dup: true, ..one });
}

#[test]
fn unacknowledged_publishes_are_sent_again_with_dup_in_their_order_after_a_reconnect() {
    for session_present in [true, false] {
        let mut pair = pair();
        pair.connected(false);
        pair.publish(1, QoS::AtLeastOnce);
        pair.publish(2, QoS::ExactlyOnce);
        pair.publish(3, QoS::AtLeastOnce);
        let done = pair.comes(&Packet::Puback(ack(1)));
        assert_eq!(done, Ok(vec![Event::Delivered(ticket(1))]));
        let again = pair.connected(session_present);
        let dups: Vec<(bool, Option<PacketId>)> = again
            .iter()
            .map(|packet| match packet {
                Packet::Publish(publish) => (publish.dup, publish.packet_id),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(dups, [(true, Some(id(2))), (true, Some(id(3)))]);
        assert_eq!(pair.comes(&Packet::Puback(ack(3))), Ok(vec![Event::Delivered(ticket(3))]));
    }
}

#[test]
fn a_message_of_qos_2_is_delivered_with_pubcomp_over_a_reconnect_at_each_step() {
    let mut pair = pair();
    pair.connected(false);
    pair.publish(1, QoS::ExactlyOnce);
    assert_eq!(pair.comes(&Packet::Pubrec(ack(1))), Ok(vec![]));
    assert_eq!(pair.sent(), [Packet::Pubrel(ack(1))]);
    assert_eq!(pair.connected(true), [Packet::Pubrel(ack(1))]);
    // A PUBREC that comes again means that our PUBREL was lost.
    assert_eq!(pair.comes(&Packet::Pubrec(ack(1))), Ok(vec![]));
    assert_eq!(pair.sent(), [Packet::Pubrel(ack(1))]);
    // A broker that has lost the session has lost the message, too.
    let again = pair.connected(false);
    assert!(matches!(&again[..], [Packet::Publish(publish)] if publish.dup), "{again:?}");
    assert_eq!(pair.comes(&Packet::Pubrec(ack(1))), Ok(vec![]));
    let done = pair.comes(&Packet::Pubcomp(ack(1)));
    assert_eq!(done, Ok(vec![Event::Delivered(ticket(1))]));
}

#[test]
fn acknowledgements_of_nothing_in_flight_end_the_connection() {
    for packet in [
        Packet::Puback(ack(9)),
        Packet::Puback(ack(2)),
        Packet::Pubrec(ack(1)),
        Packet::Pubrec(ack(9)),
        Packet::Pubcomp(ack(2)),
        Packet::Suback(Suback { packet_id: id(1), properties: None, reasons: vec![] }),
        Packet::Pingreq,
        Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: None }),
    ] {
        let mut pair = pair();
        pair.connected(false);
        pair.publish(1, QoS::AtLeastOnce);
        pair.publish(2, QoS::ExactlyOnce);
        refused_id(&pair.comes(&packet));
    }
}

#[test]
fn no_more_than_a_window_is_in_flight_and_ids_in_use_are_passed_over() {
    let mut pair = pair();
    pair.connected(false);
    for number in 0..outgoing::WINDOW as u64 {
        pair.publish(number, QoS::AtLeastOnce);
    }
    assert!(!pair.session.has_room());
    // All but the first come and go until the ids have gone round.
    let mut expected = 2;
    for number in 0..70_000 {
        assert_eq!(pair.comes(&Packet::Puback(ack(expected))).map(|events| events.len()), Ok(1));
        let sent = pair.publish(number, QoS::AtLeastOnce);
        let [Packet::Publish(publish)] = &sent[..] else { panic!("{sent:?}") };
        assert_ne!(publish.packet_id, Some(id(1)), "it is in flight");
        expected = if expected == u16::MAX { 2 } else { expected + 1 };
    }
}

#[test]
fn what_is_given_up_leaves_its_id_until_the_broker_has_let_go_of_it() {
    let mut pair = pair();
    pair.connected(false);
    pair.publish(1, QoS::AtLeastOnce);
    pair.publish(2, QoS::ExactlyOnce);
    pair.session.lost();
    assert_eq!(pair.session.give_up(), [ticket(1), ticket(2)]);
    assert_eq!(pair.session.give_up(), []);
    assert_eq!(pair.connected(true), [Packet::Pubrel(ack(2))]);
    assert_eq!(pair.comes(&Packet::Pubcomp(ack(2))), Ok(vec![]), "nobody waits for it");
    pair.publish(3, QoS::ExactlyOnce);
    pair.session.lost();
    assert_eq!(pair.session.give_up(), [ticket(3)]);
    assert_eq!(pair.connected(false), [], "a new session knows no ids");
}

#[test]
fn qos_0_is_delivered_when_written_and_goes_again_when_it_was_not() {
    let mut pair = pair();
    pair.connected(false);
    assert_eq!(pair.publish(1, QoS::AtMostOnce).len(), 1);
    assert_eq!(pair.connected(false).len(), 1);
    assert_eq!(pair.session.written(), [ticket(1)]);
    assert_eq!(pair.session.written(), []);
    assert_eq!(pair.connected(false), []);
}

#[test]
fn suback_answers_the_subscribe_it_names() {
    let mut pair = pair();
    pair.connected(false);
    let filters = ["a/#", "b"].map(|text| TopicFilter::try_from(text).expect(text));
    pair.session.subscribe(pair.now, &filters, QoS::AtLeastOnce);
    let sent = pair.sent();
    let [Packet::Subscribe(subscribe)] = &sent[..] else { panic!("{sent:?}") };
    let packet_id = subscribe.packet_id;
    assert_eq!(subscribe.subscriptions.len(), 2);
    assert!(subscribe.subscriptions.iter().all(|(_, one)| one.qos == QoS::AtLeastOnce));
    let suback =
        |reasons: Vec<ReasonCode>| Packet::Suback(Suback { packet_id, properties: None, reasons });
    refused_id(&pair.comes(&suback(vec![ReasonCode::GrantedQoS1])));
    let reasons = vec![ReasonCode::GrantedQoS1, ReasonCode::UnspecifiedError];
    let granted = pair.comes(&suback(reasons.clone()));
    assert_eq!(granted, Ok(vec![Event::Subscribed(reasons)]));
}

#[test]
fn silence_after_connect_subscribe_and_pingreq_is_noticed() {
    let mut pair = pair();
    pair.session.connect(pair.now, false);
    pair.sent();
    assert_eq!(pair.later(2 * SECOND), Ok(vec![]));
    assert_eq!(pair.later(SECOND), Err(Fault::Silent { to: "CONNECT" }));

    pair.connected(false);
    let filter = TopicFilter::try_from("a").expect("a filter");
    pair.session.subscribe(pair.now, &[filter], QoS::AtLeastOnce);
    pair.sent();
    assert_eq!(pair.later(3 * SECOND), Err(Fault::Silent { to: "SUBSCRIBE" }));

    pair.connected(false);
    assert_eq!(pair.later(9 * SECOND), Ok(vec![]));
    assert_eq!(pair.later(SECOND), Ok(vec![Packet::Pingreq]));
    assert_eq!(pair.comes(&Packet::Pingresp), Ok(vec![]));
    assert_eq!(pair.later(10 * SECOND), Ok(vec![Packet::Pingreq]));
    assert_eq!(pair.session.deadline(), Some(pair.now + 10 * SECOND));
    assert_eq!(pair.later(10 * SECOND), Err(Fault::Silent { to: "PINGREQ" }));
}

#[test]
fn a_broker_that_is_sent_to_but_says_nothing_is_asked_whether_it_is_there() {
    let mut pair = pair();
    pair.connected(false);
    pair.later(6 * SECOND).expect("alive");
    pair.publish(1, QoS::AtMostOnce);
    assert_eq!(pair.later(4 * SECOND), Ok(vec![Packet::Pingreq]));
}

#[test]
fn a_broker_that_is_not_read_from_hears_of_us_and_is_not_held_to_be_silent() {
    let mut pair = pair();
    pair.connected(false);
    pair.session.reading(pair.now, false);
    for _ in 0..5 {
        assert_eq!(pair.later(10 * SECOND), Ok(vec![Packet::Pingreq]));
    }
    pair.session.reading(pair.now, true);
    assert_eq!(pair.later(9 * SECOND), Ok(vec![]));
    assert_eq!(pair.later(SECOND), Err(Fault::Silent { to: "PINGREQ" }));
}

#[test]
fn bytes_that_are_no_packet_or_too_many_end_the_connection() {
    // Type 0; a length of five bytes; a PUBLISH of QoS 3; one byte more than is taken.
    let too_large = [0x30, 0x81, 0x80, 0x80, 0x20];
    for bytes in
        [&[0x00, 0x00][..], &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01], &[0x36, 0x00], &too_large]
    {
        let mut pair = pair();
        pair.connected(false);
        pair.input.extend_from_slice(bytes);
        let fault = pair.session.receive(pair.now, &mut pair.input).expect_err("no packet");
        assert!(fault.to_string().starts_with("the broker sent what cannot be read: "), "{fault}");
    }
}

#[test]
fn no_bytes_from_a_broker_make_a_panic() {
    // A small generator is enough: the decoder has its fuzzing, this is what stands behind it.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2_000 {
        let mut pair = pair();
        pair.connected(false);
        pair.publish(1, QoS::ExactlyOnce);
        for _ in 0..20 {
            let packet_id = id((next() % 3) as u16 + 1);
            let packet_ack = Ack { packet_id, reason: ReasonCode::Success, properties: None };
            let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][(next() % 3) as usize];
            let payload = ["x", "y"][(next() % 2) as usize];
            let packet = match next() % 9 {
                0 => Packet::Puback(packet_ack),
                1 => Packet::Pubrec(packet_ack),
                2 => Packet::Pubrel(packet_ack),
                3 => Packet::Pubcomp(packet_ack),
                4..7 => Packet::Publish(publish(packet_id.get(), qos, payload)),
                7 => Packet::Pingresp,
                _ => Packet::Suback(Suback { packet_id, properties: None, reasons: vec![] }),
            };
            if let Ok(events) = pair.comes(&packet) {
                for event in events {
                    if let Event::Message(_, Some(receipt)) = event
                        && next() % 2 == 0
                    {
                        pair.session.acknowledge(pair.now, receipt);
                    }
                }
            } else {
                pair.input.clear();
                pair.connected(next() % 2 == 0);
            }
        }
    }
}
