//! Opening a directory: reads every batch, judges what is damaged, and builds the index.
//!
//! The rules stand in [`format`](mod@crate::format) under "Recovery". With settings the directory is
//! repaired by them; without, nothing is changed and the report says what would be.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use crate::format;
use crate::index::Index;
use crate::journal::{Head, Ready};
use crate::{File, FileSystem, LockMode, OpenError, Report, Settings};

mod repair;
mod scan;

pub(crate) use repair::quarantine;
pub(crate) use scan::{read_what_can_be, resynchronise};

/// What opening a directory gives.
pub(crate) struct Recovered<F: FileSystem> {
    pub(crate) index: Index,
    pub(crate) salt: u64,
    pub(crate) lock: F::Lock,
    pub(crate) head: Option<Head>,
    pub(crate) ready: VecDeque<Ready>,
    pub(crate) last_lsn: u64,
    pub(crate) report: Report,
}

pub(crate) fn recover<F: FileSystem>(
    files: &F,
    settings: Option<&Settings>,
) -> Result<Recovered<F>, OpenError> {
    let directory = files.describe();
    let failed = |file: &str, source: io::Error| OpenError::Io {
        directory: directory.clone(),
        file: file.to_owned(),
        source,
    };
    let foreign = |found: String| OpenError::Foreign {
        directory: directory.clone(),
        found,
        expected: format::VERSION,
    };
    if settings.is_some() {
        files.create_directory("").map_err(|error| failed("", error))?;
    }
    let mode = if settings.is_some() { LockMode::Exclusive } else { LockMode::Shared };
    let lock = files.lock(mode);
    let lock = lock.map_err(|source| OpenError::Locked { directory: directory.clone(), source })?;
    let names = files.list("").map_err(|error| failed("", error))?;
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| format::segment_number(name)).collect();
    numbers.sort_unstable();

    let mut report = Report::default();
    let salt = if names.iter().any(|name| name == format::MARKER) {
        let text = read_marker(files).map_err(|error| failed(format::MARKER, error))?;
        format::parse_marker(&text).map_err(foreign)?
    } else if !numbers.is_empty() {
        return Err(foreign("found segments without a format file".to_owned()));
    } else if settings.is_none() {
        return Err(foreign("found no format file".to_owned()));
    } else {
        report.created = true;
        repair::create_marker(files).map_err(|error| failed(format::MARKER, error))?
    };

    let mut scan = scan::Scan::new(salt);
    for &number in &numbers {
        let name = format::segment_name(number);
        let file = files.open_read_only(&name).map_err(|error| failed(&name, error))?;
        let length = file.length().map_err(|error| failed(&name, error))?;
        let content = Bytes::from(read_what_can_be(&file, 0, length as usize));
        scan.segment(number, &content).map_err(foreign)?;
    }
    let scanned = scan.finish(&mut report);
    let last_lsn = scanned.last_lsn;
    let (head, ready) = match settings {
        Some(settings) => repair::repair(files, salt, &scanned, settings, &mut report)
            .map_err(|(file, source)| failed(&file, source))?,
        None => (None, VecDeque::new()),
    };
    for damage in &report.torn {
        tracing::warn!(%damage, "the end of the log was torn, and never reported durable: cut");
    }
    for damage in &report.corrupt {
        tracing::error!(%damage, "damage in the journal: what stood there is lost");
    }
    Ok(Recovered { index: scanned.index, salt, lock, head, ready, last_lsn, report })
}

fn read_marker<F: FileSystem>(files: &F) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 256];
    let length = files.open_read_only(format::MARKER)?.read_at(0, &mut text)?;
    text.truncate(length);
    Ok(text)
}
