//! The converters of one type each: bytes, text, and numbers as Kafka's own serializers have them.
//!
//! Invariant: no byte is changed to fit. Text that is not of its encoding is refused, where Java
//! puts a question mark in its place.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::calendar::JavaDate;
use super::json::text;
use super::options::Options;
use super::{ConvertError, InvalidOptions};
use crate::connect::{Datum, Kind, Schema, SchemaRef, Value};

/// A number's type, or a truth value's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Short,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
}

/// `org.apache.kafka.connect.converters.ByteArrayConverter`.
#[derive(Debug, Clone)]
pub(super) struct ByteArrayConverter {
    schema: SchemaRef,
}

/// `org.apache.kafka.connect.storage.StringConverter`.
#[derive(Debug, Clone)]
pub(super) struct StringConverter {
    schema: SchemaRef,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

/// `org.apache.kafka.connect.converters.IntegerConverter` and the like.
#[derive(Debug, Clone)]
pub(super) struct PrimitiveConverter {
    schema: SchemaRef,
    primitive: Primitive,
}

impl ByteArrayConverter {
    pub(super) fn from_options(
        mut options: Options<'_>,
    ) -> Result<(Self, Vec<String>), InvalidOptions> {
        options.pass(&["converter.type"], &[]);
        let schema = Arc::new(Schema::optional(Kind::Bytes));
        Ok((Self { schema }, options.finish()?))
    }

    pub(super) fn to_connect(&self, bytes: Option<&Bytes>) -> Datum {
        let value = bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()));
        Datum::with_schema(Arc::clone(&self.schema), value)
    }

    pub(super) fn from_connect(datum: &Datum) -> Result<Option<Bytes>, ConvertError> {
        if let Some(schema) = &datum.schema
            && !matches!(schema.kind, Kind::Bytes)
        {
            return Err(ConvertError::data(format!(
                "Invalid schema type for ByteArrayConverter: {}",
                schema.type_of().json_name().to_uppercase()
            )));
        }
        match &datum.value {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            other => Err(ConvertError::data(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}

impl StringConverter {
    pub(super) fn from_options(
        mut options: Options<'_>,
    ) -> Result<(Self, Vec<String>), InvalidOptions> {
        options.pass(&["converter.type"], &[]);
        let encoding = options.word(
            "converter.encoding",
            &[
                ("UTF-8", Encoding::Utf8),
                ("UTF8", Encoding::Utf8),
                ("ISO-8859-1", Encoding::Latin1),
                ("US-ASCII", Encoding::Ascii),
            ],
        );
        let schema = Arc::new(Schema::optional(Kind::String));
        Ok((Self { schema, encoding }, options.finish()?))
    }

    pub(super) const fn is_utf8(&self) -> bool {
        matches!(self.encoding, Encoding::Utf8)
    }

    pub(super) fn to_connect(&self, bytes: Option<&[u8]>) -> Result<Datum, ConvertError> {
        let value = match (bytes, self.encoding) {
            (None, _) => Value::Null,
            (Some(bytes), Encoding::Latin1) => {
                let text: String = bytes.iter().copied().map(char::from).collect();
                Value::string(text)
            }
            (Some(bytes), encoding) => {
                let text = std::str::from_utf8(bytes).ok();
                let text =
                    text.filter(|text| matches!(encoding, Encoding::Utf8) || text.is_ascii());
                let text = text.ok_or_else(|| {
                    let name = encoding.name();
                    ConvertError::data(format!("Failed to deserialize string: it is no {name}"))
                })?;
                Value::string(text)
            }
        };
        Ok(Datum::with_schema(Arc::clone(&self.schema), value))
    }

    pub(super) fn from_connect(&self, datum: &Datum) -> Result<Option<Bytes>, ConvertError> {
        let bytes = match &datum.value {
            Value::Null => return Ok(None),
            // Java writes the address of the array; the bytes themselves are what is meant.
            Value::Bytes(bytes) => return Ok(Some(bytes.clone())),
            Value::String(text) => self.encoding.encode(text)?,
            other => {
                let mut text = String::new();
                java_text(&mut text, other);
                self.encoding.encode(&text)?
            }
        };
        Ok(Some(Bytes::from(bytes)))
    }
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "US-ASCII",
        }
    }

    fn encode(self, text: &str) -> Result<Vec<u8>, ConvertError> {
        let limit = match self {
            Self::Utf8 => return Ok(text.as_bytes().to_vec()),
            Self::Latin1 => 0xff,
            Self::Ascii => 0x7f,
        };
        let encode =
            |character| u8::try_from(u32::from(character)).ok().filter(|byte| *byte <= limit);
        let bytes: Option<Vec<u8>> = text.chars().map(encode).collect();
        bytes.ok_or_else(|| {
            let name = self.name();
            ConvertError::data(format!(
                "Failed to serialize to a string: it has characters beyond {name}"
            ))
        })
    }
}

/// A value as its class's `toString` writes it.
pub(super) fn java_text(out: &mut String, value: &Value) {
    let number = |out: &mut String, write: &dyn Fn(&mut Vec<u8>)| {
        let mut digits = Vec::with_capacity(24);
        write(&mut digits);
        out.push_str(std::str::from_utf8(&digits).expect("ASCII"));
    };
    let written = match value {
        Value::Null => out.write_str("null"),
        Value::Boolean(value) => write!(out, "{value}"),
        Value::Int8(value) => write!(out, "{value}"),
        Value::Int16(value) => write!(out, "{value}"),
        Value::Int32(value) => write!(out, "{value}"),
        Value::Int64(value) => write!(out, "{value}"),
        Value::Float32(value) if !value.is_finite() => {
            out.write_str(text::java_special(f64::from(*value)))
        }
        Value::Float64(value) if !value.is_finite() => out.write_str(text::java_special(*value)),
        Value::Float32(value) => {
            number(out, &|digits| text::java_float(digits, *value));
            Ok(())
        }
        Value::Float64(value) => {
            number(out, &|digits| text::java_double(digits, *value));
            Ok(())
        }
        Value::String(text) => out.write_str(text),
        Value::Bytes(bytes) => {
            write!(out, "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len())
        }
        Value::Decimal(value) => write!(out, "{value}"),
        Value::Timestamp(ms) => write!(out, "{}", JavaDate(*ms)),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                java_text(out, value);
            }
            out.write_str("]")
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                java_text(out, key);
                out.push('=');
                java_text(out, value);
            }
            out.write_str("}")
        }
        Value::Struct(structure) => {
            out.push_str("Struct{");
            let fields = structure.schema().fields().iter().zip(structure.values());
            let mut fields = fields.filter(|(_, value)| !value.is_null()).enumerate();
            for (index, (field, value)) in &mut fields {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(&field.name);
                out.push('=');
                java_text(out, value);
            }
            out.write_str("}")
        }
    };
    written.expect("a string takes it");
}

