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

/// What may be in a directory that is no journal yet: what a start that was cut off has left, and
/// what a file system brings.
const BEFORE_THE_MARKER: [&str; 3] = [format::LOCK, format::MARKER_UNFINISHED, "lost+found"];

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
    let foreign = |found: String| is_foreign(files, found);
    // Before anything is made: what is another program's stays as it is.
    read_salt(files)?;
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
    let salt = match read_salt(files)? {
        Some(salt) => salt,
        None if settings.is_none() => return Err(foreign("found no format file".to_owned())),
        None => {
            report.created = true;
            repair::create_marker(files).map_err(|error| failed(format::MARKER, error))?
        }
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
        tracing::warn!(
            %damage,
            "the end of the log is not whole and is cut: nothing behind it says that it had been \
             on the disk; after a kill or a power cut it was not acknowledged, after a file was \
             truncated or edited it may have been"
        );
    }
    for damage in &report.corrupt {
        // A header says what file it is and holds nothing that was stored.
        if damage.offset == 0 && damage.batches == 0 {
            tracing::error!(%damage, "damage in the journal: of a header, nothing stored is lost");
        } else {
            tracing::error!(%damage, "damage in the journal: what stood there is lost");
        }
    }
    Ok(Recovered { index: scanned.index, salt, lock, head, ready, last_lsn, report })
}

fn is_foreign<F: FileSystem>(files: &F, found: String) -> OpenError {
    OpenError::Foreign { directory: files.describe(), found, expected: format::VERSION }
}

/// What the marker says; `None`: there is no journal yet, and nothing else either.
fn read_salt<F: FileSystem>(files: &F) -> Result<Option<u64>, OpenError> {
    let failed = |file: &str, source: io::Error| OpenError::Io {
        directory: files.describe(),
        file: file.to_owned(),
        source,
    };
    let names = files.list("").map_err(|error| failed("", error))?;
    if names.iter().any(|name| name == format::MARKER) {
        let text = read_marker(files).map_err(|error| failed(format::MARKER, error))?;
        let salt = format::parse_marker(&text).map_err(|found| is_foreign(files, found))?;
        return Ok(Some(salt));
    }
    match names.iter().find(|name| !BEFORE_THE_MARKER.contains(&name.as_str())) {
        Some(name) => Err(is_foreign(files, format!("found {name} and no format file"))),
        None => Ok(None),
    }
}

fn read_marker<F: FileSystem>(files: &F) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 256];
    let length = files.open_read_only(format::MARKER)?.read_at(0, &mut text)?;
    text.truncate(length);
    Ok(text)
}
