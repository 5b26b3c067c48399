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

/// Descriptors this process and a broker need beside the clients.
const SPARE_DESCRIPTORS: u64 = 100;
/// The memory is settled when it has not changed for this long.
const SETTLED: Duration = Duration::from_millis(300);
/// A broker that never settles is measured then.
const LONGEST: Duration = Duration::from_secs(3);

/// Bytes of resident memory for each of `connections` idle clients.
pub(crate) fn run(contender: &Contender, connections: u64, directory: &Path) -> io::Result<f64> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if connections + SPARE_DESCRIPTORS > limit {
        return Err(io::Error::other(format!(
            "{connections} connections need {} descriptors, ulimit -n is {limit}",
            connections + SPARE_DESCRIPTORS
        )));
    }
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

fn settled(broker: &Broker) -> io::Result<u64> {
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