impl PrimitiveConverter {
    pub(super) const fn simple_name(&self) -> &'static str {
        match self.primitive {
            Primitive::Short => "ShortConverter",
            Primitive::Integer => "IntegerConverter",
            Primitive::Long => "LongConverter",
            Primitive::Float => "FloatConverter",
            Primitive::Double => "DoubleConverter",
            Primitive::Boolean => "BooleanConverter",
        }
    }

    pub(super) fn from_options(
        primitive: Primitive,
        mut options: Options<'_>,
    ) -> Result<(Self, Vec<String>), InvalidOptions> {
        options.pass(&["converter.type"], &[]);
        let schema = Arc::new(Schema::optional(primitive.kind()));
        Ok((Self { schema, primitive }, options.finish()?))
    }

    pub(super) fn to_connect(&self, bytes: Option<&[u8]>) -> Result<Datum, ConvertError> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => self.primitive.read(bytes)?,
        };
        Ok(Datum::with_schema(Arc::clone(&self.schema), value))
    }

    pub(super) fn from_connect(&self, datum: &Datum) -> Result<Option<Bytes>, ConvertError> {
        if self.primitive == Primitive::Boolean
            && let Some(schema) = &datum.schema
            && !matches!(schema.kind, Kind::Boolean)
        {
            return Err(ConvertError::data(format!(
                "Invalid schema type for BooleanConverter: {}",
                schema.type_of().json_name().to_uppercase()
            )));
        }
        let bytes = match (self.primitive, &datum.value) {
            (_, Value::Null) => return Ok(None),
            (Primitive::Short, Value::Int16(value)) => value.to_be_bytes().to_vec(),
            (Primitive::Integer, Value::Int32(value)) => value.to_be_bytes().to_vec(),
            (Primitive::Long, Value::Int64(value)) => value.to_be_bytes().to_vec(),
            (Primitive::Float, Value::Float32(value)) => value.to_be_bytes().to_vec(),
            (Primitive::Double, Value::Float64(value)) => value.to_be_bytes().to_vec(),
            (Primitive::Boolean, Value::Boolean(value)) => vec![u8::from(*value)],
            (Primitive::Boolean, other) => {
                return Err(ConvertError::data(format!(
                    "BooleanConverter is not compatible with objects of type class {}",
                    other.java_class()
                )));
            }
            (primitive, other) => {
                return Err(ConvertError::data(format!(
                    "Failed to serialize to {} (was class {}): ",
                    primitive.name(),
                    other.java_class()
                )));
            }
        };
        Ok(Some(Bytes::from(bytes)))
    }
}

impl Primitive {
    const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Boolean => "boolean",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Short => Kind::Int16,
            Self::Integer => Kind::Int32,
            Self::Long => Kind::Int64,
            Self::Float => Kind::Float32,
            Self::Double => Kind::Float64,
            Self::Boolean => Kind::Boolean,
        }
    }

    fn read(self, bytes: &[u8]) -> Result<Value, ConvertError> {
        let value = match self {
            Self::Short => bytes.try_into().ok().map(|be| Value::Int16(i16::from_be_bytes(be))),
            Self::Integer => bytes.try_into().ok().map(|be| Value::Int32(i32::from_be_bytes(be))),
            Self::Long => bytes.try_into().ok().map(|be| Value::Int64(i64::from_be_bytes(be))),
            Self::Float => bytes.try_into().ok().map(|be| Value::Float32(f32::from_be_bytes(be))),
            Self::Double => bytes.try_into().ok().map(|be| Value::Float64(f64::from_be_bytes(be))),
            Self::Boolean => match bytes {
                [0] => Some(Value::Boolean(false)),
                [1] => Some(Value::Boolean(true)),
                _ => None,
            },
        };
        value.ok_or_else(|| {
            let (name, found) = (self.name(), bytes.len());
            let size = match self {
                Self::Boolean => "one byte of 0 or 1",
                Self::Short => "2 bytes",
                Self::Integer | Self::Float => "4 bytes",
                Self::Long | Self::Double => "8 bytes",
            };
            ConvertError::data(format!(
                "Failed to deserialize {name}: found {found} bytes, expected {size}"
            ))
        })
    }
}
