//! The program under test with a directory of its own.
//!
//! In every file and argument `@DIR@` stands for that directory and `@PORT@`, `@PORT2@`, `@PORT3@`
//! for free loopback ports. The program ends with the [`Midge`] that holds it, and what it wrote is
//! shown when the test fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use midge_codec::ProtocolVersion;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::ports::Port;
use crate::process::{Output, binary, output};
use crate::{Client, Dial, Raw, eventually};

/// Files, arguments and environment of a program not started yet.
pub struct Setup {
    directory: TempDir,
    files: BTreeMap<String, String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    listening: Vec<usize>,
    file_descriptors: Option<u32>,
    through: Vec<String>,
}

/// The running program.
pub struct Midge {
    setup: Setup,
    ports: Ports,
    process: Child,
}

/// What a program that did not start said.
pub type Refusal = Output;

type Ports = [Port; 3];

impl Setup {
    /// Starts with `mosquitto.conf` as given. Where it opens no listener, one on `@PORT@` is put in
    /// front, and where it says nothing of anonymous clients, they are allowed.
    pub fn conf(conf: &str) -> Setup {
        let mut text = String::new();
        if !conf.contains("listener ") && !conf.contains("port ") {
            text.push_str("listener @PORT@ 127.0.0.1\n");
        }
        text.push_str(conf);
        if !conf.contains("allow_anonymous") && !conf.contains("per_listener_settings true") {
            text.push_str("\nallow_anonymous true\n");
        }
        Setup::exactly(&text)
    }

    /// Starts with `mosquitto.conf` as given, to the letter.
    pub fn exactly(conf: &str) -> Setup {
        Setup::arguments(&["-c", "@DIR@/mosquitto.conf"]).file("mosquitto.conf", conf)
    }

