//! A producer: it takes from the logs of the source connectors that share it, in turn.
//!
//! One thread makes records, produces them, and settles what librdkafka reports. Every entry it has
//! taken and not finished is either inside librdkafka, known by its slot, or behind the cursor, to
//! be taken again. When the producer breaks, everything unfinished is taken again, in order, by a
//! new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use midge_core::{Message, Position};
use midge_rules::RecordBuffer;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use tracing::{debug, error, info};

use super::brokers::Brokers;
use super::context::Callbacks;
use super::events::Events;
use super::properties;
use super::slots::Slots;
use super::thread::{Stop, Worker};
use crate::observer::Observer;
use crate::source::{Source, now};
use crate::spool::Report;

mod context;
mod handover;
mod lane;
mod letters;
mod pulse;
mod send;
mod settle;
mod tally;
mod watch;

use context::Context;
use handover::Topic;
use lane::Lane;
use pulse::Backoff;
pub(super) use pulse::{PROBE, Pulse};
use send::{Unsent, observe, send};
use tally::OTHERS;
use watch::Stall;

/// Entries taken from one log before the others have their turn.
const TURN: usize = 128;
/// How long the reports of a broken producer are waited for.
const DRAIN: Duration = Duration::from_secs(1);
/// How long, at the end, Kafka may leave a message before it goes to the disk.
const HURRY: Duration = Duration::from_millis(500);
/// Between two looks at the logs at least.
const LOOK: Duration = Duration::from_millis(1);

/// How soon a new producer follows one that broke, and how long it takes at most when each breaks
/// at once.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// A handle on the thread.
pub(crate) struct Producer(Worker);

impl Producer {
    /// Makes the client, so that what is wrong with its properties is known at once, and starts
    /// the thread.
    pub(crate) fn start(
        sources: Vec<Arc<Source>>,
        properties: &ClientProperties,
        oauth: Option<&Oauth>,
        observer: Option<Observer>,
    ) -> Result<Producer, String> {
        let names: Vec<&str> = sources.iter().map(|source| source.health.name()).collect();
        let config = properties::producer(names[0], properties);
        let callbacks = Arc::new(Callbacks::new(&names.join(","), oauth)?);
        let client =
            create(&config, &callbacks).map_err(|error| properties::explain(&error, properties))?;
        // Each log has its share, so that one dead topic leaves room for the others.
        let (messages, bytes) = properties::queue(&config);
        for source in &sources {
            source.log().spool.share(messages / sources.len(), bytes / sources.len());
        }
        let brokers = Brokers::of(&config);
        let batch_bytes = properties::batch_bytes(&config);
        let stall = Stall::new(properties::request_timeout(&config));
        let lanes = sources.into_iter().map(Lane::new).collect();
        let worker = Worker::spawn("kafka-producer".to_owned(), move |stop| {
            let mut feeder = Feeder {
                config,
                callbacks,
                observer,
                lanes,
                connected: None,
                slots: Slots::new(),
                pulse: Pulse::new(Instant::now()),
                backoff: Backoff::new(AGAIN.0, AGAIN.1),
                stall,
                brokers,
                batch_bytes,
                broken: None,
            };
            feeder.connect(client);
            feeder.run(&stop);
        });
        worker.map(Producer).map_err(|error| format!("a thread cannot be started: {error}"))
    }

    /// Something has been pushed to a log.
    pub(crate) fn wake(&self) {
        self.0.wake();
    }

    pub(crate) fn stop(&self, deadline: Instant) {
        self.0.stop(deadline);
    }

    pub(crate) fn join(&self, deadline: Instant) {
        self.0.join(deadline);
    }
}

fn create(
    config: &ClientConfig,
    callbacks: &Arc<Callbacks>,
) -> Result<BaseProducer<Context>, KafkaError> {
    config.create_with_context(Context::new(Arc::clone(callbacks)))
}

struct Feeder {
    config: ClientConfig,
    callbacks: Arc<Callbacks>,
    observer: Option<Observer>,
    lanes: Vec<Lane>,
    connected: Option<Connected>,
    /// The lane, the entry and the number of its topic.
    slots: Slots<(usize, Position, u32)>,
    pulse: Pulse,
    backoff: Backoff,
    stall: Stall,
    brokers: Brokers,
    /// Bytes of a batch at most.
    batch_bytes: usize,
    /// Why the producer cannot go on.
    broken: Option<Broken>,
}

