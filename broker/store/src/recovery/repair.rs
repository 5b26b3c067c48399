//! Changes on the disk that make it say what recovery has decided.
//!
//! Each may be cut short by a crash: the next recovery finds the same or less to do. None needs more
//! space than there is, except copies for quarantine, without which damage is left as it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use super::scan::{FoundSegment, Scanned};
use crate::format::{self, ALIGNMENT, HEADER, QUARANTINE};
use crate::journal::{Head, Ready};
use crate::{File, FileSystem, Report, Settings};

/// Copies kept of one segment.
const COPIES: u32 = 100;

type Failure = (String, io::Error);

pub(super) fn create_marker<F: FileSystem>(files: &F) -> io::Result<u64> {
    let salt = files.random();
    let file = files.create(format::MARKER_UNFINISHED)?;
    file.write_at(0, format::marker(salt).as_bytes())?;
    file.sync_data()?;
    files.rename(format::MARKER_UNFINISHED, format::MARKER)?;
    files.sync_directory("")?;
    Ok(salt)
}

/// Copies a damaged segment aside; `None` when that is not possible.
pub(crate) fn quarantine<F: FileSystem>(files: &F, segment: u32, content: &[u8]) -> Option<String> {
    let copy = || -> io::Result<String> {
        files.create_directory(QUARANTINE)?;
        let present = files.list(QUARANTINE)?;
        let name = format::segment_name(segment);
        let names = (0..COPIES).map(|copy| match copy {
            0 => name.clone(),
            copy => format!("{name}.{copy}"),
        });
        let free = names.into_iter().find(|name| !present.contains(name));
        let name = free.ok_or_else(|| io::Error::other("too many copies already"))?;
        let path = format!("{QUARANTINE}/{name}");
        let file = files.create(&path)?;
        let written = file.write_at(0, content).and_then(|()| file.sync_data());
        if let Err(error) = written {
            let _ = files.remove(&path);
            return Err(error);
        }
        files.sync_directory(QUARANTINE)?;
        files.sync_directory("")?;
        Ok(path)
    };
    copy().map_err(|error| tracing::error!(segment, %error, "no copy of the damaged segment")).ok()
}

/// Files that are being changed, synced together at the end.
struct Changes<'a, F: FileSystem> {
    files: &'a F,
    salt: u64,
    open: BTreeMap<u32, F::File>,
}

impl<F: FileSystem> Changes<'_, F> {
    fn file(&mut self, segment: u32) -> Result<&F::File, Failure> {
        let name = format::segment_name(segment);
        Ok(match self.open.entry(segment) {
            std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(self.files.open(&name).map_err(|error| (name, error))?)
            }
        })
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file(segment)?.write_at(offset, bytes);
        written.map_err(|error| (format::segment_name(segment), error))
    }

    fn header(&mut self, segment: u32) -> Result<(), Failure> {
        self.write(segment, 0, &format::segment_header(segment, self.salt))
    }

    fn zero(&mut self, segment: u32, from: u64, to: u64) -> Result<(), Failure> {
        self.write(segment, from, &vec![0; to.saturating_sub(from) as usize])
    }

    fn sync(&mut self) -> Result<(), Failure> {
        for (segment, file) in std::mem::take(&mut self.open) {
            file.sync_data().map_err(|error| (format::segment_name(segment), error))?;
        }
        Ok(())
    }
}

/// Repairs the directory; tells where the log goes on and which segments are ready.
pub(super) fn repair<F: FileSystem>(
    files: &F,
    salt: u64,
    scanned: &Scanned,
    settings: &Settings,
    report: &mut Report,
) -> Result<(Option<Head>, VecDeque<Ready>), Failure> {
    let mut changes = Changes { files, salt, open: BTreeMap::new() };
    cover_damage(&mut changes, scanned, report)?;
    // Written again and synced: a sync that failed may have left the system's memory and the disk
    // apart, and the file marked clean.
    for batch in &scanned.tail {
        changes.write(batch.segment, batch.offset, &batch.bytes)?;
    }
    changes.sync()?;
    cut(&mut changes, scanned)?;
    changes.sync()?;

    let head = scanned.index.segments.last_key_value().map(|(number, segment)| Head {
        segment: *number,
        offset: segment.used,
        capacity: segment.capacity,
    });
    let head_number = head.map_or(0, |head| head.segment);
    let mut ready = VecDeque::new();
    for found in &scanned.found {
        if scanned.index.segments.contains_key(&found.number) {
            continue;
        }
        let header = found.header || found.end > 0;
        let large = found.length >= u64::from(settings.segment_bytes);
        if found.number > head_number && header && large {
            ready.push_back(Ready { number: found.number, capacity: found.length });
        } else {
            // Not fully made, or emptied: it holds nothing.
            let name = format::segment_name(found.number);
            files.remove(&name).map_err(|error| (name, error))?;
        }
    }
    files.sync_directory("").map_err(|error| (String::new(), error))?;
    Ok((head, ready))
}

/// Puts segments with damage aside and voids over it, so that it is reported once.
fn cover_damage<F: FileSystem>(
    changes: &mut Changes<'_, F>,
    scanned: &Scanned,
    report: &mut Report,
) -> Result<(), Failure> {
    let segments: BTreeSet<u32> = scanned.lost.iter().map(|lost| lost.region.segment).collect();
    let mut copies = BTreeMap::new();
    for &segment in &segments {
        let name = format::segment_name(segment);
        let file = changes.file(segment)?;
        let length = file.length().map_err(|error| (name.clone(), error))?;
        let content = super::read_what_can_be(file, 0, length as usize);
        if let Some(copy) = quarantine(changes.files, segment, &content) {
            copies.insert(name, copy);
        }
    }
    for damage in &mut report.corrupt {
        damage.quarantine = copies.get(&damage.file).cloned();
    }
    for lost in &scanned.lost {
        let region = &lost.region;
        if !copies.contains_key(&format::segment_name(region.segment)) {
            continue;
        }
        if region.offset < HEADER as u64 {
            changes.header(region.segment)?;
            continue;
        }
        let length = region.bytes.saturating_sub(HEADER as u64) as u32;
        let found = scanned.found.iter().find(|found| found.number == region.segment);
        let room = found.map_or(0, |found| found.length.saturating_sub(region.offset));
        if room >= HEADER as u64 {
            let void = format::void(region.segment, [lost.first, lost.last], length, changes.salt);
            changes.write(region.segment, region.offset, &void)?;
        }
    }
    Ok(())
}

/// Overwrites with zeros what was never durable.
fn cut<F: FileSystem>(changes: &mut Changes<'_, F>, scanned: &Scanned) -> Result<(), Failure> {
    let Some((segment, offset)) = scanned.cut else { return Ok(()) };
    for found in scanned.found.iter().filter(|found| found.number >= segment) {
        let FoundSegment { number, end, header, .. } = *found;
        let from = if number == segment { offset } else { HEADER as u64 };
        let from = from.next_multiple_of(ALIGNMENT as u64).max(HEADER as u64);
        changes.zero(number, from, end.max(from))?;
        if !header && end > 0 {
            changes.header(number)?;
        }
    }
    Ok(())
}
