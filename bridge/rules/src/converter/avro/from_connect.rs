//! Connect's schemas as Avro's, in the words and the order of Confluent's `AvroData`, so that a
//! registry that has a schema of theirs finds the same one again.
//!
//! Invariant: a name is defined once, where it comes first, and named from then on.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::plan::{
    AvroData, DEFAULT_NAME, ENUM, ENUM_DEFAULT, ENUM_DOC, FIELD_DEFAULT, FIELD_DOC, MAP_ENTRY,
    PRECISION, PRECISION_DEFAULT, RECORD_DOC, UNION, short,
};
use super::schema::is_name;
use crate::connect::{Kind, LogicalType, Schema, Type, Value};
use crate::converter::ConvertError;
use crate::converter::json::encode::{days, time_of_day, unscaled};
use crate::converter::json::text;
use crate::converter::json::tree::Tree;

/// The schema of values without one: a record with a field for each type.
const ANYTHING: &str = concat!(
    r#"{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":["#,
    r#"{"name":"boolean","type":["null","boolean"],"default":null},"#,
    r#"{"name":"bytes","type":["null","bytes"],"default":null},"#,
    r#"{"name":"double","type":["null","double"],"default":null},"#,
    r#"{"name":"float","type":["null","float"],"default":null},"#,
    r#"{"name":"int","type":["null","int"],"default":null},"#,
    r#"{"name":"long","type":["null","long"],"default":null},"#,
    r#"{"name":"string","type":["null","string"],"default":null},"#,
    r#"{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},"#,
    r#"{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","#,
    r#""fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"#,
    r#""default":null}]}"#
);

/// The Avro schema of a schema, or that of values without one.
pub(super) fn avro_text(schema: Option<&Schema>, data: AvroData) -> Result<String, ConvertError> {
    let Some(schema) = schema else {
        return Ok(ANYTHING.to_owned());
    };
    let tree = Writer { data, defined: HashMap::new() }.schema(schema, "")?;
    let mut text = Vec::new();
    tree.write(&mut text);
    Ok(String::from_utf8(text).expect("strings are written as they are"))
}

struct Writer<'s> {
    data: AvroData,
    defined: HashMap<String, &'s Schema>,
}

type Members = IndexMap<String, Tree>;

fn text_node(text: &str) -> Tree {
    Tree::String(text.to_owned())
}

fn number(value: i32) -> Tree {
    Tree::Number(value.to_string())
}

fn put(members: &mut Members, key: &str, value: Tree) {
    members.insert(key.to_owned(), value);
}

fn typed(name: &str) -> Members {
    Members::from([("type".to_owned(), text_node(name))])
}

impl<'s> Writer<'s> {
    /// `space` is the namespace of what is around.
    fn schema(&mut self, schema: &'s Schema, space: &str) -> Result<Tree, ConvertError> {
        if schema.name.as_deref() == Some(UNION)
            && let Kind::Struct(fields) = &schema.kind
        {
            let mut members = Vec::with_capacity(fields.len() + 1);
            if schema.optional {
                members.push(text_node("null"));
            }
            for field in fields.iter() {
                members.push(self.required(&field.schema, space)?);
            }
            return Ok(Tree::Array(members));
        }
        let required = self.required(schema, space)?;
        Ok(match (schema.optional, has_default(schema)) {
            (false, _) => required,
            // Avro's defaults are of the first member.
            (true, true) => Tree::Array(vec![required, text_node("null")]),
            (true, false) => Tree::Array(vec![text_node("null"), required]),
        })
    }

