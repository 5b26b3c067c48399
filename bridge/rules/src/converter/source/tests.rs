use bytes::Bytes;

use super::{InvalidSourceConverter, KeyPaths, SourceClass, SourceConverter};
use crate::connect::{Datum, Kind, LogicalType, Type, Value};

fn convert(class: SourceClass, payload: &str, keys: &[&str]) -> Result<(Datum, Datum), String> {
    let mut converter = SourceConverter::new(class, None).unwrap();
    let keys = KeyPaths::new(keys.iter().copied(), Some("-"));
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    converter.convert("a/b", &payload, &keys).map_err(|error| error.to_string())
}

#[test]
fn classes_go_by_both_families_of_names() {
    for (name, class) in [
        (
            "com.datamountaineer.streamreactor.connect.converters.source.BytesConverter",
            SourceClass::Bytes,
        ),
        (
            "io.lenses.streamreactor.connect.converters.source.JsonSimpleConverter",
            SourceClass::JsonSimple,
        ),
        (
            "com.datamountaineer.streamreactor.connect.converters.source.JsonOptNullConverter",
            SourceClass::JsonOptNull,
        ),
        (
            "io.lenses.streamreactor.connect.converters.source.JsonPassThroughConverter",
            SourceClass::JsonPassThrough,
        ),
        (
            "com.datamountaineer.streamreactor.connect.converters.source.AvroConverter",
            SourceClass::Avro,
        ),
        (
            "com.datamountaineer.streamreactor.connect.mqtt.source.converters.AvroConverter",
            SourceClass::Avro,
        ),
        ("BytesConverter", SourceClass::Bytes),
    ] {
        assert_eq!(SourceClass::named(name), Ok(class));
    }
    let unknown = "org.example.BytesConverter";
    assert_eq!(
        SourceClass::named(unknown),
        Err(InvalidSourceConverter::UnknownClass(unknown.to_owned()))
    );
    assert!(matches!(
        SourceConverter::new(SourceClass::Avro, None),
        Err(InvalidSourceConverter::NoSchema)
    ));
}

#[test]
fn json_becomes_a_struct_whose_fields_are_optional() {
    let text = r#"{"id":7,"where":{"x":1.5,"ok":true},"tags":["a"],"none":null,"big":12345678901234567890}"#;
    let (key, value) = convert(SourceClass::JsonSimple, text, &[]).unwrap();
    assert_eq!(key.value, Value::string("a/b"));
    let schema = value.schema.unwrap();
    assert_eq!(schema.name.as_deref(), Some("a_b"));
    assert!(!schema.optional);
    let field = |name| &schema.field(name).unwrap().1.schema;
    assert_eq!((field("id").type_of(), field("id").optional), (Type::Int64, true));
    assert_eq!(field("where").name.as_deref(), Some("where"));
    assert_eq!(field("where").field("x").unwrap().1.schema.type_of(), Type::Float64);
    assert!(matches!(&field("tags").kind, Kind::Array(element) if element.optional));
    assert_eq!((field("none").type_of(), field("none").optional), (Type::String, true));
    assert_eq!(field("big").logical_type(), Some(LogicalType::Decimal));
    let Value::Struct(structure) = value.value else { panic!("no struct") };
    assert_eq!(structure.value("id"), Some(&Value::Int64(7)));

    let (_, value) = convert(SourceClass::JsonOptNull, text, &[]).unwrap();
    let schema = value.schema.unwrap();
    let optional: Vec<bool> = schema.fields().iter().map(|field| field.schema.optional).collect();
    assert_eq!(optional, [false, false, true, true, true]);
}

