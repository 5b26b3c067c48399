//! The dead-letter topic of a sink: a producer that is made with the first record for it.
//!
//! Such records are rare: each is waited for, so that the offset of what it stands for passes it only
//! once Kafka has it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use midge_rules::pipeline::KafkaRecord;
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};

use crate::error_handling::without_value;
use crate::kafka::context::Callbacks;
use crate::kafka::verdict;

/// How long Kafka may take; then the record comes again.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Letters {
    config: ClientConfig,
    callbacks: Arc<Callbacks>,
    producer: Option<BaseProducer<Context>>,
}

/// Why Kafka does not have a dead letter.
pub(super) enum NotPosted {
    /// It may have it later.
    Yet(String),
    /// It never will: it is too large even without a value.
    TooLarge(String),
}

struct Context {
    callbacks: Arc<Callbacks>,
    /// What became of the last record.
    result: Mutex<Option<Result<(), KafkaError>>>,
}

impl Letters {
    pub(super) fn new(config: ClientConfig, callbacks: &Arc<Callbacks>) -> Letters {
        Letters { config, callbacks: Arc::clone(callbacks), producer: None }
    }

    /// Has Kafka take a dead letter, and waits until it has. One that is too large goes without its
    /// value.
    pub(super) fn post(&mut self, letter: Box<KafkaRecord>) -> Result<(), NotPosted> {
        match self.produce(&letter) {
            Err(NotPosted::TooLarge(why)) => match without_value(letter) {
                Some(letter) => self.produce(&letter),
                None => Err(NotPosted::TooLarge(why)),
            },
            result => result,
        }
    }

    fn produce(&mut self, record: &KafkaRecord) -> Result<(), NotPosted> {
        let topic = &record.kafka_topic;
        let why = |error: &KafkaError| {
            let why = format!("dead-letter topic {topic:?}: {error}");
            match error.rdkafka_error_code() {
                Some(code) if verdict::is_too_large(code) => NotPosted::TooLarge(why),
                _ => NotPosted::Yet(why),
            }
        };
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let callbacks = Arc::clone(&self.callbacks);
                let context = Context { callbacks, result: Mutex::default() };
                self.config.create_with_context(context).map_err(|error| why(&error))?
            }
        };
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
        let base = BaseRecord::<[u8], [u8]> {
            topic,
            partition: record.partition,
            payload: record.value.as_deref(),
            key: record.key.as_deref(),
            timestamp: record.timestamp,
            headers: Some(headers),
            delivery_opaque: (),
        };
        producer.send(base).map_err(|(error, _)| why(&error))?;
        let flushed = producer.flush(PATIENCE);
        let result = producer.context().take();
        match (flushed, result) {
            (_, Some(Ok(()))) => {
                self.producer = Some(producer);
                Ok(())
            }
            // It goes with its producer, so that it does not come twice.
            (_, Some(Err(error))) => Err(why(&error)),
            (Err(error), None) => {
                producer.purge(PurgeConfig::default().queue().inflight());
                Err(why(&error))
            }
            (Ok(()), None) => {
                let why = format!("dead-letter topic {topic:?}: no word of the record");
                Err(NotPosted::Yet(why))
            }
        }
    }
}

impl Context {
    fn take(&self) -> Option<Result<(), KafkaError>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).take()
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

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.callbacks.token()
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
}
