//! An Avro schema made ready: the schema Connect sees, and how its values are read and written.
//!
//! The mapping is that of Confluent's `AvroData`: a union with null is an optional schema, any other
//! union a struct with a field for each member, enums are strings, an array of `MapEntry` records is
//! a map, and what Connect knows beyond Avro stands in `connect.*` properties.
//!
//! Invariant: a record has as many fields as its schema, in the same order, and a plan has no circle,
//! for Connect's schemas have none here.

use std::sync::Arc;

use crate::connect::{SchemaRef, Value};

pub(super) const ANYTHING: &str = "io.confluent.connect.avro.Anything";
pub(super) const DEFAULT_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
pub(super) const MAP_ENTRY: &str = "io.confluent.connect.avro.MapEntry";
pub(super) const UNION: &str = "io.confluent.connect.avro.Union";
pub(super) const ENUM: &str = "io.confluent.connect.avro.Enum";
pub(super) const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
pub(super) const FIELD_DOC: &str = "io.confluent.connect.avro.field.doc.";
pub(super) const FIELD_DEFAULT: &str = "io.confluent.connect.avro.field.default";
pub(super) const ENUM_DOC: &str = "io.confluent.connect.avro.enum.doc.";
pub(super) const ENUM_DEFAULT: &str = "io.confluent.connect.avro.enum.default.";
pub(super) const PRECISION: &str = "connect.decimal.precision";
pub(super) const PRECISION_DEFAULT: i32 = 64;

/// What of Connect's own is kept in Avro schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AvroData {
    /// `connect.meta.data`
    pub(super) connect_meta_data: bool,
    /// `enhanced.avro.schema.support`
    pub(super) enhanced: bool,
    /// `ignore.default.for.nullables`
    pub(super) ignore_default_for_nullables: bool,
}

/// A schema ready for use.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) plan: Plan,
    /// None for the schema of values without one.
    pub(super) schema: Option<SchemaRef>,
    /// The full name of the record, for subject names.
    pub(super) record_name: Option<Arc<str>>,
}

/// How a value is read and written.
#[derive(Debug)]
pub(super) enum Plan {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Date,
    Time,
    Int64,
    Timestamp,
    Float,
    Double,
    Bytes,
    Fixed(usize),
    Decimal {
        scale: i32,
        size: Option<usize>,
    },
    String,
    Enum(Arc<[Arc<str>]>),
    Array(Box<Plan>),
    Map(Box<Plan>),
    /// A map as an array of records of a key and a value.
    Pairs(Box<(Plan, Plan)>),
    Record(Record),
    /// Null and one other.
    Optional {
        null: i64,
        value: Box<Plan>,
    },
    Union(Union),
    /// A value that says what it is.
    Anything,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) schema: SchemaRef,
    /// As many as the schema has, in its order.
    pub(super) fields: Vec<RecordField>,
}

#[derive(Debug)]
pub(super) struct RecordField {
    pub(super) name: Arc<str>,
    pub(super) plan: Plan,
    /// What is written where a struct has no such field.
    pub(super) default: Option<Value>,
}

#[derive(Debug)]
pub(super) struct Union {
    /// A struct with an optional field for each member but null.
    pub(super) schema: SchemaRef,
    pub(super) members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) plan: Plan,
    /// Its field in the struct; none for null.
    pub(super) field: Option<usize>,
    pub(super) name: Arc<str>,
}

/// The last part of a full name.
pub(super) fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}
