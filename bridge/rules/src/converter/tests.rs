use std::sync::Arc;

use bytes::Bytes;

use super::{ConvertError, Converter, Credentials, InvalidOptions, Side};
use crate::connect::{Datum, Field, Kind, Map, Schema, Struct, Value};

fn build(options: &[(&str, &str)]) -> Result<Converter, InvalidOptions> {
    Converter::from_options(Side::Value, "value.converter", options.iter().copied())
}

fn of_class(class: &str) -> Converter {
    build(&[("value.converter", class)]).unwrap()
}

#[test]
fn a_class_goes_by_its_full_or_its_simple_name() {
    for class in super::CLASSES {
        let simple = class.rsplit('.').next().unwrap();
        for name in [*class, simple] {
            let url = ("value.converter.schema.registry.url", "http://localhost:8081");
            let options = [("value.converter", name), url];
            let converter = build(&options).unwrap();
            assert_eq!(converter.notices().is_empty(), simple == "AvroConverter", "{name}");
        }
    }
    let message = build(&[("value.converter", "com.example.Mine")]).unwrap_err().to_string();
    assert!(message.starts_with("value.converter: found com.example.Mine, expected one of: org."));
    let message = build(&[("key.converter", "StringConverter")]).unwrap_err().to_string();
    assert!(message.starts_with("value.converter: found nothing, expected one of: "));
}

#[test]
fn every_mistake_in_the_options_is_told_at_once() {
    let mistakes = build(&[
        ("value.converter", "JsonConverter"),
        ("value.converter.schemas.enable", "maybe"),
        ("value.converter.decimal.format", "roman"),
        ("value.converter.schemas.cache.size", "-1"),
        ("value.converter.schema.content", "{"),
        ("value.converter.schemes.enable", "true"),
        ("key.converter.whatever", "not ours"),
    ]);
    let InvalidOptions(mut lines) = mistakes.unwrap_err();
    let unknown = lines.pop().unwrap();
    assert!(
        unknown.starts_with("value.converter.schemes.enable: unknown option, expected one of: ")
    );
    assert!(lines.remove(3).starts_with("schema.content: Converting byte[] to Kafka Connect data"));
    assert_eq!(
        lines,
        [
            "value.converter.schemas.enable: found maybe, expected true or false",
            "value.converter.schemas.cache.size: found -1, expected a whole number",
            "value.converter.decimal.format: found roman, expected BASE64 or NUMERIC",
        ]
    );
}

#[test]
fn an_option_of_another_converter_is_a_notice() {
    let converter = build(&[
        ("value.converter", "StringConverter"),
        ("value.converter.schemas.enable", "false"),
    ]);
    assert_eq!(
        converter.unwrap().notices(),
        ["value.converter.schemas.enable=false: this converter has no use for it"]
    );
}

