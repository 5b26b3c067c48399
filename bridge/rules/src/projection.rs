//! SELECT and IGNORE applied to a record: which of its parts the new value has, under which names.
//!
//! A value that is a struct stays one: its new schema is made once for each schema that comes and
//! is then the same allocation for all its records. A map stays a map without schema.
//!
//! Invariant: every column is in the new value once, or its field is missing in the record; nothing
//! is rounded or turned into text. The schemas that are remembered are at most [`REMEMBERED_MAX`].

mod map;
mod prune;
mod structure;
mod walk;

use std::sync::Arc;

use crate::connect::{ConnectRecord, Datum, SchemaRef, Value};
use crate::kcql::{Field, Selection, Taken};
use structure::Plan;

/// How many combinations of schemas are remembered; more take the place of the oldest.
const REMEMBERED_MAX: usize = 64;

/// What happens when a record has not the field that a column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The new value has no such field.
    LeftOut,
    /// The record cannot be projected.
    Refused,
}

/// Why a record cannot be projected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// The record has not what a column names, and that is not allowed.
    #[error("column {column}: the record has no such field")]
    Missing {
        /// The column as it is written.
        column: String,
    },
    /// A column wants fields of something that has none.
    #[error("column {column}: found a value of type {found}, expected a struct or a map")]
    NoFields {
        /// The column as it is written.
        column: String,
        /// What is there.
        found: &'static str,
    },
    /// All fields of something whose fields no schema names.
    #[error("column {column}: found a map, whose fields no schema names, expected a struct")]
    Unnamed {
        /// The column as it is written.
        column: String,
    },
    /// A header or a key without schema that has no place in a struct.
    #[error(
        "column {column}: found a value of type {found} without a schema, expected text, a \
             number or a boolean beside the fields of a struct"
    )]
    NoSchema {
        /// The column as it is written.
        column: String,
        /// What is there.
        found: &'static str,
    },
}

/// Which datum of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Value,
    Key,
}

/// A column, ready to be used.
#[derive(Clone, Debug)]
enum Item {
    All {
        root: Root,
        path: Vec<String>,
        /// Fields that other columns take from the same place.
        except: Vec<String>,
    },
    One {
        field: Field,
        name: Arc<str>,
    },
}

/// SELECT and IGNORE, ready to be used.
#[derive(Clone, Debug)]
pub struct Projection {
    everything: bool,
    items: Vec<Item>,
    ignored: Vec<Vec<String>>,
    missing: Missing,
    /// Whether a column takes the value or something of it.
    uses_value: bool,
    uses_key: bool,
    plans: Vec<Plan>,
    /// Whose place the next plan takes.
    oldest: usize,
}

impl Projection {
    /// Makes it ready.
    #[must_use]
    pub fn new(selection: &Selection, missing: Missing) -> Projection {
        let fields = || {
            selection.columns.iter().filter_map(|column| match &column.taken {
                Taken::One { field, .. } => Some(field),
                _ => None,
            })
        };
        // As upstream: `*, a AS b` has a once, as b.
        let except = |root: Root, parent: &[String]| {
            let named = fields().filter_map(|field| match (root, field) {
                (Root::Value, Field::Value(path)) | (Root::Key, Field::Key(path)) => Some(path),
                _ => None,
            });
            let here = named.filter_map(|path| path.split_last());
            let here = here.filter(|(_, above)| *above == parent);
            here.map(|(name, _)| name.clone()).collect()
        };
        let items = selection.columns.iter().map(|column| match &column.taken {
            Taken::AllOfValue(path) => {
                let except = except(Root::Value, path);
                Item::All { root: Root::Value, path: path.clone(), except }
            }
            Taken::AllOfKey(path) => {
                let except = except(Root::Key, path);
                Item::All { root: Root::Key, path: path.clone(), except }
            }
            Taken::One { field, name } => {
                Item::One { field: field.clone(), name: Arc::from(name.as_str()) }
            }
        });
        let items: Vec<Item> = items.collect();
        let uses = |wanted: Root| {
            items.iter().any(|item| match item {
                Item::All { root, .. } => *root == wanted,
                Item::One { field: Field::Value(_), .. } => wanted == Root::Value,
                Item::One { field: Field::Key(_), .. } => wanted == Root::Key,
                Item::One { .. } => false,
            })
        };
        Projection {
            uses_value: uses(Root::Value),
            uses_key: uses(Root::Key),
            everything: selection.is_everything(),
            items,
            ignored: selection.ignored.clone(),
            missing,
            plans: Vec::new(),
            oldest: 0,
        }
    }

