//! Clients made by others: rumqttc, and Mosquitto's.

use std::time::Duration;

use midge_tests::{DEADLINE, Midge, Outgoing, Publisher, QOS1, Subscriber, VERSIONS, message};
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Connection, Event, MqttOptions, mqttbytes::QoS};

fn rumqttc(midge: &Midge, client_id: &str) -> (Client, Connection) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", midge.port(1));
    options.set_keep_alive(Duration::from_secs(30));
    Client::new(options, 100)
}

/// Drives a connection of rumqttc until a packet is picked.
fn pick<T>(connection: &mut Connection, mut pick: impl FnMut(Packet) -> Option<T>) -> T {
    loop {
        match connection.recv_timeout(DEADLINE).expect("an event in time").expect("no error") {
            Event::Incoming(packet) => {
                if let Some(picked) = pick(packet) {
                    return picked;
                }
            }
            Event::Outgoing(_) => {}
        }
    }
}

#[test]
fn rumqttc_publishes_and_subscribes_at_every_qos() {
    let midge = Midge::start("");
    let (client, mut connection) = rumqttc(&midge, "rumqttc");
    client.subscribe("rumqttc/#", QoS::ExactlyOnce).expect("queued");
    pick(&mut connection, |packet| matches!(packet, Packet::SubAck(_)).then_some(()));
    for (number, qos) in
        [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate()
    {
        client
            .publish(format!("rumqttc/{number}"), qos, false, number.to_string())
            .expect("queued");
        let (topic, payload, received) = pick(&mut connection, |packet| match packet {
            Packet::Publish(publish) => Some((publish.topic, publish.payload, publish.qos)),
            _ => None,
        });
        assert_eq!(topic, format!("rumqttc/{number}"));
        assert_eq!(payload, number.to_string());
        assert_eq!(received, qos);
    }
}

#[test]
fn rumqttc_and_the_programs_of_mosquitto_understand_each_other() {
    let midge = Midge::start("");
    let subscriber =
        Subscriber::new(&midge, &["-V", "mqttv5", "-v", "-q", "1", "-t", "to/mosquitto"]);
    let (client, mut connection) = rumqttc(&midge, "rumqttc");
    client.subscribe("to/rumqttc", QoS::AtLeastOnce).expect("queued");
    pick(&mut connection, |packet| matches!(packet, Packet::SubAck(_)).then_some(()));
    client.publish("to/mosquitto", QoS::AtLeastOnce, false, "from rumqttc").expect("queued");
    pick(&mut connection, |packet| matches!(packet, Packet::PubAck(_)).then_some(()));
    subscriber.prints("to/mosquitto from rumqttc");
    Publisher::new(&midge)
        .arguments(&["-t", "to/rumqttc", "-m", "from mosquitto", "-q", "2"])
        .succeeds();
    let payload = pick(&mut connection, |packet| match packet {
        Packet::Publish(publish) => Some(publish.payload),
        _ => None,
    });
    assert_eq!(payload, "from mosquitto");
}

#[test]
fn the_programs_of_mosquitto_understand_each_other_in_every_version() {
    let midge = Midge::start("");
    for subscriber_version in ["mqttv31", "mqttv311", "mqttv5"] {
        let arguments = ["-V", subscriber_version, "-v", "-q", "2", "-t", "t/+"];
        let subscriber = Subscriber::new(&midge, &arguments);
        for publisher_version in ["mqttv31", "mqttv311", "mqttv5"] {
            for qos in ["0", "1", "2"] {
                let payload = format!("{publisher_version} {qos}");
                let arguments = ["-V", publisher_version, "-q", qos, "-t", "t/x", "-m", &payload];
                Publisher::new(&midge).arguments(&arguments).succeeds();
                subscriber.prints(&format!("t/x {payload}"));
            }
        }
    }
}

#[test]
fn mosquitto_pub_sends_many_lines_and_mosquitto_sub_prints_them_in_order() {
    let midge = Midge::start("max_queued_messages 0");
    let subscriber = Subscriber::new(&midge, &["-q", "1", "-t", "lines"]);
    let lines: Vec<String> = (0..500).map(|number| format!("line {number}")).collect();
    let publisher = Publisher::new(&midge).arguments(&["-q", "1", "-t", "lines"]);
    publisher.lines(lines.join("\n")).succeeds();
    assert_eq!(subscriber.messages(500), lines);
}

#[test]
fn mosquitto_sub_finds_its_persistent_session_again() {
    let midge = Midge::start("");
    let arguments = ["-i", "durable", "-c", "-q", "1", "-t", "durable"];
    drop(Subscriber::new(&midge, &arguments));
    Publisher::new(&midge).arguments(&["-q", "1", "-t", "durable", "-m", "waited"]).succeeds();
    Subscriber::new(&midge, &arguments).prints("waited");
}

#[test]
fn mosquitto_rr_gets_an_answer() {
    let midge = Midge::start("");
    let mut responder = midge.client("responder");
    responder.subscribe("question", QOS1);
    let port = midge.port(1).to_string();
    let asking = std::thread::spawn(move || {
        let arguments = ["-h", "localhost", "-p", &port, "-V", "mqttv5", "-t", "question"];
        let more = ["-e", "answer", "-m", "what?", "-q", "1", "-W", "30"];
        midge_tests::run("mosquitto_rr", &[&arguments[..], &more].concat())
    });
    let question = responder.accept();
    let properties = question.properties.expect("properties");
    let answer_to = properties.response_topic.as_ref().expect("a response topic").to_string();
    let answer = message(&answer_to, "that").qos(QOS1);
    responder.publish(answer.with(|set| set.correlation_data = properties.correlation_data));
    assert_eq!(asking.join().expect("mosquitto_rr").success().stdout, "that\n");
}

#[test]
fn large_and_empty_payloads_arrive_whole() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("t", QOS1);
        let mut publisher = midge.dial(version, "publisher").connect();
        for length in [0, 1, 127, 128, 16_383, 16_384, 1_000_000] {
            let payload: Vec<u8> = (0..length).map(|index: u32| (index % 251) as u8).collect();
            publisher.publish(message("t", payload.clone()).qos(QOS1));
            assert_eq!(subscriber.accept().payload, payload, "{length} bytes");
        }
    }
}

#[test]
fn packets_may_arrive_byte_by_byte_and_many_at_once() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.client("subscriber");
        subscriber.subscribe("t", QOS1);
        let mut bytes = bytes::BytesMut::new();
        let mut packets = vec![midge.dial(version, "slow").packet()];
        for number in 1..=3 {
            let publish = message("t", number.to_string()).qos(QOS1).id(number);
            packets.push(midge_codec::Packet::Publish(publish));
        }
        for packet in &packets {
            midge_codec::encode(packet, version, u32::MAX, &mut bytes).expect("a packet");
        }
        for chunk in [1, 7, bytes.len()] {
            let mut raw = midge.raw();
            for part in bytes.chunks(chunk) {
                raw.send_bytes(part);
            }
            for number in 1..=3 {
                subscriber.expect("t", &number.to_string());
            }
        }
    }
}
