//! Mosquitto's own programs: `mosquitto_pub`, `mosquitto_sub`, `mosquitto_passwd`, and the broker.

mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::process::{Output, output};
use crate::{Midge, eventually};

pub use server::Mosquitto;

/// `mosquitto_pub` and its arguments: `Publisher::new(&midge).arguments(&["-t", "a"]).run()`.
pub struct Publisher {
    command: Command,
    input: String,
}

impl Publisher {
    /// To this broker.
    pub fn new(midge: &Midge) -> Publisher {
        Publisher::to(midge.port(1))
    }

    /// To this port of localhost.
    pub fn to(port: u16) -> Publisher {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "localhost", "-p", &port.to_string()]);
        Publisher { command, input: String::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Publisher {
        self.command.args(arguments);
        self
    }

    /// Publishes each line of `lines` (`-l`).
    #[must_use]
    pub fn lines(mut self, lines: String) -> Publisher {
        self.command.arg("-l");
        self.input = lines;
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Output {
        output(&mut self.command, &self.input)
    }

    /// Runs it to its end, which must be good.
    #[track_caller]
    pub fn succeeds(self) {
        self.run().success();
    }

    /// Runs it to its end, which must be bad; returns what it said.
    #[track_caller]
    pub fn fails(self) -> String {
        let output = self.run();
        assert_ne!(output.code, Some(0), "{}", output.all());
        output.all()
    }
}

/// A running `mosquitto_sub`.
pub struct Subscriber {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Subscriber {
    /// Subscribes at this broker and waits for the SUBACK.
    #[track_caller]
    pub fn new(midge: &Midge, arguments: &[&str]) -> Subscriber {
        Subscriber::at(midge.port(1), arguments)
    }

    /// Subscribes at this port of localhost and waits for the SUBACK.
    #[track_caller]
    pub fn at(port: u16, arguments: &[&str]) -> Subscriber {
        let port = port.to_string();
        let subscriber = Subscriber::started(&[&["-h", "localhost", "-p", &port, "-d"], arguments]);
        eventually("mosquitto_sub is subscribed", || {
            subscriber.any(&subscriber.lines, "Subscribed (mid").or_else(|| {
                assert!(!subscriber.ended(), "it ended: {}", subscriber.error());
                None
            })
        });
        subscriber
    }

    /// Runs `mosquitto_sub` with exactly these arguments and waits for nothing.
    #[track_caller]
    pub fn exactly(arguments: &[&str]) -> Subscriber {
        Subscriber::started(&[arguments])
    }

    fn started(arguments: &[&[&str]]) -> Subscriber {
        // Its standard output is a pipe, which libc would fill before it passes anything on.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub"]).args(arguments.iter().copied().flatten());
        let spawned =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = collect(process.stdout.take().expect("piped"));
        let errors = collect(process.stderr.take().expect("piped"));
        Subscriber { process, lines, errors }
    }

    /// Waits until it has printed this line.
    #[track_caller]
    pub fn prints(&self, line: &str) {
        eventually(&format!("mosquitto_sub prints {line:?}"), || {
            self.has_printed(line).then_some(())
        });
    }

    /// Whether it has printed this line already.
    pub fn has_printed(&self, line: &str) -> bool {
        self.lines.lock().expect("lines").iter().any(|printed| printed == line)
    }

    /// What it printed so far, but for its own remarks.
    pub fn printed(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("lines");
        let remark =
            |line: &&String| line.starts_with("Client ") || line.starts_with("Subscribed ");
        lines.iter().filter(|line| !remark(line)).cloned().collect()
    }

    /// Waits until it has printed this many messages; returns them.
    #[track_caller]
    pub fn messages(&self, count: usize) -> Vec<String> {
        eventually(&format!("{count} messages at mosquitto_sub"), || {
            let printed = self.printed();
            (printed.len() >= count).then_some(printed)
        })
    }

    /// Waits until it has ended by itself; returns what it said on standard error.
    pub fn complains(mut self) -> String {
        let process = &mut self.process;
        eventually("mosquitto_sub ends", || process.try_wait().expect("state of the process"));
        eventually("mosquitto_sub says why", || {
            let error = self.error();
            (!error.is_empty()).then_some(error)
        })
    }

    fn any(&self, lines: &Mutex<Vec<String>>, part: &str) -> Option<()> {
        lines.lock().expect("lines").iter().any(|line| line.contains(part)).then_some(())
    }

    fn ended(&self) -> bool {
        !Path::new(&format!("/proc/{}/exe", self.process.id())).exists()
    }

    fn error(&self) -> String {
        self.errors.lock().expect("lines").join("\n")
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- mosquitto_sub wrote ---\n{:?}\n{}\n---", self.printed(), self.error());
        }
    }
}

/// Adds a user to a password file as `mosquitto_passwd -b` does.
#[track_caller]
pub fn mosquitto_passwd(file: &Path, user: &str, password: &str) {
    let mut command = Command::new("mosquitto_passwd");
    command.arg("-b");
    if !file.exists() {
        command.arg("-c");
    }
    output(command.arg(file).args([user, password]), "").success();
}

fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    // Ends with the program, which closes the other side.
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            collected.lock().expect("lines").push(text);
            line.clear();
        }
    });
    lines
}
