//! `SetSchemaMetadata`: gives the schema of the key or value a name, a version or both.

use std::sync::Arc;

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{all_values, build};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Schema, Value};
use crate::options::{Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "schema.name",
        Kind::String,
        Default::Null,
        Importance::High,
        "Schema name to set.",
    ),
    OptionDef::new(
        "schema.version",
        Kind::Int,
        Default::Null,
        Importance::High,
        "Schema version to set.",
    ),
    REPLACE_NULL_WITH_DEFAULT,
];

#[derive(Debug)]
pub(super) struct SetSchemaMetadata {
    side: Side,
    name: Option<Arc<str>>,
    version: Option<i32>,
    with_default: bool,
    schemas: SchemaCache,
}

impl SetSchemaMetadata {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let name = options.text("schema.name").map(Arc::from);
        let version = options.number("schema.version").map(|version| version as i32);
        if name.is_none() && version.is_none() {
            return Err("Neither schema name nor version configured".to_owned());
        }
        let with_default = options.boolean(REPLACE_NULL_WITH_DEFAULT.name);
        Ok(Self { side, name, version, with_default, schemas: SchemaCache::default() })
    }
}

impl Transform for SetSchemaMetadata {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Datum { schema, value } = self.side.take(&mut record);
        let Some(schema) = schema else {
            if value.is_null() {
                return Ok(Some(record));
            }
            return Err(Failure::data("Schema required for [updating schema metadata]"));
        };
        let updated = self.schemas.get_or(&schema, || {
            Ok(Schema {
                name: self.name.clone().or_else(|| schema.name.clone()),
                version: self.version.or(schema.version),
                ..Schema::clone(&schema)
            })
        })?;
        let value = match value {
            Value::Struct(structure) => build(&updated, all_values(*structure, self.with_default))?,
            other => other,
        };
        self.side.put(&mut record, Datum::with_schema(updated, value));
        Ok(Some(record))
    }
}
