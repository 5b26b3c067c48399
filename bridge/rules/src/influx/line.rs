//! A point as a line of the line protocol.
//!
//! Invariant: InfluxDB reads back the names and values that went in; a line break of a text field
//! stands within its quotes. Two things it cannot be told stand as near as can be: a line break in a name or a tag is
//! written `\n`, and a backslash at its end, which would escape what stands behind it, is left out.

use std::fmt::Write;

use super::{FieldValue, Point};

impl Point {
    /// Its line, without a line break; `now_ns` is the time of a point that has none.
    #[must_use]
    pub fn line(&self, now_ns: i64) -> String {
        let mut line = self.without_time();
        // Writing to a string cannot go wrong.
        let _ = write!(line, " {}", self.time_ns.unwrap_or(now_ns));
        line
    }

    /// The same without the time at its end.
    #[must_use]
    pub fn without_time(&self) -> String {
        let mut line = String::with_capacity(128);
        name(&mut line, &self.measurement, &[',', ' ']);
        for (key, value) in &self.tags {
            line.push(',');
            name(&mut line, key, &[',', '=', ' ']);
            line.push('=');
            name(&mut line, value, &[',', '=', ' ']);
        }
        for (index, (key, value)) in self.fields.iter().enumerate() {
            line.push(if index == 0 { ' ' } else { ',' });
            name(&mut line, key, &[',', '=', ' ']);
            line.push('=');
            field(&mut line, value);
        }
        line
    }
}

/// A measurement, the key or the value of a tag, or the key of a field.
fn name(line: &mut String, text: &str, special: &[char]) {
    for character in text.trim_end_matches('\\').chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            _ => {
                if special.contains(&character) {
                    line.push('\\');
                }
                line.push(character);
            }
        }
    }
}

fn field(line: &mut String, value: &FieldValue) {
    let _ = match value {
        FieldValue::Integer(number) => write!(line, "{number}i"),
        // Beyond these the digits before or behind the point would be zeros.
        FieldValue::Float(number) if *number != 0.0 && !(1e-7..1e17).contains(&number.abs()) => {
            write!(line, "{number:e}")
        }
        FieldValue::Float(number) => write!(line, "{number}"),
        FieldValue::Boolean(truth) => write!(line, "{truth}"),
        FieldValue::Text(text) => {
            line.push('"');
            for character in text.chars() {
                if matches!(character, '"' | '\\') {
                    line.push('\\');
                }
                line.push(character);
            }
            line.push('"');
            Ok(())
        }
    };
}
