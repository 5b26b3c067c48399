//! `midge store inspect`: what the store holds, in figures.
//!
//! Nothing but the first message of each queue is read.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use midge_store::{LoadError, QueueId, QueueSummary};
use serde_json::{Value, json};

use super::contents::{Contents, Reader, oldest};
use super::json::moment;
use super::{Failure, Opened};

pub(super) fn run(opened: &Opened, json: bool, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let contents = Contents::read(&opened.reader)?;
    for why in &contents.unreadable {
        eprintln!("Warning: {why}");
    }
    match json {
        true => object(opened, &contents, out)?,
        false => tables(opened, &contents, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn queue(reader: &Reader, id: QueueId, summary: &QueueSummary) -> Result<Value, LoadError> {
    Ok(json!({
        "queue": format!("{:016x}", id.0),
        "messages": summary.entries,
        "bytes": summary.bytes,
        "oldest": oldest(reader, id)?.map(moment),
    }))
}

fn object(opened: &Opened, contents: &Contents, out: &mut impl Write) -> Result<(), Failure> {
    let reader = &opened.reader;
    let segments: Vec<Value> = reader
        .segments()
        .iter()
        .map(|segment| {
            json!({
                "file": segment.file,
                "disk_bytes": segment.disk_bytes,
                "live_bytes": segment.live_bytes,
                "dead_bytes": segment.used_bytes - segment.live_bytes,
            })
        })
        .collect();
    let mut sessions = Vec::new();
    for (client_id, session) in &contents.sessions {
        let record = &session.record;
        let mut object = queue(reader, session.queue, &session.summary)?;
        object["client_id"] = client_id.as_str().into();
        object["username"] = record.username.as_deref().into();
        object["unclaimed"] = record.unclaimed.into();
        object["session_expiry_interval"] = record.expiry.map(|expiry| expiry.as_secs()).into();
        object["offline_since"] = record.offline_since.map_or(Value::Null, moment);
        object["subscriptions"] = session.subscriptions.len().into();
        object["inbound"] = session.inbound.len().into();
        object["released"] = session.released.len().into();
        sessions.push(object);
    }
    let mut spools = Vec::new();
    for (connector, (id, summary)) in &contents.spools {
        let mut object = queue(reader, *id, summary)?;
        object["connector"] = connector.as_str().into();
        spools.push(object);
    }
    let mut others = Vec::new();
    for (id, summary) in &contents.others {
        others.push(queue(reader, *id, summary)?);
    }
    let mut sessionless = Vec::new();
    for (id, summary) in &contents.sessionless {
        let mut object = queue(reader, *id, summary)?;
        object["client_id"] = Value::Null;
        sessionless.push(object);
    }
    let report = &opened.report;
    let whole = json!({
        "directory": opened.directory.display().to_string(),
        "segments": segments,
        "sessions": sessions,
        "retained": contents.retained,
        "no_session": sessionless,
        "spools": spools,
        "other_queues": others,
        "marks": contents.marks,
        "unreadable": contents.unreadable.len(),
        "damaged": report.corrupt.len(),
    });
    serde_json::to_writer_pretty(&mut *out, &whole).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

fn tables(opened: &Opened, contents: &Contents, out: &mut impl Write) -> Result<(), Failure> {
    let reader = &opened.reader;
    let segments = reader.segments();
    let sum = |of: fn(&midge_store::SegmentSummary) -> u64| segments.iter().map(of).sum::<u64>();
    let sessions = contents.sessions.values();
    let queued: u64 = sessions.clone().map(|session| session.summary.entries).sum();
    let subscriptions: usize = sessions.map(|session| session.subscriptions.len()).sum();
    writeln!(
        out,
        "{}: {} segments, {} on disk, {} live, {} dead",
        opened.directory.display(),
        segments.len(),
        size(sum(|segment| segment.disk_bytes)),
        size(sum(|segment| segment.live_bytes)),
        size(sum(|segment| segment.used_bytes - segment.live_bytes)),
    )?;
    writeln!(
        out,
        "{} sessions, {subscriptions} subscriptions, {queued} queued messages, {} retained \
         messages, {} spools, {} marks of records from Kafka",
        contents.sessions.len(),
        contents.retained,
        contents.spools.len(),
        contents.marks,
    )?;
    if !opened.report.is_clean() {
        let places = opened.report.corrupt.len();
        writeln!(out, "damaged places: {places}, see midge store verify")?;
    }
    let mut table = Table::new(&["segment", "on disk", "live", "dead"]);
    for segment in &segments {
        table.row(vec![
            segment.file.clone(),
            size(segment.disk_bytes),
            size(segment.live_bytes),
            size(segment.used_bytes - segment.live_bytes),
        ]);
    }
    table.write(out)?;
    let mut table =
        Table::new(&["client id", "user", "subscriptions", "messages", "size", "oldest"]);
    for (client_id, session) in &contents.sessions {
        let user = match (&session.record.username, session.record.unclaimed) {
            (_, true) => "(first to come)".to_owned(),
            (Some(username), _) => username.to_string(),
            (None, _) => "-".to_owned(),
        };
        let summary = &session.summary;
        table.row(vec![
            client_id.clone(),
            user,
            session.subscriptions.len().to_string(),
            summary.entries.to_string(),
            size(summary.bytes),
            age(oldest(reader, session.queue)?),
        ]);
    }
    table.write(out)?;
    let mut table = Table::new(&["no session", "messages", "size", "oldest"]);
    for (id, summary) in &contents.sessionless {
        table.row(vec![
            format!("{:016x}", id.0),
            summary.entries.to_string(),
            size(summary.bytes),
            age(oldest(reader, *id)?),
        ]);
    }
    table.write(out)?;
    let mut table = Table::new(&["spool", "messages", "size", "oldest"]);
    let spools = contents.spools.iter().map(|(name, queue)| (name.clone(), queue.0, queue.1));
    let others = contents.others.iter().map(|(id, queue)| (format!("{:016x}", id.0), *id, *queue));
    for (name, id, summary) in spools.chain(others) {
        let oldest = age(oldest(reader, id)?);
        table.row(vec![name, summary.entries.to_string(), size(summary.bytes), oldest]);
    }
    table.write(out)?;
    Ok(())
}

/// Columns under their names.
struct Table(Vec<Vec<String>>);

impl Table {
    fn new(head: &[&str]) -> Table {
        Table(vec![head.iter().map(|name| name.to_uppercase()).collect()])
    }

    fn row(&mut self, cells: Vec<String>) {
        // A client id may hold anything, also what a terminal obeys.
        let shown = |cell: String| cell.replace(char::is_control, "\u{fffd}");
        self.0.push(cells.into_iter().map(shown).collect());
    }

    /// Writes it, unless there is nothing in it.
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.0.len() < 2 {
            return Ok(());
        }
        let columns = self.0[0].len();
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        writeln!(out)?;
        for row in &self.0 {
            let cells = row.iter().zip(&widths).enumerate();
            // The first is a name, the others are mostly numbers.
            let cells = cells.map(|(at, (cell, width))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        Ok(())
    }
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

/// How long ago, in the two largest units.
fn age(unix_millis: Option<u64>) -> String {
    let Some(at) = unix_millis else { return "-".to_owned() };
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since_epoch.saturating_sub(Duration::from_millis(at)).as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_suits_them() {
        let sizes = [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (16 << 20, "16.0 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(5 << 30), "5.0 GiB");
    }

    #[test]
    fn a_table_has_columns() {
        let mut table = Table::new(&["name", "size"]);
        let mut out = Vec::new();
        table.write(&mut out).expect("written");
        assert!(out.is_empty());
        table.row(vec!["a\u{1b}[2J".to_owned(), "10".to_owned()]);
        table.write(&mut out).expect("written");
        assert_eq!(String::from_utf8_lossy(&out), "\nNAME   SIZE\na\u{fffd}[2J    10\n");
    }
}