#[test]
fn elements_of_an_array_have_one_schema() {
    let element = |text: &str| -> Result<_, String> {
        let (_, value) = convert(SourceClass::JsonOptNull, text, &[])?;
        match &value.schema.as_ref().unwrap().kind {
            Kind::Array(element) => Ok((element.type_of(), element.optional, value.value)),
            other => panic!("{other:?}"),
        }
    };
    let doubles = Value::Array(vec![Value::Float64(1.0), Value::Float64(2.5)]);
    assert_eq!(element("[1,2.5]"), Ok((Type::Float64, false, doubles)));
    assert_eq!(element("[]"), Ok((Type::String, true, Value::Array(vec![]))));
    let nulls = Value::Array(vec![Value::Null, Value::Int64(1)]);
    assert_eq!(element("[null,1]"), Ok((Type::Int64, true, nulls)));
    assert!(element("[1,\"a\"]").unwrap_err().contains("elements of different types"));
    assert!(element("[9007199254740993,0.5]").unwrap_err().contains("9007199254740993"));

    let (_, value) =
        convert(SourceClass::JsonOptNull, r#"[{"a":1},{"a":2,"b":"x"},{"a":3,"b":null}]"#, &[])
            .unwrap();
    let Kind::Array(element) = &value.schema.as_ref().unwrap().kind else { panic!("no array") };
    assert!(!element.field("a").unwrap().1.schema.optional);
    assert!(element.field("b").unwrap().1.schema.optional);
}

#[test]
fn a_key_is_made_of_values_in_the_payload() {
    let text = r#"{"id":7,"where":{"room":"kitchen"},"t":1.0,"n":null}"#;
    for class in [
        SourceClass::Bytes,
        SourceClass::JsonSimple,
        SourceClass::JsonOptNull,
        SourceClass::JsonPassThrough,
    ] {
        let key = |paths: &[&str]| convert(class, text, paths).map(|(key, _)| key.value);
        assert_eq!(key(&["where.room", "id", "n", "t"]), Ok(Value::string("kitchen-7-1.0")));
        assert_eq!(key(&["n"]), Ok(Value::string("a/b")));
        assert_eq!(
            key(&["where.x"]).unwrap_err(),
            "Invalid field selection for 'where.x'. Can't find x field. Field found are:room"
        );
        assert!(key(&["where"]).unwrap_err().contains("not resolving to a primitive type"));
        assert!(key(&["id.x"]).unwrap_err().contains("doesn't resolve to a primitive field"));
    }
}

#[test]
fn json_passes_as_text_if_it_is_json() {
    let (_, value) = convert(SourceClass::JsonPassThrough, " {\"a\" : 1.10 } ", &[]).unwrap();
    assert_eq!(value, Datum::schemaless(Value::string(" {\"a\" : 1.10 } ")));
    for class in [SourceClass::JsonPassThrough, SourceClass::JsonSimple, SourceClass::JsonOptNull] {
        for text in ["", "{", "{} x"] {
            let error = convert(class, text, &[]).unwrap_err();
            assert!(error.starts_with("Failed to parse json message: "), "{error}");
        }
    }
    let (_, value) = convert(SourceClass::Bytes, "{", &[]).unwrap();
    assert_eq!(value.value, Value::Bytes("{".into()));
}

#[test]
fn avro_is_read_by_the_schema_of_its_filter() {
    let schema = r#"{"type":"record","name":"Reading","fields":[{"name":"id","type":"string"},{"name":"v","type":"int"}]}"#;
    let mut converter = SourceConverter::new(SourceClass::Avro, Some(schema)).unwrap();
    let keys = KeyPaths::new(["id"], None);
    let (key, value) = converter.convert("a", &Bytes::from_static(b"\x04ab\x0e"), &keys).unwrap();
    assert_eq!(key.value, Value::string("ab"));
    let Value::Struct(structure) = value.value else { panic!("no struct") };
    assert_eq!(structure.values(), [Value::string("ab"), Value::Int32(7)]);
    assert!(converter.convert("a", &Bytes::from_static(b"\x04ab\x0e\x00"), &keys).is_err());
    assert!(matches!(
        SourceConverter::new(SourceClass::Avro, Some("{")),
        Err(InvalidSourceConverter::Schema(_))
    ));
}

#[test]
fn payloads_of_one_shape_share_one_schema() {
    let mut converter = SourceConverter::new(SourceClass::JsonSimple, None).unwrap();
    let keys = KeyPaths::default();
    let mut schema = |payload: &'static str| {
        let (_, value) =
            converter.convert("a", &Bytes::from_static(payload.as_bytes()), &keys).unwrap();
        value.schema.unwrap()
    };
    let first = schema("{\"a\":1}");
    assert!(std::sync::Arc::ptr_eq(&first, &schema("{\"a\":2}")));
    assert!(!std::sync::Arc::ptr_eq(&first, &schema("{\"a\":2.5}")));
}

#[test]
fn what_a_topic_had_before_changes_no_schema() {
    let payloads = [
        r#"{"id":7,"where":{"x":1.5,"ok":true},"note":"a"}"#,
        r#"{"id":8,"where":{"x":2.5,"ok":false},"note":"b"}"#,
        r#"{"id":8,"where":{"x":2.5,"ok":false},"note":null}"#,
        r#"{"id":8.5,"where":{"x":2.5,"ok":false},"note":null}"#,
        r#"{"id":8,"where":{"x":2,"ok":false},"note":""}"#,
        r#"{"id":8,"where":{"ok":true,"x":2.5},"note":""}"#,
        r#"{"id":8,"where":null,"note":""}"#,
        r#"{"id":8,"where":{},"note":""}"#,
        r#"{"id":8,"note":""}"#,
        r#"{"id":8,"note":"","tags":[1,2.5]}"#,
        r#"{"id":8,"note":"","tags":[]}"#,
        r#"{"id":12345678901234567890}"#,
        r#""text""#,
        "null",
    ];
    for class in [SourceClass::JsonSimple, SourceClass::JsonOptNull] {
        let mut converter = SourceConverter::new(class, None).unwrap();
        let none = KeyPaths::new([], None);
        for first in payloads {
            for second in payloads {
                for payload in [first, second] {
                    let bytes = Bytes::copy_from_slice(payload.as_bytes());
                    let found = converter.convert("a/b", &bytes, &none).unwrap();
                    assert_eq!(Ok(found), convert(class, payload, &[]), "{class:?}: {payload}");
                }
            }
        }
    }
}
