//! The defaults of an Avro schema: JSON in which bytes are text of the characters 0 to 255.

use std::sync::Arc;

use bytes::Bytes;

use super::plan::{Plan, RecordField};
use crate::connect::{Decimal, Kind, LogicalType, Map, Schema, SchemaRef, Struct, Value};
use crate::converter::ConvertError;
use crate::converter::json::decode::moment;
use crate::converter::json::text;
use crate::converter::json::tree::Tree;

fn invalid<T>(default: &Tree) -> Result<T, ConvertError> {
    let mut text = Vec::new();
    default.write(&mut text);
    let text = String::from_utf8_lossy(&text);
    Err(ConvertError::data(format!("Invalid default value in Avro schema: {text}")))
}

/// The value that a default stands for.
pub(super) fn default_value(
    plan: &Plan,
    schema: &Schema,
    default: &Tree,
) -> Result<Value, ConvertError> {
    let whole = || default.as_number().and_then(|number| number.as_i64());
    let int = || default.as_i32();
    let text = || default.as_str();
    let value = match plan {
        Plan::Null => (*default == Tree::Null).then_some(Value::Null),
        Plan::Boolean => default.as_boolean().map(Value::Boolean),
        Plan::Int8 => int().and_then(|value| value.try_into().ok()).map(Value::Int8),
        Plan::Int16 => int().and_then(|value| value.try_into().ok()).map(Value::Int16),
        Plan::Int32 => int().map(Value::Int32),
        Plan::Date => int().map(|days| moment(LogicalType::Date, days)).transpose()?,
        Plan::Time => int().map(|ms| moment(LogicalType::Time, ms)).transpose()?,
        Plan::Int64 => whole().map(Value::Int64),
        Plan::Timestamp => whole().map(Value::Timestamp),
        Plan::Float => float(default).map(|value| Value::Float32(value as f32)),
        Plan::Double => float(default).map(Value::Float64),
        Plan::Bytes => text().and_then(latin1).map(|bytes| Value::Bytes(bytes.into())),
        Plan::Fixed(size) => {
            let bytes = text().and_then(latin1).filter(|bytes| bytes.len() == *size);
            bytes.map(|bytes| Value::Bytes(Bytes::from(bytes)))
        }
        Plan::Decimal { scale, .. } => {
            let bytes = text().and_then(latin1);
            bytes.map(|bytes| Value::Decimal(Decimal::from_bytes(&bytes, *scale)))
        }
        Plan::String => text().map(Value::string),
        Plan::Enum(symbols) => {
            let known = text().and_then(|text| symbols.iter().find(|symbol| ***symbol == *text));
            known.map(|symbol| Value::String(Arc::clone(symbol)))
        }
        Plan::Array(plan) => {
            let (Kind::Array(element), Some(values)) = (&schema.kind, default.as_array()) else {
                return invalid(default);
            };
            let values = values.iter().map(|value| default_value(plan, element, value));
            Some(Value::Array(values.collect::<Result<_, _>>()?))
        }
        Plan::Map(plan) => {
            let (Kind::Map(_, values), Some(members)) = (&schema.kind, default.as_object()) else {
                return invalid(default);
            };
            let mut map = Map::with_capacity(members.len());
            for (key, member) in members {
                map.insert(Value::string(key.as_str()), default_value(plan, values, member)?);
            }
            Some(Value::Map(map))
        }
        Plan::Pairs(plans) => Some(pairs(plans, schema, default)?),
        Plan::Record(record) => Some(record_value(&record.schema, &record.fields, default)?),
        // Avro's rule is that a default is one of the first member; either is understood.
        Plan::Optional { .. } if *default == Tree::Null => Some(Value::Null),
        Plan::Optional { value, .. } => Some(default_value(value, schema, default)?),
        Plan::Union(union) => {
            let member = union.members.first();
            return match member.and_then(|member| Some((member, member.field?))) {
                Some((member, field)) => {
                    let inner = &union.schema.fields()[field].schema;
                    let mut structure = Struct::new(Arc::clone(&union.schema));
                    structure.set_at(field, default_value(&member.plan, inner, default)?);
                    Ok(Value::Struct(Box::new(structure)))
                }
                None if *default == Tree::Null => Ok(Value::Null),
                None => invalid(default),
            };
        }
        Plan::Anything => None,
    };
    match value {
        Some(value) => Ok(value),
        None => invalid(default),
    }
}

/// A struct; what the default leaves out has its own default.
pub(super) fn record_value(
    schema: &SchemaRef,
    fields: &[RecordField],
    default: &Tree,
) -> Result<Value, ConvertError> {
    let Some(members) = default.as_object() else {
        return invalid(default);
    };
    let mut structure = Struct::new(Arc::clone(schema));
    for (index, (field, known)) in fields.iter().zip(schema.fields()).enumerate() {
        let value = match (members.get(&*field.name), &field.default) {
            (Some(member), _) => default_value(&field.plan, &known.schema, member)?,
            (None, Some(default)) => default.clone(),
            (None, None) => return invalid(default),
        };
        structure.set_at(index, value);
    }
    Ok(Value::Struct(Box::new(structure)))
}

/// A map as an array of arrays of two, or as Avro has it: an array of records.
fn pairs(plans: &(Plan, Plan), schema: &Schema, default: &Tree) -> Result<Value, ConvertError> {
    let (Kind::Map(keys, values), Some(entries)) = (&schema.kind, default.as_array()) else {
        return invalid(default);
    };
    let mut map = Map::with_capacity(entries.len());
    for entry in entries {
        let (key, value) = match (entry.as_array(), entry.member("key"), entry.member("value")) {
            (Some([key, value]), ..) | (None, Some(key), Some(value)) => (key, value),
            _ => return invalid(default),
        };
        let key = default_value(&plans.0, keys, key)?;
        map.insert(key, default_value(&plans.1, values, value)?);
    }
    Ok(Value::Map(map))
}

fn float(default: &Tree) -> Option<f64> {
    match default {
        Tree::String(name) => text::special(name),
        other => other.as_number()?.as_f64(),
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}
