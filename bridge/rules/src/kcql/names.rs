//! Names, values and paths, and the fields that paths lead to.

use super::error::{KcqlError, Span, shown};
use super::keywords;
use super::lexer::{Kind, Token};
use super::parser::Parser;
use super::path::{Field, SEGMENTS_MAX};
use super::statement::Name;

/// What may stand in a name that has no quotes, besides letters and digits.
const IN_NAMES: &str = "_-+/{}:.$#@";
const IN_NAMES_SAID: &str =
    "letters, digits or _ - + / { } : . $ # @ in a name, or the name in backticks";

/// A path as it is written: a segment may be in quotes, then it is never a word of the language.
pub(super) struct RawPath {
    pub(super) segments: Vec<(String, bool)>,
    pub(super) all: bool,
    pub(super) span: Span,
}

impl<'a> Parser<'a> {
    /// A path and what it begins with.
    pub(super) fn field(&self, path: RawPath) -> Result<Field, KcqlError> {
        let RawPath { segments, all, span } = path;
        if all {
            let found = shown(&self.text[span.start..span.end]);
            return Err(KcqlError::new(self.text, span, found, "one field"));
        }
        let root = match segments.first() {
            Some((name, false)) => name.clone(),
            _ => String::new(),
        };
        let mut names = segments.into_iter().map(|(name, _)| name);
        let field = match root.as_str() {
            "_value" => Field::Value(names.skip(1).collect()),
            "_key" => Field::Key(names.skip(1).collect()),
            "_header" => {
                // Names of headers have dots in them: mqtt.topic.
                let name = names.skip(1).collect::<Vec<_>>().join(".");
                if name.is_empty() {
                    return Err(KcqlError::new(self.text, span, "_header", "_header.NAME"));
                }
                Field::Header(name)
            }
            "_topic" | "_partition" | "_offset" | "_timestamp" => {
                let _ = names.next();
                if let Some(more) = names.next() {
                    let found = format!("{root}.{more}");
                    let expected = format!("{root} alone, since it has no fields");
                    return Err(KcqlError::new(self.text, span, found, expected));
                }
                match root.as_str() {
                    "_topic" => Field::Topic,
                    "_partition" => Field::Partition,
                    "_offset" => Field::Offset,
                    _ => Field::Timestamp,
                }
            }
            _ => Field::Value(names.collect()),
        };
        Ok(field)
    }

    /// A path: names with dots between them, each as it is or in quotes.
    pub(super) fn path(&mut self, what: &str) -> Result<RawPath, KcqlError> {
        let first = *self.peek();
        if !first.is_name() {
            return Err(self.expected(what));
        }
        let mut segments = vec![(String::new(), false)];
        let mut all = false;
        let mut span = Span { start: first.span.start, end: first.span.start };
        while let Some(token) = self.next_part(span.end) {
            span.end = token.span.end;
            if token.kind != Kind::Word {
                let (name, quoted) = segments.last_mut().expect("never empty");
                name.push_str(token.text);
                *quoted = true;
                continue;
            }
            let (word, star) = match token.text.strip_suffix(".*") {
                Some(word) => (word, true),
                None => (token.text, false),
            };
            self.check_characters(Token { text: word, ..token })?;
            for (index, part) in word.split('.').enumerate() {
                if index > 0 {
                    segments.push((String::new(), false));
                }
                segments.last_mut().expect("never empty").0.push_str(part);
            }
            if star {
                all = true;
                break;
            }
        }
        if segments.iter().any(|(name, _)| name.is_empty()) {
            let found = shown(&self.text[span.start..span.end]);
            return Err(KcqlError::new(self.text, span, found, "a name on each side of a dot"));
        }
        if segments.len() > SEGMENTS_MAX {
            let found = format!("a path of {} names", segments.len());
            let expected = format!("at most {SEGMENTS_MAX}");
            return Err(KcqlError::new(self.text, span, found, expected));
        }
        Ok(RawPath { segments, all, span })
    }

