//! A reading in JSON whose numbers are a stamp.
//!
//! Every reading is [`BYTES`] long, and only digits differ: each number of the stamp is counted from
//! one that has as many digits as it will ever need.

use serde_json::Value;

use super::{FILLER, Malformed, Stamp};

/// The length of a reading.
pub(crate) const BYTES: usize = 256;

/// Names of the stamp's numbers, and what is added to them.
const NUMBERS: [(&str, u64); 3] =
    [("publisher", 1_000), ("sequence", 1_000_000_000_000), ("sent", 1_000_000_000_000_000_000)];
/// What follows, up to the text that fills the rest.
const REST: &str = r#""value":21.5,"valid":true,"note":""#;

impl Stamp {
    fn numbers(self) -> [u64; 3] {
        let own = [self.publisher.into(), self.sequence, self.sent_nanos];
        std::array::from_fn(|place| own[place] + NUMBERS[place].1)
    }

    fn of_numbers(numbers: [u64; 3]) -> Option<Stamp> {
        let mut own = [0; 3];
        for (place, own) in own.iter_mut().enumerate() {
            *own = numbers[place].checked_sub(NUMBERS[place].1)?;
        }
        let [publisher, sequence, sent_nanos] = own;
        Some(Stamp { publisher: u32::try_from(publisher).ok()?, sequence, sent_nanos })
    }
}

/// The fields of a reading, as Avro's binary encoding has them one after the other.
pub(crate) struct Fields {
    pub(crate) numbers: [u64; 3],
    pub(crate) value: f64,
    pub(crate) valid: bool,
    pub(crate) note: String,
}

impl Fields {
    /// Those of a stamp.
    pub(crate) fn of(stamp: Stamp) -> Fields {
        let head: usize = NUMBERS.iter().map(|(name, base)| name.len() + digits(*base) + 4).sum();
        // Braces and the last quote.
        let note = BYTES - head - REST.len() - 3;
        let note = char::from(FILLER).to_string().repeat(note);
        Fields { numbers: stamp.numbers(), value: 21.5, valid: true, note }
    }

    /// The stamp in them, when nothing else was altered.
    pub(crate) fn stamp(&self) -> Result<Stamp, Malformed> {
        let stamp = Stamp::of_numbers(self.numbers).ok_or(Malformed("a number was altered"))?;
        let is_whole = self.value == 21.5 && self.valid && is_filler(&self.note);
        if is_whole { Ok(stamp) } else { Err(Malformed("a field was altered")) }
    }
}

/// The text of a reading.
pub(crate) fn text(stamp: Stamp) -> Vec<u8> {
    let fields = Fields::of(stamp);
    let mut out = String::from("{");
    for ((name, _), number) in NUMBERS.iter().zip(fields.numbers) {
        out += &format!("\"{name}\":{number},");
    }
    out += REST;
    out += &fields.note;
    out += "\"}";
    out.into_bytes()
}

/// Writes another stamp over that of a text.
pub(super) fn write(stamp: Stamp, text: &mut [u8]) {
    let mut at = 1;
    for ((name, base), number) in NUMBERS.iter().zip(stamp.numbers()) {
        at += name.len() + 3;
        let mut rest = number;
        for digit in text[at..at + digits(*base)].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        at += digits(*base) + 1;
    }
}

/// The stamp in a text, of which a projection may have taken `value` and `valid` away.
pub(super) fn read(text: &[u8]) -> Result<Stamp, Malformed> {
    let value = serde_json::from_slice(text).map_err(|_| Malformed("payload is no JSON"))?;
    of(&value)
}

/// The stamp in an object.
pub(crate) fn of(object: &Value) -> Result<Stamp, Malformed> {
    let mut numbers = [0; 3];
    for ((name, _), number) in NUMBERS.iter().zip(&mut numbers) {
        *number = object[*name].as_u64().ok_or(Malformed("a number is missing"))?;
    }
    let text = object["note"].as_str().ok_or(Malformed("the note is missing"))?;
    let fields = Fields {
        numbers,
        value: object.get("value").map_or(Some(21.5), Value::as_f64).unwrap_or_default(),
        valid: object.get("valid").is_none_or(|valid| valid == true),
        note: text.to_owned(),
    };
    fields.stamp()
}

fn is_filler(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == FILLER)
}

fn digits(number: u64) -> usize {
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { publisher: 99, sequence: 1_234_567, sent_nanos: 89_000_000_001 };

    #[test]
    fn reading_is_json_of_its_length_and_takes_another_stamp() {
        let mut text = text(Stamp { publisher: 0, sequence: 0, sent_nanos: 0 });
        assert_eq!(text.len(), BYTES);
        write(STAMP, &mut text);
        assert_eq!(text, super::text(STAMP));
        assert_eq!(read(&text), Ok(STAMP));
        assert_eq!(Stamp::read(&text), Ok(STAMP));
    }

    #[test]
    fn altered_reading_is_seen_and_a_projected_one_is_not_altered() {
        let mut object: Value = serde_json::from_slice(&text(STAMP)).unwrap();
        let of_altered = |name: &str, value: Value| {
            let mut altered = object.clone();
            altered[name] = value;
            of(&altered)
        };
        for (name, value) in [("value", 21.into()), ("valid", false.into()), ("note", "m!".into())]
        {
            assert!(of_altered(name, value).is_err(), "{name}");
        }
        assert!(of_altered("publisher", 7.into()).is_err());
        object.as_object_mut().unwrap().retain(|name, _| name != "value" && name != "valid");
        assert_eq!(of(&object), Ok(STAMP));
    }
}