    /// Whether every value stays as it is.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// The new value of a record; `topic` is what `_topic` names.
    ///
    /// A null value stays null: a tombstone is one under every projection.
    ///
    /// # Errors
    /// When the record has not what the columns name.
    pub fn apply(&mut self, record: &ConnectRecord, topic: &str) -> Result<Datum, ProjectionError> {
        if self.everything || record.value.value.is_null() {
            return Ok(record.value.clone());
        }
        let parts = Parts { value: &record.value, key: &record.key, record, topic };
        match self.wants_struct(&parts) {
            true => self.structured(&parts),
            false => self.mapped(&parts).map(|map| Datum::schemaless(Value::Map(map))),
        }
    }

    /// A struct is made of a struct, when whatever else is taken has a schema as well.
    fn wants_struct(&self, parts: &Parts<'_>) -> bool {
        let taken = [(self.uses_value, parts.value), (self.uses_key, parts.key)];
        let taken = || taken.iter().filter(|(used, _)| *used).map(|(_, datum)| *datum);
        taken().any(|datum| matches!(datum.value, Value::Struct(_)))
            && taken().all(|datum| datum.value.is_null() || schema_of(datum).is_some())
    }

    /// The plan for these schemas, made where there is none.
    fn structured(&mut self, parts: &Parts<'_>) -> Result<Datum, ProjectionError> {
        let inputs = self.inputs(parts)?;
        let known = self.plans.iter().position(|plan| plan.is_for(&inputs));
        let index = match known {
            Some(index) => index,
            None => {
                let plan = Plan::new(&self.items, &self.ignored, self.missing, inputs)?;
                if self.plans.len() < REMEMBERED_MAX {
                    self.plans.push(plan);
                    self.plans.len() - 1
                } else {
                    let place = self.oldest;
                    self.oldest = (self.oldest + 1) % REMEMBERED_MAX;
                    self.plans[place] = plan;
                    place
                }
            }
        };
        self.plans[index].run(parts)
    }

    /// The schemas that the new one is made of: value, key, headers in the order of the columns.
    fn inputs(&self, parts: &Parts<'_>) -> Result<Vec<Option<SchemaRef>>, ProjectionError> {
        let used = |datum: &Datum, used: bool| if used { schema_of(datum) } else { None };
        let mut inputs = vec![used(parts.value, self.uses_value), used(parts.key, self.uses_key)];
        for item in &self.items {
            if let Item::One { field: Field::Header(name), .. } = item {
                let header = parts.header(name);
                inputs.push(header.and_then(schema_of));
                let unnamed = header.filter(|datum| schema_of(datum).is_none());
                if let Some(datum) = unnamed.filter(|datum| !datum.value.is_null()) {
                    let column = format!("_header.{name}");
                    let found = found(&datum.value);
                    return Err(ProjectionError::NoSchema { column, found });
                }
            }
        }
        Ok(inputs)
    }
}

/// The parts of a record that columns may name.
struct Parts<'a> {
    value: &'a Datum,
    key: &'a Datum,
    record: &'a ConnectRecord,
    topic: &'a str,
}

impl<'a> Parts<'a> {
    fn datum(&self, root: Root) -> &'a Datum {
        match root {
            Root::Value => self.value,
            Root::Key => self.key,
        }
    }

    /// The last header of this name.
    fn header(&self, name: &str) -> Option<&'a Datum> {
        let mut headers = self.record.headers.iter().rev();
        headers.find(|header| &*header.name == name).map(|header| &header.datum)
    }
}

/// The schema of a datum, or the one its value has by itself.
fn schema_of(datum: &Datum) -> Option<SchemaRef> {
    if let Some(schema) = &datum.schema {
        return Some(Arc::clone(schema));
    }
    structure::own_schema(&datum.value)
}

/// A value's type for messages.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Decimal(_) => "decimal",
        Value::Timestamp(_) => "timestamp",
        other => other.type_of().map_or("null", |found| found.json_name()),
    }
}

#[cfg(test)]
mod tests;
