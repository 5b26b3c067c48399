//! Where the living entries of one queue lie.
//!
//! Entries that follow each other in queue and segment share a [`Run`]; within it an entry costs eight
//! bytes. Runs do not overlap and are in ascending order; each begins and ends with a living entry.

use std::collections::{BTreeSet, VecDeque};

use crate::format::QueueState;

/// Positions skipped for which dead slots are cheaper than another run.
const GAP: u64 = 32;
/// A run that is no longer than this may grow at its front.
const SHORT: usize = 64;
/// Acknowledgements that may be ahead of their entries. Beyond that the lowest are forgotten: their
/// entries have come and gone long ago.
const EARLY: usize = 1 << 16;

/// Where an entry lies in its segment, and its share of it in bytes. Offset 0 is nobody's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) offset: u32,
    pub(crate) weight: u32,
}

impl Slot {
    fn is_live(self) -> bool {
        self.offset != 0
    }
}

#[derive(Debug)]
struct Run {
    segment: u32,
    /// The position of `slots[0]`.
    base: u64,
    /// The first living slot.
    head: usize,
    slots: Vec<Slot>,
    live: usize,
}

/// One queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    runs: VecDeque<Run>,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Everything below is dead.
    pub(crate) trim: u64,
    /// One above the highest position heard of.
    pub(crate) next: u64,
    /// Acknowledged before they came.
    pub(crate) early: BTreeSet<u64>,
    /// No segment before this one speaks of the queue.
    pub(crate) born: u32,
    /// The last segment that is noted as speaking of the queue's dead.
    pub(crate) noted: u32,
    /// Where its state was written last, and how many bytes that took.
    pub(crate) state: Option<(u32, u32)>,
}

impl Run {
    fn first(&self) -> u64 {
        self.base + self.head as u64
    }

    fn last(&self) -> u64 {
        self.base + self.slots.len() as u64 - 1
    }

    fn slot(&self, position: u64) -> Option<Slot> {
        let index = usize::try_from(position.checked_sub(self.base)?).ok()?;
        self.slots.get(index).copied().filter(|slot| slot.is_live())
    }

    /// Takes the entry out and keeps both ends living, if any is left.
    fn kill(&mut self, position: u64) -> Option<Slot> {
        let slot = self.slot(position)?;
        self.slots[(position - self.base) as usize] = Slot::default();
        self.live -= 1;
        if self.live > 0 {
            while !self.slots[self.head].is_live() {
                self.head += 1;
            }
            while self.slots.last().is_some_and(|slot| !slot.is_live()) {
                self.slots.pop();
            }
        }
        Some(slot)
    }

    fn living(&self) -> impl Iterator<Item = (u64, Slot)> {
        let slots = self.slots.iter().enumerate().skip(self.head);
        let living = slots.filter(|(_, slot)| slot.is_live());
        living.map(|(index, slot)| (self.base + index as u64, *slot))
    }
}

impl Queue {
    pub(crate) fn born_in(segment: u32) -> Self {
        Self { born: segment, ..Self::default() }
    }

    /// The index of the run that holds the position, or of the one before which it belongs.
    fn find(&self, position: u64) -> Result<usize, usize> {
        if let Some(last) = self.runs.back()
            && position >= last.first()
        {
            let index = self.runs.len() - 1;
            return if position <= last.last() { Ok(index) } else { Err(index + 1) };
        }
        let after = self.runs.partition_point(|run| run.first() <= position);
        match after.checked_sub(1) {
            Some(index) if position <= self.runs[index].last() => Ok(index),
            _ => Err(after),
        }
    }

    /// Puts an entry in its place. Returns where it was before, if it was alive.
    pub(crate) fn insert(
        &mut self,
        position: u64,
        segment: u32,
        slot: Slot,
    ) -> Option<(u32, Slot)> {
        self.next = self.next.max(position.saturating_add(1));
        let before = self.kill(position);
        self.entries += 1;
        self.bytes += u64::from(slot.weight);
        let place = match self.find(position) {
            // In a gap of a run.
            Ok(index) => {
                let run = &mut self.runs[index];
                if run.segment == segment {
                    run.slots[(position - run.base) as usize] = slot;
                    run.live += 1;
                    return before;
                }
                self.split(index, position);
                index + 1
            }
            Err(place) => place,
        };
        if let Some(run) = place.checked_sub(1).and_then(|index| self.runs.get_mut(index))
            && run.segment == segment
            && position - run.last() <= GAP
        {
            let gap = position - run.last() - 1;
            run.slots.extend((0..gap).map(|_| Slot::default()));
            run.slots.push(slot);
            run.live += 1;
            return before;
        }
        if let Some(run) = self.runs.get_mut(place)
            && run.segment == segment
            && run.first() - position <= GAP
            && run.slots.len() <= SHORT
        {
            run.slots.drain(..run.head);
            let gap = run.base + run.head as u64 - position - 1;
            let front = std::iter::once(slot).chain((0..gap).map(|_| Slot::default()));
            run.slots.splice(..0, front);
            (run.base, run.head) = (position, 0);
            run.live += 1;
            return before;
        }
        if place == self.runs.len()
            && let Some(run) = self.runs.back_mut()
        {
            run.slots.shrink_to_fit();
        }
        let run = Run { segment, base: position, head: 0, slots: vec![slot], live: 1 };
        self.runs.insert(place, run);
        before
    }

