//! Avro records through a real schema registry (`tests/registry/registry`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use bytes::Bytes;
use midge_bridge::connect::registry::{Registry, RegistryError, RegistryThread};
use midge_rules::connect::{Datum, Decimal, Field, Kind, LogicalType, Schema, Struct, Value};
use midge_rules::converter::{ConvertError, Converter, Question, Side};

/// A running registry. However the test ends, a shell waits for that and stops it.
struct Server {
    directory: tempfile::TempDir,
    url: String,
    keeper: Child,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/registry/registry")
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", "trap '' INT TERM HUP; read -r _; \"$0\" stop \"$1\" >/dev/null"]);
        keeper.arg(script()).arg(directory.path()).stdin(Stdio::piped());
        let keeper = keeper.spawn().expect("a shell");
        let mut server = Self { directory, url: String::new(), keeper };
        server.url = server.run("start");
        server
    }

    fn run(&self, command: &str) -> String {
        let output = Command::new(script()).arg(command).arg(self.directory.path()).output();
        let output = output.expect("the script runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn converter(url: &str, options: &[(&str, &str)]) -> Converter {
    let own = [("c", "AvroConverter"), ("c.schema.registry.url", url)];
    Converter::from_options(Side::Value, "c", own.iter().chain(options).copied()).unwrap()
}

fn client(converter: &Converter) -> Registry {
    Registry::new(converter.registry().unwrap()).unwrap()
}

/// Goes on with the registry's answers until there is a result.
fn answered<T>(
    converter: &mut Converter,
    mut act: impl FnMut(&mut Converter) -> Result<T, ConvertError>,
) -> Result<T, String> {
    let mut registry = client(converter);
    loop {
        match act(converter) {
            Ok(done) => return Ok(done),
            Err(ConvertError::Data(message)) => return Err(message),
            Err(ConvertError::Ask(question)) => {
                let answer = registry.ask(&question);
                if let Err(RegistryError::Away { .. }) = answer {
                    return Err("away".to_owned());
                }
                converter.answer(*question, answer.map_err(|error| error.to_string()));
            }
        }
    }
}

fn reading(more: Option<Field>) -> Datum {
    let mut unit = Schema::new(Kind::String);
    unit.default = Some(Value::string("C"));
    let mut fields = vec![
        Field::new("id", Schema::new(Kind::Int64)),
        Field::new("level", Schema::optional(Kind::Int8)),
        Field::new("price", Schema::logical(LogicalType::Decimal, Some(2))),
        Field::new("at", Schema::logical(LogicalType::Timestamp, None)),
        Field::new("unit", unit),
    ];
    fields.extend(more);
    let mut schema = Schema::structure(fields);
    schema.name = Some("org.example.Reading".into());
    let schema = std::sync::Arc::new(schema);
    let mut structure = Struct::new(schema.clone());
    structure.put("id", Value::Int64(i64::MAX)).unwrap();
    let price = Decimal { unscaled: 1_995.into(), scale: 2 };
    structure.put("price", Value::Decimal(price)).unwrap();
    structure.put("at", Value::Timestamp(1_582_980_123_456)).unwrap();
    structure.put("unit", Value::string("F")).unwrap();
    for (index, field) in schema.fields().iter().enumerate().skip(5) {
        let value = if *field.name == *"more" { Value::string("x") } else { Value::Null };
        structure.set_at(index, value);
    }
    Datum::with_schema(schema, Value::Struct(Box::new(structure)))
}

#[test]
fn a_real_registry_takes_our_schemas_and_gives_them_back() {
    let server = Server::start();
    let datum = reading(None);
    let mut writer = converter(&server.url, &[]);
    let bytes = answered(&mut writer, |it| it.from_connect("t", &datum)).unwrap().unwrap();
    // Another process reads it by the id in front.
    let mut reader = converter(&server.url, &[]);
    let read = answered(&mut reader, |it| it.to_connect("t", Some(&bytes))).unwrap();
    assert_eq!(values(&read), values(&datum));

    // The same schema again is the same id, by registering, looking up and as the latest.
    for options in [
        &[][..],
        &[("c.auto.register.schemas", "false")],
        &[("c.auto.register.schemas", "false"), ("c.use.latest.version", "true")],
        &[("c.normalize.schemas", "true")],
    ] {
        let mut again = converter(&server.url, options);
        let again = answered(&mut again, |it| it.from_connect("t", &datum)).unwrap().unwrap();
        assert_eq!(again, bytes, "{options:?}");
    }

    // What the registry says about a schema is an error of the record.
    let mut lookup = converter(&server.url, &[("c.auto.register.schemas", "false")]);
    let error = answered(&mut lookup, |it| it.from_connect("other", &datum)).unwrap_err();
    assert!(error.contains("error code: 404"), "{error}");
    let unknown = Bytes::from_static(b"\0\0\x0f\xff\xff\0");
    let error = answered(&mut reader, |it| it.to_connect("t", Some(&unknown))).unwrap_err();
    assert!(error.contains("error code: 40403"), "{error}");

    // A schema of its own with a field more gets an id of its own.
    let more = reading(Some(Field::new("more", Schema::optional(Kind::String))));
    let wider = answered(&mut writer, |it| it.from_connect("t", &more)).unwrap().unwrap();
    assert_ne!(wider[..5], bytes[..5]);
    let read = answered(&mut reader, |it| it.to_connect("t", Some(&wider))).unwrap();
    assert_eq!(values(&read), values(&more));

    // While it is away, that is what is told; afterwards what is known needs nobody.
    let thread = RegistryThread::spawn(client(&reader)).unwrap();
    server.run("stop");
    let (sender, answers) = channel();
    let question = Question::Latest { subject: "t-value".into() };
    thread.ask(question, move |answer| sender.send(answer).unwrap()).unwrap();
    assert!(answers.recv().unwrap().unwrap_err().is_away());
    let mut fresh = converter(&server.url, &[]);
    let away = answered(&mut fresh, |it| it.to_connect("t", Some(&bytes)));
    assert_eq!(away.unwrap_err(), "away");
    assert!(answered(&mut reader, |it| it.to_connect("t", Some(&bytes))).is_ok());

    // Back again, though without its memory, it is asked again.
    assert_eq!(server.run("start"), server.url);
    let again = answered(&mut fresh, |it| it.from_connect("t", &datum)).unwrap();
    assert!(again.is_some());
}

fn values(datum: &Datum) -> Vec<Value> {
    match &datum.value {
        Value::Struct(structure) => structure.values().to_vec(),
        other => panic!("{other:?}"),
    }
}
