//! `ValueToKey`: makes the key of fields of the value.

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{build, entry, field_value, require_map_ref, require_struct_ref, struct_kind};
use super::schema_cache::SchemaCache;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Field, Map, Schema, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "fields",
        Kind::List,
        Default::Required,
        Importance::High,
        "Field names on the record value to extract as the record key.",
    )
    .accepting(&[Accepted::Distinct { empty: false }]),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "copying fields from value to key";

#[derive(Debug)]
pub(super) struct ValueToKey {
    fields: Vec<String>,
    with_default: bool,
    schemas: SchemaCache,
}

impl ValueToKey {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            fields: options.list("fields").to_vec(),
            with_default: options.boolean(REPLACE_NULL_WITH_DEFAULT.name),
            schemas: SchemaCache::default(),
        }
    }

    fn key_schema(&self, schema: &Schema) -> Result<Schema, Failure> {
        let fields = self.fields.iter().map(|name| match schema.field(name) {
            Some((_, field)) => Ok(Field::new(name.as_str(), field.schema.clone())),
            None => Err(Failure::data(format!("Field does not exist: {name}"))),
        });
        Ok(Schema::new(struct_kind(fields.collect::<Result<_, _>>()?)?))
    }

    fn key(&self, value: &Datum) -> Result<Datum, Failure> {
        if value.schema.is_none() {
            let map = require_map_ref(&value.value, PURPOSE)?;
            let entries = self.fields.iter().map(|name| {
                (Value::string(name.as_str()), entry(map, name).cloned().unwrap_or_default())
            });
            return Ok(Datum::schemaless(Value::Map(Map::from_iter(entries))));
        }
        let structure = require_struct_ref(&value.value, PURPOSE)?;
        let own = structure.schema();
        let schema = self.schemas.get_or(own, || self.key_schema(own))?;
        let values = self.fields.iter().map(|name| match own.field(name) {
            Some((index, _)) => field_value(structure, index, self.with_default).clone(),
            None => Value::Null,
        });
        let key = build(&schema, values.collect())?;
        Ok(Datum::with_schema(schema, key))
    }
}

impl Transform for ValueToKey {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.key = self.key(&record.value)?;
        Ok(Some(record))
    }
}
