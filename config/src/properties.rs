//! Java's `.properties` format, as Kafka Connect reads its connector files.
//!
//! The grammar is that of `java.util.Properties.load`: `#` and `!` comments, `\` at the end of a
//! line, escapes, and `=`, `:` or a space after the key.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One property and the line its key stands on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key.
    pub key: String,
    /// The value, blanks at its end and all.
    pub value: String,
    /// From 1.
    pub line: usize,
}

/// A line that is not one of this format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// From 1.
    pub line: usize,
    /// What was found and what was expected.
    pub message: &'static str,
}

/// Reads a file; properties in the order they stand, with every malformed line beside them.
pub fn parse(bytes: &[u8]) -> (Vec<Property>, Vec<Malformed>) {
    let text = decode(bytes);
    let mut properties = Vec::new();
    let mut malformed = Vec::new();
    for (line, logical) in logical_lines(&text) {
        let end = key_end(&logical);
        let (key, rest) = logical.split_at(end);
        let rest = rest.trim_start_matches(BLANK);
        let value = match rest.strip_prefix(['=', ':']) {
            Some(value) => value.trim_start_matches(BLANK),
            None => rest,
        };
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => properties.push(Property { key, value, line }),
            (Err(message), _) | (_, Err(message)) => malformed.push(Malformed { line, message }),
        }
    }
    (properties, malformed)
}

/// The property that counts of each key: the last, as in Java.
pub(crate) fn last(properties: &[Property]) -> impl Iterator<Item = &Property> {
    let mut counts = BTreeMap::new();
    for (index, property) in properties.iter().enumerate() {
        counts.insert(property.key.as_str(), index);
    }
    let counts: BTreeSet<usize> = counts.into_values().collect();
    counts.into_iter().map(|index| &properties[index])
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Java reads these files as ISO 8859-1; what people write today is UTF-8.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Joins continued lines; drops blank ones and comments.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut logical = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, natural) in text.split('\n').enumerate() {
        let natural = natural.trim_start_matches(BLANK);
        if open.is_none() && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            continue;
        }
        let (line, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(&natural[..natural.len() - 1]);
            open = Some((line, joined));
        } else {
            joined.push_str(natural);
            logical.push((line, joined));
        }
    }
    logical.extend(open.filter(|(_, line)| !line.is_empty()));
    logical
}

/// Where the key ends: at the first separator that is not escaped.
fn key_end(line: &str) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\u{c}' => return at,
            _ => {}
        }
    }
    line.len()
}

fn unescape(text: &str) -> Result<String, &'static str> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(code_unit(&digits)?);
                    continue;
                }
                Some(other) => other,
                None => continue,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    // Half of a surrogate pair is no character.
    Ok(String::from_utf16_lossy(&units))
}

fn code_unit(digits: &str) -> Result<u16, &'static str> {
    let well_formed = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| well_formed);
    unit.ok_or("found \\u, expected four hexadecimal digits after it")
}
