//! A `.env` file, in the grammar of the library that aiproshar's connector reads it with.
//!
//! `NAME=VALUE` or `NAME: VALUE`, `export` before it or not; `#` begins a comment at the start of a
//! line and behind a space. Within `'…'` everything stands for itself; within `"…"` and without
//! quotes `$NAME` and `${NAME}` are variables that stand above in the file or in the environment,
//! their names in capitals.
//!
//! Invariant: messages have no value of the file in them, for it may be a password.

use std::collections::BTreeMap;

/// A line of the file that gives a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) line: usize,
    /// The variable.
    pub(super) name: String,
    /// Its value, or why it has none.
    pub(super) value: Result<String, String>,
}

/// Reads a file: its variables, and the lines that give none, each with the reason.
pub(super) fn parse(
    text: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> (Vec<Line>, Vec<(usize, &'static str)>) {
    let mut lines = Vec::new();
    let mut malformed = Vec::new();
    let mut above: BTreeMap<String, String> = BTreeMap::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let text = text.strip_prefix("export ").unwrap_or(text);
        let Some((name, value)) = text.split_once(['=', ':']) else {
            malformed.push((line, "found no =, expected NAME=VALUE"));
            continue;
        };
        let name = name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            malformed.push((line, "found no name of a variable, expected NAME=VALUE"));
            continue;
        }
        let known = |name: &str| above.get(name).cloned().or_else(|| environment(name));
        let value = read(value.trim(), known);
        if let Ok(value) = &value {
            above.insert(name.to_owned(), value.clone());
        }
        lines.push(Line { line, name: name.to_owned(), value });
    }
    (lines, malformed)
}

fn read(text: &str, known: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, behind) = rest.split_once('\'').ok_or("found no ' at the end of the value")?;
        return nothing_but_a_comment(behind).map(|()| value.to_owned());
    }
    if let Some(rest) = text.strip_prefix('"') {
        let (value, behind) = expand(rest, Some('"'), known)?;
        return nothing_but_a_comment(behind).map(|()| value);
    }
    let end = text.match_indices('#').find(|(at, _)| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(char::is_whitespace)
    });
    let text = end.map_or(text, |(at, _)| &text[..at]);
    expand(text.trim_end(), None, known).map(|(value, _)| value)
}

fn nothing_but_a_comment(text: &str) -> Result<(), String> {
    let text = text.trim_start();
    if text.is_empty() || text.starts_with('#') {
        Ok(())
    } else {
        Err("found text behind the closing quote".to_owned())
    }
}

/// The value up to the closing quote, if there has to be one, and what stands behind it.
fn expand(
    text: &str,
    quote: Option<char>,
    known: impl Fn(&str) -> Option<String>,
) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = behind;
        match c {
            _ if Some(c) == quote => return Ok((value, behind)),
            '\\' if quote.is_some() || behind.starts_with('$') => {
                let escaped = behind.chars().next();
                rest = &behind[escaped.map_or(0, char::len_utf8)..];
                match escaped {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some(c) => value.push(c),
                    None => value.push('\\'),
                }
            }
            '$' => match variable(behind) {
                Some((name, behind)) => {
                    let found = known(name).ok_or_else(|| {
                        format!(
                            "found the variable ${name}, which nobody gives, expected one that \
                             stands above it, or the value within '…'"
                        )
                    })?;
                    value.push_str(&found);
                    rest = behind;
                }
                None => value.push('$'),
            },
            c => value.push(c),
        }
    }
    match quote {
        None => Ok((value, "")),
        Some(quote) => Err(format!("found no {quote} at the end of the value")),
    }
}

/// The name of a variable behind its `$`, and what stands behind it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let plain = |c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let (name, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at(text.find(plain).unwrap_or(text.len())),
    };
    (!name.is_empty() && !name.contains(plain)).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, Result<String, String>)> {
        let environment = |name: &str| (name == "HOST").then(|| "kafka.test".to_owned());
        let (lines, malformed) = parse(text, environment);
        assert_eq!(malformed, []);
        lines.into_iter().map(|line| (line.name, line.value)).collect()
    }

    fn value(text: &str) -> String {
        values(text).pop().expect("a line").1.expect("a value")
    }

    #[test]
    fn quotes_comments_and_yaml_are_read_as_the_original_does() {
        assert_eq!(value("A=a b # c"), "a b");
        assert_eq!(value("  export A = a"), "a");
        assert_eq!(value("A: b"), "b");
        assert_eq!(value("A=\"default/kc/#:general\" # list"), "default/kc/#:general");
        assert_eq!(value("A=default/kc/#:general"), "default/kc/#:general");
        assert_eq!(value("A='$HOST # \"x\"'"), "$HOST # \"x\"");
        assert_eq!(value(r#"A="a\"b\\c\nd\$HOST""#), "a\"b\\c\nd$HOST");
        assert_eq!(value("A="), "");
        assert_eq!(value("\u{feff}A=first"), "first");
    }

    #[test]
    fn variables_stand_above_or_in_the_environment() {
        assert_eq!(value("P=9092\nA=${HOST}:$P"), "kafka.test:9092");
        assert_eq!(value("A=\"$HOST\""), "kafka.test");
        assert_eq!(value("A=pa$word"), "pa$word");
        assert_eq!(value(r"A=\$HOST"), "$HOST");
        let missing = values("A=secret$NOBODY").remove(0).1.unwrap_err();
        assert!(missing.contains("$NOBODY") && !missing.contains("secret"), "{missing}");
    }

    #[test]
    fn lines_that_give_no_variable_are_told() {
        let (lines, malformed) = parse("# x\n\nnonsense\n=1\nA=\"open\nB='a'b\nC=1\n", |_| None);
        let found: Vec<usize> = malformed.iter().map(|(line, _)| *line).collect();
        assert_eq!(found, [3, 4]);
        let good: Vec<(usize, bool)> =
            lines.iter().map(|line| (line.line, line.value.is_ok())).collect();
        assert_eq!(good, [(5, false), (6, false), (7, true)]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,80}|[A-Z=\"'$\\\\{}# \n]{0,60}") {
            let _ = parse(&text, |_| None);
        }
    }
}
