//! What is kept on disk is there after a stop and after a crash.

use std::sync::atomic::{AtomicUsize, Ordering};

use midge_codec::{Packet, ProtocolVersion, ReasonCode};
use midge_tests::{
    Client, Midge, Outgoing, Publisher, QOS0, QOS1, QOS2, Setup, Subscriber, eventually, message,
    options, will,
};
use rustix::process::Signal;

/// Lines of `mosquitto.conf` with which a broker keeps what it is given.
pub(crate) const STORED: &str = "persistence true\npersistence_location @DIR@/data\n";

/// A broker that keeps what it is given, in small segments.
pub(crate) fn stored(conf: &str) -> Setup {
    Setup::conf(&format!("{STORED}{conf}"))
        .environment("MIDGE__PERSISTENCE__SEGMENT_SIZE", "1048576")
}

/// How a broker comes to its end, by name.
type End = (&'static str, fn(&mut Midge));

/// The two ends that a restart has to be good for.
const ENDS: [End; 2] = [("stop", Midge::restart), ("crash", Midge::crash)];

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[track_caller]
fn accept_all(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.accept().said()).collect()
}

#[test]
fn offline_messages_come_in_order_and_once_after_a_stop_and_after_a_crash() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let mut five = midge.v5("five").persistent().connect();
        five.subscribe_with("a/#", options(QOS2), Some(7));
        five.disconnect();
        let mut three = midge.v311("three").persistent().connect();
        three.subscribe("a/#", QOS1);
        three.disconnect();
        let mut publisher = midge.client("publisher");
        for (number, said) in numbered(60).into_iter().enumerate() {
            let qos = if number % 2 == 0 { QOS1 } else { QOS2 };
            publisher.publish(message("a/b", said).qos(qos));
        }
        restart(&mut midge);

        for (version, id) in [(ProtocolVersion::V5, "five"), (ProtocolVersion::V311, "three")] {
            let mut client = midge.dial(version, id).persistent().connect();
            assert!(client.session_present(), "{end}: {id}");
            assert_eq!(accept_all(&mut client, 60), numbered(60), "{end}: {id}");
            let mut other = midge.client("other");
            let publish = message("a/last", "").qos(QOS2).with(|properties| {
                properties.content_type = Some(midge_tests::text("text/plain"));
            });
            other.publish(publish);
            let last = client.expect("a/last", "");
            let identifiers = if version == ProtocolVersion::V5 { vec![7] } else { Vec::new() };
            assert_eq!(last.subscription_identifiers(), identifiers, "{end}");
            client.disconnect();
        }
    }
}

#[test]
fn what_an_acknowledgement_took_away_stays_away() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        subscriber.subscribe("gone", QOS1);
        subscriber.subscribe("stays", QOS1);
        subscriber.unsubscribe(&["gone"]);
        midge.v5("ended").persistent().connect().disconnect();
        midge.client("ended").disconnect();
        let mut publisher = midge.client("publisher");
        publisher.publish(message("retained", "old").qos(QOS1).retained());
        publisher.publish(message("retained", "").qos(QOS1).retained());
        publisher.publish(message("kept", "old").qos(QOS1).retained());
        publisher.publish(message("kept", "new").qos(QOS2).retained());
        restart(&mut midge);

        assert!(!midge.v5("ended").resume().connect().session_present(), "{end}");
        let mut publisher = midge.client("publisher");
        publisher.publish(message("gone", "x").qos(QOS1));
        publisher.publish(message("stays", "y").qos(QOS1));
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        subscriber.expect("stays", "y");
        let mut reader = midge.client("reader");
        reader.subscribe("#", QOS0);
        let kept = reader.expect("kept", "new");
        assert!(kept.retain, "{end}");
        assert!(
            !reader.unread().iter().any(|packet| matches!(packet, Packet::Publish(_))),
            "{end}: the other one was cleared"
        );
    }
}

#[test]
fn messages_in_flight_are_resent_under_their_packet_ids() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        subscriber.subscribe("t", QOS2);
        let mut publisher = midge.client("publisher");
        for (said, qos) in [("one", QOS1), ("two", QOS2), ("received", QOS2)] {
            publisher.publish(message("t", said).qos(qos));
        }
        let sent: Vec<_> = (0..3).map(|_| subscriber.message()).collect();
        let received = sent[2].packet_id.expect("a packet id");
        subscriber.send(Packet::Pubrec(midge_codec::Ack {
            packet_id: received,
            reason: ReasonCode::Success,
            properties: None,
        }));
        // The PUBREL goes out when it is on the disk that the client has the message.
        subscriber.pubrel(received);
        drop(subscriber);
        restart(&mut midge);

        let mut subscriber = midge.v5("subscriber").persistent().connect();
        for before in &sent[..2] {
            let again = subscriber.message();
            assert!(again.dup, "{end}: {again:?}");
            assert_eq!((again.packet_id, again.said()), (before.packet_id, before.said()), "{end}");
            subscriber.acknowledge(&again);
        }
        subscriber.pubrel(received);
        let unread = subscriber.unread();
        assert!(!unread.iter().any(|one| matches!(one, Packet::Publish(_))), "{end}: {unread:?}");
    }
}

