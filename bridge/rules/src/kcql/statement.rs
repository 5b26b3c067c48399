//! A statement as it was understood, before anything is asked of it.
//!
//! Invariant: every clause that was written stands in [`Statement::given`], once; what a clause
//! says is in the field of its name.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::error::Span;
use super::path::{Field, Selection};

/// INSERT or UPSERT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `INSERT INTO`
    Insert,
    /// `UPSERT INTO`
    Upsert,
}

/// A name with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Without quotes.
    pub text: String,
    /// With them.
    pub span: Span,
    /// Bytes of an opening quote, when the name begins with one.
    pub(super) quote: usize,
}

/// The clauses behind FROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `IGNORE a, b`
    Ignore,
    /// `PK a, b`
    Pk,
    /// `WITHTARGET=path`
    WithTarget,
    /// `BATCH=n`
    Batch,
    /// `PARTITIONBY a, b`
    PartitionBy,
    /// `WITHTIMESTAMP field|sys_time()`
    WithTimestamp,
    /// `TIMESTAMPUNIT=unit`
    TimestampUnit,
    /// `WITHFORMAT f`
    WithFormat,
    /// `WITHTAG(a, k=v, a.b AS x)`
    WithTag,
    /// `` WITHCONVERTER=`class` ``
    WithConverter,
    /// `WITHKEY(a, b)`
    WithKey,
    /// `KEYDELIMITER='c'`
    KeyDelimiter,
    /// `` WITHREGEX=`re` ``
    WithRegex,
    /// `LIMIT n`
    Limit,
    /// `PROPERTIES('k'='v')`
    Properties,
}

impl Clause {
    /// All of them, in the order of the grammar.
    pub const ALL: [Clause; 15] = [
        Clause::Ignore,
        Clause::Pk,
        Clause::WithTarget,
        Clause::Batch,
        Clause::PartitionBy,
        Clause::WithTimestamp,
        Clause::TimestampUnit,
        Clause::WithFormat,
        Clause::WithTag,
        Clause::WithConverter,
        Clause::WithKey,
        Clause::KeyDelimiter,
        Clause::WithRegex,
        Clause::Limit,
        Clause::Properties,
    ];

    /// As it is written.
    pub fn keyword(self) -> &'static str {
        match self {
            Clause::Ignore => "IGNORE",
            Clause::Pk => "PK",
            Clause::WithTarget => "WITHTARGET",
            Clause::Batch => "BATCH",
            Clause::PartitionBy => "PARTITIONBY",
            Clause::WithTimestamp => "WITHTIMESTAMP",
            Clause::TimestampUnit => "TIMESTAMPUNIT",
            Clause::WithFormat => "WITHFORMAT",
            Clause::WithTag => "WITHTAG",
            Clause::WithConverter => "WITHCONVERTER",
            Clause::WithKey => "WITHKEY",
            Clause::KeyDelimiter => "KEYDELIMITER",
            Clause::WithRegex => "WITHREGEX",
            Clause::Limit => "LIMIT",
            Clause::Properties => "PROPERTIES",
        }
    }
}

/// Where a point's time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimestampFrom {
    /// `sys_time()`: when it is written.
    SystemTime,
    /// A field.
    Field(Field),
}

/// What an integer in a timestamp field counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampUnit {
    /// `NANOSECONDS`
    Nanoseconds,
    /// `MICROSECONDS`
    Microseconds,
    /// `MILLISECONDS`
    #[default]
    Milliseconds,
    /// `SECONDS`
    Seconds,
}

/// A tag of WITHTAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `a`, `a.b`, `a.b AS name`: the tag's value is a field's; a missing field makes no tag.
    Field {
        /// The tag's name: the path as it is written, or what stands behind AS.
        name: String,
        /// Where the value comes from.
        field: Field,
    },
    /// `name=value`
    Constant {
        /// The tag's name.
        name: String,
        /// Its value in every point.
        value: String,
    },
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// INSERT or UPSERT.
    pub mode: Mode,
    /// Behind INTO.
    pub target: Name,
    /// SELECT and IGNORE.
    pub selection: Selection,
    /// Behind FROM.
    pub source: Name,
    /// The clauses that were given, with their keywords' places, in order.
    pub given: Vec<(Clause, Span)>,
    /// PK
    pub primary_key: Vec<Field>,
    /// WITHTARGET
    pub with_target: Option<Field>,
    /// BATCH
    pub batch: Option<NonZeroU32>,
    /// PARTITIONBY
    pub partition_by: Vec<Field>,
    /// WITHTIMESTAMP
    pub timestamp: Option<TimestampFrom>,
    /// TIMESTAMPUNIT
    pub timestamp_unit: Option<TimestampUnit>,
    /// WITHFORMAT
    pub format: Option<Name>,
    /// WITHTAG
    pub tags: Vec<Tag>,
    /// WITHCONVERTER
    pub converter: Option<Name>,
    /// WITHKEY
    pub key: Vec<(Field, Span)>,
    /// KEYDELIMITER
    pub key_delimiter: Option<String>,
    /// WITHREGEX
    pub regex: Option<Name>,
    /// LIMIT
    pub limit: Option<u64>,
    /// PROPERTIES, in order.
    pub properties: Vec<(Name, Name)>,
    /// The whole text it stands in.
    pub(super) text: Arc<str>,
    /// Where it stands.
    pub(super) span: Span,
}

impl Statement {
    /// As it was written.
    pub fn written(&self) -> &str {
        &self.text[self.span.start..self.span.end]
    }

    /// Where a clause's keyword stands.
    pub fn place_of(&self, clause: Clause) -> Option<Span> {
        self.given.iter().find(|(given, _)| *given == clause).map(|(_, span)| *span)
    }
}
