//! From a value to the text of a payload, by its schema or by itself.
//!
//! Invariant: when a conversion ends with an error, what was written is of no use and is thrown
//! away by the caller.

use std::io::Write as _;
use std::sync::Arc;

use super::decode::scale;
use super::text;
use crate::connect::{Decimal, Kind, LogicalType, Map, Schema, Type, Value};
use crate::converter::ConvertError;
use crate::converter::calendar;

/// How a payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::converter) struct Encoder {
    /// Decimals as numbers rather than as Base64 of their unscaled bytes.
    pub(in crate::converter) numeric_decimals: bool,
    pub(in crate::converter) replace_null_with_default: bool,
    /// Days and times of the day as text (`2020-02-29`, `12:30:00.000Z`) rather than as numbers.
    pub(in crate::converter) readable_dates: bool,
}

impl Encoder {
    pub(in crate::converter) fn write(
        &self,
        out: &mut Vec<u8>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<(), ConvertError> {
        match schema {
            Some(schema) => self.with_schema(out, schema, value),
            None => self.schemaless(out, value),
        }
    }

    fn schemaless(&self, out: &mut Vec<u8>, value: &Value) -> Result<(), ConvertError> {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Boolean(value) => boolean(out, *value),
            Value::Int8(value) => text::integer(out, i64::from(*value)),
            Value::Int16(value) => text::integer(out, i64::from(*value)),
            Value::Int32(value) => text::integer(out, i64::from(*value)),
            Value::Int64(value) => text::integer(out, *value),
            Value::Float32(value) => text::float(out, *value),
            Value::Float64(value) => text::double(out, *value),
            Value::String(value) => text::string(out, value),
            Value::Bytes(value) => text::base64(out, value),
            // A whole number beyond 64 bits, as it was read.
            Value::Decimal(value) => write!(out, "{value}").expect("a vector takes it"),
            Value::Timestamp(_) => {
                return Err(ConvertError::data(
                    "Java class class java.util.Date does not have corresponding schema type.",
                ));
            }
            Value::Array(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    comma(out, index);
                    self.schemaless(out, value)?;
                }
                out.push(b']');
            }
            Value::Map(map) => self.schemaless_map(out, map)?,
            Value::Struct(structure) => self.with_schema(out, structure.schema(), value)?,
        }
        Ok(())
    }

    fn schemaless_map(&self, out: &mut Vec<u8>, map: &Map) -> Result<(), ConvertError> {
        if map.keys().all(|key| matches!(key, Value::String(_))) {
            out.push(b'{');
            for (index, (key, value)) in map.iter().enumerate() {
                comma(out, index);
                text::string(out, key.as_str().unwrap_or_default());
                out.push(b':');
                self.schemaless(out, value)?;
            }
            out.push(b'}');
            return Ok(());
        }
        out.push(b'[');
        for (index, (key, value)) in map.iter().enumerate() {
            comma(out, index);
            out.push(b'[');
            self.schemaless(out, key)?;
            out.push(b',');
            self.schemaless(out, value)?;
            out.push(b']');
        }
        out.push(b']');
        Ok(())
    }

    fn with_schema(
        &self,
        out: &mut Vec<u8>,
        schema: &Schema,
        value: &Value,
    ) -> Result<(), ConvertError> {
        if value.is_null() {
            return match &schema.default {
                Some(default) if self.replace_null_with_default && !default.is_null() => {
                    self.with_schema(out, schema, default)
                }
                _ if schema.optional => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
                _ => Err(ConvertError::data(
                    "Conversion error: null value for field that is required and has no default value",
                )),
            };
        }
        if let Some(name) = schema.name.as_deref()
            && let Some(logical) = LogicalType::named(name)
        {
            return self.logical(out, schema, logical, value);
        }
        match (&schema.kind, value) {
            (Kind::Struct(fields), Value::Struct(structure)) => {
                if !same_shape(structure.schema(), schema) {
                    return Err(ConvertError::data("Mismatching schema."));
                }
                out.push(b'{');
                for (index, (field, value)) in fields.iter().zip(structure.values()).enumerate() {
                    comma(out, index);
                    text::string(out, &field.name);
                    out.push(b':');
                    self.with_schema(out, &field.schema, value)?;
                }
                out.push(b'}');
                Ok(())
            }
            (Kind::Array(element), Value::Array(values)) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    comma(out, index);
                    self.with_schema(out, element, value)?;
                }
                out.push(b']');
                Ok(())
            }
            (Kind::Map(keys, values), Value::Map(map)) => self.map(out, (keys, values), map),
            (_, value) if value.type_of() == Some(schema.type_of()) => self.schemaless(out, value),
            (_, value) => Err(ConvertError::data(format!(
                "Invalid type for {}: class {}",
                schema.type_of().json_name().to_uppercase(),
                value.java_class()
            ))),
        }
    }

    fn map(
        &self,
        out: &mut Vec<u8>,
        (keys, values): (&Schema, &Schema),
        map: &Map,
    ) -> Result<(), ConvertError> {
        let object = keys.type_of() == Type::String;
        out.push(if object { b'{' } else { b'[' });
        for (index, (key, value)) in map.iter().enumerate() {
            comma(out, index);
            if !object {
                out.push(b'[');
            } else if !matches!(key, Value::String(_)) {
                return Err(ConvertError::data(format!(
                    "Invalid type for STRING: class {}",
                    key.java_class()
                )));
            }
            self.with_schema(out, keys, key)?;
            out.push(if object { b':' } else { b',' });
            self.with_schema(out, values, value)?;
            if !object {
                out.push(b']');
            }
        }
        out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    fn logical(
        &self,
        out: &mut Vec<u8>,
        schema: &Schema,
        logical: LogicalType,
        value: &Value,
    ) -> Result<(), ConvertError> {
        match (logical, value) {
            (LogicalType::Decimal, Value::Decimal(value)) if self.numeric_decimals => {
                write!(out, "{value}").expect("a vector takes it");
            }
            (LogicalType::Decimal, Value::Decimal(value)) => {
                text::base64(out, &unscaled(schema, value)?);
            }
            (LogicalType::Date, Value::Timestamp(ms)) => {
                let days = days(*ms)?;
                if self.readable_dates {
                    let date = calendar::Date::of_days(i64::from(days));
                    write!(out, "\"{date}\"").expect("a vector takes it");
                } else {
                    text::integer(out, i64::from(days));
                }
            }
            (LogicalType::Time, Value::Timestamp(ms)) => {
                let ms = time_of_day(*ms)?;
                if self.readable_dates {
                    let time = calendar::Time::of_ms(i64::from(ms));
                    write!(out, "\"{time}Z\"").expect("a vector takes it");
                } else {
                    text::integer(out, i64::from(ms));
                }
            }
            (LogicalType::Timestamp, Value::Timestamp(ms)) => text::integer(out, *ms),
            (LogicalType::Decimal, value) => {
                return Err(ConvertError::data(format!(
                    "Invalid type for Decimal, expected BigDecimal but was class {}",
                    value.java_class()
                )));
            }
            (logical, value) => {
                return Err(ConvertError::data(format!(
                    "Invalid type for {logical:?}, expected Date but was class {}",
                    value.java_class()
                )));
            }
        }
        Ok(())
    }
}