    /// A path in a place where upstream needs backticks around a whole path: there the dots of a
    /// name in backticks separate as well.
    pub(super) fn unquoted_path(&mut self, what: &str) -> Result<RawPath, KcqlError> {
        let token = *self.peek();
        let mut path = self.path(what)?;
        if token.kind != Kind::Word && path.span == token.span {
            let names = token.text.split('.').map(|name| (name.to_owned(), false));
            path.segments = names.take(SEGMENTS_MAX + 1).collect();
            let wrong = path.segments.iter().any(|(name, _)| name.is_empty());
            if wrong || path.segments.len() > SEGMENTS_MAX {
                let expected = format!("names with dots between them, at most {SEGMENTS_MAX}");
                return Err(KcqlError::new(self.text, token.span, shown(token.text), expected));
            }
        }
        Ok(path)
    }

    /// What stands behind AS: keywords of clauses are names like others there.
    pub(super) fn alias(&mut self) -> Result<String, KcqlError> {
        if self.peek().is("FROM") {
            return Err(self.expected("a column's new name; FROM as a name stands in backticks"));
        }
        Ok(self.whole_name("a column's new name")?.text)
    }

    /// A name in a place where a keyword is more likely to be a slip.
    pub(super) fn name(&mut self, what: &str) -> Result<Name, KcqlError> {
        let first = self.peek();
        let reserved = ["SELECT", "FROM"].iter().any(|keyword| first.is(keyword));
        if reserved || first.kind == Kind::Word && keywords::clause(first.text).is_some() {
            let expected = format!("{what}; a name that is a keyword stands in backticks");
            return Err(self.expected(expected));
        }
        self.whole_name(what)
    }

    /// One word or quoted text, or several without blanks between them.
    fn whole_name(&mut self, what: &str) -> Result<Name, KcqlError> {
        let first = *self.peek();
        if !first.is_name() {
            return Err(self.expected(format!("{what}: a name, or one in backticks")));
        }
        let quote = usize::from(first.kind != Kind::Word);
        let span = Span { start: first.span.start, end: first.span.start };
        let mut name = Name { text: String::new(), span, quote };
        while let Some(token) = self.next_part(name.span.end) {
            if token.kind == Kind::Word {
                self.check_characters(token)?;
            }
            name.text.push_str(token.text);
            name.span.end = token.span.end;
        }
        if name.text.is_empty() {
            let expected = format!("{what}: at least one character");
            return Err(KcqlError::new(self.text, name.span, "an empty name", expected));
        }
        Ok(name)
    }

    /// The next part of a name, when it stands right behind the part before it.
    fn next_part(&mut self, end: usize) -> Option<Token<'a>> {
        let token = *self.peek();
        (token.is_name() && token.span.start == end).then(|| {
            self.advance();
            token
        })
    }

    /// A value that may be any word, or quoted text.
    pub(super) fn value(&mut self, what: &str) -> Result<Name, KcqlError> {
        let token = *self.peek();
        if !token.is_name() {
            return Err(self.expected(what));
        }
        self.advance();
        let quote = usize::from(token.kind != Kind::Word);
        Ok(Name { text: token.text.to_owned(), span: token.span, quote })
    }

    /// Refuses what a name without quotes may not have; the variable of a template may have more.
    fn check_characters(&self, token: Token<'_>) -> Result<(), KcqlError> {
        let mut inside = false;
        for (at, c) in token.text.char_indices() {
            match c {
                '{' if token.text[..at].ends_with('$') => inside = true,
                '}' => inside = false,
                '[' | ']' if inside => {}
                _ if c.is_alphanumeric() || IN_NAMES.contains(c) => {}
                _ => {
                    let start = token.span.start + at;
                    let span = Span { start, end: start + c.len_utf8() };
                    return Err(KcqlError::new(self.text, span, format!("{c:?}"), IN_NAMES_SAID));
                }
            }
        }
        Ok(())
    }
}
