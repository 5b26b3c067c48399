//! One invocation: every scenario in turn, and what there is to know about machine and brokers.
//!
//! A broker whose version cannot be asked for could not be measured either, so that ends it.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::options::Options;
use crate::process::Contender;
use crate::report::Report;
use crate::scenario::Bench;
use crate::{link, wire};

/// Runs everything that was asked for, Midge first in every comparison.
pub(crate) fn run(options: &Options, midge: &Contender, directory: &Path) -> io::Result<Report> {
    let bench = Bench { options, midge, peers: &options.peers, directory };
    let mut report = Report { circumstances: circumstances(options), ..Report::default() };
    for contender in bench.brokers() {
        let version = version(contender, directory)?;
        report.versions.push((contender.name.clone(), version));
    }
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
    fn version_is_the_payload_of_the_retained_message() {
        let frame = b"\x31\x08\x00\x03$SYv 1";
        assert_eq!(announced(frame), Some("v 1".into()));
        assert_eq!(announced(b"\xd0\x00"), None);
        assert_eq!(announced(b""), None);
    }
}
