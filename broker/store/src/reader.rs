//! Reading entries and values back, by what the index says and the disk holds.
//!
//! A record is believed only if its own checksum holds. The index is locked to look places up, never
//! while the disk is read.

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{self, Cursor, Record};
use crate::index::{Index, Key, Slot};
use crate::shared::Shared;
use crate::{Entry, File, FileSystem, LoadError, Loaded, Position, QueueId, QueueSummary, Stats};

/// Records that lie this near to each other are read together.
const NEAR: u32 = 16 << 10;
/// And not more than this at once.
const WINDOW: u32 = 256 << 10;
/// Kind and length of a record, at most.
const RECORD_HEAD: usize = 11;
/// How often a record may be found gone, before its file is missing rather than compacted.
const PATIENCE: u32 = 8;

/// Reads what the journal of a directory holds. Clones read the same.
pub struct Reader<F: FileSystem> {
    pub(crate) shared: Arc<Shared<F>>,
}

impl<F: FileSystem> Clone for Reader<F> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// Where a record lies.
#[derive(Debug, Clone)]
struct Place {
    segment: u32,
    offset: u32,
    /// What it takes, or less if it is in several queues.
    size: u32,
    /// Its body, if it has not been written yet.
    body: Option<Bytes>,
}

impl Place {
    fn new(index: &Index, segment: u32, offset: u32, size: u32) -> Self {
        let mut chunks = index.chunks.iter().filter(|chunk| chunk.segment == segment);
        let bytes = chunks.find_map(|chunk| {
            chunk.bytes.get(offset.checked_sub(chunk.start)? as usize..).filter(|b| !b.is_empty())
        });
        let body = bytes.and_then(|bytes| Cursor(bytes).record());
        let body = body.map(|(_, body)| Bytes::copy_from_slice(body));
        Self { segment, offset, size, body }
    }

    fn of(index: &Index, key: &Key) -> Self {
        Self::new(index, key.segment, key.offset, key.size)
    }
}

/// A record whose bytes are not where the index says.
enum Trouble {
    /// The segment went away since the index was asked: it has been compacted.
    Gone,
    Damaged,
    Other(LoadError),
}

impl<F: FileSystem> Reader<F> {
    /// Living entries of a queue with `from <= position < below`, at least one if there is any.
    pub fn load(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::default();
        let (mut from, mut bytes, mut gone) = (from, 0, 0);
        let max_entries = max_entries.max(1);
        while loaded.entries.len() < max_entries && (bytes < max_bytes || bytes == 0) {
            let (most, left) =
                (max_entries - loaded.entries.len(), max_bytes.saturating_sub(bytes));
            let found = self.look_up(queue, from, below, most, left);
            if found.is_empty() {
                loaded.end = true;
                return Ok(loaded);
            }
            let mut records = Records { shared: &self.shared, window: None };
            for (number, (position, place)) in found.iter().enumerate() {
                let next = found[number + 1..].iter().map(|(_, place)| place);
                let entry = records.read(place, next).and_then(|body| {
                    format::find_entry(&body, queue.0, *position).ok_or(Trouble::Damaged)
                });
                match entry {
                    Ok((tag, entry)) => {
                        let size = tag.len() + entry.len();
                        if !loaded.entries.is_empty() && bytes + size > max_bytes {
                            return Ok(loaded);
                        }
                        bytes += size.max(1);
                        loaded.entries.push(Entry { position: *position, tag, entry });
                    }
                    Err(Trouble::Damaged) => {
                        report_damage(place, Some((queue, *position)));
                        loaded.lost += 1;
                    }
                    // Where it went is found by asking again from here.
                    Err(Trouble::Gone) if gone < PATIENCE => {
                        gone += 1;
                        break;
                    }
                    Err(Trouble::Gone) => return Err(missing(place)),
                    Err(Trouble::Other(error)) => return Err(error),
                }
                (from, gone) = (position + 1, 0);
            }
        }
        loaded.end = self.look_up(queue, from, below, 1, 0).is_empty();
        Ok(loaded)
    }

