//! Single message transforms: small changes to a record on its way between MQTT and Kafka.
//!
//! They are those of Apache Kafka Connect, with its classes, options, predicates and errors, and
//! Confluent's `ExtractTopic`. A [`Chain`] is compiled from a connector's properties once and then
//! applied to each record of it, in either direction.
//!
//! Invariant: a transform keeps nothing of a record but the schemas it made of others; the same
//! record gives the same result.

mod chain;
mod class;
mod failure;
mod fields;
mod path;
mod predicate;
mod schema_cache;
mod side;

mod cast;
mod drop_headers;
mod extract_field;
mod extract_topic;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod mask_field;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

use std::fmt;

pub use chain::{Chain, TransformError};
pub use class::transforms;
pub use class::{PredicateClass, TransformClass, predicate_class, predicates, transform_class};

use crate::connect::ConnectRecord;
use failure::Failure;

/// A compiled transform; a record that it drops is none.
trait Transform: fmt::Debug + Send + Sync {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure>;
}

/// A compiled predicate.
trait Predicate: fmt::Debug + Send + Sync {
    fn test(&self, record: &ConnectRecord) -> Result<bool, Failure>;
}

#[cfg(test)]
mod tests;
