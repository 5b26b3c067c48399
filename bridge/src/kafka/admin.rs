//! Making a topic that is not there, with a replication factor of its own; forgetting a group.
//!
//! Nothing is asked about a topic by its name before it is made: such a question has Kafka make it
//! by its own defaults.

// rdkafka's client for this does not ask for tokens; librdkafka takes one in C alone.
#![allow(unsafe_code)]

use std::error::Error;
use std::ffi::CString;
use std::ptr;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::bindings;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::context::Callbacks;
use super::properties;

/// How long Kafka may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after a group was found to have members it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// Why a topic has not been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// Kafka is away, or does not know yet: ask again.
    Yet(String),
    /// Kafka says no.
    Refused(String),
}

/// Has Kafka make a topic of one partition, unless it is there. -1 replicas are as many as Kafka
/// itself would make.
pub(crate) fn make_topic(
    name: &str,
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    topic: &str,
    replicas: i16,
) -> Result<(), NotMade> {
    let client = client(name, properties, oauth)?;
    let metadata = client.inner().fetch_metadata(None, PATIENCE);
    let metadata = metadata.map_err(|error| NotMade::Yet(error.to_string()))?;
    if metadata.topics().iter().any(|known| known.name() == topic) {
        return Ok(());
    }
    let brokers = metadata.brokers().len();
    drop(metadata);
    let wanted = NewTopic::new(topic, 1, TopicReplication::Fixed(i32::from(replicas)));
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| NotMade::Yet(error.to_string()))?;
    let made = runtime.block_on(client.create_topics([&wanted], &options));
    let made = made.map_err(|error| NotMade::Yet(error.to_string()))?;
    match made.into_iter().next() {
        Some(Err((_, code))) => judged(code, replicas, brokers),
        _ => Ok(()),
    }
}

/// Has Kafka forget the offsets of a group without members, and the group.
pub(crate) fn delete_group(
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
    group_id: &str,
) -> Result<(), String> {
    let client = client("offsets", properties, oauth).map_err(|error| match error {
        NotMade::Yet(why) | NotMade::Refused(why) => why,
    })?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let deleted = runtime.block_on(client.delete_groups(&[group_id], &options));
        let deleted = deleted.map_err(|error| error.to_string())?;
        match deleted.into_iter().next() {
            Some(Err((_, Code::GroupIdNotFound))) | Some(Ok(_)) | None => return Ok(()),
            // Members that have left are members until Kafka has noticed.
            Some(Err((_, Code::NonEmptyGroup))) if Instant::now() < deadline => {
                std::thread::sleep(AGAIN);
            }
            Some(Err((group, code))) => return Err(format!("group {group}: {code}")),
        }
    }
}

fn client(
    name: &str,
    properties: &ClientProperties,
    oauth: Option<&Oauth>,
) -> Result<AdminClient<Context>, NotMade> {
    let config = properties::producer(name, properties);
    let callbacks = Callbacks::new(name, oauth).map_err(NotMade::Refused)?;
    let context = Context(callbacks);
    let client = AdminClient::from_config_and_context(&config, context)
        .map_err(|error| NotMade::Refused(properties::explain(&error, properties)))?;
    if oauth.is_some() {
        log_in(client.inner()).map_err(|error| NotMade::Yet(error.to_string()))?;
    }
    Ok(client)
}

/// What Kafka's answer means.
fn judged(code: Code, replicas: i16, brokers: usize) -> Result<(), NotMade> {
    match code {
        // Somebody else was faster.
        Code::TopicAlreadyExists => Ok(()),
        Code::InvalidReplicationFactor => Err(NotMade::Refused(format!(
            "{code}: found {replicas} replicas, expected no more than there are brokers: {brokers}"
        ))),
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::PolicyViolation
        | Code::InvalidTopic
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::InvalidRequest
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature => Err(NotMade::Refused(code.to_string())),
        _ => Err(NotMade::Yet(code.to_string())),
    }
}

/// Gives a client its token.
fn log_in(client: &Client<Context>) -> Result<(), Box<dyn Error>> {
    let token = client.context().0.token()?;
    let (text, principal) = (CString::new(token.token)?, CString::new(token.principal_name)?);
    let mut why = [0; 256];
    // SAFETY: the client is alive, both texts end with a NUL, there are no extensions, and librdkafka
    // writes no more into `why` than its length.
    let code = unsafe {
        bindings::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            text.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        )
    };
    match Code::from(code) {
        Code::NoError => Ok(()),
        code => Err(code.to_string().into()),
    }
}

struct Context(Callbacks);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_not_pass_is_told_apart_from_what_may() {
        assert_eq!(judged(Code::TopicAlreadyExists, 3, 1), Ok(()));
        let Err(NotMade::Refused(why)) = judged(Code::InvalidReplicationFactor, 3, 1) else {
            panic!("it will not pass");
        };
        assert!(why.contains("found 3 replicas"), "{why}");
        assert!(matches!(judged(Code::RequestTimedOut, 3, 3), Err(NotMade::Yet(_))));
        assert!(matches!(judged(Code::NotController, 3, 3), Err(NotMade::Yet(_))));
        assert!(matches!(judged(Code::PolicyViolation, 1, 1), Err(NotMade::Refused(_))));
    }
}
