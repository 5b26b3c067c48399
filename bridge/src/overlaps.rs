//! Says which filters of a list meet: a message that several match goes to the first alone.
//!
//! Invariant: each pair of filters is told once, and of so many pairs no more is kept or looked for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use midge_codec::TopicName;
use midge_rules::{FirstMatch, Met};
use tracing::warn;

/// So many lines are read by nobody.
const PAIRS_MAX: usize = 1_000;

/// The pairs that have been told.
#[derive(Debug, Default)]
pub(crate) struct Overlaps {
    told: Mutex<BTreeSet<(usize, usize)>>,
    full: AtomicBool,
}

impl Overlaps {
    /// Looks which other filters match a message that met one first, and says what is new.
    pub(crate) fn look(
        &self,
        connector: &str,
        list: &FirstMatch,
        met: Met,
        mqtt_topic: &TopicName,
    ) {
        let Some(first) = met.filter else { return };
        if self.full.load(Ordering::Relaxed) {
            return;
        }
        for other in list.behind(first, mqtt_topic) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !told.insert((first, other)) {
                continue;
            }
            let full = told.len() >= PAIRS_MAX;
            drop(told);
            let (first, other) = (list.filter(first).filter(), list.filter(other).filter());
            let mqtt_topic = mqtt_topic.as_str();
            warn!(
                connector,
                mqtt_topic,
                first,
                other,
                "several filters match, the first listed takes the message"
            );
            if full {
                self.full.store(true, Ordering::Relaxed);
                warn!(connector, pairs = PAIRS_MAX, "filters that meet are not told any more");
                return;
            }
        }
    }

    #[cfg(test)]
    fn told(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

#[cfg(test)]
mod tests {
    use midge_codec::TopicFilter;

    use super::*;

    #[test]
    fn each_pair_is_told_once_and_their_number_has_an_end() {
        let filters = (0..1_100).map(|_| (TopicFilter::try_from("a/#").unwrap(), 0));
        let list = FirstMatch::new([], filters.take(1_100));
        let topic = TopicName::try_from("a/b").unwrap();
        let met = list.meet(&topic).unwrap();
        let overlaps = Overlaps::default();
        let none = Met { target: 0, filter: None };
        overlaps.look("c", &list, none, &topic);
        assert_eq!(overlaps.told(), 0);
        overlaps.look("c", &list, Met { filter: Some(1_098), ..met }, &topic);
        overlaps.look("c", &list, Met { filter: Some(1_098), ..met }, &topic);
        assert_eq!(overlaps.told(), 1);
        overlaps.look("c", &list, met, &topic);
        overlaps.look("c", &list, met, &topic);
        assert_eq!(overlaps.told(), PAIRS_MAX);
    }
}
