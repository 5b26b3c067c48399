use std::sync::Arc;

use bytes::Bytes;

use crate::connect::{Datum, Decimal, Field, Kind, LogicalType, Map, Schema, Struct, Value};
use crate::converter::{ConvertError, Converter, Side};

fn converter(options: &[(&str, &str)]) -> Converter {
    let class = [("value.converter", "org.apache.kafka.connect.json.JsonConverter")];
    let options = class.iter().chain(options).copied();
    Converter::from_options(Side::Value, "value.converter", options).unwrap()
}

fn plain() -> Converter {
    converter(&[("value.converter.schemas.enable", "false")])
}

fn read(converter: &mut Converter, text: &str) -> Result<Datum, String> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    match converter.to_connect("t", Some(&bytes)) {
        Ok(datum) => Ok(datum),
        Err(ConvertError::Data(message)) => Err(message),
        Err(ask) => Err(ask.to_string()),
    }
}

fn write(converter: &mut Converter, datum: &Datum) -> Result<String, String> {
    match converter.from_connect("t", datum) {
        Ok(bytes) => Ok(String::from_utf8(bytes.expect("bytes").to_vec()).unwrap()),
        Err(ConvertError::Data(message)) => Err(message),
        Err(ask) => Err(ask.to_string()),
    }
}

/// The value of a payload with this schema.
fn payload(schema: &str, payload: &str) -> Result<Value, String> {
    let text = format!("{{\"schema\":{schema},\"payload\":{payload}}}");
    Ok(read(&mut converter(&[]), &text)?.value)
}

