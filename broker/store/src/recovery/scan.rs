//! Reads segments in order, tells batches from damage, and applies what is certain.
//!
//! A batch is applied as soon as a later one proves that it was durable, so that what is undecided in
//! memory is the very end of the log.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::format::{self, ALIGNMENT, Cursor, Found, HEADER, SegmentHeader};
use crate::index::Index;
use crate::{Damage, File, Report};

/// What a disk reads or fails to read at once.
const PAGE: usize = 4096;

/// A stretch of a segment without a readable batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) segment: u32,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) what: &'static str,
}

impl Region {
    fn damage(&self, batches: u64) -> Damage {
        Damage {
            file: format::segment_name(self.segment),
            offset: self.offset,
            bytes: self.bytes,
            batches,
            what: self.what,
            quarantine: None,
        }
    }
}

/// One thing in the log, in its order.
#[derive(Debug)]
enum Item {
    Batch(Batch),
    /// Batches from `first` on are missing, up to `last` if anything follows.
    Gap {
        first: u64,
        last: Option<u64>,
        regions: Vec<Region>,
    },
}

/// A whole batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) segment: u32,
    pub(super) offset: u64,
    lsn: u64,
    /// With its header.
    pub(super) bytes: Bytes,
}

impl Batch {
    pub(super) fn is_mark(&self) -> bool {
        self.bytes.len() <= HEADER
    }
}

/// Damage to what had been durable.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) region: Region,
}

/// A segment file as it was found.
#[derive(Debug)]
pub(super) struct FoundSegment {
    pub(super) number: u32,
    pub(super) length: u64,
    /// Up to where anything but zeros stands.
    pub(super) end: u64,
    pub(super) header: bool,
}

/// What reading all segments has given.
pub(super) struct Scanned {
    pub(super) index: Index,
    pub(super) found: Vec<FoundSegment>,
    pub(super) last_lsn: u64,
    pub(super) lost: Vec<Lost>,
    /// Whole, but not known to be on the disk.
    pub(super) tail: Vec<Batch>,
    /// From here on (segment, byte) nothing counts.
    pub(super) cut: Option<(u32, u64)>,
}

pub(super) struct Scan {
    salt: u64,
    index: Index,
    found: Vec<FoundSegment>,
    /// The batch read last, and its segment.
    last: u64,
    last_segment: u32,
    /// The highest that any batch says is durable.
    durable: u64,
    items: VecDeque<Item>,
    /// Unreadable since the last batch.
    regions: Vec<Region>,
    /// Empty since the last batch. The log fills segments in order: one that is passed over was not
    /// empty when the next was begun.
    empty: Option<u32>,
    lost: Vec<Lost>,
    /// Bad records in whole batches: this program's mistake or that of an older one.
    unreadable: Vec<Region>,
    /// Up to where each segment is used.
    used: BTreeMap<u32, u64>,
    batches: u64,
    records: u64,
    bytes: u64,
}

impl Scan {
    pub(super) fn new(salt: u64) -> Self {
        Self {
            salt,
            index: Index::default(),
            found: Vec::new(),
            last: 0,
            last_segment: 0,
            durable: 0,
            items: VecDeque::new(),
            regions: Vec::new(),
            empty: None,
            lost: Vec::new(),
            unreadable: Vec::new(),
            used: BTreeMap::new(),
            batches: 0,
            records: 0,
            bytes: 0,
        }
    }

