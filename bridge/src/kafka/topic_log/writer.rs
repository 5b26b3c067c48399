//! The producer of a topic log: records that are waited for, and records that are not.

use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use midge_config::Oauth;
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};

use crate::kafka::context::Callbacks;

/// Milliseconds that Kafka may take to have a record; then it is given up, before whoever waits for it
/// has to be told that nobody knows.
const GIVEN_UP_AFTER: &str = "8000";

/// What is called when Kafka has a record, with its place, or has given it up.
type Then = Box<dyn FnOnce(Result<(i32, i64), String>) + Send + Sync>;

pub(super) struct Writer {
    config: ClientConfig,
    topic: String,
    oauth: Option<Oauth>,
    producer: Mutex<Option<ThreadedProducer<Context>>>,
}

impl Writer {
    pub(super) fn new(
        mut config: ClientConfig,
        topic: &str,
        oauth: Option<&Oauth>,
    ) -> Result<Writer, String> {
        config.set("message.timeout.ms", GIVEN_UP_AFTER);
        config.set("linger.ms", "0");
        let topic = topic.to_owned();
        let writer = Writer { config, topic, oauth: oauth.cloned(), producer: Mutex::default() };
        let producer = writer.create()?;
        *writer.producer.lock().unwrap_or_else(PoisonError::into_inner) = Some(producer);
        Ok(writer)
    }

    fn create(&self) -> Result<ThreadedProducer<Context>, String> {
        let callbacks = Callbacks::new(&self.topic, self.oauth.as_ref())?;
        self.config.create_with_context(Context(callbacks)).map_err(|error| error.to_string())
    }

    /// Writes a record and waits until Kafka has it; its place.
    pub(super) fn write(
        &self,
        key: &str,
        value: Option<&[u8]>,
        deadline: Instant,
    ) -> Result<(i32, i64), String> {
        let (done, result) = mpsc::channel();
        // Nobody waits any more: nobody has to be told.
        self.send(key, value, Box::new(move |outcome| drop(done.send(outcome))));
        let left = deadline.saturating_duration_since(Instant::now());
        match result.recv_timeout(left) {
            Ok(outcome) => outcome.map_err(|error| format!("topic {:?}: {error}", self.topic)),
            Err(_) => Err(format!("topic {:?}: Kafka did not take a record in time", self.topic)),
        }
    }

    pub(super) fn post(
        &self,
        key: &str,
        value: Option<&[u8]>,
        failed: Box<dyn FnOnce() + Send + Sync>,
    ) {
        self.send(
            key,
            value,
            Box::new(move |outcome| {
                if outcome.is_err() {
                    failed();
                }
            }),
        );
    }

    pub(super) fn flush(&self, patience: Duration) {
        if let Some(producer) = &*self.producer.lock().unwrap_or_else(PoisonError::into_inner) {
            // What is left has been told.
            let _ = producer.flush(patience);
        }
    }

    fn send(&self, key: &str, value: Option<&[u8]>, then: Then) {
        let mut slot = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|producer| producer.client().fatal_error().is_some()) {
            // It takes nothing any more.
            *slot = None;
        }
        let producer = match &*slot {
            Some(producer) => producer,
            None => match self.create() {
                Ok(producer) => slot.insert(producer),
                Err(error) => {
                    drop(slot);
                    return then(Err(error));
                }
            },
        };
        let mut record = BaseRecord::<[u8], [u8], Box<Opaque>>::with_opaque_to(
            &self.topic,
            Box::new(Opaque(then)),
        );
        record.key = Some(key.as_bytes());
        record.payload = value;
        let refused = producer.send(record).err();
        drop(slot);
        if let Some((error, record)) = refused {
            (record.delivery_opaque.0)(Err(error.to_string()));
        }
    }
}

struct Opaque(Then);

struct Context(Callbacks);

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.token()
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Opaque>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Box<Opaque>) {
        (opaque.0)(match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.to_string()),
        });
    }
}
