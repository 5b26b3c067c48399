//! The journal against a plain model, through crashes that lose and tear what was not synced.
//!
//! `STORE_SEEDS` and `STORE_STEPS` in the environment make it longer, `STORE_SEED` repeats one run.

use midge_store::{Durability, SimulatedFiles};

use crate::model::number;
use crate::run::Run;

fn runs(name: &str, run: impl Fn(u64, u64)) {
    let steps = number("STORE_STEPS", 150);
    if let Ok(seed) = std::env::var("STORE_SEED") {
        return run(seed.parse().expect("a number"), steps);
    }
    for seed in 0..number("STORE_SEEDS", 25) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, steps)));
        if let Err(panic) = outcome {
            eprintln!("repeat with: STORE_SEED={seed} STORE_STEPS={steps} cargo test {name}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn what_was_durable_survives_power_cuts_and_nothing_else_comes_back() {
    runs("what_was_durable_survives_power_cuts_and_nothing_else_comes_back", |seed, steps| {
        let mut run = Run::new(seed, Durability::Fsync);
        for _ in 0..steps {
            run.step();
            if run.chance(12) {
                run.power_cut();
            } else if run.chance(20) {
                run.kill();
            } else if run.chance(20) {
                run.restart();
            }
        }
        run.power_cut();
    });
}

#[test]
fn without_syncs_what_was_written_survives_the_end_of_the_process() {
    runs("without_syncs_what_was_written_survives_the_end_of_the_process", |seed, steps| {
        let mut run = Run::new(seed, Durability::Os);
        for _ in 0..steps {
            run.step();
            if run.chance(12) {
                run.kill();
            } else if run.chance(20) {
                run.restart();
            } else if run.chance(10) {
                run.sync();
            }
        }
        run.kill();
    });
}

#[test]
fn a_clean_shutdown_keeps_everything_without_durability() {
    runs("a_clean_shutdown_keeps_everything_without_durability", |seed, steps| {
        let mut run = Run::new(seed, Durability::None);
        for _ in 0..steps {
            run.step();
            if run.chance(12) {
                run.restart();
            }
        }
        run.restart();
    });
}

#[test]
fn after_a_failed_sync_nothing_is_reported_durable_and_the_next_start_loses_nothing() {
    runs("after_a_failed_sync_nothing_is_reported", |seed, steps| {
        let mut run = Run::new(seed, Durability::Fsync);
        for _ in 0..steps {
            run.step();
            if run.chance(8) {
                run.failed_sync();
            }
        }
    });
}

#[test]
fn a_full_disk_loses_nothing_and_recovers_by_itself() {
    runs("a_full_disk_loses_nothing_and_recovers_by_itself", |seed, steps| {
        let mut run = Run::new(seed, Durability::Fsync);
        for _ in 0..steps {
            run.step();
            if run.chance(15) {
                run.full_disk();
            }
            if run.chance(15) {
                run.power_cut();
            }
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed| {
        let mut run = Run::new(seed, Durability::Fsync);
        for _ in 0..200 {
            run.step();
            if run.chance(12) {
                run.power_cut();
            }
        }
        contents(run.files())
    };
    for seed in 0..5 {
        assert_eq!(bytes(seed), bytes(seed));
    }
}

fn contents(files: &SimulatedFiles) -> Vec<(String, Vec<u8>)> {
    use midge_store::FileSystem;
    let names = files.list("").expect("a list");
    names.into_iter().map(|name| (name.clone(), files.content(&name).expect("a file"))).collect()
}
