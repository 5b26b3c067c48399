//! A sync that fails: what it was to make durable may be gone for good, whatever a second one says.
//!
//! So the broker acknowledges nothing any more and ends, and the test loses all that was not synced.

use midge_tests::DEADLINE;

use crate::disk::{Cut, Image};
use crate::kills::assert_kept;
use crate::random::Random;
use crate::{mix, preload};

const ROUNDS: u64 = 4;

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends() {
    let first = mix::seed();
    for seed in first..first + ROUNDS {
        let mut random = Random::new(seed);
        let mut midge = preload::recorded(mix::setup(&mut random)).start();
        let mut fleet = mix::fleet(&midge, random);
        fleet.await_connack();
        let turns = fleet.random.number(1..200);
        (0..turns).for_each(|_| fleet.turn());
        let failure = midge.directory().join("fail-sync");
        std::fs::write(&failure, "1").expect("a file");
        let code = std::thread::scope(|scope| {
            let ended = scope.spawn(|| midge.ended());
            while !ended.is_finished() {
                fleet.turn();
            }
            ended.join().expect("it ended")
        });
        assert_eq!(code, Some(1), "seed {seed}: it ends within {DEADLINE:?}, as a failure");
        midge.says(&["nothing is acknowledged any more, the broker ends"]);
        midge.says(&["Error: store: ", "sync of a segment", "os error 5"]);
        fleet.read_out();

        let disk = preload::disk(&midge, &Image::default());
        let cut = fleet.random.one_of(&[Cut::Nothing, Cut::Changes, Cut::Everything]);
        disk.after(cut, &mut fleet.random).write(&midge.directory().join("data"));
        std::fs::remove_file(&failure).expect("a file");
        midge.start_again();
        fleet.ledger.life += 1;
        fleet.send_witness();
        fleet.drain();
        assert_kept(&mut midge, &fleet, seed, &format!("CRASH_SEED={seed}"));
        assert!(fleet.ledger.promised() > 0, "nothing happened");
    }
}
