//! `kill -9` of the process, again and again.
//!
//! `CRASH_KILLS` says how often (default 40), `CRASH_SEED` from which seed on. A round has up to
//! [`ROUND`] kills on one directory; then everything is drained and counted, and the next round has
//! the next seed.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use midge_tests::Midge;
use rustix::process::{Signal, kill_process};

use crate::disk::Image;
use crate::fleet::Fleet;
use crate::mix;
use crate::random::Random;

const ROUND: u64 = 25;

/// What a number of rounds came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) crashes: u64,
    pub(crate) acknowledged: usize,
    pub(crate) deliveries: usize,
    pub(crate) witnessed: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, crashes: u64, fleet: &Fleet) {
        self.crashes += crashes;
        self.acknowledged += fleet.ledger.promised();
        self.deliveries += fleet.ledger.deliveries();
        self.witnessed += fleet.witnessed;
    }

    pub(crate) fn tell(&self, what: &str, seed: u64, started: Instant) {
        let Tally { crashes, acknowledged, deliveries, witnessed } = self;
        let seconds = started.elapsed().as_secs();
        println!(
            "{crashes} {what} in {seconds} s from seed {seed}: {acknowledged} messages \
             acknowledged, {deliveries} deliveries, retained messages compared after \
             {witnessed} starts; nothing lost, twice or out of order"
        );
    }
}

/// How long a life lasts once somebody has been let in.
pub(crate) const LIFE: Range<Duration> = Duration::from_micros(100)..Duration::from_millis(150);

/// Lets everybody work, and kills the broker at a random moment of it.
pub(crate) fn kill(midge: &mut Midge, fleet: &mut Fleet, life: Range<Duration>) {
    // Some deaths come while it reads what the last one left.
    if !fleet.random.one_in(5) {
        fleet.await_connack();
    }
    let (life, pid) = (fleet.random.duration(life), midge.pid());
    // From another thread, so that it comes in the middle of what this one does.
    let killer = std::thread::spawn(move || {
        std::thread::sleep(life);
        // It is still ours to wait for, so the number is nobody else's.
        let _ = kill_process(pid, Signal::KILL);
    });
    while !killer.is_finished() {
        fleet.turn();
    }
    killer.join().expect("the killer");
    midge.await_kill();
    fleet.read_out();
}

/// Fails with every fault, its seed and the end of the story; the journal is kept to be looked at.
pub(crate) fn assert_kept(midge: &mut Midge, fleet: &Fleet, seed: u64, again: &str) {
    let faults = fleet.verdict();
    if faults.is_empty() {
        return;
    }
    let texts: Vec<String> = faults.iter().take(20).map(ToString::to_string).collect();
    let kept = keep(midge, seed);
    panic!(
        "seed {seed}: {} faults; again with {again}; journal in {}\n{}",
        faults.len(),
        kept.display(),
        texts.join("\n")
    );
}

/// Ends the broker and copies what it has on disk.
fn keep(midge: &mut Midge, seed: u64) -> PathBuf {
    midge.signal(Signal::KILL);
    midge.await_kill();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-seed-{seed}"));
    std::fs::create_dir_all(&kept).expect("a directory");
    Image::read(&midge.directory().join("data")).write(&kept);
    kept
}

fn round(seed: u64, kills: u64, tally: &mut Tally) {
    let mut random = Random::new(seed);
    // The system keeps what it was given, whether the disk has it or not.
    let durability = random.one_of(&["fsync", "fsync", "os"]);
    let setup = mix::setup(&mut random);
    let mut midge = setup.environment("MIDGE__PERSISTENCE__DURABILITY", durability).start();
    let mut fleet = mix::fleet(&midge, random);
    for _ in 0..kills {
        kill(&mut midge, &mut fleet, LIFE);
        midge.start_again();
        fleet.ledger.life += 1;
        fleet.send_witness();
        if !fleet.ledger.faults.is_empty() {
            break;
        }
    }
    fleet.drain();
    assert_kept(&mut midge, &fleet, seed, &format!("CRASH_SEED={seed} CRASH_KILLS={kills}"));
    tally.add(kills, &fleet);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let (kills, first) = (mix::from_environment("CRASH_KILLS", 40), mix::seed());
    let (mut tally, started) = (Tally::default(), Instant::now());
    let mut seed = first;
    while tally.crashes < kills {
        round(seed, ROUND.min(kills - tally.crashes), &mut tally);
        seed += 1;
    }
    assert!(tally.acknowledged > 0 && tally.witnessed > 0, "nothing happened");
    tally.tell("kills", first, started);
}
