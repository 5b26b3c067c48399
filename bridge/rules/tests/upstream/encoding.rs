//! Schemas, values and records as the lines of JSON that both sides understand.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_rules::connect::{
    ConnectRecord, Datum, Decimal, Field, Header, Kind, Schema, SchemaRef, Struct, Value,
};
use serde_json::{Value as Json, json};

pub(crate) fn schema(schema: Option<&Schema>) -> Json {
    let Some(schema) = schema else { return Json::Null };
    let mut json = json!({
        "type": schema.type_of().java_name(),
        "optional": schema.optional,
        "name": schema.name.as_deref(),
        "version": schema.version,
        "doc": schema.doc.as_deref(),
        "parameters": schema.parameters.iter().map(|(k, v)| json!([**k, **v])).collect::<Vec<_>>(),
        "default": schema.default.as_ref().map_or(Json::Null, value),
    });
    match &schema.kind {
        Kind::Array(element) => json["values"] = self::schema(Some(element)),
        Kind::Map(keys, values) => {
            json["keys"] = self::schema(Some(keys));
            json["values"] = self::schema(Some(values));
        }
        Kind::Struct(fields) => {
            let fields = fields.iter();
            json["fields"] = fields
                .map(|field| json!([*field.name, self::schema(Some(&field.schema))]))
                .collect();
        }
        _ => {}
    }
    json
}

pub(crate) fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => json!(["b", truth]),
        Value::Int8(number) => json!(["i8", number]),
        Value::Int16(number) => json!(["i16", number]),
        Value::Int32(number) => json!(["i32", number]),
        Value::Int64(number) => json!(["i64", number]),
        Value::Float32(number) => json!(["f32", number.to_bits() as i32]),
        Value::Float64(number) => json!(["f64", (number.to_bits() as i64).to_string()]),
        Value::String(text) => json!(["s", **text]),
        Value::Bytes(bytes) => json!(["y", STANDARD.encode(bytes)]),
        Value::Decimal(decimal) => json!(["dec", decimal.unscaled.to_string(), decimal.scale]),
        Value::Timestamp(millis) => json!(["ts", millis]),
        Value::Array(values) => json!(["a", values.iter().map(self::value).collect::<Vec<_>>()]),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, one)| json!([self::value(key), self::value(one)]));
            json!(["m", entries.collect::<Vec<_>>()])
        }
        Value::Struct(structure) => {
            let values: Vec<Json> = structure.values().iter().map(self::value).collect();
            json!(["st", schema(Some(structure.schema())), values])
        }
    }
}

pub(crate) fn datum(datum: &Datum) -> Json {
    json!([schema(datum.schema.as_deref()), value(&datum.value)])
}

pub(crate) fn record(record: &ConnectRecord) -> Json {
    let headers = record.headers.iter().map(|header| {
        json!([*header.name, schema(header.datum.schema.as_deref()), value(&header.datum.value)])
    });
    json!({
        "topic": *record.kafka_topic,
        "partition": record.partition,
        "timestamp": record.timestamp,
        "offset": record.offset,
        "key": datum(&record.key),
        "value": datum(&record.value),
        "headers": headers.collect::<Vec<_>>(),
    })
}

fn text(json: &Json) -> Arc<str> {
    Arc::from(json.as_str().expect("a string"))
}

fn list(json: &Json) -> &Vec<Json> {
    json.as_array().expect("an array")
}

pub(crate) fn read_schema(json: &Json) -> Option<SchemaRef> {
    if json.is_null() {
        return None;
    }
    let part = |name: &str| read_schema(&json[name]).expect("a schema");
    let kind = match json["type"].as_str().expect("a type") {
        "INT8" => Kind::Int8,
        "INT16" => Kind::Int16,
        "INT32" => Kind::Int32,
        "INT64" => Kind::Int64,
        "FLOAT32" => Kind::Float32,
        "FLOAT64" => Kind::Float64,
        "BOOLEAN" => Kind::Boolean,
        "STRING" => Kind::String,
        "BYTES" => Kind::Bytes,
        // Without elements upstream leaves their schema out; ours cannot.
        "ARRAY" if json["values"].is_null() => Kind::Array(unknown()),
        "ARRAY" => Kind::Array(part("values")),
        "MAP" => Kind::Map(
            read_schema(&json["keys"]).unwrap_or_else(unknown),
            read_schema(&json["values"]).unwrap_or_else(unknown),
        ),
        "STRUCT" => {
            let fields = list(&json["fields"]).iter();
            let field = |field: &Json| {
                Field::new(text(&field[0]), read_schema(&field[1]).expect("a schema"))
            };
            Kind::Struct(fields.map(field).collect())
        }
        other => panic!("{other}"),
    };
    let mut schema = Schema::new(kind);
    schema.optional = json["optional"].as_bool().expect("a truth");
    schema.name = json["name"].as_str().map(Arc::from);
    schema.version = json["version"].as_i64().map(|version| version as i32);
    schema.doc = json["doc"].as_str().map(Arc::from);
    let parameters = list(&json["parameters"]).iter();
    schema.parameters = parameters.map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    schema.default = Some(read_value(&json["default"])).filter(|default| !default.is_null());
    Some(schema.into())
}

fn unknown() -> SchemaRef {
    Schema::optional(Kind::String).into()
}

pub(crate) fn read_value(json: &Json) -> Value {
    if json.is_null() {
        return Value::Null;
    }
    let content = &json[1];
    let number = || content.as_i64().expect("a number");
    match json[0].as_str().expect("a kind") {
        "b" => Value::Boolean(content.as_bool().expect("a truth")),
        "i8" => Value::Int8(number() as i8),
        "i16" => Value::Int16(number() as i16),
        "i32" => Value::Int32(number() as i32),
        "i64" => Value::Int64(number()),
        "f32" => Value::Float32(f32::from_bits(number() as u32)),
        "f64" => {
            let bits: i64 = text(content).parse().expect("a number");
            Value::Float64(f64::from_bits(bits as u64))
        }
        "s" => Value::String(text(content)),
        "y" => Value::Bytes(STANDARD.decode(&*text(content)).expect("Base64").into()),
        "dec" => Value::Decimal(Decimal {
            unscaled: text(content).parse().expect("a number"),
            scale: json[2].as_i64().expect("a number") as i32,
        }),
        "ts" => Value::Timestamp(number()),
        "a" => Value::Array(list(content).iter().map(read_value).collect()),
        "m" => {
            let entries = list(content).iter();
            Value::Map(
                entries.map(|entry| (read_value(&entry[0]), read_value(&entry[1]))).collect(),
            )
        }
        "st" => {
            let mut structure = Struct::new(read_schema(content).expect("a schema"));
            for (index, one) in list(&json[2]).iter().enumerate() {
                structure.set_at(index, read_value(one));
            }
            Value::Struct(Box::new(structure))
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn read_datum(json: &Json) -> Datum {
    Datum { schema: read_schema(&json[0]), value: read_value(&json[1]) }
}

pub(crate) fn read_record(json: &Json) -> ConnectRecord {
    let header = |header: &Json| Header {
        name: text(&header[0]),
        datum: Datum { schema: read_schema(&header[1]), value: read_value(&header[2]) },
    };
    ConnectRecord {
        kafka_topic: text(&json["topic"]),
        partition: json["partition"].as_i64().map(|partition| partition as i32),
        key: read_datum(&json["key"]),
        value: read_datum(&json["value"]),
        timestamp: json["timestamp"].as_i64(),
        headers: list(&json["headers"]).iter().map(header).collect(),
        offset: json["offset"].as_i64(),
    }
}
