//! The ordered log of one source connector, in memory, with the producer as a cursor on it.
//!
//! Entries are taken in order and finish in any order; an entry that is not finished is never
//! forgotten, and rewinding makes the cursor give the unfinished ones again, in order. The log is
//! bounded twice: at its limits it asks for back-pressure, with hysteresis; what is under way when
//! the brake is pulled is taken beyond them, up to [`OVERRUN_ENTRIES`] and [`OVERRUN_BYTES`] more,
//! and only then nothing.

use std::collections::VecDeque;

/// Number of an entry, counted over the life of the log.
pub(crate) type Sequence = u64;

/// What publishers may have sent before the brake holds: a worker's turn over many connections.
const OVERRUN_ENTRIES: usize = 100_000;
const OVERRUN_BYTES: usize = 64 << 20;

/// What entries cost beyond the bytes that their owner counts.
const ENTRY_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Log<T> {
    entries: VecDeque<Option<Entry<T>>>,
    /// Sequence of the front entry.
    first: Sequence,
    /// Sequence of the next entry to give.
    cursor: Sequence,
    open: usize,
    bytes: usize,
    limit_entries: usize,
    limit_bytes: usize,
    full: bool,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    bytes: usize,
}

impl<T> Log<T> {
    /// A log that asks for back-pressure at these limits.
    pub(crate) fn new(limit_entries: usize, limit_bytes: usize) -> Log<T> {
        Log {
            entries: VecDeque::new(),
            first: 0,
            cursor: 0,
            open: 0,
            bytes: 0,
            limit_entries,
            limit_bytes,
            full: false,
        }
    }

    /// Appends an item, or gives it back beyond the limits and the overrun.
    pub(crate) fn push(&mut self, item: T, bytes: usize) -> Result<(), T> {
        let bytes = bytes + ENTRY_BYTES;
        // An empty log takes anything: a message larger than the limit must not block for ever.
        let too_much = self.open >= self.limit_entries.saturating_add(OVERRUN_ENTRIES)
            || self.bytes + bytes > self.limit_bytes.saturating_add(OVERRUN_BYTES);
        if too_much && self.open > 0 {
            return Err(item);
        }
        self.entries.push_back(Some(Entry { item, bytes }));
        self.open += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The next unfinished entry at the cursor, which moves past it.
    pub(crate) fn take(&mut self) -> Option<(Sequence, &T)> {
        while self.cursor < self.end() {
            let sequence = self.cursor;
            self.cursor += 1;
            let index = (sequence - self.first) as usize;
            if self.entries[index].is_some() {
                return self.entries[index].as_ref().map(|entry| (sequence, &entry.item));
            }
        }
        None
    }

    /// Moves the cursor back so that `sequence` and what follows come again.
    pub(crate) fn rewind_to(&mut self, sequence: Sequence) {
        self.cursor = self.cursor.min(sequence.max(self.first));
    }

    /// Moves the cursor back to the lowest unfinished entry.
    pub(crate) fn rewind(&mut self) {
        self.cursor = self.first;
    }

    /// An unfinished entry.
    pub(crate) fn get(&self, sequence: Sequence) -> Option<&T> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.entries.get(index)?.as_ref().map(|entry| &entry.item)
    }

    /// The lowest unfinished entry.
    pub(crate) fn front(&self) -> Option<(Sequence, &T)> {
        let entry = self.entries.front()?.as_ref()?;
        Some((self.first, &entry.item))
    }

    /// Finishes an entry; `None` when it is already.
    pub(crate) fn finish(&mut self, sequence: Sequence) -> Option<T> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(index)?.take()?;
        self.open -= 1;
        self.bytes -= entry.bytes;
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        self.cursor = self.cursor.max(self.first);
        if self.entries.is_empty() && self.entries.capacity() > 4_096 {
            // What an outage has grown is given back.
            self.entries = VecDeque::new();
        }
        Some(entry.item)
    }

    /// Whether back-pressure has to change, and to what: on at the limits, off at half of them.
    pub(crate) fn pressure(&mut self) -> Option<bool> {
        let full = if self.full {
            self.open > self.limit_entries / 2 || self.bytes > self.limit_bytes / 2
        } else {
            self.open >= self.limit_entries || self.bytes >= self.limit_bytes
        };
        (full != self.full).then(|| {
            self.full = full;
            full
        })
    }

    /// Unfinished entries.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// What they cost.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn end(&self) -> Sequence {
        self.first + self.entries.len() as u64
    }
}

#[cfg(test)]
mod tests;
