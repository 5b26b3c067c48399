//! Getting rid of segments: those in which nothing lives, and those in which little does, once their
//! living records have been copied to the end of the log.
//!
//! A segment's file goes only when all that takes its place, and all that made the rest of it dead, is
//! durable. Work is done in steps of some hundred kilobytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::Log;
use crate::FileSystem;
use crate::format::{self, Cursor, Found, HEADER, QueueState, Record};
use crate::index::{Index, Segment, Slot, share};
use crate::recovery;
use crate::shared::Shared;

/// Read and copied in one step.
const STEP: usize = 512 << 10;
/// Dead bytes are left alone while they are fewer than the living ones and so many segments: in a
/// queue that moves on, they are about to be all of their segment.
const SLACK: u64 = 4;

#[derive(Debug, Default)]
pub(crate) struct Compaction {
    current: Option<Current>,
    /// Done with: removed when the batch is durable.
    done: VecDeque<Done>,
    pub(crate) bytes: u64,
    pub(crate) lost: u64,
}

/// The segment that is being emptied.
#[derive(Debug)]
struct Current {
    segment: u32,
    used: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Copying what lives, from this byte on.
    Records { offset: u64 },
    /// Writing the states of these queues.
    States { left: Vec<u64> },
}

#[derive(Debug)]
struct Done {
    segment: u32,
    lsn: u64,
}

/// A batch to be copied.
struct Source<'a> {
    segment: u32,
    /// Where in it the payload begins.
    start: u32,
    payload: &'a [u8],
}

/// An entry's new place.
struct Move {
    queue: u64,
    position: u64,
    segment: u32,
    slot: Slot,
}

impl Compaction {
    /// Something is to be removed once more is durable than this.
    pub(crate) fn waits_for(&self, durable_lsn: u64) -> bool {
        self.done.front().is_some_and(|done| done.lsn > durable_lsn)
    }

    /// One step; true if it did something.
    pub(crate) fn step<F: FileSystem>(
        &mut self,
        log: &mut Log<F>,
        shared: &Arc<Shared<F>>,
    ) -> bool {
        if let Some(done) = self.done.front().filter(|done| done.lsn <= log.durable_lsn()) {
            let segment = done.segment;
            if let Err(error) = log.remove_segment(segment) {
                tracing::warn!(segment, %error, "segment not removed");
                return false;
            }
            self.done.pop_front();
            return true;
        }
        let current = self.current.take().or_else(|| self.choose(log, &mut shared.index()));
        let Some(current) = current else {
            return false;
        };
        match self.advance(log, shared, current) {
            // Nothing could be written: the step is taken again when there is space.
            Err(current) => {
                self.current = Some(current);
                false
            }
            Ok(next) => {
                self.current = next;
                true
            }
        }
    }

    /// The segment that is worth most, if any is worth it.
    fn choose<F: FileSystem>(&self, log: &Log<F>, index: &mut Index) -> Option<Current> {
        // All segments are looked at: not for every acknowledgement.
        if index.freed < log.segment_bytes() / 16 && !log.is_full() {
            return None;
        }
        index.freed = 0;
        let unwritten = index.chunks.front().map_or(u32::MAX, |chunk| chunk.segment);
        let head = log.head().unwrap_or(u32::MAX);
        let sealed = index.segments.iter().filter(|(number, _)| {
            **number < head.min(unwritten) && self.done.iter().all(|done| done.segment != **number)
        });
        let (mut dead, mut live) = (0, 0);
        let mut best: Option<(u64, u32, &Segment)> = None;
        for (&number, segment) in sealed {
            let needed = index.needed(number, segment);
            if segment.live == 0 && needed * 8 <= segment.used {
                return Some(Current::new(number, segment, needed + segment.tombstones > 0));
            }
            live += needed;
            dead += segment.capacity.saturating_sub(needed);
            // In parts of 1024 of what the file takes.
            let share = needed * 1024 / segment.capacity.max(1);
            if best.is_none_or(|(least, _, _)| share < least) {
                best = Some((share, number, segment));
            }
        }
        let (share, number, segment) = best?;
        let worthwhile = if log.is_full() {
            let needed = index.needed(number, segment);
            let pending = index.chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum::<u64>();
            share < 768 && needed + needed / 8 + pending + (64 << 10) < log.room()
        } else {
            share < 640 && dead > live + SLACK * log.segment_bytes()
        };
        worthwhile.then(|| Current::new(number, segment, true))
    }