    fn required(&mut self, schema: &'s Schema, space: &str) -> Result<Tree, ConvertError> {
        let mut connect_type = None;
        let mut members = match &schema.kind {
            Kind::Int8 => {
                connect_type = Some("int8");
                typed("int")
            }
            Kind::Int16 => {
                connect_type = Some("int16");
                typed("int")
            }
            Kind::Int32 => typed("int"),
            Kind::Int64 => typed("long"),
            Kind::Float32 => typed("float"),
            Kind::Float64 => typed("double"),
            Kind::Boolean => typed("boolean"),
            Kind::String if self.data.enhanced && schema.parameter(ENUM).is_some() => {
                match self.enumeration(schema, space)? {
                    Ok(members) => members,
                    Err(reference) => return Ok(reference),
                }
            }
            Kind::String => typed("string"),
            Kind::Bytes => decimal_members(schema)?,
            Kind::Array(element) => {
                let mut members = typed("array");
                put(&mut members, "items", self.schema(element, space)?);
                members
            }
            Kind::Map(keys, values) if keys.type_of() == Type::String && !keys.optional => {
                let mut members = typed("map");
                put(&mut members, "values", self.schema(values, space)?);
                members
            }
            Kind::Map(keys, values) => {
                let mut members = typed("array");
                put(&mut members, "items", self.entries(schema, keys, values, space)?);
                members
            }
            Kind::Struct(_) => match self.record(schema, space)? {
                Ok(members) => members,
                Err(reference) => return Ok(reference),
            },
        };
        self.annotate(&mut members, schema, connect_type)?;
        // A type with nothing on it is its name alone.
        if members.len() == 1 {
            return Ok(members.swap_remove("type").expect("every schema has a type"));
        }
        Ok(Tree::Object(members))
    }

    /// Defines a name, or names what it is if it is defined already.
    fn define(
        &mut self,
        full: &str,
        kind: &str,
        schema: &'s Schema,
        space: &str,
    ) -> Result<Result<Members, Tree>, ConvertError> {
        if !full.split('.').all(is_name) {
            return Err(ConvertError::data(format!(
                "the schema's name {full:?} is none that Avro allows, expected letters, digits and '_'"
            )));
        }
        let (own, name) = full.rsplit_once('.').unwrap_or(("", full));
        match self.defined.get(full) {
            Some(known) if known.kind == schema.kind => {
                return Ok(Err(text_node(if own == space { name } else { full })));
            }
            Some(_) => {
                return Err(ConvertError::data(format!(
                    "two different schemas have the name {full}, which Avro does not allow"
                )));
            }
            None => self.defined.insert(full.to_owned(), schema),
        };
        let mut members = typed(kind);
        put(&mut members, "name", text_node(name));
        if own != space {
            put(&mut members, "namespace", text_node(own));
        }
        Ok(Ok(members))
    }

