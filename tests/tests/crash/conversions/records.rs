//! What the records are, on both sides of each connector.
//!
//! Invariant: everything follows from a record's number, so that what arrives can be held against
//! it. Avro is written here by hand: nothing of the converter under test has a part in it.

use serde_json::{Value, json};

use super::ends::PUBLISHERS;

/// The topic of a publisher.
pub(super) fn mqtt_topic(publisher: u64) -> String {
    format!("up/{publisher}")
}

/// What is published under a number.
pub(super) fn payload(number: u64) -> String {
    let (value, row) = (value(number), number % 7);
    format!(r#"{{"id":{number},"value":{value:?},"unit":"°C","place":{{"row":{row}}}}}"#)
}

/// The record that a message has to become.
pub(super) fn enveloped(number: u64) -> Value {
    let name = mqtt_topic(number % PUBLISHERS).replace('/', "_");
    let field = |name: &str, kind: &str| json!({ "type": kind, "optional": true, "field": name });
    let place = json!({
        "type": "struct",
        "optional": false,
        "name": "place",
        "field": "place",
        "fields": [field("row", "int64")],
    });
    let fields =
        json!([field("id", "int64"), field("value", "double"), field("unit", "string"), place]);
    let schema = json!({ "type": "struct", "optional": false, "name": name, "fields": fields });
    let payload: Value = payload(number).parse().expect("JSON");
    json!({ "schema": schema, "payload": payload })
}

/// The schema of a version, each of which has a field more than the one before.
pub(super) fn schema(version: u64) -> String {
    let reading = json!({
        "type": "record",
        "name": "Reading",
        "fields": [{ "name": "value", "type": "double" }, { "name": "unit", "type": "string" }],
    });
    let mut fields = vec![
        json!({ "name": "id", "type": "long" }),
        json!({ "name": "reading", "type": reading }),
        json!({ "name": "label", "type": ["null", "string"], "default": null }),
    ];
    fields.extend(
        (0..version).map(
            |version| json!({ "name": format!("more{version}"), "type": "long", "default": 0 }),
        ),
    );
    json!({ "type": "record", "name": "Measured", "namespace": "plant", "fields": fields })
        .to_string()
}

/// A record's value in the wire format, by a schema's version and its id in the registry.
pub(super) fn avro(number: u64, version: u64, schema_id: u32) -> Vec<u8> {
    let mut out = vec![0];
    out.extend_from_slice(&schema_id.to_be_bytes());
    long(&mut out, number);
    out.extend_from_slice(&value(number).to_le_bytes());
    text(&mut out, "°C");
    match label(number) {
        None => long(&mut out, 0),
        Some(label) => {
            long(&mut out, 1);
            text(&mut out, &label);
        }
    }
    (0..version).for_each(|version| long(&mut out, number + version));
    out
}

/// What a record becomes of the sink's columns, but for its place.
pub(super) fn projected(number: u64) -> Value {
    json!({ "id": number, "value": value(number), "unit": "°C", "label": label(number) })
}

fn value(number: u64) -> f64 {
    f64::from(u32::try_from(number).expect("a small number")) / 4.0
}

fn label(number: u64) -> Option<String> {
    (!number.is_multiple_of(3)).then(|| format!("record {number}"))
}

/// A positive number as Avro writes it: zigzag, seven bits a byte.
fn long(out: &mut Vec<u8>, number: u64) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

fn text(out: &mut Vec<u8>, text: &str) {
    long(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
