//! Random schemas, values of them, values without, and records.

use std::sync::Arc;

use midge_rules::connect::{
    ConnectRecord, Datum, Decimal, Field, Header, Kind, LogicalType, Map, Schema, SchemaRef,
    Struct, Value,
};
use midge_rules::java::DateFormat;

use super::random::Random;

const DAY_MS: i64 = 86_400_000;
/// Few names, so that options name fields that are there.
pub(crate) const NAMES: &[&str] = &["a", "b", "c", "ts", "id", "n.x", "größe"];
pub(crate) const TOPICS: &[&str] = &["t", "sensors.hot", "sensors-2024", "a_b", "x.y.z", "ab"];
pub(crate) const PATTERNS: &[&str] = &[
    "yyyy-MM-dd",
    "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
    "yyyyMMdd",
    "yyyyMMddHHmmssSSS",
    "dd/MM/yy",
    "d MMM yyyy h:mm a",
    "EEE, d MMMM yyyy HH:mm:ss Z",
    "YYYY-'W'ww-u",
    "yyyy-DDD",
    "G yyyy MM W F",
    "yyyy.MM.dd kk:mm:ss XXX",
    "HH:mm:ss z",
    "K 'o''clock' a",
    "MMyyyy",
    "LLL yyyy",
    "S",
];
const TEXTS: &[&str] = &[
    "",
    "a",
    "42",
    "-7",
    "+5",
    "300",
    "70000",
    "5000000000",
    "99999999999999999999",
    "1.5",
    " 8 ",
    "5f",
    "1e10",
    "1e400",
    "NaN",
    "-Infinity",
    ".5",
    "true",
    "TRUE",
    "null",
    "2020-01-02",
    "2020-01-02T03:04:05.678Z",
    "12:34:56.789Z",
    "20240229",
    "größe €",
    "x y",
    "\"q\\",
    "[1,2]",
    "{\"a\":1}",
];

pub(crate) fn text(random: &mut Random) -> String {
    match random.below(10) {
        0 => random.next().to_string(),
        1 | 2 => {
            let pattern = random.pick(PATTERNS);
            let written = DateFormat::new(pattern, super::NOW).unwrap().write(moment(random));
            if random.percent(30) { damaged(random, &written) } else { written }
        }
        _ => random.pick(TEXTS).to_owned(),
    }
}

fn damaged(random: &mut Random, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len().max(1));
    match random.below(4) {
        0 => characters.truncate(at),
        1 => characters.insert(at, ' '),
        2 if !characters.is_empty() => characters[at] = *random.pick(&[&'9', &'-', &'E', &'x']),
        _ => characters.insert(at, '1'),
    }
    characters.into_iter().collect()
}

pub(crate) fn moment(random: &mut Random) -> i64 {
    match random.below(8) {
        0 => 0,
        1 => (random.below(40_000) as i64 - 10_000) * DAY_MS,
        2 => random.below(DAY_MS as usize) as i64,
        // Around the beginning of the Gregorian calendar, and before Christ.
        3 => -12_219_292_800_000 + random.below(2_000) as i64 * DAY_MS - 1_000 * DAY_MS,
        4 => -70_000_000_000_000 + (random.next() % 10_000_000_000_000) as i64,
        _ => (random.next() % 4_000_000_000_000) as i64 - 500_000_000_000,
    }
}

fn double(random: &mut Random) -> f64 {
    let known =
        [0.0, -0.0, 1.5, 1e7, 123_456.789, 1e-5, 2e23, 1e300, -3e9, f64::NAN, f64::INFINITY];
    match random.below(3) {
        0 => known[random.below(known.len())],
        1 => f64::from_bits(random.next()),
        _ => (random.next() as i64 >> random.below(60)) as f64 / 1000.0,
    }
}

fn long(random: &mut Random) -> i64 {
    random.next() as i64 >> random.below(64)
}

fn decimal(random: &mut Random, scale: i32) -> Value {
    Value::Decimal(Decimal { unscaled: long(random).into(), scale })
}

fn bytes(random: &mut Random) -> Value {
    let length = random.below(5);
    Value::Bytes((0..length).map(|_| random.next() as u8).collect())
}

/// A value without schema; moments and decimals only where `odd` allows them.
pub(crate) fn schemaless(random: &mut Random, depth: usize, odd: bool) -> Value {
    match random.below(if depth == 0 { 11 } else { 14 }) {
        0 => Value::Null,
        1 => Value::Boolean(random.percent(50)),
        2 => Value::Int8(long(random) as i8),
        3 => Value::Int16(long(random) as i16),
        4 => Value::Int32(long(random) as i32),
        5 => Value::Int64(long(random)),
        6 => Value::Float32(double(random) as f32),
        7 => Value::Float64(double(random)),
        8 => bytes(random),
        9 if odd => Value::Timestamp(moment(random)),
        9 | 10 => Value::string(text(random)),
        11 => {
            let length = random.below(4);
            Value::Array((0..length).map(|_| schemaless(random, depth - 1, odd)).collect())
        }
        _ => map(random, depth - 1, odd),
    }
}

pub(crate) fn map(random: &mut Random, depth: usize, odd: bool) -> Value {
    let mut map = Map::new();
    for _ in 0..random.below(6) {
        let key = Value::string(random.pick(NAMES));
        let value = if odd && random.percent(3) {
            decimal(random, 2)
        } else {
            schemaless(random, depth, odd)
        };
        map.insert(key, value);
    }
    Value::Map(map)
}

