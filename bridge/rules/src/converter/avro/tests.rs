use std::sync::Arc;

use bytes::Bytes;

use crate::connect::{
    Datum, Decimal, Field, Kind, LogicalType, Map, Schema, SchemaRef, Struct, Value,
};
use crate::converter::{Answer, ConvertError, Converter, Question, SchemaText, Side};

/// A registry of one schema an id, in the order in which they come.
#[derive(Default)]
struct Registry {
    schemas: Vec<(Arc<str>, Arc<str>)>,
}

impl Registry {
    fn ask(&mut self, question: &Question) -> Result<Answer, String> {
        let text = |index: usize, schemas: &[(Arc<str>, Arc<str>)]| SchemaText {
            text: schemas[index].1.to_string(),
            references: Vec::new(),
        };
        match question {
            Question::Schema { id } => match *id as usize {
                id if id < self.schemas.len() => Ok(Answer::Schema(text(id, &self.schemas))),
                _ => Err("Schema not found".to_owned()),
            },
            Question::Register { subject, schema, .. } => {
                self.schemas.push((Arc::clone(subject), Arc::clone(schema)));
                Ok(Answer::Id(self.schemas.len() as u32 - 1))
            }
            Question::Lookup { subject, schema, .. } => {
                let entry = (Arc::clone(subject), Arc::clone(schema));
                match self.schemas.iter().position(|known| *known == entry) {
                    Some(id) => Ok(Answer::Id(id as u32)),
                    None => Err("Schema not found".to_owned()),
                }
            }
            Question::Latest { subject } => {
                match self.schemas.iter().rposition(|(known, _)| known == subject) {
                    Some(id) => Ok(Answer::Latest(id as u32, text(id, &self.schemas))),
                    None => Err("Subject not found".to_owned()),
                }
            }
        }
    }

    fn write(&mut self, converter: &mut Converter, datum: &Datum) -> Result<Option<Bytes>, String> {
        loop {
            match converter.from_connect("t", datum) {
                Ok(bytes) => return Ok(bytes),
                Err(ConvertError::Data(message)) => return Err(message),
                Err(ConvertError::Ask(question)) => {
                    let answer = self.ask(&question);
                    converter.answer(*question, answer);
                }
            }
        }
    }

    fn read(&mut self, converter: &mut Converter, bytes: &Bytes) -> Result<Datum, String> {
        loop {
            match converter.to_connect("t", Some(bytes)) {
                Ok(datum) => return Ok(datum),
                Err(ConvertError::Data(message)) => return Err(message),
                Err(ConvertError::Ask(question)) => {
                    let answer = self.ask(&question);
                    converter.answer(*question, answer);
                }
            }
        }
    }
}

fn converter(options: &[(&str, &str)]) -> Converter {
    let class = [
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        ("value.converter.schema.registry.url", "http://localhost:8081"),
    ];
    let options = class.iter().chain(options).copied();
    Converter::from_options(Side::Value, "value.converter", options).unwrap()
}

/// The Avro schema that is registered for a schema.
fn registered(schema: Schema, value: Value) -> String {
    let mut registry = Registry::default();
    let datum = Datum::with_schema(Arc::new(schema), value);
    registry.write(&mut converter(&[]), &datum).unwrap();
    registry.schemas[0].1.to_string()
}

fn user() -> (SchemaRef, Value) {
    let mut schema = Schema::structure(vec![
        Field::new("firstName", Schema::new(Kind::String)),
        Field::new("age", Schema::new(Kind::Int32)),
        Field::new("salary", Schema::new(Kind::Float64)),
    ]);
    schema.name = Some("com.datamountaineer.User".into());
    let schema = Arc::new(schema);
    let mut user = Struct::new(Arc::clone(&schema));
    user.put("firstName", Value::string("John")).unwrap();
    user.put("age", Value::Int32(30)).unwrap();
    user.put("salary", Value::Float64(4830.0)).unwrap();
    (schema, Value::Struct(Box::new(user)))
}

#[test]
fn a_record_has_the_id_of_its_schema_in_front() {
    let (schema, value) = user();
    let datum = Datum::with_schema(schema, value);
    let mut registry = Registry::default();
    registry.schemas.push(("other".into(), "\"int\"".into()));
    let mut converter = converter(&[]);
    let bytes = registry.write(&mut converter, &datum).unwrap().unwrap();
    assert_eq!(bytes, &b"\0\0\0\0\x01\x08John\x3c\0\0\0\0\0\xde\xb2\x40"[..]);
    let (subject, text) = registry.schemas[1].clone();
    assert_eq!(&*subject, "t-value");
    assert_eq!(
        &*text,
        concat!(
            r#"{"type":"record","name":"User","namespace":"com.datamountaineer","fields":["#,
            r#"{"name":"firstName","type":"string"},{"name":"age","type":"int"},"#,
            r#"{"name":"salary","type":"double"}],"connect.name":"com.datamountaineer.User"}"#
        )
    );
    let again = registry.write(&mut converter, &datum).unwrap().unwrap();
    assert_eq!((bytes.clone(), 2), (again, registry.schemas.len()));
    assert_eq!(registry.read(&mut converter, &bytes).unwrap(), datum);
}

