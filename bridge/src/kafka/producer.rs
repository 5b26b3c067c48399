//! A producer: the cursor on the logs of the source connectors that share it.
//!
//! One thread makes records, produces them, and settles what librdkafka reports. Every entry it has
//! taken and not finished is either inside librdkafka, known by its slot, or behind the cursor, to
//! be taken again. When the producer breaks, everything unfinished is taken again, in order, by a
//! new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_config::{ClientProperties, Oauth};
use midge_core::{DutyId, ShardId};
use midge_rules::RecordBuffer;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use tracing::{debug, error};

use super::brokers::Brokers;
use super::context::Callbacks;
use super::events::Events;
use super::properties;
use super::slots::Slots;
use super::thread::{Stop, Worker};
use crate::host::Host;
use crate::log::Sequence;
use crate::observer::Observer;
use crate::source::{Source, Waiting};

mod context;
mod lane;
mod pulse;
mod send;
mod settle;
mod watch;

use context::Context;
use lane::Lane;
use pulse::Backoff;
pub(super) use pulse::{PROBE, Pulse};
use send::{Unsent, observe, send};
use watch::Stall;

/// Entries taken from one log before the others have their turn.
const TURN: usize = 128;
/// How long the reports of a broken producer are waited for.
const DRAIN: Duration = Duration::from_secs(1);

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
        host: Arc<dyn Host>,
        observer: Option<Observer>,
    ) -> Result<Producer, String> {
        let names: Vec<&str> = sources.iter().map(|source| source.health.name()).collect();
        let config = properties::producer(names[0], properties);
        let callbacks = Arc::new(Callbacks::new(&names.join(","), oauth)?);
        let client =
            create(&config, &callbacks).map_err(|error| properties::explain(&error, properties))?;
        let window = (properties::queue_messages(&config) / sources.len()).max(1);
        let brokers = Brokers::of(&config);
        let batch_bytes = properties::batch_bytes(&config);
        let stall = Stall::new(properties::request_timeout(&config));
        let lanes = sources.into_iter().map(Lane::new).collect();
        let worker = Worker::spawn("kafka-producer".to_owned(), move |stop| {
            let mut feeder = Feeder {
                config,
                callbacks,
                host,
                observer,
                lanes,
                window,
                connected: None,
                slots: Slots::new(),
                duties: Vec::new(),
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
    host: Arc<dyn Host>,
    observer: Option<Observer>,
    lanes: Vec<Lane>,
    /// Records of one lane inside librdkafka at most, so that one dead topic leaves room for the
    /// others.
    window: usize,
    connected: Option<Connected>,
    slots: Slots<(usize, Sequence)>,
    duties: Vec<(ShardId, DutyId, ReasonCode)>,
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

/// The order matters: the queue goes before its client.
struct Connected {
    events: Events,
    client: BaseProducer<Context>,
}

impl Feeder {
    fn run(mut self, stop: &Stop) {
        let mut record = RecordBuffer::default();
        let mut batch = Vec::with_capacity(TURN);
        loop {
            self.poll();
            self.settle();
            let now = Instant::now();
            self.judge(now);
            if stop.deadline().is_none() {
                self.rescue(now);
            }
            let mut more = false;
            if self.broken.is_some() {
                self.disconnect(now);
            } else if self.connected.is_some() {
                for lane in 0..self.lanes.len() {
                    more |= self.feed(lane, &mut record, &mut batch);
                }
            } else if self.backoff.is_over(now) {
                self.reconnect(now);
                more = self.connected.is_some();
            }
            if !self.duties.is_empty() {
                self.host.duties_done(&mut self.duties);
            }
            let waiting: usize = self.lanes.iter().map(|lane| lane.source.log().open()).sum();
            if let Some(deadline) = stop.deadline()
                && (waiting == 0 || now >= deadline)
            {
                self.end();
                return;
            }
            let idle = self.connected.as_ref().is_none_or(|connected| connected.events.len() == 0);
            if idle && !more && self.broken.is_none() {
                std::thread::park_timeout(self.pulse.pause(
                    waiting > 0 || self.connected.is_none(),
                    stop.deadline().map(|deadline| deadline.saturating_duration_since(now)),
                ));
            }
        }
    }

    /// Runs the callbacks of all events that are there.
    fn poll(&self) {
        let Some(connected) = &self.connected else { return };
        for _ in 0..connected.events.len() {
            connected.client.poll(Duration::ZERO);
        }
    }

    /// Produces the next entries of one lane; whether there are more to be produced now.
    fn feed(
        &mut self,
        lane_index: usize,
        record: &mut RecordBuffer,
        batch: &mut Vec<(Sequence, Waiting)>,
    ) -> bool {
        let Some(connected) = &self.connected else { return false };
        let lane = &mut self.lanes[lane_index];
        if lane.is_resting(Instant::now()) {
            return false;
        }
        let source = Arc::clone(&lane.source);
        let room = TURN.min(self.window.saturating_sub(lane.in_flight));
        let mut log = source.log();
        while batch.len() < room {
            let Some((sequence, waiting)) = log.take() else { break };
            batch.push((sequence, waiting.clone()));
        }
        drop(log);
        let full = batch.len() == TURN;
        let mut refused = Vec::new();
        let mut stopped_at = None;
        for (sequence, waiting) in batch.drain(..) {
            let place = self.slots.insert((lane_index, sequence));
            match send(&connected.client, &source, &waiting, place, record) {
                Ok(()) => {
                    if lane.in_flight == 0 {
                        self.pulse.began(Instant::now());
                    }
                    lane.in_flight += 1;
                    continue;
                }
                Err(Unsent::Refused(why, reason)) => {
                    source.health.refused(&waiting.message.topic, &why);
                    refused.push((sequence, reason));
                }
                Err(Unsent::Full) => stopped_at = Some(sequence),
                Err(Unsent::NoTopic) => match lane.no_topic(Instant::now()) {
                    Some(reason) => {
                        let why = "kafka has no such topic";
                        source.health.refused(&waiting.message.topic, &why);
                        refused.push((sequence, reason));
                    }
                    None => stopped_at = Some(sequence),
                },
                Err(Unsent::Broken(why)) => {
                    self.broken = Some(Broken::Lost(why));
                    stopped_at = Some(sequence);
                }
            }
            self.slots.remove(place);
            if stopped_at.is_some() {
                break;
            }
        }
        if stopped_at.is_some() || !refused.is_empty() {
            let mut log = source.log();
            if let Some(sequence) = stopped_at {
                log.rewind_to(sequence);
            }
            for (sequence, reason) in refused {
                let finished = log.finish(sequence);
                let duty = finished.and_then(|waiting| waiting.duty);
                self.duties.extend(duty.map(|(shard, duty)| (shard, duty, reason)));
            }
            source.press(&mut log);
        }
        full && stopped_at.is_none()
    }

    fn connect(&mut self, client: BaseProducer<Context>) {
        let events = Events::new(client.client(), std::thread::current());
        self.connected = Some(Connected { events, client });
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
        if !self.duties.is_empty() {
            self.host.duties_done(&mut self.duties);
        }
        for lane in &self.lanes {
            let left = lane.source.log().open();
            if left > 0 {
                let connector = lane.source.health.name();
                error!(connector, left, "stopped before kafka acknowledged all records");
            }
        }
    }
}
