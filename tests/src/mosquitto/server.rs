//! Mosquitto itself, as another broker than ours.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::eventually;
use crate::ports::Port;

/// A running Mosquitto with a directory of its own, for which `@DIR@` stands in its configuration.
pub struct Mosquitto {
    directory: TempDir,
    port: Port,
    process: Child,
}

impl Mosquitto {
    /// Starts it with one listener and these lines of `mosquitto.conf`; anonymous clients are
    /// allowed unless they say otherwise.
    #[track_caller]
    pub fn start(conf: &str) -> Mosquitto {
        Mosquitto::with_files(conf, |_| {})
    }

    /// The same, with files that are written before.
    #[track_caller]
    pub fn with_files(conf: &str, write: impl FnOnce(&Path)) -> Mosquitto {
        let directory = TempDir::new().expect("temporary directory");
        let port = Port::take();
        // Started as root it would become a user who may not write there.
        let user = if rustix::process::getuid().is_root() { "user root\n" } else { "" };
        let anonymous =
            if conf.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
        let (number, path) = (port.number(), directory.path().display().to_string());
        let conf = format!(
            "{user}log_type all\nlistener {number} 127.0.0.1\n{anonymous}{}\n",
            conf.replace("@DIR@", &path)
        );
        std::fs::write(directory.path().join("mosquitto.conf"), conf).expect("file");
        write(directory.path());
        let process = spawn(directory.path());
        let mut mosquitto = Mosquitto { directory, port, process };
        mosquitto.await_start();
        mosquitto
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it has written, since its first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("output.log")).unwrap_or_default()
    }

    /// Waits until a part has stood in its log this often.
    #[track_caller]
    pub fn says(&self, part: &str, times: usize) {
        eventually(&format!("mosquitto says {part:?} {times} times"), || {
            (self.log().matches(part).count() >= times).then_some(())
        });
    }

    /// Stops it, which saves what it has to keep.
    #[track_caller]
    pub fn stop(&mut self) {
        rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM).expect("TERM");
        self.process.wait().expect("state of the process");
    }

    /// Starts it again where it was.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = spawn(self.directory.path());
        self.await_start();
    }

    #[track_caller]
    fn await_start(&mut self) {
        let address = (Ipv4Addr::LOCALHOST, self.port.number());
        let process = &mut self.process;
        eventually("mosquitto takes connections", || {
            let ended = process.try_wait().expect("state of the process");
            assert!(ended.is_none(), "mosquitto ended: {ended:?}");
            TcpStream::connect(address).ok()
        });
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- mosquitto wrote ---\n{}---", self.log());
        }
    }
}

fn spawn(directory: &Path) -> Child {
    let mut command = match Path::new("/usr/sbin/mosquitto") {
        path if path.exists() => Command::new(path),
        _ => Command::new("mosquitto"),
    };
    command.arg("-c").arg(directory.join("mosquitto.conf"));
    let log = File::options().create(true).append(true).open(directory.join("output.log"));
    let log = log.expect("log");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
