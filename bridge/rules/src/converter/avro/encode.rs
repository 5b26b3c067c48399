//! From values to Avro's binary encoding, by the plan of the schema it is written with.
//!
//! A struct's fields are found by their names: the schema may be another than the struct's own when
//! the registry's latest one is used.
//!
//! Invariant: nothing of a value is left out. A field that the schema lacks is an error, and so is
//! a number that the schema's type does not hold.

use crate::connect::{Map, Schema, Struct, Type, Value};
use crate::converter::ConvertError;
use crate::converter::json::encode::{days, same_shape, time_of_day};

use super::plan::{Plan, Record, UNION, Union};

/// How many values may be in one another where no schema says it.
const DEPTH_MAX: u32 = 256;

pub(super) struct Encoder {
    pub(super) ignore_default_for_nullables: bool,
}

fn wrong<T>(what: impl Into<String>) -> Result<T, ConvertError> {
    Err(ConvertError::data(what))
}

impl Encoder {
    pub(super) fn value(
        &self,
        out: &mut Vec<u8>,
        plan: &Plan,
        value: &Value,
    ) -> Result<(), ConvertError> {
        match (plan, value) {
            (Plan::Null, Value::Null) => {}
            (Plan::Boolean, Value::Boolean(value)) => out.push(u8::from(*value)),
            (Plan::Int8 | Plan::Int16 | Plan::Int32, value) => {
                let number = whole(plan, value)?;
                let range = match plan {
                    Plan::Int8 => i64::from(i8::MIN)..=i64::from(i8::MAX),
                    Plan::Int16 => i64::from(i16::MIN)..=i64::from(i16::MAX),
                    _ => i64::from(i32::MIN)..=i64::from(i32::MAX),
                };
                if !range.contains(&number) {
                    return wrong(format!("Invalid number {number}, it is beyond {plan:?}"));
                }
                long(out, number);
            }
            (Plan::Int64, value) => long(out, whole(plan, value)?),
            (Plan::Date, Value::Timestamp(ms)) => long(out, i64::from(days(*ms)?)),
            (Plan::Time, Value::Timestamp(ms)) => long(out, i64::from(time_of_day(*ms)?)),
            (Plan::Timestamp, Value::Timestamp(ms)) => long(out, *ms),
            (Plan::Float, Value::Float32(value)) => out.extend_from_slice(&value.to_le_bytes()),
            (Plan::Double, Value::Float64(value)) => out.extend_from_slice(&value.to_le_bytes()),
            (Plan::Double, Value::Float32(value)) => {
                out.extend_from_slice(&f64::from(*value).to_le_bytes());
            }
            (Plan::Bytes, Value::Bytes(value)) => bytes(out, value),
            (Plan::Fixed(size), Value::Bytes(value)) if value.len() == *size => {
                out.extend_from_slice(value);
            }
            (Plan::Decimal { scale, size }, Value::Decimal(value)) => {
                if value.scale != *scale {
                    return wrong(format!(
                        "Decimal value has mismatching scale for given Decimal schema. Schema has \
                         scale {scale}, value has scale {}.",
                        value.scale
                    ));
                }
                decimal(out, &value.to_bytes(), *size)?;
            }
            (Plan::String, Value::String(text)) => bytes(out, text.as_bytes()),
            (Plan::Enum(symbols), Value::String(text)) => {
                match symbols.iter().position(|symbol| symbol == text) {
                    Some(index) => long(out, index as i64),
                    None => return wrong(format!("{text:?} is no symbol of its enum")),
                }
            }
            (Plan::Array(plan), Value::Array(values)) => {
                count(out, values.len());
                values.iter().try_for_each(|value| self.value(out, plan, value))?;
                out.push(0);
            }
            (Plan::Map(plan), Value::Map(map)) => self.map(out, plan, map)?,
            (Plan::Pairs(plans), Value::Map(map)) => {
                count(out, map.len());
                for (key, value) in map {
                    self.value(out, &plans.0, key)?;
                    self.value(out, &plans.1, value)?;
                }
                out.push(0);
            }
            (Plan::Record(record), Value::Struct(structure)) => {
                self.record(out, record, structure)?;
            }
            (Plan::Optional { null, .. }, Value::Null) => long(out, *null),
            (Plan::Optional { null, value: plan }, value) => {
                long(out, 1 - *null);
                self.value(out, plan, value)?;
            }
            (Plan::Union(union), value) => self.union(out, union, value)?,
            (Plan::Anything, value) => anything(out, value, 0)?,
            (_, Value::Null) => return wrong("Found null value for non-optional schema"),
            (plan, value) => return mismatch(plan, value),
        }
        Ok(())
    }

