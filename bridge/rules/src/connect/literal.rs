//! Values as text, as Connect's `Values` writes and reads them: headers have this form.
//!
//! What is read gets the narrowest schema that holds it: numbers, booleans, dates, arrays, maps;
//! what is none of them is the text itself.
//!
//! Invariant: every text is read as something; nesting deeper than [`DEPTH_MAX`] is text.

mod parser;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Datum, Kind, Schema, Value};
use crate::java::date_format::DateFormat;
use crate::java::number::{write_f32, write_f64};

/// How deep arrays and maps are looked into.
pub const DEPTH_MAX: usize = 32;

const DATE: &str = "yyyy-MM-dd";
const TIME: &str = "HH:mm:ss.SSS'Z'";
const TIMESTAMP: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";
const DAY_MS: i64 = 86_400_000;

/// Reads a value with the schema that it shows; `null` has none.
#[must_use]
pub fn read(text: &str) -> Datum {
    if text.is_empty() {
        return Datum::with_schema(Schema::new(Kind::String).into(), Value::string(text));
    }
    parser::read(text).unwrap_or_default()
}

/// Writes a value; strings are themselves, and quoted only inside of arrays, maps and structs.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    append(&mut text, value, false);
    text
}

/// The depth of values is bounded by what made them.
fn append(text: &mut String, value: &Value, embedded: bool) {
    let quote = |text: &mut String, content: &str| {
        if embedded {
            text.extend(["\"", content, "\""]);
        } else {
            text.push_str(content);
        }
    };
    match value {
        Value::Null => text.push_str("null"),
        Value::Boolean(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Int8(number) => text.push_str(&number.to_string()),
        Value::Int16(number) => text.push_str(&number.to_string()),
        Value::Int32(number) => text.push_str(&number.to_string()),
        Value::Int64(number) => text.push_str(&number.to_string()),
        Value::Float32(number) => text.push_str(&write_f32(*number)),
        Value::Float64(number) => text.push_str(&write_f64(*number)),
        Value::Decimal(number) => text.push_str(&number.to_string()),
        Value::String(content) if embedded => {
            quote(text, &content.replace('\\', "\\\\").replace('"', "\\\""));
        }
        Value::String(content) => text.push_str(content),
        Value::Bytes(bytes) => quote(text, &STANDARD.encode(bytes)),
        Value::Timestamp(millis) => text.push_str(&write_moment(*millis)),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append(text, value, true);
            }
            text.push(']');
        }
        Value::Map(map) => {
            let entries = map.iter();
            append_entries(text, entries.map(|(key, value)| (key.clone(), value)));
        }
        Value::Struct(structure) => {
            let fields = structure.schema().fields().iter().enumerate();
            let entries = fields.map(|(index, field)| {
                (Value::String(field.name.clone()), structure.value_at(index))
            });
            append_entries(text, entries);
        }
    }
}

fn append_entries<'a>(text: &mut String, entries: impl Iterator<Item = (Value, &'a Value)>) {
    text.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            text.push(',');
        }
        append(text, &key, true);
        text.push(':');
        append(text, value, true);
    }
    text.push('}');
}

/// A moment of the first day is a time, one at midnight a date.
fn write_moment(millis: i64) -> String {
    let pattern = if millis < DAY_MS {
        TIME
    } else if millis % DAY_MS == 0 {
        DATE
    } else {
        TIMESTAMP
    };
    DateFormat::new(pattern, 0).expect("the pattern is ours").write(millis)
}

#[cfg(test)]
mod tests;
