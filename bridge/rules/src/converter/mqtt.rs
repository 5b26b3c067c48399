//! What a sink publishes of a value: bytes and text as they are, everything else as JSON.

use bytes::Bytes;

use super::ConvertError;
use super::json::encode::Encoder;
use crate::connect::{Datum, Value};

/// As upstream's sinks write JSON: no schema around it, decimals are numbers, days and times of
/// the day are text, timestamps are milliseconds.
const ENCODER: Encoder =
    Encoder { numeric_decimals: true, replace_null_with_default: true, readable_dates: true };

/// The payload of a publish; none for a tombstone.
///
/// # Errors
/// When a value is not one of its schema, or has no schema that says what it is.
pub fn mqtt_payload(datum: &Datum) -> Result<Option<Bytes>, ConvertError> {
    match &datum.value {
        Value::Null => return Ok(None),
        Value::Bytes(bytes) => return Ok(Some(bytes.clone())),
        Value::String(text) => return Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
        _ => {}
    }
    let mut out = Vec::with_capacity(128);
    ENCODER.write(&mut out, datum.schema.as_deref(), &datum.value)?;
    Ok(Some(Bytes::from(out)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connect::{Decimal, Field, Kind, LogicalType, Schema, Struct};

    #[test]
    fn text_and_bytes_pass_and_a_struct_becomes_json() {
        let payload = |datum: &Datum| {
            mqtt_payload(datum).unwrap().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(payload(&Datum::default()), None);
        assert_eq!(payload(&Datum::schemaless(Value::string("{\"a\":1}"))).unwrap(), "{\"a\":1}");
        assert_eq!(payload(&Datum::schemaless(Value::Int64(5))).unwrap(), "5");

        let logical = |logical, scale| Schema::logical(logical, scale);
        let schema = Arc::new(Schema::structure(vec![
            Field::new("price", logical(LogicalType::Decimal, Some(2))),
            Field::new("day", logical(LogicalType::Date, None)),
            Field::new("time", logical(LogicalType::Time, None)),
            Field::new("at", logical(LogicalType::Timestamp, None)),
            Field::new("note", Schema::optional(Kind::String)),
        ]));
        let mut structure = Struct::new(Arc::clone(&schema));
        let price = Decimal { unscaled: 1995.into(), scale: 2 };
        structure.put("price", Value::Decimal(price)).unwrap();
        structure.put("day", Value::Timestamp(86_400_000)).unwrap();
        structure.put("time", Value::Timestamp(3_723_004)).unwrap();
        structure.put("at", Value::Timestamp(1_234)).unwrap();
        let datum = Datum::with_schema(schema, Value::Struct(Box::new(structure)));
        assert_eq!(
            payload(&datum).unwrap(),
            "{\"price\":19.95,\"day\":\"1970-01-02\",\"time\":\"01:02:03.004Z\",\"at\":1234,\
             \"note\":null}"
        );
    }
}
