//! A sink connector: its delivery and the records under way, shared by the consumer and those who
//! take what goes out.
//!
//! Records under way are bounded by the connector's limit: the consumer takes no more until some
//! have come back. Both directions go in batches: what has been read waits in the outbox until
//! [`Sink::flush`], and what is answered until somebody looks at the offsets. A record that is not
//! taken is passed over, waits to be tried again or ends its task, as its policy says.

mod outcomes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_codec::{QoS, ReasonCode};
use midge_core::{Client, Inject, Operation, Ticket};
use midge_rules::Publish;
use midge_store::Submitter;

use crate::connect::plan::ErrorPolicy;
use crate::delivery::{Delivery, Outgoing};
use crate::error_handling::put_trace;
use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::influx::Writer;
use crate::marks::Marks;
use crate::offsets::{Offsets, Taken};
use crate::settings::SinkPlan;
use crate::storage::transaction;

pub(crate) use outcomes::{Outcome, Outcomes};

/// Where what a sink makes goes.
pub(crate) enum Target {
    /// To an MQTT broker, as this client, or as the operator.
    Broker { host: Arc<dyn Host>, client: Option<Arc<Client>> },
    /// To an InfluxDB.
    Influx(Writer),
}

pub(crate) struct Sink {
    /// Tells its tickets from those of other sinks.
    pub(crate) owner: u32,
    pub(crate) delivery: Delivery,
    pub(crate) plan: SinkPlan,
    pub(crate) health: Health,
    target: Target,
    outbox: Mutex<Vec<Read>>,
    /// Locked before `marks`.
    offsets: Mutex<Offsets>,
    outcomes: Arc<Outcomes>,
    paused: AtomicBool,
    marks: Option<Mutex<Marking>>,
}

/// A record that has been read, and what it becomes.
struct Read {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    outgoing: Outgoing,
}

/// The marks of a sink with a store.
pub(crate) struct Marking {
    pub(crate) marks: Marks,
    pub(crate) submitter: Submitter,
}

impl Marking {
    fn forget(&mut self, operations: Vec<Operation>) {
        if !operations.is_empty() {
            self.submitter.submit(vec![transaction(operations)]);
        }
    }
}

impl Sink {
    pub(crate) fn new(
        owner: u32,
        delivery: Delivery,
        plan: SinkPlan,
        health: Health,
        (target, outcomes): (Target, Arc<Outcomes>),
        marking: Option<Marking>,
    ) -> Sink {
        Sink {
            owner,
            delivery,
            plan,
            health,
            target,
            outbox: Mutex::default(),
            offsets: Mutex::default(),
            outcomes,
            paused: AtomicBool::new(false),
            marks: marking.map(Mutex::new),
        }
    }

    /// The marks, for a sink of the same name that comes later. Nothing is under way any more.
    pub(crate) fn take_marks(&self) -> Option<Marks> {
        Some(self.marking()?.marks.take())
    }

    /// The broker that it publishes to, unless it writes to a database.
    pub(crate) fn host(&self) -> Option<&Arc<dyn Host>> {
        match &self.target {
            Target::Broker { host, .. } => Some(host),
            Target::Influx(_) => None,
        }
    }

    /// Takes no more records, or goes on.
    pub(crate) fn pause(&self, pause: bool) {
        self.paused.store(pause, Ordering::Relaxed);
    }

