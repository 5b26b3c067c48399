//! What a message costs among more and more connections, and what a connection does.
//!
//! Five active pairs beside idle clients, nothing but active pairs, and ten thousand clients that
//! each publish once every few seconds to one that hears them all.

use std::io;

use crate::growth::{self, Point};
use crate::idle::{self, settled};
use crate::link;
use crate::load::{self, Figures, Timing};
use crate::loads::timing;
use crate::options::Options;
use crate::process::Broker;
use crate::publish::Plan;
use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::subscribe::Hears;

/// Connections beside the largest number, which the command line has.
const SIZES: [u64; 3] = [10, 100, 1_000];
/// Pairs that are active beside the idle clients.
const ACTIVE: u64 = 5;
/// How often a slow client publishes.
const PERIOD_SECONDS: f64 = 5.0;
/// So many times as long are the slow ones measured: each publishes twice.
const LONGER: u32 = 5;

#[derive(Clone, Copy)]
enum Load {
    /// Five pairs, the other clients idle.
    Beside,
    /// Every client is half of a pair.
    All,
    /// Every client publishes once every few seconds.
    Slow,
}

impl Load {
    fn name(self, size: &str) -> String {
        match self {
            Self::Beside => format!("{size} connections, {ACTIVE} pairs active"),
            Self::All => format!("{size} connections, all pairs active"),
            Self::Slow => format!("{size} connections, each every {PERIOD_SECONDS} s"),
        }
    }
}

/// Every load at every number of connections.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let most = bench.options.connections;
    if let Err(error) = idle::check_descriptors(most) {
        report.skipped.push(format!("connections, {error}"));
        return Ok(());
    }
    let sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size < most).chain([most]).collect();
    let mut table = Table::new("connections")
        .median("messages_per_second", "messages/s", 0)
        .median("cpu_micros_per_message", "CPU µs/message", 2)
        .ratio("cpu_micros_per_message", "ratio")
        .median("resident_kilobytes_per_connection", "RSS KB/connection", 2)
        .ratio("resident_kilobytes_per_connection", "ratio")
        .median("cores_broker", "cores: broker", 2)
        .median("cores_publishers", "pub.", 2)
        .median("cores_subscribers", "sub.", 2);
    let mut growth = growth::table();
    for load in [Load::Beside, Load::All] {
        let points = each(bench, &mut table, load, &sizes);
        let name = load.name(&format!("{} → {most}", sizes[0]));
        growth::add(&mut growth, &name, &points);
    }
    each(bench, &mut table, Load::Slow, &[most]);
    report.add(table);
    report.add(growth);
    Ok(())
}

/// One load at all sizes: adds its rows, and tells what the line of growth needs.
fn each(
    bench: &Bench<'_>,
    table: &mut Table,
    load: Load,
    sizes: &[u64],
) -> Vec<(u64, growth::Runs)> {
    let all = growth::at_sizes(bench, sizes, |contender, size| {
        let broker = contender.start(bench.directory, &[])?;
        let before = settled(&broker)?;
        let figures = measure(&broker, bench.options, load, size)
            .map_err(|error| broker.explain(&error.to_string()))?;
        let bytes = (figures.resident_bytes as f64 - before as f64) / size as f64;
        let (name, micros) = (load.name(&size.to_string()), figures.cpu_micros);
        eprintln!("{name}, {}: {micros:.2} µs, {bytes:.0} bytes each", contender.name);
        Ok((figures, bytes))
    });
    let mut points = Vec::new();
    for (size, runs) in all {
        let point = |(figures, _): &(Figures, f64)| Point {
            cpu_micros: figures.cpu_micros,
            resident_bytes: figures.resident_bytes as f64,
        };
        points.push((size, growth::points(&runs, point)));
        let runs = runs.into_iter().map(|(broker, runs)| {
            let shown = runs.into_iter().map(|run| run.map(|run| shown(run, size)));
            (broker, shown.collect::<Vec<_>>())
        });
        table.add(&load.name(&size.to_string()), runs.collect::<Vec<_>>());
    }
    points
}

fn shown((figures, bytes): (Figures, f64), size: u64) -> Run {
    // A few connections are less than the buffers that every broker has.
    let kilobytes = if size < 1_000 { f64::NAN } else { bytes / 1024.0 };
    let [broker, publishers, subscribers] = figures.loads;
    let (speed, micros) = (figures.per_second, figures.cpu_micros);
    let values = [speed, micros, kilobytes, broker, publishers, subscribers];
    Run { values: values.into(), messages: figures.deliveries, faults: figures.faults }
}

fn measure(broker: &Broker, options: &Options, load: Load, size: u64) -> io::Result<Figures> {
    let mut plan = Plan {
        qos: 0,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: None,
        subscribed: true,
        timed: false,
    };
    let mut timing = timing(options);
    let (publishers, filters) = match load {
        Load::Beside => (ACTIVE as usize, pairs(ACTIVE)),
        Load::All => ((size / 2) as usize, pairs(size / 2)),
        Load::Slow => {
            plan.rate = Some(size as f64 / PERIOD_SECONDS);
            timing = Timing { seconds: timing.seconds * LONGER, ..timing };
            let count = size as usize - 1;
            (count, vec![("bench/+".to_owned(), Hears { first: 0, count })])
        }
    };
    let idle = match load {
        Load::Beside => size.saturating_sub(2 * ACTIVE),
        Load::All | Load::Slow => 0,
    };
    let idle = (0..idle)
        .map(|index| link::open(broker.port, &format!("idle-{index}")))
        .collect::<io::Result<Vec<_>>>()?;
    let mut subscribers = Vec::with_capacity(filters.len());
    for (index, (filter, hears)) in filters.into_iter().enumerate() {
        let mut stream = link::open(broker.port, &format!("subscriber-{index}"))?;
        link::subscribe(&mut stream, &filter, plan.qos)?;
        subscribers.push((stream, hears));
    }
    let (figures, _) = load::drive(broker, publishers, subscribers, plan, timing)?;
    drop(idle);
    Ok(figures)
}

fn pairs(count: u64) -> Vec<(String, Hears)> {
    let pair = |first| (format!("bench/{first}"), Hears { first, count: 1 });
    (0..count as usize).map(pair).collect()
}