    fn record(
        &mut self,
        schema: &'s Schema,
        space: &str,
    ) -> Result<Result<Members, Tree>, ConvertError> {
        let full = match schema.name.as_deref() {
            Some(name) => name.to_owned(),
            None => self.free_name(schema),
        };
        let mut members = match self.define(&full, "record", schema, space)? {
            Ok(members) => members,
            reference => return Ok(reference),
        };
        let inner = full.rsplit_once('.').map_or("", |(space, _)| space);
        if let Some(doc) = schema.parameter(RECORD_DOC) {
            put(&mut members, "doc", text_node(doc));
        }
        let mut fields = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            if !is_name(&field.name) {
                return Err(ConvertError::data(format!(
                    "the field name {:?} is none that Avro allows, expected letters, digits and '_'",
                    field.name
                )));
            }
            let doc = schema.parameter(&format!("{FIELD_DOC}{}", field.name));
            fields.push(self.field(&field.name, &field.schema, doc, inner)?);
        }
        put(&mut members, "fields", Tree::Array(fields));
        Ok(Ok(members))
    }

    fn field(
        &mut self,
        name: &str,
        schema: &'s Schema,
        doc: Option<&str>,
        space: &str,
    ) -> Result<Tree, ConvertError> {
        let mut members = Members::new();
        put(&mut members, "name", text_node(name));
        put(&mut members, "type", self.schema(schema, space)?);
        if let Some(doc) = doc {
            put(&mut members, "doc", text_node(doc));
        }
        match &schema.default {
            Some(default) if has_default(schema) => {
                put(&mut members, "default", default_tree(schema, default)?);
            }
            _ if schema.optional => put(&mut members, "default", Tree::Null),
            _ => {}
        }
        Ok(Tree::Object(members))
    }

    /// A name for a struct that has none: upstream gives all the same, which Avro refuses as soon
    /// as there are two.
    fn free_name(&self, schema: &Schema) -> String {
        let mut name = DEFAULT_NAME.to_owned();
        let mut number = 1;
        while self.defined.get(&name).is_some_and(|known| known.kind != schema.kind) {
            number += 1;
            name = format!("{DEFAULT_NAME}{number}");
        }
        name
    }

    fn enumeration(
        &mut self,
        schema: &'s Schema,
        space: &str,
    ) -> Result<Result<Members, Tree>, ConvertError> {
        let full = schema.parameter(ENUM).unwrap_or_default();
        let mut members = match self.define(full, "enum", schema, space)? {
            Ok(members) => members,
            reference => return Ok(reference),
        };
        let name = schema.name.as_deref().unwrap_or(full);
        if let Some(doc) = schema.parameter(&format!("{ENUM_DOC}{}", short(name))) {
            put(&mut members, "doc", text_node(doc));
        }
        let prefix = format!("{ENUM}.");
        let symbols = schema.parameters.iter().filter(|(key, _)| key.starts_with(&prefix));
        let symbols = symbols.map(|(_, symbol)| text_node(symbol)).collect();
        put(&mut members, "symbols", Tree::Array(symbols));
        if let Some(default) = schema.parameter(&format!("{ENUM_DEFAULT}{}", short(name))) {
            put(&mut members, "default", text_node(default));
        }
        Ok(Ok(members))
    }

    /// The record of a map's entries, whose keys are no plain strings.
    fn entries(
        &mut self,
        schema: &'s Schema,
        keys: &'s Schema,
        values: &'s Schema,
        space: &str,
    ) -> Result<Tree, ConvertError> {
        let mut full = schema.name.as_deref().unwrap_or(MAP_ENTRY).to_owned();
        let named = schema.name.is_some();
        let mut number = 1;
        while !named && self.defined.get(&full).is_some_and(|known| known.kind != schema.kind) {
            number += 1;
            full = format!("{MAP_ENTRY}{number}");
        }
        let mut members = match self.define(&full, "record", schema, space)? {
            Ok(members) => members,
            Err(reference) => return Ok(reference),
        };
        let inner = full.rsplit_once('.').map_or("", |(space, _)| space);
        let fields =
            vec![self.field("key", keys, None, inner)?, self.field("value", values, None, inner)?];
        put(&mut members, "fields", Tree::Array(fields));
        if named || number > 1 {
            put(&mut members, "connect.internal.type", text_node("MapEntry"));
        }
        Ok(Tree::Object(members))
    }

    fn annotate(
        &self,
        members: &mut Members,
        schema: &Schema,
        connect_type: Option<&str>,
    ) -> Result<(), ConvertError> {
        let logical = schema.name.as_deref().and_then(LogicalType::named);
        if self.data.connect_meta_data {
            if let Some(doc) = &schema.doc {
                put(members, "connect.doc", text_node(doc));
            }
            if let Some(version) = schema.version {
                put(members, "connect.version", number(version));
            }
            let parameters = schema.parameters.iter().filter(|(key, _)| **key != *FIELD_DEFAULT);
            let parameters: Members =
                parameters.map(|(key, value)| (key.to_string(), text_node(value))).collect();
            if !parameters.is_empty() {
                put(members, "connect.parameters", Tree::Object(parameters));
            }
            if let Some(default) = &schema.default
                && schema.parameter(FIELD_DEFAULT).is_none()
            {
                put(members, "connect.default", default_tree(schema, default)?);
            }
            if let Some(name) = &schema.name {
                put(members, "connect.name", text_node(name));
            }
            if let Some(connect_type) = connect_type {
                put(members, "connect.type", text_node(connect_type));
            }
        }
        if let Some(logical) = logical {
            let name = match logical {
                LogicalType::Decimal => "decimal",
                LogicalType::Date => "date",
                LogicalType::Time => "time-millis",
                LogicalType::Timestamp => "timestamp-millis",
            };
            put(members, "logicalType", text_node(name));
        }
        for (key, value) in schema.parameters.iter().filter(|(key, _)| key.starts_with("avro")) {
            put(members, key, text_node(value));
        }
        Ok(())
    }
}

/// Whether a default can be said in Avro: one that is null is none.
fn has_default(schema: &Schema) -> bool {
    schema.default.as_ref().is_some_and(|default| !default.is_null())
}

