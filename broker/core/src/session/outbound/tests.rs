use super::*;
use crate::message::Message;
use crate::message::{Memory, Origin};
use crate::session::flight::PACKET_IDS;
use crate::session::{Acknowledged, Identifiers, Shape};
use bytes::Bytes;
use midge_codec::TopicName;

fn window(messages: usize) -> Window {
    Window { messages, bytes: usize::MAX }
}

fn delivery(qos: QoS, number: u32) -> Delivery {
    let message = Message::new(
        TopicName::try_from("t").unwrap(),
        Bytes::from(number.to_string()),
        qos,
        false,
        None,
        None,
        0,
        Origin::Broker,
        Vec::new(),
    )
    .keep(&Memory::new(usize::MAX));
    Shape { qos, retain: false, identifiers: Identifiers::None, shared: None }.of(message)
}

#[test]
fn packet_ids_wrap_past_65535_and_never_meet_one_in_use() {
    let mut outbound = Outbound::default();
    let first = outbound.start(delivery(QoS::AtLeastOnce, 0)).0;
    assert_eq!(first.get(), 1);
    for number in 1..PACKET_IDS {
        let id = outbound.start(delivery(QoS::AtLeastOnce, number as u32)).0;
        assert!(matches!(outbound.flight.puback(id), Acknowledged::Finished));
    }
    assert!(outbound.must_wait(QoS::AtLeastOnce, window(usize::MAX)), "id 1 is still in use");
    assert!(matches!(outbound.flight.puback(first), Acknowledged::Finished));
    assert!(!outbound.must_wait(QoS::AtLeastOnce, window(usize::MAX)));
    assert_eq!(outbound.start(delivery(QoS::AtLeastOnce, 0)).0.get(), 1);
    assert_eq!(outbound.flight.len(), 1);
}

#[test]
fn acknowledgements_move_each_state_to_the_next_and_no_other() {
    let mut outbound = Outbound::default();
    let one = outbound.start(delivery(QoS::AtLeastOnce, 1)).0;
    let two = outbound.start(delivery(QoS::ExactlyOnce, 2)).0;
    assert!(matches!(outbound.flight.pubrec(one, false, false), Acknowledged::Unknown));
    assert!(matches!(outbound.flight.puback(two), Acknowledged::Unknown));
    assert!(matches!(outbound.flight.pubcomp(two), Acknowledged::Unknown));
    assert!(matches!(outbound.flight.pubrec(two, false, false), Acknowledged::Release));
    assert!(matches!(outbound.flight.pubrec(two, false, false), Acknowledged::Release));
    assert!(matches!(outbound.flight.pubcomp(two), Acknowledged::Finished));
    assert!(matches!(outbound.flight.pubcomp(two), Acknowledged::Unknown));
    assert!(matches!(outbound.flight.puback(one), Acknowledged::Finished));
    assert!(matches!(outbound.flight.puback(one), Acknowledged::Unknown));
    assert_eq!(outbound.flight.len(), 0);
}

#[test]
fn a_refusing_pubrec_ends_the_exchange() {
    let mut outbound = Outbound::default();
    let id = outbound.start(delivery(QoS::ExactlyOnce, 1)).0;
    assert!(matches!(outbound.flight.pubrec(id, true, false), Acknowledged::Finished));
    outbound.flight.rewind();
    assert!(outbound.flight.next_resend(window(10)).is_none());
}

#[test]
fn what_was_in_flight_is_sent_again_in_order_as_far_as_the_new_window_allows() {
    let mut outbound = Outbound::default();
    let ids: Vec<PacketId> =
        (0..3).map(|number| outbound.start(delivery(QoS::ExactlyOnce, number)).0).collect();
    assert!(matches!(outbound.flight.pubrec(ids[2], false, false), Acknowledged::Release));
    outbound.flight.rewind();
    assert!(outbound.must_wait(QoS::AtLeastOnce, window(10)), "new messages come after");
    assert_eq!(outbound.flight.next_resend(window(1)).map(|(id, _)| id), Some(ids[0]));
    assert!(outbound.flight.next_resend(window(1)).is_none());
    assert!(
        matches!(outbound.flight.pubrec(ids[1], false, false), Acknowledged::Unknown),
        "not sent yet"
    );
    assert!(matches!(outbound.flight.pubrec(ids[0], false, false), Acknowledged::Release));
    assert!(matches!(outbound.flight.pubcomp(ids[0]), Acknowledged::Finished));
    assert_eq!(outbound.flight.next_resend(window(1)).map(|(id, _)| id), Some(ids[1]));
    let last = outbound.flight.next_resend(window(1)).map(|(id, slot)| (id, slot.clone()));
    assert!(matches!(last, Some((id, Inflight::AwaitPubcomp)) if id == ids[2]));
    assert!(outbound.flight.next_resend(window(1)).is_none());
}

#[test]
fn the_queue_holds_no_more_than_its_limits() {
    let mut outbound = Outbound::default();
    let limits = Limits { max_queued_messages: 2, ..Limits::default() };
    let mut push = |number, limits: &Limits| {
        outbound.push(delivery(QoS::AtLeastOnce, number), false, limits, Instant::now(), &mut 0)
    };
    assert_eq!(push(1, &limits), Push::Queued(1));
    assert_eq!(push(2, &limits), Push::Queued(2));
    assert_eq!(push(3, &limits), Push::Full);
    let bytes = Limits { max_queued_messages: 0, max_queued_bytes: 1, ..limits };
    assert_eq!(push(4, &bytes), Push::Full);
}
