//! A schema for JSON that has none: objects are structs, whole numbers `int64`, others `double`.
//!
//! The elements of an array have one schema that all of them fit, which upstream takes of the first:
//! whole numbers among others become doubles if they are exact as such, objects with different
//! members a struct in which those that are missing somewhere are optional.
//!
//! Invariant: the value that comes out is one of the schema that comes out.

use std::sync::Arc;

use indexmap::IndexMap;
use num_bigint::BigInt;

use crate::connect::{Datum, Decimal, Field, Kind, LogicalType, Schema, SchemaRef, Struct, Value};
use crate::converter::ConvertError;
use crate::converter::json::schema::FIELDS_MAX;

/// Which fields are optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// All but structs.
    Optional,
    /// Those that are null, and arrays.
    OptionalNull,
}

/// What is known of values so far.
#[derive(Debug)]
struct Inferred {
    shape: Shape,
    /// Some of them are null.
    nullable: bool,
    /// How many there are.
    count: usize,
}

#[derive(Debug)]
enum Shape {
    /// Nothing but nulls.
    Unknown,
    Boolean,
    Integer,
    /// Whole numbers beyond 64 bits.
    Large,
    Double,
    Text,
    Array(Box<Inferred>),
    /// The members, and how many objects they are of.
    Object(IndexMap<Arc<str>, Inferred>, usize),
}

/// The value with a schema; that of an earlier value of the same name, if it is the same.
pub(super) fn inferred(
    name: impl FnOnce() -> String,
    value: Value,
    style: Style,
    earlier: Option<&SchemaRef>,
) -> Result<Datum, ConvertError> {
    if let Some(earlier) = earlier
        && fits(&value, earlier, style)
    {
        let value = fitted(value, earlier);
        return Ok(Datum::with_schema(Arc::clone(earlier), value));
    }
    let made = look(&value)?.schema(&name(), style);
    let schema = match earlier {
        Some(earlier) if **earlier == made => Arc::clone(earlier),
        _ => Arc::new(made),
    };
    let value = conform(value, &schema)?;
    Ok(Datum::with_schema(schema, value))
}

/// Whether what is inferred of the value is this schema, which was inferred of another. False also
/// where that takes a longer look. The depth is that of the JSON.
fn fits(value: &Value, schema: &Schema, style: Style) -> bool {
    match (value, &schema.kind) {
        // Of nulls alone nobody knows the type.
        (Value::Null, Kind::String) => schema.optional,
        (Value::Boolean(_), Kind::Boolean)
        | (Value::Int64(_), Kind::Int64)
        | (Value::Float64(_), Kind::Float64)
        | (Value::String(_), Kind::String) => schema.optional == (style == Style::Optional),
        (Value::Map(map), Kind::Struct(fields)) => {
            !schema.optional
                && map.len() == fields.len()
                && map.iter().zip(&**fields).all(|((key, value), field)| {
                    key.as_str() == Some(&field.name) && fits(value, &field.schema, style)
                })
        }
        _ => false,
    }
}

/// The value as one of the schema, which it fits.
fn fitted(value: Value, schema: &SchemaRef) -> Value {
    match value {
        Value::Map(map) => {
            let mut structure = Struct::new(Arc::clone(schema));
            for (index, (_, value)) in map.into_iter().enumerate() {
                structure.set_at(index, fitted(value, &schema.fields()[index].schema));
            }
            Value::Struct(Box::new(structure))
        }
        value => value,
    }
}

/// The depth is that of the JSON, which its reader bounds.
fn look(value: &Value) -> Result<Inferred, ConvertError> {
    let shape = match value {
        Value::Null => return Ok(Inferred { shape: Shape::Unknown, nullable: true, count: 1 }),
        Value::Boolean(_) => Shape::Boolean,
        Value::Int64(_) => Shape::Integer,
        Value::Decimal(_) => Shape::Large,
        Value::Float64(_) => Shape::Double,
        Value::String(_) => Shape::Text,
        Value::Array(values) => {
            let nullable = values.is_empty();
            let mut all = Inferred { shape: Shape::Unknown, nullable, count: 0 };
            for value in values {
                all = merge(all, look(value)?)?;
            }
            Shape::Array(Box::new(all))
        }
        Value::Map(map) => {
            if map.len() > FIELDS_MAX {
                return Err(ConvertError::data(format!(
                    "found an object of {} members, expected {FIELDS_MAX} at most",
                    map.len()
                )));
            }
            let mut fields = IndexMap::with_capacity(map.len());
            for (key, value) in map {
                if let Value::String(key) = key {
                    fields.insert(Arc::clone(key), look(value)?);
                }
            }
            Shape::Object(fields, 1)
        }
        other => {
            let class = other.java_class();
            return Err(ConvertError::data(format!("found a {class}, expected JSON")));
        }
    };
    Ok(Inferred { shape, nullable: false, count: 1 })
}

