//! SELECT and IGNORE applied to a record: which of its parts the new value has, under which names.
//!
//! A value that is a struct stays one: its new schema is made once for each schema that comes and
//! is then the same allocation for all its records. A map stays a map without schema. Text and bytes
//! are read as JSON, and what comes out is JSON text and bytes again.
//!
//! Invariant: every column is in the new value once, or its field is missing in the record; nothing
//! is rounded or turned into text. The schemas that are remembered are at most [`REMEMBERED_MAX`].

mod map;
mod prune;
mod structure;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::connect::{ConnectRecord, Datum, SchemaRef, Value};
use crate::converter::{ConvertError, Converter, Side, mqtt_payload};
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
    /// Text or bytes that are to have fields are no JSON.
    #[error("the {part} is to have fields, and is no JSON: {error}")]
    NoJson {
        /// `key` or `value`.
        part: &'static str,
        /// What is wrong with it.
        error: ConvertError,
    },
    /// What came out cannot be written as JSON.
    #[error("the columns cannot be written as JSON: {0}")]
    Unwritable(ConvertError),
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
    /// Whether a column takes a field of it.
    needs_value_fields: bool,
    needs_key_fields: bool,
    /// Reads text and bytes.
    json: Converter,
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
        let needs = |wanted: Root| {
            items.iter().any(|item| match item {
                Item::All { root, .. } => *root == wanted,
                Item::One { field: Field::Value(path), .. } => {
                    wanted == Root::Value && !path.is_empty()
                }
                Item::One { field: Field::Key(path), .. } => {
                    wanted == Root::Key && !path.is_empty()
                }
                Item::One { .. } => false,
            })
        };
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
            needs_value_fields: needs(Root::Value),
            needs_key_fields: needs(Root::Key),
            json: json_converter(),
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
    /// Text stays text and bytes stay bytes: they hold JSON before and after. A null value stays
    /// null: a tombstone is one under every projection.
    ///
    /// # Errors
    /// When the record has not what the columns name.
    pub fn apply(&mut self, record: &ConnectRecord, topic: &str) -> Result<Datum, ProjectionError> {
        if self.everything {
            return Ok(record.value.clone());
        }
        let fields = self.fields(record, topic)?;
        let is_text = match &record.value.value {
            Value::String(_) => true,
            Value::Bytes(_) => false,
            _ => return Ok(fields),
        };
        let json = mqtt_payload(&fields).map_err(ProjectionError::Unwritable)?;
        let json = json.unwrap_or_default();
        let value = match is_text {
            true => Value::string(String::from_utf8_lossy(&json)),
            false => Value::Bytes(json),
        };
        Ok(Datum { schema: record.value.schema.clone(), value })
    }

    /// The same, always as a struct or a map, for who wants the fields: text and bytes are read as
    /// JSON under `SELECT *` as well.
    ///
    /// # Errors
    /// When the record has not what the columns name.
    pub fn fields(
        &mut self,
        record: &ConnectRecord,
        topic: &str,
    ) -> Result<Datum, ProjectionError> {
        if record.value.value.is_null() {
            return Ok(record.value.clone());
        }
        let value = match self.needs_value_fields {
            true => read_json(&mut self.json, &record.value, "value")?,
            false => None,
        };
        let key = match self.needs_key_fields {
            true => read_json(&mut self.json, &record.key, "key")?,
            false => None,
        };
        let value = value.as_ref().unwrap_or(&record.value);
        if self.everything && matches!(value.value, Value::Map(_) | Value::Struct(_)) {
            return Ok(value.clone());
        }
        let key = key.as_ref().unwrap_or(&record.key);
        let parts = Parts { value, key, record, topic };
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
        // Converters mostly hand out the same allocation again: that is seen at once.
        let same = self.plans.iter().position(|plan| plan.is_for(&inputs, Arc::ptr_eq));
        let known =
            same.or_else(|| self.plans.iter().position(|plan| plan.is_for(&inputs, |a, b| a == b)));
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

/// Text and bytes as the JSON that is in them; `None` where there is nothing to read.
pub(crate) fn read_json(
    json: &mut Converter,
    datum: &Datum,
    part: &'static str,
) -> Result<Option<Datum>, ProjectionError> {
    let text = match &datum.value {
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => bytes.clone(),
        _ => return Ok(None),
    };
    let read = json.to_connect("", Some(&text));
    read.map(Some).map_err(|error| ProjectionError::NoJson { part, error })
}

/// What a field of a record holds; `None` where the record has none.
pub(crate) fn place<'r>(
    record: &'r ConnectRecord,
    field: &Field,
) -> Result<Option<Cow<'r, Value>>, ProjectionError> {
    let inside = |root, datum: &'r Datum, path: &[String]| {
        let value = walk::walk(&datum.value, path, Missing::LeftOut, || walk::written(root, path));
        value.map(|value| value.map(Cow::Borrowed))
    };
    Ok(match field {
        Field::Value(path) => return inside(Root::Value, &record.value, path),
        Field::Key(path) => return inside(Root::Key, &record.key, path),
        Field::Header(name) => {
            let mut headers = record.headers.iter().rev();
            let header = headers.find(|header| *header.name == **name);
            header.map(|header| Cow::Borrowed(&header.datum.value))
        }
        Field::Topic => Some(Cow::Owned(Value::String(Arc::clone(&record.kafka_topic)))),
        Field::Partition => record.partition.map(|number| Cow::Owned(Value::Int32(number))),
        Field::Offset => record.offset.map(|number| Cow::Owned(Value::Int64(number))),
        Field::Timestamp => record.timestamp.map(|number| Cow::Owned(Value::Int64(number))),
    })
}

/// The text of a field that names something.
///
/// # Errors
/// What was found and what was expected.
pub fn text_of(record: &ConnectRecord, field: &Field) -> Result<String, String> {
    let value = place(record, field).map_err(|error| error.to_string())?;
    let value = value.ok_or_else(|| format!("{field}: the record has no such field"))?;
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("{field}: found a {}, expected text", value.java_class()))
}

/// Connect's converter for JSON without schemas.
pub(crate) fn json_converter() -> Converter {
    let options = [("json", "JsonConverter"), ("json.schemas.enable", "false")];
    Converter::from_options(Side::Value, "json", options).expect("options of our own")
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
