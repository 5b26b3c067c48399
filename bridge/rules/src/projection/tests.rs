use super::*;
use crate::connect::{Field as SchemaField, Header, Kind, Schema, Struct};
use crate::kcql::Kcql;

fn projection(columns: &str, missing: Missing) -> Projection {
    let text = format!("INSERT INTO t SELECT {}", columns.replace("FROM", "FROM f"));
    let kcql = Kcql::parse(&text).unwrap_or_else(|error| panic!("{}", error.drawn()));
    Projection::new(&kcql.statements[0].selection, missing)
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::string(key), value)).collect())
}

fn structure<const N: usize>(name: Option<&str>, fields: [(&str, Schema, Value); N]) -> Datum {
    let schemas = fields.iter().map(|(name, schema, _)| SchemaField::new(*name, schema.clone()));
    let mut schema = Schema::structure(schemas.collect());
    schema.name = name.map(Arc::from);
    let schema = Arc::new(schema);
    let mut out = Struct::new(Arc::clone(&schema));
    for (index, (_, _, value)) in fields.into_iter().enumerate() {
        out.set_at(index, value);
    }
    Datum::with_schema(schema, Value::Struct(Box::new(out)))
}

fn int(value: i64) -> Value {
    Value::Int64(value)
}

/// A record of topic `plant` with a nested value, schemaless.
fn mapped() -> ConnectRecord {
    let value = map([
        ("a", int(1)),
        ("b", map([("c", int(2)), ("d", map([("e", int(3))])), ("f", Value::Null)])),
        ("n", Value::Null),
        ("list", Value::Array(vec![map([("c", int(4)), ("x", int(5))]), int(6)])),
    ]);
    ConnectRecord {
        kafka_topic: Arc::from("plant"),
        partition: Some(3),
        key: Datum::schemaless(map([("k", Value::string("dev7")), ("a", int(9))])),
        value: Datum::schemaless(value),
        timestamp: Some(1_000),
        headers: vec![
            Header { name: Arc::from("h.x"), datum: Datum::schemaless(Value::string("old")) },
            Header { name: Arc::from("h.x"), datum: Datum::schemaless(Value::string("new")) },
        ],
        offset: Some(42),
    }
}

/// The same with schemas.
fn structured() -> ConnectRecord {
    let int64 = || Schema::new(Kind::Int64);
    let d = structure(None, [("e", int64(), int(3))]);
    let d_schema = Schema::clone(&d.schema.clone().expect("a struct"));
    let b = structure(
        None,
        [
            ("c", int64(), int(2)),
            ("d", d_schema, d.value),
            ("f", Schema::optional(Kind::String), Value::Null),
        ],
    );
    // A struct has the schema of its field, word for word.
    let mut b_schema = Schema::clone(&b.schema.clone().expect("a struct"));
    b_schema.optional = true;
    let mut optional = Struct::new(Arc::new(b_schema.clone()));
    for (index, (_, value)) in fields(&b).into_iter().enumerate() {
        optional.set_at(index, value);
    }
    let b = Value::Struct(Box::new(optional));
    let value = structure(Some("plant.Reading"), [("a", int64(), int(1)), ("b", b_schema, b)]);
    let key = structure(None, [("k", Schema::new(Kind::String), Value::string("dev7"))]);
    ConnectRecord { key, value, ..mapped() }
}

fn applied(columns: &str, record: &ConnectRecord) -> Datum {
    let datum = projection(columns, Missing::LeftOut).apply(record, &record.kafka_topic);
    datum.unwrap_or_else(|error| panic!("{columns}: {error}"))
}

