//! `Cast`: changes the type of the key or value, or of fields at its root.

use std::collections::BTreeMap;

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{
    basics, build_with, fields_of, require_map, require_struct, set_default, struct_kind,
};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform, fields};
use crate::connect::{
    ConnectRecord, Datum, Field, Kind as SchemaKind, Schema, Type, Value, literal, logical,
};
use crate::java::number::{read_f32, read_f64, read_integer};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};
use crate::{java, options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "spec",
        Kind::List,
        Default::Required,
        Importance::High,
        "List of fields and the type to cast them to of the form field1:type,field2:type to cast \
         fields of Maps or Structs. A single type to cast the entire value. Valid types are int8, \
         int16, int32, int64, float32, float64, boolean, and string. Note that binary fields can \
         only be cast to string.",
    )
    .accepting(&[Accepted::Check {
        check: check_spec,
        says: "list of colon-delimited pairs, e.g. foo:bar,abc:xyz",
    }]),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "cast types";

/// The types to cast to, and with the last one those to cast from.
const TYPES: [Type; 9] = [
    Type::Int8,
    Type::Int16,
    Type::Int32,
    Type::Int64,
    Type::Float32,
    Type::Float64,
    Type::Boolean,
    Type::String,
    Type::Bytes,
];
const TARGETS: &[Type] = TYPES.split_at(8).0;

#[derive(Debug)]
pub(super) struct Cast {
    side: Side,
    spec: Spec,
    with_default: bool,
    schemas: SchemaCache,
}

#[derive(Debug, PartialEq, Eq)]
enum Spec {
    Whole(Type),
    Fields(BTreeMap<String, Type>),
}

impl Cast {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let spec = parse_spec(options.list("spec"))?;
        let with_default = options.boolean(REPLACE_NULL_WITH_DEFAULT.name);
        Ok(Self { side, spec, with_default, schemas: SchemaCache::default() })
    }

    fn without_schema(&self, value: Value) -> Result<Value, Failure> {
        match &self.spec {
            Spec::Whole(target) => cast(None, &value, *target),
            Spec::Fields(targets) => {
                let mut map = require_map(value, PURPOSE)?;
                for (name, target) in targets {
                    let found = fields::entry(&map, name).unwrap_or(&Value::Null);
                    let value = cast(None, found, *target)?;
                    map.insert(Value::string(name.as_str()), value);
                }
                Ok(Value::Map(map))
            }
        }
    }

    fn new_schema(&self, schema: &Schema) -> Result<Schema, Failure> {
        let kind = match &self.spec {
            Spec::Whole(target) => kind_of(*target),
            Spec::Fields(targets) => {
                let mut fields = Vec::new();
                for field in fields_of(schema)? {
                    let Some(target) = targets.get(&*field.name) else {
                        fields.push(field.clone());
                        continue;
                    };
                    let mut cast_schema = Schema::new(kind_of(*target));
                    cast_schema.optional = field.schema.optional;
                    if let Some(default) = &field.schema.default {
                        let default = cast(Some(&field.schema), default, *target)?;
                        set_default(&mut cast_schema, default)?;
                    }
                    fields.push(Field::new(field.name.clone(), cast_schema));
                }
                struct_kind(fields)?
            }
        };
        let mut updated = basics(schema, kind);
        updated.optional = schema.optional;
        if let Some(default) = &schema.default {
            let target = updated.type_of();
            set_default(&mut updated, cast(Some(schema), default, target)?)?;
        }
        Ok(updated)
    }

    fn with_schema(&self, datum: Datum) -> Result<Datum, Failure> {
        let Datum { schema: Some(schema), value } = datum else { unreachable!("it has a schema") };
        let updated = self.schemas.get_or(&schema, || self.new_schema(&schema))?;
        let targets = match &self.spec {
            Spec::Whole(target) => {
                let value = cast(Some(&schema), &value, *target)?;
                return Ok(Datum::with_schema(updated, value));
            }
            Spec::Fields(targets) => targets,
        };
        let structure = require_struct(value, PURPOSE)?;
        let own = structure.schema().clone();
        let values = fields::all_values(structure, self.with_default);
        let value = build_with(&updated, values, |index, value| {
            let field = &own.fields()[index];
            match targets.get(&*field.name) {
                Some(target) => cast(Some(&field.schema), &value, *target),
                None => Ok(value),
            }
        })?;
        Ok(Datum::with_schema(updated, value))
    }
}

