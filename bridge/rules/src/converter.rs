//! Converters: from the bytes of Kafka's keys and values to Connect's data, and back.
//!
//! A [`Converter`] is one of Kafka Connect's classes, built from the options of a connector. A
//! [`SourceConverter`] is one of the Lenses connectors' own, which make a record of an MQTT payload;
//! [`mqtt_payload`] makes an MQTT payload of a record.
//!
//! Invariant: no IO. A converter that needs a schema registry ends with a [`Question`]; the same call
//! after [`Converter::answer`] goes on. Whatever the bytes are, the result is a value or an error,
//! and nothing is changed to fit: no integer goes through a double, no digit of a decimal is lost.

// Connect's own names: `toConnectData`, `fromConnectData`.
#![allow(clippy::wrong_self_convention)]

mod avro;
mod cache;
mod calendar;
mod error;
mod json;
mod mqtt;
mod options;
mod primitive;
mod registry;
mod source;

use std::fmt;

use bytes::Bytes;

pub use error::{ConvertError, InvalidOptions};
pub use mqtt::mqtt_payload;
pub use registry::{Answer, Credentials, Question, RegistryOptions, SchemaText};
pub use source::{InvalidSourceConverter, KeyPaths, SourceClass, SourceConverter};

use self::avro::AvroConverter;
use self::json::JsonConverter;
use self::options::Options;
use self::primitive::{ByteArrayConverter, Primitive, PrimitiveConverter, StringConverter};
use crate::connect::Datum;

/// Which part of a record a converter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// One of Connect's converters.
///
/// It remembers schemas, so each task has its own.
#[derive(Debug, Clone)]
pub struct Converter {
    class: Class,
    notices: Vec<String>,
}

#[derive(Clone)]
enum Class {
    Bytes(ByteArrayConverter),
    String(StringConverter),
    Primitive(PrimitiveConverter),
    Json(Box<JsonConverter>),
    Avro(Box<AvroConverter>),
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "ByteArrayConverter",
            Self::String(_) => "StringConverter",
            Self::Primitive(_) => "PrimitiveConverter",
            Self::Json(_) => "JsonConverter",
            Self::Avro(_) => "AvroConverter",
        })
    }
}

/// The classes by their full names.
pub const CLASSES: &[&str] = &[
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.storage.StringConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "io.confluent.connect.avro.AvroConverter",
];

