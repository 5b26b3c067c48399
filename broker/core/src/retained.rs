//! Retained messages (3.3.1.3), by topic, found by filter.
//!
//! Every shard holds all of them (the messages themselves are shared), so that a new subscription
//! is answered where it is made. Shards agree on the latest one of a topic by its [`Version`]: the
//! highest wins, whatever the order of arrival; a deletion is remembered as long as an older
//! message could still be on its way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ShardId;
use crate::message::Message;
use crate::timers::Timer;

/// How long a deletion is remembered; messages between shards take milliseconds.
pub(crate) const DELETION_KEPT: Duration = Duration::from_secs(60);

/// Orders the retained messages of one topic: a logical clock, then the shard that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub(crate) clock: u64,
    pub(crate) shard: ShardId,
}

#[derive(Debug)]
pub(crate) struct Retained {
    root: Node,
    messages: usize,
    clock: u64,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted, so that retained messages come in the order of their topics.
    children: BTreeMap<Box<str>, Node>,
    entry: Option<Entry>,
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

impl Retained {
    pub(crate) fn new() -> Retained {
        Retained { root: Node::default(), messages: 0, clock: 0 }
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.messages
    }

    /// A version above all that this shard has seen.
    pub(crate) fn next_version(&mut self, shard: ShardId) -> Version {
        self.clock += 1;
        Version { clock: self.clock, shard }
    }

    /// Whether a topic has a message.
    pub(crate) fn contains(&self, topic: &str) -> bool {
        let mut node = &self.root;
        for level in topic.split('/') {
            match node.children.get(level) {
                Some(child) => node = child,
                None => return false,
            }
        }
        node.entry.as_ref().is_some_and(|entry| entry.message.is_some())
    }

    /// The timer of a topic's entry, to be cancelled or set.
    pub(crate) fn timer(&mut self, topic: &str) -> Option<&mut Option<Timer>> {
        let mut node = &mut self.root;
        for level in topic.split('/') {
            node = node.children.get_mut(level)?;
        }
        node.entry.as_mut().map(|entry| &mut entry.timer)
    }

    /// Stores a topic's message, or deletes it when the payload is empty ([MQTT-3.3.1-6]).
    pub(crate) fn apply(&mut self, version: Version, message: &Arc<Message>) -> Applied {
        self.clock = self.clock.max(version.clock);
        let mut node = &mut self.root;
        for level in message.topic.as_str().split('/') {
            if !node.children.contains_key(level) {
                node.children.insert(level.into(), Node::default());
            }
            node = node.children.get_mut(level).expect("just made sure of");
        }
        if node.entry.as_ref().is_some_and(|entry| entry.version >= version) {
            return Applied::Outdated;
        }
        let message = (!message.payload.is_empty()).then(|| Arc::clone(message));
        let stored = message.is_some();
        let before = node.entry.replace(Entry { version, message, timer: None });
        let existed = before.is_some_and(|entry| entry.message.is_some());
        self.messages = self.messages + usize::from(stored) - usize::from(existed);
        if stored { Applied::Stored { new: !existed } } else { Applied::Deleted { existed } }
    }

    /// Forgets a topic whose deletion was remembered long enough, or whose message has expired.
    /// Returns whether a message went.
    pub(crate) fn forget(&mut self, topic: &str, now: Instant) -> bool {
        let mut path: Vec<&str> = topic.split('/').collect();
        let mut went = false;
        // Without recursion: find the node, clear it, then prune empty nodes from the leaf up.
        if let Some(node) = self.node_mut(&path) {
            match &node.entry {
                Some(Entry { message: Some(message), .. }) if message.is_expired(now) => {
                    node.entry = None;
                    self.messages -= 1;
                    went = true;
                }
                Some(Entry { message: None, .. }) => node.entry = None,
                _ => return false,
            }
        }
        while let Some(last) = path.pop() {
            let Some(parent) = self.node_mut(&path) else { break };
            let empty = parent
                .children
                .get(last)
                .is_some_and(|node| node.entry.is_none() && node.children.is_empty());
            if !empty {
                break;
            }
            parent.children.remove(last);
        }
        went
    }

    /// All messages whose topic matches a filter.
    pub(crate) fn matching(&self, filter: &str) -> Vec<Arc<Message>> {
        let levels: Vec<&str> = filter.split('/').collect();
        let mut found = Vec::new();
        let mut visits = vec![(&self.root, 0)];
        while let Some((node, depth)) = visits.pop() {
            let Some(level) = levels.get(depth) else {
                found.extend(node.message());
                continue;
            };
            // [MQTT-4.7.2-1]: a leading wildcard leaves out topics that begin with '$'.
            let allowed = |name: &str| depth > 0 || !name.starts_with('$');
            match *level {
                "#" => {
                    found.extend(node.message());
                    let children = node.children.iter().rev().filter(|(name, _)| allowed(name));
                    visits.extend(children.map(|(_, child)| (child, depth)));
                }
                "+" => {
                    let children = node.children.iter().rev().filter(|(name, _)| allowed(name));
                    visits.extend(children.map(|(_, child)| (child, depth + 1)));
                }
                name => visits.extend(node.children.get(name).map(|child| (child, depth + 1))),
            }
        }
        found
    }

    fn node_mut(&mut self, path: &[&str]) -> Option<&mut Node> {
        let mut node = &mut self.root;
        for level in path {
            node = node.children.get_mut(*level)?;
        }
        Some(node)
    }
}

impl Node {
    fn message(&self) -> Option<Arc<Message>> {
        self.entry.as_ref()?.message.clone()
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
        let mut topics: Vec<String> =
            retained.matching(filter).iter().map(|message| message.topic.to_string()).collect();
        topics.sort();
        topics
    }

    #[test]
    fn filters_find_the_topics_they_match() {
        let mut retained = Retained::new();
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
            let mut retained = Retained::new();
            for write in order {
                retained.apply(writes[write].0, &writes[write].1);
            }
            assert!(!retained.contains("t"), "order {order:?}");
            assert_eq!(retained.len(), 0);
        }
    }

    #[test]
    fn a_deletion_leaves_nothing_behind_once_it_is_forgotten() {
        let mut retained = Retained::new();
        retained.apply(version(1, 0), &message("a/b/c", "x"));
        assert_eq!(
            retained.apply(version(2, 0), &message("a/b/c", "")),
            Applied::Deleted { existed: true }
        );
        retained.forget("a/b/c", Instant::now());
        assert!(retained.root.children.is_empty());
    }
}
