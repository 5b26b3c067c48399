//! A consumer: reads one sink connector's share of its topics and injects each record.
//!
//! One thread polls, publishes and commits. Offsets go to Kafka by our own account alone: once a
//! second, when partitions are taken away, and at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use midge_rules::Record;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::brokers::Brokers;
use super::context::Callbacks;
use super::producer::{PROBE, Pulse};
use super::properties;
use super::thread::{Stop, Worker};
use super::verdict;
use crate::delivery::{Delivered, Publishes};
use crate::observer::{Event, Observer};
use crate::sink::Sink;

mod context;
mod letters;

use context::Context;
use letters::Letters;

/// How long a poll waits for a record.
const POLL: Duration = Duration::from_millis(100);
/// Records at most that are read before the shards get them.
const BATCH: usize = 256;
/// How long records are held up by one that cannot be dealt with, before it is tried again.
const HOLD: Duration = Duration::from_millis(50);
/// How long reading again from an offset may take.
const SEEK: Duration = Duration::from_secs(5);
/// How often offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long the shards may lag before fetching is paused.
const LAG: Duration = Duration::from_secs(1);
/// How long after a fatal error a new consumer is made.
const AGAIN: Duration = Duration::from_secs(5);

/// A handle on the thread.
pub(crate) struct Consumer(Worker);

impl Consumer {
    /// Makes the client, so that what is wrong with its properties is known at once, and starts
    /// the thread.
    pub(crate) fn start(
        sink: Arc<Sink>,
        properties: &ClientProperties,
        oauth: Option<&Oauth>,
        observer: Option<Observer>,
    ) -> Result<Consumer, String> {
        let plan = &sink.plan;
        let name = sink.health.name();
        let config = properties::consumer(name, properties, &plan.group_id, plan.offset_reset);
        let callbacks = Arc::new(Callbacks::new(name, oauth)?);
        let letters = Letters::new(properties::producer(name, properties), &callbacks);
        let consumer = create(&config, &callbacks, &sink)
            .map_err(|error| properties::explain(&error, properties))?;
        let worker = Worker::spawn("kafka-consumer".to_owned(), move |stop| {
            let brokers = Brokers::of(&config);
            let pulse = Pulse::new(Instant::now());
            let held = None;
            let reader =
                Reader { config, held, letters, callbacks, sink, observer, pulse, brokers };
            reader.run(consumer, &stop);
        });
        worker.map(Consumer).map_err(|error| format!("a thread cannot be started: {error}"))
    }

    pub(crate) fn stop(&self, deadline: Instant) {
        self.0.stop(deadline);
    }

    pub(crate) fn join(&self, deadline: Instant) {
        self.0.join(deadline);
    }
}

/// Makes a consumer that has subscribed.
fn create(
    config: &ClientConfig,
    callbacks: &Arc<Callbacks>,
    sink: &Arc<Sink>,
) -> Result<BaseConsumer<Context>, KafkaError> {
    let context = Context::new(Arc::clone(callbacks), Arc::clone(sink));
    let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
    let topics: Vec<&str> = sink.plan.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    Ok(consumer)
}

struct Reader {
    config: ClientConfig,
    /// Until when records are held up by one that cannot be dealt with.
    held: Option<Instant>,
    letters: Letters,
    callbacks: Arc<Callbacks>,
    sink: Arc<Sink>,
    observer: Option<Observer>,
    pulse: Pulse,
    brokers: Brokers,
}

impl Reader {
    /// One consumer after another, until told to stop.
    fn run(mut self, first: BaseConsumer<Context>, stop: &Stop) {
        let mut next = Some(first);
        while stop.deadline().is_none() {
            let made = match next.take() {
                Some(consumer) => Ok(consumer),
                None => create(&self.config, &self.callbacks, &self.sink),
            };
            match made {
                Ok(consumer) => self.read(consumer, stop),
                Err(error) => self.sink.health.away(&error.to_string()),
            }
            if stop.deadline().is_none() {
                std::thread::park_timeout(AGAIN);
            }
        }
    }

    /// Reads until told to stop or until the consumer breaks for good.
    fn read(&mut self, consumer: BaseConsumer<Context>, stop: &Stop) {
        let mut committed = Instant::now();
        let mut full_since = None;
        let mut paused = false;
        let broken = loop {
            if stop.deadline().is_some() {
                break false;
            }
            let now = Instant::now();
            self.judge(&consumer, now);
            if now.duration_since(committed) >= COMMIT_EVERY {
                committed = now;
                self.commit(&consumer);
            }
            let limit = self.sink.plan.max_under_way;
            let under_way = self.sink.offsets().under_way();
            if self.sink.is_paused() {
                // Every time, since the group may have given us others. Polling goes on, or it
                // would give our partitions away.
                paused = true;
                pause(&consumer);
            } else if under_way >= limit {
                let since = *full_since.get_or_insert(now);
                if !paused && now.duration_since(since) < LAG {
                    // The shards are at it; nothing is polled meanwhile, so nothing more comes.
                    let room = BATCH.min(limit.div_ceil(2));
                    self.sink.wait(now + POLL, room, |o| o.under_way() + room <= limit);
                    continue;
                }
                // They lag. Polling goes on, or the group would give our partitions away.
                paused = true;
                pause(&consumer);
            } else {
                full_since = None;
                if paused && under_way <= limit / 2 {
                    paused = false;
                    resume(&consumer);
                }
            }
            if self.held.is_some_and(|until| now >= until) {
                self.held = None;
                if !paused {
                    resume(&consumer);
                }
            }
            // One at least: Kafka wants to be asked.
            if let Err(code) = self.poll(&consumer, limit.saturating_sub(under_way).clamp(1, BATCH))
            {
                self.sink.health.away(&code.to_string());
                break true;
            }
        };
        if !broken {
            let deadline = stop.deadline().unwrap_or_else(Instant::now);
            self.sink.wait(deadline, 1, |offsets| offsets.under_way() == 0);
        }
        // Closing gives the partitions back, which commits; then the group is left.
        drop(consumer);
        self.sink.offsets().forget_all();
    }

