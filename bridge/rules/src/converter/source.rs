//! The source converters of the Lenses connectors: from an MQTT payload to a record's key and value.
//!
//! Both families of class names lead to the same five classes. A key is made of paths into the value
//! (`WITHKEY`), joined by a delimiter; without paths it is the MQTT topic.
//!
//! Invariant: every payload becomes a record or an error; none is passed on in part.

mod infer;
mod key;

use std::sync::Arc;

use bytes::Bytes;

pub use self::key::KeyPaths;

use self::infer::{Style, inferred};
use super::ConvertError;
use super::avro::AvroReader;
use super::cache::Cache;
use super::json::decode::Decoder;
use super::json::names::Names;
use super::json::reader::Reader;
use crate::connect::{Datum, Kind, Schema, SchemaRef, Value};

/// A class of source converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceClass {
    /// `BytesConverter`: the payload as it is.
    Bytes,
    /// `JsonSimpleConverter`: JSON to a struct whose fields are all optional.
    JsonSimple,
    /// `JsonOptNullConverter`: JSON to a struct whose fields are optional where they are null.
    JsonOptNull,
    /// `JsonPassThroughConverter`: JSON stays text, without schema.
    JsonPassThrough,
    /// `AvroConverter`: Avro without a registry, by a schema that the connector names.
    Avro,
}

/// Why there is no source converter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSourceConverter {
    /// Its class is none of the Lenses connectors'.
    #[error(
        "found the converter {0:?}, expected one of BytesConverter, JsonSimpleConverter, \
         JsonOptNullConverter, JsonPassThroughConverter, AvroConverter in \
         io.lenses.streamreactor.connect.converters.source or \
         com.datamountaineer.streamreactor.connect.converters.source"
    )]
    UnknownClass(String),
    /// The class needs a schema and got none.
    #[error(
        "AvroConverter needs a schema for its filter, expected connect.converter.avro.schemas to \
         have FILTER=PATH"
    )]
    NoSchema,
    /// The schema is none.
    #[error("the schema of AvroConverter: {0}")]
    Schema(String),
}

/// Of how many MQTT topics the schema of the last payload is kept.
const TOPICS_MAX: usize = 512;

const PACKAGES: [&str; 4] = [
    "io.lenses.streamreactor.connect.converters.source.",
    "com.datamountaineer.streamreactor.connect.converters.source.",
    // Where the classes were before there was a common module.
    "com.datamountaineer.streamreactor.connect.mqtt.source.converters.",
    "",
];

impl SourceClass {
    /// The class of a full or simple name, in either family.
    ///
    /// # Errors
    /// With the names there are.
    pub fn named(name: &str) -> Result<Self, InvalidSourceConverter> {
        let simple = PACKAGES
            .iter()
            .find_map(|package| name.strip_prefix(package).filter(|simple| !simple.contains('.')));
        Ok(match simple {
            Some("BytesConverter") => Self::Bytes,
            Some("JsonSimpleConverter") => Self::JsonSimple,
            Some("JsonOptNullConverter") => Self::JsonOptNull,
            Some("JsonPassThroughConverter" | "JsonPassThroughConvert") => Self::JsonPassThrough,
            Some("AvroConverter") => Self::Avro,
            _ => return Err(InvalidSourceConverter::UnknownClass(name.to_owned())),
        })
    }

    /// Whether it needs a schema of `connect.converter.avro.schemas`.
    #[must_use]
    pub const fn needs_schema(self) -> bool {
        matches!(self, Self::Avro)
    }
}

/// A source converter.
///
/// It remembers schemas, so each statement has its own.
#[derive(Debug, Clone)]
pub struct SourceConverter {
    class: SourceClass,
    avro: Option<AvroReader>,
    names: Names,
    bytes: SchemaRef,
    text: SchemaRef,
    /// By MQTT topic: its payloads mostly have one schema.
    inferred: Cache<Box<str>, SchemaRef>,
}

