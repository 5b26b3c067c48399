//! The journal on disk.
//!
//! # The directory
//!
//! | name | what it is |
//! |---|---|
//! | `lock` | locked (`flock`) by the process that uses the directory; holds its id |
//! | `format` | one line of text, `midge-store 1 SALT`: format version, and 16 hexadecimal digits drawn when the directory was made |
//! | `NNNNNNNN.segment` | the log, in the order of the numbers; allocated ahead, zeros behind the last batch |
//! | `quarantine/` | copies of segments in which damage was found |
//!
//! Other files are nobody's business here. Segments without a `format` file, or one that says
//! something else, are refused.
//!
//! # A segment
//!
//! Integers are little endian. A segment begins with 32 bytes: magic `MIDGESEG`, format version `u32`,
//! segment number `u32`, salt `u64`, four zero bytes, and the CRC-32C of the 28 bytes before it. Batches
//! follow, each at a multiple of 8 bytes with zeros before it, until zeros or the end of the file.
//!
//! A **batch** has a header of 32 bytes: magic `BTCH`, segment number `u32`, `lsn u64`, `durable_lsn
//! u64`, length of the payload `u32`, and the CRC-32C of salt, the 28 bytes before it and payload.
//! Batches count up by one (`lsn`) through all segments; `durable_lsn` is the highest batch that was
//! known to be on the disk when this one was made. The salt keeps bytes that a client sends from ever
//! passing for a batch when a damaged segment is searched for the next whole one.
//!
//! A **void** has the same header with magic `VOID`, the first and last `lsn` that are lost instead of
//! the two numbers, and a checksum of salt and header alone. Recovery writes it over damage once it has
//! been reported.
//!
//! # Records
//!
//! A payload is whole transactions, as records one behind the other: kind `u8`, length of the body
//! `varint` (LEB128), body. Numbers in bodies are varints, byte strings have their length before them,
//! `crc` is the CRC-32C of the rest of the body as 4 bytes: it guards what is read back later.
//!
//! | kind | body | effect |
//! |---|---|---|
//! | 1 append | crc, count, count × (queue, position, tag), entry to the end | the entry lives in these queues |
//! | 2 acknowledge | queue, position | the entry is dead |
//! | 3 early | queue, position | the entry has not come yet, and will be dead when it comes |
//! | 4 consumed | queue, position | it has come, was dead, and was not written |
//! | 5 trim | queue, below | everything below is dead, now and later |
//! | 6 drop | queue, below | what lives below is dead |
//! | 7 remove | queue | the queue is no more |
//! | 8 state | queue, flags, trim, next, count × early position, count × (gap, length) of living positions | with flag 1 the queue is no more; with flag 2 what is not listed as living is dead, also if it comes from older segments; early positions and gaps are distances from the one before |
//! | 9 put | crc, version, key, value to the end | the key has this value, unless it has one with a higher version |
//! | 10 delete | version, key to the end | the key has no value, unless it has one with a higher version |
//!
//! # What makes it safe
//!
//! The state of the journal is what these effects give, applied in order, and the running journal
//! makes the very same steps in memory while it writes. An append or put that arrives dead is not
//! written. Compaction copies what lives from an old segment to the end of the log; the later place of
//! an entry counts. An acknowledgement may kill an entry in a segment older than its own, so before
//! a segment goes the state of each queue it speaks of is written again at the end, unless it has been
//! since. A segment is removed when all that takes its place is on the disk, and its removal is synced
//! before another goes.
//!
//! # Recovery
//!
//! Let D be the highest `durable_lsn` in any whole batch. Of a damaged or missing batch above D
//! nothing says that it had been on the disk: it is the torn end of the log, and is cut with everything
//! behind it (overwritten with zeros). After a kill or a power cut it was never reported durable; a log
//! whose files were truncated looks the same. One at or below D is corruption: the segment is copied to `quarantine`, the damage is
//! reported and covered with a void, and reading goes on at the next whole batch. Whole batches above
//! D have been read from the system's memory, which after a failed sync may hold what the disk does
//! not: they are written again, in place, and synced before anything else happens.

use bytes::Bytes;

pub(crate) const VERSION: u32 = 1;
pub(crate) const MARKER: &str = "format";
/// The marker while it is being made.
pub(crate) const MARKER_UNFINISHED: &str = "format.new";
/// Locked by whoever has the directory.
pub(crate) const LOCK: &str = "lock";
pub(crate) const QUARANTINE: &str = "quarantine";
/// Of a segment's header and of a batch's.
pub(crate) const HEADER: usize = 32;
pub(crate) const ALIGNMENT: usize = 8;