#[test]
fn schemas_are_confluents_word_for_word() {
    let decimal = Value::Decimal(Decimal { unscaled: 1.into(), scale: 2 });
    assert_eq!(
        registered(Schema::logical(LogicalType::Decimal, Some(2)), decimal),
        concat!(
            r#"{"type":"bytes","scale":2,"precision":64,"connect.version":1,"#,
            r#""connect.parameters":{"scale":"2"},"#,
            r#""connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#
        )
    );
    assert_eq!(
        registered(Schema::logical(LogicalType::Timestamp, None), Value::Timestamp(1)),
        concat!(
            r#"{"type":"long","connect.version":1,"#,
            r#""connect.name":"org.apache.kafka.connect.data.Timestamp","#,
            r#""logicalType":"timestamp-millis"}"#
        )
    );
    assert_eq!(
        registered(Schema::optional(Kind::Int8), Value::Int8(1)),
        r#"["null",{"type":"int","connect.type":"int8"}]"#
    );
    let mut defaulted = Schema::optional(Kind::String);
    defaulted.default = Some(Value::string("x"));
    assert_eq!(
        registered(Schema::structure(vec![Field::new("a", defaulted)]), {
            let mut defaulted = Schema::optional(Kind::String);
            defaulted.default = Some(Value::string("x"));
            let schema = Schema::structure(vec![Field::new("a", defaulted)]);
            Value::Struct(Box::new(Struct::new(Arc::new(schema))))
        }),
        concat!(
            r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","#,
            r#""fields":[{"name":"a","type":[{"type":"string","connect.default":"x"},"null"],"#,
            r#""default":"x"}]}"#
        )
    );
    let keys = Arc::new(Schema::new(Kind::Int32));
    let values = Arc::new(Schema::optional(Kind::String));
    let map = Map::from_iter([(Value::Int32(1), Value::Null)]);
    assert_eq!(
        registered(Schema::new(Kind::Map(keys, values)), Value::Map(map)),
        concat!(
            r#"{"type":"array","items":{"type":"record","name":"MapEntry","#,
            r#""namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},"#,
            r#"{"name":"value","type":["null","string"],"default":null}]}}"#
        )
    );
}

#[test]
fn avro_of_others_is_read_as_confluents_converter_reads_it() {
    let text = concat!(
        r#"{"type":"record","name":"R","namespace":"n","doc":"about","fields":["#,
        r#"{"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},"#,
        r#"{"name":"either","type":["null","string","long",{"type":"record","name":"In","fields":"#,
        r#"[{"name":"x","type":"int"}]}]},"#,
        r#"{"name":"again","type":["null","In"],"default":null},"#,
        r#"{"name":"hash","type":{"type":"fixed","name":"H","size":2}},"#,
        r#"{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},"#,
        r#"{"name":"day","type":{"type":"int","logicalType":"date"},"default":1},"#,
        r#"{"name":"many","type":{"type":"map","values":{"type":"array","items":"float"}}}]}"#
    );
    let mut registry = Registry::default();
    registry.schemas.push(("t-value".into(), text.into()));
    // RED; member 3 with x = -1; null; ab; 1.56 as 0x9c with a sign; day 1; {"k": [1.0]}
    let body = b"\0\0\0\0\0\0\x06\x01\0ab\x04\x00\x9c\x02\x02\x02k\x02\0\0\x80\x3f\0\0";
    let bytes = Bytes::from_static(body);
    let mut converter = converter(&[]);
    let datum = registry.read(&mut converter, &bytes).unwrap();
    let Value::Struct(structure) = &datum.value else { panic!("{datum:?}") };
    assert_eq!(structure.value("colour"), Some(&Value::string("RED")));
    let Some(Value::Struct(either)) = structure.value("either") else { panic!("{datum:?}") };
    assert_eq!(either.schema().name.as_deref(), Some("io.confluent.connect.avro.Union"));
    let names: Vec<&str> = either.schema().fields().iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["string", "long", "In"]);
    assert!(
        matches!(either.value("In"), Some(Value::Struct(inner)) if inner.values() == [Value::Int32(-1)])
    );
    assert_eq!(structure.value("again"), Some(&Value::Null));
    assert_eq!(structure.value("hash"), Some(&Value::Bytes("ab".into())));
    let price = Decimal { unscaled: 156.into(), scale: 2 };
    assert_eq!(structure.value("price"), Some(&Value::Decimal(price)));
    assert_eq!(structure.value("day"), Some(&Value::Timestamp(86_400_000)));

    let schema = datum.schema.clone().unwrap();
    assert_eq!(schema.name.as_deref(), Some("n.R"));
    assert_eq!(schema.parameter("io.confluent.connect.avro.record.doc"), Some("about"));
    let field = |name| &schema.field(name).unwrap().1.schema;
    assert_eq!(field("colour").parameter("io.confluent.connect.avro.Enum"), Some("n.Colour"));
    assert_eq!(field("colour").parameter("io.confluent.connect.avro.Enum.BLUE"), Some("BLUE"));
    assert_eq!(field("price").parameter("connect.decimal.precision"), Some("9"));
    assert_eq!(field("day").default, Some(Value::Timestamp(86_400_000)));
    assert!(field("again").optional);

    // And back, with the same schema of the registry.
    let options = [
        ("value.converter.auto.register.schemas", "false"),
        ("value.converter.use.latest.version", "true"),
    ];
    let mut latest = self::converter(&options);
    assert_eq!(registry.write(&mut latest, &datum).unwrap().unwrap(), bytes);
}