/// Why a producer cannot go on.
enum Broken {
    /// An error: a new one is made after a while.
    Lost(String),
    /// This one follows at once.
    Replaced(BaseProducer<Context>),
}

/// The order matters: the queue and the topics go before their client.
struct Connected {
    events: Events,
    /// The topic of the last record, by lane.
    topics: Vec<Option<Topic>>,
    client: BaseProducer<Context>,
}

impl Feeder {
    fn run(mut self, stop: &Stop) {
        let mut record = RecordBuffer::default();
        let mut batch = Vec::with_capacity(TURN);
        let mut hurried = false;
        for lane in &self.lanes {
            lane.source.produced_by(std::thread::current());
        }
        loop {
            self.poll();
            self.settle();
            let now = Instant::now();
            self.judge(now);
            if stop.deadline().is_none() {
                self.rescue(now);
            } else if !std::mem::replace(&mut hurried, true) {
                self.lanes.iter().for_each(|lane| lane.source.hurry(HURRY));
            }
            let due = self.look();
            let mut more = false;
            if self.broken.is_some() {
                self.disconnect(now);
            } else if self.connected.is_some() {
                for lane in 0..self.lanes.len() {
                    more |= self.feed(lane, hurried, &mut record, &mut batch);
                }
            } else if self.backoff.is_over(now) {
                self.reconnect(now);
                more = self.connected.is_some();
            }
            if let Some(deadline) = stop.deadline()
                && (now >= deadline || self.lanes.iter().all(Lane::may_end))
            {
                self.end();
                return;
            }
            let idle = self.connected.as_ref().is_none_or(|connected| connected.events.len() == 0);
            if idle && !more && self.broken.is_none() {
                let waiting = self.lanes.iter().any(|lane| lane.source.log().spool.open() > 0);
                let pause = self.pulse.pause(
                    waiting || self.connected.is_none(),
                    stop.deadline().map(|deadline| deadline.saturating_duration_since(now)),
                );
                let due = due.map(|due| due.saturating_duration_since(Instant::now()).max(LOOK));
                std::thread::park_timeout(due.map_or(pause, |due| due.min(pause)));
            }
        }
    }

    /// Does what has become due in the logs; when something will be.
    fn look(&self) -> Option<Instant> {
        let now = now();
        self.lanes.iter().filter_map(|lane| lane.source.look(now)).min()
    }

    /// Runs the callbacks of all events that are there.
    fn poll(&self) {
        let Some(connected) = &self.connected else { return };
        for _ in 0..connected.events.len() {
            connected.client.poll(Duration::ZERO);
        }
    }

