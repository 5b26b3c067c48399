//! `TimestampConverter`: from one form of a moment to another: text, numbers, logical types.

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{
    all_values, basics, build_with, entry, fields_of, require_map, require_struct, set_default,
    struct_kind,
};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{
    ConnectRecord, Datum, Field, Kind as SchemaKind, LogicalType, Schema, SchemaRef, Struct, Type,
    Value,
};
use crate::java::{self, DateFormat};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "field",
        Kind::String,
        Default::Text(""),
        Importance::High,
        "The field containing the timestamp, or empty if the entire value is a timestamp",
    ),
    OptionDef::new(
        "target.type",
        Kind::String,
        Default::Required,
        Importance::High,
        "The desired timestamp representation: string, unix, Date, Time, or Timestamp",
    )
    .accepting(&[Accepted::OneOf(&["string", "unix", "Date", "Time", "Timestamp"])]),
    OptionDef::new(
        "format",
        Kind::String,
        Default::Text(""),
        Importance::Medium,
        "A SimpleDateFormat-compatible format for the timestamp. Used to generate the output when \
         type=string or used to parse the input if the input is a string.",
    ),
    OptionDef::new(
        "unix.precision",
        Kind::String,
        Default::Text("milliseconds"),
        Importance::Low,
        "The desired Unix precision for the timestamp: seconds, milliseconds, microseconds, or \
         nanoseconds. Used to generate the output when type=unix or used to parse the input if \
         the input is a Long.Note: This SMT will cause precision loss during conversions from, \
         and to, values with sub-millisecond components.",
    )
    .accepting(&[Accepted::OneOf(&["nanoseconds", "microseconds", "milliseconds", "seconds"])]),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "converting timestamp formats";
const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub(super) struct TimestampConverter {
    side: Side,
    field: String,
    target: Form,
    format: Option<DateFormat>,
    precision: Precision,
    with_default: bool,
    schemas: SchemaCache,
}

/// What a moment looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimestampConverter {
    pub(super) fn new(side: Side, options: &Options, now: i64) -> Result<Self, String> {
        let target = match options.string("target.type") {
            "string" => Form::Text,
            "unix" => Form::Unix,
            "Date" => Form::Date,
            "Time" => Form::Time,
            _ => Form::Timestamp,
        };
        let precision = match options.string("unix.precision") {
            "seconds" => Precision::Seconds,
            "microseconds" => Precision::Microseconds,
            "nanoseconds" => Precision::Nanoseconds,
            _ => Precision::Milliseconds,
        };
        let pattern = options.string("format");
        let format = if java::trim(pattern).is_empty() {
            if target == Form::Text {
                return Err(
                    "TimestampConverter requires format option to be specified when using \
                     string timestamps"
                        .to_owned(),
                );
            }
            None
        } else {
            Some(DateFormat::new(pattern, now).map_err(|_| {
                format!(
                    "TimestampConverter requires a SimpleDateFormat-compatible pattern for string \
                     timestamps: {pattern}"
                )
            })?)
        };
        Ok(Self {
            side,
            field: options.string("field").to_owned(),
            target,
            format,
            precision,
            with_default: options.boolean(REPLACE_NULL_WITH_DEFAULT.name),
            schemas: SchemaCache::default(),
        })
    }

    fn convert(&self, value: &Value, form: Form) -> Result<Value, Failure> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let millis = self.millis(value, form)?;
        Ok(match self.target {
            Form::Text => {
                let format = self.format.as_ref().expect("a text has a format");
                Value::string(format.write(millis))
            }
            Form::Unix => Value::Int64(self.precision.count(millis)),
            Form::Date => Value::Timestamp(millis - millis.rem_euclid(DAY_MS)),
            Form::Time => Value::Timestamp(millis.rem_euclid(DAY_MS)),
            Form::Timestamp => Value::Timestamp(millis),
        })
    }

    fn millis(&self, value: &Value, form: Form) -> Result<i64, Failure> {
        let expected = |what: &str, class: &str| {
            Failure::data(format!(
                "Expected {what} to be a {class}, but found class {}",
                value.java_class()
            ))
        };
        match (form, value) {
            (Form::Text, Value::String(text)) => {
                let Some(format) = &self.format else {
                    return Err(Failure::missing(
                        "a string timestamp needs the option 'format' to be read",
                    ));
                };
                format.read(text).ok_or_else(|| {
                    Failure::data(format!(
                        "Could not parse timestamp: value ({text}) does not match pattern ({})",
                        format.pattern()
                    ))
                })
            }
            (Form::Text, _) => Err(expected("string timestamp", "String")),
            (Form::Unix, Value::Int64(count)) => Ok(self.precision.millis(*count)),
            (Form::Unix, _) => Err(expected("Unix timestamp", "Long")),
            (_, Value::Timestamp(millis)) => Ok(*millis),
            (Form::Date, _) => Err(expected("Date", "java.util.Date")),
            (Form::Time, _) => Err(expected("Time", "java.util.Date")),
            (Form::Timestamp, _) => Err(expected("Timestamp", "java.util.Date")),
        }
    }

    fn target_schema(&self, optional: bool) -> Schema {
        let mut schema = match self.target {
            Form::Text => Schema::new(SchemaKind::String),
            Form::Unix => Schema::new(SchemaKind::Int64),
            Form::Date => Schema::logical(LogicalType::Date, None),
            Form::Time => Schema::logical(LogicalType::Time, None),
            Form::Timestamp => Schema::logical(LogicalType::Timestamp, None),
        };
        schema.optional = optional;
        schema
    }

    fn new_schema(&self, schema: &SchemaRef) -> Result<Schema, Failure> {
        let fields = fields_of(schema)?.iter().map(|field| {
            if *field.name == *self.field {
                Field::new(field.name.clone(), self.target_schema(field.schema.optional))
            } else {
                field.clone()
            }
        });
        let mut updated = basics(schema, struct_kind(fields.collect())?);
        updated.optional = schema.optional;
        if let Some(Value::Struct(default)) = &schema.default {
            let without_default = SchemaRef::new(updated.clone());
            let default = self.convert_struct(Struct::clone(default), &without_default)?;
            set_default(&mut updated, default)?;
        }
        Ok(updated)
    }

    fn convert_struct(&self, structure: Struct, updated: &SchemaRef) -> Result<Value, Failure> {
        let own = structure.schema().clone();
        let values = all_values(structure, self.with_default);
        let converted = own.field(&self.field);
        build_with(updated, values, |index, value| match converted {
            Some((place, field)) if place == index => self.convert(&value, form_of(&field.schema)?),
            _ => Ok(value),
        })
    }

    fn with_schema(&self, schema: &SchemaRef, value: Value) -> Result<Datum, Failure> {
        if self.field.is_empty() {
            let updated =
                self.schemas.get_or(schema, || Ok(self.target_schema(schema.optional)))?;
            let value = self.convert(&value, form_of(schema)?)?;
            return Ok(Datum::with_schema(updated, value));
        }
        let structure = match value {
            Value::Null => None,
            value => Some(require_struct(value, PURPOSE)?),
        };
        let updated = self.schemas.get_or(schema, || self.new_schema(schema))?;
        let value = match structure {
            Some(structure) => self.convert_struct(structure, &updated)?,
            None => Value::Null,
        };
        Ok(Datum::with_schema(updated, value))
    }

    fn without_schema(&self, value: Value) -> Result<Value, Failure> {
        let convert = |value: &Value| {
            if value.is_null() {
                Ok(Value::Null)
            } else {
                self.convert(value, form_of_value(value)?)
            }
        };
        if value.is_null() || self.field.is_empty() {
            return convert(&value);
        }
        let mut map = require_map(value, PURPOSE)?;
        let converted = convert(entry(&map, &self.field).unwrap_or(&Value::Null))?;
        map.insert(Value::string(self.field.as_str()), converted);
        Ok(Value::Map(map))
    }
}