impl Converter {
    /// The converter that `prefix` names (`value.converter`), with the options that begin with it
    /// (`value.converter.schemas.enable`). Options of others are passed over, so all of a
    /// connector's may be given.
    ///
    /// # Errors
    /// With everything that is wrong: no class or one that is not known, unknown options, values
    /// that are not understood.
    pub fn from_options<'a>(
        side: Side,
        prefix: &'a str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidOptions> {
        let mut name = None;
        let options = options.into_iter().inspect(|(key, value)| {
            if *key == prefix {
                name = Some(value.trim());
            }
        });
        let options = Options::new(prefix, options);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let classes = CLASSES.join(", ");
            return Err(InvalidOptions(vec![format!(
                "{prefix}: found nothing, expected one of: {classes}"
            )]));
        };
        // Connect finds a class by its simple name as well.
        let full = CLASSES.iter().find(|class| {
            **class == name || class.rsplit('.').next().is_some_and(|simple| simple == name)
        });
        let primitive = |primitive, options| {
            PrimitiveConverter::from_options(primitive, options)
                .map(|(converter, notices)| (Class::Primitive(converter), notices))
        };
        let (class, notices) = match full.and_then(|full| full.rsplit('.').next()) {
            Some("ByteArrayConverter") => ByteArrayConverter::from_options(options)
                .map(|(converter, notices)| (Class::Bytes(converter), notices))?,
            Some("StringConverter") => StringConverter::from_options(options)
                .map(|(converter, notices)| (Class::String(converter), notices))?,
            Some("JsonConverter") => JsonConverter::from_options(options)
                .map(|(converter, notices)| (Class::Json(Box::new(converter)), notices))?,
            Some("AvroConverter") => AvroConverter::from_options(side, options)
                .map(|(converter, notices)| (Class::Avro(Box::new(converter)), notices))?,
            Some("ShortConverter") => primitive(Primitive::Short, options)?,
            Some("IntegerConverter") => primitive(Primitive::Integer, options)?,
            Some("LongConverter") => primitive(Primitive::Long, options)?,
            Some("FloatConverter") => primitive(Primitive::Float, options)?,
            Some("DoubleConverter") => primitive(Primitive::Double, options)?,
            Some("BooleanConverter") => primitive(Primitive::Boolean, options)?,
            _ => {
                let classes = CLASSES.join(", ");
                return Err(InvalidOptions(vec![format!(
                    "{prefix}: found {name}, expected one of: {classes}"
                )]));
            }
        };
        Ok(Self { class, notices })
    }

    /// Its full name in Java.
    #[must_use]
    pub fn class(&self) -> &'static str {
        let simple = match &self.class {
            Class::Bytes(_) => "ByteArrayConverter",
            Class::String(_) => "StringConverter",
            Class::Primitive(converter) => converter.simple_name(),
            Class::Json(_) => "JsonConverter",
            Class::Avro(_) => "AvroConverter",
        };
        let mut classes = CLASSES.iter();
        classes.find(|class| class.ends_with(simple)).copied().unwrap_or(simple)
    }

    /// Whether text in UTF-8 and, with `bytes`, any bytes are the same on both sides of it.
    #[must_use]
    pub fn is_plain(&self, bytes: bool) -> bool {
        match &self.class {
            Class::Bytes(_) => true,
            Class::String(converter) => !bytes && converter.is_utf8(),
            Class::Primitive(_) | Class::Json(_) | Class::Avro(_) => false,
        }
    }

    /// What should be told of its options: those it has no use for.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The schema registry it asks, if it does.
    #[must_use]
    pub fn registry(&self) -> Option<&RegistryOptions> {
        match &self.class {
            Class::Avro(converter) => Some(converter.registry()),
            _ => None,
        }
    }

    /// What the bytes of a record's key or value mean; no bytes are a tombstone's value.
    ///
    /// # Errors
    /// [`ConvertError::Ask`] when the registry has to be asked first.
    pub fn to_connect(
        &mut self,
        kafka_topic: &str,
        bytes: Option<&Bytes>,
    ) -> Result<Datum, ConvertError> {
        let plain = bytes.map(|bytes| &bytes[..]);
        match &mut self.class {
            Class::Bytes(converter) => Ok(converter.to_connect(bytes)),
            Class::String(converter) => converter.to_connect(plain),
            Class::Primitive(converter) => converter.to_connect(plain),
            Class::Json(converter) => converter.to_connect(plain),
            Class::Avro(converter) => converter.to_connect(kafka_topic, bytes),
        }
    }

    /// The bytes of a key or value; none are a tombstone's.
    ///
    /// # Errors
    /// [`ConvertError::Ask`] when the registry has to be asked first.
    pub fn from_connect(
        &mut self,
        kafka_topic: &str,
        datum: &Datum,
    ) -> Result<Option<Bytes>, ConvertError> {
        match &mut self.class {
            Class::Bytes(_) => ByteArrayConverter::from_connect(datum),
            Class::String(converter) => converter.from_connect(datum),
            Class::Primitive(converter) => converter.from_connect(datum),
            Class::Json(converter) => converter.from_connect(datum),
            Class::Avro(converter) => converter.from_connect(kafka_topic, datum),
        }
    }

    /// Takes what the registry said to a question of this converter. A refusal fails the next
    /// record that needs the answer, with these words.
    pub fn answer(&mut self, question: Question, answer: Result<Answer, String>) {
        if let Class::Avro(converter) = &mut self.class {
            converter.answer(question, answer);
        }
    }
}

#[cfg(test)]
mod tests;
