//! The rounds: every broker in turn, each time from a fresh start.
//!
//! Every second round runs in the reverse order, so that a machine that slows down favours nobody.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::load::{self, Shape, Timing};
use crate::options::{Options, Scenario};
use crate::process::Contender;
use crate::publish::Plan;
use crate::report::{Idle, Report, Series};
use crate::{bridge, durable, idle, link, outage, recovery, wire};

/// Runs everything that was asked for, Midge first in every comparison.
pub(crate) fn run(options: &Options, midge: &Contender, directory: &Path) -> io::Result<Report> {
    let contenders: Vec<&Contender> = [midge].into_iter().chain(&options.peers).collect();
    let mut report = Report { circumstances: circumstances(options), ..Report::default() };
    for contender in &contenders {
        let version = version(contender, directory)?;
        report.versions.push((contender.name.clone(), version));
    }
    for scenario in &options.scenarios {
        let (shape, rate) = match scenario {
            Scenario::FanOut => (Shape::FanOut, None),
            Scenario::FanIn => (Shape::FanIn, None),
            Scenario::Pairs => (Shape::Pairs, None),
            Scenario::Rate => (Shape::Pairs, Some(options.rate)),
            Scenario::Idle => {
                report.idle = idle_connections(options, &contenders, directory);
                continue;
            }
            Scenario::Durable => {
                report.durable = durable::run(options, &contenders, directory);
                continue;
            }
            Scenario::Recovery => {
                report.recovery = recovery::run(options, &contenders, directory);
                continue;
            }
            Scenario::Bridge => {
                match &options.kafka {
                    Some(address) => {
                        report.series.extend(bridge::run(options, midge, address, directory)?);
                    }
                    None => report.skipped.push("bridge, --kafka names no Kafka".into()),
                }
                continue;
            }
            Scenario::Outage => {
                match &options.kafka_script {
                    Some(script) => {
                        report.outage = Some(outage::run(options, midge, script, directory)?);
                    }
                    None => report.skipped.push("outage, --kafka-script names no script".into()),
                }
                continue;
            }
        };
        for qos in &options.qos {
            report.series.extend(loads(options, &contenders, shape, *qos, rate, directory));
        }
    }
    Ok(report)
}

fn loads(
    options: &Options,
    contenders: &[&Contender],
    shape: Shape,
    qos: u8,
    rate: Option<f64>,
    directory: &Path,
) -> Vec<Series> {
    let speed = rate.map_or_else(String::new, |rate| format!(", {rate}/s"));
    let load = format!("{}, QoS {qos}{speed}", shape.name());
    let plan = Plan {
        qos,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: rate.map(|deliveries| deliveries / shape.copies() as f64),
        subscribed: true,
        timed: false,
    };
    let timing = timing(options);
    rounds(options.rounds, &names(contenders), |place| {
        let contender = contenders[place];
        let run = load::run(contender, shape, plan, timing, directory);
        if let Ok(figures) = &run {
            let (micros, speed) = (figures.cpu_micros, figures.per_second);
            eprintln!("{load}, {}: {micros:.2} µs a message, {speed:.0}/s", contender.name);
        }
        run
    })
    .into_iter()
    .map(|(broker, runs)| Series { load: load.clone(), broker, runs })
    .collect()
}

pub(crate) fn timing(options: &Options) -> Timing {
    Timing { warm_up: options.warm_up, seconds: options.seconds, count: options.count }
}

fn idle_connections(options: &Options, contenders: &[&Contender], directory: &Path) -> Vec<Idle> {
    // Memory hardly differs from run to run: one round says as much as three.
    rounds(1, &names(contenders), |place| {
        let contender = contenders[place];
        let run = idle::run(contender, options.connections, directory);
        if let Ok(bytes) = &run {
            eprintln!("idle, {}: {bytes:.0} bytes a connection", contender.name);
        }
        run
    })
    .into_iter()
    .map(|(broker, runs)| Idle { broker, runs })
    .collect()
}

pub(crate) fn names<'a>(contenders: &[&'a Contender]) -> Vec<&'a str> {
    contenders.iter().map(|contender| contender.name.as_str()).collect()
}

/// What came of each name in each round; a run that fails does not end the comparison.
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

/// The machine and the load, for whoever reads the figures elsewhere.
fn circumstances(options: &Options) -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = read("/proc/sys/kernel/osrelease");
    let length = match options.count {
        Some(count) => format!("{count} deliveries"),
        None => format!("{} s", options.seconds.as_secs_f64()),
    };
    let (rounds, payload, window) = (options.rounds, options.payload_bytes, options.window);
    vec![
        format!("machine: {cores} cores, {model}, Linux {}", kernel.trim()),
        format!("load: {rounds} rounds of {length}, {payload} bytes, window {window}"),
    ]
}

/// What the broker says of itself under $SYS, which most of them do.
fn version(contender: &Contender, directory: &Path) -> io::Result<String> {
    let broker = contender.start(directory, &[])?;
    let mut stream = link::open(broker.port, "version")?;
    link::subscribe(&mut stream, "$SYS/broker/version", 0)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut buffer = [0; 1_024];
    let count = stream.read(&mut buffer).unwrap_or(0);
    Ok(announced(&buffer[..count]).unwrap_or_else(|| "no $SYS/broker/version".into()))
}

fn announced(mut bytes: &[u8]) -> Option<String> {
    let frame = wire::next_frame(&mut bytes).ok()??;
    let (length, rest) = frame.body.split_first_chunk::<2>()?;
    let text = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
    (frame.first & 0xf0 == 0x30).then(|| String::from_utf8_lossy(text).into_owned())
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
    fn version_is_the_payload_of_the_retained_message() {
        let frame = b"\x31\x08\x00\x03$SYv 1";
        assert_eq!(announced(frame), Some("v 1".into()));
        assert_eq!(announced(b"\xd0\x00"), None);
        assert_eq!(announced(b""), None);
    }
}
