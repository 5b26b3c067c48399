//! What a reading is in a Kafka record: its bytes, JSON with its schema, or Avro.
//!
//! Written and read by hand: nothing of the converters that are measured has a part in it.

use serde_json::Value;

use crate::wire::reading::{self, Fields};
use crate::wire::{Malformed, Stamp};

/// A converter's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Bytes,
    Json,
    Avro,
}

/// Around every reading in JSON, as Connect's converter writes it.
const ENVELOPE: &str = r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"publisher"},{"type":"int64","optional":false,"field":"sequence"},{"type":"int64","optional":false,"field":"sent"},{"type":"double","optional":false,"field":"value"},{"type":"boolean","optional":false,"field":"valid"},{"type":"string","optional":false,"field":"note"}],"optional":false,"name":"reading"},"payload":"#;

/// The schema of readings that are written here.
pub(super) const SCHEMA: &str = r#"{"type":"record","name":"reading","fields":[{"name":"publisher","type":"long"},{"name":"sequence","type":"long"},{"name":"sent","type":"long"},{"name":"value","type":"double"},{"name":"valid","type":"boolean"},{"name":"note","type":"string"}]}"#;

/// What stands before a value that may be null and is not: the second branch of its union.
const IS_THERE: u8 = 2;

impl Format {
    pub(super) const ALL: [Format; 3] = [Format::Bytes, Format::Json, Format::Avro];

    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Bytes => "bytes",
            Format::Json => "JSON with schema",
            Format::Avro => "Avro",
        }
    }

    /// Writes a record's value; Avro has the id of `SCHEMA` in it.
    pub(super) fn write(self, stamp: Stamp, schema_id: u32, value: &mut Vec<u8>) {
        value.clear();
        match self {
            Format::Bytes => value.extend_from_slice(&reading::text(stamp)),
            Format::Json => {
                value.extend_from_slice(ENVELOPE.as_bytes());
                value.extend_from_slice(&reading::text(stamp));
                value.push(b'}');
            }
            Format::Avro => {
                let fields = Fields::of(stamp);
                value.push(0);
                value.extend_from_slice(&schema_id.to_be_bytes());
                fields.numbers.iter().for_each(|number| long(value, *number));
                value.extend_from_slice(&fields.value.to_le_bytes());
                value.push(u8::from(fields.valid));
                long(value, fields.note.len() as u64);
                value.extend_from_slice(fields.note.as_bytes());
            }
        }
    }

    /// The stamp of a record that a source has made of a reading; its fields are optional.
    pub(super) fn read(self, value: &[u8]) -> Result<Stamp, Malformed> {
        match self {
            Format::Bytes => Stamp::read(value),
            Format::Json => {
                let value: Value =
                    serde_json::from_slice(value).map_err(|_| Malformed("value is no JSON"))?;
                if value["schema"]["type"] != "struct" {
                    return Err(Malformed("value has not the schema of a struct"));
                }
                reading::of(&value["payload"])
            }
            Format::Avro => {
                let mut input = Input(value);
                if input.take(5)?[0] != 0 {
                    return Err(Malformed("value does not begin with a zero"));
                }
                let mut numbers = [0; 3];
                for number in &mut numbers {
                    input.is_there()?;
                    *number = input.long()?;
                }
                input.is_there()?;
                let value: [u8; 8] = input.take(8)?.try_into().unwrap_or_default();
                input.is_there()?;
                let valid = input.take(1)? == [1];
                input.is_there()?;
                let length = usize::try_from(input.long()?).unwrap_or(usize::MAX);
                let note = String::from_utf8_lossy(input.take(length)?).into_owned();
                if !input.0.is_empty() {
                    return Err(Malformed("value goes on behind the record"));
                }
                Fields { numbers, value: f64::from_le_bytes(value), valid, note }.stamp()
            }
        }
    }
}

/// Zigzag of a positive number, seven bits a byte.
fn long(out: &mut Vec<u8>, number: u64) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let short = Malformed("value ends inside a field");
        let (taken, rest) = self.0.split_at_checked(count).ok_or(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn is_there(&mut self) -> Result<(), Malformed> {
        if self.take(1)? == [IS_THERE] { Ok(()) } else { Err(Malformed("a field is null")) }
    }

    fn long(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number >> 1);
            }
        }
        Err(Malformed("a number has too many bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { publisher: 3, sequence: 70_000, sent_nanos: 1_000_000_007 };

    #[test]
    fn bytes_and_json_that_are_written_are_read() {
        for format in [Format::Bytes, Format::Json] {
            let mut value = Vec::new();
            format.write(STAMP, 7, &mut value);
            assert_eq!(format.read(&value), Ok(STAMP), "{format:?}");
            value.pop();
            assert!(format.read(&value).is_err(), "{format:?}");
        }
    }

    #[test]
    fn avro_of_optional_fields_is_read_and_every_cut_is_seen() {
        let fields = Fields::of(STAMP);
        let mut value = vec![0, 0, 0, 0, 7];
        for number in fields.numbers {
            value.push(IS_THERE);
            long(&mut value, number);
        }
        value.push(IS_THERE);
        value.extend_from_slice(&fields.value.to_le_bytes());
        value.extend_from_slice(&[IS_THERE, 1, IS_THERE]);
        long(&mut value, fields.note.len() as u64);
        value.extend_from_slice(fields.note.as_bytes());
        assert_eq!(Format::Avro.read(&value), Ok(STAMP));
        assert!((0..value.len()).all(|end| Format::Avro.read(&value[..end]).is_err()));
        value.push(0);
        assert!(Format::Avro.read(&value).is_err());
    }
}
