//! `HoistField`: wraps the key or value, null included, in a struct or map of one field.

use super::fields::{build, struct_kind};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Field, Map, Schema, Value};
use crate::options::{Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::new(
    "field",
    Kind::String,
    Default::Required,
    Importance::Medium,
    "Field name for the single field that will be created in the resulting Struct or Map.",
)];

#[derive(Debug)]
pub(super) struct HoistField {
    side: Side,
    field: String,
    schemas: SchemaCache,
}

impl HoistField {
    pub(super) fn new(side: Side, options: &Options) -> Self {
        let field = options.string("field").to_owned();
        Self { side, field, schemas: SchemaCache::default() }
    }
}

impl Transform for HoistField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Datum { schema, value } = self.side.take(&mut record);
        let datum = match schema {
            None => {
                let field = Value::string(self.field.as_str());
                Datum::schemaless(Value::Map(Map::from_iter([(field, value)])))
            }
            Some(schema) => {
                let wrapped = self.schemas.get_or(&schema, || {
                    let field = Field::new(self.field.as_str(), schema.clone());
                    Ok(Schema::new(struct_kind(vec![field])?))
                })?;
                let value = build(&wrapped, vec![value])?;
                Datum::with_schema(wrapped, value)
            }
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
