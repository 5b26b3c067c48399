//! Random schemas with values of them, the logical types and the odd numbers included.

use std::sync::Arc;

use midge_rules::connect::{
    Datum, Decimal, Field, Kind, LogicalType, Map, Schema, SchemaRef, Struct, Value,
};
use proptest::prelude::*;

/// Schemas with a value of each.
pub(crate) fn data() -> impl Strategy<Value = Datum> {
    schemas().prop_flat_map(|schema| {
        values(&schema).prop_map(move |value| Datum::with_schema(Arc::clone(&schema), value))
    })
}

/// Values that have no schema: what JSON has.
pub(crate) fn schemaless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Int64),
        finite().prop_map(Value::Float64),
        any::<String>().prop_map(Value::string),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((any::<String>().prop_map(Value::string), inner), 0..5)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

/// Doubles that are numbers, the whole and the short ones as often as the others.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a number", |value| value.is_finite()),
        any::<i32>().prop_map(f64::from),
        any::<i32>().prop_map(|value| f64::from(value) / 1_000.0),
    ]
}

fn schemas() -> impl Strategy<Value = SchemaRef> {
    let plain = prop_oneof![
        Just(Kind::Int8),
        Just(Kind::Int16),
        Just(Kind::Int32),
        Just(Kind::Int64),
        Just(Kind::Float32),
        Just(Kind::Float64),
        Just(Kind::Boolean),
        Just(Kind::String),
        Just(Kind::Bytes),
    ];
    let plain =
        (plain, prop::option::of("[a-z]{1,8}"), any::<bool>()).prop_map(|(kind, doc, set)| {
            let mut schema = Schema::new(kind);
            schema.doc = doc.as_deref().map(Arc::from);
            if set {
                schema.version = Some(2);
                schema.parameters.push(("unit".into(), "é\"".into()));
            }
            schema
        });
    let logical = prop_oneof![
        (0..9_i32).prop_map(|scale| Schema::logical(LogicalType::Decimal, Some(scale))),
        Just(Schema::logical(LogicalType::Date, None)),
        Just(Schema::logical(LogicalType::Time, None)),
        Just(Schema::logical(LogicalType::Timestamp, None)),
    ];
    let leaf = (prop_oneof![3 => plain, 1 => logical], any::<bool>()).prop_flat_map(
        |(mut schema, optional)| {
            schema.optional = optional;
            let plain = Arc::new(schema.clone());
            let default = prop::option::weighted(0.3, values_of(&plain));
            (Just(schema), default).prop_map(|(mut schema, default)| {
                schema.default = default;
                Arc::new(schema)
            })
        },
    );
    leaf.prop_recursive(3, 24, 4, |inner| {
        let optional = |(kind, optional): (Kind, bool)| {
            let mut schema = Schema::new(kind);
            schema.optional = optional;
            Arc::new(schema)
        };
        let array = inner.clone().prop_map(Kind::Array);
        let map = (inner.clone(), inner.clone()).prop_map(|(keys, values)| Kind::Map(keys, values));
        let text =
            inner.clone().prop_map(|values| Kind::Map(Arc::new(Schema::new(Kind::String)), values));
        let fields = prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,6}", inner, 1..6);
        let structure = fields.prop_map(|fields| {
            let fields = fields.into_iter().map(|(name, schema)| Field::new(name, schema));
            Kind::Struct(fields.collect())
        });
        let kind = prop_oneof![1 => array, 1 => map, 1 => text, 4 => structure];
        (kind, any::<bool>()).prop_map(optional)
    })
}

/// Values of a schema; null as well where it may be, and where that stays null.
fn values(schema: &SchemaRef) -> BoxedStrategy<Value> {
    let value = values_of(schema);
    // A null stands for the default, so it would not come back as null.
    if schema.optional && schema.default.is_none() {
        return prop_oneof![1 => Just(Value::Null), 4 => value].boxed();
    }
    value
}

fn values_of(schema: &SchemaRef) -> BoxedStrategy<Value> {
    const DAY_MS: i64 = 86_400_000;
    if let Some(logical) = schema.logical_type() {
        return match logical {
            LogicalType::Decimal => {
                let scale = schema.parameter("scale").unwrap().parse().unwrap();
                any::<i128>()
                    .prop_map(move |unscaled| {
                        Value::Decimal(Decimal { unscaled: unscaled.into(), scale })
                    })
                    .boxed()
            }
            LogicalType::Date => {
                any::<i32>().prop_map(|days| Value::Timestamp(i64::from(days) * DAY_MS)).boxed()
            }
            LogicalType::Time => (0..DAY_MS).prop_map(Value::Timestamp).boxed(),
            LogicalType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        };
    }
    match &schema.kind {
        Kind::Int8 => any::<i8>().prop_map(Value::Int8).boxed(),
        Kind::Int16 => any::<i16>().prop_map(Value::Int16).boxed(),
        Kind::Int32 => any::<i32>().prop_map(Value::Int32).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::Int64).boxed(),
        Kind::Float32 => {
            let numbers = any::<f32>().prop_filter("a number", |value| value.is_finite());
            numbers.prop_map(Value::Float32).boxed()
        }
        Kind::Float64 => finite().prop_map(Value::Float64).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::String => any::<String>().prop_map(Value::string).boxed(),
        Kind::Bytes => prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| Value::Bytes(bytes.into()))
            .boxed(),
        Kind::Array(element) => {
            prop::collection::vec(values(element), 0..4).prop_map(Value::Array).boxed()
        }
        // One entry: Java's maps have no order.
        Kind::Map(keys, value) => {
            // Maps with keys that are text are JSON's objects, where no name is null.
            let keys = if keys.kind == Kind::String { values_of(keys) } else { values(keys) };
            prop::collection::vec((keys, values(value)), 0..2)
                .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>()))
                .boxed()
        }
        Kind::Struct(fields) => {
            let schema = Arc::clone(schema);
            let fields: Vec<_> = fields.iter().map(|field| values(&field.schema)).collect();
            fields
                .prop_map(move |values| {
                    let mut structure = Struct::new(Arc::clone(&schema));
                    for (index, value) in values.into_iter().enumerate() {
                        structure.set_at(index, value);
                    }
                    Value::Struct(Box::new(structure))
                })
                .boxed()
        }
    }
}
