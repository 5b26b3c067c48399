//! A real InfluxDB 1.x (`influxd`), and its own shell (`influx`).

use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::eventually;
use crate::ports::Port;
use crate::process::{Output, output};

/// A running InfluxDB.
pub struct Influx {
    http: Port,
    _rpc: Port,
    directory: TempDir,
    /// Held open as long as it is wanted; a shell waits for its end and ends the server.
    wanted: Option<ChildStdin>,
    keeper: Child,
}

impl Influx {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start() -> Influx {
        let directory = TempDir::new().expect("temporary directory");
        let (http, rpc) = (Port::take(), Port::take());
        let path = directory.path().to_str().expect("a path in UTF-8");
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{}\"\n\
             [meta]\n  dir = \"{path}/meta\"\n\
             [data]\n  dir = \"{path}/data\"\n  wal-dir = \"{path}/wal\"\n\
             [http]\n  bind-address = \"127.0.0.1:{}\"\n",
            rpc.number(),
            http.number()
        );
        std::fs::write(directory.path().join("influxdb.conf"), config).expect("file");
        let (wanted, keeper) = keep(&directory);
        let influx = Influx { http, _rpc: rpc, directory, wanted, keeper };
        influx.answers();
        influx
    }

    /// Stops it.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&mut self) {
        drop(self.wanted.take());
        self.keeper.wait().expect("the shell ends");
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn resume(&mut self) {
        (self.wanted, self.keeper) = keep(&self.directory);
        self.answers();
    }

    #[track_caller]
    fn answers(&self) {
        eventually("InfluxDB answers", || {
            let ping = format!("{}/ping", self.url());
            let mut curl = Command::new("curl");
            (output(curl.args(["-s", "-f", &ping]), "").code == Some(0)).then_some(())
        });
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.http.number()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// What its shell says to these lines about a database.
    pub fn shell(&self, database: &str, lines: &str) -> Output {
        let port = self.port().to_string();
        let mut command = Command::new("influx");
        command.args(["-host", "127.0.0.1", "-port", &port, "-database", database]);
        output(command.env("HOME", self.directory.path()), lines)
    }

    /// The series that a query finds, as its API tells them.
    ///
    /// # Panics
    /// When it refuses the query.
    #[track_caller]
    pub fn query(&self, database: &str, query: &str) -> Vec<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-G", &format!("{}/query", self.url()), "--data-urlencode"]);
        curl.arg(format!("q={query}")).arg("--data-urlencode").arg(format!("db={database}"));
        let answer = output(&mut curl, "").success().stdout;
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        let result = answer["results"][0].take();
        assert!(result["error"].is_null(), "{query}: {result}");
        result["series"].as_array().cloned().unwrap_or_default()
    }
}

/// Starts a shell that runs it until the shell's input ends.
fn keep(directory: &TempDir) -> (Option<ChildStdin>, Child) {
    let commands = "influxd run -config \"$0/influxdb.conf\" </dev/null >>\"$0/influxd.log\" 2>&1 & \
                    trap '' INT TERM HUP; read -r _; kill $!; wait $!";
    let mut command = Command::new("sh");
    command.args(["-c", commands]).arg(directory.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut keeper = command.spawn().expect("a shell");
    (keeper.stdin.take(), keeper)
}

impl Drop for Influx {
    fn drop(&mut self) {
        drop(self.wanted.take());
        // It has nothing to say.
        let _ = self.keeper.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.path().join("influxd.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("--- the end of InfluxDB's log, last first ---\n{}\n---", lines.join("\n"));
        }
    }
}
