//! Schemas: the shape of a value, and the logical types that are named on one.
//!
//! Invariant: the names of a struct's fields are distinct. A schema is immutable and shared; what a
//! transform makes of one is a new one.

use std::fmt;
use std::sync::Arc;

use super::Value;

/// A shared schema.
pub type SchemaRef = Arc<Schema>;

/// The shape of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schema {
    /// What kind of value it describes, with the schemas of its parts.
    pub kind: Kind,
    /// Whether the value may be null.
    pub optional: bool,
    /// Its full name: that of a record, or of a logical type.
    pub name: Option<Arc<str>>,
    /// Its version.
    pub version: Option<i32>,
    /// What it is for, in words.
    pub doc: Option<Arc<str>>,
    /// More properties of a logical type, such as a decimal's scale.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
    /// What a missing value stands for.
    pub default: Option<Value>,
}

/// The kind of a schema, with the schemas of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// 32 bits, IEEE 754.
    Float32,
    /// 64 bits, IEEE 754.
    Float64,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Values of one schema.
    Array(SchemaRef),
    /// Keys of one schema, values of another.
    Map(SchemaRef, SchemaRef),
    /// Named fields, in order.
    Struct(Arc<[Field]>),
}

/// The type of a schema or of a value, without its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// 32 bits, IEEE 754.
    Float32,
    /// 64 bits, IEEE 754.
    Float64,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Values of one schema.
    Array,
    /// Keys and values.
    Map,
    /// Named fields.
    Struct,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, distinct in its struct.
    pub name: Arc<str>,
    /// Its schema.
    pub schema: SchemaRef,
}

/// The logical types of Connect: a name on a schema of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// An exact number, unscaled as two's complement bytes; parameter `scale`.
    Decimal,
    /// Days since the epoch, as `int32`.
    Date,
    /// Milliseconds since midnight, as `int32`.
    Time,
    /// Milliseconds since the epoch, as `int64`.
    Timestamp,
}

impl Schema {
    /// A required schema of this kind, with nothing else said.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            default: None,
        }
    }

    /// The same, but the value may be null.
    #[must_use]
    pub const fn optional(kind: Kind) -> Self {
        let mut schema = Self::new(kind);
        schema.optional = true;
        schema
    }

    /// A required schema of a logical type; `scale` is for decimals only.
    #[must_use]
    pub fn logical(logical: LogicalType, scale: Option<i32>) -> Self {
        let mut schema = Self::new(logical.kind());
        schema.name = Some(Arc::from(logical.name()));
        schema.version = Some(1);
        if let Some(scale) = scale {
            schema.parameters.push((Arc::from("scale"), Arc::from(scale.to_string())));
        }
        schema
    }

    /// A required struct of these fields.
    #[must_use]
    pub fn structure(fields: Vec<Field>) -> Self {
        Self::new(Kind::Struct(fields.into()))
    }

    /// Its type.
    #[must_use]
    pub const fn type_of(&self) -> Type {
        match self.kind {
            Kind::Int8 => Type::Int8,
            Kind::Int16 => Type::Int16,
            Kind::Int32 => Type::Int32,
            Kind::Int64 => Type::Int64,
            Kind::Float32 => Type::Float32,
            Kind::Float64 => Type::Float64,
            Kind::Boolean => Type::Boolean,
            Kind::String => Type::String,
            Kind::Bytes => Type::Bytes,
            Kind::Array(_) => Type::Array,
            Kind::Map(..) => Type::Map,
            Kind::Struct(_) => Type::Struct,
        }
    }

    /// The logical type that its name says, if its type is that logical type's own.
    #[must_use]
    pub fn logical_type(&self) -> Option<LogicalType> {
        let logical = LogicalType::named(self.name.as_deref()?)?;
        (logical.kind() == self.kind).then_some(logical)
    }

    /// A parameter's value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// The fields of a struct; none for other types.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// A struct's field and its place.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields().iter().enumerate().find(|(_, field)| &*field.name == name)
    }
}

impl fmt::Display for Schema {
    /// As Connect's messages have it: `Schema{name:TYPE}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.type_of().java_name()),
            None => write!(f, "Schema{{{}}}", self.type_of().java_name()),
        }
    }
}

impl Field {
    /// A field.
    pub fn new(name: impl Into<Arc<str>>, schema: impl Into<SchemaRef>) -> Self {
        Self { name: name.into(), schema: schema.into() }
    }
}

impl LogicalType {
    const ALL: [Self; 4] = [Self::Decimal, Self::Date, Self::Time, Self::Timestamp];

    /// The name Connect gives to its schemas.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decimal => "org.apache.kafka.connect.data.Decimal",
            Self::Date => "org.apache.kafka.connect.data.Date",
            Self::Time => "org.apache.kafka.connect.data.Time",
            Self::Timestamp => "org.apache.kafka.connect.data.Timestamp",
        }
    }

    /// The logical type of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|logical| logical.name() == name)
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Decimal => Kind::Bytes,
            Self::Date | Self::Time => Kind::Int32,
            Self::Timestamp => Kind::Int64,
        }
    }
}

impl Type {
    /// Its name in Connect's messages (`FLOAT32`).
    #[must_use]
    pub const fn java_name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }

    /// Its name as Connect's JSON spells it (`int32`, `float`, `double`).
    #[must_use]
    pub const fn json_name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array => "array",
            Self::Map => "map",
            Self::Struct => "struct",
        }
    }
}
