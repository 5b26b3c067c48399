//! Power cuts: a process under load is killed, and what it had not synced is gone with it.
//!
//! The process tells the number of each commit that its engine called durable. Afterwards another one
//! opens what has survived and looks for every message of those commits.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{Kind, Outcome};
use crate::ledger;
use crate::measure::io_counter;
use crate::workload::{Workload, payload};

/// Commits after which the ledger is held against what the system has counted.
const AUDIT: u64 = 50;

/// What cuts have cost an engine.
#[derive(Default)]
pub(crate) struct Losses {
    pub(crate) cuts: u64,
    /// After how many of them something was missing.
    pub(crate) lossy: u64,
    /// Messages that were owed over all cuts, and how many of them were missing.
    pub(crate) owed: u64,
    pub(crate) lost: u64,
    /// What else happened, once each.
    pub(crate) remarks: Vec<String>,
}

/// The process that is killed: commits for ever, with the shadows beside the data.
pub(crate) fn work(kind: Kind, load: Workload, data: &Path, shadows: &Path) -> Outcome<()> {
    let before = io_counter("wchar")?;
    ledger::open(shadows)?;
    let mut engine = (kind.open)(data)?;
    for number in 0.. {
        if number == AUDIT {
            let (counted, seen) = (io_counter("wchar")? - before, ledger::written());
            if counted.abs_diff(seen) * 100 > counted {
                let error = format!("{counted} bytes were written, the ledger has seen {seen}");
                return Err(error.into());
            }
        }
        engine.commit(&load.commit(number))?;
        io::stdout().write_all(&(number + 1).to_le_bytes())?;
        io::stdout().flush()?;
    }
    Ok(())
}

/// The process that looks afterwards.
pub(crate) fn look(kind: Kind, load: Workload, data: &Path, commits: u64) -> Outcome<Value> {
    let mut missing: std::collections::BTreeSet<_> = load.owed(commits).collect();
    let owed = missing.len();
    let mut engine = (kind.open)(data)?;
    engine.each(&mut |at, bytes| {
        if payload(at) == bytes {
            missing.remove(&at);
        }
    })?;
    Ok(json!({ "owed": owed, "lost": missing.len() }))
}

/// Cuts the power once, after `delay` under load.
pub(crate) fn cut(
    kind: Kind,
    load: Workload,
    delay: Duration,
    directory: &Path,
    losses: &mut Losses,
) -> Outcome<()> {
    let [data, shadows, left] = ["data", "shadows", "left"].map(|name| directory.join(name));
    for made in [&data, &shadows] {
        std::fs::create_dir_all(made)?;
    }
    let group = load.group.to_string();
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--child", "work", kind.name, &group])
        .args([&data, &shadows])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = child.stdout.take().ok_or("no output of a child")?;
    let reading = std::thread::spawn(move || {
        let (mut commits, mut number) = (0, [0; 8]);
        while output.read_exact(&mut number).is_ok() {
            commits = u64::from_le_bytes(number);
        }
        commits
    });
    std::thread::sleep(delay);
    let ended = child.try_wait()?;
    child.kill()?;
    child.wait()?;
    let commits = reading.join().map_err(|_| "the reader panicked")?;
    if let Some(status) = ended {
        return Err(format!("{} ended before the cut: {status}", kind.name).into());
    }
    ledger::survivors(&data, &shadows, &left)?;

    let owed = load.owed(commits).count() as u64;
    losses.cuts += 1;
    losses.owed += owed;
    let seen = Command::new(std::env::current_exe()?)
        .args(["--child", "look", kind.name, &group])
        .arg(&left)
        .arg(commits.to_string())
        .stdin(Stdio::null())
        .output()?;
    let found: Option<Value> = serde_json::from_slice(&seen.stdout).ok();
    let lost = match found.as_ref().and_then(|found| found["lost"].as_u64()) {
        Some(lost) => lost,
        None => {
            let text = String::from_utf8_lossy(&seen.stderr);
            let why = text.trim().lines().last().unwrap_or("no reason given");
            losses.remark(format!("does not open: {why}"));
            owed
        }
    };
    losses.lost += lost;
    losses.lossy += u64::from(lost > 0);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

impl Losses {
    fn remark(&mut self, text: String) {
        if self.remarks.len() < 4 && !self.remarks.contains(&text) {
            self.remarks.push(text);
        }
    }
}
