//! A Kafka of our own, driven through a script (`tests/kafka/kafka`); it may go and come back.
//!
//! Its address stays the same. It ends with this value.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    script: PathBuf,
    directory: PathBuf,
    pub(crate) address: String,
}

impl Server {
    /// Starts one that keeps its records in `directory`.
    pub(crate) fn start(script: &Path, directory: &Path) -> io::Result<Self> {
        let script = script
            .canonicalize()
            .map_err(|error| io::Error::other(format!("{}: {error}", script.display())))?;
        let mut server = Self { script, directory: directory.to_owned(), address: String::new() };
        server.address = address(&server.command("start").output()?)?;
        Ok(server)
    }

    /// Kills it: it has no time to write anything or to say goodbye.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let file = self.directory.join("kafka.pid");
        let text = std::fs::read_to_string(&file)?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| {
            io::Error::other(format!("{}: expected a process id, found `{text}`", file.display()))
        })?;
        rustix::process::kill_process(pid, Signal::KILL)?;
        // One that nobody has waited for keeps its number, but has no command line any more.
        let command = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        let until = Instant::now() + GONE;
        while std::fs::read(&command).is_ok_and(|words| !words.is_empty()) {
            if Instant::now() > until {
                return Err(io::Error::other(format!("Kafka, process {text}, does not go")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_file(&file)
    }

    /// Starts it again; `meanwhile` is called over and over until it serves. How long that took.
    pub(crate) fn resume(
        &self,
        mut meanwhile: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Duration> {
        let from = Instant::now();
        let mut script = self.command("start").stdout(Stdio::piped()).spawn()?;
        let mut watched = Ok(());
        while script.try_wait()?.is_none() {
            watched = watched.and_then(|()| meanwhile());
        }
        let found = address(&script.wait_with_output()?)?;
        if found != self.address {
            let was = &self.address;
            return Err(io::Error::other(format!("expected Kafka back at {was}, found {found}")));
        }
        watched.map(|()| from.elapsed())
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.script);
        command.arg(verb).arg(&self.directory).stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to be told of an error; the script says on its own what is wrong.
        let _ = self.command("stop").output();
    }
}

fn address(output: &Output) -> io::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || text.is_empty() {
        return Err(io::Error::other(format!("the script for Kafka: {}", output.status)));
    }
    Ok(text)
}