#[test]
fn plain_bytes_and_values_without_schema_have_their_own_ways() {
    let mut registry = Registry::default();
    let mut converter = converter(&[]);
    let raw = Datum::with_schema(Arc::new(Schema::new(Kind::Bytes)), Value::Bytes("abc".into()));
    let bytes = registry.write(&mut converter, &raw).unwrap().unwrap();
    assert_eq!(bytes, &b"\0\0\0\0\0abc"[..]);
    assert_eq!(registry.read(&mut converter, &bytes).unwrap(), raw);

    let map = Map::from_iter([
        (Value::string("a"), Value::Array(vec![Value::Int64(1), Value::Null])),
        (Value::string("b"), Value::Map(Map::from_iter([(Value::Int32(1), Value::Boolean(true))]))),
        (Value::string("c"), Value::Float64(1.5)),
    ]);
    let datum = Datum::schemaless(Value::Map(map));
    let bytes = registry.write(&mut converter, &datum).unwrap().unwrap();
    assert!(registry.schemas[1].1.contains("\"Anything\""));
    assert_eq!(registry.read(&mut converter, &bytes).unwrap(), datum);

    assert_eq!(registry.write(&mut converter, &Datum::default()), Ok(None));
    let null = Datum::with_schema(Arc::new(Schema::optional(Kind::Int8)), Value::Null);
    assert_eq!(registry.write(&mut converter, &null), Ok(None));
    let null = Datum::with_schema(Arc::new(Schema::new(Kind::Int8)), Value::Null);
    assert_eq!(
        registry.write(&mut converter, &null).unwrap_err(),
        "Found null value for non-optional schema"
    );
}

#[test]
fn subjects_are_named_by_the_strategy() {
    let (schema, value) = user();
    let datum = Datum::with_schema(schema, value);
    let package = "io.confluent.kafka.serializers.subject";
    for (strategy, subject) in [
        ("TopicNameStrategy", "t-value"),
        ("RecordNameStrategy", "com.datamountaineer.User"),
        ("TopicRecordNameStrategy", "t-com.datamountaineer.User"),
    ] {
        let strategy = format!("{package}.{strategy}");
        let options = [("value.converter.value.subject.name.strategy", &*strategy)];
        let mut registry = Registry::default();
        registry.write(&mut converter(&options), &datum).unwrap();
        assert_eq!(&*registry.schemas[0].0, subject);
    }
    let strategy = format!("{package}.RecordNameStrategy");
    let mut by_record = converter(&[("value.converter.value.subject.name.strategy", &strategy)]);
    let number = Datum::with_schema(Arc::new(Schema::new(Kind::Int8)), Value::Int8(1));
    assert!(
        Registry::default()
            .write(&mut by_record, &number)
            .unwrap_err()
            .contains("must be a record")
    );
}

#[test]
fn a_schema_that_must_not_be_registered_is_looked_up() {
    let (schema, value) = user();
    let datum = Datum::with_schema(schema, value);
    let mut registry = Registry::default();
    let mut lookup = converter(&[("value.converter.auto.register.schemas", "false")]);
    assert_eq!(registry.write(&mut lookup, &datum).unwrap_err(), "Schema not found");
    // A refusal is not for ever.
    registry.write(&mut converter(&[]), &datum).unwrap();
    assert!(registry.write(&mut lookup, &datum).is_ok());
    assert_eq!(registry.schemas.len(), 1);
}

