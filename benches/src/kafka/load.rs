//! A topic full of records, which become visible all at once.
//!
//! They are one transaction, and consumers read what is committed: so nothing is read before those
//! who want it are there.

use std::io;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};

use super::{Compose, Feed, QUEUE_MESSAGES, Topic};
use crate::link::PATIENCE;

/// How long writing all of them may take.
const LONGEST: Duration = Duration::from_secs(60);

/// A topic with records that nobody can read yet.
pub(crate) struct Loaded {
    pub(crate) topic: Topic,
    producer: BaseProducer,
    /// Records of each publisher.
    pub(crate) sent: Vec<u64>,
}

impl Loaded {
    /// Makes a topic with `records` of as many publishers as there are pairs.
    pub(crate) fn create(
        address: &str,
        name: &str,
        records: u64,
        compose: Compose,
    ) -> io::Result<Self> {
        let topic = Topic::create(address, name)?;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("queue.buffering.max.messages", QUEUE_MESSAGES.to_string())
            .set("partitioner", "murmur2_random")
            .set("transactional.id", name)
            .create()
            .map_err(io::Error::other)?;
        producer.init_transactions(PATIENCE).map_err(io::Error::other)?;
        producer.begin_transaction().map_err(io::Error::other)?;
        let mut feed = Feed::new(compose);
        let until = Instant::now() + LONGEST;
        while feed.total < records {
            feed.fill(&producer, &topic, records - feed.total)?;
            producer.poll(Duration::from_millis(1));
            if Instant::now() > until {
                let total = feed.total;
                return Err(io::Error::other(format!("Kafka took {total} of {records} records")));
            }
        }
        producer.flush(LONGEST).map_err(io::Error::other)?;
        Ok(Self { topic, producer, sent: feed.sent })
    }

    /// Makes them visible.
    pub(crate) fn show(&self) -> io::Result<()> {
        self.producer.commit_transaction(PATIENCE).map_err(io::Error::other)
    }
}
