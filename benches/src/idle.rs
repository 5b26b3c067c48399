//! What a connection costs that does nothing.
//!
//! Resident memory of a fresh broker before and after N clients with a clean session connected;
//! all are still connected when the second figure is taken.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use crate::link;
use crate::process::{Broker, Contender};
use crate::report::{Report, Run, Table};
use crate::scenario::{Bench, names, rounds};

/// Descriptors this process and a broker need beside the clients.
const SPARE_DESCRIPTORS: u64 = 100;
/// The memory is settled when it has not changed for this long.
const SETTLED: Duration = Duration::from_millis(300);
/// A broker that never settles is measured then.
const LONGEST: Duration = Duration::from_secs(3);

/// Memory of every broker, in kilobytes a connection.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = Table::new("idle")
        .median("resident_kilobytes_per_connection", "RSS KB/connection", 2)
        .ratio("resident_kilobytes_per_connection", "ratio")
        .chart("resident_kilobytes_per_connection");
    let (contenders, connections) = (bench.brokers(), bench.options.connections);
    let load = format!("{connections} idle connections");
    // Memory hardly differs from run to run: one round says as much as three.
    let runs = rounds(1, &names(&contenders), |place| {
        let bytes = measure(contenders[place], connections, bench.directory)?;
        eprintln!("{load}, {}: {bytes:.0} bytes each", contenders[place].name);
        Ok(Run::new([bytes / 1024.0]))
    });
    table.add(&load, runs);
    report.add(table);
    Ok(())
}

/// Bytes of resident memory for each of `connections` idle clients.
fn measure(contender: &Contender, connections: u64, directory: &Path) -> io::Result<f64> {
    check_descriptors(connections)?;
    let broker = contender.start(directory, &[])?;
    let before = settled(&broker)?;
    let clients = (0..connections)
        .map(|index| link::open(broker.port, &format!("idle-{index}")))
        .collect::<io::Result<Vec<TcpStream>>>()
        .map_err(|error| broker.explain(&error.to_string()))?;
    let after = settled(&broker)?;
    drop(clients);
    Ok((after as f64 - before as f64) / connections as f64)
}

/// Whether this process, and so a broker it starts, may have so many connections.
pub(crate) fn check_descriptors(connections: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = connections + SPARE_DESCRIPTORS;
    if needed > limit {
        return Err(io::Error::other(format!(
            "{connections} connections need {needed} descriptors, ulimit -n is {limit}"
        )));
    }
    Ok(())
}

/// Resident memory of the broker once it no longer changes.
pub(crate) fn settled(broker: &Broker) -> io::Result<u64> {
    let start = Instant::now();
    let mut found = broker.resident_bytes()?;
    let mut since = start;
    while since.elapsed() < SETTLED && start.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(20));
        let now = broker.resident_bytes()?;
        if now != found {
            (found, since) = (now, Instant::now());
        }
    }
    Ok(found)
}
