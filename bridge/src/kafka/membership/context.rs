//! What librdkafka calls back with for a member: written down, for the thread that polls to act on.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::debug;

use crate::kafka::context::Callbacks;

/// What has happened.
pub(super) enum Event {
    /// These partitions are the member's; they have to be assigned.
    Assigned(Vec<i32>),
    /// These have to be given back, or have been taken away already.
    Revoked(Vec<i32>, bool),
}

pub(super) struct Context {
    callbacks: Arc<Callbacks>,
    events: Mutex<Vec<Event>>,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn new(callbacks: Arc<Callbacks>) -> Context {
        Context { callbacks, events: Mutex::default(), closing: AtomicBool::new(false) }
    }

    /// What has happened since.
    pub(super) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on partitions are given back at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn add(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Renewals that meet a rebalance fail; whether enough of them do not, the lease tells.
        let level = if facility == "COMMITFAIL" { RDKafkaLogLevel::Debug } else { level };
        self.callbacks.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.callbacks.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.callbacks.token()
    }
}

impl ConsumerContext for Context {
    /// Assigning and giving back is done by the thread that polls, in its own time; librdkafka waits
    /// for it and keeps the member alive meanwhile.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Context>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let given = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let done = match given {
                true => consumer.incremental_assign(list),
                false => consumer.incremental_unassign(list),
            };
            if let Err(error) = done {
                debug!(%error, "partitions were not given back");
            }
        } else if given {
            self.add(Event::Assigned(partitions));
        } else {
            self.add(Event::Revoked(partitions, consumer.assignment_lost()));
        }
    }
}
