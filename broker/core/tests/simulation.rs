//! Several shards, their clients and the network between them, in virtual time.
//!
//! One seed decides everything: which client speaks, how far bytes get, which connection breaks,
//! which message between shards is delivered next, when the bridge answers. After the storm all
//! faults stop, everything is delivered, and the checks of `checks.rs` are made. A seed that fails
//! is printed; `SIMULATION_SEED=n` runs it alone, `SIMULATION_STEPS` and `SIMULATION_SEEDS` make
//! runs longer.

#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/world.rs"]
mod world;

use world::World;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Returns how many messages were dropped because memory was full.
fn run(seed: u64, steps: u64) -> u64 {
    let outcome = std::panic::catch_unwind(|| {
        let mut world = World::new(seed);
        for _ in 0..steps {
            world.step();
        }
        world.settle();
        checks::everything_arrived(&world);
        checks::retained_messages_agree(&mut world);
        world.dismiss_everyone();
        checks::nothing_is_left(&mut world);
        world.shards.iter().map(|shard| shard.stats().dropped.memory).sum()
    });
    outcome.unwrap_or_else(|_| {
        panic!("simulation failed: run it alone with SIMULATION_SEED={seed}");
    })
}

#[test]
fn nothing_is_lost_doubled_reordered_or_leaked_whatever_breaks() {
    let steps = number("SIMULATION_STEPS").unwrap_or(3_000);
    if let Some(seed) = number("SIMULATION_SEED") {
        run(seed, steps);
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(100);
    let dropped: u64 = (0..seeds).map(|seed| run(seed, steps)).sum();
    assert!(seeds < 20 || dropped > 0, "memory was never full");
}
