//! Our JSON converter and Apache Kafka's own (`tests/connect/upstream`) do the same with the same
//! data; where they do not, `docs/converters.md` says so and [`intended`] holds it.

mod generate;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use midge_rules::connect::{Datum, Kind, Schema, Type, Value};
use midge_rules::converter::{ConvertError, Converter, Side};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

/// How many random cases of each kind.
const CASES: usize = 1_500;

fn upstream(questions: &[Json]) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/connect/upstream");
    let mut command = Command::new(script);
    command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().expect("the program starts");
    let mut input = running.stdin.take().expect("piped");
    let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).expect("it reads"));
    let output = running.wait_with_output().expect("it answers");
    writer.join().expect("written");
    assert!(output.status.success(), "it ended with {}", output.status);
    let output = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Json> =
        output.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

fn schema(schema: Option<&Schema>) -> Json {
    let Some(schema) = schema else {
        return Json::Null;
    };
    let mut written = json!({
        "type": schema.type_of().json_name().to_uppercase(),
        "optional": schema.optional,
        "name": schema.name.as_deref(),
        "version": schema.version,
        "doc": schema.doc.as_deref(),
        "parameters": schema.parameters.iter().map(|(key, value)| json!([**key, **value])).collect::<Vec<_>>(),
        "default": schema.default.as_ref().map_or(Json::Null, value),
    });
    match (&schema.kind, schema.type_of()) {
        (_, Type::Float32) => written["type"] = json!("FLOAT32"),
        (_, Type::Float64) => written["type"] = json!("FLOAT64"),
        (Kind::Array(element), _) => written["values"] = self::schema(Some(element)),
        (Kind::Map(keys, values), _) => {
            written["keys"] = self::schema(Some(keys));
            written["values"] = self::schema(Some(values));
        }
        (Kind::Struct(fields), _) => {
            let fields =
                fields.iter().map(|field| json!([*field.name, self::schema(Some(&field.schema))]));
            written["fields"] = fields.collect();
        }
        _ => {}
    }
    written
}

fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(["b", value]),
        Value::Int8(value) => json!(["i8", value]),
        Value::Int16(value) => json!(["i16", value]),
        Value::Int32(value) => json!(["i32", value]),
        Value::Int64(value) => json!(["i64", value]),
        Value::Float32(value) => json!(["f32", value.to_bits() as i32]),
        Value::Float64(value) => json!(["f64", (value.to_bits() as i64).to_string()]),
        Value::String(text) => json!(["s", **text]),
        Value::Bytes(bytes) => json!(["y", STANDARD.encode(bytes)]),
        Value::Decimal(decimal) => json!(["dec", decimal.unscaled.to_string(), decimal.scale]),
        Value::Timestamp(ms) => json!(["ts", ms]),
        Value::Array(values) => json!(["a", values.iter().map(self::value).collect::<Vec<_>>()]),
        Value::Map(map) => {
            let mut entries: Vec<Json> = map
                .iter()
                .map(|(key, value)| json!([self::value(key), self::value(value)]))
                .collect();
            entries.sort_by_key(Json::to_string);
            json!(["m", entries])
        }
        Value::Struct(structure) => json!([
            "st",
            schema(Some(structure.schema())),
            structure.values().iter().map(self::value).collect::<Vec<_>>()
        ]),
    }
}

/// An answer with the entries of its maps in one order: Java's have none.
fn ordered(json: &Json) -> Json {
    match json {
        Json::Array(elements) => match &elements[..] {
            [Json::String(kind), Json::Array(entries)] if kind == "m" => {
                let mut entries: Vec<Json> = entries.iter().map(ordered).collect();
                entries.sort_by_key(Json::to_string);
                json!(["m", entries])
            }
            elements => elements.iter().map(ordered).collect(),
        },
        Json::Object(members) => {
            members.iter().map(|(key, member)| (key.clone(), ordered(member))).collect()
        }
        other => other.clone(),
    }
}

fn converter(config: &Json) -> Converter {
    let options: Vec<(String, String)> = config
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (format!("c.{key}"), value.as_str().unwrap().to_owned()))
        .collect();
    let class = [("c", "org.apache.kafka.connect.json.JsonConverter")];
    let options = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Converter::from_options(Side::Value, "c", class.into_iter().chain(options)).unwrap()
}

fn samples<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn configs() -> [Json; 3] {
    [
        json!({}),
        json!({"decimal.format": "NUMERIC", "replace.null.with.default": "false"}),
        json!({"schemas.enable": "false"}),
    ]
}