impl SourceConverter {
    /// A converter; `avro_schema` is the text of the schema that its filter has in
    /// `connect.converter.avro.schemas`.
    ///
    /// # Errors
    /// When the class needs a schema and there is none, or it is none.
    pub fn new(
        class: SourceClass,
        avro_schema: Option<&str>,
    ) -> Result<Self, InvalidSourceConverter> {
        let avro = match (class.needs_schema(), avro_schema) {
            (false, _) => None,
            (true, None) => return Err(InvalidSourceConverter::NoSchema),
            (true, Some(text)) => Some(
                AvroReader::new(text)
                    .map_err(|error| InvalidSourceConverter::Schema(error.to_string()))?,
            ),
        };
        Ok(Self {
            class,
            avro,
            names: Names::new(),
            bytes: Arc::new(Schema::new(Kind::Bytes)),
            text: Arc::new(Schema::new(Kind::String)),
            inferred: Cache::new(TOPICS_MAX),
        })
    }

    /// Which one it is.
    #[must_use]
    pub const fn class(&self) -> SourceClass {
        self.class
    }

    /// The key and the value of a payload's record.
    ///
    /// # Errors
    /// [`ConvertError::Data`] when the payload is not what the class reads, or a path of the key
    /// leads to no single value.
    pub fn convert(
        &mut self,
        mqtt_topic: &str,
        payload: &Bytes,
        keys: &KeyPaths,
    ) -> Result<(Datum, Datum), ConvertError> {
        let (value, key) = match self.class {
            SourceClass::Bytes => {
                let value = Value::Bytes(payload.clone());
                // The bytes are looked into only when the key is made of them.
                let key = if keys.is_empty() { None } else { keys.of(&self.json(payload)?)? };
                (Datum::with_schema(Arc::clone(&self.bytes), value), key)
            }
            SourceClass::JsonPassThrough => {
                let key = if keys.is_empty() {
                    let mut reader = Reader::new(payload);
                    reader.skip().and_then(|_| reader.end()).map_err(|error| invalid(&error))?;
                    None
                } else {
                    keys.of(&self.json(payload)?)?
                };
                let text = std::str::from_utf8(payload).map_err(|error| invalid(&error))?;
                (Datum::schemaless(Value::string(text)), key)
            }
            SourceClass::JsonSimple | SourceClass::JsonOptNull => {
                let value = self.json(payload)?;
                let key = keys.of(&value)?;
                let style = match self.class {
                    SourceClass::JsonSimple => Style::Optional,
                    _ => Style::OptionalNull,
                };
                let name = || mqtt_topic.replace('/', "_");
                let earlier = self.inferred.find(mqtt_topic);
                let datum = inferred(name, value, style, earlier)?;
                if let Some(schema) = &datum.schema
                    && !earlier.is_some_and(|earlier| Arc::ptr_eq(earlier, schema))
                {
                    self.inferred.insert(mqtt_topic.into(), Arc::clone(schema));
                }
                (datum, key)
            }
            SourceClass::Avro => {
                let reader = self.avro.as_mut().expect("a converter of this class has a schema");
                let datum = reader.read(payload)?;
                let key = keys.of(&datum.value)?;
                (datum, key)
            }
        };
        let key = Value::string(key.as_deref().unwrap_or(mqtt_topic));
        let key = match self.class {
            SourceClass::JsonPassThrough => Datum::schemaless(key),
            _ => Datum::with_schema(Arc::clone(&self.text), key),
        };
        Ok((key, value))
    }

    fn json(&mut self, payload: &Bytes) -> Result<Value, ConvertError> {
        let mut reader = Reader::new(payload);
        let mut decoder = Decoder { replace_null_with_default: false, names: &mut self.names };
        let value = decoder.schemaless(&mut reader).map_err(|error| invalid(&error))?;
        reader.end().map_err(|error| invalid(&error))?;
        Ok(value)
    }
}

fn invalid(error: &dyn std::fmt::Display) -> ConvertError {
    ConvertError::data(format!("Failed to parse json message: {error}"))
}

#[cfg(test)]
mod tests;
