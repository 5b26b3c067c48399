//! Reading entries and values back, by what the index says and the disk holds.
//!
//! A record is believed only if its own checksum holds. The index is locked to look places up, never
//! while the disk is read.

use std::sync::Arc;

use bytes::Bytes;

use crate::format::{self, Cursor};
use crate::index::Index;
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

/// Where a record lies, and what it takes at least.
#[derive(Debug, Clone, Copy)]
struct Place {
    segment: u32,
    offset: u32,
    size: u32,
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
        let mut from = from;
        let (mut bytes, mut gone) = (0, 0);
        let mut records = Records::new(&self.shared);
        while loaded.entries.len() < max_entries.max(1) && (bytes < max_bytes || bytes == 0) {
            let left = max_entries.max(1) - loaded.entries.len();
            let found = records.look_up(queue, from, below, left, max_bytes.saturating_sub(bytes));
            if found.is_empty() {
                loaded.end = true;
                break;
            }
            for (index, &(position, place)) in found.iter().enumerate() {
                let near = found[index..].iter().map(|(_, place)| *place);
                let record = match records.read(place, near) {
                    Ok(record) => record,
                    // Where it went is found by asking again from here.
                    Err(Trouble::Gone) if gone < PATIENCE => {
                        gone += 1;
                        break;
                    }
                    Err(Trouble::Gone) => return Err(missing(place)),
                    Err(Trouble::Damaged) => {
                        report_damage(place, Some((queue, position)));
                        loaded.lost += 1;
                        from = position + 1;
                        continue;
                    }
                    Err(Trouble::Other(error)) => return Err(error),
                };
                gone = 0;
                let Some((tag, entry)) = format::find_entry(&record, queue.0, position) else {
                    report_damage(place, Some((queue, position)));
                    loaded.lost += 1;
                    from = position + 1;
                    continue;
                };
                let size = tag.len() + entry.len();
                if !loaded.entries.is_empty() && bytes + size > max_bytes {
                    return Ok(loaded);
                }
                bytes += size.max(1);
                loaded.entries.push(Entry { position, tag, entry });
                from = position + 1;
            }
        }
        if !loaded.end {
            loaded.end = records.look_up(queue, from, below, 1, 0).is_empty();
        }
        Ok(loaded)
    }

    /// Keys that begin with `prefix` and their values, read from the disk in the order they lie there.
    pub fn keyed(&self, prefix: &[u8]) -> Keyed<F> {
        let index = self.shared.index();
        let keys = index.keys.iter();
        let found = keys.filter(|(name, key)| !key.deleted && name.starts_with(prefix));
        let mut places: Vec<(Place, Bytes)> = found
            .map(|(name, key)| {
                let place = Place { segment: key.segment, offset: key.offset, size: key.size };
                (place, Bytes::copy_from_slice(name))
            })
            .collect();
        places.sort_unstable_by_key(|(place, _)| std::cmp::Reverse((place.segment, place.offset)));
        Keyed { shared: Arc::clone(&self.shared), places, window: None }
    }

    /// The value of one key.
    pub fn value(&self, key: &[u8]) -> Option<Result<Bytes, LoadError>> {
        let index = self.shared.index();
        let found = index.keys.get(key).filter(|key| !key.deleted)?;
        let place = Place { segment: found.segment, offset: found.offset, size: found.size };
        drop(index);
        let places = vec![(place, Bytes::copy_from_slice(key))];
        let mut one = Keyed { shared: Arc::clone(&self.shared), places, window: None };
        one.next().map(|found| found.map(|(_, value)| value))
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
}

fn report_damage(place: Place, entry: Option<(QueueId, Position)>) {
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
        loop {
            let (mut place, name) = self.places.pop()?;
            let mut gone = 0;
            loop {
                let near = self.places.iter().rev().map(|(place, _)| *place);
                let mut records = Records { shared: &self.shared, window: self.window.take() };
                let record = records.read(place, std::iter::once(place).chain(near));
                self.window = records.window;
                match record {
                    Ok(record) => {
                        let Some(format::Record::Put { key, value, .. }) =
                            format::decode(9, &record).filter(
                                |record| matches!(record, format::Record::Put { key, .. } if *key == name),
                            )
                        else {
                            return Some(Err(damaged(place)));
                        };
                        return Some(Ok((record.slice_ref(key), record.slice_ref(value))));
                    }
                    Err(Trouble::Damaged) => return Some(Err(damaged(place))),
                    Err(Trouble::Other(error)) => return Some(Err(error)),
                    Err(Trouble::Gone) if gone == PATIENCE => return Some(Err(missing(place))),
                    Err(Trouble::Gone) => {
                        gone += 1;
                        let index = self.shared.index();
                        // Deleted meanwhile: as if it had not been there.
                        let Some(key) = index.keys.get(&name[..]).filter(|key| !key.deleted) else {
                            break;
                        };
                        let (segment, offset, size) = (key.segment, key.offset, key.size);
                        place = Place { segment, offset, size };
                    }
                }
            }
        }
    }
}

