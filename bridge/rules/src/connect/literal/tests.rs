use super::*;
use crate::connect::{LogicalType, Map, SchemaRef, Type};

fn type_of(datum: &Datum) -> Option<Type> {
    datum.schema.as_deref().map(Schema::type_of)
}

#[test]
fn texts_are_read_as_what_they_show() {
    for (text, value, schema) in [
        ("", Value::string(""), Some(Type::String)),
        ("null", Value::Null, None),
        ("true", Value::Boolean(true), Some(Type::Boolean)),
        ("true}", Value::string("true}"), Some(Type::String)),
        ("1", Value::Int8(1), Some(Type::Int8)),
        ("-300", Value::Int16(-300), Some(Type::Int16)),
        ("100000", Value::Int32(100_000), Some(Type::Int32)),
        ("10000000000", Value::Int64(10_000_000_000), Some(Type::Int64)),
        ("1.0", Value::Int8(1), Some(Type::Int8)),
        ("1.5", Value::Float32(1.5), Some(Type::Float32)),
        ("1e50", Value::Float64(1e50), Some(Type::Float64)),
        ("1e", Value::string("1e"), Some(Type::String)),
        ("a b", Value::string("a b"), Some(Type::String)),
        ("2020-01-02", Value::Timestamp(1_577_923_200_000), Some(Type::Int32)),
        ("00:00:01.000Z", Value::Timestamp(1000), Some(Type::Int32)),
        ("1970-01-02T00:00:01.500Z", Value::Timestamp(86_401_500), Some(Type::Int64)),
        ("[1, 1000]", Value::Array(vec![Value::Int16(1), Value::Int16(1000)]), Some(Type::Array)),
        ("[1,null]", Value::string("[1,null]"), Some(Type::String)),
        ("[1,", Value::string("[1,"), Some(Type::String)),
    ] {
        let datum = read(text);
        assert_eq!(datum.value, value, "{text}");
        assert_eq!(type_of(&datum), schema, "{text}");
    }
}

#[test]
fn a_map_has_the_schemas_of_its_keys_and_values() {
    let datum = read(r#"{"a": 1, "b": 2.5}"#);
    let entries = [("a", 1.0), ("b", 2.5)];
    let entries = entries.map(|(key, value)| (Value::string(key), Value::Float32(value)));
    assert_eq!(datum.value, Value::Map(Map::from_iter(entries)));
    let keys: SchemaRef = Schema::new(Kind::String).into();
    let values: SchemaRef = Schema::new(Kind::Float32).into();
    assert_eq!(datum.schema, Some(Schema::new(Kind::Map(keys, values)).into()));
}

#[test]
fn nesting_without_end_is_text() {
    let text = "[".repeat(100_000);
    assert_eq!(read(&text).value, Value::string(text));
}

#[test]
fn values_are_written_as_they_are_read() {
    for text in ["1", "true", "null", "[1,2]", r#"{"a":1}"#, "2020-01-02", "00:00:01.000Z", "x"] {
        assert_eq!(write(&read(text).value), text);
    }
    let quoted = Value::Array(vec![Value::string(r#"a"b\"#)]);
    assert_eq!(write(&quoted), r#"["a\"b\\"]"#);
    let date = Schema::logical(LogicalType::Date, None);
    assert_eq!(read("2020-01-02").schema, Some(date.into()));
}