    /// Whether no more records are to be taken.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    fn marking(&self) -> Option<MutexGuard<'_, Marking>> {
        self.marks.as_ref().map(lock)
    }

    /// Whether a record has been delivered here before Kafka was told.
    pub(crate) fn was_delivered(&self, topic: &str, partition: i32, offset: i64) -> bool {
        if self.marks.is_none() {
            return false;
        }
        let begins = self.offsets().begins(topic, partition, offset);
        let Some(mut marking) = self.marking() else { return false };
        if begins {
            // An assignment begins: Kafka has been told of all below.
            let passed = marking.marks.passed(topic, partition, offset);
            marking.forget(passed);
        }
        marking.marks.contains(topic, partition, offset)
    }

    /// Kafka has been told what is done with.
    pub(crate) fn told(&self, topic: &str, partition: i32, offset: i64) {
        self.offsets().told(topic, partition, offset);
        if let Some(mut marking) = self.marking() {
            let passed = marking.marks.passed(topic, partition, offset);
            marking.forget(passed);
        }
    }

    /// The offsets, with all that has been answered.
    pub(crate) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        let mut offsets = lock(&self.offsets);
        let outcomes = self.outcomes.take();
        if !outcomes.is_empty() {
            self.settle(&mut offsets, outcomes);
        }
        offsets
    }

    /// Records are done with that have been taken where they went; the others go by the policy.
    fn settle(&self, offsets: &mut Offsets, outcomes: Vec<(u64, Outcome)>) {
        // Before their offsets may be committed: what a commit passes has to be known by then.
        let mut marking = self.marking();
        let (mut count, mut bytes) = (0, 0);
        for (ticket, outcome) in outcomes {
            let (reason, refused) = match outcome {
                Outcome::Answered(reason) if reason.is_error() => {
                    (reason, Some(Arc::from(format!("its publish was refused: {reason}"))))
                }
                Outcome::Answered(reason) => (reason, None),
                Outcome::Refused(why) => (ReasonCode::UnspecifiedError, Some(why)),
            };
            let Some(taken) = offsets.done(ticket, refused) else { continue };
            if let Some(why) = &taken.refused {
                self.refused(offsets, &taken, why);
                continue;
            }
            if let (Some(marking), ReasonCode::Success, 1) = (&mut marking, reason, taken.count) {
                marking.marks.insert(&taken.topic, taken.partition, taken.offset);
            }
            count += 1;
            bytes += taken.bytes as u64;
        }
        if count > 0 {
            self.health.went(count, bytes);
        }
    }

    /// A record was not taken.
    fn refused(&self, offsets: &mut Offsets, taken: &Taken, why: &str) {
        let Taken { topic, partition, offset, .. } = taken;
        let of = format_args!("{topic}[{partition}]@{offset}");
        let policy = match &self.delivery {
            Delivery::Rule(_) => None,
            Delivery::Pipeline(piped) => Some((piped.policy, &piped.errors)),
        };
        let Some((policy, errors)) = policy.filter(|(policy, _)| *policy != ErrorPolicy::Noop)
        else {
            offsets.give_up(topic, *partition, *offset);
            return self.health.refused(&of, &why);
        };
        // Whatever comes now, a commit does not pass it.
        let times = offsets.put_back(topic, *partition, *offset);
        let trace = match policy {
            ErrorPolicy::Retry { max, .. } if times <= max => {
                return self.health.retrying(&of, why);
            }
            ErrorPolicy::Retry { max, .. } => {
                put_trace(&format!("RETRY, {max} retries are exhausted"), &of.to_string(), why)
            }
            ErrorPolicy::Throw | ErrorPolicy::Noop => put_trace("THROW", &of.to_string(), why),
        };
        errors.fail(&trace);
    }

    /// How long after they were not taken records are tried again, if they are.
    pub(crate) fn retry_interval(&self) -> Option<Duration> {
        match &self.delivery {
            Delivery::Pipeline(piped) if !piped.errors.has_failed() => match piped.policy {
                ErrorPolicy::Retry { interval, .. } => Some(interval),
                ErrorPolicy::Throw | ErrorPolicy::Noop => None,
            },
            _ => None,
        }
    }

    /// A record has been read; with the next flush what it has become goes out, or it is done with
    /// if that is nothing.
    pub(crate) fn read(&self, topic: &str, partition: i32, offset: i64, outgoing: Outgoing) {
        let mut outbox = lock(&self.outbox);
        let topic = match outbox.last() {
            Some(last) if *last.topic == *topic => Arc::clone(&last.topic),
            _ => Arc::from(topic),
        };
        outbox.push(Read { topic, partition, offset, outgoing });
    }

    /// Hands what has been read to the target; these records are under way until their outcomes have
    /// come.
    pub(crate) fn flush(&self) {
        let read = std::mem::take(&mut *lock(&self.outbox));
        if read.is_empty() {
            return;
        }
        if let Some(usage) = self.health.usage() {
            for of_topic in read.chunk_by(|one, next| one.topic == next.topic) {
                usage.passed(&of_topic[0].topic, of_topic.len() as u64);
            }
        }
        let mut injects = Vec::with_capacity(read.len());
        let mut points = Vec::new();
        let mut offsets = self.offsets();
        let marking = self.marking();
        for Read { topic, partition, offset, outgoing } in read {
            let (one, more) = match outgoing {
                Outgoing::None => {
                    offsets.passed(&topic, partition, offset);
                    continue;
                }
                Outgoing::Points(lines) => {
                    let bytes = lines.iter().map(String::len).sum();
                    let count = lines.len() as u32;
                    let ticket = offsets.taken(&topic, partition, offset, bytes, count);
                    points.extend(lines.into_iter().map(|line| (ticket, line)));
                    continue;
                }
                Outgoing::One(publish) => (publish, Vec::new()),
                Outgoing::Several(first, more) => (first, more),
            };
            // What is published with QoS 0 waits for no disk and has no mark; of several publishes
            // none may say that the others have been delivered.
            let marks = marking.as_ref().filter(|_| one.qos > QoS::AtMostOnce && more.is_empty());
            let mark = marks.and_then(|marking| marking.marks.key(&topic, partition, offset));
            let bytes = one.payload.len() + more.iter().map(|p| p.payload.len()).sum::<usize>();
            let count = more.len() as u32 + 1;
            let ticket = offsets.taken(&topic, partition, offset, bytes, count);
            injects.push(Box::new(self.inject(ticket, one, mark)));
            injects.extend(more.into_iter().map(|more| Box::new(self.inject(ticket, more, None))));
        }
        drop((offsets, marking));
        match &self.target {
            Target::Broker { host, .. } if !injects.is_empty() => host.inject(&mut injects),
            Target::Influx(writer) if !points.is_empty() => {
                if let Err(points) = writer.write(points) {
                    let refused = Outcome::Refused(Arc::from("the thread of InfluxDB has ended"));
                    let all = points.into_iter().map(|(ticket, _)| (ticket, refused.clone()));
                    self.outcomes.came(all);
                }
            }
            _ => {}
        }
    }

    fn inject(&self, ticket: u64, publish: Publish, mark: Option<Bytes>) -> Inject {
        let client = match &self.target {
            Target::Broker { client, .. } => client.clone(),
            Target::Influx(_) => None,
        };
        Inject {
            ticket: Some(Ticket { owner: self.owner, number: ticket }),
            client,
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
            trail: publish.trail,
            mark,
        }
    }

    /// A publish has been routed or refused.
    pub(crate) fn injected(&self, ticket: u64, reason: ReasonCode) {
        self.outcomes.came([(ticket, Outcome::Answered(reason))]);
    }

    /// Waits until `enough` holds of the records under way, and looks whenever `wanted` of them have
    /// come back; `false` when `deadline` came first.
    pub(crate) fn wait(
        &self,
        deadline: Instant,
        wanted: usize,
        enough: impl Fn(&Offsets) -> bool,
    ) -> bool {
        while !enough(&self.offsets()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.outcomes.wait(wanted, left);
        }
        true
    }

    pub(crate) fn status(&self) -> ConnectorStatus {
        self.health.status(self.offsets().under_way(), 0, false)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
