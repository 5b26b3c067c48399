//! The power goes, again and again: what was not synced is lost at random.
//!
//! `CRASH_POWER_CUTS` says how often (default 12), `CRASH_SEED` from which seed on. Each round has up
//! to [`ROUND`] cuts on one directory.

use std::time::{Duration, Instant};

use midge_tests::{Midge, Outgoing, QOS1, Setup, message};
use rustix::process::Signal;

use crate::disk::{Cut, Image};
use crate::fleet::Fleet;
use crate::kills::{LIFE, Tally, assert_kept, kill};
use crate::ledger::Wrong;
use crate::random::Random;
use crate::{mix, preload};

const ROUND: u64 = 20;

/// The broker is dead, and with it goes what a cut loses. Returns what is left.
pub(crate) fn cut(midge: &Midge, fleet: &mut Fleet, base: &Image) -> Image {
    let cut = Cut::any(&mut fleet.random);
    let left = preload::disk(midge, base).after(cut, &mut fleet.random);
    left.write(&midge.directory().join("data"));
    left
}

/// Cuts the power so many times, or until something is found wrong.
fn round(
    setup: Setup,
    mut random: Random,
    cuts: u64,
    patience: Option<Duration>,
) -> (Midge, Fleet) {
    let mut midge = preload::recorded(setup).start();
    let mut base = Image::default();
    let mut fleet = mix::fleet(&midge, random.fork());
    fleet.patience = patience.unwrap_or(fleet.patience);
    for _ in 0..cuts {
        kill(&mut midge, &mut fleet, LIFE);
        base = cut(&midge, &mut fleet, &base);
        midge.start_again();
        fleet.ledger.life += 1;
        fleet.send_witness();
        if !fleet.ledger.faults.is_empty() {
            break;
        }
    }
    fleet.drain();
    (midge, fleet)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let (cuts, first) = (mix::from_environment("CRASH_POWER_CUTS", 12), mix::seed());
    let (mut tally, started) = (Tally::default(), Instant::now());
    let mut seed = first;
    while tally.crashes < cuts {
        let (mut random, cuts) = (Random::new(seed), ROUND.min(cuts - tally.crashes));
        let (mut midge, fleet) = round(mix::setup(&mut random), random, cuts, None);
        assert_kept(
            &mut midge,
            &fleet,
            seed,
            &format!("CRASH_SEED={seed} CRASH_POWER_CUTS={cuts}"),
        );
        tally.add(cuts, &fleet);
        seed += 1;
    }
    assert!(tally.acknowledged > 0 && tally.witnessed > 0, "nothing happened");
    tally.tell("power cuts", first, started);
}

#[test]
fn a_store_that_does_not_sync_is_seen_to_lose_what_it_acknowledged() {
    for durability in ["os", "none"] {
        // How much is lost is chance, and that something is lost in ten cuts is not.
        let mut random = Random::new(mix::seed());
        let setup = mix::setup(&mut random);
        let setup = setup.environment("MIDGE__PERSISTENCE__DURABILITY", durability);
        // What is lost never comes, so there is no use in waiting for it.
        let (_midge, fleet) = round(setup, random, 10, Some(Duration::from_secs(3)));
        let faults = fleet.verdict();
        let loss = [Wrong::Lost, Wrong::Session, Wrong::Retained];
        let lost = faults.iter().find(|fault| loss.contains(&fault.wrong));
        let lost = lost.unwrap_or_else(|| panic!("{durability}: ten power cuts, nothing lost"));
        println!("{durability}: {} faults, one of them {lost}", faults.len());
    }
}

#[test]
fn the_record_holds_everything_that_happens_to_the_directory() {
    let mut random = Random::new(1);
    let mut midge = preload::recorded(mix::setup(&mut random)).start();
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS1);
    away.disconnect();
    let mut publisher = midge.client("publisher");
    // Several segments, so that some are made and some go.
    for number in 0..200 {
        publisher.publish(message("t", vec![b'x'; 20_000]).qos(QOS1));
        if number % 100 == 99 {
            let mut away = midge.v5("away").persistent().connect();
            (0..100).for_each(|_| _ = away.accept());
            away.disconnect();
        }
    }
    midge.signal(Signal::TERM);
    midge.ended();
    let recorded = preload::disk(&midge, &Image::default()).after(Cut::Everything, &mut random);
    let real = Image::read(&midge.directory().join("data"));
    assert_eq!(recorded.directories, real.directories);
    let names = |image: &Image| image.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&recorded), names(&real));
    for (path, content) in &recorded.files {
        assert!(*content == real.files[path], "{path} is not what was recorded");
    }
}
