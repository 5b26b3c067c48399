//! What a rule of the bridge does to a message: templates, Kafka topics, keys, headers, trails.
//!
//! A *source* rule makes a Kafka record of an MQTT publish ([`SourceRule`]), a *sink* rule makes an
//! MQTT publish of a Kafka record ([`SinkRule`]). Both are compiled once, with every mistake told by
//! column, and then applied to each message.
//!
//! Invariant: nothing here does IO, keeps state between messages, or knows a Kafka client; a
//! message that cannot be mapped is a [`Refusal`] with the reason code its publisher is told, never
//! a panic and never a guess.

pub mod connect;
pub mod converter;
mod first_match;
mod headers;
pub mod influx;
pub mod java;
mod kafka_topic;
pub mod kcql;
pub mod options;
pub mod pipeline;
pub mod projection;
mod refusal;
mod sink;
mod source;
mod template;
pub mod transform;

pub use first_match::{FirstMatch, Met};
pub use headers::{CLIENT_ID, QOS, RETAIN, TOPIC, TRAIL, TRAIL_MAX, is_own};
pub use kafka_topic::{InvalidKafkaTopic, KAFKA_TOPIC_MAX, check_kafka_topic};
pub use refusal::Refusal;
pub use sink::{InvalidSinkRule, Outcome, Publish, Record, SinkRule, Tombstone};
pub use source::{InvalidSourceRule, Message, RecordBuffer, SourceRule};
pub use template::TemplateError;
