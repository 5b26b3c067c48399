//! What messages carry: their number, and a filling that shows damage.

use std::fmt::Write;

use bytes::Bytes;

use crate::random::Random;

/// A payload of any size: most are small, a few larger than a page of a disk.
pub(crate) fn compose(number: usize, random: &mut Random) -> Bytes {
    let length = match random.number(0..40) {
        0 => random.number(4_000..40_000),
        1..5 => random.number(500..4_000),
        _ => random.number(0..300),
    };
    Bytes::from(filled(number, length as usize))
}

fn filled(number: usize, length: usize) -> String {
    let mut text = String::new();
    let _ = write!(text, "{number}:{length}:");
    let letter = char::from(b'a' + (number % 26) as u8);
    text.extend(std::iter::repeat_n(letter, length));
    text
}

/// The number in a payload, when every byte is as it was.
pub(crate) fn number(payload: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut parts = text.split(':');
    let (number, length) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (text == filled(number, length)).then_some(number)
}
