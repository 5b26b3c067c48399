//! Headers, between Kafka's bytes and Connect's data.

use std::sync::Arc;

use bytes::Bytes;

use super::error::PipelineError;
use crate::connect::{Datum, Kind, Schema, SchemaRef, Value};
use crate::converter::{ConvertError, Converter, InvalidOptions, Side, mqtt_payload};

/// The class that stands where no other is named.
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// A converter of headers.
#[derive(Clone, Debug)]
pub enum HeaderConverter {
    /// `SimpleHeaderConverter`: text as it is, all else as text. What is read is text, or bytes
    /// where it is none; unlike Connect's it guesses no numbers and no dates.
    Simple(SchemaRef),
    /// One of the converters of keys and values.
    Class(Box<Converter>),
}

impl HeaderConverter {
    /// The converter that `header.converter` names; `SimpleHeaderConverter` without one.
    ///
    /// # Errors
    /// With everything that is wrong with its options.
    pub fn from_options<'a>(
        options: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<HeaderConverter, InvalidOptions> {
        const PREFIX: &str = "header.converter";
        let class = options.clone().into_iter().find(|(key, _)| *key == PREFIX);
        let simple = class.is_none_or(|(_, class)| {
            let class = class.trim();
            class == SIMPLE || SIMPLE.rsplit('.').next() == Some(class)
        });
        if simple {
            return Ok(HeaderConverter::Simple(Arc::new(Schema::new(Kind::String))));
        }
        let converter = Converter::from_options(Side::Value, PREFIX, options)?;
        if converter.registry().is_some() {
            let expected = "found a converter with a schema registry, expected one without";
            return Err(InvalidOptions(vec![format!("{PREFIX}: {expected}")]));
        }
        Ok(HeaderConverter::Class(Box::new(converter)))
    }

    /// What a header's bytes mean.
    pub(super) fn datum(
        &mut self,
        kafka_topic: &str,
        bytes: Option<&Bytes>,
    ) -> Result<Datum, PipelineError> {
        match self {
            HeaderConverter::Simple(schema) => Ok(match bytes {
                None => Datum::default(),
                Some(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Datum::with_schema(Arc::clone(schema), Value::string(text)),
                    Err(_) => Datum::schemaless(Value::Bytes(bytes.clone())),
                },
            }),
            HeaderConverter::Class(converter) => {
                converter.to_connect(kafka_topic, bytes).map_err(|error| refused(&error))
            }
        }
    }

    /// A header's bytes.
    pub(super) fn bytes(
        &mut self,
        kafka_topic: &str,
        datum: &Datum,
    ) -> Result<Option<Bytes>, PipelineError> {
        match self {
            HeaderConverter::Simple(_) => mqtt_payload(datum),
            HeaderConverter::Class(converter) => converter.from_connect(kafka_topic, datum),
        }
        .map_err(|error| refused(&error))
    }
}

fn refused(error: &ConvertError) -> PipelineError {
    PipelineError::of_header(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_it_looks_like_only_to_a_converter_with_types() {
        let value = |converter: &mut HeaderConverter, bytes: &'static [u8]| {
            converter.datum("t", Some(&Bytes::from_static(bytes))).map(|datum| datum.value)
        };
        let mut simple = HeaderConverter::from_options([]).unwrap();
        for text in ["9", "true", r#"{"x":[1,2]}"#, "2026-01-01"] {
            assert_eq!(value(&mut simple, text.as_bytes()), Ok(Value::string(text)));
        }
        let bytes = Value::Bytes(Bytes::from_static(b"\xff"));
        assert_eq!(value(&mut simple, b"\xff"), Ok(bytes));
        let mut typed = HeaderConverter::from_options([
            ("header.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("header.converter.schemas.enable", "false"),
        ])
        .unwrap();
        assert_eq!(value(&mut typed, b"9"), Ok(Value::Int64(9)));
        assert_eq!(value(&mut typed, b"true"), Ok(Value::Boolean(true)));
        assert!(matches!(value(&mut typed, br#"{"x":[1,2]}"#), Ok(Value::Map(_))));
        assert!(value(&mut typed, b"C").is_err());
    }
}
