//! `MaskField`: hides fields behind the zero of their type, or behind a replacement.

use num_bigint::BigInt;

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{all_values, build_with, entry, require_map, require_struct};
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Decimal, Map, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "fields",
        Kind::List,
        Default::Required,
        Importance::High,
        "Names of fields to mask.",
    )
    .accepting(&[Accepted::Distinct { empty: false }]),
    OptionDef::new(
        "replacement",
        Kind::String,
        Default::Null,
        Importance::Low,
        "Custom value replacement, that will be applied to all 'fields' values (numeric or \
         non-empty string values only).",
    )
    .accepting(&[Accepted::NonEmptyString]),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "mask fields";

#[derive(Debug)]
pub(super) struct MaskField {
    side: Side,
    fields: Vec<String>,
    replacement: Option<String>,
    with_default: bool,
}

impl MaskField {
    pub(super) fn new(side: Side, options: &Options) -> Self {
        Self {
            side,
            fields: options.list("fields").to_vec(),
            replacement: options.text("replacement").map(str::to_owned),
            with_default: options.boolean(REPLACE_NULL_WITH_DEFAULT.name),
        }
    }

    fn mask(&self, value: &Value) -> Result<Value, Failure> {
        match (&self.replacement, value) {
            (_, Value::Null) => Ok(Value::Null),
            (None, value) => zero(value),
            (Some(replacement), value) => replaced(value, replacement),
        }
    }
}

impl Transform for MaskField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Datum { schema, value } = self.side.take(&mut record);
        let value = if schema.is_none() {
            let mut map = require_map(value, PURPOSE)?;
            for field in &self.fields {
                let masked = self.mask(entry(&map, field).unwrap_or(&Value::Null))?;
                map.insert(Value::string(field.as_str()), masked);
            }
            Value::Map(map)
        } else {
            let structure = require_struct(value, PURPOSE)?;
            let own = structure.schema().clone();
            let values = all_values(structure, self.with_default);
            build_with(&own, values, |index, value| {
                let name = &own.fields()[index].name;
                let masked = self.fields.iter().any(|field| **field == **name);
                if masked { self.mask(&value) } else { Ok(value) }
            })?
        };
        self.side.put(&mut record, Datum { schema, value });
        Ok(Some(record))
    }
}

fn zero(value: &Value) -> Result<Value, Failure> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::Decimal(_) => Value::Decimal(Decimal { unscaled: BigInt::ZERO, scale: 0 }),
        Value::Timestamp(_) => Value::Timestamp(0),
        Value::String(_) => Value::string(""),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Map(_) => Value::Map(Map::new()),
        Value::Null | Value::Bytes(_) | Value::Struct(_) => {
            let message = format!("Cannot mask value of type: class {}", value.java_class());
            return Err(Failure::data(message));
        }
    })
}

fn replaced(value: &Value, replacement: &str) -> Result<Value, Failure> {
    let decimal = || {
        Decimal::parse(replacement).ok_or_else(|| {
            Failure::data(format!(
                "Unable to convert {replacement} (class java.lang.String) to a number"
            ))
        })
    };
    Ok(match value {
        Value::Int8(_) => Value::Int8(decimal()?.to_i64_wrapping() as i8),
        Value::Int16(_) => Value::Int16(decimal()?.to_i64_wrapping() as i16),
        Value::Int32(_) => Value::Int32(decimal()?.to_i64_wrapping() as i32),
        Value::Int64(_) => Value::Int64(decimal()?.to_i64_wrapping()),
        // By way of 64 bits, as Java does.
        Value::Float32(_) => Value::Float32(decimal()?.to_f64() as f32),
        Value::Float64(_) => Value::Float64(decimal()?.to_f64()),
        Value::String(_) => Value::string(replacement),
        Value::Decimal(_) => match Decimal::parse(replacement) {
            Some(decimal) => Value::Decimal(decimal),
            None => {
                return Err(Failure::data(format!(
                    "Unable to convert {replacement} (class java.lang.String) to number"
                )));
            }
        },
        other => {
            return Err(Failure::data(format!(
                "Cannot mask value of type class {} with custom replacement.",
                other.java_class()
            )));
        }
    })
}