fn merge(a: Inferred, b: Inferred) -> Result<Inferred, ConvertError> {
    let nullable = a.nullable || b.nullable;
    let shape = match (a.shape, b.shape) {
        (Shape::Unknown, shape) | (shape, Shape::Unknown) => shape,
        (Shape::Boolean, Shape::Boolean) => Shape::Boolean,
        (Shape::Integer, Shape::Integer) => Shape::Integer,
        (Shape::Text, Shape::Text) => Shape::Text,
        (Shape::Integer | Shape::Large, Shape::Integer | Shape::Large) => Shape::Large,
        (Shape::Integer | Shape::Double, Shape::Integer | Shape::Double) => Shape::Double,
        (Shape::Array(a), Shape::Array(b)) => Shape::Array(Box::new(merge(*a, *b)?)),
        (Shape::Object(mut a, first), Shape::Object(b, second)) => {
            for (name, field) in b {
                match a.get_mut(&name) {
                    Some(known) => {
                        let unknown = Inferred { shape: Shape::Unknown, nullable: false, count: 0 };
                        *known = merge(std::mem::replace(known, unknown), field)?;
                    }
                    None => drop(a.insert(name, field)),
                }
            }
            if a.len() > FIELDS_MAX {
                return Err(ConvertError::data(format!(
                    "found objects of more than {FIELDS_MAX} different members in an array"
                )));
            }
            Shape::Object(a, first + second)
        }
        _ => {
            return Err(ConvertError::data(
                "found an array with elements of different types, which no schema describes",
            ));
        }
    };
    Ok(Inferred { shape, nullable, count: a.count + b.count })
}

impl Inferred {
    fn schema(&self, name: &str, style: Style) -> Schema {
        let mut schema = match &self.shape {
            Shape::Unknown | Shape::Text => Schema::new(Kind::String),
            Shape::Boolean => Schema::new(Kind::Boolean),
            Shape::Integer => Schema::new(Kind::Int64),
            Shape::Double => Schema::new(Kind::Float64),
            Shape::Large => Schema::logical(LogicalType::Decimal, Some(0)),
            Shape::Array(element) => {
                Schema::new(Kind::Array(Arc::new(element.schema(name, style))))
            }
            Shape::Object(fields, objects) => {
                let fields = fields.iter().map(|(name, field)| {
                    let mut schema = field.schema(name, style);
                    schema.optional |= field.count < *objects;
                    Field::new(Arc::clone(name), schema)
                });
                let mut schema = Schema::structure(fields.collect());
                schema.name = Some(Arc::from(name.replace('/', "_")));
                schema
            }
        };
        schema.optional = self.nullable
            || match self.shape {
                Shape::Object(..) => false,
                Shape::Array(_) | Shape::Unknown | Shape::Large => true,
                _ => style == Style::Optional,
            };
        schema
    }
}

/// The value as one of the schema, which was made of it.
fn conform(value: Value, schema: &SchemaRef) -> Result<Value, ConvertError> {
    Ok(match (value, &schema.kind) {
        (Value::Int64(whole), Kind::Float64) => {
            let double = whole as f64;
            if double as i128 != i128::from(whole) {
                return Err(ConvertError::data(format!(
                    "found {whole} in an array of doubles, which is none exactly"
                )));
            }
            Value::Float64(double)
        }
        (Value::Int64(whole), Kind::Bytes) => {
            Value::Decimal(Decimal { unscaled: BigInt::from(whole), scale: 0 })
        }
        (Value::Array(values), Kind::Array(element)) => {
            let values = values.into_iter().map(|value| conform(value, element));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        (Value::Map(mut map), Kind::Struct(fields)) => {
            let mut structure = Struct::new(Arc::clone(schema));
            for (index, field) in fields.iter().enumerate() {
                if let Some(value) = map.get_mut(&Value::String(Arc::clone(&field.name))) {
                    structure.set_at(index, conform(std::mem::take(value), &field.schema)?);
                }
            }
            Value::Struct(Box::new(structure))
        }
        (value, _) => value,
    })
}
