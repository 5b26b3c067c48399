//! Maps and structs as transforms ask for them, and schemas as they build them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Failure;
use crate::connect::{Field, Kind, Map, Schema, SchemaRef, Struct, Type, Value, validate};

/// The map of a value without schema.
pub(super) fn require_map(value: Value, purpose: &str) -> Result<Map, Failure> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(no_map(&other, purpose)),
    }
}

/// The same, to look at.
pub(super) fn require_map_ref<'a>(value: &'a Value, purpose: &str) -> Result<&'a Map, Failure> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(no_map(other, purpose)),
    }
}

fn no_map(value: &Value, purpose: &str) -> Failure {
    Failure::data(format!(
        "Only Map objects supported in absence of schema for [{purpose}], found: {}",
        value.java_class()
    ))
}

/// The struct of a value with schema.
pub(super) fn require_struct(value: Value, purpose: &str) -> Result<Struct, Failure> {
    match value {
        Value::Struct(structure) => Ok(*structure),
        other => Err(no_struct(&other, purpose)),
    }
}

/// The same, to look at.
pub(super) fn require_struct_ref<'a>(
    value: &'a Value,
    purpose: &str,
) -> Result<&'a Struct, Failure> {
    match value {
        Value::Struct(structure) => Ok(structure),
        other => Err(no_struct(other, purpose)),
    }
}

fn no_struct(value: &Value, purpose: &str) -> Failure {
    Failure::data(format!(
        "Only Struct objects supported for [{purpose}], found: {}",
        value.java_class()
    ))
}

/// An entry of a map by the name of a field.
pub(super) fn entry<'a>(map: &'a Map, name: &str) -> Option<&'a Value> {
    map.get(&Value::string(name))
}

/// The fields of a struct's schema.
pub(super) fn fields_of(schema: &Schema) -> Result<&[Field], Failure> {
    if schema.type_of() == Type::Struct {
        Ok(schema.fields())
    } else {
        Err(Failure::data("Cannot list fields on non-struct type"))
    }
}

/// A field of a struct's schema.
pub(super) fn field_of<'a>(schema: &'a Schema, name: &str) -> Result<Option<&'a Field>, Failure> {
    if schema.type_of() == Type::Struct {
        Ok(schema.field(name).map(|(_, field)| field))
    } else {
        Err(Failure::data("Cannot look up fields on non-struct type"))
    }
}

/// A field's value, with the default in the place of null if so configured.
pub(super) fn field_value(structure: &Struct, index: usize, with_default: bool) -> &Value {
    if with_default { structure.value_at(index) } else { &structure.values()[index] }
}

/// All values of a struct to keep, with defaults in the place of null if so configured.
pub(super) fn all_values(structure: Struct, with_default: bool) -> Vec<Value> {
    let schema = Arc::clone(structure.schema());
    let mut values = structure.into_values();
    if with_default {
        for (value, field) in values.iter_mut().zip(schema.fields()) {
            if value.is_null()
                && let Some(default) = &field.schema.default
            {
                *value = default.clone();
            }
        }
    }
    values
}

/// A schema of another kind with what is said about the first: name, version, words, parameters.
pub(super) fn basics(source: &Schema, kind: Kind) -> Schema {
    Schema {
        kind,
        optional: false,
        name: source.name.clone(),
        version: source.version,
        doc: source.doc.clone(),
        parameters: source.parameters.clone(),
        default: None,
    }
}

/// The kind of a struct of these fields.
pub(super) fn struct_kind(fields: Vec<Field>) -> Result<Kind, Failure> {
    let mut names = BTreeSet::new();
    for field in &fields {
        if field.name.is_empty() {
            return Err(Failure::schema("fieldName cannot be null."));
        }
        if !names.insert(&*field.name) {
            return Err(Failure::schema(format!(
                "Cannot create field because of field name duplication {}",
                field.name
            )));
        }
    }
    Ok(Kind::Struct(fields.into()))
}

/// Gives a schema its default, which has to be one of it.
pub(super) fn set_default(schema: &mut Schema, default: Value) -> Result<(), Failure> {
    if default.is_null() {
        return Ok(());
    }
    validate(None, schema, &default).map_err(|_| Failure::schema("Invalid default value"))?;
    schema.default = Some(default);
    Ok(())
}

/// A struct of a schema with these values, in its order; each has to be one of its field.
pub(super) fn build(schema: &SchemaRef, values: Vec<Value>) -> Result<Value, Failure> {
    build_with(schema, values, |_, value| Ok(value))
}

/// The same, with values that are made one after the other of others: the first field that fails
/// is told, as Java goes through them.
pub(super) fn build_with(
    schema: &SchemaRef,
    values: Vec<Value>,
    make: impl Fn(usize, Value) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let mut structure = Struct::new(Arc::clone(schema));
    for (index, value) in values.into_iter().enumerate() {
        put(&mut structure, index, make(index, value)?)?;
    }
    Ok(Value::Struct(Box::new(structure)))
}

/// Sets a field by its place, as Java's `Struct.put`.
pub(super) fn put(structure: &mut Struct, index: usize, value: Value) -> Result<(), Failure> {
    let field = &structure.schema().fields()[index];
    validate(Some(&field.name), &field.schema, &value)?;
    structure.set_at(index, value);
    Ok(())
}
