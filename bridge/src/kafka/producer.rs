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

use super::context::Callbacks;
use super::events::Events;
use super::properties;
use super::slots::Slots;
use super::thread::{Stop, Worker};
use super::verdict::{self, Verdict};
use crate::host::Host;
use crate::log::Sequence;
use crate::observer::Observer;
use crate::source::{Source, Waiting};

mod context;
mod lane;
mod pulse;
mod send;

use context::Context;
use lane::Lane;
use pulse::Backoff;
pub(super) use pulse::{PROBE, Pulse};
use send::{Unsent, observe, send};

/// Entries taken from one log before the others have their turn.
const TURN: usize = 128;
/// How long the reports of a broken producer are waited for.
const DRAIN: Duration = Duration::from_secs(1);

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
                backoff: Backoff::default(),
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
    /// Why the producer cannot go on.
    broken: Option<String>,
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
                    self.broken = Some(why);
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

    /// Finishes what librdkafka has reported.
    fn settle(&mut self) {
        let Some(connected) = &self.connected else { return };
        let reports = connected.client.context().take_reports();
        if reports.is_empty() {
            return;
        }
        let mut reports = reports
            .into_iter()
            .filter_map(|report| Some((self.slots.remove(report.place)?, report)))
            .peekable();
        let now = Instant::now();
        let mut reached = false;
        while let Some(((lane_index, _), _)) = reports.peek() {
            let lane_index = *lane_index;
            let lane = &mut self.lanes[lane_index];
            let (mut count, mut bytes) = (0, 0);
            let source = Arc::clone(&lane.source);
            let mut log = source.log();
            while let Some(((_, sequence), report)) =
                reports.next_if(|((index, _), _)| *index == lane_index)
            {
                lane.in_flight -= 1;
                let reason = match report.result {
                    Ok(_) => ReasonCode::Success,
                    Err(code) => match verdict::of_record(code) {
                        Verdict::Refused(reason) => reason,
                        Verdict::NoTopic => match lane.no_topic(now) {
                            Some(reason) => reason,
                            None => continue,
                        },
                        Verdict::Again => {
                            self.broken.get_or_insert_with(|| code.to_string());
                            continue;
                        }
                    },
                };
                let Some(waiting) = log.finish(sequence) else { continue };
                let duty = waiting.duty.map(|(shard, duty)| (shard, duty, reason));
                self.duties.extend(duty);
                match report.result {
                    Ok((partition, offset)) => {
                        count += 1;
                        bytes += waiting.message.payload.len() as u64;
                        if let Some(observer) = &self.observer {
                            observe(observer, &source, &waiting, partition, offset);
                        }
                    }
                    Err(code) => source.health.refused(&waiting.message.topic, &code),
                }
            }
            source.press(&mut log);
            drop(log);
            if count > 0 {
                reached = true;
                source.health.went(count, bytes);
            }
        }
        if reached {
            self.backoff.reset();
            self.pulse.beat(now);
            self.lanes.iter().for_each(|lane| lane.source.health.back());
        }
    }

    /// Looks at what librdkafka complains of and at the clock.
    fn judge(&mut self, now: Instant) {
        let errors = self.callbacks.take_errors();
        if let (false, Some(connected)) = (errors.is_empty(), &self.connected) {
            let fatal = connected.client.client().fatal_error();
            if let Some((_, why)) = fatal {
                self.broken = Some(why);
                return;
            }
        }
        for (code, why) in errors {
            debug!(error = %why, "librdkafka");
            if verdict::is_away(code) {
                self.pulse.doubt(now, code, why);
            } else {
                self.lanes.iter().for_each(|lane| lane.source.health.trouble(&why));
            }
        }
        let busy = self.lanes.iter().any(|lane| lane.in_flight > 0);
        if self.pulse.wants_probe(now, busy)
            && let Some(connected) = &self.connected
        {
            let answer = connected.client.client().fetch_metadata(None, PROBE);
            if answer.is_ok() {
                self.pulse.beat(now);
                self.lanes.iter().for_each(|lane| lane.source.health.back());
            }
        }
        if let Some(why) = self.pulse.lost(now, busy) {
            self.lanes.iter().for_each(|lane| lane.source.health.away(&why));
        }
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

    /// Gives the producer up and takes everything unfinished again, after a while.
    fn disconnect(&mut self, now: Instant) {
        let why = self.broken.take().unwrap_or_default();
        self.lanes.iter().for_each(|lane| lane.source.health.away(&why));
        self.give_up_client();
        // What the old client has said while it was purged is no reason to give up the next one.
        self.broken = None;
        self.callbacks.take_errors();
        self.slots.clear();
        for lane in &mut self.lanes {
            lane.in_flight = 0;
            lane.rests = None;
            lane.source.log().rewind();
        }
        self.backoff.begin(now);
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
