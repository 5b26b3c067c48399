//! What `kafka-avro-console-producer` does with a command line and a line of JSON: registers the
//! schema under `TOPIC-value`, and writes one record in Confluent's format.

use midge_tests::{Registry, Shell, kcat};
use serde_json::Value;

/// The program itself, for [`Shell::program`]: says what it was given, and [`produce`] does the rest.
pub(crate) const PROGRAM: (&str, &str) = ("kafka-avro-console-producer", r#"printf '%s\0' "$@""#);

/// Runs a guide's command, and types a line.
#[track_caller]
pub(crate) fn produce(shell: &Shell, command: &str, line: &str) {
    let given = shell.run(command).success().stdout;
    let mut words = given.split_terminator('\0');
    let (mut brokers, mut topic, mut schema) = (None, None, None);
    while let Some(word) = words.next() {
        let value = words.next();
        match word {
            "--broker-list" => brokers = value,
            "--topic" => topic = value,
            "--property" => schema = value.and_then(|pair| pair.strip_prefix("value.schema=")),
            other => panic!("{other}: no option of the program"),
        }
    }
    let (brokers, topic) = (brokers.expect("--broker-list"), topic.expect("--topic"));
    let schema = schema.expect("value.schema");
    let id = Registry::shared().register(&format!("{topic}-value"), schema);
    let mut record = vec![0];
    record.extend(id.to_be_bytes());
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    write(&json(schema), &json(line), &mut record);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), record).expect("it takes the record");
    kcat(brokers, &["-P", "-t", topic, file.path().to_str().expect("UTF-8")], "").success();
}

/// A value in Avro's binary encoding, of the types that the guides use.
fn write(schema: &Value, value: &Value, out: &mut Vec<u8>) {
    let kind = schema.as_str().or_else(|| schema["type"].as_str()).expect("a type");
    match kind {
        "record" => {
            for field in schema["fields"].as_array().expect("fields") {
                let name = field["name"].as_str().expect("a name");
                write(&field["type"], &value[name], out);
            }
        }
        "string" => {
            let text = value.as_str().expect("text");
            zigzag(text.len() as i64, out);
            out.extend(text.as_bytes());
        }
        "int" | "long" => zigzag(value.as_i64().expect("a whole number"), out),
        "float" => out.extend((value.as_f64().expect("a number") as f32).to_le_bytes()),
        "double" => out.extend(value.as_f64().expect("a number").to_le_bytes()),
        "boolean" => out.push(u8::from(value.as_bool().expect("a boolean"))),
        other => panic!("{other}: no guide has it"),
    }
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