#[test]
fn a_publisher_of_qos_2_goes_on_where_it_was_and_its_message_comes_once() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        subscriber.subscribe("t", QOS2);
        subscriber.disconnect();
        let mut publisher = midge.v5("publisher").persistent().connect();
        let publish = message("t", "once").qos(QOS2);
        let id = publisher.send_publish(publish.clone()).expect("a packet id");
        publisher.pubrec(id);
        drop(publisher);
        restart(&mut midge);

        let mut publisher = midge.v5("publisher").persistent().connect();
        assert!(publisher.session_present(), "{end}");
        publisher.send_publish(publish.duplicate().id(id.get()));
        publisher.pubrec(id);
        publisher.send(Packet::Pubrel(midge_codec::Ack {
            packet_id: id,
            reason: ReasonCode::Success,
            properties: None,
        }));
        assert_eq!(publisher.pubcomp(id), ReasonCode::Success, "{end}");
        publisher.publish(message("t", "last").qos(QOS2));
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        assert_eq!(accept_all(&mut subscriber, 2), ["once", "last"], "{end}");
    }
}

#[test]
fn wills_that_were_pending_are_published() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let mut subscriber = midge.v5("subscriber").persistent().connect();
        subscriber.subscribe("wills/#", QOS1);
        subscriber.disconnect();
        let mut delayed = will("wills/delayed", "x");
        delayed.qos = QOS1;
        delayed.properties.will_delay_interval = Some(2);
        midge.v5("delayed").persistent().will(delayed).connect().vanish();
        let mut connected = will("wills/connected", "y");
        connected.qos = QOS2;
        let connected = midge.v5("connected").persistent().will(connected).connect();
        restart(&mut midge);

        let mut subscriber = midge.v5("subscriber").persistent().connect();
        let mut topics: Vec<String> =
            (0..2).map(|_| subscriber.accept().name().to_owned()).collect();
        topics.sort();
        assert_eq!(topics, ["wills/connected", "wills/delayed"], "{end}");
        drop(connected);
    }
}

#[test]
fn a_shared_subscription_keeps_its_messages() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        for id in ["one", "two"] {
            let mut member = midge.v5(id).persistent().connect();
            member.subscribe("$share/group/t", QOS1);
            member.disconnect();
        }
        let mut publisher = midge.client("publisher");
        for said in numbered(20) {
            publisher.publish(message("t", said).qos(QOS1));
        }
        restart(&mut midge);
        let mut members = ["one", "two"].map(|id| midge.v5(id).persistent().connect());
        let mut publisher = midge.client("publisher");
        publisher.publish(message("t", "20").qos(QOS1));
        let mut said: Vec<u32> = Vec::new();
        eventually(&format!("{end}: all messages of the group"), || {
            for member in &mut members {
                for packet in member.unread() {
                    if let Packet::Publish(publish) = packet {
                        member.acknowledge(&publish);
                        said.push(publish.said().parse().expect("a number"));
                    }
                }
            }
            (said.len() >= 21).then_some(())
        });
        said.sort_unstable();
        assert_eq!(said, (0..21).collect::<Vec<_>>(), "{end}");
    }
}

#[test]
fn mosquittos_own_clients_find_their_session_again() {
    for (end, restart) in ENDS {
        let mut midge = stored("").start();
        let arguments = ["-i", "device", "-c", "-q", "2", "-t", "a/#"];
        drop(Subscriber::new(&midge, &arguments));
        let lines = numbered(100).join("\n") + "\n";
        Publisher::new(&midge).arguments(&["-t", "a/b", "-q", "2"]).lines(lines).succeeds();
        restart(&mut midge);
        let subscriber = Subscriber::new(&midge, &arguments);
        assert_eq!(subscriber.messages(100), numbered(100), "{end}");
    }
}

