//! A sink connector: its delivery and the records under way, shared by the consumer and the shards.
//!
//! Records under way are bounded by the connector's limit: the consumer takes no more until some
//! have come back. Both directions go in batches: what has been read waits in the outbox until
//! [`Sink::flush`], and what the shards answer until somebody looks at the offsets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use midge_codec::{QoS, ReasonCode};
use midge_core::{Client, Inject, Operation, Ticket};
use midge_rules::Publish;
use midge_store::Submitter;

use crate::delivery::{Delivery, Publishes};
use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::marks::Marks;
use crate::offsets::Offsets;
use crate::settings::SinkPlan;
use crate::storage::transaction;

pub(crate) struct Sink {
    /// Tells its tickets from those of other sinks.
    pub(crate) owner: u32,
    pub(crate) delivery: Delivery,
    pub(crate) plan: SinkPlan,
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) health: Health,
    pub(crate) host: Arc<dyn Host>,
    outbox: Mutex<Vec<Read>>,
    /// Locked before `returned` and `marks`.
    offsets: Mutex<Offsets>,
    returned: Mutex<Returned>,
    fewer: Condvar,
    paused: AtomicBool,
    marks: Option<Mutex<Marking>>,
}

/// A record that has been read, and what it becomes.
struct Read {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    publishes: Publishes,
}

/// What the shards have answered, as long as the offsets do not know of it.
#[derive(Default)]
struct Returned {
    outcomes: Vec<(u64, ReasonCode)>,
    /// With how many of them the consumer's thread is to be woken, while it waits.
    wanted: Option<usize>,
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
        client: Option<Arc<Client>>,
        health: Health,
        host: Arc<dyn Host>,
        marking: Option<Marking>,
    ) -> Sink {
        Sink {
            owner,
            delivery,
            plan,
            client,
            health,
            host,
            outbox: Mutex::default(),
            offsets: Mutex::default(),
            returned: Mutex::default(),
            fewer: Condvar::new(),
            paused: AtomicBool::new(false),
            marks: marking.map(Mutex::new),
        }
    }

    /// The marks, for a sink of the same name that comes later. Nothing is under way any more.
    pub(crate) fn take_marks(&self) -> Option<Marks> {
        Some(self.marking()?.marks.take())
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

    /// The offsets, with all that the shards have answered.
    pub(crate) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        let mut offsets = lock(&self.offsets);
        let outcomes = std::mem::take(&mut lock(&self.returned).outcomes);
        if !outcomes.is_empty() {
            self.settle(&mut offsets, outcomes);
        }
        offsets
    }

    /// Records are done with, whose publishes have been routed or refused for good.
    fn settle(&self, offsets: &mut Offsets, outcomes: Vec<(u64, ReasonCode)>) {
        // Before their offsets may be committed: what a commit passes has to be known by then.
        let mut marking = self.marking();
        let (mut count, mut bytes) = (0, 0);
        for (ticket, reason) in outcomes {
            if reason.is_error() {
                let why = format_args!("its publish was refused: {reason}");
                self.health.refused(&"a record", &why);
            }
            let Some(taken) = offsets.done(ticket) else { continue };
            if let (Some(marking), ReasonCode::Success, 1) = (&mut marking, reason, taken.count) {
                marking.marks.insert(&taken.topic, taken.partition, taken.offset);
            }
            if !reason.is_error() {
                count += 1;
                bytes += taken.bytes as u64;
            }
        }
        if count > 0 {
            self.health.went(count, bytes);
        }
    }

    /// A record has been read; with the next flush its publishes go to shards, or it is done with
    /// if there are none.
    pub(crate) fn read(&self, topic: &str, partition: i32, offset: i64, publishes: Publishes) {
        let mut outbox = lock(&self.outbox);
        let topic = match outbox.last() {
            Some(last) if *last.topic == *topic => Arc::clone(&last.topic),
            _ => Arc::from(topic),
        };
        outbox.push(Read { topic, partition, offset, publishes });
    }

    /// Hands what has been read to the host; these records are under way until
    /// [`Sink::injected`].
    pub(crate) fn flush(&self) {
        let read = std::mem::take(&mut *lock(&self.outbox));
        if read.is_empty() {
            return;
        }
        let mut injects = Vec::with_capacity(read.len());
        let mut offsets = self.offsets();
        let marking = self.marking();
        for Read { topic, partition, offset, publishes } in read {
            let (one, more) = match publishes {
                Publishes::None => {
                    offsets.passed(&topic, partition, offset);
                    continue;
                }
                Publishes::One(publish) => (publish, Vec::new()),
                Publishes::Several(first, more) => (first, more),
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
        if !injects.is_empty() {
            self.host.inject(&mut injects);
        }
    }

    fn inject(&self, ticket: u64, publish: Publish, mark: Option<Bytes>) -> Inject {
        Inject {
            ticket: Some(Ticket { owner: self.owner, number: ticket }),
            client: self.client.clone(),
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
            trail: publish.trail,
            mark,
        }
    }

    /// A publish has been routed, or refused for good: either way its record is done with.
    pub(crate) fn injected(&self, ticket: u64, reason: ReasonCode) {
        let mut returned = lock(&self.returned);
        returned.outcomes.push((ticket, reason));
        let came = returned.outcomes.len();
        // One call of the system a wait, not one a record.
        if returned.wanted.take_if(|wanted| came >= *wanted).is_some() {
            drop(returned);
            self.fewer.notify_all();
        }
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
            let mut returned = lock(&self.returned);
            if returned.outcomes.len() < wanted {
                returned.wanted = Some(wanted);
                let waited = self.fewer.wait_timeout(returned, left);
                waited.unwrap_or_else(PoisonError::into_inner).0.wanted = None;
            }
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
