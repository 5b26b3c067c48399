//! What is wrong with a text of KCQL, and where: line, column, found, expected, and a drawing.
//!
//! Invariant: a place is drawn from one line of the text, cut to a width that fits a terminal, so
//! a hostile statement cannot fill a log.

use std::fmt;

/// Characters of a line that a drawing shows.
const SHOWN: usize = 100;
/// Characters of a found word that a message shows.
const FOUND: usize = 60;

/// Where something stands in the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of this one to the end of the other.
    pub(super) fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }
}

/// A place for people: line and column from 1, and what a drawing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The part of the line that is drawn.
    shown: String,
    /// Characters of `shown` before the place.
    indent: usize,
    /// Characters that are marked.
    width: usize,
}

impl Place {
    /// The place of a span.
    pub(super) fn new(text: &str, span: Span) -> Place {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let column = text[line_start..start].chars().count() + 1;
        let width = text[start..end.min(line_end).max(start)].chars().count().max(1);

        // A long line is shown around the place, the cut ends as dots.
        let skipped = if column <= SHOWN * 2 / 3 { 0 } else { column - SHOWN / 2 };
        let mut shown = String::new();
        if skipped > 0 {
            shown.push('…');
        }
        let mut rest = text[line_start..line_end].chars().skip(skipped);
        // Tabs and the like would move the mark away from its place.
        shown.extend(rest.by_ref().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }));
        if rest.next().is_some() {
            shown.push('…');
        }
        let indent = column - 1 - skipped + usize::from(skipped > 0);
        let room = shown.chars().count().saturating_sub(indent).max(1);
        Place {
            line: text[..line_start].matches('\n').count() + 1,
            column,
            shown: shown.trim_end().to_owned(),
            indent,
            width: width.min(room),
        }
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { shown, indent, width, .. } = self;
        write!(f, "    {shown}\n    {:indent$}{}", "", "^".repeat(*width))
    }
}

/// The end of the last whole character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A mistake in a text of KCQL.
///
/// Its `Display` is one line; [`KcqlError::drawn`] adds the statement's line with a mark under it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kcql, line {}, column {}: found {found}, expected {expected}", place.line, place.column)]
pub struct KcqlError {
    /// Where.
    pub place: Place,
    /// What stands there.
    pub found: String,
    /// What could, and why not what stands there.
    pub expected: String,
}

impl KcqlError {
    pub(super) fn new(
        text: &str,
        span: Span,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> KcqlError {
        let place = Place::new(text, span);
        KcqlError { place, found: found.into(), expected: expected.into() }
    }

    /// The message and the place drawn below it.
    pub fn drawn(&self) -> impl fmt::Display {
        Drawn { message: self.to_string(), place: &self.place }
    }
}

/// Something that is accepted and yet worth a word.
///
/// Its `Display` is one line; [`Warning::drawn`] adds the statement's line with a mark under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What it is about.
    pub message: String,
}

impl Warning {
    pub(super) fn new(text: &str, span: Span, message: impl Into<String>) -> Warning {
        Warning { place: Place::new(text, span), message: message.into() }
    }

    /// The message and the place drawn below it.
    pub fn drawn(&self) -> impl fmt::Display {
        Drawn { message: self.to_string(), place: &self.place }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kcql, line {}, column {}: {}", self.place.line, self.place.column, self.message)
    }
}

struct Drawn<'a> {
    message: String,
    place: &'a Place,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        self.place.draw(f)
    }
}

/// A word as messages show it: quoted, escaped and cut.
pub(super) fn shown(word: &str) -> String {
    if word.chars().nth(FOUND).is_none() {
        return format!("{word:?}");
    }
    let cut: String = word.chars().take(FOUND).chain(['…']).collect();
    format!("{cut:?}")
}
