//! A store in a few lines: what it was told, what is durable, what a crash leaves.

use std::collections::{BTreeMap, BTreeSet};

use midge_core::Reference;

use super::*;

pub(super) const QUEUE: QueueId = QueueId(1 << 63 | 5);

#[derive(Debug, Default)]
pub(super) struct Store {
    /// Applied: loadable.
    pub(super) entries: BTreeMap<Position, (Bytes, Bytes)>,
    /// Where a message is, by topic and number.
    places: BTreeMap<(u64, u64), Position>,
    dead: BTreeSet<Position>,
    trimmed: Position,
    pub(super) keys: BTreeMap<Bytes, Bytes>,
    pending: VecDeque<(u64, Vec<Operation>)>,
    submitted: u64,
}

impl Store {
    /// Takes the commits among the outputs; gives the loads.
    pub(super) fn take(&mut self, outputs: Vec<Output>) -> Vec<Output> {
        let mut loads = Vec::new();
        for output in outputs {
            match output {
                Output::Commit(operations) => {
                    self.submitted += 1;
                    self.pending.push_back((self.submitted, operations));
                }
                load @ Output::Load { .. } => loads.push(load),
                _ => {}
            }
        }
        loads
    }

    /// Makes so many transactions durable; their numbers.
    pub(super) fn sync(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count.min(self.pending.len()) {
            if let Some((number, operations)) = self.pending.pop_front() {
                operations.into_iter().for_each(|operation| self.apply(operation));
                numbers.push(number);
            }
        }
        numbers
    }

    /// Whether a message is durable.
    pub(super) fn has(&self, topic: u64, number: u64) -> bool {
        let position = self.places.get(&(topic, number));
        position.is_some_and(|position| self.entries.contains_key(position))
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// So many of the transactions that were not reported durable survive all the same.
    pub(super) fn crash(&mut self, survive: usize) {
        self.sync(survive);
        self.pending.clear();
        self.submitted = 0;
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Append { entry, to } => {
                let [Reference { queue, position, tag }] = &to[..] else { panic!("one queue") };
                assert_eq!(*queue, QUEUE);
                assert!(!self.entries.contains_key(position), "a position is used twice");
                if *position >= self.trimmed && !self.dead.remove(position) {
                    let read =
                        midge_core::stored::Entry::read(entry.clone(), now(Instant::now(), 0));
                    self.places.insert(identity(&read.expect("an entry").0), *position);
                    self.entries.insert(*position, (tag.clone(), entry));
                }
            }
            Operation::Acknowledge { position, .. } => {
                if self.entries.remove(&position).is_none() && position >= self.trimmed {
                    self.dead.insert(position);
                }
            }
            Operation::Trim { below, .. } => {
                assert!(below >= self.trimmed, "a trim goes forward");
                self.trimmed = below;
                self.entries = self.entries.split_off(&below);
            }
            Operation::Put { key, value, .. } => drop(self.keys.insert(key, value)),
            other => panic!("{other:?} is not a spool's"),
        }
    }

    pub(super) fn load(&self, load: &Output) -> Loaded {
        let Output::Load { queue, from, below, max_entries, max_bytes } = load else {
            panic!("a load")
        };
        assert_eq!(*queue, QUEUE);
        let mut loaded = Loaded { end: true, ..Loaded::default() };
        let mut bytes = 0;
        for (position, (tag, entry)) in self.entries.range(from..below) {
            if loaded.entries.len() >= *max_entries || (bytes > 0 && bytes >= *max_bytes) {
                loaded.end = false;
                break;
            }
            bytes += entry.len();
            let (position, tag, entry) = (*position, tag.clone(), entry.clone());
            loaded.entries.push(StoredEntry { position, tag, entry });
        }
        loaded
    }
}

/// The queue as a start finds it, the `run`th.
pub(super) fn queue(store: &Store, run: u64) -> Queue {
    Queue {
        id: QUEUE,
        base: run << 40,
        state: (Bytes::from_static(b"Bq"), Bytes::copy_from_slice(&run.to_be_bytes())),
        generation: Bytes::from_static(b"g"),
        entries: store.entries.len() as u64,
        bytes: store.entries.values().map(|(_, entry)| entry.len() as u64).sum(),
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        messages: 10_000,
        bytes: 10 << 20,
        after: Some(Duration::from_secs(1)),
        durable_is_enough: true,
        max_bytes: 100 << 20,
        max_age: None,
        full: SpoolFull::PushBack,
        byte_rate: None,
    }
}

/// The topic and number of a message that [`message`] made.
pub(super) fn identity(message: &Message) -> (u64, u64) {
    let number = std::str::from_utf8(&message.payload).expect("text").trim();
    let topic = message.topic.as_str()[2..].parse().expect("a number");
    (topic, number.parse().expect("a number"))
}

const EPOCH_MILLIS: u64 = 1_700_000_000_000;

pub(super) fn now(start: Instant, millis: u64) -> Now {
    Now { instant: start + Duration::from_millis(millis), unix_millis: EPOCH_MILLIS + millis }
}

/// The payload is the number, with spaces up to so many bytes.
pub(super) fn message(topic: u64, number: u64, bytes: usize) -> Arc<Message> {
    message_at(topic, number, bytes, 0)
}

pub(super) fn message_at(topic: u64, number: u64, bytes: usize, millis: u64) -> Arc<Message> {
    Arc::new(Message::new(
        TopicName::try_from(format!("t/{topic}").as_str()).expect("a topic"),
        format!("{number:<bytes$}").into_bytes().into(),
        QoS::AtLeastOnce,
        false,
        None,
        None,
        EPOCH_MILLIS + millis,
        Origin::Broker,
        Vec::new(),
    ))
}
