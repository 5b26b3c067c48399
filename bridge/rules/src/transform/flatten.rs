//! `Flatten`: one struct or map of nested ones, with the names joined by a delimiter.
//!
//! The depth of values and schemas is bounded by the converters that made them.

use super::fields::{
    basics, fields_of, put, require_map, require_struct, set_default, struct_kind,
};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Field, Map, Schema, Struct, Type, Value};
use crate::options::{Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::new(
    "delimiter",
    Kind::String,
    Default::Text("."),
    Importance::Medium,
    "Delimiter to insert between field names from the input record when generating field names \
     for the output record",
)];

const PURPOSE: &str = "flattening";

#[derive(Debug)]
pub(super) struct Flatten {
    side: Side,
    delimiter: String,
    schemas: SchemaCache,
}

impl Flatten {
    pub(super) fn new(side: Side, options: &Options) -> Self {
        let delimiter = options.string("delimiter").to_owned();
        Self { side, delimiter, schemas: SchemaCache::default() }
    }

    fn name(&self, prefix: &str, name: &str) -> String {
        if prefix.is_empty() { name.to_owned() } else { [prefix, &self.delimiter, name].concat() }
    }

    fn flatten_map(&self, map: Map, prefix: &str, flat: &mut Map) -> Result<(), Failure> {
        for (key, value) in map {
            let Some(key) = key.as_str() else {
                return Err(Failure::data(format!(
                    "Flatten needs the keys of maps to be strings, found: {}",
                    key.java_class()
                )));
            };
            let name = self.name(prefix, key);
            match value {
                Value::Map(inner) => self.flatten_map(inner, &name, flat)?,
                Value::Decimal(_) | Value::Timestamp(_) => {
                    return Err(Failure::data(format!(
                        "Flatten transformation was passed a value of type class {} which is not \
                         supported by Connect's data API",
                        value.java_class()
                    )));
                }
                Value::Struct(_) => {
                    return Err(Failure::data(format!(
                        "Flatten transformation does not support class {} for record without \
                         schemas (for field {name}).",
                        value.java_class()
                    )));
                }
                other => {
                    flat.insert(Value::string(name), other);
                }
            }
        }
        Ok(())
    }

    /// Adds the fields of a schema; what stands in something optional is optional, and has the
    /// default that the struct around it has there.
    fn flatten_schema(
        &self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        default: Option<&Struct>,
        flat: &mut Vec<Field>,
    ) -> Result<(), Failure> {
        for (index, field) in fields_of(schema)?.iter().enumerate() {
            let name = self.name(prefix, &field.name);
            let optional = optional || field.schema.optional;
            let default = match (&field.schema.default, default) {
                (Some(own), _) => Some(own),
                (None, Some(around)) => Some(around.value_at(index)),
                (None, None) => None,
            };
            match field.schema.type_of() {
                Type::Struct => {
                    let default = match default {
                        Some(Value::Struct(structure)) => Some(&**structure),
                        _ => None,
                    };
                    self.flatten_schema(&field.schema, &name, optional, default, flat)?;
                }
                Type::Map => return Err(unsupported(Type::Map, &name)),
                _ => {
                    let mut converted = basics(&field.schema, field.schema.kind.clone());
                    converted.optional = optional;
                    set_default(&mut converted, default.cloned().unwrap_or_default())?;
                    flat.push(Field::new(name, converted));
                }
            }
        }
        Ok(())
    }

    /// Sets the fields of a flat struct; those of a missing struct stay null.
    fn flatten_struct(
        &self,
        structure: Struct,
        prefix: &str,
        flat: &mut Struct,
    ) -> Result<(), Failure> {
        let schema = structure.schema().clone();
        for (field, value) in schema.fields().iter().zip(structure.into_values()) {
            let name = self.name(prefix, &field.name);
            match (field.schema.type_of(), value) {
                (Type::Struct, Value::Struct(inner)) => self.flatten_struct(*inner, &name, flat)?,
                (Type::Struct, _) => {}
                (Type::Map, _) => return Err(unsupported(Type::Map, &name)),
                (_, value) => {
                    let value = match (&field.schema.default, value) {
                        (Some(default), Value::Null) => default.clone(),
                        (_, value) => value,
                    };
                    let Some((index, _)) = flat.schema().field(&name) else {
                        return Err(Failure::data(format!("{name} is not a valid field name")));
                    };
                    put(flat, index, value)?;
                }
            }
        }
        Ok(())
    }

    fn with_schema(&self, datum: Datum) -> Result<Datum, Failure> {
        let Datum { schema: Some(schema), value } = datum else { unreachable!("it has a schema") };
        let structure = require_struct(value, PURPOSE)?;
        let updated = self.schemas.get_or(&schema, || {
            let default = match &schema.default {
                Some(Value::Struct(default)) => Some(&**default),
                _ => None,
            };
            let mut fields = Vec::new();
            self.flatten_schema(&schema, "", schema.optional, default, &mut fields)?;
            Ok(basics(&schema, struct_kind(fields)?))
        })?;
        let mut flat = Struct::new(updated.clone());
        self.flatten_struct(structure, "", &mut flat)?;
        Ok(Datum::with_schema(updated, Value::Struct(Box::new(flat))))
    }
}

fn unsupported(found: Type, name: &str) -> Failure {
    Failure::data(format!(
        "Flatten transformation does not support {} for record with schemas (for field {name}).",
        found.java_name()
    ))
}

impl Transform for Flatten {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let datum = self.side.take(&mut record);
        let datum = if datum.schema.is_none() {
            let mut flat = Map::new();
            self.flatten_map(require_map(datum.value, PURPOSE)?, "", &mut flat)?;
            Datum::schemaless(Value::Map(flat))
        } else {
            self.with_schema(datum)?
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
