//! One invocation: every scenario in turn, and what there is to know about machine and brokers.
//!
//! A peer that cannot be started is left out and named; without Midge there is nothing to compare.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::options::Options;
use crate::process::Contender;
use crate::report::Report;
use crate::scenario::Bench;
use crate::{link, peers, wire};

/// Runs everything that was asked for, Midge first in every comparison.
pub(crate) fn run(options: &Options, midge: &Contender, directory: &Path) -> io::Result<Report> {
    let (mut peers, skipped) = peers::find(&options.known);
    peers.extend(options.peers.iter().cloned());
    let circumstances = circumstances(options);
    let mut report = Report { circumstances, skipped, ..Report::default() };
    report.versions.push((midge.name.clone(), version(midge, directory)?));
    peers.retain(|peer| match version(peer, directory) {
        Ok(version) => {
            report.versions.push((peer.name.clone(), version));
            true
        }
        Err(error) => {
            report.skipped.push(error.to_string());
            false
        }
    });
    let bench = Bench { options, midge, peers: &peers, directory };
    for scenario in &options.scenarios {
        (scenario.run)(&bench, &mut report)?;
    }
    Ok(report)
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
    let (rounds, window) = (options.rounds, options.window);
    vec![
        format!("command: benches/run {}", command(std::env::args().skip(1)).join(" ")),
        format!("machine: {cores} cores, {model}, Linux {}", kernel.trim()),
        format!("load: {rounds} rounds of {length}, window {window}"),
    ]
}

/// The arguments that make a difference: where the figures went makes none.
fn command(mut arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--json" || argument == "--into" {
            arguments.next();
        } else {
            kept.push(argument);
        }
    }
    kept
}

/// What the broker says of itself under $SYS, which most of them do. That it started is enough to
/// be compared with.
fn version(contender: &Contender, directory: &Path) -> io::Result<String> {
    let broker = contender.start(directory, &[])?;
    if !contender.speaks_mqtt() {
        return Ok("the bare relay of this comparison".into());
    }
    let ask = || -> io::Result<Option<String>> {
        let mut stream = link::open(broker.port, "version")?;
        link::subscribe(&mut stream, "$SYS/broker/version", 0)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut buffer = [0; 1_024];
        let count = stream.read(&mut buffer)?;
        Ok(announced(&buffer[..count]))
    };
    Ok(ask().ok().flatten().unwrap_or_else(|| "no $SYS/broker/version".into()))
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
    fn command_is_told_without_the_places_of_its_results() {
        let line = "--only pairs --json /tmp/x --qos 1 --into d.md";
        let found = command(line.split(' ').map(str::to_owned));
        assert_eq!(found.join(" "), "--only pairs --qos 1");
    }

    #[test]
    fn version_is_the_payload_of_the_retained_message() {
        let frame = b"\x31\x08\x00\x03$SYv 1";
        assert_eq!(announced(frame), Some("v 1".into()));
        assert_eq!(announced(b"\xd0\x00"), None);
        assert_eq!(announced(b""), None);
    }
}
