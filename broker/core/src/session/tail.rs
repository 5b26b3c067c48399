//! Messages of a stored session that wait in the store alone, behind those that wait in memory.
//!
//! Nothing here grows with how many they are, but for those whose commit is under way: of these the
//! store may not know yet, so nothing at or behind the first of them is loaded.

use std::collections::BTreeSet;

use super::Delivery;
use crate::commit::Position;

#[derive(Debug)]
pub(crate) struct Tail {
    entries: usize,
    bytes: usize,
    /// All of them are at this position or behind it.
    next: Position,
    uncommitted: BTreeSet<Position>,
    loading: Option<Loading>,
}

/// A load under way.
#[derive(Debug)]
struct Loading {
    from: Position,
    below: Position,
    /// Whether all that there was could be asked for.
    all: bool,
    /// What it brings is not wanted any more; until it has come there is no other.
    void: bool,
    /// Entries and bytes that came since it was asked for.
    entries: usize,
    bytes: usize,
}

impl Tail {
    pub(crate) fn new(next: Position) -> Tail {
        Tail { entries: 0, bytes: 0, next, uncommitted: BTreeSet::new(), loading: None }
    }

    /// What the store had when the broker started.
    pub(crate) fn restored(next: Position, entries: usize, bytes: usize) -> Tail {
        Tail { entries, bytes, ..Tail::new(next) }
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    pub(super) fn push(&mut self, position: Position, bytes: usize, uncommitted: bool) {
        self.entries += 1;
        self.bytes += bytes;
        if let Some(loading) = &mut self.loading {
            loading.entries += 1;
            loading.bytes += bytes;
        }
        if uncommitted {
            self.uncommitted.insert(position);
        }
    }

    /// What waited in memory joins from the front: a load under way has begun too late.
    pub(super) fn reach_back_to(&mut self, position: Position) {
        if position < self.next {
            self.next = position;
            self.void();
        }
    }

    fn void(&mut self) {
        if let Some(loading) = &mut self.loading {
            loading.void = true;
        }
    }

    /// Whether the position is one of these.
    pub(super) fn committed(&mut self, position: Position) -> bool {
        self.uncommitted.remove(&position)
    }

    /// The store is about to drop its first entry at this position or behind it; `None`: there is
    /// none that it surely knows.
    pub(super) fn drop_first(&mut self) -> Option<Position> {
        let known = self.entries > self.uncommitted.len();
        known.then(|| {
            // What is on its way here may still hold the entry.
            self.void();
            self.forget(1);
            self.next
        })
    }

    fn forget(&mut self, count: usize) {
        let count = count.min(self.entries);
        if count > 0 {
            self.bytes -= self.bytes / self.entries * count;
            self.entries -= count;
        }
        if self.entries == 0 {
            self.bytes = 0;
        }
    }

    /// `end`: the next position to be given. What comes from there on may be stored in any order
    /// while the load is under way, so none of it is asked for.
    pub(super) fn load(&mut self, end: Position) -> Option<(Position, Position)> {
        let all = self.uncommitted.is_empty();
        let below = self.uncommitted.first().copied().unwrap_or(end);
        if self.loading.is_some() || self.next >= below {
            return None;
        }
        let (entries, bytes, void) = (0, 0, false);
        self.loading = Some(Loading { from: self.next, below, all, void, entries, bytes });
        Some((self.next, below))
    }

    /// Takes note of what a load brought; `end`: there was no more below its bound. How many
    /// entries turned out not to be there; `None`: it is not the load that is waited for.
    pub(super) fn loaded(
        &mut self,
        from: Position,
        deliveries: &[Delivery],
        end: bool,
    ) -> Option<u64> {
        let loading = self.loading.take_if(|loading| loading.from == from)?;
        if loading.void {
            return None;
        }
        self.forget(deliveries.len());
        if let Some(last) = deliveries.last() {
            self.next = last.position + 1;
        }
        if !end {
            return Some(0);
        }
        self.next = self.next.max(loading.below);
        if !loading.all {
            return Some(0);
        }
        // Everything was loadable then, so only what came since can be left.
        let missing = self.entries.saturating_sub(loading.entries);
        self.entries = self.entries.min(loading.entries);
        self.bytes = if self.entries == 0 { 0 } else { loading.bytes };
        Some(missing as u64)
    }
}
