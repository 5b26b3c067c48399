//! A shell to type a guide's commands into, as they stand there.
//!
//! Programs that a guide has and this machine has not stand in `bin` of the shell's directory, under
//! the names that the guide gives them. `curl` finds the guide's hosts where the test says.
//!
//! Invariant: a command is given to the shell as it is; what stands in for a program or a host is in
//! plain sight in the test.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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

    /// A command that is not started yet.
    pub fn command(&self, text: &str) -> Command {
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
