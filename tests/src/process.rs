//! Programs: where ours is, and running others to their end.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// This output, whose program ended well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn success(self) -> Output {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self
    }
}

/// The program under test: `MIDGE_BIN`, or `midge` in the directory the tests were built into.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MIDGE_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("path of the test");
    let found =
        test.ancestors().map(|directory| directory.join("midge")).find(|path| path.is_file());
    found.expect("no midge beside the tests: cargo build -p midge comes first")
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests stands in the repository")
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Output {
    output(Command::new(program).args(arguments), "")
}

/// Runs a prepared program to its end with `input` on its standard input.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn output(command: &mut Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // From a thread of its own, since a program may answer before it has read all of it.
    let writer = std::thread::spawn(move || {
        // A program that ends without reading breaks the pipe; its exit code tells the story.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("output");
    writer.join().expect("writer");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts a shell that waits for the end of this process, then has `script` stop what runs in a
/// directory, and removes that. Statics are never dropped, and a test may be killed.
pub(crate) fn keep(script: &Path, directory: &Path) -> (ChildStdin, Child) {
    let commands = "trap '' INT TERM HUP; read -r _; \"$0\" stop \"$1\" >/dev/null; rm -rf \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", commands]).arg(script).arg(directory);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut keeper = spawned.expect("a shell");
    let wanted = keeper.stdin.take().expect("piped");
    (wanted, keeper)
}
