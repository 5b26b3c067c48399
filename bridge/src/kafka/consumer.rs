//! A consumer: reads one sink connector's share of its topics and hands on what each record becomes.
//!
//! One thread polls, delivers and commits. Records that were not taken where they went and are to be
//! tried again are read again, in their order, and nothing is read meanwhile. Offsets go to Kafka by our own account alone: once a
//! second, when partitions are taken away, and at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use midge_rules::Record;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use tracing::debug;

use super::brokers::Brokers;
use super::context::Callbacks;
use super::producer::{PROBE, Pulse};
use super::properties;
use super::thread::{Stop, Worker};
use super::verdict;
use crate::delivery::{Delivered, Outgoing};
use crate::observer::{Event, Observer};
use crate::sink::Sink;

mod again;
mod assigned;
mod context;
mod letters;

use assigned::{committable, pause, resume};
use context::Context;
use letters::{Letters, NotPosted};

/// How long a poll waits for a record.
const POLL: Duration = Duration::from_millis(100);
/// Records at most that are read before they are handed on.
const BATCH: usize = 256;
/// How often librdkafka is told what it may commit.
const STORE_EVERY: Duration = Duration::from_millis(250);
/// How long those who take records may lag before fetching is paused.
const LAG: Duration = Duration::from_secs(1);
/// How long after a fatal error a new consumer is made.
const AGAIN: Duration = Duration::from_secs(5);

/// A handle on the thread.
pub(crate) struct Consumer(Worker);

impl Consumer {
    /// Makes the client, so that what is wrong with its properties is known at once, and starts
    /// the thread; `of_letters` are those of the producer of dead letters.
    pub(crate) fn start(
        sink: Arc<Sink>,
        properties: &ClientProperties,
        of_letters: &ClientProperties,
        oauth: Option<&Oauth>,
        observer: Option<Observer>,
    ) -> Result<Consumer, String> {
        let plan = &sink.plan;
        let name = sink.health.name();
        let config = properties::consumer(name, properties, &plan.group_id, plan.offset_reset);
        let callbacks = Arc::new(Callbacks::new(name, oauth)?);
        properties::check(name, of_letters)?;
        let letters = Letters::new(properties::producer(name, of_letters), &callbacks);
        let consumer = create(&config, &callbacks, &sink)
            .map_err(|error| properties::explain(&error, properties))?;
        let worker = Worker::spawn("kafka-consumer".to_owned(), move |stop| {
            let brokers = Brokers::of(&config);
            let pulse = Pulse::new(Instant::now());
            let (held, again, rewound) = (None, None, Vec::new());
            let reader = Reader {
                config,
                held,
                again,
                rewound,
                letters,
                callbacks,
                sink,
                observer,
                pulse,
                brokers,
            };
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
    /// When records are read again that were not taken.
    again: Option<Instant>,
    /// Partitions that are being read again, each up to where it had been read before.
    rewound: Vec<(Arc<str>, i32, i64)>,
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
        (self.held, self.again) = (None, None);
        self.rewound.clear();
        let mut stored = Instant::now();
        let mut full_since = None;
        let mut paused = false;
        let broken = loop {
            if stop.deadline().is_some() {
                break false;
            }
            let now = Instant::now();
            self.judge(&consumer, now);
            if now.duration_since(stored) >= STORE_EVERY {
                stored = now;
                self.store_offsets(&consumer);
            }
            let limit = self.sink.plan.max_under_way;
            let (under_way, waiting) = {
                let offsets = self.sink.offsets();
                (offsets.under_way(), offsets.waiting())
            };
            if waiting > 0
                && self.again.is_none()
                && let Some(interval) = self.sink.retry_interval()
            {
                self.again = Some(now + interval);
                pause(&consumer);
            }
            if self.sink.is_paused() {
                // Every time, since the group may have given us others. Polling goes on, or it
                // would give our partitions away.
                paused = true;
                pause(&consumer);
            } else if under_way >= limit {
                let since = *full_since.get_or_insert(now);
                if !paused && now.duration_since(since) < LAG {
                    // They are being taken; nothing is polled meanwhile, so nothing more comes.
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
                    if self.held.is_none() && self.again.is_none() {
                        resume(&consumer);
                    }
                }
            }
            let over = |moment: Option<Instant>| moment.is_some_and(|moment| now >= moment);
            if over(self.held) || over(self.again) {
                self.held = self.held.filter(|_| !over(self.held));
                if over(self.again) {
                    self.again = None;
                    self.read_again(&consumer);
                }
                if !paused && self.held.is_none() && self.again.is_none() {
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

    /// Reads the records that are there, at most so many, and hands on what they become; waits for
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

    /// Makes what goes out of a record, for the next flush.
    ///
    /// # Errors
    /// When it has to come again later: why, if that is known.
    fn publish(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Option<String>> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        if !self.rewound.is_empty() && self.was_settled(topic, partition, offset) {
            return Ok(());
        }
        let connector = self.sink.health.name();
        if self.sink.was_delivered(topic, partition, offset) {
            debug!(connector, topic, partition, offset, "delivered before");
            self.sink.read(topic, partition, offset, Outgoing::None);
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
        let outgoing = match delivered {
            Delivered::Outgoing(outgoing) => outgoing,
            Delivered::Refused(refusal) => {
                let of = format!("{topic}[{partition}]@{offset}");
                self.sink.health.refused(&of, &refusal);
                Outgoing::None
            }
            Delivered::DeadLetter(letter) => {
                match self.letters.post(letter) {
                    Ok(()) => {}
                    Err(NotPosted::Yet(why)) => return Err(Some(why)),
                    // Waited for, it would stop the partition for ever.
                    Err(NotPosted::TooLarge(why)) => {
                        let of = format!("{topic}[{partition}]@{offset}");
                        self.sink.health.refused(&of, &why);
                    }
                }
                Outgoing::None
            }
            Delivered::Wait(why) => return Err(why),
            Delivered::Failed => return Err(None),
        };
        if let (Some(observer), Outgoing::One(publish)) = (&self.observer, &outgoing) {
            observer(Event::Consumed {
                connector,
                kafka_topic: topic,
                partition,
                offset,
                mqtt_topic: publish.topic.as_str(),
                bytes: publish.payload.len(),
            });
        }
        self.sink.read(topic, partition, offset, outgoing);
        Ok(())
    }

    /// Says what has been taken: librdkafka commits it by its clock, and the context hears of that.
    fn store_offsets(&self, consumer: &BaseConsumer<Context>) {
        let list = committable(&self.sink, |_, _| true);
        if list.count() > 0
            && let Err(error) = consumer.store_offsets(&list)
        {
            debug!(error = %error, "offsets were not stored, the next time covers it");
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
