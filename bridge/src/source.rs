//! A source connector: its rule, its tap and its ordered log, shared by shards and producer.
//!
//! The log's lock is held for pushes and for batches of takes and finishes, never while a record is
//! made or sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use midge_codec::{ReasonCode, Text};
use midge_core::{DutyId, Message, Offer, ShardId, Tap, TapId};
use midge_rules::SourceRule;

use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::log::Log;

pub(crate) struct Source {
    pub(crate) rule: SourceRule,
    pub(crate) tap: Tap,
    pub(crate) health: Health,
    log: Mutex<Log<Waiting>>,
    host: Arc<dyn Host>,
}

/// A message that waits for Kafka.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) message: Arc<Message>,
    pub(crate) duty: Option<(ShardId, DutyId)>,
}

/// What keeps a message out of the log.
const LOG_FULL: &str = "the log is far beyond its limits, since kafka is slow or away";

impl Source {
    pub(crate) fn new(
        rule: SourceRule,
        tap: Tap,
        health: Health,
        (messages, bytes): (usize, usize),
        host: Arc<dyn Host>,
    ) -> Source {
        Source { rule, tap, health, log: Mutex::new(Log::new(messages, bytes)), host }
    }

    pub(crate) fn id(&self) -> TapId {
        self.tap.id
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log<Waiting>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends messages of one shard in their order; refused duties go to `refused`.
    pub(crate) fn push(
        &self,
        shard: ShardId,
        offers: impl Iterator<Item = Offer>,
        refused: &mut Vec<(ShardId, DutyId, ReasonCode)>,
    ) {
        let mut came = 0;
        let mut log = self.log();
        for offer in offers {
            came += 1;
            let bytes = offer.message.bytes();
            let duty = offer.duty.map(|duty| (shard, duty));
            if let Err(rejected) = log.push(Waiting { message: offer.message, duty }, bytes) {
                self.health.refused(&rejected.message.topic, &LOG_FULL);
                refused.extend(
                    rejected.duty.map(|(shard, duty)| (shard, duty, ReasonCode::QuotaExceeded)),
                );
            }
        }
        self.press(&mut log);
        drop(log);
        self.health.came(came);
    }

    /// Tells the host when back-pressure changes; under the lock, so that the calls keep order.
    pub(crate) fn press(&self, log: &mut Log<Waiting>) {
        self.health.depth(log.open());
        if let Some(full) = log.pressure() {
            self.host.tap_full(self.id(), full);
        }
    }

    pub(crate) fn status(&self) -> ConnectorStatus {
        let log = self.log();
        self.health.status(log.open(), log.bytes())
    }
}

impl Waiting {
    /// The message as a rule sees it.
    pub(crate) fn view(&self) -> midge_rules::Message<'_> {
        midge_rules::Message {
            topic: &self.message.topic,
            client_id: self.message.origin.client_id().map(Text::as_str),
            username: self.message.origin.username().map(Text::as_str),
            qos: self.message.qos,
            retain: self.message.retain,
            properties: self.message.properties.as_deref(),
            trail: &self.message.trail,
        }
    }
}
