//! Chances from a seed (SplitMix64).
//!
//! Invariant: what a generator gives depends on its seed alone. What the machine makes of it, such as
//! the moment at which a process really dies, does not.

use std::ops::Range;
use std::time::Duration;

/// A generator.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// From a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Another one, for something whose draws must not move ours.
    pub(crate) fn fork(&mut self) -> Random {
        Random::new(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, which is not empty.
    pub(crate) fn number(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// An index below `length`.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.number(0..length as u64) as usize
    }

    /// True in one of `of` cases.
    pub(crate) fn one_in(&mut self, of: u64) -> bool {
        self.number(0..of) == 0
    }

    /// One of the items.
    pub(crate) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// A time between two, to the microsecond.
    pub(crate) fn duration(&mut self, range: Range<Duration>) -> Duration {
        let micros = |duration: Duration| duration.as_micros() as u64;
        Duration::from_micros(self.number(micros(range.start)..micros(range.end)))
    }
}
