//! The new value as a struct: one plan for each combination of schemas that comes.
//!
//! Invariant: a plan's outputs and the fields of its schema are the same in number and order.

use std::sync::{Arc, LazyLock};

use super::prune::{pruned, pruned_schema};
use super::walk::written;
use super::{Item, Missing, Parts, ProjectionError, Root};
use crate::connect::{Datum, Field, Kind, Schema, SchemaRef, Struct, Type, Value};
use crate::kcql;

/// How to make one struct of records with these schemas.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    inputs: Vec<Option<SchemaRef>>,
    outputs: Vec<Output>,
    /// The ignored paths, for values that have lost fields.
    ignored: Vec<Vec<String>>,
    schema: SchemaRef,
}

/// Where a field of the new struct comes from.
#[derive(Clone, Debug)]
enum Output {
    At {
        root: Root,
        hops: Vec<Hop>,
        path: Vec<String>,
        pruned: bool,
        /// The schema of a struct, when it is not the one that its value comes with.
        shape: Option<SchemaRef>,
    },
    Header {
        name: String,
        shape: Option<SchemaRef>,
    },
    Topic,
    Partition,
    Offset,
    Timestamp,
}

/// One step into a value.
#[derive(Clone, Debug)]
enum Hop {
    Field(usize),
    Entry(Value),
}

/// A place inside the schemas.
struct Found {
    hops: Vec<Hop>,
    schema: SchemaRef,
    /// Whether something on the way may be null or absent.
    optional: bool,
}

impl Plan {
    pub(super) fn new(
        items: &[Item],
        ignored: &[Vec<String>],
        missing: Missing,
        inputs: Vec<Option<SchemaRef>>,
    ) -> Result<Plan, ProjectionError> {
        let mut making =
            Making { inputs: &inputs, ignored, missing, fields: Vec::new(), outputs: Vec::new() };
        let mut header = 2;
        for item in items {
            match item {
                Item::All { root, path, except } => making.all(*root, path, except)?,
                Item::One { field, name } => {
                    making.one(field, name, header)?;
                    header += usize::from(matches!(field, kcql::Field::Header(_)));
                }
            }
        }
        let Making { fields, outputs, .. } = making;
        // As Connect's own transforms do: name, version, doc and parameters stay.
        let basis = inputs.iter().flatten().find(|schema| schema.type_of() == Type::Struct);
        let mut schema = Schema::structure(fields);
        if let Some(basis) = basis {
            schema.name.clone_from(&basis.name);
            schema.version = basis.version;
            schema.doc.clone_from(&basis.doc);
            schema.parameters.clone_from(&basis.parameters);
        }
        Ok(Plan { inputs, outputs, ignored: ignored.to_vec(), schema: Arc::new(schema) })
    }

    /// Whether it was made for schemas that are the same in this sense.
    pub(super) fn is_for(
        &self,
        inputs: &[Option<SchemaRef>],
        same: impl Fn(&SchemaRef, &SchemaRef) -> bool,
    ) -> bool {
        let both = |(a, b): (&Option<SchemaRef>, &Option<SchemaRef>)| match (a, b) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        };
        self.inputs.len() == inputs.len() && self.inputs.iter().zip(inputs).all(both)
    }

    pub(super) fn run(&self, parts: &Parts<'_>) -> Result<Datum, ProjectionError> {
        let record = parts.record;
        let mut out = Struct::new(Arc::clone(&self.schema));
        for (index, output) in self.outputs.iter().enumerate() {
            let value = match output {
                Output::At { root, hops, path, pruned: cut, shape } => {
                    let value = match (at(&parts.datum(*root).value, hops), cut) {
                        (None, _) => Value::Null,
                        (Some(value), true) => pruned(value, &self.ignored, path),
                        (Some(value), false) => value.clone(),
                    };
                    match shape {
                        Some(schema) => shaped(value, schema),
                        None => value,
                    }
                }
                Output::Header { name, shape } => {
                    let value = parts.header(name).map(|datum| datum.value.clone());
                    match shape {
                        Some(schema) => shaped(value.unwrap_or_default(), schema),
                        None => value.unwrap_or_default(),
                    }
                }
                Output::Topic => Value::string(parts.topic),
                Output::Partition => record.partition.map_or(Value::Null, Value::Int32),
                Output::Offset => record.offset.map_or(Value::Null, Value::Int64),
                Output::Timestamp => record.timestamp.map_or(Value::Null, Value::Int64),
            };
            out.set_at(index, value);
        }
        Ok(Datum::with_schema(Arc::clone(&self.schema), Value::Struct(Box::new(out))))
    }
}