    /// Takes one step with a segment; gives it back unless it is done with, as an error when there
    /// is no room to copy to.
    fn advance<F: FileSystem>(
        &mut self,
        log: &mut Log<F>,
        shared: &Arc<Shared<F>>,
        mut current: Current,
    ) -> Result<Option<Current>, Current> {
        match &mut current.phase {
            Phase::Records { offset } => {
                match self.copy(log, shared, current.segment, *offset, current.used) {
                    Some(next) if next < current.used => *offset = next,
                    Some(_) => {
                        self.give_up(&mut shared.index(), current.segment);
                        current.phase = states(&shared.index(), current.segment);
                    }
                    None => return Err(current),
                }
                Ok(Some(current))
            }
            Phase::States { left } => {
                let mut written = 0;
                while let Some(queue) = left.last().copied() {
                    let mut index = shared.index();
                    let record = state(&mut index, queue, current.segment);
                    drop(index);
                    if let Some(record) = record {
                        let mut bytes = Vec::new();
                        format::encode(&mut bytes, &record);
                        if !log.reserve(bytes.len(), 0) {
                            return Err(current);
                        }
                        written += bytes.len();
                        self.bytes += bytes.len() as u64;
                        log.put(&mut shared.index(), &record);
                    }
                    left.pop();
                    if written >= STEP {
                        return Ok(Some(current));
                    }
                }
                // Perhaps not the only one.
                shared.index().freed = u64::MAX;
                self.done.push_back(Done { segment: current.segment, lsn: log.last_lsn() });
                Ok(None)
            }
        }
    }

    /// Copies what lives in the batches from `offset` on, up to a step's worth. Returns where the
    /// next step begins; `None` without room.
    fn copy<F: FileSystem>(
        &mut self,
        log: &mut Log<F>,
        shared: &Arc<Shared<F>>,
        segment: u32,
        offset: u64,
        used: u64,
    ) -> Option<u64> {
        let rest = (used - offset) as usize;
        let mut bytes = read(shared, segment, offset, rest.min(STEP));
        if let Some(Found::Longer { length }) = format::parse(&bytes, segment, shared.salt) {
            bytes = read(shared, segment, offset, rest.min(HEADER + length));
        }
        let mut moves = Vec::new();
        let mut at = 0;
        let mut outcome = Some(());
        while outcome.is_some() && at < bytes.len() {
            match format::parse(&bytes[at..], segment, shared.salt) {
                Some(found @ Found::Batch { length, .. }) => {
                    let payload = &bytes[at + HEADER..at + HEADER + length];
                    let start = offset as u32 + (at + HEADER) as u32;
                    let source = Source { segment, start, payload };
                    outcome = self.copy_batch(log, shared, &source, &mut moves);
                    if outcome.is_some() {
                        at += found.size();
                    }
                }
                Some(found @ Found::Void { .. }) => at += found.size(),
                Some(Found::Longer { .. }) if at > 0 => break,
                _ if at > 0 && bytes.len() - at < HEADER => break,
                // Whole when the journal was opened or it was written, and not any more.
                _ => {
                    let behind = read(shared, segment, offset, rest);
                    let next = recovery::resynchronise(&behind, at, segment, shared.salt);
                    report(shared, segment, offset + at as u64, (next - at) as u64);
                    at = next;
                    break;
                }
            }
        }
        // In queue order, which is nearly the order of the log: long runs stay long.
        moves.sort_unstable_by_key(|entry: &Move| (entry.queue, entry.position));
        let mut index = shared.index();
        for entry in moves {
            index.place(entry.queue, entry.position, entry.segment, entry.slot);
        }
        outcome.map(|()| offset + at as u64)
    }

