//! What the bridge is told, and the rules compiled from it.
//!
//! Everything that can be wrong without asking Kafka is found here or when the clients are made,
//! all mistakes at once, each with its connector and where that was defined.

use bytes::Bytes;
use midge_codec::{QoS, Text, TopicFilter};
use midge_config::{
    Ack, Config, Connector, ConnectorKind, Kafka, OffsetReset, Origin, SourceConnector, Tombstones,
};
use midge_rules::{SinkRule, SourceRule, Tombstone};

use crate::observer::Observer;
use crate::spool::Limits;

/// What the bridge is told. It has no `Debug` because it holds secrets.
#[derive(Clone)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// The connectors, names unique. A tap's number is a connector's place in this list.
    pub connectors: Vec<Connector>,
    /// Connectors that are started later, by [`connect`](crate::connect): what is kept for them
    /// stays.
    pub also_kept: Vec<String>,
    /// Sees each record pass; `None` costs nothing.
    pub observer: Option<Observer>,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Settings {
        Settings {
            kafka: config.kafka.clone(),
            connectors: config.connectors.clone(),
            also_kept: Vec::new(),
            observer: None,
        }
    }
}

/// A connector that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: connector {connector:?}: {message}")]
pub struct BridgeError {
    /// Its name.
    pub connector: String,
    /// Where it was defined.
    pub origin: Origin,
    /// What was found and what was expected.
    pub message: String,
}

impl BridgeError {
    pub(crate) fn new(connector: &Connector, message: impl Into<String>) -> BridgeError {
        BridgeError {
            connector: connector.name.clone(),
            origin: connector.origin.clone(),
            message: message.into(),
        }
    }
}

/// The rule of one connector, compiled.
pub(crate) enum Compiled {
    Source {
        rule: SourceRule,
        filters: Vec<TopicFilter>,
        limits: Limits,
        waits: bool,
        /// Tells this definition of the rule from others.
        generation: Bytes,
    },
    Sink {
        rule: SinkRule,
        plan: SinkPlan,
    },
}

/// How a sink connector reads.
#[derive(Clone)]
pub(crate) struct SinkPlan {
    pub(crate) topics: Vec<String>,
    pub(crate) group_id: String,
    pub(crate) offset_reset: &'static str,
    pub(crate) max_under_way: usize,
}

/// Compiles the rule of one connector; every mistake goes to `errors`.
pub(crate) fn compile(connector: &Connector, errors: &mut Vec<BridgeError>) -> Option<Compiled> {
    let before = errors.len();
    let mut wrong = |message: String| errors.push(BridgeError::new(connector, message));
    let name = match Text::try_from(connector.name.as_str()) {
        Ok(name) => name,
        Err(error) => {
            wrong(format!("name: {error}"));
            return None;
        }
    };
    let compiled = match &connector.kind {
        ConnectorKind::Source(source) => {
            let rule = SourceRule::new(name, &source.kafka_topic, &source.key, source.headers)
                .map_err(|error| wrong(error.to_string()))
                .ok();
            let mut filters = Vec::new();
            for filter in &source.mqtt_filters {
                match TopicFilter::try_from(filter.as_str()) {
                    Ok(filter) => filters.push(filter),
                    Err(error) => wrong(format!("mqtt filter {filter:?}: {error}")),
                }
            }
            rule.map(|rule| Compiled::Source {
                rule,
                filters,
                limits: Limits::of(source),
                waits: source.ack != Ack::None,
                generation: generation(source),
            })
        }
        ConnectorKind::Sink(sink) => {
            let qos = match sink.qos {
                0 => QoS::AtMostOnce,
                1 => QoS::AtLeastOnce,
                _ => QoS::ExactlyOnce,
            };
            let tombstone = match sink.tombstones {
                Tombstones::Skip => Tombstone::Skip,
                Tombstones::Clear => Tombstone::Clear,
            };
            let rule = SinkRule::new(name, &sink.mqtt_topic, qos, sink.retain, tombstone)
                .map_err(|error| wrong(error.to_string()))
                .ok();
            let plan = SinkPlan {
                topics: sink.kafka_topics.clone(),
                group_id: sink.group_id.clone(),
                offset_reset: match sink.offset_reset {
                    OffsetReset::Earliest => "earliest",
                    OffsetReset::Latest => "latest",
                },
                max_under_way: sink.max_inflight_messages.max(1),
            };
            rule.map(|rule| Compiled::Sink { rule, plan })
        }
    };
    compiled.filter(|_| errors.len() == before)
}

/// A few bytes that tell what a rule makes of a message from what another one makes of it.
fn generation(source: &SourceConnector) -> Bytes {
    let headers = if source.headers { "1" } else { "0" };
    // FNV-1a: it has to be the same in every run.
    let hash = [source.kafka_topic.as_str(), &source.key, headers]
        .iter()
        .flat_map(|part| part.bytes().chain([0xff]))
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Bytes::copy_from_slice(&hash.to_be_bytes())
}