    /// Produces the next entries of one lane; whether there are more to be produced now. At the
    /// `end` a log that is on disk stays there.
    fn feed(
        &mut self,
        lane_index: usize,
        end: bool,
        record: &mut RecordBuffer,
        batch: &mut Vec<(Position, Arc<Message>)>,
    ) -> bool {
        let lane = &mut self.lanes[lane_index];
        if self.connected.is_none() || !lane.source.works() || lane.is_resting(Instant::now()) {
            return false;
        }
        self.post_letters(lane_index);
        let Some(Connected { client, topics, .. }) = &mut self.connected else { return false };
        let (lane, topic) = (&mut self.lanes[lane_index], &mut topics[lane_index]);
        let source = Arc::clone(&lane.source);
        let taken_at = now();
        let mut log = source.log();
        if end && log.spool.is_spooling() {
            return false;
        }
        while batch.len() < TURN {
            let Some(entry) = log.spool.take(taken_at) else { break };
            batch.push(entry);
        }
        drop(log);
        let full = batch.len() == TURN;
        let mut reports = Vec::new();
        let mut stopped_at = None;
        for (position, message) in batch.drain(..) {
            let place = self.slots.insert((lane_index, position, OTHERS));
            match send(client, &source, &message, place, record, topic) {
                Ok(()) => {
                    if lane.in_flight == 0 {
                        self.pulse.began(Instant::now());
                    }
                    lane.in_flight += 1;
                    if let (Some(_), Some(topic)) = (source.health.usage(), &*topic) {
                        let number = lane.tally.number(topic.name());
                        self.slots.change(place, |(.., topic)| *topic = number);
                    }
                    continue;
                }
                Err(Unsent::Refused(why, reason)) => {
                    source.health.refused(&message.topic, &why);
                    match lane.refused(position, &message, &why, reason) {
                        Some(report) => reports.push((position, report)),
                        None if lane.has_failed() => stopped_at = Some(position),
                        None => {}
                    }
                }
                Err(Unsent::Letter(letter)) => lane.letters.push_back((position, letter)),
                Err(Unsent::Nothing) => reports.push((position, Report::Delivered)),
                Err(Unsent::Wait(why)) => {
                    if let Some(why) = why {
                        source.health.trouble(&why);
                    }
                    lane.wait(Instant::now());
                    stopped_at = Some(position);
                }
                // The herder ends the task; what it has not produced stays in the log.
                Err(Unsent::Failed) => stopped_at = Some(position),
                Err(Unsent::Full) => stopped_at = Some(position),
                Err(Unsent::NoTopic) => match lane.no_topic(Instant::now(), position) {
                    Some(reason) => {
                        let why = "kafka has no such topic";
                        source.health.refused(&message.topic, &why);
                        match lane.refused(position, &message, why, reason) {
                            Some(report) => reports.push((position, report)),
                            None if lane.has_failed() => stopped_at = Some(position),
                            None => {}
                        }
                    }
                    None => stopped_at = Some(position),
                },
                Err(Unsent::Broken(why)) => {
                    self.broken = Some(Broken::Lost(why));
                    stopped_at = Some(position);
                }
            }
            self.slots.remove(place);
            if stopped_at.is_some() {
                break;
            }
        }
        // What was taken makes room for more from the disk.
        source.with(|spool, now| {
            if let Some(position) = stopped_at {
                spool.rewind_to(position);
            }
            for (position, report) in reports {
                spool.report(now, position, report);
            }
        });
        self.post_letters(lane_index);
        full && stopped_at.is_none()
    }

    fn connect(&mut self, client: BaseProducer<Context>) {
        let events = Events::new(client.client(), std::thread::current());
        let topics = self.lanes.iter().map(|_| None).collect();
        self.connected = Some(Connected { events, topics, client });
    }

    fn reconnect(&mut self, now: Instant) {
        match create(&self.config, &self.callbacks) {
            Ok(client) => self.connect(client),
            Err(error) => {
                let why = error.to_string();
                self.lanes.iter().for_each(|lane| lane.source.health.away(&why));
                self.backoff.begin(now);
            }
        }
    }

    /// Gives the producer up; its successor takes everything unfinished again.
    fn disconnect(&mut self, now: Instant) {
        let broken = self.broken.take();
        if let Some(Broken::Lost(why)) = &broken {
            self.lanes.iter().for_each(|lane| lane.source.health.away(why));
        }
        self.give_up_client();
        // What the old client has said while it was purged is no reason to give up the next one.
        self.broken = None;
        self.callbacks.take_errors();
        self.slots.clear();
        self.lanes.iter_mut().for_each(Lane::start_again);
        match broken {
            Some(Broken::Replaced(client)) => self.connect(client),
            _ => self.backoff.begin(now),
        }
    }

    fn give_up_client(&mut self) {
        if let Some(connected) = &self.connected {
            connected.client.purge(PurgeConfig::default().queue().inflight());
            if let Err(error) = connected.client.flush(DRAIN) {
                debug!(error = %error, "reports of a purged producer are missing");
            }
        }
        self.settle();
        self.connected = None;
    }

    fn end(&mut self) {
        self.give_up_client();
        for lane in &self.lanes {
            // Nobody takes what is still in memory: where there is a disk it goes there.
            lane.source.hurry(Duration::ZERO);
            let connector = lane.source.health.name();
            match lane.source.close() {
                (0, _) => {}
                (left, true) => info!(connector, left, "stopped, the spool keeps what is left"),
                (left, false) => {
                    error!(connector, left, "stopped before kafka acknowledged all records");
                }
            }
        }
    }
}
