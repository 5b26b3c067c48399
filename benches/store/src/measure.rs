//! One engine under the whole load, in a process of its own.
//!
//! Bytes are those that the system counts as sent to the disk for this process (`write_bytes` in
//! `/proc/self/io`): whole pages, so a page that is synced twice counts twice, as on flash.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::{Kind, Outcome};
use crate::ledger::longest_sync;
use crate::workload::Workload;

/// Parts of the run, to see an engine that becomes slower.
const PARTS: u64 = 10;

/// Runs the load to its end; the figures as they go to the parent process.
pub(crate) fn run(kind: Kind, load: Workload, messages: u64, directory: &Path) -> Outcome<Value> {
    let mut engine = (kind.open)(directory)?;
    let commits = messages / load.group;
    let mut stalls = Vec::with_capacity(commits as usize);
    let (before, began) = (io_counter("write_bytes")?, Instant::now());
    let mut slowest_part = f64::INFINITY;
    for part in 0..PARTS {
        let (from, to) = (commits * part / PARTS, commits * (part + 1) / PARTS);
        let began = Instant::now();
        for number in from..to {
            let commit = load.commit(number);
            let began = Instant::now();
            engine.commit(&commit)?;
            stalls.push(began.elapsed());
        }
        let speed = ((to - from) * load.group) as f64 / began.elapsed().as_secs_f64();
        slowest_part = slowest_part.min(speed);
    }
    let seconds = began.elapsed().as_secs_f64();
    let longest_sync = longest_sync();
    let written = io_counter("write_bytes")? - before;
    let disk = disk_bytes(directory)?;
    let memory = peak_memory()?;
    drop(engine);
    stalls.sort_unstable();
    let millis = |stall: Option<&Duration>| stall.map_or(0.0, |stall| stall.as_secs_f64() * 1e3);
    let messages = (commits * load.group) as f64;
    Ok(json!({
        "per_second": messages / seconds,
        "slowest_part": slowest_part,
        "written": written as f64 / messages,
        "p999_millis": millis(stalls.get(stalls.len() * 999 / 1_000)),
        "worst_millis": millis(stalls.last()),
        "longest_sync_millis": millis(Some(&longest_sync)),
        "peak_memory": memory,
        "disk": disk,
    }))
}

/// A line of `/proc/self/io`.
pub(crate) fn io_counter(name: &str) -> io::Result<u64> {
    number(&std::fs::read_to_string("/proc/self/io")?, name)
}

fn peak_memory() -> io::Result<u64> {
    Ok(number(&std::fs::read_to_string("/proc/self/status")?, "VmHWM")? * 1024)
}

/// The number in the line that begins with this name.
fn number(text: &str, name: &str) -> io::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} among the system's figures")))
}

/// Blocks that the files of a directory take.
fn disk_bytes(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // A file that is removed meanwhile takes no space.
        let Ok(status) = entry.metadata() else { continue };
        bytes += if status.is_dir() { disk_bytes(&entry.path())? } else { status.blocks() * 512 };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_names() {
        let text = "wchar: 7\nwrite_bytes: 4096\ncancelled_write_bytes: 1\nVmHWM:\t  12 kB\n";
        assert_eq!(number(text, "write_bytes").unwrap(), 4_096);
        assert_eq!(number(text, "VmHWM").unwrap(), 12);
        assert!(number(text, "VmRSS").is_err());
        assert!(io_counter("write_bytes").is_ok());
    }
}
