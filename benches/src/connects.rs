//! What a client costs that connects, is let in, and leaves.
//!
//! Sixteen are under way at a time, so that the broker never has to be woken for one alone.

use std::io;

use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::storm::{Storm, Weathered};
use crate::wire;

/// Clients under way at a time.
const WIDTH: usize = 16;

/// Connect and close over all brokers.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let load = "connect and close";
    let mut table = table();
    let runs = bench.rounds(&bench.brokers(), |contender| {
        let broker = contender.start(bench.directory, &[])?;
        let connect = |number: u64| wire::connect(&format!("client-{number}"), true);
        let weathered = Storm::new(&broker, WIDTH, &connect)?
            .last(bench.options.warm_up, bench.options.seconds)
            .map_err(|error| broker.explain(&error.to_string()))?;
        eprintln!("{load}, {}: {:.1} µs each", contender.name, weathered.cpu_micros);
        Ok(weathered.into())
    });
    table.add(load, runs);
    report.add(table);
    Ok(())
}

/// A table of clients that come and go, without rows.
pub(crate) fn table() -> Table {
    Table::new("connects")
        .median("clients_per_second", "clients/s", 0)
        .median("cpu_micros_per_client", "CPU µs/client", 1)
        .ratio("cpu_micros_per_client", "ratio")
        .median("cores_load", "cores: load", 2)
        .chart("cpu_micros_per_client")
}

impl From<Weathered> for Run {
    fn from(weathered: Weathered) -> Self {
        let Weathered { clients, per_second, cpu_micros, cores, faults } = weathered;
        Self { values: vec![per_second, cpu_micros, cores], messages: clients, faults }
    }
}
