//! What librdkafka calls back with for a consumer, always from within a poll.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, info};

use super::assigned::committable;
use crate::kafka::context::Callbacks;
use crate::sink::Sink;

/// How long records under way may hold up a rebalance; those that take longer come again.
const LAST_WAIT: Duration = Duration::from_millis(500);

pub(super) struct Context {
    callbacks: Arc<Callbacks>,
    sink: Arc<Sink>,
}

impl Context {
    pub(super) fn new(callbacks: Arc<Callbacks>, sink: Arc<Sink>) -> Context {
        Context { callbacks, sink }
    }

    /// Kafka has been told these offsets.
    fn told(&self, committed: &TopicPartitionList) {
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset() {
                self.sink.told(element.topic(), element.partition(), offset);
            }
        }
    }

    /// Partitions go to somebody else, who begins where our last commit says.
    fn revoked(&self, consumer: &BaseConsumer<Context>, revoked: &TopicPartitionList) {
        // Those of the batch that is being read are still ours.
        self.sink.flush();
        let elements = revoked.elements();
        self.sink.wait(Instant::now() + LAST_WAIT, 1, |offsets| {
            elements.iter().all(|e| offsets.under_way_of(e.topic(), e.partition()) == 0)
        });
        let list = committable(&self.sink, |topic, partition| {
            elements.iter().any(|e| e.topic() == topic && e.partition() == partition)
        });
        // With Kafka away, or the assignment lost already, a commit could only be waited for.
        if list.count() > 0 && !consumer.assignment_lost() && !self.sink.health.is_away() {
            match consumer.commit(&list, CommitMode::Sync) {
                Ok(()) => self.told(&list),
                Err(error) => {
                    self.sink.health.trouble(&format!("offsets were not committed: {error}"));
                }
            }
        }
        let mut offsets = self.sink.offsets();
        for element in elements {
            offsets.forget(element.topic(), element.partition());
        }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
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
    fn pre_rebalance(&self, consumer: &BaseConsumer<Context>, rebalance: &Rebalance<'_>) {
        let connector = self.sink.health.name();
        match rebalance {
            Rebalance::Assign(assigned) => {
                info!(connector, partitions = assigned.count(), "partitions assigned");
                self.sink.health.back();
            }
            Rebalance::Revoke(revoked) => {
                debug!(connector, partitions = revoked.count(), "partitions revoked");
                self.revoked(consumer, revoked);
            }
            Rebalance::Error(error) => self.sink.health.trouble(&error.to_string()),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, committed: &TopicPartitionList) {
        if let Err(error) = result {
            // Tried again with the next one, since nothing is marked as told.
            debug!(connector = self.sink.health.name(), error = %error, "a commit came back");
            return;
        }
        self.told(committed);
    }
}