    /// Reads the records that are there, at most so many, and gives them to the shards; waits for
    /// the first alone. An error is one that the consumer does not survive.
    fn poll(&mut self, consumer: &BaseConsumer<Context>, most: usize) -> Result<(), Code> {
        let mut broken = Ok(());
        let (mut came, mut patience) = (0, POLL);
        while came < most {
            match consumer.poll(patience) {
                None => break,
                Some(Ok(record)) => {
                    if let Err(why) = self.publish(&record) {
                        self.hold(consumer, &record, why);
                        break;
                    }
                    came += 1;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    broken = Err(code);
                    break;
                }
                // The context has been told already.
                Some(Err(_)) => {}
            }
            patience = Duration::ZERO;
        }
        if came > 0 {
            self.sink.health.came(came as u64);
            self.sign_of_life();
            self.sink.flush();
        }
        broken
    }

    /// Makes publishes of a record, for the next flush.
    ///
    /// # Errors
    /// When it has to come again later: why, if that is known.
    fn publish(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Option<String>> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let connector = self.sink.health.name();
        if self.sink.was_delivered(topic, partition, offset) {
            debug!(connector, topic, partition, offset, "delivered before");
            self.sink.read(topic, partition, offset, Publishes::None);
            return Ok(());
        }
        let headers: Vec<(&str, Option<&[u8]>)> = message.headers().map_or_else(Vec::new, |all| {
            all.iter().map(|header| (header.key, header.value)).collect()
        });
        let record = Record {
            kafka_topic: topic,
            partition,
            key: message.key(),
            value: message.payload(),
            headers: &headers,
        };
        let timestamp = message.timestamp().to_millis();
        let delivered =
            self.sink.delivery.deliver(&record, offset, timestamp, std::thread::current());
        let publishes = match delivered {
            Delivered::Publishes(publishes) => publishes,
            Delivered::Refused(refusal) => {
                let of = format!("{topic}[{partition}]@{offset}");
                self.sink.health.refused(&of, &refusal);
                Publishes::None
            }
            Delivered::DeadLetter(letter) => {
                self.letters.produce(&letter).map_err(Some)?;
                Publishes::None
            }
            Delivered::Wait(why) => return Err(why),
            Delivered::Failed => return Err(None),
        };
        if let (Some(observer), Publishes::One(publish)) = (&self.observer, &publishes) {
            observer(Event::Consumed {
                connector,
                kafka_topic: topic,
                partition,
                offset,
                mqtt_topic: publish.topic.as_str(),
                bytes: publish.payload.len(),
            });
        }
        self.sink.read(topic, partition, offset, publishes);
        Ok(())
    }

    /// A record cannot be dealt with now: it comes again after a while, and nothing comes before it.
    fn hold(
        &mut self,
        consumer: &BaseConsumer<Context>,
        record: &BorrowedMessage<'_>,
        why: Option<String>,
    ) {
        if let Some(why) = why {
            self.sink.health.trouble(&why);
        }
        self.held = Some(Instant::now() + HOLD);
        let offset = Offset::Offset(record.offset());
        // The partition is still ours: the group gives them away in a poll alone.
        if let Err(error) = consumer.seek(record.topic(), record.partition(), offset, SEEK) {
            self.sink.health.trouble(&format!("a record cannot be read again: {error}"));
        }
        pause(consumer);
    }

    /// Tells Kafka, without waiting, what has been routed.
    fn commit(&self, consumer: &BaseConsumer<Context>) {
        let list = committable(&self.sink, |_, _| true);
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            debug!(error = %error, "a commit was not sent, the next one covers it");
        }
    }

    /// Looks at what librdkafka complains of and at the clock.
    fn judge(&mut self, consumer: &BaseConsumer<Context>, now: Instant) {
        for (code, why) in self.callbacks.take_errors() {
            if verdict::is_away(code) {
                self.pulse.doubt(now, code, why);
            } else if code != Code::PartitionEOF {
                self.sink.health.trouble(&why);
            }
        }
        if self.pulse.wants_probe(now, false) && consumer.fetch_metadata(None, PROBE).is_ok() {
            self.sign_of_life();
        }
        if let Some(why) = self.pulse.lost(now, false) {
            self.sink.health.away(&why);
            if self.pulse.wants_brokers(now) {
                self.brokers.give(consumer.client());
            }
        }
    }

    fn sign_of_life(&mut self) {
        self.pulse.beat(Instant::now());
        self.sink.health.back();
    }
}

/// What may be committed of some partitions.
fn committable(sink: &Sink, of: impl Fn(&str, i32) -> bool) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition, offset) in sink.offsets().committable() {
        if of(&topic, partition) {
            // The only error is a partition listed twice.
            let _ = list.add_partition_offset(&topic, partition, Offset::Offset(offset));
        }
    }
    list
}

fn pause(consumer: &BaseConsumer<Context>) {
    // The list must not outlive this call: librdkafka waits for it when the consumer goes.
    if let Ok(assigned) = consumer.assignment()
        && let Err(error) = consumer.pause(&assigned)
    {
        debug!(error = %error, "partitions were not paused");
    }
}

fn resume(consumer: &BaseConsumer<Context>) {
    if let Ok(assigned) = consumer.assignment()
        && let Err(error) = consumer.resume(&assigned)
    {
        debug!(error = %error, "partitions were not resumed");
    }
}
