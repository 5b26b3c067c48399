//! A sink connector: its rule and the records under way, shared by the consumer and the shards.
//!
//! Records under way are bounded by the connector's limit: the consumer takes no more until some
//! have come back.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use midge_codec::ReasonCode;
use midge_core::{Client, Inject, Ticket};
use midge_rules::{Publish, SinkRule};

use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::offsets::Offsets;
use crate::settings::SinkPlan;

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
}

impl Sink {
    pub(crate) fn new(
        owner: u32,
        rule: SinkRule,
        plan: SinkPlan,
        client: Option<Arc<Client>>,
        health: Health,
        host: Arc<dyn Host>,
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
        }
    }

    pub(crate) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a publish to the host; its record is under way until [`Sink::injected`].
    pub(crate) fn inject(&self, ticket: u64, publish: Publish) {
        self.host.inject(Box::new(Inject {
            ticket: Some(Ticket { owner: self.owner, number: ticket }),
            client: self.client.clone(),
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
            trail: publish.trail,
        }));
    }

    /// A publish has been routed, or refused for good: either way its record is done with.
    pub(crate) fn injected(&self, ticket: u64, reason: ReasonCode) {
        let done = self.offsets().done(ticket);
        self.fewer.notify_all();
        if reason.is_error() {
            self.health.refused(&"a record", &format_args!("its publish was refused: {reason}"));
        } else if let Some(bytes) = done {
            self.health.went(1, bytes as u64);
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
        self.health.status(self.offsets().under_way(), 0)
    }
}