const SEGMENT_MAGIC: &[u8; 8] = b"MIDGESEG";
const BATCH_MAGIC: &[u8; 4] = b"BTCH";
const VOID_MAGIC: &[u8; 4] = b"VOID";

pub(crate) fn segment_name(number: u32) -> String {
    format!("{number:08}.segment")
}

pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".segment")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

pub(crate) fn marker(salt: u64) -> String {
    format!("midge-store {VERSION} {salt:016x}\n")
}

/// The salt in a marker, or what the marker says instead.
pub(crate) fn parse_marker(text: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["midge-store", version, salt] if version == VERSION.to_string() => {
            u64::from_str_radix(salt, 16).map_err(|_| format!("found the salt {salt:?}"))
        }
        ["midge-store", version, ..] => Err(format!("found a journal of format {version}")),
        _ => Err(format!("found a format file of another program, {:?}", text.trim_end())),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(crate) fn segment_header(number: u32, salt: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(SEGMENT_MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&salt.to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What stands at the beginning of a segment file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SegmentHeader {
    Ours,
    /// Whole, but not of this journal.
    Foreign(String),
    Bad,
}

pub(crate) fn parse_segment_header(bytes: &[u8], number: u32, salt: u64) -> SegmentHeader {
    if bytes.len() < HEADER
        || &bytes[..8] != SEGMENT_MAGIC
        || crc32c::crc32c(&bytes[..28]) != u32_at(bytes, 28)
    {
        return SegmentHeader::Bad;
    }
    let (version, found) = (u32_at(bytes, 8), u32_at(bytes, 12));
    if version != VERSION {
        return SegmentHeader::Foreign(format!("found a segment of format {version}"));
    }
    if u64_at(bytes, 16) != salt || found != number {
        return SegmentHeader::Foreign(format!("found segment {found} of another journal"));
    }
    SegmentHeader::Ours
}

/// What stands at some place in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Batch {
        lsn: u64,
        durable_lsn: u64,
        length: usize,
    },
    Void {
        first_lsn: u64,
        last_lsn: u64,
        length: usize,
    },
    /// A header that needs more bytes than there are to be judged.
    Longer {
        length: usize,
    },
}

impl Found {
    /// Where the next batch may begin, counted from this one.
    pub(crate) fn size(self) -> usize {
        let (Self::Batch { length, .. } | Self::Void { length, .. } | Self::Longer { length }) =
            self;
        (HEADER + length).next_multiple_of(ALIGNMENT)
    }
}

fn checksum(salt: u64, header: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &header[..28]);
    crc32c::crc32c_append(crc, payload)
}

/// Judges the bytes of segment `number` from some place on.
pub(crate) fn parse(bytes: &[u8], number: u32, salt: u64) -> Option<Found> {
    if bytes.len() < HEADER || u32_at(bytes, 4) != number {
        return None;
    }
    let (first, second) = (u64_at(bytes, 8), u64_at(bytes, 16));
    let (length, crc) = (u32_at(bytes, 24) as usize, u32_at(bytes, 28));
    let payload = match &bytes[..4] {
        magic if magic == BATCH_MAGIC => match bytes.get(HEADER..HEADER + length) {
            Some(payload) => payload,
            None => return Some(Found::Longer { length }),
        },
        magic if magic == VOID_MAGIC => &[],
        _ => return None,
    };
    if checksum(salt, bytes, payload) != crc {
        return None;
    }
    Some(if &bytes[..4] == BATCH_MAGIC {
        Found::Batch { lsn: first, durable_lsn: second, length }
    } else {
        Found::Void { first_lsn: first, last_lsn: second, length }
    })
}

/// Fills in the header of a batch that is complete but for it.
pub(crate) fn seal_batch(batch: &mut [u8], number: u32, lsn: u64, durable_lsn: u64, salt: u64) {
    let length = (batch.len() - HEADER) as u32;
    fill(batch, BATCH_MAGIC, number, [lsn, durable_lsn], length);
    let crc = checksum(salt, &batch[..HEADER], &batch[HEADER..]);
    batch[28..HEADER].copy_from_slice(&crc.to_le_bytes());
}