/// The same but for digits that Java before 19 writes too many: with floats they stand for the same
/// number all the same.
fn alike(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| alike(ours, theirs))
        }
        (Json::Object(ours), Json::Object(theirs)) => {
            ours.keys().eq(theirs.keys())
                && ours.values().zip(theirs.values()).all(|(ours, theirs)| alike(ours, theirs))
        }
        (Json::Number(first), Json::Number(second)) if first.is_f64() && second.is_f64() => {
            let [first, second] = [first, second].map(|number| number.as_f64().unwrap());
            let float = first as f32;
            let shortest = float.to_string().parse() == Ok(first);
            first == second || shortest && float == second as f32
        }
        (ours, theirs) => ours == theirs,
    }
}

#[test]
fn what_is_written_is_what_connect_writes() {
    let mut data = samples(generate::data(), CASES);
    data.extend(samples(generate::schemaless(), CASES / 3).into_iter().map(Datum::schemaless));
    let configs = configs();
    let cases: Vec<(&Json, &Datum)> =
        data.iter().zip(configs.iter().cycle()).map(|(datum, config)| (config, datum)).collect();
    let questions: Vec<Json> = cases
        .iter()
        .map(|(config, datum)| {
            let (schema, value) = (schema(datum.schema.as_deref()), value(&datum.value));
            json!({"do": "to_json", "config": config, "topic": "t", "schema": schema, "value": value})
        })
        .collect();
    let mut differences = Vec::new();
    for (answer, (config, datum)) in upstream(&questions).iter().zip(&cases) {
        let ours = converter(config).from_connect("t", datum);
        let same = match (&ours, answer.get("ok")) {
            (Ok(None), Some(Json::Null)) => true,
            (Ok(Some(ours)), Some(Json::String(theirs))) => {
                let theirs = STANDARD.decode(theirs).unwrap();
                ours[..] == theirs[..]
                    || alike(
                        &serde_json::from_slice(ours).unwrap(),
                        &serde_json::from_slice(&theirs).unwrap(),
                    )
            }
            (Err(ConvertError::Data(ours)), None) => {
                *ours == answer["thrown"]["message"].as_str().unwrap()
            }
            _ => false,
        };
        if !same {
            differences.push(format!("{config} {datum:?}\nours {ours:?}\ntheirs {answer}"));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences[0]);
}

/// What else is asked about: payloads that do not fit, schemas that are none, odd JSON.
const ODD: &[&str] = &[
    r#"{"schema":{"type":"int32"},"payload":null}"#,
    r#"{"schema":{"type":"int32","optional":true},"payload":null}"#,
    r#"{"schema":{"type":"int32","optional":true,"default":7},"payload":null}"#,
    r#"{"schema":{"type":"int32"},"payload":"7"}"#,
    r#"{"schema":{"type":"int8"},"payload":300}"#,
    r#"{"schema":{"type":"int32"},"payload":1.5}"#,
    r#"{"schema":{"type":"int32"},"payload":1.0}"#,
    r#"{"schema":{"type":"int64"},"payload":9223372036854775808}"#,
    r#"{"schema":{"type":"float"},"payload":1e39}"#,
    r#"{"schema":{"type":"float"},"payload":1}"#,
    r#"{"schema":{"type":"double"},"payload":"NaN"}"#,
    r#"{"schema":{"type":"double"},"payload":-0.0}"#,
    r#"{"schema":{"type":"double"},"payload":12345678901234567890123}"#,
    r#"{"schema":{"type":"boolean"},"payload":1}"#,
    r#"{"schema":{"type":"string"},"payload":1}"#,
    r#"{"schema":{"type":"string"},"payload":"\u00e9\ud83d\ude00\/"}"#,
    r#"{"schema":{"type":"bytes"},"payload":"AAE="}"#,
    r#"{"schema":{"type":"bytes"},"payload":"AAF="}"#,
    r#"{"schema":{"type":"bytes"},"payload":"!"}"#,
    r#"{"schema":{"type":"array","items":{"type":"int8"}},"payload":{"a":1}}"#,
    r#"{"schema":{"type":"array","items":{"type":"int8"}},"payload":[1,null]}"#,
    r#"{"schema":{"type":"map","keys":{"type":"string"},"values":{"type":"int8"}},"payload":[]}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":{}}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":[1]}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":[[1]]}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":[[1,2],[1,3]]}"#,
    r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"}]},"payload":{"b":1}}"#,
    r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"}]},"payload":{"b":1,"a":2,"a":3}}"#,
    r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a","optional":true,"default":5}]},"payload":{}}"#,
    r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"}]},"payload":[]}"#,
    r#"{"schema":{"type":"struct","fields":[{"type":"int8"}]},"payload":{}}"#,
    r#"{"schema":{"type":"struct"},"payload":{}}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Date"},"payload":"x"}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Date"},"payload":-5}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Time"},"payload":86400001}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Time"},"payload":1.5}"#,
    r#"{"schema":{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"},"payload":"x"}"#,
    r#"{"schema":{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"},"payload":-1}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},"payload":"AJw="}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},"payload":1.50}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},"payload":1e3}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},"payload":true}"#,
    r#"{"schema":{"type":"string","name":"n","version":3,"doc":"d","parameters":{"a":"b"},"default":"x"},"payload":"y"}"#,
    r#"{"schema":{"type":"string","version":"3","optional":"yes","name":7,"parameters":[]},"payload":"y"}"#,
    r#"{"schema":{"type":"string","parameters":{"a":1}},"payload":"y"}"#,
    r#"{"schema":{"type":"nothing"},"payload":"y"}"#,
    r#"{"schema":{},"payload":"y"}"#,
    r#"{"schema":{"type":"array"},"payload":[]}"#,
    r#"{"schema":{"type":"map","values":{"type":"int8"}},"payload":{}}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int8"}},"payload":{}}"#,
    r#"{"schema":null,"payload":{"a":[1,2.5,null,"x",true]}}"#,
    r#"{"schema":null,"payload":null}"#,
    r#"{"schema":null,"payload":12345678901234567890}"#,
    r#"{"payload":1,"schema":{"type":"int8"}}"#,
    r#"{"schema":null,"payload":1,"more":2}"#,
    r#"{"schema":null}"#,
    "1",
    "[]",
    "",
    "{",
    "\u{feff}{\"schema\":null,\"payload\":007}",
    r#"{"schema":null,"payload":1} x"#,
];

/// The differences that `docs/converters.md` lists.
fn intended(text: &str, ours: &Result<Datum, ConvertError>, theirs: &Json) -> bool {
    let refused = theirs.get("ok").is_some()
        && matches!(ours, Err(ConvertError::Data(message))
            if message.starts_with("Invalid type for ")
                || message.starts_with("Invalid number ")
                || message.contains("expected the end"));
    let kept = ["\"NaN\"", "-0.0", "12345678901234567890", "9223372036854775808"]
        .iter()
        .any(|kept| text.contains(kept))
        && ours.is_ok();
    refused || kept
}

#[test]
fn what_is_read_is_what_connect_reads() {
    let configs = configs();
    let mut cases: Vec<(&Json, String)> = Vec::new();
    for text in ODD {
        cases.extend(configs.iter().map(|config| (config, (*text).to_owned())));
    }
    let data = samples(generate::data(), CASES);
    for (datum, config) in data.iter().zip(configs.iter().cycle()) {
        let bytes = converter(&json!({})).from_connect("t", datum).unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        // Cut off as well: then it is no JSON.
        let cut = text.chars().take(text.chars().count() / 2).collect();
        cases.extend([(config, text), (config, cut)]);
    }
    let questions: Vec<Json> = cases
        .iter()
        .map(|(config, text)| {
            json!({"do": "from_json", "config": config, "topic": "t", "bytes": STANDARD.encode(text)})
        })
        .collect();
    let mut differences = Vec::new();
    for (answer, (config, text)) in upstream(&questions).iter().zip(&cases) {
        let bytes = Bytes::from(text.clone());
        let ours = converter(config).to_connect("t", Some(&bytes));
        let same = match (&ours, answer.get("ok")) {
            (Ok(datum), Some(theirs)) => {
                let both = json!([schema(datum.schema.as_deref()), value(&datum.value)]);
                ordered(&both) == ordered(theirs)
            }
            // The end of some messages is Jackson's, or has the cause that Java keeps apart.
            (Err(ConvertError::Data(ours)), None) => {
                ours.starts_with(answer["thrown"]["message"].as_str().unwrap())
            }
            _ => false,
        };
        if !same && !intended(text, &ours, answer) {
            differences.push(format!("{config} {text}\nours {ours:?}\ntheirs {answer}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n\n")
    );
}
