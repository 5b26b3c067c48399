//! A record of Connect, on its way in either direction.

use std::sync::Arc;

use super::{SchemaRef, Value};

/// A value with its schema, if it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Datum {
    /// Its schema; `None` is a value without one.
    pub schema: Option<SchemaRef>,
    /// The value.
    pub value: Value,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name; several headers may have the same.
    pub name: Arc<str>,
    /// Its value.
    pub datum: Datum,
}

/// A record: one that a source made (MQTT to Kafka), or one that a sink read (Kafka to MQTT).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectRecord {
    /// The Kafka topic it goes to, or comes from.
    pub kafka_topic: Arc<str>,
    /// The partition; a source leaves it to the partitioner.
    pub partition: Option<i32>,
    /// The key.
    pub key: Datum,
    /// The value.
    pub value: Datum,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// The offset; only records that a sink read have one.
    pub offset: Option<i64>,
}

impl Datum {
    /// A value without schema.
    #[must_use]
    pub const fn schemaless(value: Value) -> Self {
        Self { schema: None, value }
    }

    /// A value of a schema.
    #[must_use]
    pub const fn with_schema(schema: SchemaRef, value: Value) -> Self {
        Self { schema: Some(schema), value }
    }
}