#[test]
fn a_stop_and_a_crash_under_load_lose_nothing_that_was_acknowledged() {
    const PUBLISHERS: usize = 4;
    for signal in [Signal::TERM, Signal::KILL] {
        let mut midge = stored("max_queued_messages 0\n").start();
        // Sessions of several shards take each message.
        let subscribers = ["one", "two", "three"];
        for id in subscribers {
            let mut subscriber = midge.v5(id).persistent().connect();
            subscriber.subscribe("load/#", QOS1);
            subscriber.disconnect();
        }
        let counts: Vec<AtomicUsize> = (0..PUBLISHERS).map(|_| AtomicUsize::new(0)).collect();
        std::thread::scope(|scope| {
            for (number, count) in counts.iter().enumerate() {
                let publisher = midge.client(&format!("publisher {number}"));
                scope.spawn(move || publish_until_closed(publisher, number, count));
            }
            eventually("all publishers are at work", || {
                counts.iter().all(|count| count.load(Ordering::Relaxed) >= 25).then_some(())
            });
            midge.signal(signal);
        });
        midge.ended();
        midge.start_again();
        for id in subscribers {
            let mut subscriber = midge.v5(id).persistent().connect();
            let mut next = [0; PUBLISHERS];
            // What was not acknowledged may have been stored, too: one of each at most.
            while (0..PUBLISHERS).any(|one| next[one] < counts[one].load(Ordering::Relaxed)) {
                let publish = subscriber.accept();
                let number: usize =
                    publish.name().trim_start_matches("load/").parse().expect("a number");
                assert_eq!(publish.said(), next[number].to_string(), "{signal:?}: {id}");
                next[number] += 1;
            }
        }
    }
}

/// Publishes numbers, each once the one before is acknowledged, and counts acknowledgements.
fn publish_until_closed(mut publisher: Client, number: usize, count: &AtomicUsize) {
    let topic = format!("load/{number}");
    loop {
        let said = count.load(Ordering::Relaxed).to_string();
        let id = publisher.send_publish(message(&topic, said).qos(QOS1));
        let acknowledged = publisher.closed_or(|packet| match packet {
            Packet::Puback(ack) if Some(ack.packet_id) == id => Some(()),
            _ => None,
        });
        match acknowledged {
            Some(()) => count.fetch_add(1, Ordering::Relaxed),
            None => return,
        };
    }
}

#[test]
fn a_stop_leaves_nothing_to_be_mended() {
    let mut midge = stored("").start();
    let mut subscriber = midge.v5("subscriber").persistent().connect();
    subscriber.subscribe("t", QOS1);
    let mut last = will("t", "will");
    last.qos = QOS1;
    let _connected = midge.v5("connected").will(last).connect();
    let mut publisher = midge.client("publisher");
    publisher.publish(message("t", "x").qos(QOS1));
    publisher.publish(message("r", "x").qos(QOS1).retained());
    midge.restart();
    midge.says(&["1 sessions with 1 subscriptions", "2 queued"]);
    let log = midge.log();
    let mended = log.lines().find(|line| {
        ["rewritten", "cut", "is lost", "cannot be read"].iter().any(|said| line.contains(said))
    });
    assert_eq!(mended, None);
}

#[test]
fn without_persistence_nothing_is_written() {
    let conf = "persistence false\npersistence_location @DIR@/data\n";
    let setup = Setup::conf(conf).environment("MIDGE__PERSISTENCE__ENABLED", "false");
    let mut midge = setup.start();
    let mut subscriber = midge.v5("subscriber").persistent().connect();
    subscriber.subscribe("t", QOS1);
    midge.client("publisher").publish(message("t", "x").qos(QOS1).retained());
    subscriber.expect("t", "x");
    subscriber.disconnect();
    midge.signal(Signal::TERM);
    assert_eq!(midge.ended(), Some(0));
    let mut found: Vec<String> = std::fs::read_dir(midge.directory())
        .expect("its directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    found.sort();
    assert_eq!(found, ["mosquitto.conf", "output.log"]);
}

#[test]
fn the_store_is_counted_in_sys_topics() {
    let midge = stored("sys_interval 1\n").start();
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS1);
    away.disconnect();
    let mut publisher = midge.client("publisher");
    for said in numbered(5) {
        publisher.publish(message("t", said).qos(QOS1));
    }
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/broker/store/#", QOS0);
    let mut known = std::collections::BTreeMap::new();
    eventually("the store's figures", || {
        let publish = watcher.message();
        known.insert(publish.name().to_owned(), publish.said());
        let is = |topic: &str, value: &str| {
            known.get(&format!("$SYS/broker/store/{topic}")).is_some_and(|found| found == value)
        };
        let done = is("queues/entries", "5")
            && is("queues/count", "1")
            && is("state", "healthy")
            && is("lost", "0")
            && known.contains_key("$SYS/broker/store/disk/bytes");
        done.then_some(())
    });
}