pub(crate) fn void(number: u32, lost: [u64; 2], length: u32, salt: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    fill(&mut header, VOID_MAGIC, number, lost, length);
    let crc = checksum(salt, &header, &[]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn fill(header: &mut [u8], magic: &[u8; 4], number: u32, numbers: [u64; 2], length: u32) {
    header[..4].copy_from_slice(magic);
    header[4..8].copy_from_slice(&number.to_le_bytes());
    header[8..16].copy_from_slice(&numbers[0].to_le_bytes());
    header[16..24].copy_from_slice(&numbers[1].to_le_bytes());
    header[24..28].copy_from_slice(&length.to_le_bytes());
}

/// A record, borrowed from where it was read or is about to be written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Append { references: References<'a>, entry: &'a [u8] },
    Acknowledge { queue: u64, position: u64 },
    Early { queue: u64, position: u64 },
    Consumed { queue: u64, position: u64 },
    Trim { queue: u64, below: u64 },
    Drop { queue: u64, below: u64 },
    Remove { queue: u64 },
    State { queue: u64, state: QueueState },
    Put { version: u64, key: &'a [u8], value: &'a [u8] },
    Delete { version: u64, key: &'a [u8] },
}

/// Everything about a queue that does not stand in its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueueState {
    pub(crate) removed: bool,
    pub(crate) trim: u64,
    pub(crate) next: u64,
    pub(crate) early: Vec<u64>,
    /// Living positions as (first, count), ascending; `None`: left as they are.
    pub(crate) living: Option<Vec<(u64, u64)>>,
}

/// The references of an append, decoded one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct References<'a> {
    left: u64,
    cursor: Cursor<'a>,
}

impl References<'_> {
    pub(crate) fn count(&self) -> u64 {
        self.left
    }
}

impl<'a> Iterator for References<'a> {
    /// Queue, position, tag.
    type Item = (u64, u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.cursor.reference()
    }
}

/// Reads a body from its beginning; `None`: it ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn reference(&mut self) -> Option<(u64, u64, &'a [u8])> {
        Some((self.varint()?, self.varint()?, self.string()?))
    }

    /// The kind and body of the next record.
    pub(crate) fn record(&mut self) -> Option<(u8, &'a [u8])> {
        Some((self.byte()?, self.string()?))
    }
}

/// The kinds whose body begins with a checksum.
fn is_guarded(kind: u8) -> bool {
    kind == 1 || kind == 9
}

/// Whether a body read back on its own is what was written.
pub(crate) fn is_intact(kind: u8, body: &[u8]) -> bool {
    is_guarded(kind) && body.len() >= 4 && crc32c::crc32c(&body[4..]) == u32_at(body, 0)
}

pub(crate) fn decode(kind: u8, body: &[u8]) -> Option<Record<'_>> {
    let mut cursor = Cursor(body);
    if is_guarded(kind) {
        cursor.take(4)?;
    }
    let record = match kind {
        1 => {
            let left = cursor.varint()?;
            let references = References { left, cursor };
            for _ in 0..left {
                cursor.reference()?;
            }
            return Some(Record::Append { references, entry: cursor.0 });
        }
        2 => Record::Acknowledge { queue: cursor.varint()?, position: cursor.varint()? },
        3 => Record::Early { queue: cursor.varint()?, position: cursor.varint()? },
        4 => Record::Consumed { queue: cursor.varint()?, position: cursor.varint()? },
        5 => Record::Trim { queue: cursor.varint()?, below: cursor.varint()? },
        6 => Record::Drop { queue: cursor.varint()?, below: cursor.varint()? },
        7 => Record::Remove { queue: cursor.varint()? },
        8 => Record::State { queue: cursor.varint()?, state: decode_state(&mut cursor)? },
        9 => {
            let (version, key) = (cursor.varint()?, cursor.string()?);
            return Some(Record::Put { version, key, value: cursor.0 });
        }
        10 => return Some(Record::Delete { version: cursor.varint()?, key: cursor.0 }),
        _ => return None,
    };
    cursor.0.is_empty().then_some(record)
}

