//! The partitions that a consumer has: what may be committed of them, and whether they are fetched.
//!
//! Invariant: no list of them outlives the call it is for, since librdkafka waits for it when the
//! consumer goes.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::context::Context;
use crate::sink::Sink;

/// What may be committed of some partitions.
pub(super) fn committable(sink: &Sink, of: impl Fn(&str, i32) -> bool) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition, offset) in sink.offsets().committable() {
        if of(&topic, partition) {
            // The only error is a partition listed twice.
            let _ = list.add_partition_offset(&topic, partition, Offset::Offset(offset));
        }
    }
    list
}

pub(super) fn pause(consumer: &BaseConsumer<Context>) {
    if let Ok(assigned) = consumer.assignment()
        && let Err(error) = consumer.pause(&assigned)
    {
        debug!(error = %error, "partitions were not paused");
    }
}

pub(super) fn resume(consumer: &BaseConsumer<Context>) {
    if let Ok(assigned) = consumer.assignment()
        && let Err(error) = consumer.resume(&assigned)
    {
        debug!(error = %error, "partitions were not resumed");
    }
}
