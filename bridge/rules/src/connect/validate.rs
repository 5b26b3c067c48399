//! Whether a value is one of a schema, as Connect's `ConnectSchema.validateValue` says.

use super::{Kind, LogicalType, Schema, Value};

/// A value that is not one of its schema, in Connect's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaMismatch(pub String);

/// Judges a value and its parts; a null is good where the schema is optional or has a default.
///
/// The depth of values is bounded by that of schemas, which converters bound.
///
/// # Errors
/// With the field's name, what was found and what the schema expects.
pub fn validate(field: Option<&str>, schema: &Schema, value: &Value) -> Result<(), SchemaMismatch> {
    if value.is_null() {
        if schema.optional || schema.default.is_some() {
            return Ok(());
        }
        let subject = field.map_or_else(String::new, |name| format!(" field: \"{name}\","));
        return Err(SchemaMismatch(format!(
            "Invalid value: null used for required{subject} schema type: {}",
            schema.type_of().json_name().to_uppercase()
        )));
    }
    let good = match (&schema.kind, value, schema.logical_type()) {
        (_, Value::Decimal(_), Some(LogicalType::Decimal))
        | (
            _,
            Value::Timestamp(_),
            Some(LogicalType::Date | LogicalType::Time | LogicalType::Timestamp),
        ) => true,
        (_, _, Some(_)) | (_, Value::Decimal(_) | Value::Timestamp(_), None) => false,
        (Kind::Array(element), Value::Array(values), None) => {
            for value in values {
                validate(field, element, value)?;
            }
            true
        }
        (Kind::Map(keys, values), Value::Map(map), None) => {
            for (key, value) in map {
                validate(field, keys, key)?;
                validate(field, values, value)?;
            }
            true
        }
        (Kind::Struct(_), Value::Struct(structure), None) => {
            // The parts of a struct are judged as they are put.
            **structure.schema() == *schema
                || structure.schema().kind == schema.kind && structure.schema().name == schema.name
        }
        (_, value, None) => value.type_of() == Some(schema.type_of()),
    };
    if good {
        return Ok(());
    }
    let subject = field.map_or_else(String::new, |name| format!(" for field: \"{name}\""));
    Err(SchemaMismatch(format!(
        "Invalid Java object for schema{} with type {}: class {}{subject}",
        schema.name.as_deref().map_or_else(String::new, |name| format!(" \"{name}\"")),
        schema.type_of().json_name().to_uppercase(),
        value.java_class(),
    )))
}
