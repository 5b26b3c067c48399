//! Kafka Connect's data: schemas, values and records, as converters and transforms see them.
//!
//! The model is that of Connect's Java API (`org.apache.kafka.connect.data`), so that a property
//! file means here what it means there: a value may have a schema or none, a `Struct` has one
//! always, and logical types are a name on a schema.
//!
//! Invariant: a [`Struct`] holds one value for every field of its schema, in the schema's order.

mod decimal;
pub mod literal;
pub mod logical;
mod record;
mod schema;
mod structure;
mod validate;
mod value;

pub use decimal::Decimal;
pub use record::{ConnectRecord, Datum, Header};
pub use schema::{Field, Kind, LogicalType, Schema, SchemaRef, Type};
pub use structure::Struct;
pub use validate::{SchemaMismatch, validate};
pub use value::{Map, Value};

#[cfg(test)]
mod tests;
