//! A Kafka Connect worker with a stand-in MQTT connector, driven through a script.
//!
//! It ends with this value.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kafka::Topic;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/connect/connect");

pub(super) struct Worker {
    directory: PathBuf,
    pub(super) process: u32,
}

impl Worker {
    /// Starts one that has subscribed to `filter` when this returns.
    pub(super) fn start(
        directory: &Path,
        topic: &Topic,
        mqtt_port: u16,
        filter: &str,
    ) -> io::Result<Worker> {
        let mut worker = Worker { directory: directory.to_owned(), process: 0 };
        let mqtt = format!("127.0.0.1:{mqtt_port}");
        let (servers, mut command) = (topic.servers().join(","), worker.command("start"));
        let output = command.args([&servers, &mqtt, filter, &topic.name]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        worker.process = text.trim().parse().map_err(|_| {
            let status = output.status;
            io::Error::other(format!("{SCRIPT}: {status}: expected a process id, found `{text}`"))
        })?;
        Ok(worker)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(SCRIPT);
        command.arg(verb).arg(&self.directory).stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Nobody is left to be told of an error; the script says on its own what is wrong.
        let _ = self.command("stop").output();
    }
}
