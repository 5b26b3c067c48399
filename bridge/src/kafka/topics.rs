//! Topics that are made, and looked at, by us.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

use super::context::{Callbacks, ClientOnly};

/// How long Kafka may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after it was made a topic may need to be seen.
const APPEARS_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A topic whose last record of each key counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompactedTopic {
    /// Its name.
    pub(crate) name: String,
    /// With how many partitions it is made; -1 is as many as Kafka likes.
    pub(crate) partitions: i32,
    /// With how many replicas; -1 is as many as Kafka likes.
    pub(crate) replication_factor: i32,
    /// What else is set when it is made.
    pub(crate) settings: Vec<(String, String)>,
}

/// The partitions of a topic; one that has just been made is waited for.
///
/// # Errors
/// What Kafka says, or that there is no such topic.
pub(super) fn partitions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
) -> Result<Vec<i32>, String> {
    let deadline = Instant::now() + APPEARS_WITHIN;
    loop {
        let metadata = consumer
            .fetch_metadata(Some(topic), PATIENCE)
            .map_err(|error| format!("topic {topic:?}: {error}"))?;
        let found = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let partitions: Vec<i32> = found.map(|partition| partition.id()).collect();
        if !partitions.is_empty() {
            return Ok(partitions);
        }
        if Instant::now() >= deadline {
            return Err(format!("topic {topic:?}: it is not there yet"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Makes a topic if it is not there, and sees that Kafka will not delete what is old in it.
///
/// # Errors
/// What Kafka says, or what is wrong with a topic that was there.
pub(super) fn make(
    config: &ClientConfig,
    callbacks: Callbacks,
    topic: &CompactedTopic,
) -> Result<(), String> {
    let why = |error: &dyn std::fmt::Display| format!("topic {:?}: {error}", topic.name);
    let admin: AdminClient<ClientOnly> =
        config.create_with_context(ClientOnly(callbacks)).map_err(|error| why(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| why(&error))?;
    let options =
        AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let specifier = [ResourceSpecifier::Topic(&topic.name)];
    let told = runtime.block_on(admin.describe_configs(&specifier, &options));
    let told = told.map_err(|error| why(&error))?.into_iter().next();
    // A topic that is not there, or that must not be looked at, has no settings here.
    let policy = told
        .and_then(Result::ok)
        .and_then(|resource| resource.get("cleanup.policy").and_then(|entry| entry.value.clone()));
    match policy.as_deref() {
        None => {}
        Some("compact") => return Ok(()),
        Some(other) => {
            let expected = "expected compact, or what it keeps would be lost";
            return Err(why(&format!("found cleanup.policy={other}, {expected}")));
        }
    }
    let replication = TopicReplication::Fixed(topic.replication_factor);
    let mut new = NewTopic::new(&topic.name, topic.partitions, replication);
    new = new.set("cleanup.policy", "compact");
    for (name, value) in &topic.settings {
        new = new.set(name, value);
    }
    let made = runtime.block_on(admin.create_topics([&new], &options));
    match made.map_err(|error| why(&error))?.into_iter().next() {
        // Who may use it need not be allowed to make it.
        Some(Err((
            _,
            RDKafkaErrorCode::TopicAlreadyExists
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ))) => Ok(()),
        Some(Err((_, code))) => Err(why(&code)),
        Some(Ok(_)) | None => Ok(()),
    }
}