fn comma(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A decimal's bytes, if its scale is that of its schema.
pub(in crate::converter) fn unscaled(
    schema: &Schema,
    value: &Decimal,
) -> Result<Vec<u8>, ConvertError> {
    let expected = scale(schema)?;
    if value.scale == expected {
        return Ok(value.to_bytes());
    }
    Err(ConvertError::data(format!(
        "Decimal value has mismatching scale for given Decimal schema. Schema has scale {expected}, \
         value has scale {}.",
        value.scale
    )))
}

/// The days of a moment at midnight.
pub(in crate::converter) fn days(ms: i64) -> Result<i32, ConvertError> {
    if ms % calendar::DAY_MS != 0 {
        return Err(ConvertError::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    i32::try_from(ms / calendar::DAY_MS)
        .map_err(|_| ConvertError::data(format!("Date of {ms} ms is beyond 32 bits of days")))
}

/// The milliseconds of a moment on the first day.
pub(in crate::converter) fn time_of_day(ms: i64) -> Result<i32, ConvertError> {
    if !(0..=calendar::DAY_MS).contains(&ms) {
        return Err(ConvertError::data(
            "Kafka Connect Time type should not have any date fields set to non-zero values.",
        ));
    }
    Ok(ms as i32)
}

/// Whether a struct's schema is this one, mostly without looking into them; its own default and
/// whether it is optional make no difference.
pub(in crate::converter) fn same_shape(a: &Arc<Schema>, b: &Schema) -> bool {
    std::ptr::eq(Arc::as_ptr(a), b) || a.name == b.name && a.kind == b.kind
}
