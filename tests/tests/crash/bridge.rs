//! The broker is killed, half of the times with the power, and Kafka is stopped, with records going
//! both ways.
//!
//! A source takes all the load of the fleet: every acknowledged message has to be in Kafka, for the
//! first time in the order of its topic. A sink feeds stored sessions: each record has to reach each
//! of them exactly once. `CRASH_BRIDGE_KILLS` says how often (default 10).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::ProtocolVersion::{V5, V311};
use midge_tests::{Kafka, Midge, QOS2, until};

use crate::disk::Image;
use crate::fleet::Fleet;
use crate::kills::{Tally, assert_kept, kill};
use crate::power_cuts::cut;
use crate::random::Random;
use crate::receiver::{Presence, Wanted};
use crate::{mix, payload, preload};

/// A broker that was killed is known to Kafka until its session has timed out, unless it comes back
/// under the same name.
const CONNECTORS: &str = "
[connectors.spooled]
type = \"source\"
mqtt_filters = \"load/#\"
kafka_topic = \"spooled\"
ack = \"spool\"
spool_after = \"200ms\"

[connectors.fed]
type = \"sink\"
kafka_topics = \"fed\"
mqtt_topic = \"fed/${key}\"
qos = 2
properties = { \"group.instance.id\" = \"midge\" }
";

const KEYS: u64 = 4;
/// Long enough that records pass, and short enough that some are on their way.
const LIFE: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(1500);
/// Kafka comes back, and a consumer joins its group.
const PATIENCE: Duration = Duration::from_secs(120);

fn start(kafka: &Kafka, random: &mut Random) -> (Midge, Fleet) {
    let bootstrap = kafka.bootstrap();
    let bridge = format!("[kafka]\nbootstrap_servers = \"{bootstrap}\"\n{CONNECTORS}");
    let midge = preload::recorded(mix::setup_with(20).bridge(&bridge)).start();
    let mut fleet = mix::fleet(&midge, random.fork());
    let fed = [Wanted("fed/#", None, QOS2, false)];
    fleet.receiver("fed-online", V5, Presence::Stays, &fed);
    fleet.receiver("fed-visitor", V311, Presence::Visits, &fed);
    fleet.receiver("fed-offline", V5, Presence::Leaves, &fed);
    fleet.patience = PATIENCE;
    // Kafka takes seconds to stop and to start, and what is published meanwhile has to be read.
    fleet.slow_down(Duration::from_millis(30));
    fleet.await_subscriptions();
    (midge, fleet)
}

/// Puts some records into Kafka; the fleet expects them.
fn feed(kafka: &Kafka, fleet: &mut Fleet) {
    let (mut lines, mut records) = (String::new(), Vec::new());
    for _ in 0..fleet.random.number(1..60) {
        let key = fleet.random.number(0..KEYS);
        let topic: Arc<str> = format!("fed/{key}").into();
        let number = fleet.ledger.sent(&topic, QOS2, None);
        let payload = payload::compose(number, &mut fleet.random);
        let text = String::from_utf8(payload.to_vec()).expect("text");
        lines.push_str(&format!("{key}:{text}\n"));
        records.push((topic, number));
    }
    kafka.produce("fed", &lines);
    for (topic, number) in records {
        fleet.ledger.acknowledged(&topic, number, false);
    }
}

/// Does something that takes its time, and keeps everybody going.
fn meanwhile(fleet: &mut Fleet, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            fleet.turn();
        }
        work.join().expect("what was done meanwhile");
    });
}

/// What is wrong with the records that came of the load.
fn missing(kafka: &Kafka, fleet: &Fleet) -> Option<String> {
    let mut came: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for record in kafka.records("spooled", "%k %s\n") {
        let (topic, value) = record.split_once(' ').expect("a key and a value");
        let number = payload::number(value.as_bytes());
        let number = number.unwrap_or_else(|| panic!("a damaged record of {topic}: {value:?}"));
        came.entry(topic.to_owned()).or_default().push(number);
    }
    let load = fleet.ledger.topics.iter().filter(|(topic, _)| topic.starts_with("load/"));
    load.into_iter().find_map(|(topic, messages)| {
        let came = came.get(&**topic).map_or(&[][..], Vec::as_slice);
        let mut next = 0;
        for number in came {
            // All are acknowledged by now, so none may be passed over.
            if *number > next {
                return Some(format!("{topic}: number {number} came before {next}"));
            }
            next += usize::from(*number == next);
        }
        let length = messages.len();
        (next < length).then(|| format!("{topic}: number {next} of {length} is not in Kafka"))
    })
}

#[test]
fn what_is_acknowledged_reaches_kafka_and_each_record_comes_once_though_both_are_killed() {
    let kills = mix::from_environment("CRASH_BRIDGE_KILLS", 10);
    let (seed, started) = (mix::seed(), Instant::now());
    let mut random = Random::new(seed);
    let kafka = Kafka::own();
    kafka.create_topic("spooled", 3);
    kafka.create_topic("fed", 2);
    let (mut midge, mut fleet) = start(&kafka, &mut random);
    let (mut base, mut away) = (Image::default(), false);
    for number in 0..kills {
        // It is away for some lives of every ten, at first with the broker up.
        match number % 10 {
            3 => meanwhile(&mut fleet, || kafka.stop()),
            7 => meanwhile(&mut fleet, || kafka.resume()),
            _ => {}
        }
        away = (3..7).contains(&(number % 10));
        if !away {
            feed(&kafka, &mut fleet);
        }
        kill(&mut midge, &mut fleet, LIFE);
        base = match fleet.random.one_in(2) {
            true => cut(&midge, &mut fleet, &base),
            false => preload::left_by_the_process(&midge),
        };
        midge.start_again();
        fleet.ledger.life += 1;
        fleet.send_witness();
        if !fleet.ledger.faults.is_empty() {
            break;
        }
    }
    if away {
        meanwhile(&mut fleet, || kafka.resume());
    }
    fleet.drain();
    let again = format!("CRASH_SEED={seed} CRASH_BRIDGE_KILLS={kills}");
    assert_kept(&mut midge, &fleet, seed, &again);
    let mut wrong = None;
    until(PATIENCE, &format!("Kafka has all of it, seed {seed}: {again}"), || {
        wrong = missing(&kafka, &fleet);
        if let Some(wrong) = &wrong {
            println!("{wrong}");
        }
        wrong.is_none().then_some(())
    });
    let mut tally = Tally::default();
    tally.add(kills, &fleet);
    tally.tell("kills with the bridge", seed, started);
}
