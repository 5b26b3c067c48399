//! A broker's process: started on a free port with a configuration of its own, measured through
//! /proc, killed when dropped.
//!
//! CPU time is utime + stime of the whole process, threads that have ended included.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::link;

/// How long a broker may take to accept its first client.
const START: Duration = Duration::from_secs(20);

/// A running broker.
pub(crate) struct Broker {
    child: Child,
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    log: PathBuf,
}

/// How to start a broker: a name for the tables and a command with `{port}` and `{config}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

impl Contender {
    /// Reads `NAME=COMMAND`; words are split at blanks, single or double quotes keep them together.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=COMMAND with {port} or {config}";
        let Some((name, command)) = text.split_once('=') else {
            return Err(format!("found `{text}`, {expected}"));
        };
        let command = words(command)?;
        let places =
            command.iter().any(|word| word.contains("{port}") || word.contains("{config}"));
        if name.is_empty() || command.is_empty() || !places {
            return Err(format!("found `{text}`, {expected}"));
        }
        Ok(Self { name: name.to_owned(), command })
    }

    /// Starts it in `directory` and waits until it answers a CONNECT.
    ///
    /// `extra` is added to the command line, with its places filled as well.
    pub(crate) fn start(&self, directory: &Path, extra: &[String]) -> io::Result<Broker> {
        self.launch(directory, extra, None)
    }

    /// As `start`, with persistence; what an earlier one has kept is there unless `fresh`.
    pub(crate) fn start_stored(&self, directory: &Path, fresh: bool) -> io::Result<Broker> {
        let data = directory.join("data");
        if fresh && data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        self.launch(directory, &[], Some(&data))
    }

    fn launch(
        &self,
        directory: &Path,
        extra: &[String],
        data: Option<&Path>,
    ) -> io::Result<Broker> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = directory.join("mosquitto.conf");
        std::fs::write(&config, mosquitto_conf(port, data))?;
        let log = directory.join("log");
        let output = File::create(&log)?;
        let config = config.display().to_string();
        let mut words = self
            .command
            .iter()
            .chain(extra)
            .map(|word| word.replace("{port}", &port.to_string()).replace("{config}", &config));
        let program = words.next().unwrap_or_default();
        let child = Command::new(&program)
            .args(words)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| io::Error::other(format!("{program}: {error}")))?;
        let mut broker = Broker { child, port, log };
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = broker.child.try_wait()? {
                return Err(broker.explain(&format!("{} ended at start: {status}", self.name)));
            }
            match link::open(port, "probe") {
                Ok(_) => return Ok(broker),
                Err(error) if Instant::now() > deadline => {
                    return Err(broker.explain(&format!("{}: {error}", self.name)));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        match quote {
            Some(open) if open == letter => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("found an open quote in `{command}`"));
    }
    words.extend(word);
    Ok(words)
}

/// One configuration for Midge and Mosquitto: no limit that could drop, no Nagle, and nothing stored
/// unless there is a directory for it.
fn mosquitto_conf(port: u16, data: Option<&Path>) -> String {
    let persistence = data.map_or_else(
        || "persistence false".to_owned(),
        // Mosquitto puts the file's name right behind.
        |data| format!("persistence true\npersistence_location {}/", data.display()),
    );
    format!(
        "listener {port} 127.0.0.1\n\
         allow_anonymous true\n\
         set_tcp_nodelay true\n\
         max_queued_messages 0\n\
         max_queued_bytes 0\n\
         max_inflight_messages 0\n\
         {persistence}\n\
         log_dest none\n\
         log_type none\n\
         connection_messages false\n\
         user root\n"
    )
}

impl Broker {
    /// CPU time it has used so far.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        cpu_of(&format!("/proc/{}/stat", self.child.id()))
            .map_err(|error| self.explain(&error.to_string()))
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
    cpu_of("/proc/self/stat")
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
    fn own_cpu_time_grows_with_work() {
        let before = own_cpu().unwrap();
        let mut sum = 0u64;
        while own_cpu().unwrap() < before + Duration::from_millis(30) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
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

    #[test]
    fn peer_commands_are_split_as_a_shell_would() {
        let peer = Contender::parse("flash=flashmq --config-file {config} 'a b' \"\"").unwrap();
        assert_eq!(peer.name, "flash");
        assert_eq!(peer.command, ["flashmq", "--config-file", "{config}", "a b", ""]);
        for wrong in ["flashmq", "=x {port}", "x=", "x=y", "x='y {port}"] {
            assert!(Contender::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn configuration_lifts_every_limit_that_could_drop() {
        let text = mosquitto_conf(1_884, None);
        for line in ["listener 1884 127.0.0.1", "max_queued_messages 0", "set_tcp_nodelay true"] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(text.contains("\npersistence false\n"));
        let stored = mosquitto_conf(1_884, Some(Path::new("/d")));
        assert!(stored.contains("\npersistence true\npersistence_location /d/\n"));
    }
}