#[test]
fn a_registry_is_found_by_its_addresses_and_credentials() {
    let registry = |options: &[(&str, &str)]| {
        let class = [("value.converter", "AvroConverter")];
        let options: Vec<_> = class.iter().chain(options).copied().collect();
        build(&options).map(|converter| converter.registry().unwrap().clone())
    };
    let url = "value.converter.schema.registry.url";
    let source = "value.converter.basic.auth.credentials.source";
    let info = "value.converter.basic.auth.user.info";
    let basic = |user: &str, password: &str| Credentials::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    };

    let several = registry(&[(url, "http://a:8081/, https://b/api ")]).unwrap();
    assert_eq!(several.urls, ["http://a:8081", "https://b/api"]);
    assert!(several.credentials == Credentials::None);

    let in_url = registry(&[(url, "https://me:s%40crt@a:8081/x@y")]).unwrap();
    assert_eq!(in_url.urls, ["https://a:8081/x@y"]);
    assert!(in_url.credentials == basic("me", "s@crt"));
    assert!(!format!("{in_url:?}").contains("crt"));

    let user_info =
        registry(&[(url, "http://a"), (source, "USER_INFO"), (info, "me:a:b")]).unwrap();
    assert!(user_info.credentials == basic("me", "a:b"));

    let bearer = registry(&[
        (url, "http://a"),
        ("value.converter.bearer.auth.credentials.source", "STATIC_TOKEN"),
        ("value.converter.bearer.auth.token", "secret"),
    ]);
    assert!(bearer.unwrap().credentials == Credentials::Bearer("secret".to_owned()));

    for (options, message) in [
        (&[][..], "schema.registry.url: found nothing, expected http://HOST:PORT"),
        (&[(url, "localhost:8081")][..], "expected http://HOST:PORT or https://HOST:PORT"),
        (
            &[(url, "http://a"), (source, "USER_INFO")],
            "basic.auth.user.info: found nothing, expected USER:PASSWORD",
        ),
        (&[(url, "http://a"), (source, "SASL_INHERIT")], "expected URL or USER_INFO"),
        (
            &[(url, "http://a"), ("value.converter.schema.registry.ssl.truststore.location", "/x")],
            "expected PEM: a store of Java is not read",
        ),
        (
            &[(url, "http://a"), ("value.converter.scrub.invalid.names", "true")],
            "scrub.invalid.names: found true, expected false: it is not supported",
        ),
    ] {
        let error = registry(options).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn bytes_pass_as_they_are() {
    let mut converter = of_class("ByteArrayConverter");
    let bytes = Bytes::from_static(b"\x00\xff");
    let datum = converter.to_connect("t", Some(&bytes)).unwrap();
    assert_eq!(datum.value, Value::Bytes(bytes.clone()));
    assert!(datum.schema.as_ref().unwrap().optional);
    assert_eq!(converter.from_connect("t", &datum), Ok(Some(bytes)));
    assert_eq!(converter.from_connect("t", &Datum::default()), Ok(None));
    let text = Datum::with_schema(Arc::new(Schema::new(Kind::String)), Value::string("a"));
    assert_eq!(
        converter.from_connect("t", &text).unwrap_err().to_string(),
        "Invalid schema type for ByteArrayConverter: STRING"
    );
    assert_eq!(
        converter.from_connect("t", &Datum::schemaless(Value::Int8(1))).unwrap_err().to_string(),
        "ByteArrayConverter is not compatible with objects of type class java.lang.Byte"
    );
}

#[test]
fn strings_are_what_java_makes_of_values() {
    let mut converter = of_class("StringConverter");
    let schema = Arc::new(Schema::structure(vec![
        Field::new("a", Schema::new(Kind::Float64)),
        Field::new("b", Schema::optional(Kind::String)),
        Field::new("c", Schema::new(Kind::String)),
    ]));
    let mut structure = Struct::new(schema);
    structure.put("a", Value::Float64(1e7)).unwrap();
    structure.put("c", Value::string("x")).unwrap();
    let map = Map::from_iter([(Value::string("k"), Value::Null)]);
    for (value, text) in [
        (Value::string("é"), "é"),
        (Value::Int64(-5), "-5"),
        (Value::Boolean(true), "true"),
        (Value::Float32(0.1), "0.1"),
        (Value::Float64(f64::INFINITY), "Infinity"),
        (Value::Timestamp(0), "Thu Jan 01 00:00:00 UTC 1970"),
        (Value::Array(vec![Value::Int8(1), Value::Int8(2)]), "[1, 2]"),
        (Value::Map(map), "{k=null}"),
        (Value::Struct(Box::new(structure)), "Struct{a=1.0E7,c=x}"),
    ] {
        let bytes = converter.from_connect("t", &Datum::schemaless(value)).unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
    }
    let datum = converter.to_connect("t", Some(&Bytes::from_static("é".as_bytes()))).unwrap();
    assert_eq!(datum.value, Value::string("é"));
    let error = converter.to_connect("t", Some(&Bytes::from_static(b"\xff"))).unwrap_err();
    assert_eq!(error, ConvertError::Data("Failed to deserialize string: it is no UTF-8".into()));

    let mut latin1 = build(&[
        ("value.converter", "StringConverter"),
        ("value.converter.converter.encoding", "iso-8859-1"),
    ])
    .unwrap();
    let datum = latin1.to_connect("t", Some(&Bytes::from_static(b"\xe9"))).unwrap();
    assert_eq!(datum.value, Value::string("é"));
    assert_eq!(latin1.from_connect("t", &datum).unwrap().unwrap(), &b"\xe9"[..]);
    assert!(latin1.from_connect("t", &Datum::schemaless(Value::string("€"))).is_err());
}

#[test]
fn numbers_are_those_of_kafkas_serializers() {
    for (class, value, bytes) in [
        ("ShortConverter", Value::Int16(-2), &b"\xff\xfe"[..]),
        ("IntegerConverter", Value::Int32(258), b"\x00\x00\x01\x02"),
        ("LongConverter", Value::Int64(1), b"\x00\x00\x00\x00\x00\x00\x00\x01"),
        ("FloatConverter", Value::Float32(1.0), b"\x3f\x80\x00\x00"),
        ("DoubleConverter", Value::Float64(1.0), b"\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        ("BooleanConverter", Value::Boolean(true), b"\x01"),
    ] {
        let mut converter = of_class(class);
        let datum = Datum::schemaless(value.clone());
        let written = converter.from_connect("t", &datum).unwrap().unwrap();
        assert_eq!(written, bytes, "{class}");
        assert_eq!(converter.to_connect("t", Some(&written)).unwrap().value, value);
        assert!(converter.to_connect("t", Some(&Bytes::from_static(b"123"))).is_err());
        assert_eq!(converter.to_connect("t", None).unwrap().value, Value::Null);
        assert!(converter.from_connect("t", &Datum::schemaless(Value::string("1"))).is_err());
    }
}
