//! A point's fields: what is in a record, made flat.
//!
//! Nested structs and maps become fields called by their paths (`a.b`), the elements of an array by
//! their numbers (`a0`, `a1`). What is null, and a number that is none or infinite, is left out:
//! InfluxDB has no way to say it.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::PointError;
use crate::connect::{Datum, Kind, Schema, Value, logical};

/// How deep structs, maps and arrays may lie in each other.
const DEPTH_MAX: usize = 128;

/// A value of a field, of the types that InfluxDB has.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// 64 bits, signed.
    Integer(i64),
    /// 64 bits, finite.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Text.
    Text(Arc<str>),
}

/// The fields of a struct or a map.
pub(super) fn of(datum: &Datum) -> Result<Vec<(String, FieldValue)>, PointError> {
    let mut flat = Flat { fields: Vec::new(), nested: false };
    match &datum.value {
        Value::Struct(_) | Value::Map(_) => flat.inside("", &datum.value, None, 0)?,
        // Projections make nothing else of a record with a value.
        _ => return Err(PointError::NoFields),
    }
    let Flat { fields, nested } = flat;
    if fields.is_empty() {
        return Err(PointError::NoFields);
    }
    if nested {
        let mut names = HashSet::with_capacity(fields.len());
        if let Some((twice, _)) = fields.iter().find(|(name, _)| !names.insert(name.as_str())) {
            let why = "comes twice when the record is made flat, expected once".to_owned();
            return Err(PointError::Field { name: twice.clone(), why });
        }
    }
    Ok(fields)
}

/// Fields that are being collected.
struct Flat {
    fields: Vec<(String, FieldValue)>,
    /// Whether some of them come from inside of others.
    nested: bool,
}

impl Flat {
    /// The fields of a struct or the entries of a map.
    fn inside(
        &mut self,
        prefix: &str,
        value: &Value,
        schema: Option<&Schema>,
        depth: usize,
    ) -> Result<(), PointError> {
        let path = |name: &str| match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        match value {
            Value::Struct(structure) => {
                for (index, field) in structure.schema().fields().iter().enumerate() {
                    let value = structure.value_at(index);
                    self.put(path(&field.name), value, Some(&field.schema), depth)?;
                }
            }
            Value::Map(map) => {
                let inner = schema.and_then(|schema| match &schema.kind {
                    Kind::Map(_, value) => Some(&**value),
                    _ => None,
                });
                for (key, value) in map {
                    let Ok(Some(key)) = text(key) else {
                        let why = "found a key that is no text, number or boolean".to_owned();
                        return Err(PointError::Field { name: path("*"), why });
                    };
                    self.put(path(&key), value, inner, depth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put(
        &mut self,
        name: String,
        value: &Value,
        schema: Option<&Schema>,
        depth: usize,
    ) -> Result<(), PointError> {
        let wrong = |why: &str| PointError::Field { name: name.clone(), why: why.to_owned() };
        if name.is_empty() {
            return Err(wrong("found an empty name, expected one that is not"));
        }
        if depth > DEPTH_MAX {
            return Err(wrong("found more than 128 structs and arrays in each other"));
        }
        let value = match value {
            Value::Null => return Ok(()),
            Value::Boolean(truth) => FieldValue::Boolean(*truth),
            Value::Int8(number) => FieldValue::Integer(i64::from(*number)),
            Value::Int16(number) => FieldValue::Integer(i64::from(*number)),
            Value::Int32(number) => FieldValue::Integer(i64::from(*number)),
            Value::Int64(number) => FieldValue::Integer(*number),
            Value::Float32(number) => FieldValue::Float(f64::from(*number)),
            Value::Float64(number) => FieldValue::Float(*number),
            Value::Decimal(decimal) => match decimal.to_f64() {
                number if number.is_finite() => FieldValue::Float(number),
                _ => return Err(wrong("found a decimal beyond the range of 64 bits")),
            },
            Value::Timestamp(millis) => FieldValue::Integer(moment(*millis, schema)),
            Value::String(text) => FieldValue::Text(Arc::clone(text)),
            Value::Bytes(bytes) => FieldValue::Text(Arc::from(STANDARD.encode(bytes))),
            Value::Array(values) => {
                self.nested = true;
                let inner = schema.and_then(|schema| match &schema.kind {
                    Kind::Array(value) => Some(&**value),
                    _ => None,
                });
                for (index, value) in values.iter().enumerate() {
                    self.put(format!("{name}{index}"), value, inner, depth + 1)?;
                }
                return Ok(());
            }
            Value::Map(_) | Value::Struct(_) => {
                self.nested = true;
                return self.inside(&name, value, schema, depth + 1);
            }
        };
        if !matches!(value, FieldValue::Float(number) if !number.is_finite()) {
            self.fields.push((name, value));
        }
        Ok(())
    }
}

/// The number that stands for a moment, as Connect's converters write it.
fn moment(millis: i64, schema: Option<&Schema>) -> i64 {
    match schema.map(|schema| logical::encode(schema, millis)) {
        Some(Ok(Some(Value::Int32(number)))) => i64::from(number),
        _ => millis,
    }
}

/// The text of a value that a tag or a name can be made of; `None` for null.
///
/// # Errors
/// What is there, when it is none of those.
pub(super) fn text(value: &Value) -> Result<Option<String>, &'static str> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Boolean(truth) => truth.to_string(),
        Value::Int8(number) => number.to_string(),
        Value::Int16(number) => number.to_string(),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::Float32(number) => number.to_string(),
        Value::Float64(number) => number.to_string(),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::Timestamp(millis) => millis.to_string(),
        Value::String(text) => text.to_string(),
        Value::Bytes(_) => return Err("bytes"),
        Value::Array(_) => return Err("array"),
        Value::Map(_) => return Err("map"),
        Value::Struct(_) => return Err("struct"),
    }))
}
