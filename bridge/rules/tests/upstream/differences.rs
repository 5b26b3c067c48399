//! The differences that are intended, as `docs/transforms.md` lists them.

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_rules::connect::{ConnectRecord, Datum, Field, Kind, Map, Schema, Struct, Value};
use serde_json::Value as Json;

use super::case::{Case, Good, Outcome};
use super::configs::Options;
use super::encoding;

/// What both sides said of a case.
pub(crate) struct Seen<'a> {
    pub(crate) case: &'a Case,
    pub(crate) ours: &'a Outcome,
    pub(crate) theirs: &'a Outcome,
}

/// An intended difference.
pub(crate) struct Difference {
    pub(crate) id: &'static str,
    /// Whether what was seen is this difference.
    pub(crate) applies: fn(&Seen<'_>) -> bool,
    /// A case in which it shows.
    pub(crate) example: fn() -> Case,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        id: "java-exceptions",
        applies: |seen| match (seen.ours, seen.theirs) {
            (
                Outcome::Failed { .. } | Outcome::Invalid(_),
                Outcome::Failed { exception, message },
            ) => {
                let said = exception.ends_with("IllegalArgumentException")
                    && !message.starts_with("fromIndex");
                exception.starts_with("java.") && !said
            }
            _ => false,
        },
        example: || {
            let record = with_struct(&[("a", Kind::String, Value::string("x"))]);
            transform(
                "HeaderFrom$Value",
                &[("fields", "b"), ("headers", "b"), ("operation", "copy")],
                record,
            )
        },
    },
    Difference {
        id: "regex-words",
        applies: |seen| match (seen.ours, seen.theirs) {
            (Outcome::Invalid(ours), Outcome::Invalid(theirs)) => {
                let told =
                    |messages: &[String]| messages.iter().any(|m| m.contains("Invalid regex"));
                ours.len() == theirs.len() && told(ours) && told(theirs)
            }
            _ => false,
        },
        example: || transform("RegexRouter", &[("regex", "("), ("replacement", "")], plain()),
    },
    Difference {
        id: "checked-early",
        applies: |seen| {
            let Case::Transform { class, .. } = seen.case else { return false };
            matches!(class.as_str(), "RegexRouter" | "TimestampRouter")
                && matches!(seen.ours, Outcome::Invalid(messages) if messages.len() == 1
                    && (messages[0].contains("configuration replacement: ")
                        || messages[0].contains("configuration timestamp.format: ")))
                && !matches!(seen.theirs, Outcome::Invalid(_))
        },
        example: || transform("RegexRouter", &[("regex", "x"), ("replacement", "$1")], plain()),
    },
    Difference {
        id: "shortest-digits",
        applies: |seen| same_but(seen, same_number),
        example: || {
            let mut record = plain();
            record.value = Datum::schemaless(Value::Float64(2e23));
            transform("Cast$Value", &[("spec", "string")], record)
        },
    },
    Difference {
        id: "any-schema-has-metadata",
        applies: |seen| {
            let Case::Transform { class, .. } = seen.case else { return false };
            class.starts_with("SetSchemaMetadata")
                && matches!(seen.ours, Outcome::Good(_))
                && matches!(seen.theirs, Outcome::Failed { message, .. }
                    if message == "Cannot list fields on non-struct type")
        },
        example: || {
            let mut record = plain();
            record.value = Datum::with_schema(Schema::new(Kind::Int8).into(), Value::Int8(1));
            transform("SetSchemaMetadata$Value", &[("schema.name", "x")], record)
        },
    },
    Difference {
        id: "zone-names",
        applies: |seen| {
            let Case::Transform { class, options, .. } = seen.case else { return false };
            class.starts_with("TimestampConverter")
                && options.iter().any(|(name, value)| *name == "format" && has_zone(value))
                && matches!(seen.ours, Outcome::Failed { message, .. }
                    if message.starts_with("Could not parse timestamp"))
                && matches!(seen.theirs, Outcome::Good(_))
        },
        example: || {
            let mut record = plain();
            record.value = Datum::schemaless(Value::string("12:00 PST"));
            transform(
                "TimestampConverter$Value",
                &[("format", "HH:mm z"), ("target.type", "unix")],
                record,
            )
        },
    },
    Difference {
        id: "ascii-numbers",
        applies: |seen| {
            matches!(seen.case, Case::Transform { class, .. } if class.starts_with("Cast"))
                && matches!(seen.ours, Outcome::Failed { message, .. }
                    if message.ends_with("was out of range for requested data type"))
                && matches!(seen.theirs, Outcome::Good(_))
        },
        example: || {
            let mut record = plain();
            record.value = Datum::schemaless(Value::string("0x1p3"));
            transform("Cast$Value", &[("spec", "float64")], record)
        },
    },
    Difference {
        id: "words-of-our-own",
        applies: |seen| match (seen.ours, seen.theirs) {
            (Outcome::Failed { message: ours, .. }, Outcome::Failed { message: theirs, .. }) => {
                let both = |start: &str| ours.starts_with(start) && theirs.starts_with(start);
                both("Timestamp missing on record: ")
            }
            (Outcome::Invalid(ours), Outcome::Invalid(theirs)) => {
                let words = "No value specified for static field: ";
                let pairs = ours.iter().zip(theirs);
                let mut pairs = pairs.filter(|(ours, theirs)| ours != theirs);
                // An exception in the place of a value, and the message in that of a name.
                ours.len() == theirs.len()
                    && pairs.all(|(ours, theirs)| {
                        ours.contains(words) && theirs.contains(words)
                            || theirs
                                .starts_with("Invalid value java.lang.IllegalArgumentException")
                                && theirs.ends_with(&format!(" for configuration {ours}"))
                    })
            }
            _ => false,
        },
        example: || transform("TimestampRouter", &[], plain()),
    },
    Difference {
        id: "first-of-several",
        applies: |seen| {
            let Case::Transform { class, options, .. } = seen.case else { return false };
            let several = options.iter().any(|(_, value)| value.contains(','));
            let nested = class.starts_with("Flatten");
            (nested || several && (class.starts_with("Cast") || class.starts_with("MaskField")))
                && matches!((seen.ours, seen.theirs),
                    (Outcome::Failed { exception: ours, .. }, Outcome::Failed { exception: theirs, .. })
                        if ours == theirs)
        },
        example: || {
            // The hash of the second comes first.
            let record = with_map(&[("b", Value::string("x")), ("q", Value::string("y"))]);
            transform("Cast$Value", &[("spec", "b:int8,q:int8")], record)
        },
    },
    Difference {
        id: "unknown-options",
        applies: |seen| {
            matches!(seen.ours, Outcome::Invalid(messages)
                if messages.iter().all(|message| message.starts_with("Unknown configuration ")))
                && !matches!(seen.theirs, Outcome::Invalid(_))
        },
        example: || transform("Flatten$Value", &[("delimeter", "_")], with_map(&[])),
    },
    Difference {
        id: "older-names",
        applies: |seen| {
            let Case::Transform { options, .. } = seen.case else { return false };
            options.iter().any(|(name, _)| matches!(*name, "blacklist" | "whitelist"))
        },
        example: || {
            transform("ReplaceField$Value", &[("blacklist", "a")], with_map(&[("a", Value::Null)]))
        },
    },
    Difference {
        id: "deep-literals",
        applies: |seen| {
            matches!(seen.case, Case::Transform { class, options, .. }
                if class == "InsertHeader"
                    && options.iter().any(|(_, value)| value.starts_with(&"[".repeat(33))))
        },
        example: || {
            let literal = format!("{}1{}", "[".repeat(34), "]".repeat(34));
            transform("InsertHeader", &[("header", "h"), ("value.literal", &literal)], plain())
        },
    },
    Difference {
        id: "bytes-in-defaults",
        applies: |seen| {
            matches!(seen.case, Case::Transform { .. })
                && seen.ours != seen.theirs
                && matches!(seen.theirs, Outcome::Failed { message, .. }
                    if message == "Struct schemas do not match.")
        },
        example: || {
            let bytes = Arc::new(Schema::new(Kind::Bytes));
            let value = Value::Array(vec![Value::Bytes(vec![1].into())]);
            let mut list = Schema::new(Kind::Array(bytes));
            list.default = Some(value.clone());
            let schema = Arc::new(Schema::structure(vec![Field::new("a", list)]));
            let mut structure = Struct::new(Arc::clone(&schema));
            structure.put("a", value).expect("a value of its schema");
            let value = Datum::with_schema(schema, Value::Struct(Box::new(structure)));
            transform("HoistField$Value", &[("field", "x")], ConnectRecord { value, ..plain() })
        },
    },
    Difference {
        id: "json-struct-defaults",
        applies: |seen| {
            is_json(seen.case)
                && only_theirs_fails(
                    seen,
                    &[
                        "Mismatching schema.",
                        "Invalid default value",
                        "Struct schemas do not match.",
                    ],
                )
        },
        example: || {
            let field = r#"{"type":"struct","fields":[{"type":"int8","field":"b"}],"field":"a"}"#;
            let field = field.replace("}]", "}],\"default\":{\"b\":1}");
            let text = format!(
                r#"{{"schema":{{"type":"struct","fields":[{field}]}},"payload":{{"a":{{"b":2}}}}}}"#
            );
            from_json("true", &text)
        },
    },
    Difference {
        id: "json-negative-zero",
        applies: |seen| {
            is_json(seen.case)
                && same_but(seen, |ours, theirs| {
                    negative_zero(ours, theirs) || special_float(ours, theirs)
                })
        },
        example: || from_json("false", "-0.0"),
    },
    Difference {
        id: "json-whole-text",
        applies: |seen| is_json(seen.case) && only_ours_fails(seen, &["expected the end"]),
        example: || from_json("false", "1 2"),
    },
    Difference {
        id: "json-decimals-without-schema",
        applies: |seen| {
            is_json(seen.case)
                && only_theirs_fails(seen, &["Java class class java.math.BigDecimal"])
        },
        example: || {
            let decimal = Value::Decimal(
                "1".parse()
                    .map(|unscaled| midge_rules::connect::Decimal { unscaled, scale: 0 })
                    .expect("a number"),
            );
            let options = options(&[("schemas.enable", "false")]);
            Case::ToJson { options, datum: Datum::schemaless(decimal) }
        },
    },
    Difference {
        id: "json-strict-types",
        applies: |seen| {
            is_json(seen.case)
                && only_ours_fails(
                    seen,
                    &["Invalid type for", "Invalid number", "Invalid null value"],
                )
        },
        example: || from_json("true", r#"{"schema":{"type":"int8"},"payload":"x"}"#),
    },
    Difference {
        id: "json-special-floats",
        applies: |seen| is_json(seen.case) && same_but(seen, special_float),
        example: || from_json("true", r#"{"schema":{"type":"float"},"payload":"NaN"}"#),
    },
];

/// Whether two good outcomes are the same but for strings that are alike in this sense.
fn same_but(seen: &Seen<'_>, alike: fn(&str, &str) -> bool) -> bool {
    match (seen.ours, seen.theirs) {
        (Outcome::Good(Good::Record(Some(ours))), Outcome::Good(Good::Record(Some(theirs)))) => {
            is_alike(&encoding::record(ours), &encoding::record(theirs), alike)
        }
        (Outcome::Good(Good::Text(Some(ours))), Outcome::Good(Good::Text(Some(theirs)))) => {
            let read = |text: &str| serde_json::from_str::<Json>(text).expect("JSON");
            is_alike(&read(ours), &read(theirs), alike)
        }
        (Outcome::Good(Good::Datum(ours)), Outcome::Good(Good::Datum(theirs))) => {
            is_alike(&encoding::datum(ours), &encoding::datum(theirs), alike)
        }
        _ => false,
    }
}

fn is_alike(ours: &Json, theirs: &Json, alike: fn(&str, &str) -> bool) -> bool {
    match (ours, theirs) {
        (Json::String(ours), Json::String(theirs)) => ours == theirs || alike(ours, theirs),
        (Json::Number(ours), Json::Number(theirs)) => {
            ours == theirs || alike(&ours.to_string(), &theirs.to_string())
        }
        (Json::Array(ours), Json::Array(theirs)) if is_map(ours) && is_map(theirs) => {
            // The order of a map's entries is nobody's.
            let by_key = |pairs: &[Json]| -> BTreeMap<String, Json> {
                let pairs = pairs[1].as_array().expect("entries").iter();
                pairs.map(|pair| (pair[0].to_string(), pair[1].clone())).collect()
            };
            let (ours, theirs) = (by_key(ours), by_key(theirs));
            ours.keys().eq(theirs.keys())
                && ours.iter().all(|(key, one)| is_alike(one, &theirs[key], alike))
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(one, other)| is_alike(one, other, alike))
        }
        (Json::Object(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, one)| is_alike(one, &theirs[key], alike))
        }
        _ => ours == theirs,
    }
}

