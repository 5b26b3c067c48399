use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::connect::{
    Decimal, Field as Column, Header, Kind, LogicalType, Map, Schema, SchemaRef, Struct, Value,
};
use crate::kcql::Kcql;

fn rule(kcql: &str) -> PointRule {
    let statements = Kcql::parse(kcql).unwrap().influx_sinks().unwrap().statements;
    PointRule::new(&statements[0])
}

fn record(value: Datum) -> ConnectRecord {
    ConnectRecord {
        kafka_topic: Arc::from("t"),
        partition: Some(3),
        key: Datum::schemaless(Value::string(r#"{"site":"north","n":7}"#)),
        value,
        timestamp: Some(1_478_269_679_104),
        headers: vec![Header {
            name: Arc::from("unit"),
            datum: Datum::schemaless(Value::string("C")),
        }],
        offset: Some(42),
    }
}

fn json(text: &str) -> ConnectRecord {
    record(Datum::schemaless(Value::string(text)))
}

/// The line of a point, whose time is 9 where nothing says one.
fn line(kcql: &str, record: &ConnectRecord) -> Result<String, String> {
    let point = rule(kcql).point(record).map_err(|error| error.to_string())?;
    Ok(point.expect("a point").line(9))
}

/// The line of `SELECT columns FROM t more` for a record of JSON.
#[track_caller]
fn is(select: &str, text: &str, expected: &str) {
    assert_eq!(
        line(&format!("INSERT INTO m SELECT {select}"), &json(text)).as_deref(),
        Ok(expected)
    );
}

#[track_caller]
fn fails(select: &str, text: &str, expected: &str) {
    let found = line(&format!("INSERT INTO m SELECT {select}"), &json(text));
    assert_eq!(found, Err(expected.to_owned()));
}

fn structure(fields: Vec<(&str, SchemaRef, Value)>) -> Datum {
    let columns = fields.iter().map(|(name, schema, _)| Column::new(*name, Arc::clone(schema)));
    let schema = Arc::new(Schema::structure(columns.collect()));
    let mut made = Struct::new(Arc::clone(&schema));
    for (index, (_, _, value)) in fields.into_iter().enumerate() {
        made.set_at(index, value);
    }
    Datum::with_schema(schema, Value::Struct(Box::new(made)))
}

fn plain(kind: Kind) -> SchemaRef {
    Arc::new(Schema::new(kind))
}

fn float(digits: &str) -> Value {
    Value::Float32(digits.parse().unwrap())
}

#[test]
fn the_documented_record_becomes_the_documented_point() {
    let value = structure(vec![
        ("company", plain(Kind::String), Value::string("DataMountaineer")),
        ("address", plain(Kind::String), Value::string("MontainTop")),
        ("latitude", plain(Kind::Float32), float("-49.817964")),
        ("longitude", plain(Kind::Float32), float("-141.645812")),
    ]);
    let kcql = "INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()";
    let point = rule(kcql).point(&record(value)).unwrap().unwrap();
    assert_eq!(
        point.line(1_478_269_679_104_000_000),
        "influxMeasure company=\"DataMountaineer\",address=\"MontainTop\",\
         latitude=-49.817962646484375,longitude=-141.64581298828125 1478269679104000000"
    );
}

#[test]
fn structs_maps_and_json_in_text_or_bytes_are_the_same_points() {
    let text = r#"{"a":1,"b":"x"}"#;
    let map = Map::from_iter([
        (Value::string("a"), Value::Int64(1)),
        (Value::string("b"), Value::string("x")),
    ]);
    for value in [
        Datum::schemaless(Value::string(text)),
        Datum::with_schema(plain(Kind::String), Value::string(text)),
        Datum::schemaless(Value::Bytes(Bytes::from_static(text.as_bytes()))),
        Datum::schemaless(Value::Map(map)),
        structure(vec![
            ("a", plain(Kind::Int64), Value::Int64(1)),
            ("b", plain(Kind::String), Value::string("x")),
        ]),
    ] {
        let found = line("INSERT INTO m SELECT * FROM t", &record(value.clone()));
        assert_eq!(found.as_deref(), Ok("m a=1i,b=\"x\" 9"), "{value:?}");
    }
}

#[test]
fn every_type_is_a_field_of_the_nearest_type_that_the_database_has() {
    let logical = |kind, scale| Arc::new(Schema::logical(kind, scale));
    let optional = |kind| Arc::new(Schema::optional(kind));
    let value = structure(vec![
        ("i8", plain(Kind::Int8), Value::Int8(-8)),
        ("i16", plain(Kind::Int16), Value::Int16(16)),
        ("i32", plain(Kind::Int32), Value::Int32(32)),
        ("i64", plain(Kind::Int64), Value::Int64(i64::MIN)),
        ("f64", plain(Kind::Float64), Value::Float64(0.1)),
        ("large", plain(Kind::Float64), Value::Float64(1e300)),
        ("small", plain(Kind::Float64), Value::Float64(-2.5e-9)),
        ("none", plain(Kind::Float64), Value::Float64(f64::NAN)),
        ("infinite", plain(Kind::Float32), Value::Float32(f32::INFINITY)),
        ("yes", plain(Kind::Boolean), Value::Boolean(true)),
        ("null", optional(Kind::String), Value::Null),
        ("bytes", plain(Kind::Bytes), Value::Bytes(Bytes::from_static(&[0, 255]))),
        (
            "price",
            logical(LogicalType::Decimal, Some(2)),
            Value::Decimal(Decimal::parse("12.50").unwrap()),
        ),
        ("day", logical(LogicalType::Date, None), Value::Timestamp(86_400_000 * 18_321)),
        ("clock", logical(LogicalType::Time, None), Value::Timestamp(1_000)),
        ("at", logical(LogicalType::Timestamp, None), Value::Timestamp(1_478_269_679_104)),
    ]);
    assert_eq!(
        line("INSERT INTO m SELECT * FROM t", &record(value)).as_deref(),
        Ok("m i8=-8i,i16=16i,i32=32i,i64=-9223372036854775808i,f64=0.1,large=1e300,\
            small=-2.5e-9,yes=true,bytes=\"AP8=\",price=12.5,day=18321i,clock=1000i,\
            at=1478269679104i 9")
    );
    is("* FROM t", r#"{"big":123456789012345678901234567890}"#, "m big=1.2345678901234568e29 9");
}

#[test]
fn what_is_nested_is_made_flat() {
    is(
        "* FROM t",
        r#"{"a":[1,2.5,{"x":true}],"b":{"c":{"d":"e"},"f":[[1],[2,3]]},"empty":[],"none":{}}"#,
        "m a0=1i,a1=2.5,a2.x=true,b.c.d=\"e\",b.f00=1i,b.f10=2i,b.f11=3i 9",
    );
    fails(
        "* FROM t",
        r#"{"a0":1,"a":[2]}"#,
        "field a0: comes twice when the record is made flat, expected once",
    );
}

#[test]
fn columns_choose_rename_and_reach_into_key_header_and_metadata() {
    let text = r#"{"x":1,"y":{"z":2,"w":3},"s":"t"}"#;
    is("x AS a, y.z, s FROM t", text, "m a=1i,z=2i,s=\"t\" 9");
    is("y.* FROM t", text, "m z=2i,w=3i 9");
    is("* FROM t IGNORE x, y.w", text, "m y.z=2i,s=\"t\" 9");
    is(
        "_key.site, _header.unit, _topic, _partition, _offset, _timestamp FROM t",
        text,
        "m site=\"north\",unit=\"C\",_topic=\"t\",_partition=3i,_offset=42i,\
         _timestamp=1478269679104i 9",
    );
    is("_key.* FROM t", text, "m site=\"north\",n=7i 9");
    is("_value AS text FROM t", "no JSON", "m text=\"no JSON\" 9");
}

#[test]
fn a_missing_column_is_an_error_and_so_is_a_point_without_fields() {
    fails("nope FROM t", "{}", "column nope: the record has no such field");
    let none = "found no field that is not null, expected one at least";
    fails("* FROM t", "{}", none);
    fails("a FROM t", r#"{"a":null}"#, none);
    is("a, b FROM t", r#"{"a":null,"b":1}"#, "m b=1i 9");
    fails(
        "* FROM t",
        "5",
        "column _value.*: found a value of type int64, expected a struct or a map",
    );
    let error = line("INSERT INTO m SELECT * FROM t", &json("no JSON")).unwrap_err();
    assert!(error.starts_with("the value is to have fields, and is no JSON: "), "{error}");
}

#[test]
fn a_record_without_a_value_is_no_point() {
    let mut rule = rule("INSERT INTO m SELECT * FROM t");
    assert_eq!(rule.point(&record(Datum::default())), Ok(None));
}

#[test]
fn the_measurement_is_a_literal_or_what_a_field_says() {
    is("a FROM t WITHTARGET=to.where", r#"{"a":1,"to":{"where":"x y,z=#"}}"#, "x\\ y\\,z=# a=1i 9");
    is("a FROM t WITHTARGET=_key.site", r#"{"a":1}"#, "north a=1i 9");
    is("a FROM t WITHTARGET=_topic", r#"{"a":1}"#, "t a=1i 9");
    fails("a FROM t WITHTARGET=to", r#"{"a":1}"#, "measurement to: the record has no such field");
    let found = "measurement to: found a java.lang.Long, expected text";
    fails("a FROM t WITHTARGET=to", r#"{"a":1,"to":2}"#, found);
    let expected = "expected a name that is not empty and does not begin with #";
    for to in ["", "#x"] {
        let text = format!(r#"{{"a":1,"to":"{to}"}}"#);
        fails("a FROM t WITHTARGET=to", &text, &format!("measurement found {to:?}, {expected}"));
    }
}

#[test]
fn tags_are_constants_and_fields_and_those_that_are_missing_are_left_out() {
    let text = r#"{"a":1,"from":"x","n":5,"no":null,"empty":"","in":{"b":true}}"#;
    is(
        "a FROM t WITHTAG(DataMountaineer=awesome, Influx=rulz!)",
        text,
        "m,DataMountaineer=awesome,Influx=rulz! a=1i 9",
    );
    is(
        "a FROM t WITHTAG(from, to, n, no, empty, provider=DataMountaineer)",
        text,
        "m,from=x,n=5,provider=DataMountaineer a=1i 9",
    );
    is("a FROM t WITHTAG(in.b AS flag, in.b)", text, "m,flag=true,in.b=true a=1i 9");
    is("a FROM t WITHTAG(_key.site AS site, _header.unit AS u)", text, "m,site=north,u=C a=1i 9");
    let found = "tag in: found a value of type map, expected text, a number or a boolean";
    fails("a FROM t WITHTAG(in)", text, found);
}

#[test]
fn a_time_is_the_field_s_in_its_unit_or_now() {
    let at = |time: &str, clauses: &str| {
        let kcql = format!("INSERT INTO m SELECT a FROM t {clauses}");
        let line = line(&kcql, &json(&format!(r#"{{"a":1,"at":{time}}}"#)));
        line.map(|line| line.trim_start_matches("m a=1i ").to_owned())
    };
    let ok = |time: &str| Ok(time.to_owned());
    assert_eq!(at("1", "WITHTIMESTAMP sys_time()"), ok("9"));
    assert_eq!(at("1", "WITHTIMESTAMP other"), ok("9"));
    assert_eq!(at("null", "WITHTIMESTAMP at"), ok("9"));
    assert_eq!(at("1478269679104", "WITHTIMESTAMP at"), ok("1478269679104000000"));
    for (unit, time) in [
        ("NANOSECONDS", "1500"),
        ("MICROSECONDS", "1500000"),
        ("MILLISECONDS", "1500000000"),
        ("SECONDS", "1500000000000"),
    ] {
        assert_eq!(at("1500", &format!("WITHTIMESTAMP at TIMESTAMPUNIT={unit}")), ok(time));
        // The record's own time is in milliseconds, whatever the fields are.
        let own = format!("WITHTIMESTAMP _timestamp TIMESTAMPUNIT={unit}");
        assert_eq!(at("1", &own), ok("1478269679104000000"));
    }
    // Seconds with a fraction, digit by digit.
    assert_eq!(at("1478269679.104", "WITHTIMESTAMP at"), ok("1478269679104000000"));
    assert_eq!(at("-0.5", "WITHTIMESTAMP at"), ok("-500000000"));
    for (text, time) in [
        ("2016-11-04T14:27:59.104Z", "1478269679104000000"),
        ("2016-11-04T15:27:59.104+01:00", "1478269679104000000"),
        ("2016-11-04T09:57:59,104-0430", "1478269679104000000"),
        ("2016-11-04T14:27:59.123456789Z", "1478269679123456789"),
        ("2016-11-04T14:27", "1478269620000000000"),
        ("2016-11-04 14:27:59", "1478269679000000000"),
        ("2016-02-29", "1456704000000000000"),
        ("1969-12-31T23:59:59.5Z", "-500000000"),
        ("1478269679104", "1478269679104000000"),
    ] {
        assert_eq!(at(&format!("{text:?}"), "WITHTIMESTAMP at"), ok(time), "{text}");
    }
    for text in ["yesterday", "2015-02-29", "2016-13-01", "2016-11-04T24:00:00Z", "2016-11-04T1"] {
        let found = at(&format!("{text:?}"), "WITHTIMESTAMP at");
        let expected = format!("timestamp at: found {text:?}, expected a time of ISO 8601");
        assert_eq!(found, Err(expected));
    }
    for time in ["\"2500-01-01\"", "9223372036854775807", "1e300", "123456789012345678901"] {
        let error = at(time, "WITHTIMESTAMP at").unwrap_err();
        assert!(error.contains("beyond 64 bits of nanoseconds"), "{time}: {error}");
    }
    let error = at("true", "WITHTIMESTAMP at").unwrap_err();
    assert!(error.starts_with("timestamp at: found a java.lang.Boolean"), "{error}");
    let moment = structure(vec![
        ("a", plain(Kind::Int8), Value::Int8(1)),
        (
            "at",
            Arc::new(Schema::logical(LogicalType::Timestamp, None)),
            Value::Timestamp(1_478_269_679_104),
        ),
    ]);
    let kcql = "INSERT INTO m SELECT a FROM t WITHTIMESTAMP at TIMESTAMPUNIT=SECONDS";
    let found = line(kcql, &record(moment));
    assert_eq!(found.as_deref(), Ok("m a=1i 1478269679104000000"), "a moment needs no unit");
}

#[test]
fn nothing_in_a_record_ends_a_line_or_adds_to_it() {
    let text = r#"{"a b,c=d\n":"say \"hi\" \\ x=1\n2","tag":"v 1,w=2\r\nq\\"}"#;
    is(
        "* FROM t IGNORE tag WITHTAG(tag AS `t g`, k='a=b')",
        text,
        "m,t\\ g=v\\ 1\\,w\\=2\\r\\nq,k=a\\=b a\\ b\\,c\\=d\\n=\"say \\\"hi\\\" \\\\ x=1\n2\" 9",
    );
}