impl Transform for TimestampConverter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Datum { schema, value } = self.side.take(&mut record);
        let datum = match schema {
            None => Datum::schemaless(self.without_schema(value)?),
            Some(schema) => self.with_schema(&schema, value)?,
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}

/// A logical name says it, else text has the configured format and a number is Unix time.
fn form_of(schema: &Schema) -> Result<Form, Failure> {
    match schema.name.as_deref().and_then(LogicalType::named) {
        Some(LogicalType::Timestamp) => return Ok(Form::Timestamp),
        Some(LogicalType::Date) => return Ok(Form::Date),
        Some(LogicalType::Time) => return Ok(Form::Time),
        Some(LogicalType::Decimal) | None => {}
    }
    match schema.type_of() {
        Type::String => Ok(Form::Text),
        Type::Int64 => Ok(Form::Unix),
        _ => Err(Failure::connect(format!(
            "Schema {schema} does not correspond to a known timestamp type format"
        ))),
    }
}

fn form_of_value(value: &Value) -> Result<Form, Failure> {
    match value {
        Value::Timestamp(_) => Ok(Form::Timestamp),
        Value::Int64(_) => Ok(Form::Unix),
        Value::String(_) => Ok(Form::Text),
        other => Err(Failure::data(format!(
            "TimestampConverter does not support class {} objects as timestamps",
            other.java_class()
        ))),
    }
}

impl Precision {
    /// Saturates where the number is too large for milliseconds.
    fn millis(self, count: i64) -> i64 {
        match self {
            Self::Seconds => count.saturating_mul(1000),
            Self::Milliseconds => count,
            Self::Microseconds => count / 1000,
            Self::Nanoseconds => count / 1_000_000,
        }
    }

    fn count(self, millis: i64) -> i64 {
        match self {
            Self::Seconds => millis / 1000,
            Self::Milliseconds => millis,
            Self::Microseconds => millis.saturating_mul(1000),
            Self::Nanoseconds => millis.saturating_mul(1_000_000),
        }
    }
}
