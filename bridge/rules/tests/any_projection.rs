//! Properties that hold for every record and every selection.

use std::sync::Arc;

use bytes::Bytes;
use midge_rules::connect::{
    ConnectRecord, Datum, Field, Header, Kind, Schema, SchemaRef, Struct, Value, validate,
};
use midge_rules::kcql::Kcql;
use midge_rules::projection::{Missing, Projection};
use proptest::prelude::*;

/// A value without schema: maps in maps, with few names, so that paths often lead somewhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Int64),
        "[a-z]{0,3}".prop_map(|text| Value::string(text.as_str())),
        prop::sample::select(vec!["{\"a\":{\"b\":1}}", "[1]", "{", "7"]).prop_map(Value::string),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Value::Bytes(Bytes::from(bytes))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Map(entries.map(|(key, v)| (Value::string(key.as_str()), v)).collect())
            }),
        ]
    })
}

/// The same value with a schema: maps become structs, lists keep what is like their first.
fn structured(value: &Value, optional: bool) -> Datum {
    let kind = match value {
        Value::Map(map) => {
            let fields: Vec<(String, Datum)> = map
                .iter()
                .map(|(key, value)| {
                    let name = key.as_str().expect("text").to_owned();
                    (name, structured(value, !optional))
                })
                .collect();
            let schemas = fields.iter().map(|(name, datum)| {
                Field::new(name.as_str(), datum.schema.clone().expect("made above"))
            });
            let mut schema = Schema::structure(schemas.collect());
            schema.optional = optional;
            let schema = Arc::new(schema);
            let mut out = Struct::new(Arc::clone(&schema));
            for (index, (_, datum)) in fields.into_iter().enumerate() {
                out.set_at(index, datum.value);
            }
            return Datum::with_schema(schema, Value::Struct(Box::new(out)));
        }
        Value::Array(values) => {
            let first = values.first().map(|first| structured(first, true));
            let element: SchemaRef = match &first {
                Some(datum) => datum.schema.clone().expect("made above"),
                None => Arc::new(Schema::optional(Kind::Int64)),
            };
            let schema = Arc::new(Schema { optional, ..Schema::new(Kind::Array(element)) });
            let values = first.into_iter().map(|datum| datum.value).collect();
            return Datum::with_schema(schema, Value::Array(values));
        }
        Value::Boolean(_) => Kind::Boolean,
        Value::Int64(_) => Kind::Int64,
        Value::Bytes(_) => Kind::Bytes,
        _ => Kind::String,
    };
    let optional = optional || value.is_null();
    Datum::with_schema(Arc::new(Schema { optional, ..Schema::new(kind) }), value.clone())
}

fn selection() -> impl Strategy<Value = String> {
    let column = prop_oneof![
        prop::sample::select(vec![
            "*",
            "a.*",
            "b.c.*",
            "_key",
            "_key.*",
            "_key.a",
            "_key.a.b",
            "_value",
            "_header.h",
            "_header.none",
            "_topic",
            "_offset",
            "_partition",
            "_timestamp",
            "a AS a_1",
        ])
        .prop_map(str::to_owned),
        "[a-d](\\.[a-d]){0,3}( AS [a-d])?",
    ];
    let columns = prop::collection::vec(column, 1..5).prop_map(|columns| columns.join(", "));
    let ignored = prop::option::of(prop::collection::vec("[a-d](\\.[a-d]){0,3}", 1..3));
    (columns, ignored).prop_map(|(columns, ignored)| {
        let ignored = ignored.map(|paths| format!(" IGNORE {}", paths.join(", ")));
        format!("INSERT INTO t SELECT {columns} FROM f{}", ignored.unwrap_or_default())
    })
}

fn record(key: Datum, value: Datum, header: Datum) -> ConnectRecord {
    ConnectRecord {
        kafka_topic: Arc::from("t"),
        partition: Some(0),
        key,
        value,
        timestamp: None,
        headers: vec![Header { name: Arc::from("h"), datum: header }],
        offset: Some(1),
    }
}

proptest! {
    #[test]
    fn a_projection_is_a_value_of_its_schema_or_an_error(
        text in selection(),
        value in value(),
        key in value(),
        header in value(),
        with_schema in any::<(bool, bool, bool)>(),
    ) {
        let datum = |value: &Value, structure: bool| match structure {
            true => structured(value, false),
            false => Datum::schemaless(value.clone()),
        };
        let record = record(
            datum(&key, with_schema.0), datum(&value, with_schema.1), datum(&header, with_schema.2),
        );
        let selection = &Kcql::parse(&text).expect("right").statements[0].selection;
        for missing in [Missing::LeftOut, Missing::Refused] {
            let mut projection = Projection::new(selection, missing);
            let first = projection.apply(&record, "t");
            prop_assert_eq!(&first, &projection.apply(&record, "t"), "{}", text);
            let fields = projection.fields(&record, "t");
            for made in [first, fields].into_iter().flatten() {
                if let Some(schema) = &made.schema {
                    let judged = validate(None, schema, &made.value);
                    prop_assert!(judged.is_ok(), "{}: {:?} {:#?}", text, judged, made);
                }
            }
        }
    }
}
