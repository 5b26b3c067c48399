//! Who takes part in a round, and how the broker is set up for it.

use midge_codec::ProtocolVersion::{V5, V311};
use midge_tests::{Midge, QOS1, QOS2, Setup};

use crate::fleet::Fleet;
use crate::random::Random;
use crate::receiver::{Presence, Wanted};

/// A number from the environment.
pub(crate) fn from_environment(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}: found {text:?}, expected a number"))
}

/// A broker that keeps everything in `@DIR@/data`, in small segments, so that compaction has work.
pub(crate) fn setup(random: &mut Random) -> Setup {
    let workers = random.one_of(&["1", "2", "3", "3"]);
    setup_with(random.one_of(&[1, 20, 0])).environment("MIDGE__BROKER__WORKERS", workers)
}

/// With this for `max_inflight_messages`.
pub(crate) fn setup_with(inflight: u16) -> Setup {
    Setup::conf(&format!(
        "persistence true\npersistence_location @DIR@/data\nmax_queued_messages 0\n\
         max_inflight_messages {inflight}\nsys_interval 0\nconnection_messages false\n"
    ))
    .environment("MIDGE__PERSISTENCE__SEGMENT_SIZE", "1048576")
}

/// Publishers and receivers of every kind.
pub(crate) fn fleet(midge: &Midge, random: Random) -> Fleet {
    let mut fleet = Fleet::new(midge.address(), random);
    for (name, version, stored) in [("1", V5, true), ("2", V311, true), ("3", V5, false)] {
        fleet.publisher(name, version, stored);
    }
    let stays = [Wanted("load/#", None, QOS1, false)];
    fleet.receiver("online-1", V311, Presence::Stays, &stays);
    let stays = [Wanted("load/#", None, QOS2, false)];
    fleet.receiver("online-2", V5, Presence::Stays, &stays);
    let visits = [Wanted("load/+/q1/#", None, QOS1, false)];
    fleet.receiver("visitor-1", V5, Presence::Visits, &visits);
    let visits = [Wanted("load/+/+/0", None, QOS2, false)];
    fleet.receiver("visitor-2", V311, Presence::Visits, &visits);
    let leaves = [Wanted("load/1/#", None, QOS1, false)];
    fleet.receiver("offline-1", V311, Presence::Leaves, &leaves);
    let leaves = [Wanted("load/#", None, QOS2, false)];
    fleet.receiver("offline-2", V5, Presence::Leaves, &leaves);
    let changes = [
        Wanted("load/1/q1/+", None, QOS1, true),
        Wanted("load/1/q2/+", None, QOS2, true),
        Wanted("load/2/q2/+", None, QOS2, true),
        Wanted("load/3/q1/0", None, QOS1, false),
    ];
    fleet.receiver("changing", V5, Presence::Stays, &changes);
    let shares = [Wanted("load/+/+/1", Some("g"), QOS2, false)];
    fleet.receiver("shared-1", V5, Presence::Stays, &shares);
    fleet.receiver("shared-2", V311, Presence::Visits, &shares);
    fleet.receiver("shared-3", V5, Presence::Leaves, &shares);
    fleet
}

/// The seed of the first round: another one each time unless it is given.
pub(crate) fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map_or(1, |since| since.as_secs());
    from_environment("CRASH_SEED", seconds)
}
