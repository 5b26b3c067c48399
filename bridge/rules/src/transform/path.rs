//! Paths to a field: a name at the root (V1), or names with dots between them (V2).

use super::Failure;
use super::fields::{field_of, require_map_ref, require_struct_ref};
use crate::connect::{Field, Map, Schema, Struct, Value};

const PURPOSE: &str = "nested field access";

/// The names from the root to a field.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    steps: Vec<String>,
}

impl FieldPath {
    /// A field of the root.
    pub(super) fn root(name: &str) -> Self {
        Self { steps: vec![name.to_owned()] }
    }

    /// Dots part the names; backticks around a name let it have dots of its own, a backslash lets
    /// it have backticks.
    pub(super) fn nested(path: &str) -> Result<Self, String> {
        let text: Vec<char> = path.chars().collect();
        let find = |wanted: char, from: usize| {
            text.get(from..)?.iter().position(|&found| found == wanted).map(|at| from + at)
        };
        let mut steps = Vec::new();
        let mut index = 0;
        while index < text.len() {
            if text[index] != '`' {
                let Some(dot) = find('.', index) else {
                    steps.push(text[index..].iter().collect());
                    break;
                };
                steps.push(text[index..dot].iter().collect());
                index = dot + 1;
                continue;
            }
            let opening = index;
            let incomplete = || {
                format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash \
                     before backtick at position {opening} to escape it"
                )
            };
            let mut name = String::new();
            let mut start = index + 1;
            index = start;
            loop {
                index = find('`', index).ok_or_else(incomplete)?;
                let escaped = text[index - 1] == '\\';
                if index + 1 == text.len() {
                    if escaped {
                        return Err(incomplete());
                    }
                    name.extend(&text[start..index]);
                    steps.push(std::mem::take(&mut name));
                    index += 1;
                    break;
                }
                if text[index + 1] != '.' {
                    // Not before a dot it is part of the name.
                    index += 1;
                } else if escaped {
                    name.extend(&text[start..index - 1]);
                    name.push('`');
                    index += 1;
                    start = index;
                } else {
                    name.extend(&text[start..index]);
                    steps.push(std::mem::take(&mut name));
                    index += 2;
                    break;
                }
            }
        }
        if text.last() == Some(&'.') {
            steps.push(String::new());
        }
        Ok(Self { steps })
    }

    /// The names before the last one, and that.
    fn split(&self) -> Result<(&[String], &str), Failure> {
        let (last, before) = self
            .steps
            .split_last()
            .ok_or_else(|| Failure::argument("the path of the field is empty"))?;
        Ok((before, last))
    }

    /// The field in a schema.
    pub(super) fn field_from<'a>(&self, schema: &'a Schema) -> Result<Option<&'a Field>, Failure> {
        let (before, last) = self.split()?;
        let mut current = schema;
        for step in before {
            let Some(field) = field_of(current, step)? else { return Ok(None) };
            current = &field.schema;
        }
        field_of(current, last)
    }

    /// The value in a struct, which has the schema's fields.
    pub(super) fn value_from_struct(
        &self,
        structure: &Struct,
        with_default: bool,
    ) -> Result<Value, Failure> {
        let (before, last) = self.split()?;
        let mut current = structure;
        for step in before {
            match current.value(step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(value) => current = require_struct_ref(value, PURPOSE)?,
            }
        }
        let value = if with_default { current.value(last) } else { current.without_default(last) };
        Ok(value.cloned().unwrap_or_default())
    }

    /// The value in a map.
    pub(super) fn value_from_map(&self, map: &Map) -> Result<Value, Failure> {
        let (before, last) = self.split()?;
        let mut current = map;
        for step in before {
            match super::fields::entry(current, step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(value) => current = require_map_ref(value, PURPOSE)?,
            }
        }
        Ok(super::fields::entry(current, last).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::FieldPath;

    fn steps(path: &str) -> Vec<String> {
        FieldPath::nested(path).unwrap().steps
    }

    #[test]
    fn names_are_parted_by_dots_but_not_in_backticks() {
        assert_eq!(steps("a.b.c"), ["a", "b", "c"]);
        assert_eq!(steps("a."), ["a", ""]);
        assert_eq!(steps("`a.b`.c"), ["a.b", "c"]);
        assert_eq!(steps("a.`b.c`"), ["a", "b.c"]);
        assert_eq!(steps("`a`b`.c"), ["a`b", "c"]);
        assert_eq!(steps(r"`a\`.b`.c"), ["a`.b", "c"]);
        assert_eq!(steps(""), [""; 0]);
    }

    #[test]
    fn a_backtick_without_its_other_is_refused_with_its_place() {
        assert_eq!(
            FieldPath::nested("a.`b").unwrap_err(),
            "Incomplete backtick pair in path: [a.`b], consider adding a backslash before \
             backtick at position 2 to escape it"
        );
    }
}