fn decode_state(cursor: &mut Cursor<'_>) -> Option<QueueState> {
    let flags = cursor.byte()?;
    let mut state = QueueState { removed: flags & 1 != 0, ..QueueState::default() };
    (state.trim, state.next) = (cursor.varint()?, cursor.varint()?);
    let mut position = 0_u64;
    for _ in 0..cursor.varint()? {
        position = position.checked_add(cursor.varint()?)?;
        state.early.push(position);
    }
    if flags & 2 != 0 {
        let mut living = Vec::new();
        let mut position = 0_u64;
        for _ in 0..cursor.varint()? {
            position = position.checked_add(cursor.varint()?)?;
            let count = cursor.varint()?;
            living.push((position, count));
            position = position.checked_add(count)?;
        }
        state.living = Some(living);
    }
    Some(state)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes a varint takes.
fn width(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The most that a record takes beyond its strings: kind, length, checksum and three numbers.
pub(crate) const RECORD_OVERHEAD: usize = 1 + 10 + 4 + 3 * 10;
/// The most that a reference takes beyond its tag.
pub(crate) const REFERENCE_OVERHEAD: usize = 3 * 10;

/// Appends an append. The references are walked twice.
pub(crate) fn encode_append<'a>(
    out: &mut Vec<u8>,
    references: impl Iterator<Item = (u64, u64, &'a [u8])> + Clone,
    entry: &[u8],
) {
    let mut count = 0;
    let mut length = 4 + entry.len();
    for (queue, position, tag) in references.clone() {
        count += 1;
        length += width(queue) + width(position) + width(tag.len() as u64) + tag.len();
    }
    length += width(count);
    out.push(1);
    put_varint(out, length as u64);
    guarded(out, |out| {
        put_varint(out, count);
        for (queue, position, tag) in references {
            put_varint(out, queue);
            put_varint(out, position);
            put_string(out, tag);
        }
        out.extend_from_slice(entry);
    });
}

fn guarded(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let crc = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Appends a record of any kind.
pub(crate) fn encode(out: &mut Vec<u8>, record: &Record<'_>) {
    match *record {
        Record::Append { ref references, entry } => encode_append(out, references.clone(), entry),
        Record::Acknowledge { queue, position } => pair(out, 2, queue, position),
        Record::Early { queue, position } => pair(out, 3, queue, position),
        Record::Consumed { queue, position } => pair(out, 4, queue, position),
        Record::Trim { queue, below } => pair(out, 5, queue, below),
        Record::Drop { queue, below } => pair(out, 6, queue, below),
        Record::Remove { queue } => {
            out.push(7);
            put_varint(out, width(queue) as u64);
            put_varint(out, queue);
        }
        Record::State { queue, ref state } => {
            let mut body = Vec::new();
            put_varint(&mut body, queue);
            encode_state(&mut body, state);
            out.push(8);
            put_string(out, &body);
        }
        Record::Put { version, key, value } => {
            let length = 4 + width(version) + width(key.len() as u64) + key.len() + value.len();
            out.push(9);
            put_varint(out, length as u64);
            guarded(out, |out| {
                put_varint(out, version);
                put_string(out, key);
                out.extend_from_slice(value);
            });
        }
        Record::Delete { version, key } => {
            out.push(10);
            put_varint(out, (width(version) + key.len()) as u64);
            put_varint(out, version);
            out.extend_from_slice(key);
        }
    }
}

fn pair(out: &mut Vec<u8>, kind: u8, first: u64, second: u64) {
    out.push(kind);
    put_varint(out, (width(first) + width(second)) as u64);
    put_varint(out, first);
    put_varint(out, second);
}

fn encode_state(out: &mut Vec<u8>, state: &QueueState) {
    out.push(u8::from(state.removed) | u8::from(state.living.is_some()) << 1);
    put_varint(out, state.trim);
    put_varint(out, state.next);
    put_varint(out, state.early.len() as u64);
    let mut last = 0;
    for &position in &state.early {
        put_varint(out, position - last);
        last = position;
    }
    if let Some(living) = &state.living {
        put_varint(out, living.len() as u64);
        let mut last = 0;
        for &(first, count) in living {
            put_varint(out, first - last);
            put_varint(out, count);
            last = first + count;
        }
    }
}

/// The tag that an append's entry has in one place of one queue, and the entry. They are copied, so
/// that an entry that is kept does not keep all that was read with it.
pub(crate) fn find_entry(body: &[u8], queue: u64, position: u64) -> Option<(Bytes, Bytes)> {
    let Record::Append { mut references, entry } = decode(1, body)? else { return None };
    let (_, _, tag) = references.find(|&(q, p, _)| (q, p) == (queue, position))?;
    let mut entry = Bytes::from([tag, entry].concat());
    Some((entry.split_to(tag.len()), entry))
}

#[cfg(test)]
mod tests;