fn is_map(array: &[Json]) -> bool {
    array.len() == 2 && array[0] == "m"
}

/// Whether two texts are the same number of either width.
fn same_number(ours: &str, theirs: &str) -> bool {
    let (double, single) = (ours.parse::<f64>().ok(), ours.parse::<f32>().ok());
    double.is_some() && double == theirs.parse().ok()
        || single.is_some() && single == theirs.parse().ok()
}

/// Whether two bit patterns are zeros, ours the negative one.
fn negative_zero(ours: &str, theirs: &str) -> bool {
    theirs == "0" && (ours == i64::MIN.to_string() || ours == i32::MIN.to_string())
}

/// Whether ours is infinite or no number, and theirs zero.
fn special_float(ours: &str, theirs: &str) -> bool {
    let special = |bits: i64| {
        !f64::from_bits(bits as u64).is_finite() || !f32::from_bits(bits as u32).is_finite()
    };
    theirs == "0" && ours.parse().is_ok_and(special)
}

/// Whether our side is content and theirs fails with one of these messages.
fn only_theirs_fails(seen: &Seen<'_>, messages: &[&str]) -> bool {
    matches!(seen.ours, Outcome::Good(_))
        && matches!(seen.theirs, Outcome::Failed { message, .. }
            if messages.iter().any(|expected| message.starts_with(expected)))
}

