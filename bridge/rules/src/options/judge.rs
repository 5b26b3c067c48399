//! Reading options by their definitions.

use std::collections::BTreeMap;

use super::{Accepted, ConfigError, Default, Kind, OptionDef, Value, sorted};
use crate::java::number::{read_f64, read_integer};

/// An option as it was found, with everything that is wrong about it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its definition.
    pub definition: &'static OptionDef,
    /// Its full name.
    pub name: String,
    /// The full name by which it was given, which may be another spelling; none when it was not.
    pub given: Option<String>,
    /// Its value; null when it could not be read.
    pub value: Value,
    /// What is wrong, in Connect's words.
    pub errors: Vec<String>,
}

/// Options that were read, by their names without prefix.
#[derive(Debug, Clone)]
pub struct Options {
    values: BTreeMap<&'static str, Value>,
}

/// Judges the options whose names begin with `prefix`, in the order in which Connect shows them.
#[must_use]
pub fn judge(
    definitions: &'static [OptionDef],
    prefix: &str,
    properties: &BTreeMap<String, String>,
) -> Vec<Judged> {
    let judged = sorted(definitions).into_iter().map(|definition| {
        let name = format!("{prefix}{}", definition.name);
        let mut errors = Vec::new();
        let mut spellings = definition.spellings().map(|spelling| format!("{prefix}{spelling}"));
        let given = spellings.find(|spelling| properties.contains_key(spelling));
        let text = given.as_ref().and_then(|given| properties.get(given)).map(String::as_str);
        let value = match (text, definition.default) {
            (Some(text), _) | (None, Default::Text(text)) => {
                read(definition.kind, given.as_ref().unwrap_or(&name), text).unwrap_or_else(
                    |message| {
                        errors.push(message);
                        Value::Null
                    },
                )
            }
            (None, Default::Null) => Value::Null,
            (None, Default::Required) => {
                errors.push(format!(
                    "Missing required configuration \"{name}\" which has no default value."
                ));
                Value::Null
            }
        };
        // The first rule that is broken tells; its message has the name without prefix.
        let broken =
            definition.accepted.iter().find_map(|a| a.check(definition.name, &value).err());
        errors.extend(broken);
        Judged { definition, name, given, value, errors }
    });
    judged.collect()
}

/// Reads the options whose names begin with `prefix`.
///
/// # Errors
/// With every mistake.
pub fn parse(
    definitions: &'static [OptionDef],
    prefix: &str,
    properties: &BTreeMap<String, String>,
) -> Result<Options, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut values = BTreeMap::new();
    for judged in judge(definitions, prefix, properties) {
        let name = judged.name;
        let told = judged.errors.into_iter();
        errors.extend(told.map(|message| ConfigError { name: name.clone(), message }));
        values.insert(judged.definition.name, judged.value);
    }
    if errors.is_empty() { Ok(Options { values }) } else { Err(errors) }
}

impl Options {
    fn value(&self, name: &str) -> &Value {
        self.values.get(name).expect("an option of the table")
    }

    /// A string; none when it has no value.
    ///
    /// # Panics
    /// When the table has no such string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// A string that has a value always.
    ///
    /// # Panics
    /// When the table has no such string, or one that may be null.
    #[must_use]
    pub fn string(&self, name: &str) -> &str {
        self.text(name).expect("required or with a default")
    }

    /// A boolean.
    ///
    /// # Panics
    /// When the table has no such boolean.
    #[must_use]
    pub fn boolean(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Boolean(value) => *value,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// A whole number; none when it has no value.
    ///
    /// # Panics
    /// When the table has no such number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Number(value) => Some(*value),
            Value::Null => None,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// A list.
    ///
    /// # Panics
    /// When the table has no such list.
    #[must_use]
    pub fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::List(values) => values,
            other => panic!("{name} is {other:?}"),
        }
    }
}

