//! A compacted topic that several workers write and each of them reads as a whole, in order.
//!
//! Invariants. What is written counts once it has been read back: whoever wrote then sees what it
//! wrote, or something later. Kafka being away is a state: it is tried again without end, and goes on
//! where it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::context::{Callbacks, ClientOnly};
use super::properties;
use super::thread::{Stop, Worker};
use super::topics::{self, CompactedTopic};

mod writer;

use writer::Writer;

/// How long a poll waits for a record.
const POLL: Duration = Duration::from_millis(100);
/// How long Kafka may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after something went wrong it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Who reads the topic: called from one thread.
pub(crate) trait Reader: Send + Sync + 'static {
    /// A record, in the order of its partition.
    fn record(&self, key: &[u8], value: Option<&[u8]>);

    /// All that was there has been read. Called once.
    fn read_whole(&self);
}

/// A handle on the log.
pub(crate) struct TopicLog {
    inner: Arc<Inner>,
    writer: Writer,
    worker: Worker,
}

struct Inner {
    topic: CompactedTopic,
    /// One partition alone is in order.
    single: bool,
    place: Mutex<Place>,
    moved: Condvar,
}

/// How far it has been read.
#[derive(Default)]
struct Place {
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
    /// How often somebody asked for the end, and up to which of these it has been reached.
    asked: u64,
    reached: u64,
    /// What is wrong, as long as it is.
    trouble: Option<String>,
}

impl TopicLog {
    /// Makes the clients, so that what is wrong with their properties is known at once, and starts
    /// to read.
    pub(crate) fn start(
        topic: CompactedTopic,
        single: bool,
        properties: &ClientProperties,
        oauth: Option<&Oauth>,
        reader: Arc<dyn Reader>,
    ) -> Result<TopicLog, String> {
        let name = topic.name.clone();
        // It is no member of any group; librdkafka wants a name all the same.
        let mut config = properties::consumer(&name, properties, &name, "earliest");
        config.set("enable.partition.eof", "true");
        let callbacks = Callbacks::new(&name, oauth)?;
        let first: BaseConsumer<ClientOnly> = config
            .create_with_context(ClientOnly(callbacks))
            .map_err(|error| properties::explain(&error, properties))?;
        drop(first);
        let writer = Writer::new(properties::producer(&name, properties), &name, oauth)
            .map_err(|error| format!("topic {name:?}: {error}"))?;
        let inner =
            Arc::new(Inner { topic, single, place: Mutex::default(), moved: Condvar::new() });
        let oauth = oauth.cloned();
        let following = Arc::clone(&inner);
        let worker = Worker::spawn("connect-topic".to_owned(), move |stop| {
            let mut follow =
                Follow { inner: following, config, oauth, reader, whole: false, asked: None };
            follow.run(&stop);
        });
        let worker = worker.map_err(|error| format!("a thread cannot be started: {error}"))?;
        Ok(TopicLog { inner, writer, worker })
    }

    /// Writes records, in order, and returns when the last of them has been read back.
    ///
    /// # Errors
    /// When Kafka does not take them in time. The last of them may have been taken all the same.
    pub(crate) fn write(&self, records: &[(String, Option<Vec<u8>>)]) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        for (key, value) in records {
            let (partition, offset) = self.writer.write(key, value.as_deref(), deadline)?;
            let passed = |place: &Place| place.next.get(&partition).is_some_and(|n| *n > offset);
            if !self.inner.wait(deadline, passed) {
                return Err(self.inner.late("what was written was not read back in time"));
            }
        }
        Ok(())
    }

    /// Writes a record some time; `failed` is called when Kafka has not taken it.
    pub(crate) fn post(
        &self,
        key: &str,
        value: Option<&[u8]>,
        failed: impl FnOnce() + Send + Sync + 'static,
    ) {
        self.writer.post(key, value, Box::new(failed));
    }

    /// Waits until Kafka has what was posted, or until `patience` is over.
    pub(crate) fn flush(&self, patience: Duration) {
        self.writer.flush(patience);
    }

    /// Asks for the end as it is now: what is returned has been reached when
    /// [`reached`](TopicLog::reached) is not less.
    pub(crate) fn ask_end(&self) -> u64 {
        let mut place = self.inner.place();
        place.asked += 1;
        place.asked
    }

    /// The last question for the end that is answered.
    pub(crate) fn reached(&self) -> u64 {
        self.inner.place().reached
    }

    /// What is wrong, while something is.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.inner.place().trouble.clone()
    }

    pub(crate) fn stop(&self, deadline: Instant) {
        self.worker.stop(deadline);
    }

    pub(crate) fn join(&self, deadline: Instant) {
        self.worker.join(deadline);
    }
}

