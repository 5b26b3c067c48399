//! Points of any names and texts are lines that a reader of the line protocol takes apart again.

use midge_rules::influx::{FieldValue, Point};
use proptest::prelude::*;

/// Splits at characters that no backslash stands before, outside of quotes. As InfluxDB reads them,
/// quotes are those of values: behind a `=`, behind the space after which `fields` begin.
fn split(text: &str, at: char, mut fields: bool) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut escaped, mut quoted, mut value) = (false, false, false);
    for (index, character) in text.char_indices() {
        let plain = !escaped && !quoted;
        if character == at && plain {
            parts.push(&text[begin..index]);
            begin = index + character.len_utf8();
        }
        match character {
            ' ' if plain => fields = true,
            '=' if plain => value = fields,
            ',' if plain => value = false,
            '"' if value && !escaped => quoted = !quoted,
            _ => {}
        }
        // Within quotes a backslash escapes another; elsewhere it stands for itself unless what
        // follows is special.
        escaped = character == '\\' && !(quoted && escaped);
    }
    parts.push(&text[begin..]);
    parts
}

/// A name as it is read back.
fn read(name: &str, special: &[char]) -> String {
    let mut text = String::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let escapes = character == '\\' && characters.peek().is_some_and(|c| special.contains(c));
        text.push(if escapes { characters.next().expect("peeked") } else { character });
    }
    text
}

/// A name as it can be said: the two things that the protocol cannot.
fn said(name: &str) -> String {
    name.trim_end_matches('\\').replace('\n', "\\n").replace('\r', "\\r")
}

const KEY: [char; 3] = [',', '=', ' '];

/// Names and texts of what is special, and of anything else.
fn any_text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![",", "=", " ", "\\", "\"", "\n", "\r", "a", "é", "#"]);
    prop_oneof![prop::collection::vec(special, 0..8).prop_map(|parts| parts.concat()), ".*"]
}

fn any_name() -> impl Strategy<Value = String> {
    any_text().prop_map(|text| format!("n{text}"))
}

proptest! {
    #[test]
    fn a_line_is_taken_apart_again(
        measurement in any_name(),
        tags in prop::collection::vec((any_name(), any_name()), 0..4),
        fields in prop::collection::vec((any_name(), any_text()), 1..4),
        now in any::<i64>(),
    ) {
        let text = |(name, text): &(String, String)| {
            (name.clone(), FieldValue::Text(text.as_str().into()))
        };
        let point = Point {
            measurement: measurement.clone(),
            tags: tags.clone(),
            fields: fields.iter().map(text).collect(),
            time_ns: None,
        };
        let line = point.line(now);
        // Line breaks stand within quotes alone.
        prop_assert_eq!(split(&line, '\n', false).len(), 1);
        let parts = split(&line, ' ', false);
        prop_assert_eq!(parts.len(), 3, "{}", line);
        prop_assert_eq!(parts[2], now.to_string());
        let series = split(parts[0], ',', false);
        prop_assert_eq!(read(series[0], &[',', ' ']), said(&measurement));
        let found: Vec<(String, String)> = series[1..]
            .iter()
            .map(|tag| {
                let [name, value] = split(tag, '=', false)[..] else { panic!("{tag}") };
                (read(name, &KEY), read(value, &KEY))
            })
            .collect();
        let expected: Vec<(String, String)> =
            tags.iter().map(|(name, value)| (said(name), said(value))).collect();
        prop_assert_eq!(found, expected);
        let found: Vec<(String, String)> = split(parts[1], ',', true)
            .iter()
            .map(|field| {
                let (name, value) = (split(field, '=', true)[0], split(field, '=', true)[1]);
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                (read(name, &KEY), read(value.expect("in quotes"), &['"', '\\']))
            })
            .collect();
        let expected: Vec<(String, String)> =
            fields.iter().map(|(name, text)| (said(name), text.clone())).collect();
        prop_assert_eq!(found, expected);
    }
}