    /// Starts with nothing but a command line.
    pub fn arguments(arguments: &[&str]) -> Setup {
        Setup {
            directory: TempDir::new().expect("temporary directory"),
            files: BTreeMap::new(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: Vec::new(),
            listening: vec![0],
            file_descriptors: None,
            through: Vec::new(),
        }
    }

    /// Adds a bridge: `--bridge midge.toml`.
    pub fn bridge(self, toml: &str) -> Setup {
        self.file("midge.toml", toml).argument("--bridge").argument("@DIR@/midge.toml")
    }

    /// Adds a file.
    pub fn file(mut self, name: &str, contents: &str) -> Setup {
        self.files.insert(name.to_owned(), contents.to_owned());
        self
    }

    /// Adds an argument to the command line.
    pub fn argument(mut self, argument: &str) -> Setup {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn environment(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Which of `@PORT@`, `@PORT2@` and `@PORT3@` it will listen on; only the first unless said.
    pub fn listening(mut self, ports: &[usize]) -> Setup {
        self.listening = ports.iter().map(|port| port - 1).collect();
        self
    }

    /// Lets it open that many files and sockets only.
    pub fn file_descriptors(mut self, limit: u32) -> Setup {
        self.file_descriptors = Some(limit);
        self
    }

    /// Has another program start it: one that takes a command line as its last arguments, and
    /// becomes it.
    pub fn through(mut self, command: &[&str]) -> Setup {
        self.through = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// The directory `@DIR@` stands for.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start(self) -> Midge {
        self.try_start().unwrap_or_else(|refusal| panic!("did not start:\n{}", refusal.all()))
    }

    /// Starts it as a daemon (`-d`), whose first process ends; `pid_file @DIR@/pid` must be set.
    ///
    /// # Panics
    /// When that process does not end well, or leaves no daemon.
    #[track_caller]
    pub fn daemon(self) -> Daemon {
        let ports = take_ports();
        self.write(&ports);
        let log = File::create(self.log_file()).expect("log");
        let mut command = self.command(&ports);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log);
        let status = command.status().expect("the first process");
        assert!(status.success(), "{status}: {}", self.log());
        let file = self.directory().join("pid");
        let pid = eventually("a process id in the pid file", || {
            Pid::from_raw(std::fs::read_to_string(&file).ok()?.trim().parse().ok()?)
        });
        let address = loopback(&ports[0]);
        eventually("the daemon takes connections", || TcpStream::connect(address).ok());
        Daemon { _setup: self, _ports: ports, address, pid }
    }

    /// Runs it to its end, which comes by itself.
    pub fn run(&self) -> Output {
        let ports = take_ports();
        self.write(&ports);
        output(&mut self.command(&ports), "")
    }

    /// Starts it, or returns what it said when it ended instead.
    pub fn try_start(self) -> Result<Midge, Refusal> {
        // A program that is no test may take a port between our choice and its bind.
        for _ in 0..5 {
            let ports = take_ports();
            self.write(&ports);
            let mut process = self.spawn(&ports);
            let ended = eventually("the broker takes connections or ends", || {
                if let Some(status) = process.try_wait().expect("state of the process") {
                    return Some(Some(status));
                }
                let connects = |index: &usize| TcpStream::connect(loopback(&ports[*index])).is_ok();
                self.listening.iter().all(connects).then_some(None)
            });
            match ended {
                None => return Ok(Midge { setup: self, ports, process }),
                Some(_) if self.log().to_lowercase().contains("in use") => {}
                Some(status) => {
                    let (code, stdout) = (status.code(), self.log());
                    return Err(Refusal { code, stdout, stderr: String::new() });
                }
            }
        }
        let stderr = "five times a chosen port was taken by another process".to_owned();
        Err(Refusal { code: None, stdout: self.log(), stderr })
    }

    fn spawn(&self, ports: &Ports) -> Child {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("log");
        let mut command = self.command(ports);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log);
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn command(&self, ports: &Ports) -> Command {
        let mut words: Vec<OsString> = self.through.iter().map(OsString::from).collect();
        if let Some(limit) = self.file_descriptors {
            words.extend(["prlimit".into(), format!("--nofile={limit}:{limit}").into()]);
        }
        words.push(binary().into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // Several workers on any machine, so that sessions of different shards meet in every test.
        command.env("MIDGE__BROKER__WORKERS", "3");
        for (name, value) in &self.environment {
            command.env(name, self.filled(value, ports));
        }
        command.args(self.arguments.iter().map(|argument| self.filled(argument, ports)));
        command.current_dir(self.directory.path());
        command
    }

    fn write(&self, ports: &Ports) {
        for (name, contents) in &self.files {
            let path = self.directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("in a directory")).expect("directory");
            std::fs::write(path, self.filled(contents, ports)).expect("file");
        }
    }

    fn filled(&self, text: &str, ports: &Ports) -> String {
        let directory = self.directory.path().to_str().expect("a path in UTF-8");
        text.replace("@DIR@", directory)
            .replace("@PORT@", &ports[0].number().to_string())
            .replace("@PORT2@", &ports[1].number().to_string())
            .replace("@PORT3@", &ports[2].number().to_string())
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("output.log")
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The program running as a daemon.
pub struct Daemon {
    _setup: Setup,
    _ports: Ports,
    address: SocketAddr,
    pid: Pid,
}

impl Daemon {
    /// A connected client of MQTT 5 with a clean session.
    #[track_caller]
    pub fn client(&self, client_id: &str) -> Client {
        Dial::new(self.address, ProtocolVersion::V5, client_id).connect()
    }

    /// Ends it and waits until it is gone. It is no child of ours that could be waited for.
    pub fn end(&self) {
        // It may be gone already.
        let _ = rustix::process::kill_process(self.pid, Signal::TERM);
        let process = PathBuf::from(format!("/proc/{}/exe", self.pid.as_raw_nonzero()));
        eventually("the daemon ends", || std::fs::read_link(&process).is_err().then_some(()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

impl Midge {
    /// Starts with the given lines in `mosquitto.conf`; see [`Setup::conf`].
    #[track_caller]
    pub fn start(conf: &str) -> Midge {
        Setup::conf(conf).start()
    }

    /// Where `@PORT@` is.
    pub fn address(&self) -> SocketAddr {
        loopback(&self.ports[0])
    }

    /// The number `@PORT@`, `@PORT2@` or `@PORT3@` stands for.
    pub fn port(&self, number: usize) -> u16 {
        self.ports[number - 1].number()
    }

    /// The directory `@DIR@` stands for.
    pub fn directory(&self) -> &Path {
        self.setup.directory()
    }

    /// Prepares a connection of the given version.
    pub fn dial(&self, version: ProtocolVersion, client_id: &str) -> Dial {
        Dial::new(self.address(), version, client_id)
    }

    /// Prepares a connection of MQTT 5.
    pub fn v5(&self, client_id: &str) -> Dial {
        self.dial(ProtocolVersion::V5, client_id)
    }

    /// Prepares a connection of MQTT 3.1.1.
    pub fn v311(&self, client_id: &str) -> Dial {
        self.dial(ProtocolVersion::V311, client_id)
    }

    /// Prepares a connection of MQTT 3.1.
    pub fn v31(&self, client_id: &str) -> Dial {
        self.dial(ProtocolVersion::V31, client_id)
    }

    /// A connected client of MQTT 5 with a clean session.
    #[track_caller]
    pub fn client(&self, client_id: &str) -> Client {
        self.v5(client_id).connect()
    }

    /// A connected client of MQTT 5 that is a user and is called like it.
    #[track_caller]
    pub fn client_of(&self, user: &str, password: &str) -> Client {
        self.v5(user).user(user, password).connect()
    }

    /// A connection over which nothing was said yet.
    #[track_caller]
    pub fn raw(&self) -> Raw {
        Raw::connect(self.address())
    }

    /// Everything it wrote to standard output and error so far.
    pub fn log(&self) -> String {
        self.setup.log()
    }

    /// Waits until a line it wrote contains every one of `parts`; returns the line.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> String {
        eventually(&format!("a line in the log with {parts:?}"), || {
            let log = self.log();
            let mut lines = log.lines();
            lines.find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        })
    }

    /// Replaces a file in its directory.
    pub fn rewrite(&mut self, name: &str, contents: &str) {
        self.setup.files.insert(name.to_owned(), contents.to_owned());
        self.setup.write(&self.ports);
    }

    /// Sends SIGHUP.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("signal");
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Waits until it has ended; returns the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let process = &mut self.process;
        eventually("the broker ends", || process.try_wait().expect("state of the process")).code()
    }

    /// Ends it as SIGTERM does, waits, and starts it again with the same files and ports.
    pub fn restart(&mut self) {
        self.signal(Signal::TERM);
        self.ended();
        self.start_again();
    }

    /// Ends it as `kill -9` does, waits, and starts it again with the same files and ports.
    pub fn crash(&mut self) {
        self.signal(Signal::KILL);
        self.await_kill();
        self.start_again();
    }

    /// Waits until SIGKILL, which was sent, has ended it.
    ///
    /// # Panics
    /// When it ended by itself instead.
    #[track_caller]
    pub fn await_kill(&mut self) {
        let status = self.process.wait().expect("state of the process");
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "it was not the kill: {status}");
    }

    /// Starts it again, which has ended, with the same files and ports.
    ///
    /// # Panics
    /// When it does not take connections.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = self.setup.spawn(&self.ports);
        let (process, ports, listening) = (&mut self.process, &self.ports, &self.setup.listening);
        eventually("the broker takes connections again", || {
            let ended = process.try_wait().expect("state of the process");
            assert!(ended.is_none(), "ended instead of starting again: {ended:?}");
            let connects = |index: &usize| TcpStream::connect(loopback(&ports[*index])).is_ok();
            listening.iter().all(connects).then_some(())
        });
    }
}

impl Drop for Midge {
    fn drop(&mut self) {
        // It may have ended already, as it should in some tests.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- what the broker wrote ---\n{}---", self.log());
        }
    }
}

fn take_ports() -> Ports {
    std::array::from_fn(|_| Port::take())
}

fn loopback(port: &Port) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()))
}