    fn copy_batch<F: FileSystem>(
        &mut self,
        log: &mut Log<F>,
        shared: &Arc<Shared<F>>,
        source: &Source<'_>,
        moves: &mut Vec<Move>,
    ) -> Option<()> {
        let mut cursor = Cursor(source.payload);
        while !cursor.0.is_empty() {
            let offset = source.start + (source.payload.len() - cursor.0.len()) as u32;
            // The checksum held, so the records are what was written.
            let Some((kind, body)) = cursor.record() else { break };
            let Some(record) = format::decode(kind, body) else { continue };
            let index = shared.index();
            let lives = lives_at(&index, &record, source.segment, offset);
            let forgotten = match record {
                Record::Delete { key, .. } if lives => {
                    let born = index.keys.get(key).map_or(0, |key| key.born);
                    !index.is_remembered(born, source.segment)
                }
                _ => false,
            };
            drop(index);
            if !lives {
                continue;
            }
            // A copy is not longer than what it is copied from, but for the record's own length.
            if !log.reserve(body.len() + format::RECORD_OVERHEAD, 0) {
                return None;
            }
            self.bytes += body.len() as u64;
            let mut index = shared.index();
            match record {
                Record::Append { references, entry } => {
                    let here =
                        |queue, position| index.lies_at(queue, position, source.segment, offset);
                    let living: Vec<_> =
                        references.filter(|(queue, position, _)| here(*queue, *position)).collect();
                    let (segment, offset, size) = log.emit(&mut index, |out| {
                        format::encode_append(out, living.iter().copied(), entry);
                    });
                    let slot = Slot { offset, weight: share(size, living.len() as u64) };
                    moves.extend(living.iter().map(|&(queue, position, _)| Move {
                        queue,
                        position,
                        segment,
                        slot,
                    }));
                }
                Record::Delete { key, .. } if forgotten => index.forget_key(key),
                record => log.put(&mut index, &record),
            }
        }
        Some(())
    }

    /// What was to be copied and could not be read is lost.
    fn give_up(&mut self, index: &mut Index, segment: u32) {
        if index.segments.get(&segment).is_some_and(|segment| segment.live > 0) {
            let lost = index.abandon(segment);
            self.lost += lost;
            let file = format::segment_name(segment);
            tracing::error!(file, lost, "entries and values lost to damage");
        }
    }
}

impl Current {
    fn new(number: u32, segment: &Segment, copies: bool) -> Self {
        let offset = if copies { HEADER as u64 } else { segment.used };
        Self { segment: number, used: segment.used, phase: Phase::Records { offset } }
    }
}

/// Whether any of a record that stands in this place is still in force there.
fn lives_at(index: &Index, record: &Record<'_>, segment: u32, offset: u32) -> bool {
    match record {
        Record::Append { references, .. } => references
            .clone()
            .any(|(queue, position, _)| index.lies_at(queue, position, segment, offset)),
        Record::Put { key, .. } | Record::Delete { key, .. } => {
            let known = index.keys.get(*key);
            known.is_some_and(|known| (known.segment, known.offset) == (segment, offset))
        }
        // What is said of queues as a whole is said again from what is known of them.
        _ => false,
    }
}

fn states(index: &Index, segment: u32) -> Phase {
    let queues = index.segments.get(&segment).map(|segment| segment.speaks_of.iter().copied());
    let mut left: Vec<u64> = queues.into_iter().flatten().collect();
    // The order of a hash map is not to show in the log.
    left.sort_unstable();
    Phase::States { left }
}

/// What has to be said of a queue before this segment, which speaks of it, may go.
fn state(index: &mut Index, queue: u64, segment: u32) -> Option<Record<'static>> {
    if let Some(removed) = index.removed.get(&queue).copied() {
        if removed.segment != segment {
            return None;
        }
        if !index.is_remembered(removed.born, segment) {
            index.forget_removed(queue);
            return None;
        }
        let state = QueueState { removed: true, ..QueueState::default() };
        return Some(Record::State { queue, state });
    }
    let known = index.queues.get(&queue)?;
    if known.state.is_some_and(|(at, _)| at > segment) {
        return None;
    }
    // What is dead has to be told only while another segment may hold it; this state then speaks
    // for all of them.
    let head = index.segments.last_key_value().map_or(segment, |(head, _)| *head);
    let others = index.segments.range(known.born.min(head)..head);
    let state = known.to_state(others.into_iter().any(|(other, _)| *other != segment));
    Some(Record::State { queue, state })
}

/// Part of a segment; what cannot be read is zero.
fn read<F: FileSystem>(shared: &Shared<F>, segment: u32, offset: u64, length: usize) -> Vec<u8> {
    match shared.file(segment) {
        Ok(file) => recovery::read_what_can_be(&*file, offset, length),
        Err(error) => {
            tracing::error!(segment, %error, "segment not readable");
            vec![0; length]
        }
    }
}

fn report<F: FileSystem>(shared: &Shared<F>, segment: u32, offset: u64, bytes: u64) {
    let file = format::segment_name(segment);
    let length = shared.file(segment).and_then(|file| crate::File::length(&*file)).unwrap_or(0);
    let content = read(shared, segment, 0, length as usize);
    let quarantine = recovery::quarantine(&shared.files, segment, &content);
    tracing::error!(file, offset, bytes, quarantine, "damage in a segment");
}