fn decimal_members(schema: &Schema) -> Result<Members, ConvertError> {
    let mut members = typed("bytes");
    if schema.logical_type() == Some(LogicalType::Decimal) {
        let parameter = |name: &str| schema.parameter(name).map(str::parse).transpose();
        let invalid =
            |_| ConvertError::data("Invalid Decimal schema: its parameters are no numbers");
        let scale = parameter("scale").map_err(invalid)?;
        let scale = scale.ok_or_else(|| {
            ConvertError::data("Invalid Decimal schema: scale parameter not found.")
        })?;
        let precision = parameter(PRECISION).map_err(invalid)?.unwrap_or(PRECISION_DEFAULT);
        put(&mut members, "scale", number(scale));
        put(&mut members, "precision", number(precision));
    }
    Ok(members)
}

/// A default in Avro's JSON.
fn default_tree(schema: &Schema, value: &Value) -> Result<Tree, ConvertError> {
    let digits = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        Tree::Number(String::from_utf8(out).expect("ASCII"))
    };
    let latin1 = |bytes: &[u8]| Tree::String(bytes.iter().copied().map(char::from).collect());
    Ok(match (value, &schema.kind) {
        (Value::Null, _) => Tree::Null,
        (Value::Boolean(value), _) => Tree::Boolean(*value),
        (Value::Int8(value), _) => number(i32::from(*value)),
        (Value::Int16(value), _) => number(i32::from(*value)),
        (Value::Int32(value), _) => number(*value),
        (Value::Int64(value), _) => Tree::Number(value.to_string()),
        (Value::Float32(value), _) if value.is_finite() => {
            digits(&|out| text::java_float(out, *value))
        }
        (Value::Float64(value), _) if value.is_finite() => {
            digits(&|out| text::java_double(out, *value))
        }
        (Value::Float32(_) | Value::Float64(_), _) => {
            return Err(ConvertError::data("Avro has no default that is NaN or infinite"));
        }
        (Value::String(text), _) => text_node(text),
        (Value::Bytes(bytes), _) => latin1(bytes),
        (Value::Decimal(value), _) => latin1(&unscaled(schema, value)?),
        (Value::Timestamp(ms), kind) => match (kind, schema.logical_type()) {
            (_, Some(LogicalType::Date)) => number(days(*ms)?),
            (_, Some(LogicalType::Time)) => number(time_of_day(*ms)?),
            _ => Tree::Number(ms.to_string()),
        },
        (Value::Array(values), Kind::Array(element)) => {
            let values = values.iter().map(|value| default_tree(element, value));
            Tree::Array(values.collect::<Result<_, _>>()?)
        }
        (Value::Map(map), Kind::Map(keys, values)) => map_tree(keys, values, map)?,
        (Value::Struct(structure), _) => {
            let mut members = Members::new();
            for (index, field) in structure.schema().fields().iter().enumerate() {
                let value = structure.value_at(index);
                put(&mut members, &field.name, default_tree(&field.schema, value)?);
            }
            Tree::Object(members)
        }
        (value, _) => {
            return Err(ConvertError::data(format!(
                "Invalid type used for default value of {} field: class {}",
                schema.type_of().json_name().to_uppercase(),
                value.java_class()
            )));
        }
    })
}

fn map_tree(
    keys: &Arc<Schema>,
    values: &Arc<Schema>,
    map: &crate::connect::Map,
) -> Result<Tree, ConvertError> {
    if keys.type_of() == Type::String && !keys.optional {
        let mut members = Members::new();
        for (key, value) in map {
            put(&mut members, key.as_str().unwrap_or_default(), default_tree(values, value)?);
        }
        return Ok(Tree::Object(members));
    }
    // As Avro reads it: records of a key and a value.
    let entries = map.iter().map(|(key, value)| {
        let mut entry = Members::new();
        put(&mut entry, "key", default_tree(keys, key)?);
        put(&mut entry, "value", default_tree(values, value)?);
        Ok(Tree::Object(entry))
    });
    Ok(Tree::Array(entries.collect::<Result<_, ConvertError>>()?))
}
