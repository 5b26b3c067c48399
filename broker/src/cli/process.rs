//! The process as the operating system sees it: open files, user, process id, background.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use rustix::fs::{Gid, Uid};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit, setsid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tracing::warn;

/// Tells a started copy of the program that it is to go to the background.
const BACKGROUND: &str = "MIDGE_BACKGROUND";

/// The word with which it tells that it runs.
const READY: &str = "ready";

/// Allows as many open files as the administrator does: a connection is one.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(%error, "the limit of open files stays {:?}", limit.current);
        }
    }
}

/// Gives up root's rights; to be called before any thread is started, for it counts for this one
/// and those it starts.
pub(super) fn become_user(user: Option<&str>) -> Result<(), String> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some(user) = user.filter(|user| *user != "root") else {
        warn!("midge should not be run as root, name an ordinary user with the option user");
        return Ok(());
    };
    let passwd =
        fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let (uid, gid) = account(&passwd, user)
        .ok_or_else(|| format!("user: found {user:?}, expected a user of /etc/passwd"))?;
    let refused = |error: rustix::io::Errno| format!("user {user:?}: {error}");
    set_thread_groups(&[gid]).map_err(refused)?;
    set_thread_res_gid(gid, gid, gid).map_err(refused)?;
    set_thread_res_uid(uid, uid, uid).map_err(refused)
}

/// The ids of a user, from the text of `/etc/passwd`.
fn account(passwd: &str, user: &str) -> Option<(Uid, Gid)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    let mut id = || fields.next()?.parse().ok();
    Some((Uid::from_raw(id()?), Gid::from_raw(id()?)))
}

/// A file with the process id, removed when this is dropped.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> Result<PidFile, String> {
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| format!("pid_file {}: {error}", path.display()))?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // It may be in a directory that the process must not write any more.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether this copy is the one in the background.
pub(super) fn is_background() -> bool {
    std::env::var_os(BACKGROUND).is_some()
}

/// Starts a copy of this program in the background and waits until it runs.
pub(super) fn start_background() -> ExitCode {
    match spawn() {
        Ok(None) => ExitCode::SUCCESS,
        // It has said why.
        Ok(Some(status)) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("Error: -d: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts it; returns nothing once it runs, else how it ended.
fn spawn() -> io::Result<Option<ExitStatus>> {
    // A child instead of a fork: nothing of this process but its arguments goes along.
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line?;
        if line == READY {
            return Ok(None);
        }
        // What it logs to standard output while it starts.
        println!("{line}");
    }
    child.wait().map(Some)
}

/// Leaves the terminal, and tells whoever started this copy that it runs.
pub(super) fn enter_background() -> Result<(), String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("-d: {what}: {error}");
    setsid().map_err(|error| failed("setsid", &error))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}").and_then(|()| stdout.flush()).map_err(|e| failed("stdout", &e))?;
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|error| failed("/dev/null", &error))?;
    rustix::stdio::dup2_stdout(&null).map_err(|error| failed("stdout", &error))?;
    rustix::stdio::dup2_stderr(&null).map_err(|error| failed("stderr", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nmosquitto:x:101:102::/var/lib:/bin/false\n";
        let found = account(passwd, "mosquitto").map(|(uid, gid)| (uid.as_raw(), gid.as_raw()));
        assert_eq!(found, Some((101, 102)));
        assert_eq!(account(passwd, "mosq"), None);
    }
}