fn missing(place: Place) -> LoadError {
    let file = format::segment_name(place.segment);
    LoadError::Io { file, source: std::io::ErrorKind::NotFound.into() }
}

fn damaged(place: Place) -> LoadError {
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

impl<'a, F: FileSystem> Records<'a, F> {
    fn new(shared: &'a Shared<F>) -> Self {
        Self { shared, window: None }
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
        let mut bytes = 0_usize;
        let living = queue.living_from(from).take_while(|(position, _, _)| *position < below);
        let found = living.take(max_entries).take_while(|(_, _, slot)| {
            let enough = bytes >= max_bytes && bytes > 0;
            bytes += slot.weight as usize;
            !enough
        });
        let place = |segment, slot: crate::index::Slot| Place {
            segment,
            offset: slot.offset,
            size: slot.weight,
        };
        found.map(|(position, segment, slot)| (position, place(segment, slot))).collect()
    }

    /// The body of the append or put at this place. `near` is what will be asked for next, beginning
    /// with this.
    fn read(&mut self, place: Place, near: impl Iterator<Item = Place>) -> Result<Bytes, Trouble> {
        if let Some(record) = self.in_window(place) {
            return record;
        }
        if let Some(record) = unwritten(&self.shared.index(), place) {
            return Ok(record);
        }
        let file = self.shared.file(place.segment).map_err(|error| trouble(place, error))?;
        let mut end = place.offset;
        for next in near {
            let apart = next.offset.saturating_sub(end);
            let length = next.offset.saturating_sub(place.offset).saturating_add(next.size);
            if next.segment != place.segment || next.offset < end || apart > NEAR || length > WINDOW
            {
                break;
            }
            end = next.offset + next.size;
        }
        let mut length = (end - place.offset) as usize + RECORD_HEAD;
        // A record in several queues is longer than the share that the index knows: twice at most,
        // the second time with its length.
        for _ in 0..2 {
            let mut bytes = vec![0; length];
            let read = file.read_at(u64::from(place.offset), &mut bytes);
            bytes.truncate(read.map_err(|error| trouble(place, error))?);
            // The length may be what is damaged: no more than the file has.
            let rest = file.length().map_err(|error| trouble(place, error))?;
            let rest = rest.saturating_sub(u64::from(place.offset));
            let whole = whole_length(&bytes).filter(|length| *length as u64 <= rest);
            let whole = whole.ok_or(Trouble::Damaged)?;
            let (start, bytes) = (place.offset, Bytes::from(bytes));
            self.window = Some(Window { segment: place.segment, start, bytes });
            if let Some(record) = self.in_window(place) {
                return record;
            }
            length = whole;
        }
        Err(Trouble::Damaged)
    }

    /// The body, if the window holds all of it.
    fn in_window(&self, place: Place) -> Option<Result<Bytes, Trouble>> {
        let window = self.window.as_ref().filter(|window| window.segment == place.segment)?;
        let at = place.offset.checked_sub(window.start)? as usize;
        let bytes = window.bytes.get(at..)?;
        let (kind, body) = Cursor(bytes).record()?;
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

fn unwritten(index: &Index, place: Place) -> Option<Bytes> {
    let mut chunks = index.chunks.iter().filter(|chunk| chunk.segment == place.segment);
    let chunk = chunks.find(|chunk| {
        let end = u64::from(chunk.start) + chunk.bytes.len() as u64;
        chunk.start <= place.offset && u64::from(place.offset) < end
    })?;
    let (_, body) = Cursor(&chunk.bytes[(place.offset - chunk.start) as usize..]).record()?;
    Some(Bytes::copy_from_slice(body))
}

fn trouble(place: Place, source: std::io::Error) -> Trouble {
    if source.kind() == std::io::ErrorKind::NotFound {
        return Trouble::Gone;
    }
    Trouble::Other(LoadError::Io { file: format::segment_name(place.segment), source })
}
