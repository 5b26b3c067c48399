//! What is counted, and how a message's share is made of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::callgrind;
use crate::kafka::Kafka;
use crate::lockstep;
use crate::scenario::Scenario;

/// What one run of the broker has used, from its start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
    pub(crate) system_calls: u64,
}

/// What one message costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    pub(crate) system_calls: f64,
}

/// The least of several runs, short ones and long ones.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    short: Option<Counts>,
    long: Option<Counts>,
    /// By how many messages a long run is longer.
    messages: usize,
}

impl Counts {
    /// Each figure the lesser of both. What disturbs a count (a timer that runs out, a wait that
    /// is interrupted) adds to it.
    fn least(self, other: Option<Counts>) -> Counts {
        let other = other.unwrap_or(self);
        Counts {
            instructions: self.instructions.min(other.instructions),
            allocations: self.allocations.min(other.allocations),
            system_calls: self.system_calls.min(other.system_calls),
        }
    }
}

impl Runs {
    /// Runs the broker twice more: `rounds` and twice `rounds`. The directory `profile` gets what
    /// callgrind wrote about the long run, and who allocated in it.
    pub(crate) fn add(
        &mut self,
        scenario: &Scenario,
        midge: &Path,
        profile: Option<&Path>,
    ) -> Result<(), String> {
        let kafka = if scenario.kafka { Some(Kafka::start(midge)?) } else { None };
        let run = |rounds| lockstep::run(scenario, rounds, midge, kafka.as_ref());
        let read = |text: &str| callgrind::read(text).map(|profile| profile.counts);
        let rounds = 2 * scenario.rounds;
        // Side by side: what is counted does not depend on how fast it goes.
        let (short, text) = std::thread::scope(|scope| {
            let short = scope.spawn(|| run(scenario.rounds));
            let long = run(rounds);
            (short.join(), long)
        });
        let short = short.map_err(|_| "the short run has panicked".to_owned())?;
        let (short, text) = (read(&short?)?, text?);
        let long = read(&text)?;
        if let Some(directory) = profile {
            let who = callgrind::read(&text)?.allocations(scenario.messages(rounds));
            let write = |kind: &str, text: &str| {
                let path = directory.join(format!("{}.{kind}", scenario.name));
                std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
            };
            write("callgrind", &text)?;
            write("allocations", &who)?;
        }
        self.short = Some(short.least(self.short));
        self.long = Some(long.least(self.long));
        self.messages = scenario.messages(scenario.rounds);
        Ok(())
    }

    /// The difference by message: what both kinds of run have in common cancels out.
    pub(crate) fn cost(&self) -> Cost {
        let (Some(short), Some(long)) = (self.short, self.long) else { return Cost::default() };
        let share = |long: u64, short: u64| (long as f64 - short as f64) / self.messages as f64;
        Cost {
            instructions: share(long.instructions, short.instructions),
            allocations: share(long.allocations, short.allocations),
            system_calls: share(long.system_calls, short.system_calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Counts, Runs};

    fn counts(instructions: u64, allocations: u64, system_calls: u64) -> Counts {
        Counts { instructions, allocations, system_calls }
    }

    #[test]
    fn what_short_and_long_runs_have_in_common_cancels_out() {
        let runs = Runs {
            short: Some(counts(5_000, 700, 90)),
            long: Some(counts(7_000, 700, 95)),
            messages: 10,
        };
        let expected = Cost { instructions: 200.0, allocations: 0.0, system_calls: 0.5 };
        assert_eq!(runs.cost(), expected);
    }

    #[test]
    fn each_figure_is_the_least_of_all_runs_by_itself() {
        let least = counts(5, 9, 3).least(Some(counts(6, 7, 4)));
        assert_eq!(least, counts(5, 7, 3));
        assert_eq!(least.least(None), least);
    }
}
