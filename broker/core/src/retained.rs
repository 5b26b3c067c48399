//! Retained messages (3.3.1.3), by topic, found by filter.
//!
//! Every shard holds all of them (the messages themselves are shared), so that a new subscription
//! is answered where it is made. Shards agree on the latest one of a topic by its [`Version`]: the
//! highest wins, whatever the order of arrival; a deletion is remembered as long as an older
//! message could still be on its way.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::ShardId;
use crate::message::Message;
use crate::stored::Damaged;
use crate::timers::Timer;

/// How long a deletion is remembered; messages between shards take milliseconds.
pub(crate) const DELETION_KEPT: Duration = Duration::from_secs(60);

/// What an entry costs in each shard beside its topic: its place in the map, and its timer.
const ENTRY_BYTES: usize = 256;

/// Orders the retained messages of one topic: a logical clock, then the shard that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub(crate) clock: u64,
    pub(crate) shard: ShardId,
}

impl Version {
    /// As one number that has the same order.
    pub(crate) fn number(self) -> u64 {
        self.clock << 8 | u64::from(self.shard.0)
    }

    /// In front of what the store keeps of a retained message.
    pub(crate) fn before(self, entry: &[u8]) -> Bytes {
        let mut value = BytesMut::with_capacity(8 + entry.len());
        value.put_u64(self.number());
        value.put_slice(entry);
        value.freeze()
    }

    /// Takes apart what [`Version::before`] joined.
    pub(crate) fn split(mut value: Bytes) -> Result<(Version, Bytes), Damaged> {
        if value.len() < 8 {
            let why = format!("{} bytes, expected at least 8", value.len());
            return Err(Damaged { what: "stored retained message", why });
        }
        let number = value.get_u64();
        Ok((Version { clock: number >> 8, shard: ShardId(number as u8) }, value))
    }
}

#[derive(Debug)]
pub(crate) struct Retained {
    /// Sorted, so that retained messages come in the order of their topics, and a reader that
    /// was interrupted goes on behind the topic it had.
    entries: BTreeMap<Box<str>, Entry>,
    messages: usize,
    /// What all entries cost in all shards, about; deletions that are remembered included.
    bytes: usize,
    shards: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    /// `None`: deleted.
    message: Option<Arc<Message>>,
    /// When it is to be forgotten.
    timer: Option<Timer>,
}

/// What [`Retained::apply`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Stored {
        new: bool,
    },
    Deleted {
        existed: bool,
    },
    /// A later one was there already.
    Outdated,
}

/// What a topic is to somebody who looks for those that match a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Match,
    /// No match; the very next one may be.
    Next,
    /// The next one that can match is this or behind it.
    Seek(String),
    /// None behind it can match.
    End,
}

impl Retained {
    pub(crate) fn new(shards: usize) -> Retained {
        Retained { entries: BTreeMap::new(), messages: 0, bytes: 0, shards, clock: 0 }
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.messages
    }

    /// What it would cost in memory, in all shards, with one more message or deletion.
    pub(crate) fn bytes_with(&self, message: &Message) -> usize {
        let topic = message.topic.as_str();
        let before = self.entries.get(topic).map_or(0, |entry| {
            self.entry_bytes(topic) + entry.message.as_ref().map_or(0, |message| message.bytes())
        });
        let after = match message.payload.is_empty() {
            true => 0,
            false => message.bytes(),
        };
        self.bytes - before + self.entry_bytes(topic) + after
    }

    fn entry_bytes(&self, topic: &str) -> usize {
        self.shards * (ENTRY_BYTES + topic.len())
    }

    /// No version below is given: an earlier run may have given them, also to what is deleted.
    pub(crate) fn begin_versions_at(&mut self, clock: u64) {
        self.clock = self.clock.max(clock);
    }

    /// A version above all that this shard has seen.
    pub(crate) fn next_version(&mut self, shard: ShardId) -> Version {
        self.clock += 1;
        Version { clock: self.clock, shard }
    }

