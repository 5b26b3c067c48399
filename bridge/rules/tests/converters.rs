//! Whatever the schema and the value, they come back from the bytes they were written as; whatever
//! the bytes, a converter has an answer.

mod generate;

use std::collections::HashMap;

use bytes::Bytes;
use midge_rules::connect::{Datum, Value};
use midge_rules::converter::{
    Answer, ConvertError, Converter, KeyPaths, Question, SchemaText, Side, SourceClass,
    SourceConverter, mqtt_payload,
};
use proptest::prelude::*;

fn converter(class: &str, options: &[(&str, &str)]) -> Converter {
    let class = [("value.converter", class)];
    let options = class.iter().chain(options).copied();
    Converter::from_options(Side::Value, "value.converter", options).unwrap()
}

fn json(options: &[(&str, &str)]) -> Converter {
    converter("JsonConverter", options)
}

fn avro() -> Converter {
    converter("AvroConverter", &[("value.converter.schema.registry.url", "http://localhost:1")])
}

/// A registry that knows what was registered with it.
#[derive(Default)]
struct Registry(HashMap<u32, String>);

impl Registry {
    fn answered<T>(
        &mut self,
        converter: &mut Converter,
        mut act: impl FnMut(&mut Converter) -> Result<T, ConvertError>,
    ) -> Result<T, ConvertError> {
        loop {
            match act(converter) {
                Err(ConvertError::Ask(question)) => {
                    let answer = match &*question {
                        Question::Schema { id } => self.0.get(id).map(|text| {
                            let (text, references) = (text.clone(), Vec::new());
                            Answer::Schema(SchemaText { text, references })
                        }),
                        Question::Register { schema, .. } => {
                            let id = self.0.len() as u32;
                            self.0.insert(id, schema.to_string());
                            Some(Answer::Id(id))
                        }
                        _ => None,
                    };
                    converter.answer(*question, answer.ok_or_else(|| "no such schema".to_owned()));
                }
                done => return done,
            }
        }
    }
}

proptest! {
    #[test]
    fn json_with_schema_comes_back_as_it_was(datum in generate::data()) {
        for format in ["BASE64", "NUMERIC"] {
            let mut converter = json(&[("value.converter.decimal.format", format)]);
            let bytes = converter.from_connect("t", &datum).unwrap().unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let back = converter.to_connect("t", Some(&bytes));
            prop_assert_eq!(back.as_ref(), Ok(&datum), "{}", text);
        }
    }

    #[test]
    fn json_without_schema_comes_back_as_it_was(value in generate::schemaless()) {
        prop_assume!(!value.is_null());
        let mut converter = json(&[("value.converter.schemas.enable", "false")]);
        let datum = Datum::schemaless(value);
        let bytes = converter.from_connect("t", &datum).unwrap().unwrap();
        prop_assert_eq!(converter.to_connect("t", Some(&bytes)), Ok(datum));
    }

    #[test]
    fn avro_comes_back_as_it_was(datum in generate::data()) {
        let mut registry = Registry::default();
        let mut converter = avro();
        let written = registry.answered(&mut converter, |converter| converter.from_connect("t", &datum));
        let Some(bytes) = written.unwrap() else {
            prop_assert!(datum.value.is_null());
            return Ok(());
        };
        let read = registry.answered(&mut converter, |converter| {
            converter.to_connect("t", Some(&bytes))
        });
        // Names that Avro needs are no difference, and neither is where a default came from.
        prop_assert_eq!(plain(&read.unwrap().value), plain(&datum.value));
    }

    #[test]
    fn avro_without_schema_comes_back_as_it_was(value in generate::schemaless()) {
        prop_assume!(!value.is_null());
        let mut registry = Registry::default();
        let mut converter = avro();
        let datum = Datum::schemaless(value);
        let bytes = registry.answered(&mut converter, |converter| converter.from_connect("t", &datum));
        let bytes = bytes.unwrap().unwrap();
        let read = registry.answered(&mut converter, |converter| {
            converter.to_connect("t", Some(&bytes))
        });
        prop_assert_eq!(read, Ok(datum));
    }

    #[test]
    fn every_value_is_a_payload(datum in generate::data()) {
        prop_assert_eq!(mqtt_payload(&datum).unwrap().is_none(), datum.value.is_null());
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = Bytes::from(bytes);
        let mut registry = Registry::default();
        for converter in &mut [json(&[]), json(&[("value.converter.schemas.enable", "false")]), avro()] {
            let _ = registry.answered(converter, |converter| converter.to_connect("t", Some(&bytes)));
        }
    }

    #[test]
    fn json_becomes_a_record_of_its_inferred_schema(value in generate::schemaless()) {
        let bytes = json(&[("value.converter.schemas.enable", "false")])
            .from_connect("t", &Datum::schemaless(Value::Array(vec![value])))
            .unwrap()
            .unwrap();
        for class in [SourceClass::JsonSimple, SourceClass::JsonOptNull] {
            let mut source = SourceConverter::new(class, None).unwrap();
            let Ok((_, record)) = source.convert("a/b", &bytes, &KeyPaths::default()) else {
                continue;
            };
            let mut converter = json(&[]);
            let written = converter.from_connect("t", &record).unwrap().unwrap();
            prop_assert_eq!(converter.to_connect("t", Some(&written)), Ok(record));
        }
    }
}

/// A value with its structs as what is in them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.iter().map(plain).collect()),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(key, value)| (plain(key), plain(value))).collect())
        }
        Value::Struct(structure) => {
            let fields = structure.schema().fields().iter().zip(structure.values());
            let fields =
                fields.map(|(field, value)| (Value::String(field.name.clone()), plain(value)));
            Value::Map(fields.collect())
        }
        other => other.clone(),
    }
}
