//! A record's key, made of single values in its value.

use super::super::ConvertError;
use super::super::primitive::java_text;
use crate::connect::Value;

/// The paths of `WITHKEY` and the delimiter between their values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyPaths {
    paths: Vec<Vec<String>>,
    delimiter: String,
}

impl KeyPaths {
    /// Paths of names with points between them; `.` is the delimiter of upstream.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>, delimiter: Option<&str>) -> Self {
        let split = |path: &str| path.split('.').map(str::to_owned).collect();
        Self {
            paths: paths.into_iter().map(split).collect(),
            delimiter: delimiter.unwrap_or(".").to_owned(),
        }
    }

    /// Whether the key is not made of the value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The key of a value: nulls are left out; none when nothing is left.
    pub(super) fn of(&self, value: &Value) -> Result<Option<String>, ConvertError> {
        let mut key = String::new();
        let mut first = true;
        for path in &self.paths {
            let found = found(value, path)?;
            if found.is_null() {
                continue;
            }
            if !first {
                key.push_str(&self.delimiter);
            }
            first = false;
            java_text(&mut key, found);
        }
        Ok((!key.is_empty()).then_some(key))
    }
}

fn found<'v>(value: &'v Value, path: &[String]) -> Result<&'v Value, ConvertError> {
    let wrong = |what: &str| {
        let path = path.join(".");
        Err(ConvertError::data(format!("Invalid field selection for '{path}'. {what}")))
    };
    let mut at = value;
    for name in path {
        let next = match at {
            Value::Null => return Ok(at),
            Value::Struct(structure) => structure.value(name),
            Value::Map(map) => map.get(&Value::string(name.as_str())),
            _ => return wrong("It doesn't resolve to a primitive field"),
        };
        at = match next {
            Some(next) => next,
            None => {
                return wrong(&format!("Can't find {name} field. Field found are:{}", names(at)));
            }
        };
    }
    match at {
        Value::Array(_) | Value::Map(_) | Value::Struct(_) => {
            wrong("The path is not resolving to a primitive type")
        }
        Value::Bytes(_) => wrong("It resolves to bytes, which are no part of a key"),
        at => Ok(at),
    }
}

fn names(value: &Value) -> String {
    let names: Vec<&str> = match value {
        Value::Struct(structure) => {
            structure.schema().fields().iter().map(|field| &*field.name).collect()
        }
        Value::Map(map) => map.keys().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    // Somebody else's payload does not fill our log.
    let more = if names.len() > 32 { ",…" } else { "" };
    names.iter().take(32).copied().collect::<Vec<_>>().join(",") + more
}
