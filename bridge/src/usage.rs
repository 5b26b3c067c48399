//! Which Kafka topics a connector's records are of, and how many there were.
//!
//! A task counts what Kafka has taken (source) or what has been read (sink), says it now and then
//! where `connect.progress.enabled` asks for it, and lists the topics for the whole connector.
//!
//! Invariant: no more than [`TOPICS_MAX`] topics are told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_rules::java::DateFormat;
use tracing::info;

/// Topics that are told apart; messages choose the topics of some connectors.
pub(crate) const TOPICS_MAX: usize = 10_000;

/// How often the counters are said at most.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The Kafka topics that are in use by a connector, over all its tasks.
#[derive(Clone, Default)]
pub(crate) struct TopicsInUse(Arc<Mutex<BTreeSet<String>>>);

impl TopicsInUse {
    pub(crate) fn list(&self) -> BTreeSet<String> {
        self.lock().clone()
    }

    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn add(&self, topic: &str) {
        let mut topics = self.lock();
        if topics.len() < TOPICS_MAX && !topics.contains(topic) {
            topics.insert(topic.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What passes through a task.
pub(crate) struct Usage {
    connector: String,
    topics: TopicsInUse,
    progress: Option<Mutex<Progress>>,
}

struct Progress {
    /// When counting began, as it is said.
    since: String,
    counts: BTreeMap<String, u64>,
    said: Option<Instant>,
}

impl Usage {
    /// Counts for a task; says the counters if that is wanted.
    pub(crate) fn new(connector: &str, topics: TopicsInUse, says: bool) -> Usage {
        let progress = says.then(|| {
            let (counts, said) = (BTreeMap::new(), None);
            Mutex::new(Progress { since: now(), counts, said })
        });
        Usage { connector: connector.to_owned(), topics, progress }
    }

    /// So many records of a topic have passed.
    pub(crate) fn passed(&self, topic: &str, records: u64) {
        self.topics.add(topic);
        let Some(progress) = &self.progress else { return };
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        for line in progress.passed(Instant::now(), topic, records) {
            info!(connector = self.connector, "{line}");
        }
    }
}

impl Progress {
    /// Counts, and returns what is to be said now: at once with the first records, as the
    /// connectors do whose option this is, and then once in a while.
    fn passed(&mut self, now: Instant, topic: &str, records: u64) -> Vec<String> {
        if let Some(count) = self.counts.get_mut(topic) {
            *count += records;
        } else if self.counts.len() < TOPICS_MAX {
            self.counts.insert(topic.to_owned(), records);
        }
        if self.said.is_some_and(|said| now.duration_since(said) < SAID_EVERY) {
            return Vec::new();
        }
        self.said = Some(now);
        let since = &self.since;
        let counts = self.counts.iter();
        counts
            .map(|(topic, count)| {
                format!("Delivered [{count}] records for [{topic}] since {since}")
            })
            .collect()
    }
}

fn now() -> String {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(unix.as_millis()).unwrap_or(i64::MAX);
    let format = DateFormat::new("yyyy-MM-dd HH:mm:ss 'UTC'", millis).expect("a pattern of Java's");
    format.write(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_said_with_the_first_records_and_then_once_a_minute() {
        let start = Instant::now();
        let mut progress =
            Progress { since: "then".to_owned(), counts: BTreeMap::new(), said: None };
        let said = progress.passed(start, "a", 2);
        assert_eq!(said, ["Delivered [2] records for [a] since then"]);
        assert_eq!(progress.passed(start + Duration::from_secs(59), "b", 1), [""; 0]);
        let said = progress.passed(start + Duration::from_secs(60), "a", 1);
        assert_eq!(
            said,
            [
                "Delivered [3] records for [a] since then",
                "Delivered [1] records for [b] since then"
            ]
        );
    }

    #[test]
    fn topics_in_use_are_bounded_and_can_be_forgotten() {
        let topics = TopicsInUse::default();
        let usage = Usage::new("c", topics.clone(), false);
        for number in 0..=TOPICS_MAX {
            usage.passed(&number.to_string(), 1);
        }
        assert_eq!(topics.list().len(), TOPICS_MAX);
        topics.forget();
        usage.passed("a", 1);
        assert_eq!(topics.list(), BTreeSet::from(["a".to_owned()]));
    }
}
