//! The dead-letter topic of a task, made before it is needed.
//!
//! Invariant: where a replication factor was said, no record goes to the topic before it is known to
//! be there, or Kafka would make it by its own defaults. Kafka being away is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use midge_config::{ClientProperties, Oauth};
use tracing::{info, warn};

use crate::connect::plan::DeadLetters;
use crate::kafka::{NotMade, make_topic};

/// How long after it has not been made it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether the topic is there.
#[derive(Clone)]
pub(crate) struct DeadLetterTopic(Arc<AtomicBool>);

impl DeadLetterTopic {
    /// Has the topic made on a thread of its own, which ends when nobody waits for it any more;
    /// `failed` is told when Kafka does not make it.
    pub(crate) fn prepare(
        connector: &str,
        letters: &DeadLetters,
        properties: ClientProperties,
        oauth: Option<Oauth>,
        failed: Arc<dyn Fn(String) + Send + Sync>,
    ) -> Result<DeadLetterTopic, String> {
        let Some(replicas) = letters.replication_factor else {
            return Ok(DeadLetterTopic(Arc::new(AtomicBool::new(true))));
        };
        let there = Arc::new(AtomicBool::new(false));
        let waiting = Arc::downgrade(&there);
        let (connector, topic) = (connector.to_owned(), Arc::clone(&letters.kafka_topic));
        let make = move || {
            let mut said = None;
            while waiting.strong_count() > 0 {
                match make_topic(&connector, &properties, oauth.as_ref(), &topic, replicas) {
                    Ok(()) => {
                        let Some(there) = waiting.upgrade() else { return };
                        there.store(true, Ordering::Release);
                        info!(connector, topic = &*topic, "the dead-letter topic is there");
                        return;
                    }
                    Err(NotMade::Yet(why)) => {
                        if said.as_ref() != Some(&why) {
                            warn!(
                                connector,
                                topic = &*topic,
                                error = why,
                                "the dead-letter topic is not made yet, trying again"
                            );
                            said = Some(why);
                        }
                        std::thread::sleep(AGAIN);
                    }
                    Err(NotMade::Refused(why)) => {
                        if waiting.strong_count() > 0 {
                            failed(trace(&topic, &why));
                        }
                        return;
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("dead-letters".to_owned())
            .spawn(make)
            .map_err(|error| format!("a thread cannot be started: {error}"))?;
        Ok(DeadLetterTopic(there))
    }

    /// Whether records may go to it.
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

fn trace(topic: &str, why: &str) -> String {
    format!(
        "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead letter queue \
         with topic={topic}\nCaused by: {why}"
    )
}
