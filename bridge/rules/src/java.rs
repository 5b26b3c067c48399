//! What Java's library does with numbers, dates and regular expressions, where Connect relies on it.
//!
//! Property files and the values that transforms make name these formats (`yyyy-MM-dd`, `$1`), so
//! they mean here what they mean in a worker.
//!
//! Invariant: pure functions of their arguments; the zone is UTC and the language English, whatever
//! the machine's are.

pub mod calendar;
pub mod date_format;
pub mod number;
pub mod regex;

pub use date_format::DateFormat;
pub use regex::Regex;

/// Java's `String.split` of one character: empty parts at the end are left out.
#[must_use]
pub fn split(text: &str, delimiter: char) -> Vec<&str> {
    if !text.contains(delimiter) {
        return vec![text];
    }
    let mut parts: Vec<&str> = text.split(delimiter).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// Java's `String.trim`: without the control characters and spaces at both ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn empty_parts_at_the_end_are_left_out() {
        assert_eq!(split("a:b", ':'), ["a", "b"]);
        assert_eq!(split("a:", ':'), ["a"]);
        assert_eq!(split(":b", ':'), ["", "b"]);
        assert_eq!(split("::", ':'), [""; 0]);
        assert_eq!(split("", ':'), [""]);
    }
}