#[test]
fn every_type_is_read_and_written_with_its_schema() {
    let decimal = Value::Decimal(Decimal { unscaled: 156.into(), scale: 2 });
    let pairs = Map::from_iter([(Value::Int32(1), Value::string("a"))]);
    let object = Map::from_iter([(Value::string("k"), Value::Int64(5))]);
    for (schema, text, value) in [
        (r#"{"type":"boolean","optional":false}"#, "true", Value::Boolean(true)),
        (r#"{"type":"int8","optional":false}"#, "-128", Value::Int8(-128)),
        (r#"{"type":"int16","optional":false}"#, "32767", Value::Int16(32_767)),
        (r#"{"type":"int32","optional":false}"#, "-7", Value::Int32(-7)),
        (r#"{"type":"int64","optional":false}"#, "9223372036854775807", Value::Int64(i64::MAX)),
        (r#"{"type":"float","optional":false}"#, "12.34", Value::Float32(12.34)),
        (r#"{"type":"double","optional":false}"#, "1.0E10", Value::Float64(1e10)),
        (r#"{"type":"double","optional":false}"#, "\"NaN\"", Value::Float64(f64::NAN)),
        (r#"{"type":"bytes","optional":false}"#, "\"dGVzdA==\"", Value::Bytes("test".into())),
        (r#"{"type":"string","optional":false}"#, "\"é\\n\"", Value::string("é\n")),
        (r#"{"type":"string","optional":true}"#, "null", Value::Null),
        (
            r#"{"type":"array","items":{"type":"int32","optional":false},"optional":false}"#,
            "[1,2]",
            Value::Array(vec![Value::Int32(1), Value::Int32(2)]),
        ),
        (
            concat!(
                r#"{"type":"map","keys":{"type":"string","optional":false},"#,
                r#""values":{"type":"int64","optional":false},"optional":false}"#
            ),
            "{\"k\":5}",
            Value::Map(object),
        ),
        (
            concat!(
                r#"{"type":"map","keys":{"type":"int32","optional":false},"#,
                r#""values":{"type":"string","optional":false},"optional":false}"#
            ),
            "[[1,\"a\"]]",
            Value::Map(pairs),
        ),
        (
            concat!(
                r#"{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","#,
                r#""version":1,"parameters":{"scale":"2"}}"#
            ),
            "\"AJw=\"",
            decimal,
        ),
        (
            r#"{"type":"int32","optional":false,"name":"org.apache.kafka.connect.data.Date","version":1}"#,
            "10000",
            Value::Timestamp(864_000_000_000),
        ),
        (
            r#"{"type":"int32","optional":false,"name":"org.apache.kafka.connect.data.Time","version":1}"#,
            "14400000",
            Value::Timestamp(14_400_000),
        ),
        (
            r#"{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1}"#,
            "4000000000",
            Value::Timestamp(4_000_000_000),
        ),
    ] {
        let envelope = format!("{{\"schema\":{schema},\"payload\":{text}}}");
        let mut converter = converter(&[]);
        let datum =
            read(&mut converter, &envelope).unwrap_or_else(|error| panic!("{schema}: {error}"));
        assert_eq!(datum.value, value, "{schema}");
        assert_eq!(write(&mut converter, &datum).unwrap(), envelope);
    }
}

#[test]
fn a_schema_says_all_that_connect_knows_of_it() {
    let mut count = Schema::new(Kind::Int32);
    count.default = Some(Value::Int32(7));
    count.doc = Some("how many".into());
    let mut schema = Schema::structure(vec![
        Field::new("count", count),
        Field::new("note", Schema::optional(Kind::String)),
    ]);
    schema.name = Some("org.example.Thing".into());
    schema.version = Some(3);
    schema.parameters.push(("unit".into(), "cm".into()));
    let schema = Arc::new(schema);
    let value = Value::Struct(Box::new(Struct::new(Arc::clone(&schema))));
    let text = concat!(
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"doc":"how many","#,
        r#""default":7,"field":"count"},{"type":"string","optional":true,"field":"note"}],"#,
        r#""optional":false,"name":"org.example.Thing","version":3,"parameters":{"unit":"cm"}},"#,
        r#""payload":{"count":7,"note":null}}"#
    );
    let mut converter = converter(&[]);
    let written = write(&mut converter, &Datum::with_schema(Arc::clone(&schema), value)).unwrap();
    assert_eq!(written, text);
    let datum = read(&mut converter, &written).unwrap();
    assert_eq!(datum.schema, Some(schema));
    // The same schema again is the same allocation.
    let again = read(&mut converter, &written).unwrap();
    assert!(Arc::ptr_eq(&datum.schema.unwrap(), &again.schema.unwrap()));
}

#[test]
fn without_schema_whole_numbers_keep_all_their_digits() {
    let mut converter = plain();
    let text = r#"{"a":9223372036854775807,"b":123456789012345678901234567890,"c":1.5,"d":[null,true],"e":{}}"#;
    let datum = read(&mut converter, text).unwrap();
    let Value::Map(map) = &datum.value else { panic!("{datum:?}") };
    assert_eq!(map[&Value::string("a")], Value::Int64(i64::MAX));
    assert_eq!(map[&Value::string("c")], Value::Float64(1.5));
    assert!(matches!(&map[&Value::string("b")], Value::Decimal(decimal) if decimal.scale == 0));
    assert_eq!(write(&mut converter, &datum).unwrap(), text);
}

#[test]
fn a_tombstone_stays_one() {
    for mut converter in [converter(&[]), plain()] {
        assert_eq!(converter.to_connect("t", None), Ok(Datum::default()));
        assert_eq!(converter.from_connect("t", &Datum::default()), Ok(None));
    }
    assert_eq!(read(&mut plain(), " "), Ok(Datum::default()));
    let null = Datum::with_schema(Arc::new(Schema::optional(Kind::Int8)), Value::Null);
    assert_eq!(write(&mut plain(), &null).unwrap(), "null");
}

#[test]
fn a_null_stands_for_the_default_if_that_is_wanted() {
    let schema =
        r#"{"type":"struct","fields":[{"type":"int32","optional":true,"default":42,"field":"a"}]}"#;
    let text = format!("{{\"schema\":{schema},\"payload\":{{\"a\":null}}}}");
    for (replace, value, written) in
        [("true", Value::Int32(42), "{\"a\":42}"), ("false", Value::Null, "{\"a\":null}")]
    {
        let mut converter = converter(&[("value.converter.replace.null.with.default", replace)]);
        let datum = read(&mut converter, &text).unwrap();
        let Value::Struct(structure) = &datum.value else { panic!("{datum:?}") };
        assert_eq!(structure.without_default("a"), Some(&value));
        let schema = structure.schema();
        let empty = Value::Struct(Box::new(Struct::new(Arc::clone(schema))));
        let datum = Datum::with_schema(Arc::clone(schema), empty);
        assert!(
            write(&mut converter, &datum).unwrap().ends_with(&format!("\"payload\":{written}}}"))
        );
    }
}

#[test]
fn decimals_are_numbers_if_that_is_wanted_and_read_either_way() {
    let schema = Arc::new(Schema::logical(LogicalType::Decimal, Some(2)));
    let value = Value::Decimal(Decimal { unscaled: 156.into(), scale: 2 });
    let datum = Datum::with_schema(Arc::clone(&schema), value.clone());
    let mut numeric = converter(&[
        ("value.converter.decimal.format", "numeric"),
        ("value.converter.schemas.enable", "false"),
    ]);
    assert_eq!(write(&mut numeric, &datum).unwrap(), "1.56");
    assert_eq!(write(&mut plain(), &datum).unwrap(), "\"AJw=\"");
    let schema = concat!(
        r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"#,
        r#""parameters":{"scale":"2"}}"#
    );
    assert_eq!(payload(schema, "\"AJw=\"").unwrap(), value);
    assert_eq!(payload(schema, "1.56").unwrap(), value);
    let wide = Value::Decimal(Decimal { unscaled: 1_560.into(), scale: 3 });
    let wide = Datum::with_schema(Arc::new(Schema::logical(LogicalType::Decimal, Some(2))), wide);
    assert!(
        write(&mut plain(), &wide).unwrap_err().contains("Schema has scale 2, value has scale 3")
    );
}

#[test]
fn the_schema_of_the_options_is_that_of_every_payload() {
    let schema = r#"{"type":"struct","fields":[{"type":"string","field":"a"}]}"#;
    let mut converter = converter(&[("value.converter.schema.content", schema)]);
    let datum = read(&mut converter, "{\"a\":\"x\"}").unwrap();
    assert_eq!(datum.schema.unwrap().fields().len(), 1);
}

#[test]
fn members_come_in_any_order_and_the_last_of_two_counts() {
    let schema = concat!(
        r#"{"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"int32","field":"b"},"#,
        r#"{"type":"int32","field":"c"}]}"#
    );
    let text = format!(
        "{{\"payload\":{{\"c\":3,\"x\":[{{}}],\"a\":9,\"b\":2,\"a\":1}},\"schema\":{schema}}}"
    );
    let datum = read(&mut converter(&[]), &text).unwrap();
    let Value::Struct(structure) = datum.value else { panic!("no struct") };
    assert_eq!(structure.values(), [Value::Int32(1), Value::Int32(2), Value::Int32(3)]);
}

#[test]
fn a_payload_that_is_not_of_its_schema_is_refused() {
    let int32 = r#"{"type":"int32"}"#;
    let array = r#"{"type":"array","items":{"type":"string"}}"#;
    let map = r#"{"type":"map","keys":{"type":"string"},"values":{"type":"string"}}"#;
    let pairs = r#"{"type":"map","keys":{"type":"int8"},"values":{"type":"string"}}"#;
    let structure = r#"{"type":"struct","fields":[{"type":"int8","field":"a"}]}"#;
    let time = r#"{"type":"int32","name":"org.apache.kafka.connect.data.Time"}"#;
    for (schema, text, message) in [
        (int32, "\"7\"", "Invalid type for INT32, found STRING"),
        (int32, "2147483648", "Invalid number 2147483648, expected one of INT32"),
        (int32, "1.5", "Invalid number 1.5, expected one of INT32"),
        (int32, "null", "Invalid null value for required INT32 field"),
        (
            r#"{"type":"float"}"#,
            "1e39",
            "Invalid number 1e39, expected one in the range of its type",
        ),
        (r#"{"type":"string"}"#, "1", "Invalid type for STRING, found NUMBER"),
        (array, "{}", "Invalid type for ARRAY, found OBJECT"),
        (map, "[]", "Maps with string fields should be encoded as JSON objects, but found ARRAY"),
        (
            pairs,
            "{}",
            "Maps with non-string fields should be encoded as JSON array of tuples, but found OBJECT",
        ),
        (pairs, "[1]", "Found invalid map entry instead of array tuple: NUMBER"),
        (pairs, "[[1]]", "Found invalid map entry, expected length 2 but found :1"),
        (pairs, "[[1,\"a\",2]]", "Found invalid map entry, expected length 2 but found :3"),
        (structure, "[]", "Structs should be encoded as JSON objects, but found ARRAY"),
        (structure, "{}", "Invalid null value for required INT8 field"),
        (
            time,
            "86400001",
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        ),
        (
            time,
            "1.0",
            "Invalid type for Time, underlying representation should be integer but was NUMBER",
        ),
    ] {
        assert_eq!(payload(schema, text).unwrap_err(), message, "{schema} {text}");
    }
    assert!(
        payload(r#"{"type":"bytes"}"#, "\"a\"").unwrap_err().starts_with("Invalid bytes field")
    );
}

#[test]
fn a_schema_that_is_none_is_refused() {
    for (schema, message) in [
        ("{}", "Schema must contain 'type' field"),
        (r#"{"type":"int128"}"#, "Unknown schema type: int128"),
        (r#"{"type":"array"}"#, "Array schema did not specify the element type"),
        (r#"{"type":"map","values":{}}"#, "Map schema did not specify the key type"),
        (r#"{"type":"struct"}"#, "Struct schema's \"fields\" argument is not an array."),
        (
            r#"{"type":"struct","fields":[{"type":"int8"}]}"#,
            "Struct schema's field name not specified properly",
        ),
        (
            r#"{"type":"struct","fields":[{"type":"int8","field":"a"},{"type":"int8","field":"a"}]}"#,
            "Cannot create field because of field name duplication a",
        ),
        (r#"{"type":"int8","parameters":{"a":1}}"#, "Schema parameters must have string values."),
        (r#"{"type":"int8","default":"a"}"#, "Invalid type for INT8, found STRING"),
    ] {
        assert_eq!(payload(schema, "1").unwrap_err(), message, "{schema}");
    }
    for text in
        ["1", "{}", "[]", "{\"schema\":null}", "{\"schema\":null,\"payload\":1,\"x\":2}", ""]
    {
        let message = read(&mut converter(&[]), text).unwrap_err();
        assert!(message.starts_with("JsonConverter with schemas.enable requires"), "{text}");
    }
    let message = read(&mut converter(&[]), "{\"schema\":").unwrap_err();
    assert!(message.starts_with("Converting byte[] to Kafka Connect data failed"), "{message}");
}

#[test]
fn a_value_that_is_not_of_its_schema_is_not_written() {
    let write =
        |schema: Schema, value| write(&mut plain(), &Datum::with_schema(Arc::new(schema), value));
    assert_eq!(
        write(Schema::new(Kind::Int32), Value::string("a")).unwrap_err(),
        "Invalid type for INT32: class java.lang.String"
    );
    assert_eq!(
        write(Schema::new(Kind::Int32), Value::Null).unwrap_err(),
        "Conversion error: null value for field that is required and has no default value"
    );
    assert_eq!(
        write(Schema::logical(LogicalType::Date, None), Value::Timestamp(1)).unwrap_err(),
        "Kafka Connect Date type should not have any time fields set to non-zero values."
    );
    assert_eq!(
        write(Schema::logical(LogicalType::Decimal, Some(0)), Value::Int8(1)).unwrap_err(),
        "Invalid type for Decimal, expected BigDecimal but was class java.lang.Byte"
    );
}

#[test]
fn what_was_read_before_changes_nothing_of_a_record() {
    let structure = r#"{"type":"struct","fields":[{"field":"a","type":"int64"}]}"#;
    let number = r#"{"type":"int64","optional":true}"#;
    let mut records = Vec::new();
    for schema in [structure, number, "null"] {
        for (payload, end) in [
            (r#"{"a":1}"#, "}"),
            (r#"{"a":2,"b":[{}]}"#, "}"),
            (r#"{"a":"x"}"#, "}"),
            (r#"{"a":1"#, "}"),
            ("3", "}"),
            ("3", " } "),
            ("3", ""),
            ("3", "}}"),
            ("3", r#","more":1}"#),
            ("3", r#","payload":4}"#),
            ("3", r#","schema":null}"#),
            ("null", "}"),
            ("", "}"),
        ] {
            records.push(format!("{{\"schema\":{schema},\"payload\":{payload}{end}"));
            records.push(format!("{{ \"payload\":{payload}, \"schema\":{schema}{end}"));
        }
    }
    for first in &records {
        for second in &records {
            let mut converter = converter(&[]);
            let _ = read(&mut converter, first);
            let fresh = read(&mut self::converter(&[]), second);
            assert_eq!(read(&mut converter, second), fresh, "{second} after {first}");
        }
    }
}
