//! How to start a broker, with the same settings as every other or with what it needs instead.
//!
//! Whatever starts here answers a CONNECT before anybody measures it.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Broker;
use crate::{link, relay};

/// How long a broker may take to accept its first client.
const START: Duration = Duration::from_secs(20);

/// A name for the tables and a command with `{port}` and `{config}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    pub(crate) kind: Kind,
}

/// What a contender is told, and what it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads a `mosquitto.conf`, the same for all of them.
    MosquittoConf,
    /// An MQTT broker with a configuration of its own, in which `{port}` is filled in.
    Own(&'static str),
    /// The bare relay, which speaks no MQTT.
    Relay,
}

/// What a run needs beside the settings that every run has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings<'a> {
    /// Added to the command line, with its places filled as well.
    pub(crate) arguments: &'a [String],
    /// Added to the `mosquitto.conf`: whole lines.
    pub(crate) lines: &'a str,
    /// Where to store what has to be stored.
    pub(crate) data: Option<&'a Path>,
}

impl Contender {
    /// Reads `NAME=COMMAND`; words are split at blanks, single or double quotes keep them together.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=COMMAND with {port} or {config}";
        let Some((name, command)) = text.split_once('=') else {
            return Err(format!("found `{text}`, {expected}"));
        };
        let command = words(command)?;
        let has = |place| command.iter().any(|word: &String| word.contains(place));
        let kind = match (has("{config}"), has("{port}")) {
            (true, _) => Kind::MosquittoConf,
            (false, true) => Kind::Own(""),
            (false, false) => return Err(format!("found `{text}`, {expected}")),
        };
        if name.is_empty() {
            return Err(format!("found `{text}`, {expected}"));
        }
        Ok(Self { name: name.to_owned(), command, kind })
    }

    pub(crate) fn reads_mosquitto_conf(&self) -> bool {
        self.kind == Kind::MosquittoConf
    }

    pub(crate) fn speaks_mqtt(&self) -> bool {
        matches!(self.kind, Kind::MosquittoConf | Kind::Own(_))
    }

    fn greet(&self, port: u16) -> io::Result<()> {
        match self.kind {
            Kind::MosquittoConf | Kind::Own(_) => link::open(port, "probe").map(drop),
            Kind::Relay => relay::speak(port, 0).map(drop),
        }
    }

    /// Starts it in `directory` and waits until it answers a CONNECT.
    ///
    /// `extra` is added to the command line, with its places filled as well.
    pub(crate) fn start(&self, directory: &Path, extra: &[String]) -> io::Result<Broker> {
        self.start_with(directory, Settings { arguments: extra, ..Settings::default() })
    }

    /// As `start`, with persistence; what an earlier one has kept is there unless `fresh`.
    pub(crate) fn start_stored(&self, directory: &Path, fresh: bool) -> io::Result<Broker> {
        let data = directory.join("data");
        if fresh && data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        self.start_with(directory, Settings { data: Some(&data), ..Settings::default() })
    }

    /// As `start`, with settings of its own.
    pub(crate) fn start_with(
        &self,
        directory: &Path,
        settings: Settings<'_>,
    ) -> io::Result<Broker> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (name, text) = match self.kind {
            Kind::MosquittoConf => ("mosquitto.conf", mosquitto_conf(port, settings)),
            Kind::Own(text) => ("own.toml", text.replace("{port}", &port.to_string())),
            Kind::Relay => ("none", String::new()),
        };
        let config = directory.join(name);
        std::fs::write(&config, text)?;
        let log = directory.join("log");
        let output = File::create(&log)?;
        let config = config.display().to_string();
        let mut words = self
            .command
            .iter()
            .chain(settings.arguments)
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
        let mut broker = Broker { child, port, log, beside: Vec::new() };
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = broker.child.try_wait()? {
                return Err(broker.explain(&format!("{} ended at start: {status}", self.name)));
            }
            match self.greet(port) {
                Ok(()) => return Ok(broker),
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
fn mosquitto_conf(port: u16, settings: Settings<'_>) -> String {
    let persistence = settings.data.map_or_else(
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
         user root\n\
         {}",
        settings.lines
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn only_a_command_with_a_config_has_the_settings_of_all() {
        let conf = Contender::parse("a=b -p {port} -c {config}").unwrap();
        assert!(conf.reads_mosquitto_conf() && conf.speaks_mqtt());
        let own = Contender::parse("a=b -p {port}").unwrap();
        assert!(!own.reads_mosquitto_conf() && own.speaks_mqtt());
    }

    #[test]
    fn configuration_lifts_every_limit_that_could_drop() {
        let text = mosquitto_conf(1_884, Settings::default());
        for line in ["listener 1884 127.0.0.1", "max_queued_messages 0", "set_tcp_nodelay true"] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(text.contains("\npersistence false\n"));
        let lines = "listener 1885 127.0.0.1\n";
        let data = Some(Path::new("/d"));
        let stored = mosquitto_conf(1_884, Settings { data, lines, ..Settings::default() });
        assert!(stored.contains("\npersistence true\npersistence_location /d/\n"));
        assert!(stored.ends_with(lines));
    }
}