    fn map(&self, out: &mut Vec<u8>, plan: &Plan, map: &Map) -> Result<(), ConvertError> {
        count(out, map.len());
        for (key, value) in map {
            let Value::String(key) = key else {
                return mismatch(&Plan::String, key);
            };
            bytes(out, key.as_bytes());
            self.value(out, plan, value)?;
        }
        out.push(0);
        Ok(())
    }

    fn record(
        &self,
        out: &mut Vec<u8>,
        record: &Record,
        structure: &Struct,
    ) -> Result<(), ConvertError> {
        let known = structure.schema().fields();
        let mut written = 0;
        for (index, field) in record.fields.iter().enumerate() {
            // Mostly the schema was made of the struct's own, and the places are the same.
            let place = match known.get(index) {
                Some(same) if *same.name == *field.name => Some(index),
                _ => known.iter().position(|known| *known.name == *field.name),
            };
            let value = match (place, &field.default) {
                (Some(place), _) => {
                    written += 1;
                    self.field(structure, place)
                }
                (None, Some(default)) => default,
                (None, None) => {
                    return wrong(format!(
                        "the record has no field {}, its schema has",
                        field.name
                    ));
                }
            };
            self.value(out, &field.plan, value).map_err(|error| in_field(error, &field.name))?;
        }
        if written == known.len() {
            return Ok(());
        }
        let lost = known
            .iter()
            .find(|known| !record.fields.iter().any(|field| *field.name == *known.name));
        let lost = lost.map_or("", |lost| &*lost.name);
        wrong(format!("the record has the field {lost}, the registry's schema has not"))
    }

    fn field<'v>(&self, structure: &'v Struct, place: usize) -> &'v Value {
        if self.ignore_default_for_nullables && structure.schema().fields()[place].schema.optional {
            return &structure.values()[place];
        }
        structure.value_at(place)
    }

    fn union(&self, out: &mut Vec<u8>, union: &Union, value: &Value) -> Result<(), ConvertError> {
        if let Value::Struct(structure) = value
            && structure.schema().name.as_deref() == Some(UNION)
        {
            let mut fields = structure.schema().fields().iter().zip(structure.values());
            let Some((field, value)) = fields.find(|(_, value)| !value.is_null()) else {
                return self.union(out, union, &Value::Null);
            };
            let found = union.members.iter().position(|member| *member.name == *field.name);
            let Some(index) = found else {
                return wrong(format!("the union has no member {}", field.name));
            };
            long(out, index as i64);
            return self.value(out, &union.members[index].plan, value);
        }
        let accepts = |plan: &Plan| accepts(plan, value);
        match union.members.iter().position(|member| accepts(&member.plan)) {
            Some(index) => {
                long(out, index as i64);
                self.value(out, &union.members[index].plan, value)
            }
            None if value.is_null() => wrong("Found null value for non-optional schema"),
            None => wrong(format!("no member of the union takes a {}", value.java_class())),
        }
    }
}

fn in_field(error: ConvertError, name: &str) -> ConvertError {
    match error {
        ConvertError::Data(what) => ConvertError::Data(format!("{what} (in field {name})")),
        ask => ask,
    }
}

fn mismatch<T>(plan: &Plan, value: &Value) -> Result<T, ConvertError> {
    let name = match plan {
        Plan::Boolean => "BOOLEAN",
        Plan::Int8 => "INT8",
        Plan::Int16 => "INT16",
        Plan::Int32 | Plan::Date | Plan::Time => "INT32",
        Plan::Int64 | Plan::Timestamp => "INT64",
        Plan::Float => "FLOAT32",
        Plan::Double => "FLOAT64",
        Plan::Bytes | Plan::Fixed(_) | Plan::Decimal { .. } => "BYTES",
        Plan::String | Plan::Enum(_) => "STRING",
        Plan::Array(_) => "ARRAY",
        Plan::Map(_) | Plan::Pairs(_) => "MAP",
        _ => "STRUCT",
    };
    wrong(format!("Invalid type for {name}: class {}", value.java_class()))
}

fn whole(plan: &Plan, value: &Value) -> Result<i64, ConvertError> {
    match value {
        Value::Int8(value) => Ok(i64::from(*value)),
        Value::Int16(value) => Ok(i64::from(*value)),
        Value::Int32(value) => Ok(i64::from(*value)),
        Value::Int64(value) => Ok(*value),
        Value::Null => wrong("Found null value for non-optional schema"),
        value => mismatch(plan, value),
    }
}