/// What is at the end of the hops; the last value as it is, those on the way with their defaults.
fn at<'v>(value: &'v Value, hops: &[Hop]) -> Option<&'v Value> {
    let mut here = value;
    for (step, hop) in hops.iter().enumerate() {
        here = match (hop, here) {
            (Hop::Field(index), Value::Struct(structure)) if step + 1 == hops.len() => {
                structure.values().get(*index)?
            }
            (Hop::Field(index), Value::Struct(structure)) => structure.value_at(*index),
            (Hop::Entry(name), Value::Map(map)) => map.get(name)?,
            _ => return None,
        };
    }
    Some(here)
}

/// A struct with another schema of the same fields: a struct has the schema of its field.
fn shaped(value: Value, schema: &SchemaRef) -> Value {
    let Value::Struct(structure) = value else { return value };
    let mut out = Struct::new(Arc::clone(schema));
    for (index, value) in structure.into_values().into_iter().enumerate() {
        out.set_at(index, value);
    }
    Value::Struct(Box::new(out))
}

/// A plan that is being made.
struct Making<'a> {
    inputs: &'a [Option<SchemaRef>],
    ignored: &'a [Vec<String>],
    missing: Missing,
    fields: Vec<Field>,
    outputs: Vec<Output>,
}

impl Making<'_> {
    fn one(
        &mut self,
        field: &kcql::Field,
        name: &Arc<str>,
        header: usize,
    ) -> Result<(), ProjectionError> {
        let metadata = |kind| Arc::new(Schema::optional(kind));
        match field {
            kcql::Field::Value(path) => self.field(Root::Value, path, name),
            kcql::Field::Key(path) => self.field(Root::Key, path, name),
            kcql::Field::Header(from) => {
                let schema = self.inputs[header].clone();
                if schema.is_none() && self.missing == Missing::Refused {
                    return Err(ProjectionError::Missing { column: field.to_string() });
                }
                // A header that is not there leaves its field null: text most likely.
                let schema = schema.unwrap_or_else(|| metadata(Kind::String));
                let is_struct = schema.type_of() == Type::Struct;
                let shape = (is_struct && !schema.optional).then(|| optional(&schema));
                let schema = shape.clone().unwrap_or_else(|| optional(&schema));
                self.put(name, schema, Output::Header { name: from.clone(), shape });
                Ok(())
            }
            kcql::Field::Topic => {
                self.put(name, Arc::new(Schema::new(Kind::String)), Output::Topic);
                Ok(())
            }
            kcql::Field::Partition => {
                self.put(name, metadata(Kind::Int32), Output::Partition);
                Ok(())
            }
            kcql::Field::Offset => {
                self.put(name, metadata(Kind::Int64), Output::Offset);
                Ok(())
            }
            kcql::Field::Timestamp => {
                self.put(name, metadata(Kind::Int64), Output::Timestamp);
                Ok(())
            }
        }
    }

    fn field(
        &mut self,
        root: Root,
        path: &[String],
        name: &Arc<str>,
    ) -> Result<(), ProjectionError> {
        if root == Root::Value && !path.is_empty() && self.ignored.iter().any(|it| it == path) {
            return Ok(());
        }
        let Some(found) = self.find(root, path, || written(root, path))? else {
            return Ok(());
        };
        self.take(root, path.to_vec(), name, found);
        Ok(())
    }

    fn all(
        &mut self,
        root: Root,
        path: &[String],
        except: &[String],
    ) -> Result<(), ProjectionError> {
        let column = || format!("{}.*", written(root, path));
        let Some(place) = self.find(root, path, column)? else {
            return Ok(());
        };
        let Kind::Struct(fields) = &place.schema.kind else {
            return Err(match &place.schema.kind {
                Kind::Map(..) => ProjectionError::Unnamed { column: column() },
                _ => {
                    let found = place.schema.type_of().json_name();
                    ProjectionError::NoFields { column: column(), found }
                }
            });
        };
        for (index, field) in fields.iter().enumerate() {
            let mut inside = path.to_vec();
            inside.push(field.name.to_string());
            let ignored = root == Root::Value && self.ignored.contains(&inside);
            if ignored || except.iter().any(|taken| **taken == *field.name) {
                continue;
            }
            let mut hops = place.hops.clone();
            hops.push(Hop::Field(index));
            let optional = place.optional || place.schema.optional;
            let found = Found { hops, schema: Arc::clone(&field.schema), optional };
            self.take(root, inside, &field.name, found);
        }
        Ok(())
    }

    /// Follows a path through the schemas; `None` where there is no such field.
    fn find(
        &self,
        root: Root,
        path: &[String],
        column: impl Fn() -> String,
    ) -> Result<Option<Found>, ProjectionError> {
        let input = &self.inputs[root as usize];
        let Some(schema) = input else {
            // A key that is not there, or has no schema of its own.
            return match self.missing {
                Missing::LeftOut => Ok(None),
                Missing::Refused => Err(ProjectionError::Missing { column: column() }),
            };
        };
        let mut found = Found { hops: Vec::new(), schema: Arc::clone(schema), optional: false };
        for name in path {
            found.optional |= found.schema.optional;
            let next = match &found.schema.kind {
                Kind::Struct(_) => found.schema.field(name).map(|(index, field)| {
                    found.hops.push(Hop::Field(index));
                    Arc::clone(&field.schema)
                }),
                Kind::Map(_, value) => {
                    found.hops.push(Hop::Entry(Value::string(name.as_str())));
                    found.optional = true;
                    Some(Arc::clone(value))
                }
                _ => {
                    let found = found.schema.type_of().json_name();
                    return Err(ProjectionError::NoFields { column: column(), found });
                }
            };
            found.schema = match (next, self.missing) {
                (Some(next), _) => next,
                (None, Missing::LeftOut) => return Ok(None),
                (None, Missing::Refused) => {
                    return Err(ProjectionError::Missing { column: column() });
                }
            };
        }
        Ok(Some(found))
    }

    fn take(&mut self, root: Root, path: Vec<String>, name: &Arc<str>, found: Found) {
        let Found { hops, mut schema, optional: may_be_null } = found;
        let cut = match root {
            Root::Value => pruned_schema(&schema, self.ignored, &path),
            Root::Key => None,
        };
        let pruned = cut.is_some();
        let changed = may_be_null && !schema.optional;
        schema = cut.unwrap_or(schema);
        if may_be_null {
            schema = optional(&schema);
        }
        let is_struct = schema.type_of() == Type::Struct;
        let shape = (changed && is_struct).then(|| Arc::clone(&schema));
        self.put(name, schema, Output::At { root, hops, path, pruned, shape });
    }

    /// Under its name, or under the first of `name_1`, `name_2` … that is free.
    fn put(&mut self, name: &Arc<str>, schema: SchemaRef, output: Output) {
        let taken = |name: &str| self.fields.iter().any(|field| &*field.name == name);
        let mut free = Arc::clone(name);
        let mut count = 0;
        while taken(&free) {
            count += 1;
            free = Arc::from(format!("{name}_{count}"));
        }
        self.fields.push(Field::new(free, schema));
        self.outputs.push(output);
    }
}

/// The same schema, whose value may be null.
fn optional(schema: &SchemaRef) -> SchemaRef {
    match schema.optional {
        true => Arc::clone(schema),
        false => Arc::new(Schema { optional: true, ..Schema::clone(schema) }),
    }
}

/// The schema that a value has by itself.
pub(super) fn own_schema(value: &Value) -> Option<SchemaRef> {
    if let Value::Struct(structure) = value {
        return Some(Arc::clone(structure.schema()));
    }
    let kind = value.type_of()?;
    let own = OWN.iter().find(|schema| schema.type_of() == kind);
    own.map(Arc::clone)
}

/// One schema for each type that needs no more words, shared by all values.
static OWN: LazyLock<[SchemaRef; 9]> = LazyLock::new(|| {
    [
        Kind::Boolean,
        Kind::Int8,
        Kind::Int16,
        Kind::Int32,
        Kind::Int64,
        Kind::Float32,
        Kind::Float64,
        Kind::String,
        Kind::Bytes,
    ]
    .map(|kind| Arc::new(Schema::new(kind)))
});