    /// Cuts a run in two before a position in one of its gaps.
    fn split(&mut self, index: usize, position: u64) {
        let run = &mut self.runs[index];
        let slots = run.slots.split_off((position - run.base) as usize);
        while run.slots.last().is_some_and(|slot| !slot.is_live()) {
            run.slots.pop();
        }
        let live = slots.iter().filter(|slot| slot.is_live()).count();
        run.live -= live;
        let head = slots.iter().position(|slot| slot.is_live()).unwrap_or(0);
        let behind = Run { segment: run.segment, base: position, head, slots, live };
        self.runs.insert(index + 1, behind);
    }

    /// Where a living entry lies.
    pub(crate) fn place(&self, position: u64) -> Option<(u32, Slot)> {
        let run = &self.runs[self.find(position).ok()?];
        Some((run.segment, run.slot(position)?))
    }

    /// Ends an entry's life. Returns where it was, if it was alive.
    pub(crate) fn kill(&mut self, position: u64) -> Option<(u32, Slot)> {
        let index = self.find(position).ok()?;
        let run = &mut self.runs[index];
        let slot = run.kill(position)?;
        let segment = run.segment;
        if run.live == 0 {
            self.runs.remove(index);
        }
        self.entries -= 1;
        self.bytes -= u64::from(slot.weight);
        Some((segment, slot))
    }

    /// Ends what lives below; tells the segments and weights.
    pub(crate) fn kill_below(&mut self, below: u64, mut freed: impl FnMut(u32, u64)) {
        while let Some(run) = self.runs.front_mut() {
            if run.first() >= below {
                break;
            }
            let whole = run.last() < below;
            let (segment, mut entries, mut weight) = (run.segment, 0, 0);
            for (_, slot) in run.living().take_while(|(position, _)| *position < below) {
                entries += 1;
                weight += u64::from(slot.weight);
            }
            if whole {
                self.runs.pop_front();
            } else {
                run.head = (below - run.base) as usize;
                run.live -= entries as usize;
                while !run.slots[run.head].is_live() {
                    run.head += 1;
                }
            }
            self.entries -= entries;
            self.bytes -= weight;
            freed(segment, weight);
        }
    }

    /// The watermark rises.
    pub(crate) fn trim(&mut self, below: u64, freed: impl FnMut(u32, u64)) {
        self.trim = self.trim.max(below);
        self.next = self.next.max(below);
        self.early = self.early.split_off(&self.trim);
        self.kill_below(below, freed);
    }

    /// An acknowledgement is ahead of its entry.
    pub(crate) fn note_early(&mut self, position: u64) {
        self.next = self.next.max(position.saturating_add(1));
        if position >= self.trim {
            self.early.insert(position);
            if self.early.len() > EARLY {
                self.early.pop_first();
            }
        }
    }

    /// The position behind the first so many living entries.
    pub(crate) fn behind_first(&self, count: u32) -> Option<u64> {
        let mut left = (count as usize).checked_sub(1)?;
        for run in &self.runs {
            if left < run.live {
                return run.living().nth(left).map(|(position, _)| position + 1);
            }
            left -= run.live;
        }
        self.last().map(|last| last + 1)
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.runs.front().map(Run::first)
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.runs.back().map(Run::last)
    }

    /// Living entries from a position on: position, segment, slot.
    pub(crate) fn living_from(&self, from: u64) -> impl Iterator<Item = (u64, u32, Slot)> {
        let (Ok(index) | Err(index)) = self.find(from);
        self.runs.range(index..).flat_map(move |run| {
            // Not from the beginning: a queue is loaded in many parts.
            let skip = usize::try_from(from.saturating_sub(run.base)).unwrap_or(usize::MAX);
            let start = run.head.max(skip).min(run.slots.len());
            let slots = run.slots[start..].iter().enumerate().filter(|(_, slot)| slot.is_live());
            let base = run.base + start as u64;
            slots.map(move |(index, slot)| (base + index as u64, run.segment, *slot))
        })
    }

    /// Its state, to be written; with the living positions if older segments may hold dead ones.
    pub(crate) fn to_state(&self, exact: bool) -> QueueState {
        let living = exact.then(|| {
            let mut ranges: Vec<(u64, u64)> = Vec::new();
            for (position, _) in self.runs.iter().flat_map(Run::living) {
                match ranges.last_mut() {
                    Some((first, count)) if *first + *count == position => *count += 1,
                    _ => ranges.push((position, 1)),
                }
            }
            ranges
        });
        let early = self.early.iter().copied().collect();
        QueueState { removed: false, trim: self.trim, next: self.next, early, living }
    }

    /// Takes over a state that was written.
    pub(crate) fn adopt(&mut self, state: &QueueState, mut freed: impl FnMut(u32, u64)) {
        self.trim(state.trim, &mut freed);
        self.next = self.next.max(state.next);
        self.early = state.early.iter().copied().collect();
        let Some(living) = &state.living else { return };
        let mut dead = Vec::new();
        let mut ranges = living.iter().copied().peekable();
        for (position, _) in self.runs.iter().flat_map(Run::living) {
            while ranges.next_if(|(first, count)| first + count <= position).is_some() {}
            if ranges.peek().is_none_or(|(first, _)| position < *first) {
                dead.push(position);
            }
        }
        for position in dead {
            if let Some((segment, slot)) = self.kill(position) {
                freed(segment, u64::from(slot.weight));
            }
        }
    }

    /// Living entries of one segment.
    pub(crate) fn living_in(&self, segment: u32) -> Vec<u64> {
        let runs = self.runs.iter().filter(|run| run.segment == segment);
        runs.flat_map(Run::living).map(|(position, _)| position).collect()
    }
}

#[cfg(test)]
mod tests;