pub(crate) fn schema(random: &mut Random, depth: usize) -> Schema {
    let mut schema = match random.below(if depth == 0 { 13 } else { 17 }) {
        0 => Schema::new(Kind::Boolean),
        1 => Schema::new(Kind::Int8),
        2 => Schema::new(Kind::Int16),
        3 => Schema::new(Kind::Int32),
        4 => Schema::new(Kind::Int64),
        5 => Schema::new(Kind::Float32),
        6 => Schema::new(Kind::Float64),
        7 | 8 => Schema::new(Kind::String),
        9 => Schema::new(Kind::Bytes),
        10 => Schema::logical(LogicalType::Decimal, Some(random.below(4) as i32)),
        11 => Schema::logical(LogicalType::Timestamp, None),
        12 if random.percent(50) => Schema::logical(LogicalType::Date, None),
        12 => Schema::logical(LogicalType::Time, None),
        13 => Schema::new(Kind::Array(Arc::new(self::schema(random, depth - 1)))),
        14 => {
            let keys = if random.percent(70) { Kind::String } else { Kind::Int32 };
            let values = self::schema(random, depth - 1);
            Schema::new(Kind::Map(Arc::new(Schema::new(keys)), Arc::new(values)))
        }
        _ => structure(random, depth - 1),
    };
    schema.optional = random.percent(40);
    if schema.name.is_none() && random.percent(15) {
        schema.name = Some(Arc::from("com.example.Thing"));
        schema.version = Some(random.below(5) as i32);
    }
    if random.percent(10) {
        schema.doc = Some(Arc::from("what it is"));
        schema.parameters.push((Arc::from("unit"), Arc::from("°C")));
    }
    if random.percent(25) {
        let default = value_of(random, &Arc::new(schema.clone()), false);
        schema.default = Some(default).filter(|default| !default.is_null());
    }
    schema
}

pub(crate) fn structure(random: &mut Random, depth: usize) -> Schema {
    let mut fields: Vec<Field> = Vec::new();
    for _ in 0..random.below(6) {
        let name = random.pick(NAMES);
        if fields.iter().all(|field| *field.name != *name) {
            fields.push(Field::new(name, schema(random, depth)));
        }
    }
    Schema::structure(fields)
}

/// A value of a schema; null only where `nulls` allows it, and where the schema does.
pub(crate) fn value_of(random: &mut Random, schema: &SchemaRef, nulls: bool) -> Value {
    if schema.optional && nulls && random.percent(25) {
        return Value::Null;
    }
    match (&schema.kind, schema.logical_type()) {
        (_, Some(LogicalType::Decimal)) => {
            let scale = schema.parameter("scale").expect("a scale").parse().expect("a number");
            decimal(random, scale)
        }
        (_, Some(LogicalType::Date)) => {
            Value::Timestamp(moment(random).div_euclid(DAY_MS) * DAY_MS)
        }
        (_, Some(LogicalType::Time)) => Value::Timestamp(moment(random).rem_euclid(DAY_MS)),
        (_, Some(LogicalType::Timestamp)) => Value::Timestamp(moment(random)),
        (Kind::Boolean, _) => Value::Boolean(random.percent(50)),
        (Kind::Int8, _) => Value::Int8(long(random) as i8),
        (Kind::Int16, _) => Value::Int16(long(random) as i16),
        (Kind::Int32, _) => Value::Int32(long(random) as i32),
        (Kind::Int64, _) => Value::Int64(long(random)),
        (Kind::Float32, _) => Value::Float32(double(random) as f32),
        (Kind::Float64, _) => Value::Float64(double(random)),
        (Kind::String, _) => Value::string(text(random)),
        (Kind::Bytes, _) => bytes(random),
        (Kind::Array(element), _) => {
            let length = random.below(4);
            Value::Array((0..length).map(|_| value_of(random, element, true)).collect())
        }
        (Kind::Map(keys, values), _) => {
            // Maps without string keys are written as arrays, in the order of Java's hashes.
            let length = random.below(if keys.kind == Kind::String { 4 } else { 2 });
            let entry = |_| (value_of(random, keys, false), value_of(random, values, true));
            Value::Map((0..length).map(entry).collect())
        }
        (Kind::Struct(fields), _) => {
            let mut structure = Struct::new(Arc::clone(schema));
            for (index, field) in fields.iter().enumerate() {
                // With a default a field may be left out, though it be required.
                if field.schema.default.is_none() || random.percent(70) {
                    structure.set_at(index, value_of(random, &field.schema, true));
                }
            }
            Value::Struct(Box::new(structure))
        }
    }
}

pub(crate) fn datum(random: &mut Random) -> Datum {
    match random.below(20) {
        0..=8 => {
            let mut schema = structure(random, 2);
            schema.optional = random.percent(30);
            let schema: SchemaRef = schema.into();
            let value = value_of(random, &schema, true);
            Datum::with_schema(schema, value)
        }
        9..=13 => Datum::schemaless(map(random, 2, true)),
        14..=16 => {
            let schema: SchemaRef = schema(random, 1).into();
            let value = value_of(random, &schema, true);
            Datum::with_schema(schema, value)
        }
        17 | 18 => Datum::schemaless(schemaless(random, 1, true)),
        _ => Datum::default(),
    }
}

pub(crate) fn record(random: &mut Random) -> ConnectRecord {
    let sink = random.percent(50);
    let headers = (0..random.below(4)).map(|_| {
        let schema: SchemaRef = schema(random, 0).into();
        let value = value_of(random, &schema, true);
        let name = Arc::from(random.pick(NAMES));
        Header { name, datum: Datum::with_schema(schema, value) }
    });
    let headers = headers.collect();
    ConnectRecord {
        kafka_topic: Arc::from(random.pick(TOPICS)),
        partition: (sink || random.percent(50)).then(|| random.below(8) as i32),
        key: datum(random),
        value: datum(random),
        timestamp: random.percent(85).then(|| moment(random)),
        headers,
        offset: sink.then(|| random.below(1000) as i64),
    }
}
