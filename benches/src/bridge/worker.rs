//! A Kafka Connect worker with a stand-in for an MQTT connector, driven through a script.
//!
//! It ends with this value.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kafka::Topic;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/connect/connect");

pub(crate) struct Worker {
    directory: PathBuf,
    pub(crate) process: u32,
}

impl Worker {
    /// Starts one whose connector has these properties, and has started when this returns.
    pub(crate) fn start(directory: &Path, topic: &Topic, properties: &str) -> io::Result<Worker> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("connector.properties"), properties)?;
        let mut worker = Worker { directory: directory.to_owned(), process: 0 };
        let (servers, mut command) = (topic.servers().join(","), worker.command("start"));
        let output = command.arg(&servers).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        worker.process = text.trim().parse().map_err(|_| {
            let status = output.status;
            io::Error::other(format!("{SCRIPT}: {status}: expected a process id, found `{text}`"))
        })?;
        Ok(worker)
    }

    /// A source of everything that is published to a broker.
    pub(crate) fn source(topic: &Topic, mqtt_port: u16) -> String {
        let name = &topic.name;
        format!(
            "name=bench\nconnector.class=MqttSource\ntasks.max=1\n\
             mqtt.uri=tcp://127.0.0.1:{mqtt_port}\nmqtt.topics=bench/+\nkafka.topic={name}\n"
        )
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