impl Transform for Cast {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let datum = self.side.take(&mut record);
        let datum = if datum.schema.is_none() {
            Datum::schemaless(self.without_schema(datum.value)?)
        } else {
            self.with_schema(datum)?
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}

fn check_spec(_: &str, value: &options::Value) -> Result<(), String> {
    match value {
        options::Value::List(mappings) if !mappings.is_empty() => parse_spec(mappings).map(drop),
        _ => Err("Must specify at least one field to cast.".to_owned()),
    }
}

fn parse_spec(mappings: &[String]) -> Result<Spec, String> {
    let mut whole = None;
    let mut fields = BTreeMap::new();
    for mapping in mappings {
        match java::split(mapping, ':').as_slice() {
            [target] => whole = Some(parse_type(target)?),
            [name, target] => {
                fields.insert(java::trim(name).to_owned(), parse_type(target)?);
            }
            _ => {
                let told = options::Value::List(mappings.to_vec());
                return Err(format!(
                    "Invalid value {told} for configuration renames: Invalid rename mapping: \
                     {mapping}"
                ));
            }
        }
    }
    match whole {
        None => Ok(Spec::Fields(fields)),
        Some(target) if mappings.len() == 1 => Ok(Spec::Whole(target)),
        Some(_) => Err("Cast transformations that specify a type to cast the entire value to may \
             only specify a single cast in their spec"
            .to_owned()),
    }
}

fn parse_type(text: &str) -> Result<Type, String> {
    let text = java::trim(text);
    let name = text.to_uppercase();
    if let Some(found) = TARGETS.iter().find(|target| target.java_name() == name) {
        return Ok(*found);
    }
    if matches!(name.as_str(), "BYTES" | "ARRAY" | "MAP" | "STRUCT") {
        let supported = names(TARGETS);
        return Err(format!(
            "Cast transformation does not support casting to {name}; supported types are \
             [{supported}]"
        ));
    }
    Err(format!("Invalid type found in casting spec: {text}"))
}

fn names(types: &[Type]) -> String {
    types.iter().map(|one| one.java_name()).collect::<Vec<_>>().join(", ")
}

fn kind_of(target: Type) -> SchemaKind {
    match target {
        Type::Int8 => SchemaKind::Int8,
        Type::Int16 => SchemaKind::Int16,
        Type::Int32 => SchemaKind::Int32,
        Type::Int64 => SchemaKind::Int64,
        Type::Float32 => SchemaKind::Float32,
        Type::Float64 => SchemaKind::Float64,
        Type::Boolean => SchemaKind::Boolean,
        _ => SchemaKind::String,
    }
}

/// Casts a value; `schema` is that of the value.
fn cast(schema: Option<&Schema>, value: &Value, target: Type) -> Result<Value, Failure> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let found = match schema {
        Some(schema) => schema.type_of(),
        None => value.type_of().ok_or_else(|| {
            Failure::data(format!(
                "Cast transformation was passed a value of type class {} which is not supported \
                 by Connect's data API",
                value.java_class()
            ))
        })?,
    };
    if !TYPES.contains(&found) {
        return Err(Failure::data(format!(
            "Cast transformation does not support casting from {}; supported types are [{}]",
            found.java_name(),
            names(&TYPES)
        )));
    }
    if target == Type::String {
        return Ok(Value::string(literal::write(value)));
    }
    let encoded = match (schema, value) {
        (Some(schema), Value::Timestamp(millis)) => {
            logical::encode(schema, *millis)?.unwrap_or(Value::Timestamp(*millis))
        }
        _ => value.clone(),
    };
    to_number(&encoded, target)
}

fn to_number(value: &Value, target: Type) -> Result<Value, Failure> {
    if let Value::String(text) = value {
        return parse(text, target).ok_or_else(|| {
            Failure::data(format!("Value ({text}) was out of range for requested data type"))
        });
    }
    let (long, double, single) = match value {
        Value::Boolean(truth) => {
            let number = i8::from(*truth);
            (i64::from(number), f64::from(number), f32::from(number))
        }
        Value::Int8(number) => (i64::from(*number), f64::from(*number), f32::from(*number)),
        Value::Int16(number) => (i64::from(*number), f64::from(*number), f32::from(*number)),
        Value::Int32(number) => (i64::from(*number), f64::from(*number), *number as f32),
        Value::Int64(number) => (*number, *number as f64, *number as f32),
        Value::Float32(number) => (*number as i64, f64::from(*number), *number),
        Value::Float64(number) => (*number as i64, *number, *number as f32),
        Value::Decimal(number) => (number.to_i64_wrapping(), number.to_f64(), number.to_f32()),
        other => {
            let message =
                format!("Unexpected type in Cast transformation: class {}", other.java_class());
            return Err(Failure::data(message));
        }
    };
    // Narrow types are cut from 32 bits; floating-point numbers saturate there first.
    let int = match value {
        Value::Float32(number) => *number as i32,
        Value::Float64(number) => *number as i32,
        _ => long as i32,
    };
    Ok(match target {
        Type::Int8 => Value::Int8(int as i8),
        Type::Int16 => Value::Int16(int as i16),
        Type::Int32 => Value::Int32(int),
        Type::Int64 => Value::Int64(long),
        Type::Float32 => Value::Float32(single),
        Type::Float64 => Value::Float64(double),
        _ => Value::Boolean(long != 0),
    })
}

fn parse(text: &str, target: Type) -> Option<Value> {
    let integer = |lowest: i64, highest: i64| read_integer(text, lowest, highest);
    Some(match target {
        Type::Int8 => Value::Int8(integer(i8::MIN.into(), i8::MAX.into())? as i8),
        Type::Int16 => Value::Int16(integer(i16::MIN.into(), i16::MAX.into())? as i16),
        Type::Int32 => Value::Int32(integer(i32::MIN.into(), i32::MAX.into())? as i32),
        Type::Int64 => Value::Int64(integer(i64::MIN, i64::MAX)?),
        Type::Float32 => Value::Float32(read_f32(text)?),
        Type::Float64 => Value::Float64(read_f64(text)?),
        _ => Value::Boolean(text.eq_ignore_ascii_case("true")),
    })
}