    /// Reads one segment; an error says that it is another journal's.
    pub(super) fn segment(&mut self, number: u32, content: &Bytes) -> Result<(), String> {
        let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let header = match format::parse_segment_header(content, number, self.salt) {
            SegmentHeader::Ours => true,
            SegmentHeader::Foreign(found) => return Err(found),
            SegmentHeader::Bad => false,
        };
        let length = content.len() as u64;
        self.found.push(FoundSegment { number, length, end: end as u64, header });
        if end <= HEADER {
            self.empty = self.empty.or(Some(number));
        }
        if !header && end > 0 {
            let bytes = end.min(HEADER) as u64;
            let what = "a damaged segment header";
            self.regions.push(Region { segment: number, offset: 0, bytes, what });
        }
        let mut at = HEADER;
        while at < end {
            match format::parse(&content[at..], number, self.salt) {
                Some(found @ Found::Batch { lsn, durable_lsn, length }) if lsn > self.last => {
                    let bytes = content.slice(at..at + HEADER + length);
                    let batch = Batch { segment: number, offset: at as u64, lsn, bytes };
                    self.batch(batch, durable_lsn);
                    at += found.size();
                }
                Some(found @ Found::Void { last_lsn, .. }) => {
                    self.last = self.last.max(last_lsn);
                    self.last_segment = number;
                    at += found.size();
                    let used = self.used.entry(number).or_default();
                    *used = (*used).max(at as u64);
                }
                _ => {
                    let next = resynchronise(content, at, number, self.salt);
                    let region = Region {
                        segment: number,
                        offset: at as u64,
                        bytes: (next.min(end) - at) as u64,
                        what: "no readable batch",
                    };
                    self.regions.push(region);
                    at = next;
                }
            }
        }
        Ok(())
    }

