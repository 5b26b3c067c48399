//! An arbitrary schema, a zero byte, and an arbitrary record of it: what is read is written by the
//! same schema and read as the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use midge_rules::connect::Datum;
use midge_rules::converter::{Answer, ConvertError, Converter, SchemaText, Side};

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (schema, record) = input.split_at(split);
    let Ok(schema) = std::str::from_utf8(schema) else { return };
    let options = [
        ("c", "AvroConverter"),
        ("c.schema.registry.url", "http://localhost"),
        ("c.auto.register.schemas", "false"),
        ("c.use.latest.version", "true"),
    ];
    let mut converter = Converter::from_options(Side::Value, "c", options).expect("options");
    let mut wire = vec![0, 0, 0, 0, 0];
    wire.extend_from_slice(record.get(1..).unwrap_or_default());
    let wire = Bytes::from(wire);
    let Some(datum) = read(&mut converter, schema, &wire) else { return };
    let Some(Some(written)) = asked(&mut converter, schema, |converter| {
        converter.from_connect("t", &datum)
    }) else {
        return;
    };
    let again = read(&mut converter, schema, &written).expect("it was just written");
    assert_eq!(again.value, datum.value);
});

fn read(converter: &mut Converter, schema: &str, wire: &Bytes) -> Option<Datum> {
    asked(converter, schema, |converter| converter.to_connect("t", Some(wire)))
}

fn asked<T>(
    converter: &mut Converter,
    schema: &str,
    mut act: impl FnMut(&mut Converter) -> Result<T, ConvertError>,
) -> Option<T> {
    loop {
        match act(converter) {
            Ok(done) => return Some(done),
            Err(ConvertError::Data(_)) => return None,
            Err(ConvertError::Ask(question)) => {
                let text = SchemaText { text: schema.to_owned(), references: Vec::new() };
                let answer = match *question {
                    midge_rules::converter::Question::Schema { .. } => Answer::Schema(text),
                    _ => Answer::Latest(0, text),
                };
                converter.answer(*question, Ok(answer));
            }
        }
    }
}
