//! Midge under callgrind.
//!
//! It is stopped while the load is put into its sockets, so that all of it is there at once when it
//! goes on: how many messages it finds by wake-up does not depend on how fast anybody is.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::connection::Connection;
use crate::kafka::Kafka;

/// How long anything may take, under callgrind and on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A broker that runs.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
    directory: PathBuf,
}

/// A thread, as far as it says whether it is at work.
#[derive(PartialEq, Eq)]
struct Thread {
    /// `S` is asleep, `T` is stopped.
    state: char,
    /// How often it has been taken off a core.
    switches: u64,
}

impl Broker {
    /// Starts it in `directory`, with a journal there when sessions are to be stored, and with a
    /// rule for every message when there is a Kafka.
    pub(crate) fn start(
        midge: &Path,
        directory: &Path,
        stored: bool,
        kafka: Option<&Kafka>,
    ) -> Result<Broker, String> {
        let told = |path: &Path, error: &dyn std::fmt::Display| format!("{path:?}: {error}");
        let midge = midge.canonicalize().map_err(|error| told(midge, &error))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("a free port: {error}"))?
            .port();
        let config = directory.join("midge.toml");
        std::fs::write(&config, configuration(port, stored, kafka))
            .map_err(|e| told(&config, &e))?;
        let log = File::create(directory.join("log")).map_err(|e| told(directory, &e))?;
        let valgrind = log.try_clone().map_err(|e| told(directory, &e))?;
        let child = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=counts", "--collect-systime=yes"])
            // Threads run in the order in which they ask.
            .arg("--fair-sched=yes")
            .arg(midge)
            .arg("-c")
            .arg(&config)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(valgrind)
            .spawn()
            .map_err(|error| format!("valgrind: {error}; on Debian: apt-get install valgrind"))?;
        let mut broker = Broker { child, port, directory: directory.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(Some(status)) = broker.child.try_wait() {
                return Err(broker.explain(&format!("ended at start: {status}")));
            }
            match Connection::open(port, "probe", true) {
                Ok(_) => return Ok(broker),
                Err(error) if Instant::now() > deadline => {
                    return Err(broker.explain(&format!("no connection: {error}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Stops it where it waits for the next bytes.
    pub(crate) fn stop(&self) -> Result<(), String> {
        self.settle()?;
        self.signal(Signal::STOP)?;
        self.wait("stopped", |threads| threads.iter().all(|thread| thread.state == 'T'))
    }

    /// Has it go on.
    pub(crate) fn resume(&self) -> Result<(), String> {
        self.signal(Signal::CONT)
    }

    /// Waits until all that it can do is done: no thread has run between two looks.
    fn settle(&self) -> Result<(), String> {
        let mut before: Vec<Thread> = Vec::new();
        self.wait("at rest", |threads| {
            let asleep = threads.iter().all(|thread| thread.state == 'S');
            let same = threads == &before;
            before = std::mem::take(threads);
            asleep && same
        })
    }

    /// Ends it in good order and returns what callgrind has written.
    pub(crate) fn end(mut self) -> Result<String, String> {
        self.settle()?;
        self.signal(Signal::TERM)?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(self.explain(&format!("ended with {status}")));
        }
        let file = self.directory.join("counts");
        let text = std::fs::read(&file).map_err(|error| self.explain(&error.to_string()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn wait(
        &self,
        what: &str,
        mut reached: impl FnMut(&mut Vec<Thread>) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut threads = self.threads().map_err(|error| self.explain(&error.to_string()))?;
            if reached(&mut threads) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.explain(&format!("not {what} after {PATIENCE:?}")));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        let mut threads = Vec::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = std::fs::read_to_string(entry?.path().join("status"))?;
            let field = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name));
                line.map(|line| line[name.len()..].trim())
            };
            let number = |name| field(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            threads.push(Thread {
                state: field("State:").and_then(|text| text.chars().next()).unwrap_or('?'),
                switches: number("voluntary_ctxt_switches:")
                    + number("nonvoluntary_ctxt_switches:"),
            });
        }
        Ok(threads)
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or("a process without an id")?;
        kill_process(id, signal).map_err(|error| self.explain(&error.to_string()))
    }

    /// What went wrong, with the end of what was logged.
    pub(crate) fn explain(&self, what: &str) -> String {
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("midge: {what}\n{}", lines[lines.len().saturating_sub(10)..].join("\n"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Already dead is as good; there is nobody to tell otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One worker, no limit that a batch could meet, nothing that happens by the clock.
fn configuration(port: u16, stored: bool, kafka: Option<&Kafka>) -> String {
    let bridge = kafka.map_or_else(String::new, |kafka| {
        format!(
            "[kafka]\n\
             bootstrap_servers = [\"{}\"]\n\
             [connectors.guard]\n\
             type = \"source\"\n\
             mqtt_filters = [\"guard/#\"]\n\
             kafka_topic = \"guard\"\n\
             ack = \"kafka\"\n",
            kafka.bootstrap_servers
        )
    });
    format!(
        "[broker]\n\
         workers = 1\n\
         sys_interval = 0\n\
         [listeners.plain]\n\
         host = \"127.0.0.1\"\n\
         port = {port}\n\
         [authentication]\n\
         allow_anonymous = true\n\
         [limits]\n\
         max_inflight_messages = 0\n\
         max_queued_messages = 0\n\
         [persistence]\n\
         enabled = {stored}\n\
         [log]\n\
         types = [\"error\", \"warning\"]\n\
         {bridge}"
    )
}