/// Names and values of a map or struct.
fn fields(datum: &Datum) -> Vec<(String, Value)> {
    match &datum.value {
        Value::Map(map) => {
            map.iter().map(|(k, v)| (k.as_str().expect("text").to_owned(), v.clone())).collect()
        }
        Value::Struct(structure) => {
            let names = structure.schema().fields().iter().map(|field| field.name.to_string());
            names.zip(structure.values().iter().cloned()).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn names(datum: &Datum) -> Vec<String> {
    fields(datum).into_iter().map(|(name, _)| name).collect()
}

fn owned<const N: usize>(fields: [(&str, Value); N]) -> Vec<(String, Value)> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn everything_leaves_a_value_as_it_is() {
    for record in [mapped(), structured()] {
        assert_eq!(applied("* FROM", &record), record.value);
    }
    let text = ConnectRecord { value: Datum::schemaless(Value::string("x")), ..mapped() };
    assert_eq!(applied("* FROM", &text), text.value);
}

#[test]
fn columns_are_taken_in_their_order_under_their_names() {
    let expected = owned([("y", int(3)), ("x", int(1)), ("c", int(2))]);
    for record in [mapped(), structured()] {
        assert_eq!(fields(&applied("b.d.e AS y, a AS x, b.c FROM", &record)), expected);
    }
}

#[test]
fn a_star_beside_columns_has_each_field_once() {
    for (columns, expected) in [
        ("*, a AS x FROM", vec!["b", "x"]),
        ("a AS x, * FROM", vec!["x", "b"]),
        ("b.*, b.c AS z FROM", vec!["d", "f", "z"]),
        ("a, a, a AS b, b FROM", vec!["a", "a_1", "b", "b_1"]),
    ] {
        for mut record in [mapped(), structured()] {
            if let Value::Map(map) = &mut record.value.value {
                map.shift_remove(&Value::string("n"));
                map.shift_remove(&Value::string("list"));
            }
            assert_eq!(names(&applied(columns, &record)), expected, "{columns}");
        }
    }
}

#[test]
fn key_headers_and_metadata_are_columns() {
    let columns = "_key.k, _key AS whole, _header.h.x, _header.none, _topic, _partition, _offset, \
                   _timestamp, a FROM";
    let record = mapped();
    let mut expected = owned([
        ("k", Value::string("dev7")),
        ("whole", record.key.value.clone()),
        ("h.x", Value::string("new")),
        ("_topic", Value::string("plant")),
        ("_partition", Value::Int32(3)),
        ("_offset", int(42)),
        ("_timestamp", int(1_000)),
        ("a", int(1)),
    ]);
    assert_eq!(fields(&applied(columns, &record)), expected);

    // A struct has all its fields: a header that is not there is null.
    let record = structured();
    expected[1].1 = record.key.value.clone();
    expected.insert(3, ("none".to_owned(), Value::Null));
    let datum = applied(columns, &record);
    assert_eq!(fields(&datum), expected);
    let schema = datum.schema.expect("a struct");
    assert!(schema.field("_offset").expect("a field").1.schema.optional);
}

#[test]
fn the_topic_of_a_source_is_the_mqtt_topic() {
    let mut projection = projection("_topic AS t, _key.* FROM", Missing::LeftOut);
    let datum = projection.apply(&structured(), "plant/oven").expect("right");
    let expected = owned([("t", Value::string("plant/oven")), ("k", Value::string("dev7"))]);
    assert_eq!(fields(&datum), expected);
}

#[test]
fn a_missing_field_is_left_out_or_refused() {
    for record in [mapped(), structured()] {
        for columns in ["nope, a FROM", "b.nope, a FROM", "b.nope.deeper, a FROM", "nope.*, a FROM"]
        {
            assert_eq!(fields(&applied(columns, &record)), owned([("a", int(1))]), "{columns}");
            let error = projection(columns, Missing::Refused).apply(&record, "t");
            let column = columns.split(',').next().expect("one");
            let column = if columns.contains("deeper") { "b.nope.deeper" } else { column };
            let expected = format!("column {column}: the record has no such field");
            assert_eq!(error.expect_err("missing").to_string(), expected);
        }
    }
}

#[test]
fn a_null_is_a_value_and_has_no_fields() {
    let record = mapped();
    assert_eq!(
        fields(&applied("n, b.f FROM", &record)),
        owned([("n", Value::Null), ("f", Value::Null)])
    );
    assert_eq!(fields(&applied("n.x, a FROM", &record)), owned([("a", int(1))]));
}

#[test]
fn a_field_of_what_has_none_is_an_error() {
    for record in [mapped(), structured()] {
        for (columns, column) in
            [("a.x FROM", "a.x"), ("b.c.x.y FROM", "b.c.x.y"), ("a.* FROM", "a.*")]
        {
            let error = projection(columns, Missing::LeftOut).apply(&record, "t");
            let expected =
                format!("column {column}: found a value of type int64, expected a struct or a map");
            assert_eq!(error.expect_err("no fields").to_string(), expected);
        }
    }
}

#[test]
fn ignored_fields_are_left_out_wherever_they_would_come_through() {
    for record in [mapped(), structured()] {
        let datum = applied("a, b FROM IGNORE a, b.d.e", &record);
        let [(name, b)] = fields(&datum).try_into().expect("one field");
        assert_eq!(name, "b");
        let b = Datum::schemaless(b);
        assert_eq!(names(&b), ["c", "d", "f"]);
        let d = fields(&b)[1].1.clone();
        assert_eq!(names(&Datum::schemaless(d)), [""; 0]);
        assert_eq!(names(&applied("b.* FROM IGNORE b.c, b.nope, x.y", &record)), ["d", "f"]);
    }
    let datum = applied("* FROM IGNORE list.c, n", &mapped());
    let list = Value::Array(vec![map([("x", int(5))]), int(6)]);
    assert_eq!(fields(&datum).last(), Some(&("list".to_owned(), list)));
}

#[test]
fn a_projected_struct_has_a_schema_that_its_values_are_of() {
    let record = structured();
    for columns in [
        "* FROM IGNORE b.c",
        "b.c, b.d, _topic FROM",
        "b FROM IGNORE b.d.e, b.f",
        "*, _key.* FROM",
        "b.d FROM IGNORE b.d.e",
        "_key FROM",
    ] {
        let datum = applied(columns, &record);
        let schema = datum.schema.as_ref().expect("a struct");
        crate::connect::validate(None, schema, &datum.value).unwrap_or_else(|e| panic!("{e:?}"));
    }
    let name = |columns| applied(columns, &record).schema.and_then(|schema| schema.name.clone());
    assert_eq!(name("b.c, _topic FROM").as_deref(), Some("plant.Reading"));
    // A field of something that may be null may be null itself.
    let schema = applied("b.c FROM", &record).schema.expect("a struct");
    assert!(schema.field("c").expect("a field").1.schema.optional);
}

#[test]
fn a_schema_is_projected_once_and_then_shared() {
    let mut projection = projection("a, b.c FROM", Missing::LeftOut);
    let first = projection.apply(&structured(), "t").expect("right");
    let second = projection.apply(&structured(), "t").expect("right");
    let schema = |datum: &Datum| datum.schema.clone().expect("a struct");
    assert!(Arc::ptr_eq(&schema(&first), &schema(&second)));
    for count in 0..3 * REMEMBERED_MAX {
        let mut record = structured();
        let name = format!("x{count}");
        record.value = structure(None, [(name.as_str(), Schema::new(Kind::Int64), int(1))]);
        assert_eq!(names(&projection.apply(&record, "t").expect("right")), [""; 0]);
    }
    assert_eq!(projection.plans.len(), REMEMBERED_MAX);
    assert_eq!(projection.apply(&structured(), "t"), Ok(second));
}

#[test]
fn a_typed_map_inside_a_struct_gives_fields_by_name_alone() {
    let text = || Arc::new(Schema::new(Kind::String));
    let kind = Kind::Map(text(), Arc::new(Schema::new(Kind::Int64)));
    let entries = map([("x", int(7))]);
    let value = structure(None, [("m", Schema::new(kind), entries)]);
    let record = ConnectRecord { value, ..structured() };
    assert_eq!(
        fields(&applied("m.x, m.y FROM", &record)),
        owned([("x", int(7)), ("y", Value::Null)])
    );
    let error = projection("m.* FROM", Missing::LeftOut).apply(&record, "t");
    let expected = ProjectionError::Unnamed { column: "m.*".to_owned() };
    assert_eq!(error, Err(expected));
}

#[test]
fn a_tombstone_stays_one() {
    let record = ConnectRecord { value: Datum::default(), ..mapped() };
    assert_eq!(applied("a, _topic FROM", &record), Datum::default());
}

#[test]
fn values_without_fields_may_stand_beside_metadata() {
    let record = ConnectRecord { value: Datum::schemaless(Value::Boolean(true)), ..mapped() };
    let expected = owned([("v", Value::Boolean(true)), ("_topic", Value::string("plant"))]);
    assert_eq!(fields(&applied("_value AS v, _topic FROM", &record)), expected);
}

/// A record whose value is this JSON, as text and as bytes.
fn texts(json: &str) -> [ConnectRecord; 2] {
    let schema = Arc::new(Schema::new(Kind::String));
    let text = Datum::with_schema(schema, Value::string(json));
    let bytes = Datum::schemaless(Value::Bytes(Bytes::copy_from_slice(json.as_bytes())));
    [text, bytes].map(|value| ConnectRecord { value, ..mapped() })
}

#[test]
fn text_and_bytes_with_json_in_them_stay_text_and_bytes() {
    let [text, bytes] = texts(r#"{"x": 9007199254740993, "y": {"z": null, "w": "é"}, "q": [1]}"#);
    let columns = "x AS a, y.z, y.w, q, _topic FROM";
    let json = r#"{"a":9007199254740993,"z":null,"w":"é","q":[1],"_topic":"plant"}"#;
    let datum = applied(columns, &text);
    assert_eq!((datum.value, datum.schema), (Value::string(json), text.value.schema));
    let datum = applied(columns, &bytes);
    assert_eq!(datum.value, Value::Bytes(Bytes::copy_from_slice(json.as_bytes())));
}

#[test]
fn text_that_is_no_json_has_no_fields() {
    for record in texts("oven: 180") {
        let error =
            projection("a FROM", Missing::LeftOut).apply(&record, "t").expect_err("no JSON");
        let said = error.to_string();
        assert!(said.starts_with("the value is to have fields, and is no JSON: "), "{said}");
        assert_eq!(applied("* FROM", &record), record.value);
    }
    for record in texts("[1, 2]") {
        let error = projection("a FROM", Missing::LeftOut).apply(&record, "t").expect_err("a list");
        let expected = "column a: found a value of type array, expected a struct or a map";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn who_wants_the_fields_has_them_of_text_and_of_everything() {
    let wanted = |columns: &str, record: &ConnectRecord| {
        let datum = projection(columns, Missing::Refused).fields(record, "t");
        fields(&datum.unwrap_or_else(|error| panic!("{columns}: {error}")))
    };
    for record in texts(r#"{"a": 1, "b": 2.5}"#) {
        let expected = owned([("a", int(1)), ("b", Value::Float64(2.5))]);
        assert_eq!(wanted("* FROM", &record), expected);
        assert_eq!(wanted("b AS c FROM", &record), owned([("c", Value::Float64(2.5))]));
    }
    for record in [mapped(), structured()] {
        assert_eq!(wanted("* FROM", &record), fields(&record.value));
    }
    for record in texts("7") {
        assert!(projection("* FROM", Missing::LeftOut).fields(&record, "t").is_err());
    }
}

#[test]
fn a_key_that_is_json_has_fields_as_well() {
    let key = Datum::schemaless(Value::string(r#"{"k": {"i": 5}}"#));
    let record = ConnectRecord { key, ..mapped() };
    assert_eq!(
        fields(&applied("_key.k.i, a FROM", &record)),
        owned([("i", int(5)), ("a", int(1))])
    );
    let record = ConnectRecord { key: Datum::schemaless(Value::string("dev7")), ..mapped() };
    let error = projection("_key.k FROM", Missing::LeftOut).apply(&record, "t").expect_err("text");
    assert!(error.to_string().starts_with("the key is to have fields, and is no JSON: "));
    assert_eq!(fields(&applied("_key AS k FROM", &record)), owned([("k", Value::string("dev7"))]));
}

#[test]
fn a_struct_in_a_header_has_the_schema_of_its_field() {
    let datum = structure(None, [("i", Schema::new(Kind::Int64), int(5))]);
    let headers = vec![Header { name: Arc::from("h"), datum }];
    let record = ConnectRecord { headers, ..structured() };
    let datum = applied("a, _header.h FROM", &record);
    let schema = datum.schema.as_ref().expect("a struct");
    crate::connect::validate(None, schema, &datum.value).expect("a value of its schema");
}
