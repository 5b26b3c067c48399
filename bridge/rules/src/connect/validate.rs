//! Whether a value is one of a schema, as Connect's `ConnectSchema.validateValue` says.

use std::fmt::{self, Display};

use super::{Kind, LogicalType, Schema, Struct, Value};

/// A value that is not one of its schema, in Connect's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaMismatch(pub String);

/// Judges a value and its parts. A null is good where the schema is optional; a default does not
/// make it good, but for the fields of a struct inside the value.
///
/// The depth of values is bounded by that of schemas, which converters bound.
///
/// # Errors
/// With the field's name, what was found and what the schema expects.
pub fn validate(field: Option<&str>, schema: &Schema, value: &Value) -> Result<(), SchemaMismatch> {
    judge(schema, value, Place::Whole(field))
}

/// Where a value stands, for messages.
#[derive(Clone, Copy)]
enum Place<'a> {
    Whole(Option<&'a str>),
    Part(&'static str, &'a Place<'a>),
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(None) => f.write_str("value"),
            Self::Whole(Some(field)) => write!(f, "field: \"{field}\""),
            Self::Part(part, of) => write!(f, "{part} {of}"),
        }
    }
}

fn judge(schema: &Schema, value: &Value, place: Place<'_>) -> Result<(), SchemaMismatch> {
    if value.is_null() {
        if schema.optional {
            return Ok(());
        }
        return Err(SchemaMismatch(format!(
            "Invalid value: null used for required {place}, schema type: {}",
            schema.type_of().java_name()
        )));
    }
    if !is_of(schema, value) {
        let name = schema.name.as_deref().map_or_else(String::new, |name| format!(" \"{name}\""));
        return Err(SchemaMismatch(format!(
            "Invalid Java object for schema{name} with type {}: class {} for {place}",
            schema.type_of().java_name(),
            value.java_class(),
        )));
    }
    match (&schema.kind, value) {
        (Kind::Array(element), Value::Array(values)) => {
            let place = Place::Part("element of array", &place);
            values.iter().try_for_each(|value| judge(element, value, place))
        }
        (Kind::Map(keys, values), Value::Map(map)) => {
            let of_key = Place::Part("key of map", &place);
            let of_value = Place::Part("value of map", &place);
            map.iter().try_for_each(|(key, value)| {
                judge(keys, key, of_key)?;
                judge(values, value, of_value)
            })
        }
        (Kind::Struct(_), Value::Struct(structure)) => judge_struct(schema, structure),
        _ => Ok(()),
    }
}

/// Whether a value's own type is that of a schema; a logical name decides before the type.
fn is_of(schema: &Schema, value: &Value) -> bool {
    match schema.name.as_deref().and_then(LogicalType::named) {
        Some(LogicalType::Decimal) => matches!(value, Value::Decimal(_)),
        Some(LogicalType::Date | LogicalType::Time | LogicalType::Timestamp) => {
            matches!(value, Value::Timestamp(_))
        }
        None => value.type_of() == Some(schema.type_of()),
    }
}

fn judge_struct(schema: &Schema, structure: &Struct) -> Result<(), SchemaMismatch> {
    let own: &Schema = structure.schema();
    if !std::ptr::eq(own, schema) && own != schema {
        return Err(SchemaMismatch("Struct schemas do not match.".to_owned()));
    }
    for (field, value) in own.fields().iter().zip(structure.values()) {
        let stands_for = field.schema.optional || field.schema.default.is_some();
        if !(value.is_null() && stands_for) {
            judge(&field.schema, value, Place::Whole(Some(&field.name)))?;
        }
    }
    Ok(())
}