    /// Whether a topic has a message.
    pub(crate) fn contains(&self, topic: &str) -> bool {
        self.entries.get(topic).is_some_and(|entry| entry.message.is_some())
    }

    /// The timer of a topic's entry, to be cancelled or set.
    pub(crate) fn timer(&mut self, topic: &str) -> Option<&mut Option<Timer>> {
        self.entries.get_mut(topic).map(|entry| &mut entry.timer)
    }

    /// Stores a topic's message, or deletes it when the payload is empty ([MQTT-3.3.1-6]).
    pub(crate) fn apply(&mut self, version: Version, message: &Arc<Message>) -> Applied {
        self.clock = self.clock.max(version.clock);
        let topic = message.topic.as_str();
        if self.entries.get(topic).is_some_and(|entry| entry.version >= version) {
            return Applied::Outdated;
        }
        self.bytes = self.bytes_with(message);
        let message = (!message.payload.is_empty()).then(|| Arc::clone(message));
        let stored = message.is_some();
        let before = self.entries.insert(topic.into(), Entry { version, message, timer: None });
        let existed = before.is_some_and(|entry| entry.message.is_some());
        self.messages = self.messages + usize::from(stored) - usize::from(existed);
        if stored { Applied::Stored { new: !existed } } else { Applied::Deleted { existed } }
    }

    /// Forgets a topic whose time is over: a deletion remembered long enough, or a message that
    /// has expired. Returns whether a message went.
    pub(crate) fn forget(&mut self, topic: &str) -> bool {
        let Some(entry) = self.entries.remove(topic) else { return false };
        self.bytes -= self.entry_bytes(topic);
        let Some(message) = entry.message else { return false };
        self.bytes -= message.bytes();
        self.messages -= 1;
        true
    }

    /// The first message behind `after` in the order of topics whose topic matches a filter.
    pub(crate) fn next_matching(&self, filter: &str, after: Option<&str>) -> Option<&Arc<Message>> {
        let mut from = match after {
            Some(after) => Bound::Excluded(after.to_owned()),
            None => Bound::Unbounded,
        };
        loop {
            let range = (from.as_ref().map(String::as_str), Bound::Unbounded);
            let mut entries = self.entries.range::<str, _>(range);
            let seek = entries.find_map(|(topic, entry)| match (step(filter, topic), entry) {
                (Step::Match, Entry { message: Some(message), .. }) => Some(Ok(message)),
                (Step::Match, Entry { message: None, .. }) | (Step::Next, _) => None,
                (other, _) => Some(Err(other)),
            });
            match seek? {
                Ok(message) => return Some(message),
                Err(Step::Seek(topic)) => from = Bound::Included(topic),
                Err(_) => return None,
            }
        }
    }
}

/// Where a filter's next match can be, seen from a topic: whole branches are passed over at once.
fn step(filter: &str, topic: &str) -> Step {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        // [MQTT-4.7.2-1]: a leading wildcard leaves out topics that begin with '$'.
        return Step::Seek("%".to_owned());
    }
    // Where the topic's level begins; beyond the end: it has no more.
    let mut at = 0;
    for wanted in filter.split('/') {
        if wanted == "#" {
            return Step::Match;
        }
        if at > topic.len() {
            // What goes on from here is near, with others between that may match as well.
            return Step::Next;
        }
        let rest = &topic[at..];
        let level = rest.split_once('/').map_or(rest, |(level, _)| level);
        if wanted != "+" && wanted != level {
            let parent = &topic[..at];
            return [format!("{parent}{wanted}"), format!("{parent}{wanted}/")]
                .into_iter()
                .find(|candidate| candidate.as_str() > topic)
                .map_or_else(|| behind(parent), Step::Seek);
        }
        at += level.len() + 1;
    }
    if at > topic.len() { Step::Match } else { behind(&topic[..at]) }
}

