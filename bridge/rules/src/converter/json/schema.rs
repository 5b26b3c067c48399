//! Connect's schemas as JSON: `{"type":"struct","fields":[…],"optional":false}`.
//!
//! Invariant: a schema that was read has a default that is one of its own values, and no more than
//! [`FIELDS_MAX`] fields in a struct, each name once.

use std::collections::HashSet;
use std::sync::Arc;

use super::decode::Decoder;
use super::encode::Encoder;
use super::names::Names;
use super::reader::Reader;
use super::text;
use super::tree::Tree;
use crate::connect::{Field, Kind, Schema, SchemaRef, Value, validate};
use crate::converter::ConvertError;

/// How many fields a struct may have.
pub(in crate::converter) const FIELDS_MAX: usize = 4_096;

/// Reads a schema; `null` is none.
pub(super) fn read(
    tree: &Tree,
    replace_null_with_default: bool,
) -> Result<Option<SchemaRef>, ConvertError> {
    if *tree == Tree::Null {
        return Ok(None);
    }
    schema(tree, replace_null_with_default).map(Some)
}

fn schema(tree: &Tree, replace_null: bool) -> Result<SchemaRef, ConvertError> {
    let Some(name) = tree.member("type").and_then(Tree::as_str) else {
        return Err(ConvertError::data("Schema must contain 'type' field"));
    };
    let part = |key: &str, missing: &str| match tree.member(key) {
        Some(part) if *part != Tree::Null => schema(part, replace_null),
        _ => Err(ConvertError::data(missing)),
    };
    let kind = match name {
        "boolean" => Kind::Boolean,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        "array" => Kind::Array(part("items", "Array schema did not specify the element type")?),
        "map" => Kind::Map(
            part("keys", "Map schema did not specify the key type")?,
            part("values", "Map schema did not specify the value type")?,
        ),
        "struct" => Kind::Struct(fields(tree, replace_null)?),
        other => return Err(ConvertError::data(format!("Unknown schema type: {other}"))),
    };
    let mut schema = Schema::new(kind);
    schema.optional = tree.member("optional").and_then(Tree::as_boolean).unwrap_or(false);
    schema.name = tree.member("name").and_then(Tree::as_str).map(Arc::from);
    schema.version = tree.member("version").and_then(Tree::as_i32);
    schema.doc = tree.member("doc").and_then(Tree::as_str).map(Arc::from);
    for (key, value) in tree.member("parameters").and_then(Tree::as_object).into_iter().flatten() {
        let Some(value) = value.as_str() else {
            return Err(ConvertError::data("Schema parameters must have string values."));
        };
        schema.parameters.push((Arc::from(key.as_str()), Arc::from(value)));
    }
    match tree.member("default") {
        Some(default) => with_default(schema, default, replace_null),
        None => Ok(Arc::new(schema)),
    }
}

fn fields(tree: &Tree, replace_null: bool) -> Result<Arc<[Field]>, ConvertError> {
    let Some(members) = tree.member("fields").and_then(Tree::as_array) else {
        return Err(ConvertError::data("Struct schema's \"fields\" argument is not an array."));
    };
    if members.len() > FIELDS_MAX {
        return Err(ConvertError::data(format!(
            "Struct schema has {} fields, expected {FIELDS_MAX} at most",
            members.len()
        )));
    }
    let mut seen = HashSet::with_capacity(members.len());
    let mut fields = Vec::with_capacity(members.len());
    for member in members {
        let Some(name) = member.member("field").and_then(Tree::as_str) else {
            return Err(ConvertError::data("Struct schema's field name not specified properly"));
        };
        if !seen.insert(name) {
            return Err(ConvertError::data(format!(
                "Cannot create field because of field name duplication {name}"
            )));
        }
        fields.push(Field::new(name, schema(member, replace_null)?));
    }
    Ok(fields.into())
}

fn with_default(
    schema: Schema,
    default: &Tree,
    replace_null_with_default: bool,
) -> Result<SchemaRef, ConvertError> {
    let mut text = Vec::new();
    default.write(&mut text);
    // A default that is a struct shares the schema without default, as in Java.
    let schema = Arc::new(schema);
    let mut decoder = Decoder { replace_null_with_default, names: &mut Names::new() };
    let value = decoder.with_schema(&mut Reader::new(&text), &schema)?;
    if value.is_null() {
        return Ok(schema);
    }
    validate(None, &schema, &value)
        .map_err(|error| ConvertError::data(format!("Invalid default value: {error}")))?;
    let mut schema = Arc::unwrap_or_clone(schema);
    schema.default = Some(value);
    Ok(Arc::new(schema))
}

/// Writes a schema; its default in the words of `encoder`.
pub(super) fn write(
    out: &mut Vec<u8>,
    schema: &Schema,
    encoder: &Encoder,
) -> Result<(), ConvertError> {
    object(out, schema, encoder, None)
}

fn object(
    out: &mut Vec<u8>,
    schema: &Schema,
    encoder: &Encoder,
    field: Option<&str>,
) -> Result<(), ConvertError> {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(schema.type_of().json_name().as_bytes());
    out.push(b'"');
    match &schema.kind {
        Kind::Array(element) => {
            out.extend_from_slice(b",\"items\":");
            write(out, element, encoder)?;
        }
        Kind::Map(keys, values) => {
            out.extend_from_slice(b",\"keys\":");
            write(out, keys, encoder)?;
            out.extend_from_slice(b",\"values\":");
            write(out, values, encoder)?;
        }
        Kind::Struct(fields) => {
            out.extend_from_slice(b",\"fields\":[");
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                object(out, &field.schema, encoder, Some(&field.name))?;
            }
            out.push(b']');
        }
        _ => {}
    }
    out.extend_from_slice(b",\"optional\":");
    out.extend_from_slice(if schema.optional { b"true" } else { b"false" });
    if let Some(name) = &schema.name {
        out.extend_from_slice(b",\"name\":");
        text::string(out, name);
    }
    if let Some(version) = schema.version {
        out.extend_from_slice(b",\"version\":");
        text::integer(out, i64::from(version));
    }
    if let Some(doc) = &schema.doc {
        out.extend_from_slice(b",\"doc\":");
        text::string(out, doc);
    }
    if !schema.parameters.is_empty() {
        out.extend_from_slice(b",\"parameters\":");
        for (index, (key, value)) in schema.parameters.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            text::string(out, key);
            out.push(b':');
            text::string(out, value);
        }
        out.push(b'}');
    }
    if let Some(default) = &schema.default {
        out.extend_from_slice(b",\"default\":");
        default_value(out, schema, default, encoder)?;
    }
    if let Some(field) = field {
        out.extend_from_slice(b",\"field\":");
        text::string(out, field);
    }
    out.push(b'}');
    Ok(())
}

fn default_value(
    out: &mut Vec<u8>,
    schema: &Schema,
    default: &Value,
    encoder: &Encoder,
) -> Result<(), ConvertError> {
    // The schema that a default struct carries has no default itself, so it speaks for itself.
    match default {
        Value::Struct(structure) => encoder.write(out, Some(structure.schema()), default),
        _ => encoder.write(out, Some(schema), default),
    }
}