#[test]
fn fields_go_by_name_into_the_registrys_latest_schema() {
    let text = concat!(
        r#"{"type":"record","name":"User","namespace":"com.datamountaineer","fields":["#,
        r#"{"name":"salary","type":["null","double"],"default":null},"#,
        r#"{"name":"age","type":"long"},{"name":"firstName","type":"string"},"#,
        r#"{"name":"city","type":"string","default":"-"}]}"#
    );
    let options = [
        ("value.converter.auto.register.schemas", "false"),
        ("value.converter.use.latest.version", "true"),
    ];
    let (schema, value) = user();
    let datum = Datum::with_schema(schema, value);
    let mut registry = Registry::default();
    registry.schemas.push(("t-value".into(), text.into()));
    let bytes = registry.write(&mut converter(&options), &datum).unwrap().unwrap();
    assert_eq!(bytes, &b"\0\0\0\0\0\x02\0\0\0\0\0\xde\xb2\x40\x3c\x08John\x02-"[..]);

    let less = r#"{"type":"record","name":"User","fields":[{"name":"age","type":"int"}]}"#;
    registry.schemas.push(("t-value".into(), less.into()));
    let error = registry.write(&mut converter(&options), &datum).unwrap_err();
    assert_eq!(error, "the record has the field firstName, the registry's schema has not");
}

#[test]
fn what_is_no_avro_is_refused() {
    let mut registry = Registry::default();
    registry.schemas.push(("t-value".into(), "\"string\"".into()));
    registry.schemas.push(("t-value".into(), r#"{"type":"array","items":"null"}"#.into()));
    registry.schemas.push((
        "t-value".into(),
        concat!(
            r#"{"type":"record","name":"L","fields":["#,
            r#"{"name":"next","type":["null","L"],"default":null}]}"#
        )
        .into(),
    ));
    registry.schemas.push(("t-value".into(), r#"{"type":"array","items":["null","int"]}"#.into()));
    for (bytes, message) in [
        (&b""[..], "Unknown magic byte!"),
        (b"\x01\0\0\0\0\x02a", "Unknown magic byte!"),
        (b"\0\0\0", "found 3 bytes, expected 5 at least"),
        (b"\0\0\0\0\x09\x02a", "Schema not found"),
        (b"\0\0\0\0\0\x04a", "found 1 bytes, expected 2"),
        (b"\0\0\0\0\0\x01a", "found a length of -1"),
        (b"\0\0\0\0\0\x02\xff", "found text that is no UTF-8"),
        (b"\0\0\0\0\0\x02ab", "found 1 bytes more than its schema has"),
        (b"\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "found no whole number"),
        (b"\0\0\0\0\x01\x02", "Standalone null schemas are not supported"),
        (b"\0\0\0\0\x02\0", "recursive in L"),
        (b"\0\0\0\0\x03\x80\x80\x80\x80\x80\x80\x01\0", "found"),
    ] {
        let bytes = Bytes::copy_from_slice(bytes);
        let error = registry.read(&mut converter(&[]), &bytes).unwrap_err();
        assert!(error.contains(message), "{bytes:?}: {error}");
    }
}

#[test]
fn two_structs_without_name_get_two_names_and_one_name_is_not_two_schemas() {
    let inner = |name: &str, kind| {
        let mut schema = Schema::structure(vec![Field::new("x", Schema::new(kind))]);
        schema.name = (!name.is_empty()).then(|| name.into());
        schema
    };
    let outer = |name: &str| {
        let schema = Arc::new(Schema::structure(vec![
            Field::new("a", inner(name, Kind::Int8)),
            Field::new("b", inner(name, Kind::Int8)),
            Field::new("c", inner(name, Kind::String)),
        ]));
        let mut value = Struct::new(Arc::clone(&schema));
        for (index, part) in
            [Value::Int8(1), Value::Int8(2), Value::string("x")].into_iter().enumerate()
        {
            let mut inner = Struct::new(Arc::clone(&schema.fields()[index].schema));
            inner.set_at(0, part);
            value.set_at(index, Value::Struct(Box::new(inner)));
        }
        Datum::with_schema(schema, Value::Struct(Box::new(value)))
    };
    let mut registry = Registry::default();
    let mut converter = converter(&[]);
    let bytes = registry.write(&mut converter, &outer("")).unwrap().unwrap();
    assert_eq!(bytes, &b"\0\0\0\0\0\x02\x04\x02x"[..]);
    assert!(registry.read(&mut converter, &bytes).is_ok());
    let error = registry.write(&mut converter, &outer("same")).unwrap_err();
    assert!(error.contains("two different schemas have the name same"), "{error}");
    let error = registry.write(&mut converter, &outer("no-name")).unwrap_err();
    assert!(error.contains("none that Avro allows"), "{error}");
}
