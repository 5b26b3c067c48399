//! A broker's process: started on a free port with a configuration of its own, measured through
//! /proc, killed when dropped.
//!
//! CPU time is that of the whole process, threads that have ended included.

use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal};

mod clock;
pub(crate) mod contender;
mod counters;

use clock::process_cpu;
pub(crate) use contender::{Contender, Kind, Settings};
pub(crate) use counters::Counters;

/// A running broker.
pub(crate) struct Broker {
    child: Child,
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    log: PathBuf,
    /// Processes whose CPU time counts as well.
    beside: Vec<u32>,
}

impl Broker {
    /// CPU time it has used so far, and those that count with it.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut spent = Duration::ZERO;
        for process in [self.child.id()].into_iter().chain(self.beside.iter().copied()) {
            spent += process_cpu(process).map_err(|error| self.explain(&error.to_string()))?;
        }
        Ok(spent)
    }

    /// Counts the CPU time of another process as well, which does a part of the work.
    pub(crate) fn count_beside(&mut self, process: u32) {
        self.beside.push(process);
    }

    /// Counts its instructions from now on, where the machine can.
    pub(crate) fn counters(&self) -> Option<Counters> {
        Counters::start(self.child.id())
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        resident(&status).ok_or_else(|| self.explain("no VmRSS in /proc/PID/status"))
    }

    /// Bytes it has sent to the disk so far: whole pages, each as often as it was.
    pub(crate) fn written_bytes(&self) -> io::Result<u64> {
        let figures = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        written(&figures).ok_or_else(|| self.explain("no write_bytes in /proc/PID/io"))
    }

    /// Ends it in good order, and waits for that.
    pub(crate) fn end(mut self) -> io::Result<()> {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            rustix::process::kill_process(id, Signal::TERM)?;
        }
        self.child.wait().map(drop)
    }

    /// An error with the end of what the broker wrote, which usually says more.
    pub(crate) fn explain(&self, what: &str) -> io::Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join(" | ");
        let colon = if tail.is_empty() { "" } else { ": " };
        io::Error::other(format!("{what}{colon}{tail}"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Already dead is as good; there is nobody to tell otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a thread of this process.
pub(crate) fn thread_cpu(thread: i32) -> io::Result<Duration> {
    cpu_of(&format!("/proc/self/task/{thread}/stat"))
}

/// CPU time of this process.
pub(crate) fn own_cpu() -> io::Result<Duration> {
    process_cpu(std::process::id())
}

fn cpu_of(path: &str) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(path)?;
    let ticks = cpu_ticks(&stat).ok_or_else(|| {
        io::Error::other(format!("{path}: expected utime and stime, found `{stat}`"))
    })?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// utime + stime, fields 14 and 15; the second field is a name that may hold blanks and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn written(figures: &str) -> Option<u64> {
    figures.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_any_process_name() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 1200 34 0 0 20 0 1 0 147954 3133440 407";
        for name in ["midge", "a b", "x) R 9 9 (y"] {
            assert_eq!(cpu_ticks(&format!("77 ({name}) {tail}")), Some(1_234));
        }
        assert_eq!(cpu_ticks("77 (midge) S 1 2"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tmidge\nVmRSS:\t    1628 kB\nThreads:\t1\n"), Some(1_667_072));
        assert_eq!(resident("Name:\tmidge\n"), None);
    }

    #[test]
    fn written_bytes_are_those_that_went_to_the_disk() {
        let text = "wchar: 9\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n";
        assert_eq!(written(text), Some(8_192));
        assert_eq!(written("wchar: 9\n"), None);
    }
}