/// What comes behind all topics that begin with `branch`, which ends with '/'.
fn behind(branch: &str) -> Step {
    match branch.strip_suffix('/') {
        // '0' is what follows '/'.
        Some(parent) => Step::Seek(format!("{parent}0")),
        None => Step::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Memory, Origin};
    use bytes::Bytes;
    use midge_codec::{QoS, TopicName};

    fn message(topic: &str, payload: &'static str) -> Arc<Message> {
        Message::new(
            TopicName::try_from(topic).unwrap(),
            Bytes::from_static(payload.as_bytes()),
            QoS::AtMostOnce,
            true,
            None,
            None,
            0,
            Origin::Broker,
            Vec::new(),
        )
        .keep(&Memory::new(usize::MAX))
    }

    fn version(clock: u64, shard: u8) -> Version {
        Version { clock, shard: ShardId(shard) }
    }

    fn topics(retained: &Retained, filter: &str) -> Vec<String> {
        let mut topics = Vec::new();
        while let Some(message) = retained.next_matching(filter, topics.last().map(String::as_str))
        {
            topics.push(message.topic.to_string());
        }
        topics
    }

    #[test]
    fn filters_find_the_topics_they_match() {
        let mut retained = Retained::new(1);
        for topic in ["a", "a/b", "a/b/c", "a/", "/a", "$SYS/x"] {
            let version = retained.next_version(ShardId(0));
            retained.apply(version, &message(topic, "x"));
        }
        assert_eq!(topics(&retained, "a/#"), ["a", "a/", "a/b", "a/b/c"]);
        assert_eq!(topics(&retained, "+"), ["a"]);
        assert_eq!(topics(&retained, "+/+"), ["/a", "a/", "a/b"]);
        assert_eq!(topics(&retained, "#"), ["/a", "a", "a/", "a/b", "a/b/c"]);
        assert_eq!(topics(&retained, "$SYS/#"), ["$SYS/x"]);
        assert_eq!(topics(&retained, "a/b/c"), ["a/b/c"]);
    }

    #[test]
    fn the_highest_version_wins_in_any_order_of_arrival() {
        let writes = [
            (version(1, 0), message("t", "one")),
            (version(2, 1), message("t", "")),
            (version(2, 0), message("t", "two")),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
            let mut retained = Retained::new(1);
            for write in order {
                retained.apply(writes[write].0, &writes[write].1);
            }
            assert!(!retained.contains("t"), "order {order:?}");
            assert_eq!(retained.len(), 0);
        }
    }

    #[test]
    fn a_deletion_leaves_nothing_behind_once_it_is_forgotten() {
        let mut retained = Retained::new(1);
        retained.apply(version(1, 0), &message("a/b/c", "x"));
        assert_eq!(
            retained.apply(version(2, 0), &message("a/b/c", "")),
            Applied::Deleted { existed: true }
        );
        retained.forget("a/b/c");
        assert!(retained.entries.is_empty());
        assert_eq!(retained.bytes, 0);
    }

    #[test]
    fn the_same_topics_are_found_as_one_by_one() {
        let names = ["a", "b", "a!", "", "$s"];
        let mut retained = Retained::new(1);
        for one in names {
            for two in names {
                for topic in [one.to_owned(), format!("{one}/{two}"), format!("{one}/{two}/{one}")]
                {
                    if !topic.is_empty() {
                        let version = retained.next_version(ShardId(0));
                        retained.apply(version, &message(&topic, "x"));
                    }
                }
            }
        }
        let levels = ["a", "b", "+", "#", "a!", "", "$s", "c"];
        for one in levels {
            for two in levels {
                for text in [one.to_owned(), format!("{one}/{two}"), format!("{one}/{two}/+")] {
                    let Ok(filter) = midge_codec::TopicFilter::try_from(text.as_str()) else {
                        continue;
                    };
                    let expected: Vec<String> = retained
                        .entries
                        .values()
                        .filter_map(|entry| entry.message.as_ref())
                        .filter(|message| filter.matches(&message.topic))
                        .map(|message| message.topic.to_string())
                        .collect();
                    assert_eq!(topics(&retained, &text), expected, "{text}");
                }
            }
        }
    }
}
