//! Which records of a sink connector have been delivered here though Kafka has not been told.
//!
//! A mark goes to the disk in the same transaction as the message that it stands for, so after a
//! crash it says which records must not be delivered again. It goes when Kafka knows the offset.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use midge_core::Operation;

use crate::storage::{Kept, MARK};

/// Marks of a sink at most; records beyond them are not marked, and come again after a crash.
const MOST: usize = 1_000_000;

#[derive(Debug)]
pub(crate) struct Marks {
    connector: Vec<u8>,
    /// Delivered, by topic and partition.
    delivered: BTreeMap<(Arc<str>, i32), BTreeSet<i64>>,
    count: usize,
}

/// The marks of sinks that are not running, by connector.
pub(crate) struct MarksBySink(BTreeMap<Vec<u8>, Marks>);

impl MarksBySink {
    /// The marks that an earlier process has left.
    pub(crate) fn new(kept: &Kept) -> MarksBySink {
        let mut all = MarksBySink(BTreeMap::new());
        for (key, _) in &kept.keyed {
            if let Some((connector, topic, partition, offset)) = read(key) {
                let marks = all.0.entry(connector.to_vec());
                let marks = marks.or_insert_with(|| Marks::new(&connector));
                marks.insert(&topic, partition, offset);
            }
        }
        all
    }

    /// The marks of a connector, and its own from now on.
    pub(crate) fn take(&mut self, connector: &str) -> Marks {
        let connector = connector.as_bytes();
        self.0.remove(connector).unwrap_or_else(|| Marks::new(connector))
    }

    /// The marks of a connector that has ended.
    pub(crate) fn give_back(&mut self, connector: &str, marks: Marks) {
        self.0.insert(connector.as_bytes().to_vec(), marks);
    }
}

impl Marks {
    fn new(connector: &[u8]) -> Marks {
        Marks { connector: connector.to_vec(), delivered: BTreeMap::new(), count: 0 }
    }

    /// The marks, so that somebody else has them.
    pub(crate) fn take(&mut self) -> Marks {
        let none = Marks::new(&self.connector);
        std::mem::replace(self, none)
    }

    /// The mark of a record that is about to be delivered.
    pub(crate) fn key(&self, topic: &str, partition: i32, offset: i64) -> Option<Bytes> {
        (self.count < MOST).then(|| key(&self.connector, topic, partition, offset))
    }

    pub(crate) fn insert(&mut self, topic: &str, partition: i32, offset: i64) {
        let offsets = self.delivered.entry((Arc::from(topic), partition)).or_default();
        self.count += usize::from(offsets.insert(offset));
    }

    pub(crate) fn contains(&self, topic: &str, partition: i32, offset: i64) -> bool {
        self.count > 0
            && self
                .delivered
                .get(&(Arc::from(topic), partition))
                .is_some_and(|offsets| offsets.contains(&offset))
    }

    /// Kafka gives nothing below an offset any more: how the store forgets the marks there.
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, below: i64) -> Vec<Operation> {
        let place = (Arc::from(topic), partition);
        let Some(offsets) = self.delivered.get_mut(&place) else { return Vec::new() };
        let kept = offsets.split_off(&below);
        let gone = std::mem::replace(offsets, kept);
        if offsets.is_empty() {
            self.delivered.remove(&place);
        }
        self.count -= gone.len();
        let delete = |offset: i64| Operation::Delete {
            key: key(&self.connector, topic, partition, offset),
            version: None,
        };
        gone.into_iter().map(delete).collect()
    }
}

/// How the store forgets the marks of connectors that are no sinks any more: should one of that name
/// come again, its offsets may mean other records.
pub(crate) fn orphans(kept: &Kept, is_sink: impl Fn(&[u8]) -> bool) -> Vec<Operation> {
    let marks = kept.keyed.iter().map(|(key, _)| key).filter(|key| key.first() == Some(&MARK));
    let orphans = marks.filter(|key| read(key).is_none_or(|(of, ..)| !is_sink(&of)));
    orphans.map(|key| Operation::Delete { key: key.clone(), version: None }).collect()
}

fn key(connector: &[u8], topic: &str, partition: i32, offset: i64) -> Bytes {
    let mut key = BytesMut::with_capacity(1 + 2 + connector.len() + 2 + topic.len() + 4 + 8);
    key.put_u8(MARK);
    for text in [connector, topic.as_bytes()] {
        key.put_u16(text.len() as u16);
        key.put_slice(text);
    }
    key.put_i32(partition);
    key.put_i64(offset);
    key.freeze()
}

fn read(key: &Bytes) -> Option<(Bytes, String, i32, i64)> {
    let mut rest = key.clone();
    if rest.try_get_u8().ok()? != MARK {
        return None;
    }
    let mut text = || {
        let length = usize::from(rest.try_get_u16().ok()?);
        (rest.len() >= length).then(|| rest.split_to(length))
    };
    let (connector, topic) = (text()?, text()?);
    let topic = String::from_utf8(topic.to_vec()).ok()?;
    let (partition, offset) = (rest.try_get_i32().ok()?, rest.try_get_i64().ok()?);
    rest.is_empty().then_some((connector, topic, partition, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keys: Vec<Bytes>) -> Kept {
        let keyed = keys.into_iter().map(|key| (key, Bytes::new())).collect();
        Kept { keyed, ..Kept::default() }
    }

    #[test]
    fn marks_come_back_to_their_connector_and_go_once_kafka_has_passed_them() {
        let all = kept(vec![
            key(b"a", "t", 3, 10),
            key(b"a", "t", 3, 12),
            key(b"b", "t", 3, 11),
            Bytes::from_static(b"K\x00"),
        ]);
        let mut marks = MarksBySink::new(&all).take("a");
        assert!(marks.contains("t", 3, 10) && marks.contains("t", 3, 12));
        assert!(!marks.contains("t", 3, 11) && !marks.contains("t", 2, 10));
        let gone = marks.passed("t", 3, 12);
        assert_eq!(gone, [Operation::Delete { key: key(b"a", "t", 3, 10), version: None }]);
        assert!(!marks.contains("t", 3, 10) && marks.contains("t", 3, 12));
        assert_eq!(marks.passed("t", 3, 13).len(), 1);
        assert_eq!(marks.count, 0);
    }

    #[test]
    fn marks_without_a_sink_are_forgotten() {
        let all = kept(vec![key(b"a", "t", 0, 1), key(b"b", "t", 0, 1), Bytes::from_static(b"K?")]);
        let gone = orphans(&all, |name| name == b"a");
        assert_eq!(gone.len(), 2);
    }
}