/// Whether their side is content and ours fails with one of these messages.
fn only_ours_fails(seen: &Seen<'_>, messages: &[&str]) -> bool {
    matches!(seen.theirs, Outcome::Good(_))
        && matches!(seen.ours, Outcome::Failed { message, .. }
            if messages.iter().any(|expected| message.contains(expected)))
}

fn is_json(case: &Case) -> bool {
    matches!(case, Case::ToJson { .. } | Case::FromJson { .. })
}

fn from_json(schemas: &str, text: &str) -> Case {
    Case::FromJson { options: options(&[("schemas.enable", schemas)]), bytes: text.into() }
}

/// Whether a pattern has the name of a zone.
fn has_zone(pattern: &str) -> bool {
    pattern.contains(['z', 'Z'])
}

fn options(pairs: &[(&'static str, &str)]) -> Options {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn transform(class: &str, pairs: &[(&'static str, &str)], record: ConnectRecord) -> Case {
    Case::Transform {
        class: class.to_owned(),
        options: options(pairs),
        predicate: None,
        negated: false,
        record: Box::new(record),
    }
}

fn plain() -> ConnectRecord {
    ConnectRecord { kafka_topic: Arc::from("t"), ..ConnectRecord::default() }
}

fn with_map(entries: &[(&str, Value)]) -> ConnectRecord {
    let entries = entries.iter().map(|(name, value)| (Value::string(*name), value.clone()));
    let map = Value::Map(Map::from_iter(entries));
    ConnectRecord { value: Datum::schemaless(map), ..plain() }
}

fn with_struct(fields: &[(&str, Kind, Value)]) -> ConnectRecord {
    let schemas = fields.iter().map(|(name, kind, _)| Field::new(*name, Schema::new(kind.clone())));
    let schema = Arc::new(Schema::structure(schemas.collect()));
    let mut structure = Struct::new(Arc::clone(&schema));
    for (name, _, value) in fields {
        structure.put(name, value.clone()).expect("a value of its schema");
    }
    let value = Datum::with_schema(schema, Value::Struct(Box::new(structure)));
    ConnectRecord { value, ..plain() }
}