impl Inner {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, deadline: Instant, enough: impl Fn(&Place) -> bool) -> bool {
        let mut place = self.place();
        loop {
            if enough(&place) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.moved.wait_timeout(place, left);
            place = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn late(&self, what: &str) -> String {
        let topic = &self.topic.name;
        match &self.place().trouble {
            Some(trouble) => format!("topic {topic:?}: {what}: {trouble}"),
            None => format!("topic {topic:?}: {what}"),
        }
    }
}

/// The thread that reads.
struct Follow {
    inner: Arc<Inner>,
    config: ClientConfig,
    oauth: Option<Oauth>,
    reader: Arc<dyn Reader>,
    /// All that was there at the beginning has been read.
    whole: bool,
    /// A question for the end, and where that was.
    asked: Option<(u64, BTreeMap<i32, i64>)>,
}

impl Follow {
    fn run(&mut self, stop: &Stop) {
        while stop.deadline().is_none() {
            if let Err(why) = self.follow(stop) {
                let mut place = self.inner.place();
                if place.trouble.as_ref() != Some(&why) {
                    warn!(error = why, "a topic of the group cannot be read, trying again");
                    place.trouble = Some(why);
                }
                drop(place);
                if stop.deadline().is_none() {
                    std::thread::park_timeout(AGAIN);
                }
            }
        }
    }

    fn callbacks(&self) -> Result<Callbacks, String> {
        Callbacks::new(&self.inner.topic.name, self.oauth.as_ref())
    }

    /// Reads until told to stop, or until something breaks.
    fn follow(&mut self, stop: &Stop) -> Result<(), String> {
        let topic = self.inner.topic.name.clone();
        let why = |error: KafkaError| format!("topic {topic:?}: {error}");
        topics::make(&self.config, self.callbacks()?, &self.inner.topic)?;
        let consumer: BaseConsumer<ClientOnly> =
            self.config.create_with_context(ClientOnly(self.callbacks()?)).map_err(why)?;
        let partitions = self.partitions(&consumer)?;
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            let next = self.inner.place().next.get(partition).copied();
            let from = next.map_or(Offset::Beginning, Offset::Offset);
            list.add_partition_offset(&topic, *partition, from).map_err(why)?;
        }
        consumer.assign(&list).map_err(why)?;
        drop(list);
        if self.inner.place().trouble.take().is_some() {
            info!(topic, "the topic of the group can be read again");
        }
        let mut ends: Vec<i32> = Vec::new();
        while stop.deadline().is_none() {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) => {
                    // A record without a key says nothing of anything.
                    self.reader.record(record.key().unwrap_or_default(), record.payload());
                    let mut place = self.inner.place();
                    place.next.insert(record.partition(), record.offset() + 1);
                    drop(place);
                    self.inner.moved.notify_all();
                }
                Some(Err(KafkaError::PartitionEOF(partition)))
                    if !self.whole && !ends.contains(&partition) =>
                {
                    ends.push(partition);
                    if ends.len() == partitions.len() {
                        self.whole = true;
                        self.reader.read_whole();
                    }
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(why(error));
                }
                // It is tried again by librdkafka, which has said so.
                Some(Err(_)) => {}
            }
            self.answer(&consumer, &partitions);
        }
        Ok(())
    }

    fn partitions(&self, consumer: &BaseConsumer<ClientOnly>) -> Result<Vec<i32>, String> {
        let topic = &self.inner.topic.name;
        let partitions = topics::partitions(consumer, topic)?;
        let count = partitions.len();
        if self.inner.single && count > 1 {
            return Err(format!(
                "topic {topic:?}: found {count} partitions, expected one, which alone is in order"
            ));
        }
        Ok(partitions)
    }

    /// Looks whether the end that was asked for has been reached.
    fn answer(&mut self, consumer: &BaseConsumer<ClientOnly>, partitions: &[i32]) {
        let place = self.inner.place();
        let (asked, reached) = (place.asked, place.reached);
        drop(place);
        if asked == reached {
            return;
        }
        if self.asked.as_ref().is_none_or(|(question, _)| *question < asked) {
            let mut ends = BTreeMap::new();
            for partition in partitions {
                let marks = consumer.fetch_watermarks(&self.inner.topic.name, *partition, PATIENCE);
                // It is asked again.
                let Ok((low, high)) = marks else { return };
                if high > low {
                    ends.insert(*partition, high);
                }
            }
            self.asked = Some((asked, ends));
        }
        let Some((question, ends)) = &self.asked else { return };
        let mut place = self.inner.place();
        if ends.iter().all(|(partition, end)| place.next.get(partition).is_some_and(|n| n >= end)) {
            place.reached = *question;
        }
    }
}