    fn look_up(
        &self,
        queue: QueueId,
        from: Position,
        below: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Vec<(Position, Place)> {
        let index = self.shared.index();
        let Some(queue) = index.queues.get(&queue.0) else { return Vec::new() };
        let mut bytes = 0;
        let living = queue.living_from(from).take_while(|(position, ..)| *position < below);
        let found = living.take(max_entries).take_while(|(_, _, slot)| {
            let enough = bytes > 0 && bytes >= max_bytes;
            bytes += slot.weight as usize;
            !enough
        });
        let place = |(position, segment, slot): (Position, u32, Slot)| {
            (position, Place::new(&index, segment, slot.offset, slot.weight))
        };
        found.map(place).collect()
    }

    /// Keys that begin with `prefix` and their values, read from the disk in the order they lie there.
    pub fn keyed(&self, prefix: &[u8]) -> Keyed<F> {
        let index = self.shared.index();
        let keys = index.keys.iter();
        let found = keys.filter(|(name, key)| !key.deleted && name.starts_with(prefix));
        let mut places: Vec<(Place, Bytes)> = found
            .map(|(name, key)| (Place::of(&index, key), Bytes::copy_from_slice(name)))
            .collect();
        places.sort_unstable_by_key(|(place, _)| Reverse((place.segment, place.offset)));
        Keyed { shared: Arc::clone(&self.shared), places, window: None }
    }

    /// All queues, in the order of their ids.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, QueueSummary)> + use<F> {
        let index = self.shared.index();
        let mut queues: Vec<(QueueId, QueueSummary)> = index
            .queues
            .iter()
            .map(|(id, queue)| {
                let summary = QueueSummary {
                    first: queue.first().unwrap_or(queue.next),
                    last: queue.last().unwrap_or(queue.next),
                    next: queue.next,
                    entries: queue.entries,
                    bytes: queue.bytes,
                };
                (QueueId(*id), summary)
            })
            .collect();
        queues.sort_unstable_by_key(|(id, _)| *id);
        queues.into_iter()
    }

    /// The sizes of what there is; what only a running journal counts stays 0.
    pub fn stats(&self) -> Stats {
        let index = self.shared.index();
        let segments = index.segments.iter();
        Stats {
            segments: index.segments.len() as u64,
            disk_bytes: index.segments.values().map(|segment| segment.capacity).sum(),
            live_bytes: segments.map(|(number, segment)| index.needed(*number, segment)).sum(),
            queues: index.queues.len() as u64,
            entries: index.queues.values().map(|queue| queue.entries).sum(),
            keys: index.values,
            ..Stats::default()
        }
    }

    /// The segments that hold something, in the order of the log.
    pub fn segments(&self) -> Vec<SegmentSummary> {
        let index = self.shared.index();
        let summary = |(number, segment): (&u32, &crate::index::Segment)| SegmentSummary {
            file: format::segment_name(*number),
            disk_bytes: segment.capacity,
            used_bytes: segment.used,
            live_bytes: index.needed(*number, segment).min(segment.used),
        };
        index.segments.iter().map(summary).collect()
    }
}

/// A segment in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSummary {
    /// The file, relative to the directory.
    pub file: String,
    /// What it takes of the disk.
    pub disk_bytes: u64,
    /// What has been written to it.
    pub used_bytes: u64,
    /// What of that is still needed, nearly.
    pub live_bytes: u64,
}

fn report_damage(place: &Place, entry: Option<(QueueId, Position)>) {
    let file = format::segment_name(place.segment);
    let (queue, position) = entry.map(|(queue, position)| (queue.0, position)).unzip();
    tracing::error!(file, offset = place.offset, queue, position, "damaged record");
}

/// Keys with their values; see [`Reader::keyed`].
pub struct Keyed<F: FileSystem> {
    shared: Arc<Shared<F>>,
    /// The next one last.
    places: Vec<(Place, Bytes)>,
    window: Option<Window>,
}

