//! `midge store verify`: reads every batch and every record in it.
//!
//! Whatever had been stored and cannot be read is a line with its place, and the status 1. A torn
//! end is a line as well, and no damage: most often it had not been stored yet.

use std::io::Write;
use std::process::ExitCode;

use midge_core::stored::{Entry, Tag};
use midge_store::QueueId;

use super::contents::{Contents, entries, epoch};
use super::{Failure, Opened};

pub(super) fn run(opened: &Opened, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let (directory, report) = (opened.directory.display(), &opened.report);
    let mut damaged = 0_u64;
    for damage in &report.corrupt {
        damaged += 1;
        writeln!(out, "damaged: {damage}")?;
    }
    for damage in &report.torn {
        writeln!(
            out,
            "torn end: {damage}: the end of the log is not whole, and nothing behind it says that \
             it had been on the disk; after a kill or a power cut that is normal and it was not \
             acknowledged, if files were truncated or edited it may have been; the next start cuts \
             it"
        )?;
    }
    let contents = Contents::read(&opened.reader)?;
    for why in &contents.unreadable {
        damaged += 1;
        writeln!(out, "damaged: {why}")?;
    }
    for (client_id, session) in &contents.sessions {
        damaged += queue(opened, session.queue, &format!("client {client_id:?}"), true, out)?;
    }
    for (connector, (id, _)) in &contents.spools {
        damaged += queue(opened, *id, &format!("connector {connector:?}"), false, out)?;
    }
    for id in contents.sessionless.keys() {
        damaged += queue(opened, *id, "no session", true, out)?;
    }
    for id in contents.others.keys() {
        damaged += queue(opened, *id, "nobody", false, out)?;
    }
    let kept = std::fs::read_dir(opened.directory.join("quarantine")).map_or(0, Iterator::count);
    if kept > 0 {
        writeln!(out, "quarantine: {kept} copies of segments in which a start has found damage")?;
    }
    let (segments, batches) = (report.segments, report.batches);
    let torn = report.torn.first();
    let torn = torn.map(|torn| format!("the end is torn at {} offset {}", torn.file, torn.offset));
    let found = match (damaged, torn) {
        (0, None) => "all of it can be read".to_owned(),
        (0, Some(torn)) => torn,
        (_, None) => format!("damaged places: {damaged}"),
        (_, Some(torn)) => format!("damaged places: {damaged}, {torn}"),
    };
    writeln!(
        out,
        "{directory}: {batches} batches with {} records in {segments} segments: {found}",
        report.records
    )?;
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a queue; how much of it cannot be read.
fn queue(
    opened: &Opened,
    queue: QueueId,
    whose: &str,
    tagged: bool,
    out: &mut impl Write,
) -> Result<u64, Failure> {
    let mut damaged = 0;
    let lost = entries::<Failure>(&opened.reader, queue, |stored| {
        let tag = if tagged { Tag::read(stored.tag).err() } else { None };
        let entry = || Entry::read(stored.entry.clone(), epoch()).err();
        if let Some(why) = tag.or_else(entry) {
            damaged += 1;
            let position = stored.position;
            writeln!(out, "damaged: message {position} in the queue of {whose}: {why}")?;
        }
        Ok(())
    })?;
    if lost > 0 {
        writeln!(out, "damaged: {lost} messages in the queue of {whose}")?;
    }
    Ok(damaged + lost)
}