    fn batch(&mut self, batch: Batch, durable_lsn: u64) {
        let regions = std::mem::take(&mut self.regions);
        let (first, last) = (self.last + 1, batch.lsn - 1);
        // Between segments that do not follow each other others may have been compacted away.
        let adjacent = self.last > 0 && batch.segment - self.last_segment <= 1;
        let empty = self.empty.take().map(|segment| Region {
            segment,
            offset: HEADER as u64,
            bytes: 0,
            what: "an empty segment amid others",
        });
        if first <= last && (adjacent || empty.is_some() || !regions.is_empty()) {
            let regions = match (regions.is_empty(), empty) {
                (true, Some(empty)) => vec![empty],
                (true, None) => vec![self.behind_last()],
                (false, _) => regions,
            };
            self.items.push_back(Item::Gap { first, last: Some(last), regions });
        } else if regions.iter().any(|region| region.offset == 0) {
            // Nothing is missing but the header of the segment.
            self.items.push_back(Item::Gap { first, last: Some(last), regions });
        }
        self.last = batch.lsn;
        self.last_segment = batch.segment;
        self.durable = self.durable.max(durable_lsn);
        self.items.push_back(Item::Batch(batch));
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Batch(batch) if batch.lsn <= self.durable => self.fold(&batch),
                Item::Gap { first, last: Some(last), regions } if last <= self.durable => {
                    self.lose(first, last, regions);
                }
                undecided => {
                    self.items.push_front(undecided);
                    break;
                }
            }
        }
    }

    /// Where a batch is missing that has left no trace.
    fn behind_last(&self) -> Region {
        let offset = self.items.iter().rev().find_map(|item| match item {
            Item::Batch(batch) => Some(batch.offset + batch.bytes.len() as u64),
            Item::Gap { .. } => None,
        });
        let used = self.used.get(&self.last_segment).copied();
        Region {
            segment: self.last_segment,
            offset: offset.or(used).unwrap_or(0).next_multiple_of(ALIGNMENT as u64),
            bytes: 0,
            what: "missing batches",
        }
    }

    fn lose(&mut self, first: u64, last: u64, regions: Vec<Region>) {
        for region in regions {
            let used = self.used.entry(region.segment).or_default();
            *used = (*used).max(region.offset + region.bytes);
            self.lost.push(Lost { first, last, region });
        }
    }

    fn fold(&mut self, batch: &Batch) {
        let Batch { segment, offset, ref bytes, .. } = *batch;
        let end = (offset + bytes.len() as u64).next_multiple_of(ALIGNMENT as u64);
        self.used.insert(segment, end);
        self.index.segments.entry(segment).or_default();
        (self.batches, self.bytes) = (self.batches + 1, self.bytes + bytes.len() as u64);
        let mut cursor = Cursor(&bytes[HEADER..]);
        while !cursor.0.is_empty() {
            let at = offset as u32 + (bytes.len() - cursor.0.len()) as u32;
            let before = cursor.0.len();
            let record = cursor.record().and_then(|(kind, body)| format::decode(kind, body));
            let Some(record) = record else {
                let (offset, bytes) = (u64::from(at), before as u64);
                let what = "an unreadable record";
                self.unreadable.push(Region { segment, offset, bytes, what });
                return;
            };
            self.records += 1;
            self.index.apply(&record, segment, at, (before - cursor.0.len()) as u32);
        }
    }

    /// All segments have been read: decides what is left.
    pub(super) fn finish(mut self, report: &mut Report) -> Scanned {
        if !self.regions.is_empty() {
            let regions = std::mem::take(&mut self.regions);
            self.items.push_back(Item::Gap { first: self.last + 1, last: None, regions });
        }
        let (mut tail, mut cut, mut last_lsn) = (Vec::new(), None, self.durable);
        let mut torn: Vec<(Region, u64)> = Vec::new();
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Batch(batch) if cut.is_none() => {
                    self.fold(&batch);
                    last_lsn = last_lsn.max(batch.lsn);
                    tail.push(batch);
                }
                Item::Batch(batch) => {
                    let (offset, bytes) = (batch.offset, batch.bytes.len() as u64);
                    let what = "a batch behind a torn one";
                    torn.push((Region { segment: batch.segment, offset, bytes, what }, 1));
                }
                // Only the header of a segment.
                Item::Gap { first, last: Some(last), regions } if last < first => {
                    self.lose(first, last, regions);
                }
                // Partly durable: what was is lost, the rest and what follows never was.
                Item::Gap { first, regions, .. } if cut.is_none() && first <= self.durable => {
                    self.lose(first, self.durable, regions);
                    cut = self.used.last_key_value().map(|(segment, used)| (*segment, *used));
                }
                Item::Gap { first, last, regions } => {
                    let missing = last.map_or(0, |last| (last + 1).saturating_sub(first));
                    for (index, mut region) in regions.into_iter().enumerate() {
                        cut = cut.or(Some((region.segment, region.offset)));
                        region.what = "torn batch";
                        torn.push((region, if index == 0 { missing } else { 0 }));
                    }
                }
            }
        }
        report.segments = self.found.len() as u64;
        (report.batches, report.records, report.bytes) = (self.batches, self.records, self.bytes);
        report.torn.extend(torn.iter().map(|(region, batches)| region.damage(*batches)));
        let mut counted = 0;
        report.corrupt.extend(self.lost.iter().map(|lost| {
            // Several places may be what is left of the same batches.
            let batches = (lost.last + 1).saturating_sub(lost.first.max(counted + 1));
            counted = counted.max(lost.last);
            lost.region.damage(batches)
        }));
        report.corrupt.extend(self.unreadable.iter().map(|region| region.damage(0)));
        report.rewritten = tail.iter().filter(|batch| !batch.is_mark()).count() as u64;
        for found in &self.found {
            if let Some(used) = self.used.get(&found.number).copied() {
                let segment = self.index.segments.entry(found.number).or_default();
                (segment.capacity, segment.used) = (found.length, used);
            }
        }
        let (index, found, lost) = (self.index, self.found, self.lost);
        Scanned { index, found, last_lsn, lost, tail, cut }
    }
}

/// Where the next whole batch or void begins behind a bad place; the end of the bytes if none does.
pub(crate) fn resynchronise(content: &[u8], bad: usize, number: u32, salt: u64) -> usize {
    let mut at = bad + ALIGNMENT;
    while at < content.len() {
        match format::parse(&content[at..], number, salt) {
            Some(Found::Batch { .. } | Found::Void { .. }) => return at,
            _ => at += ALIGNMENT,
        }
    }
    content.len()
}

/// Reads part of a file. Pages that the disk does not give are zeros, which no checksum takes for
/// anything else.
pub(crate) fn read_what_can_be(file: &impl File, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if let Ok(read) = file.read_at(offset, &mut bytes) {
        bytes.truncate(read);
        return bytes;
    }
    for (page, bytes) in bytes.chunks_mut(PAGE).enumerate() {
        let at = offset + (page * PAGE) as u64;
        if let Err(error) = file.read_at(at, bytes) {
            tracing::error!(at, %error, "page not readable");
            bytes.fill(0);
        }
    }
    bytes
}
