//! A consumer group's offsets, read and moved from outside of it.

use std::error::Error;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::Callbacks;
use super::properties;

/// How long Kafka may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a question may take that is asked for the sake of a greeting.
const GREETING: Duration = Duration::from_millis(500);
/// How long after it was refused a commit is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// A topic, a partition, and the next offset that the group reads.
pub(crate) type Place = (String, i32, i64);

/// What a group has committed of these topics.
pub(crate) fn committed(
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    group_id: &str,
    topics: &[String],
) -> Result<Vec<Place>, String> {
    let consumer = consumer(properties, oauth, group_id)?;
    let mut list = TopicPartitionList::new();
    for topic in topics {
        for partition in partitions(&consumer, topic)? {
            list.add_partition(topic, partition);
        }
    }
    let committed =
        consumer.committed_offsets(list, PATIENCE).map_err(|error| error.to_string())?;
    let places = committed.elements().into_iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => Some((element.topic().to_owned(), element.partition(), offset)),
        _ => None,
    });
    // The list must not outlive the consumer.
    let places = places.collect();
    drop(committed);
    Ok(places)
}

/// Has a group without members read on from these offsets.
pub(crate) fn commit(
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    group_id: &str,
    places: &[Place],
) -> Result<(), String> {
    let consumer = consumer(properties, oauth, group_id)?;
    let mut list = TopicPartitionList::new();
    for (topic, partition, offset) in places {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|error| error.to_string())?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match consumer.commit(&list, CommitMode::Sync) {
            Ok(()) => return Ok(()),
            // Members that have left are members until Kafka has noticed.
            Err(error) if has_members(&error) && Instant::now() < deadline => {
                std::thread::sleep(AGAIN);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn has_members(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
        )
    })
}

/// The lowest offsets of these topics' partitions.
pub(crate) fn beginnings(
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    topics: &[String],
) -> Result<Vec<Place>, String> {
    let consumer = consumer(properties, oauth, "midge")?;
    let mut places = Vec::new();
    for topic in topics {
        for partition in partitions(&consumer, topic)? {
            let marks = consumer.fetch_watermarks(topic, partition, PATIENCE);
            let (low, _) = marks.map_err(|error| error.to_string())?;
            places.push((topic.clone(), partition, low));
        }
    }
    Ok(places)
}

/// The id of the cluster.
pub(crate) fn cluster_id(properties: &ClientProperties, oauth: Option<&Oauth>) -> Option<String> {
    let consumer = consumer(properties, oauth, "midge").ok()?;
    // Asked for metadata, a client learns the id.
    consumer.fetch_metadata(None, GREETING).ok()?;
    consumer.client().fetch_cluster_id(GREETING)
}

fn partitions(consumer: &BaseConsumer<Context>, topic: &str) -> Result<Vec<i32>, String> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE);
    let metadata = metadata.map_err(|error| error.to_string())?;
    let topics = metadata.topics().iter().flat_map(|topic| topic.partitions());
    Ok(topics.map(|partition| partition.id()).collect())
}

/// A consumer that reads nothing.
fn consumer(
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    group_id: &str,
) -> Result<BaseConsumer<Context>, String> {
    let config = properties::consumer("offsets", properties, group_id, "earliest");
    let context = Context(Callbacks::new("offsets", oauth)?);
    config.create_with_context(context).map_err(|error| properties::explain(&error, properties))
}

struct Context(Callbacks);

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.token()
    }
}

impl ConsumerContext for Context {}
