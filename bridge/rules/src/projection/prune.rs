//! Taking ignored fields out of what a column takes.
//!
//! The depth of recursion is that of the ignored paths, which the parser bounds.

use std::sync::Arc;

use super::walk::entry;
use crate::connect::{Field, Kind, Map, Schema, SchemaRef, Struct, Type, Value};

/// A value that stands at `path`, without the ignored fields inside it.
pub(super) fn pruned(value: &Value, ignored: &[Vec<String>], path: &[String]) -> Value {
    let inside = inside(ignored, path);
    if inside.is_empty() { value.clone() } else { without(value, &inside) }
}

/// A schema that stands at `path`, without the ignored fields inside it; `None`: it stays.
pub(super) fn pruned_schema(
    schema: &SchemaRef,
    ignored: &[Vec<String>],
    path: &[String],
) -> Option<SchemaRef> {
    let inside = inside(ignored, path);
    if inside.is_empty() { None } else { schema_without(schema, &inside) }
}

/// The rest of the ignored paths that go on inside `path`.
fn inside<'i>(ignored: &'i [Vec<String>], path: &[String]) -> Vec<&'i [String]> {
    let rests = ignored.iter().filter_map(|ignored| ignored.strip_prefix(path));
    rests.filter(|rest| !rest.is_empty()).collect()
}

/// Those that go on inside a field.
fn below<'i>(paths: &[&'i [String]], name: &str) -> Vec<&'i [String]> {
    let below = paths.iter().filter_map(|path| path.split_first());
    below.filter(|(first, rest)| *first == name && !rest.is_empty()).map(|(_, rest)| rest).collect()
}

fn ends(paths: &[&[String]], name: &str) -> bool {
    paths.iter().any(|path| matches!(path, [only] if only == name))
}

fn without(value: &Value, paths: &[&[String]]) -> Value {
    match value {
        Value::Map(map) => {
            // Most maps have none of the fields.
            if !paths.iter().any(|path| path.first().is_some_and(|name| entry(map, name).is_some()))
            {
                return value.clone();
            }
            let mut out = Map::with_capacity(map.len());
            for (key, value) in map {
                let name = key.as_str().unwrap_or_default();
                if key.as_str().is_some() && ends(paths, name) {
                    continue;
                }
                let below = below(paths, name);
                let value = if below.is_empty() { value.clone() } else { without(value, &below) };
                out.insert(key.clone(), value);
            }
            Value::Map(out)
        }
        Value::Struct(structure) => match schema_without(structure.schema(), paths) {
            Some(schema) => struct_without(structure, &schema, paths),
            None => value.clone(),
        },
        // IGNORE reaches into every element, but not into lists of lists.
        Value::Array(values) => {
            let element = |value: &Value| match value {
                Value::Map(_) | Value::Struct(_) => without(value, paths),
                other => other.clone(),
            };
            Value::Array(values.iter().map(element).collect())
        }
        other => other.clone(),
    }
}

/// A struct as its schema without the fields has it.
fn struct_without(structure: &Struct, schema: &SchemaRef, paths: &[&[String]]) -> Value {
    let mut out = Struct::new(Arc::clone(schema));
    let kept = structure.schema().fields().iter().enumerate();
    let kept = kept.filter(|(_, field)| !ends(paths, &field.name));
    for (to, (from, field)) in kept.enumerate() {
        let value = &structure.values()[from];
        let below = below(paths, &field.name);
        let value = if below.is_empty() { value.clone() } else { without(value, &below) };
        out.set_at(to, value);
    }
    Value::Struct(Box::new(out))
}

/// A schema without fields; `None` where it has none of them.
fn schema_without(schema: &SchemaRef, paths: &[&[String]]) -> Option<SchemaRef> {
    let kind = match &schema.kind {
        Kind::Struct(fields) => {
            let mut changed = false;
            let mut kept = Vec::with_capacity(fields.len());
            for field in fields.iter() {
                if ends(paths, &field.name) {
                    changed = true;
                    continue;
                }
                let below = below(paths, &field.name);
                let inner =
                    if below.is_empty() { None } else { schema_without(&field.schema, &below) };
                changed |= inner.is_some();
                let inner = inner.unwrap_or_else(|| Arc::clone(&field.schema));
                kept.push(Field::new(Arc::clone(&field.name), inner));
            }
            if !changed {
                return None;
            }
            Kind::Struct(kept.into())
        }
        Kind::Array(element) if element.type_of() == Type::Struct => {
            Kind::Array(schema_without(element, paths)?)
        }
        _ => return None,
    };
    // A default is of the old shape.
    Some(Arc::new(Schema { kind, default: None, ..Schema::clone(schema) }))
}
