//! Every scenario there is, one row each, and what a scenario gets to work with.
//!
//! A scenario is a function that runs its loads over the brokers and adds tables to the report. To
//! add one is a row in `ALL` and a module.

use std::io;
use std::path::Path;

use crate::options::Options;
use crate::process::Contender;
use crate::report::Report;
use crate::{
    bridge, connections, connects, conversions, durable, filters, groups, idle, loads, logins,
    outage, recovery, retained, secured,
};

/// One kind of measurement, by the name it has on the command line.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether it runs when nothing is chosen.
    pub(crate) usual: bool,
    pub(crate) run: fn(&Bench<'_>, &mut Report) -> io::Result<()>,
}

/// In the order in which they run and stand in the report.
pub(crate) static ALL: &[Scenario] = &[
    Scenario { name: "fan-out", usual: true, run: loads::fan_out },
    Scenario { name: "fan-in", usual: true, run: loads::fan_in },
    Scenario { name: "pairs", usual: true, run: loads::pairs },
    Scenario { name: "rate", usual: true, run: loads::rate },
    Scenario { name: "fan-out-rate", usual: true, run: loads::fan_out_rate },
    Scenario { name: "half", usual: true, run: loads::half },
    Scenario { name: "requirements", usual: false, run: loads::requirements },
    Scenario { name: "idle", usual: true, run: idle::run },
    Scenario { name: "connections", usual: true, run: connections::run },
    Scenario { name: "filters", usual: true, run: filters::run },
    Scenario { name: "groups", usual: true, run: groups::run },
    Scenario { name: "retained", usual: true, run: retained::run },
    Scenario { name: "connects", usual: true, run: connects::run },
    Scenario { name: "logins", usual: true, run: logins::run },
    Scenario { name: "tls", usual: true, run: secured::run },
    Scenario { name: "durable", usual: true, run: durable::run },
    Scenario { name: "recovery", usual: true, run: recovery::run },
    Scenario { name: "bridge", usual: true, run: bridge::to_kafka },
    Scenario { name: "bridge-back", usual: true, run: bridge::to_mqtt },
    Scenario { name: "bridge-both", usual: true, run: bridge::both },
    Scenario { name: "connect", usual: false, run: bridge::connect },
    Scenario { name: "conversions", usual: false, run: conversions::run },
    Scenario { name: "outage", usual: true, run: outage_of_kafka },
];

fn outage_of_kafka(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    match &bench.options.kafka_script {
        Some(script) => {
            let outcome = outage::run(bench.options, bench.midge, script, bench.directory)?;
            let (markdown, clean) = (outcome.markdown(), outcome.is_clean());
            report.tell("outage", markdown, clean, outcome.json());
        }
        None => report.skipped.push("outage, --kafka-script names no script".into()),
    }
    Ok(())
}

/// The one of that name.
pub(crate) fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

impl PartialEq for Scenario {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What every scenario works with.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    /// The subject of every comparison.
    pub(crate) midge: &'a Contender,
    pub(crate) peers: &'a [Contender],
    /// For configurations, logs and data.
    pub(crate) directory: &'a Path,
}

impl<'a> Bench<'a> {
    /// Midge and everything it is compared with, the bare relay included.
    pub(crate) fn everyone(&self) -> Vec<&'a Contender> {
        [self.midge].into_iter().chain(self.peers).collect()
    }

    /// All that speak MQTT, Midge first.
    pub(crate) fn brokers(&self) -> Vec<&'a Contender> {
        self.everyone().into_iter().filter(|contender| contender.speaks_mqtt()).collect()
    }

    /// All that read a `mosquitto.conf`, and so have the same settings as Midge.
    pub(crate) fn configured(&self) -> Vec<&'a Contender> {
        self.everyone().into_iter().filter(|contender| contender.reads_mosquitto_conf()).collect()
    }

    /// Runs each of them in every round, every second round in the reverse order, so that a machine
    /// that slows down favours nobody. A run that fails does not end the comparison.
    pub(crate) fn rounds<T>(
        &self,
        contenders: &[&Contender],
        mut run: impl FnMut(&Contender) -> io::Result<T>,
    ) -> Vec<(String, Vec<Result<T, String>>)> {
        rounds(self.options.rounds, &names(contenders), |place| run(contenders[place]))
    }
}

pub(crate) fn names<'a>(contenders: &[&'a Contender]) -> Vec<&'a str> {
    contenders.iter().map(|contender| contender.name.as_str()).collect()
}

/// What came of each name in each round.
pub(crate) fn rounds<T>(
    rounds: usize,
    names: &[&str],
    mut run: impl FnMut(usize) -> io::Result<T>,
) -> Vec<(String, Vec<Result<T, String>>)> {
    let mut runs: Vec<_> = names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..names.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let result = run(place).map_err(|error| error.to_string());
            if let Err(error) = &result {
                eprintln!("{}: {error}", names[place]);
            }
            runs[place].1.push(result);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_alternate_and_the_order_turns_round() {
        let mut order = String::new();
        let runs = rounds(3, &["a", "b"], |place| {
            order += ["a", "b"][place];
            match order.len() {
                3 => Err(io::Error::other("gone")),
                number => Ok(number),
            }
        });
        assert_eq!(order, "abbaab");
        assert_eq!(runs[0].1, [Ok(1), Ok(4), Ok(5)]);
        assert_eq!(runs[1].1, [Ok(2), Err("gone".into()), Ok(6)]);
    }

    #[test]
    fn every_scenario_is_found_by_its_own_name() {
        for (place, scenario) in ALL.iter().enumerate() {
            let found = named(scenario.name).unwrap();
            assert!(std::ptr::eq(found, &raw const ALL[place]), "{}", scenario.name);
        }
        assert!(named("pears").is_none());
    }
}
