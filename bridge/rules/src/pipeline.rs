//! The whole way of a record through a connector: converters, projection, transforms, converters.
//!
//! A [`SourcePipeline`] makes a Kafka record of an MQTT publish, a [`SinkPipeline`] makes publishes
//! of a Kafka record, an [`InfluxPipeline`] points of InfluxDB. Which steps there are is decided when one is built.
//!
//! Invariant: no IO and no clock. A record is made as a whole, filtered, put off until a schema
//! registry has been asked ([`PipelineError::Ask`]), or refused with the stage that refused it.

mod error;
mod headers;
mod influx;
mod sink;
mod source;

pub use error::{PipelineError, Stage};
pub use headers::HeaderConverter;
pub use influx::InfluxPipeline;
pub use sink::{SinkParts, SinkPipeline, SinkStatement, SinkTarget};
pub use source::{KafkaRecord, SourceParts, SourcePipeline};

#[cfg(test)]
mod tests;