/// Whether a member of a union is meant by a value that is not in the struct of the union.
fn accepts(plan: &Plan, value: &Value) -> bool {
    match (plan, value) {
        (Plan::Null, Value::Null)
        | (Plan::Boolean, Value::Boolean(_))
        | (Plan::Int8, Value::Int8(_))
        | (Plan::Int16, Value::Int8(_) | Value::Int16(_))
        | (Plan::Int32, Value::Int8(_) | Value::Int16(_) | Value::Int32(_))
        | (Plan::Int64, Value::Int8(_) | Value::Int16(_) | Value::Int32(_) | Value::Int64(_))
        | (Plan::Date | Plan::Time | Plan::Timestamp, Value::Timestamp(_))
        | (Plan::Float, Value::Float32(_))
        | (Plan::Double, Value::Float32(_) | Value::Float64(_))
        | (Plan::Bytes, Value::Bytes(_))
        | (Plan::Decimal { .. }, Value::Decimal(_))
        | (Plan::String, Value::String(_))
        | (Plan::Array(_), Value::Array(_))
        | (Plan::Map(_) | Plan::Pairs(_), Value::Map(_)) => true,
        (Plan::Fixed(size), Value::Bytes(bytes)) => bytes.len() == *size,
        (Plan::Enum(symbols), Value::String(text)) => symbols.contains(text),
        (Plan::Record(record), Value::Struct(structure)) => {
            same_shape(structure.schema(), &record.schema)
                || structure.schema().name == record.schema.name
        }
        _ => false,
    }
}

/// Two's complement, as few bytes as it takes or exactly `size`.
fn decimal(out: &mut Vec<u8>, unscaled: &[u8], size: Option<usize>) -> Result<(), ConvertError> {
    let Some(size) = size else {
        bytes(out, unscaled);
        return Ok(());
    };
    let Some(missing) = size.checked_sub(unscaled.len()) else {
        return wrong(format!("a decimal of {} bytes is beyond its {size}", unscaled.len()));
    };
    let sign = if unscaled.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    out.resize(out.len() + missing, sign);
    out.extend_from_slice(unscaled);
    Ok(())
}

/// A value without schema: a record with a field for each type, all but one of them null.
fn anything(out: &mut Vec<u8>, value: &Value, depth: u32) -> Result<(), ConvertError> {
    if depth > DEPTH_MAX {
        return wrong(format!("found more than {DEPTH_MAX} arrays and maps in one another"));
    }
    let place = match value {
        Value::Null => 9,
        Value::Boolean(_) => 0,
        Value::Bytes(_) => 1,
        Value::Float64(_) => 2,
        Value::Float32(_) => 3,
        Value::Int8(_) | Value::Int16(_) | Value::Int32(_) => 4,
        Value::Int64(_) => 5,
        Value::String(_) => 6,
        Value::Array(_) => 7,
        Value::Map(_) => 8,
        Value::Decimal(_) | Value::Timestamp(_) | Value::Struct(_) => {
            return wrong(format!(
                "Unknown Java type for schemaless data: class {}",
                value.java_class()
            ));
        }
    };
    // `long` of 0 and 1: null, and the other member of the union.
    out.resize(out.len() + place, 0);
    if place == 9 {
        return Ok(());
    }
    out.push(2);
    match value {
        Value::Boolean(value) => out.push(u8::from(*value)),
        Value::Bytes(value) => bytes(out, value),
        Value::Float64(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Float32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::String(text) => bytes(out, text.as_bytes()),
        Value::Array(values) => {
            count(out, values.len());
            values.iter().try_for_each(|value| anything(out, value, depth + 1))?;
            out.push(0);
        }
        Value::Map(map) => {
            count(out, map.len());
            for (key, value) in map {
                anything(out, key, depth + 1)?;
                anything(out, value, depth + 1)?;
            }
            out.push(0);
        }
        value => long(out, whole(&Plan::Int64, value)?),
    }
    out.resize(out.len() + 8 - place, 0);
    Ok(())
}

/// The length of the one block that an array or map is written in; a block of length 0 comes after
/// the last.
fn count(out: &mut Vec<u8>, count: usize) {
    if count > 0 {
        long(out, count as i64);
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Whether a null of this schema is none at all, on top level.
pub(super) fn is_tombstone(schema: Option<&Schema>, value: &Value) -> bool {
    value.is_null() && schema.is_none_or(|schema| schema.optional)
}

/// Whether a schema is plain bytes, which are on top level written without their length.
pub(super) fn is_raw(plan: &Plan, schema: Option<&Schema>) -> bool {
    matches!(plan, Plan::Bytes) && schema.is_some_and(|schema| schema.type_of() == Type::Bytes)
}
