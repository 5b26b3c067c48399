//! A sink connector: its rule and the records under way, shared by the consumer and the shards.
//!
//! Records under way are bounded by the connector's limit: the consumer takes no more until some
//! have come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use midge_codec::{QoS, ReasonCode};
use midge_core::{Client, Inject, Operation, Ticket};
use midge_rules::{Publish, SinkRule};
use midge_store::Submitter;

use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::marks::Marks;
use crate::offsets::Offsets;
use crate::settings::SinkPlan;
use crate::storage::transaction;

pub(crate) struct Sink {
    /// Tells its tickets from those of other sinks.
    pub(crate) owner: u32,
    pub(crate) rule: SinkRule,
    pub(crate) plan: SinkPlan,
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) health: Health,
    pub(crate) host: Arc<dyn Host>,
    offsets: Mutex<Offsets>,
    fewer: Condvar,
    paused: AtomicBool,
    marks: Option<Mutex<Marking>>,
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
        rule: SinkRule,
        plan: SinkPlan,
        client: Option<Arc<Client>>,
        health: Health,
        host: Arc<dyn Host>,
        marking: Option<Marking>,
    ) -> Sink {
        Sink {
            owner,
            rule,
            plan,
            client,
            health,
            host,
            offsets: Mutex::default(),
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
        let marks = self.marks.as_ref()?;
        Some(marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a record has been delivered here before Kafka was told.
    pub(crate) fn was_delivered(&self, topic: &str, partition: i32, offset: i64) -> bool {
        let Some(mut marking) = self.marking() else { return false };
        if self.offsets().is_new(topic, partition) {
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

    /// The mark that a record's message is to be stored with. What is published with QoS 0 waits for
    /// no disk and has none.
    pub(crate) fn mark(&self, topic: &str, partition: i32, offset: i64, qos: QoS) -> Option<Bytes> {
        let marking = self.marking().filter(|_| qos > QoS::AtMostOnce)?;
        marking.marks.key(topic, partition, offset)
    }

    pub(crate) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a publish to the host; its record is under way until [`Sink::injected`].
    pub(crate) fn inject(&self, ticket: u64, publish: Publish, mark: Option<Bytes>) {
        self.host.inject(Box::new(Inject {
            ticket: Some(Ticket { owner: self.owner, number: ticket }),
            client: self.client.clone(),
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
            trail: publish.trail,
            mark,
        }));
    }

    /// A publish has been routed, or refused for good: either way its record is done with.
    pub(crate) fn injected(&self, ticket: u64, reason: ReasonCode) {
        if reason.is_error() {
            self.health.refused(&"a record", &format_args!("its publish was refused: {reason}"));
        }
        // Before its offset may be committed: what a commit passes has to be known by then.
        let marking = self.marking().filter(|_| reason == ReasonCode::Success);
        let done = self.offsets().done(ticket);
        if let (Some(mut marking), Some(taken)) = (marking, &done) {
            marking.marks.insert(&taken.topic, taken.partition, taken.offset);
        }
        self.fewer.notify_all();
        if let Some(taken) = done.filter(|_| !reason.is_error()) {
            self.health.went(1, taken.bytes as u64);
        }
    }

    /// Waits until `enough` holds of the records under way; `false` when `deadline` came first.
    pub(crate) fn wait(&self, deadline: Instant, enough: impl Fn(&Offsets) -> bool) -> bool {
        let mut offsets = self.offsets();
        while !enough(&offsets) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            offsets =
                self.fewer.wait_timeout(offsets, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(crate) fn status(&self) -> ConnectorStatus {
        self.health.status(self.offsets().under_way(), 0, false)
    }
}
