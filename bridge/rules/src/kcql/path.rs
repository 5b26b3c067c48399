//! Columns and the fields they name.
//!
//! Invariant: a path has at most [`SEGMENTS_MAX`] segments, none of them empty.

use std::fmt;

use super::error::Span;

/// The most segments of a path.
pub const SEGMENTS_MAX: usize = 64;

/// Something of a record that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A field of the value, outermost first; none: the value itself (`_value`).
    Value(Vec<String>),
    /// A field of the key (`_key.a`), outermost first; none: the key itself (`_key`).
    Key(Vec<String>),
    /// The last header of this name (`_header.NAME`).
    Header(String),
    /// `_topic`: of a sink the Kafka topic, of a source the MQTT topic.
    Topic,
    /// `_partition`
    Partition,
    /// `_offset`
    Offset,
    /// `_timestamp`: the record's, in milliseconds.
    Timestamp,
}

impl Field {
    /// The name it has where no other is given: the last segment.
    pub fn name(&self) -> &str {
        match self {
            Field::Value(path) => path.last().map_or("_value", String::as_str),
            Field::Key(path) => path.last().map_or("_key", String::as_str),
            Field::Header(name) => name,
            Field::Topic => "_topic",
            Field::Partition => "_partition",
            Field::Offset => "_offset",
            Field::Timestamp => "_timestamp",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Value(path) if !path.is_empty() => f.write_str(&dotted(path)),
            Field::Key(path) if !path.is_empty() => write!(f, "_key.{}", dotted(path)),
            Field::Header(name) => write!(f, "_header.{name}"),
            other => f.write_str(other.name()),
        }
    }
}

/// A path as it is written.
pub fn dotted(path: &[String]) -> String {
    path.join(".")
}

/// What a column takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All fields of the value, or of a struct inside it: `*`, `a.*`.
    AllOfValue(Vec<String>),
    /// All fields of the key, or of a struct inside it: `_key.*`, `_key.a.*`.
    AllOfKey(Vec<String>),
    /// One.
    One {
        /// Which.
        field: Field,
        /// `AS`, or the field's own name.
        name: String,
    },
}

/// A column of SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it takes.
    pub taken: Taken,
    /// Where it is written, without its alias.
    pub span: Span,
}

/// What SELECT and IGNORE leave of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// In order.
    pub columns: Vec<Column>,
    /// Fields of the value that are left out before columns are taken.
    pub ignored: Vec<Vec<String>>,
}

impl Selection {
    /// Whether the value stays as it is: `SELECT *` without IGNORE.
    pub fn is_everything(&self) -> bool {
        let [column] = self.columns.as_slice() else { return false };
        self.ignored.is_empty()
            && matches!(&column.taken, Taken::AllOfValue(path) if path.is_empty())
    }
}