impl<F: FileSystem> Iterator for Keyed<F> {
    type Item = Result<(Bytes, Bytes), LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut gone = 0;
        loop {
            let (place, name) = self.places.pop()?;
            let next = self.places.iter().rev().map(|(place, _)| place);
            let mut records = Records { shared: &self.shared, window: self.window.take() };
            let body = records.read(&place, next);
            self.window = records.window;
            match body {
                Ok(body) => {
                    return Some(match format::decode(9, &body) {
                        Some(Record::Put { key, value, .. }) if *key == name => {
                            Ok((name, body.slice_ref(value)))
                        }
                        _ => Err(damaged(&place)),
                    });
                }
                Err(Trouble::Damaged) => return Some(Err(damaged(&place))),
                Err(Trouble::Other(error)) => return Some(Err(error)),
                Err(Trouble::Gone) if gone == PATIENCE => return Some(Err(missing(&place))),
                // Moved since the places were looked up, or deleted: then it is passed over.
                Err(Trouble::Gone) => {
                    gone += 1;
                    self.window = None;
                    let index = self.shared.index();
                    let key = index.keys.get(&name[..]).filter(|key| !key.deleted);
                    self.places.extend(key.map(|key| (Place::of(&index, key), name)));
                }
            }
        }
    }
}

fn missing(place: &Place) -> LoadError {
    let file = format::segment_name(place.segment);
    LoadError::Io { file, source: std::io::ErrorKind::NotFound.into() }
}

fn damaged(place: &Place) -> LoadError {
    report_damage(place, None);
    LoadError::Damaged {
        file: format::segment_name(place.segment),
        offset: u64::from(place.offset),
    }
}

/// A stretch of a segment that has been read.
struct Window {
    segment: u32,
    start: u32,
    bytes: Bytes,
}

/// Reads records one by one, several with each read of the disk.
struct Records<'a, F: FileSystem> {
    shared: &'a Shared<F>,
    window: Option<Window>,
}

impl<F: FileSystem> Records<'_, F> {
    /// The body of the append or put at this place. `next` is what will be asked for after it.
    fn read<'p>(
        &mut self,
        place: &Place,
        next: impl Iterator<Item = &'p Place>,
    ) -> Result<Bytes, Trouble> {
        if let Some(body) = &place.body {
            return Ok(body.clone());
        }
        if let Some(body) = self.in_window(place) {
            return body;
        }
        let file = self.shared.file(place.segment).map_err(|error| trouble(place, error))?;
        let mut end = place.offset + place.size;
        for next in next {
            let apart = next.offset.saturating_sub(end);
            let far = next.offset.saturating_sub(place.offset).saturating_add(next.size) > WINDOW;
            if next.segment != place.segment || next.offset < end || apart > NEAR || far {
                break;
            }
            end = next.offset + next.size;
        }
        let mut length = (end - place.offset) as usize + RECORD_HEAD;
        // A record in several queues is longer than the share that the index knows: then it takes a
        // second read, with its own length.
        for _ in 0..2 {
            let mut bytes = vec![0; length];
            let read = file.read_at(u64::from(place.offset), &mut bytes);
            bytes.truncate(read.map_err(|error| trouble(place, error))?);
            // The length may be what is damaged: no more than the file has.
            let rest = file.length().map_err(|error| trouble(place, error))?;
            let rest = rest.saturating_sub(u64::from(place.offset));
            let whole = whole_length(&bytes).filter(|length| *length as u64 <= rest);
            length = whole.ok_or(Trouble::Damaged)?;
            let (segment, start, bytes) = (place.segment, place.offset, Bytes::from(bytes));
            self.window = Some(Window { segment, start, bytes });
            if let Some(body) = self.in_window(place) {
                return body;
            }
        }
        Err(Trouble::Damaged)
    }

    /// The body, if the window holds all of it.
    fn in_window(&self, place: &Place) -> Option<Result<Bytes, Trouble>> {
        let window = self.window.as_ref().filter(|window| window.segment == place.segment)?;
        let at = place.offset.checked_sub(window.start)? as usize;
        let (kind, body) = Cursor(window.bytes.get(at..)?).record()?;
        let intact = format::is_intact(kind, body);
        Some(if intact { Ok(window.bytes.slice_ref(body)) } else { Err(Trouble::Damaged) })
    }
}

/// How long the record is that begins here, if its length is one at all.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().skip(1).take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return (length <= u32::MAX as usize).then_some(length + index + 2);
        }
    }
    None
}

fn trouble(place: &Place, source: std::io::Error) -> Trouble {
    if source.kind() == std::io::ErrorKind::NotFound {
        return Trouble::Gone;
    }
    Trouble::Other(LoadError::Io { file: format::segment_name(place.segment), source })
}
