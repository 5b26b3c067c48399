//! A shell to type a guide's commands into, as they stand there.
//!
//! Programs that a guide has and this machine has not stand in `bin` of the shell's directory, under
//! the names that the guide gives them. `curl` finds the guide's hosts where the test says.
//!
//! Invariant: a command is given to the shell as it is; what stands in for a program or a host is in
//! plain sight in the test.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::eventually;
use crate::process::{Output, binary, output};

/// A directory to type commands in.
pub struct Shell {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Default for Shell {
    fn default() -> Shell {
        Shell::new()
    }
}

impl Shell {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no directory to be had.
    #[must_use]
    pub fn new() -> Shell {
        Shell { directory: TempDir::new().expect("temporary directory"), variables: Vec::new() }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a program, a script for `sh` in which `@MIDGE@` stands for the program under test.
    #[must_use]
    pub fn program(self, name: &str, script: &str) -> Shell {
        let midge = binary();
        let script = script.replace("@MIDGE@", midge.to_str().expect("a path in UTF-8"));
        let shell = self.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let path = shell.path(&format!("bin/{name}"));
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, executable).expect("permissions");
        shell
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, contents: &str) -> Shell {
        self.write(name, contents);
        self
    }

    /// Writes a file.
    pub fn write(&self, name: &str, contents: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("in a directory")).expect("directory");
        std::fs::write(path, contents).expect("file");
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Shell {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has `curl` find `host`, as `NAME:PORT`, at a port of the loopback address.
    #[must_use]
    pub fn curl_finds(self, host: &str, port: u16) -> Shell {
        let file = self.path(".curlrc");
        let mut text = std::fs::read_to_string(&file).unwrap_or_default();
        text.push_str(&format!("connect-to = \"{host}:127.0.0.1:{port}\"\n"));
        self.write(".curlrc", &text);
        self
    }

    /// Runs a command to its end, with nothing on its standard input.
    #[track_caller]
    pub fn run(&self, command: &str) -> Output {
        self.run_with(command, "")
    }

    /// Runs a command to its end, with something on its standard input.
    #[track_caller]
    pub fn run_with(&self, command: &str, input: &str) -> Output {
        output(&mut self.command(command), input)
    }

    /// Starts a command that does not end by itself. What it writes goes to `LOG` in the directory.
    ///
    /// # Panics
    /// When there is no shell.
    #[track_caller]
    pub fn start(&self, command: &str, log: &str) -> Running {
        let log = self.path(log);
        let file = File::create(&log).expect("a log");
        let mut command = self.command(command);
        // A group of its own: the shell, and whatever it starts.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a log")).stderr(file);
        Running { child: command.spawn().expect("a shell"), log }
    }

    fn command(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        let mut path = OsString::from(self.path("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.args(["-c", text]).current_dir(self.directory());
        command.env("PATH", path).env("HOME", self.directory());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A command that was started and goes on.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Everything it wrote so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until a line it wrote contains every one of `parts`; returns the line.
    ///
    /// # Panics
    /// When none does, or when the command ends without.
    #[track_caller]
    pub fn says(&mut self, parts: &[&str]) -> String {
        eventually(&format!("a line with {parts:?}"), || {
            // First whether it has ended: what it wrote then is all there is.
            let ended = self.child.try_wait().expect("state of the process");
            let log = self.log();
            let mut lines = log.lines();
            let line = lines.find(|line| parts.iter().all(|part| line.contains(part)));
            assert!(line.is_some() || ended.is_none(), "it ended:\n{log}");
            line.map(str::to_owned)
        })
    }

    /// Sends a signal to it and to what it has started.
    pub fn signal(&self, signal: Signal) {
        // Whoever has ended already does not mind.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the command wrote ---\n{}---", self.log());
        }
    }
}
