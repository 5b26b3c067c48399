//! From a value along a path to what is inside it.

use super::{Missing, ProjectionError, found};
use crate::connect::{Map, Value};
use crate::kcql::dotted;

/// Follows a path; `None` where the record has no such field.
///
/// A null on the way ends it: what is inside nothing is missing.
pub(super) fn walk<'v>(
    value: &'v Value,
    path: &[String],
    missing: Missing,
    column: impl Fn() -> String,
) -> Result<Option<&'v Value>, ProjectionError> {
    let mut here = value;
    for name in path {
        let inside = match here {
            Value::Map(map) => entry(map, name),
            Value::Struct(structure) => structure.value(name),
            Value::Null => return Ok(None),
            other => {
                return Err(ProjectionError::NoFields { column: column(), found: found(other) });
            }
        };
        match (inside, missing) {
            (Some(inside), _) => here = inside,
            (None, Missing::LeftOut) => return Ok(None),
            (None, Missing::Refused) => return Err(ProjectionError::Missing { column: column() }),
        }
    }
    Ok(Some(here))
}

/// A map's entry by the text of its key.
pub(super) fn entry<'v>(map: &'v Map, name: &str) -> Option<&'v Value> {
    map.get(&Key(name))
}

/// A name that is compared with keys without an allocation.
struct Key<'a>(&'a str);

impl indexmap::Equivalent<Value> for Key<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        key.as_str() == Some(self.0)
    }
}

impl std::hash::Hash for Key<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // As the value that is text: its discriminant, then the text.
        static TEXT: std::sync::LazyLock<std::mem::Discriminant<Value>> =
            std::sync::LazyLock::new(|| std::mem::discriminant(&Value::string("")));
        TEXT.hash(state);
        self.0.hash(state);
    }
}

/// A path as a column has it.
pub(super) fn written(root: super::Root, path: &[String]) -> String {
    match (root, path) {
        (super::Root::Value, []) => "_value".to_owned(),
        (super::Root::Value, path) => dotted(path),
        (super::Root::Key, []) => "_key".to_owned(),
        (super::Root::Key, path) => format!("_key.{}", dotted(path)),
    }
}
