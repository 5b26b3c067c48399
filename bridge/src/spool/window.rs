//! The part of a log that is in memory, in order of position, with the cursor on it.
//!
//! Positions ascend and may have gaps. An entry that is not finished stays; its place in the order
//! never changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use midge_core::{Message, Position};

use super::Duty;

/// Finished slots among the others that are worth a walk to get rid of.
const SWEEP: usize = 1_024;

/// A message that waits for Kafka.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) message: Arc<Message>,
    pub(super) bytes: usize,
    pub(super) duty: Option<Duty>,
    /// When it was offered or loaded.
    pub(super) since: Instant,
}

#[derive(Debug)]
struct Slot {
    position: Position,
    /// Inside the producer.
    sent: bool,
    /// `None`: finished.
    entry: Option<Entry>,
}

#[derive(Debug)]
pub(super) struct Window {
    slots: VecDeque<Slot>,
    /// The next position to give.
    cursor: Position,
    open: usize,
    bytes: usize,
    sent: usize,
    sent_bytes: usize,
}

impl Window {
    pub(super) fn new(cursor: Position) -> Window {
        Window { slots: VecDeque::new(), cursor, open: 0, bytes: 0, sent: 0, sent_bytes: 0 }
    }

    /// Appends an entry above all others.
    pub(super) fn push(&mut self, position: Position, entry: Entry) {
        debug_assert!(self.slots.back().is_none_or(|last| last.position < position));
        if self.slots.is_empty() {
            // Nothing is left to come again: the cursor is where the next entry is.
            self.cursor = position;
        }
        self.open += 1;
        self.bytes += entry.bytes;
        self.slots.push_back(Slot { position, sent: false, entry: Some(entry) });
    }

    /// Unfinished entries.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries and bytes inside the producer.
    pub(super) fn sent(&self) -> (usize, usize) {
        (self.sent, self.sent_bytes)
    }

    /// Entries and bytes that are not.
    pub(super) fn ahead(&self) -> (usize, usize) {
        (self.open - self.sent, self.bytes - self.sent_bytes)
    }

    /// The lowest unfinished entry.
    pub(super) fn front(&self) -> Option<(Position, &Entry)> {
        let slot = self.slots.front()?;
        Some((slot.position, slot.entry.as_ref()?))
    }

    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        self.slots.get(self.index(position)?)?.entry.as_ref()
    }

    /// The next entry at the cursor, which stays.
    pub(super) fn peek(&mut self) -> Option<(Position, &Entry)> {
        let mut index = self.lower_bound(self.cursor);
        while self.slots.get(index)?.entry.is_none() {
            index += 1;
        }
        let slot = &self.slots[index];
        self.cursor = slot.position;
        Some((slot.position, slot.entry.as_ref()?))
    }

    pub(super) fn has_next(&self) -> bool {
        self.slots.back().is_some_and(|last| last.position >= self.cursor)
    }

    /// The entry is given to the producer, and the cursor moves past it.
    pub(super) fn send(&mut self, position: Position) {
        let Some(index) = self.index(position) else { return };
        let slot = &mut self.slots[index];
        if let (false, Some(entry)) = (slot.sent, &slot.entry) {
            slot.sent = true;
            self.sent += 1;
            self.sent_bytes += entry.bytes;
        }
        self.cursor = position + 1;
    }

    /// The entry is not inside the producer any more.
    pub(super) fn unsend(&mut self, position: Position) {
        if let Some(index) = self.index(position) {
            self.unsend_at(index);
        }
    }

    fn unsend_at(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if let (true, Some(entry)) = (slot.sent, &slot.entry) {
            slot.sent = false;
            self.sent -= 1;
            self.sent_bytes -= entry.bytes;
        }
    }

    /// The cursor moves back so that `position` and all above it come again, which are not inside
    /// the producer. Their bytes that were.
    pub(super) fn rewind_to(&mut self, position: Position) -> usize {
        let before = self.sent_bytes;
        for index in self.lower_bound(position)..self.slots.len() {
            self.unsend_at(index);
        }
        self.cursor = self.cursor.min(position);
        before - self.sent_bytes
    }

    /// Finishes an entry; `None` when it is already, or is not here.
    pub(super) fn finish(&mut self, position: Position) -> Option<Entry> {
        let index = self.index(position)?;
        self.unsend_at(index);
        let entry = self.slots[index].entry.take()?;
        self.open -= 1;
        self.bytes -= entry.bytes;
        while self.slots.front().is_some_and(|slot| slot.entry.is_none()) {
            self.slots.pop_front();
        }
        let finished = self.slots.len() - self.open;
        if finished > SWEEP && finished > self.slots.len() / 2 {
            // One that waits long must not keep the places of all that went by.
            self.slots.retain(|slot| slot.entry.is_some());
        }
        if self.slots.is_empty() && self.slots.capacity() > 4 * SWEEP {
            // What an outage has grown is given back.
            self.slots = VecDeque::new();
        }
        Some(entry)
    }

    /// Takes the last entry away if it is below `below`, not inside the producer and still to be
    /// given.
    pub(super) fn shed(&mut self, below: Position) -> Option<(Position, Entry)> {
        while self.slots.back()?.entry.is_none() && self.slots.back()?.position >= self.cursor {
            self.slots.pop_back();
        }
        let last = self.slots.back()?;
        if last.sent || last.position < self.cursor || last.position >= below {
            return None;
        }
        let slot = self.slots.pop_back()?;
        let entry = slot.entry?;
        self.open -= 1;
        self.bytes -= entry.bytes;
        Some((slot.position, entry))
    }

    /// Unfinished entries from `position` on.
    pub(super) fn iter_from(
        &mut self,
        position: Position,
    ) -> impl Iterator<Item = (Position, &mut Entry)> {
        let from = self.lower_bound(position);
        let slots = self.slots.range_mut(from..);
        slots.filter_map(|slot| Some((slot.position, slot.entry.as_mut()?)))
    }

    fn index(&self, position: Position) -> Option<usize> {
        let index = self.lower_bound(position);
        self.slots.get(index).is_some_and(|slot| slot.position == position).then_some(index)
    }

    /// The first slot at or above a position: nearly always as far from the first as their
    /// positions are.
    fn lower_bound(&self, position: Position) -> usize {
        let (Some(first), Some(last)) = (self.slots.front(), self.slots.back()) else { return 0 };
        if position <= first.position {
            return 0;
        }
        if position > last.position {
            return self.slots.len();
        }
        let guess = (position - first.position) as usize;
        match self.slots.get(guess) {
            Some(slot) if slot.position == position => guess,
            _ => self.slots.partition_point(|slot| slot.position < position),
        }
    }
}
