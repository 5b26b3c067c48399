//! Who takes part in a round, and how the broker is set up for it.

use midge_codec::ProtocolVersion::{V5, V311};
use midge_tests::{Midge, QOS1, QOS2, Setup};

use crate::fleet::Fleet;
use crate::random::Random;
use crate::receiver::{Presence, Receiver};

/// A number from the environment.
pub(crate) fn from_environment(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}: found {text:?}, expected a number"))
}

/// A broker that keeps everything in `@DIR@/data`, in small segments, so that compaction has work.
pub(crate) fn setup(random: &mut Random) -> Setup {
    let inflight = random.one_of(&[1, 20, 0]);
    Setup::conf(&format!(
        "persistence true\npersistence_location @DIR@/data\nmax_queued_messages 0\n\
         max_inflight_messages {inflight}\nsys_interval 0\nconnection_messages false\n"
    ))
    .environment("MIDGE__PERSISTENCE__SEGMENT_SIZE", "1048576")
}

/// Publishers and receivers of every kind.
pub(crate) fn fleet(midge: &Midge, mut random: Random) -> Fleet {
    let mut fleet = Fleet::new(midge.address(), random.fork());
    for (name, version, stored) in [("1", V5, true), ("2", V311, true), ("3", V5, false)] {
        fleet.publisher(name, version, stored);
    }
    let mut receiver = |name: &str, version, presence, filters: &[Wanted]| {
        let ledger = &mut fleet.ledger;
        let mut receiver = Receiver::new(name, version, presence, random.fork(), ledger);
        for Wanted(filter, group, qos, changes) in filters {
            receiver = receiver.subscribes(filter, *group, *qos, *changes, ledger);
        }
        fleet.receiver(receiver);
    };
    receiver("online-1", V311, Presence::Stays, &[Wanted("load/#", None, QOS1, false)]);
    receiver("online-2", V5, Presence::Stays, &[Wanted("load/#", None, QOS2, false)]);
    receiver("visitor-1", V5, Presence::Visits, &[Wanted("load/+/q1/#", None, QOS1, false)]);
    receiver("visitor-2", V311, Presence::Visits, &[Wanted("load/+/+/0", None, QOS2, false)]);
    receiver("offline-1", V311, Presence::Leaves, &[Wanted("load/1/#", None, QOS1, false)]);
    receiver("offline-2", V5, Presence::Leaves, &[Wanted("load/#", None, QOS2, false)]);
    receiver(
        "changing",
        V5,
        Presence::Stays,
        &[
            Wanted("load/1/q1/+", None, QOS1, true),
            Wanted("load/1/q2/+", None, QOS2, true),
            Wanted("load/2/q2/+", None, QOS2, true),
            Wanted("load/3/q1/0", None, QOS1, false),
        ],
    );
    for (name, version, presence) in [
        ("shared-1", V5, Presence::Stays),
        ("shared-2", V311, Presence::Visits),
        ("shared-3", V5, Presence::Leaves),
    ] {
        receiver(name, version, presence, &[Wanted("load/+/+/1", Some("g"), QOS2, false)]);
    }
    fleet
}

/// A filter, its group, its QoS, and whether it is made and removed again and again.
struct Wanted(&'static str, Option<&'static str>, midge_codec::QoS, bool);

/// The seed of the first round: another one each time unless it is given.
pub(crate) fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map_or(1, |since| since.as_secs());
    from_environment("CRASH_SEED", seconds)
}
