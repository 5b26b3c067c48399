//! The topics of one lane's records under way, as numbers that are small enough to go with each.
//!
//! Invariant: a number stands for one topic as long as the lane lives; topics beyond [`TOPICS_MAX`]
//! share [`OTHERS`] and are not told.

use std::collections::BTreeMap;

use crate::usage::{TOPICS_MAX, Usage};

/// The number of what is not told.
pub(super) const OTHERS: u32 = u32::MAX;

/// The number of the dead-letter topic, of which nothing is told.
pub(super) const LETTERS: u32 = u32::MAX - 1;

#[derive(Default)]
pub(super) struct Tally {
    names: Vec<String>,
    numbers: BTreeMap<String, u32>,
    /// The number of the last record.
    last: u32,
    /// By number: records that Kafka has taken and nobody has been told of.
    taken: Vec<u64>,
    /// The numbers of those.
    untold: Vec<u32>,
}

impl Tally {
    /// The number of a topic. Most records are of the same one as the last.
    pub(super) fn number(&mut self, topic: &str) -> u32 {
        if self.names.get(self.last as usize).is_some_and(|last| last == topic) {
            return self.last;
        }
        let number = match self.numbers.get(topic) {
            Some(number) => *number,
            None if self.names.len() >= TOPICS_MAX => return OTHERS,
            None => {
                let number = self.names.len() as u32;
                self.names.push(topic.to_owned());
                self.taken.push(0);
                self.numbers.insert(topic.to_owned(), number);
                number
            }
        };
        self.last = number;
        number
    }

    /// Kafka has taken a record.
    pub(super) fn taken(&mut self, number: u32) {
        if let Some(taken) = self.taken.get_mut(number as usize) {
            if *taken == 0 {
                self.untold.push(number);
            }
            *taken += 1;
        }
    }

    /// Tells what Kafka has taken since it was last told.
    pub(super) fn tell(&mut self, usage: &Usage) {
        for number in self.untold.drain(..) {
            let number = number as usize;
            usage.passed(&self.names[number], std::mem::take(&mut self.taken[number]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::TopicsInUse;

    #[test]
    fn topics_have_numbers_until_there_are_too_many() {
        let mut tally = Tally::default();
        assert_eq!((tally.number("a"), tally.number("b"), tally.number("a")), (0, 1, 0));
        for number in 2..TOPICS_MAX {
            tally.number(&number.to_string());
        }
        assert_eq!((tally.number("one more"), tally.number("b")), (OTHERS, 1));
        tally.taken(1);
        tally.taken(OTHERS);
        let topics = TopicsInUse::default();
        tally.tell(&Usage::new("c", topics.clone(), false));
        assert_eq!(topics.list().into_iter().collect::<Vec<_>>(), ["b"]);
    }
}