fn invalid(name: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> String {
    format!("Invalid value {value} for configuration {name}: {why}")
}

fn read(kind: Kind, name: &str, text: &str) -> Result<Value, String> {
    let trimmed = crate::java::trim(text);
    let number = |lowest: i64, highest: i64| {
        read_integer(trimmed, lowest, highest).map(Value::Number).ok_or_else(|| {
            invalid(name, text, format_args!("Not a number of type {}", kind.name()))
        })
    };
    match kind {
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Kind::Boolean => Err(invalid(name, text, "Expected value to be either true or false")),
        Kind::String | Kind::Class | Kind::Password => Ok(Value::String(trimmed.to_owned())),
        Kind::Short => number(i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::Int => number(i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::Long => number(i64::MIN, i64::MAX),
        Kind::Double => read_f64(trimmed)
            .map(Value::Double)
            .ok_or_else(|| invalid(name, text, "Not a number of type DOUBLE")),
        Kind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
        Kind::List => Ok(Value::List(split_list(trimmed))),
    }
}

/// At commas, with the white space around each.
fn split_list(text: &str) -> Vec<String> {
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    let mut parts: Vec<&str> = text.split(',').collect();
    let last = parts.len() - 1;
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 {
            *part = part.trim_start_matches(white);
        }
        if index < last {
            *part = part.trim_end_matches(white);
        }
    }
    parts.into_iter().map(str::to_owned).collect()
}

impl Accepted {
    fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::OneOf(names), value) => match value {
                Value::String(text) if names.contains(&text.as_str()) => Ok(()),
                _ => {
                    let why = format!("String must be one of: {}", names.join(", "));
                    Err(invalid(name, value, why))
                }
            },
            (Self::OneOfAnyCase(names), value) => match value {
                Value::String(text) if names.iter().any(|n| n.eq_ignore_ascii_case(text)) => Ok(()),
                _ => {
                    let names = names.join(", ");
                    let why = format!("String must be one of (case insensitive): {names}");
                    Err(invalid(name, value, why))
                }
            },
            (Self::NonEmptyString, Value::String(text)) if text.is_empty() => {
                Err(invalid(name, "", "String must be non-empty"))
            }
            (Self::NonNull, Value::Null) => Err(invalid(name, "null", "entry must be non null")),
            (Self::NonEmptyList, Value::Null) => Err(invalid(name, "null", "Empty list")),
            (Self::NonEmptyList, Value::List(values)) if values.is_empty() => {
                Err(invalid(name, value, "Empty list"))
            }
            (Self::Distinct { .. }, Value::Null) => {
                Err(format!("Configuration '{name}' values must not be null."))
            }
            (Self::Distinct { empty }, Value::List(values)) => distinct(name, values, *empty),
            (Self::AtLeast(least), Value::Number(number)) if number < least => {
                Err(invalid(name, value, format_args!("Value must be at least {least}")))
            }
            (Self::Between(least, _), Value::Number(number)) if number < least => {
                Err(invalid(name, value, format_args!("Value must be at least {least}")))
            }
            (Self::Between(_, most), Value::Number(number)) if number > most => {
                Err(invalid(name, value, format_args!("Value must be no more than {most}")))
            }
            (Self::AtLeast(_) | Self::Between(..), Value::Null) => {
                Err(invalid(name, "null", "Value must be non-null"))
            }
            (Self::Check { check, .. }, value) => check(name, value),
            _ => Ok(()),
        }
    }
}

fn distinct(name: &str, values: &[String], empty: bool) -> Result<(), String> {
    if values.is_empty() && !empty {
        return Err(format!(
            "Configuration '{name}' must not be empty. Valid values include: any non-empty value"
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    if !values.iter().all(|value| seen.insert(value)) {
        return Err(format!("Configuration '{name}' values must not be duplicated."));
    }
    if values.iter().any(String::is_empty) {
        return Err(format!("Configuration '{name}' values must not be empty."));
    }
    Ok(())
}
