//! The new value as a map without schema.

use std::sync::Arc;

use indexmap::map::Entry;

use super::prune::pruned;
use super::walk::{walk, written};
use super::{Item, Parts, Projection, ProjectionError, Root, found};
use crate::connect::{Map, Value};
use crate::kcql::Field;

impl Projection {
    pub(super) fn mapped(&self, parts: &Parts<'_>) -> Result<Map, ProjectionError> {
        let mut out = Map::new();
        for item in &self.items {
            match item {
                Item::One { field, name } => {
                    if let Some(value) = self.one(parts, field)? {
                        put(&mut out, name, value);
                    }
                }
                Item::All { root, path, except } => {
                    self.all(parts, *root, path, except, &mut out)?;
                }
            }
        }
        Ok(out)
    }

    fn one(&self, parts: &Parts<'_>, field: &Field) -> Result<Option<Value>, ProjectionError> {
        let record = parts.record;
        let value = match field {
            Field::Value(path) => {
                let column = || written(Root::Value, path);
                if self.ignored.contains(path) {
                    return Ok(None);
                }
                let value = walk(&parts.value.value, path, self.missing, column)?;
                return Ok(value.map(|value| pruned(value, &self.ignored, path)));
            }
            Field::Key(path) => {
                let column = || written(Root::Key, path);
                return Ok(walk(&parts.key.value, path, self.missing, column)?.cloned());
            }
            Field::Header(name) => parts.header(name).map(|datum| datum.value.clone()),
            Field::Topic => Some(Value::string(parts.topic)),
            Field::Partition => record.partition.map(Value::Int32),
            Field::Offset => record.offset.map(Value::Int64),
            Field::Timestamp => record.timestamp.map(Value::Int64),
        };
        match (value, self.missing) {
            (None, super::Missing::Refused) => {
                Err(ProjectionError::Missing { column: field.to_string() })
            }
            (value, _) => Ok(value),
        }
    }

    fn all(
        &self,
        parts: &Parts<'_>,
        root: Root,
        path: &[String],
        except: &[String],
        out: &mut Map,
    ) -> Result<(), ProjectionError> {
        let column = || format!("{}.*", written(root, path));
        let Some(value) = walk(&parts.datum(root).value, path, self.missing, column)? else {
            return Ok(());
        };
        let ignored: &[Vec<String>] = if root == Root::Value { &self.ignored } else { &[] };
        let mut inside = path.to_vec();
        let mut field = |name: &Arc<str>, value: &Value| {
            if except.iter().any(|taken| **taken == **name) {
                return;
            }
            if ignored.is_empty() {
                return put(out, name, value.clone());
            }
            inside.push(name.to_string());
            if !ignored.contains(&inside) {
                put(out, name, pruned(value, ignored, &inside));
            }
            inside.pop();
        };
        match value {
            Value::Null => {}
            Value::Map(map) => {
                // Keys that are no text have no name that a column could have.
                for (key, value) in map {
                    if let Value::String(name) = key {
                        field(name, value);
                    }
                }
            }
            Value::Struct(structure) => {
                for (index, at) in structure.schema().fields().iter().enumerate() {
                    field(&at.name, structure.value_at(index));
                }
            }
            other => {
                return Err(ProjectionError::NoFields { column: column(), found: found(other) });
            }
        }
        Ok(())
    }
}

/// Puts a field in under its name, or under the first of `name_1`, `name_2` … that is free.
fn put(out: &mut Map, name: &Arc<str>, value: Value) {
    let mut key = Value::String(Arc::clone(name));
    for count in 1.. {
        match out.entry(key) {
            Entry::Vacant(place) => {
                place.insert(value);
                return;
            }
            Entry::Occupied(_) => key = Value::string(format!("{name}_{count}")),
        }
    }
}
