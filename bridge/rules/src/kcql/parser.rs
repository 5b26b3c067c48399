//! Tokens to statements; the clauses behind FROM are in `clauses`.
//!
//! Invariant: no rule calls itself, so the depth is bounded whatever the text.

use std::sync::Arc;

use super::error::{KcqlError, Span, Warning, shown};
use super::keywords;
use super::lexer::{Kind, Token, tokens};
use super::path::{Column, Field, SEGMENTS_MAX, Selection, Taken};
use super::statement::{Mode, Name, Statement};
use super::{ENTRIES_MAX, Kcql, STATEMENTS_MAX};

/// What may stand in a name that has no quotes, besides letters and digits.
const IN_NAMES: &str = "_-+/{}:.$#@";
const IN_NAMES_SAID: &str =
    "letters, digits or _ - + / { } : . $ # @ in a name, or the name in backticks";

/// Reads all statements.
pub(super) fn parse(text: &Arc<str>) -> Result<Kcql, KcqlError> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, warnings: Vec::new() };
    let mut statements = Vec::new();
    loop {
        // Semicolons with nothing between them are no statements.
        while parser.next_if(Kind::Semicolon).is_some() {}
        if parser.peek().kind == Kind::End {
            break;
        }
        if statements.len() == STATEMENTS_MAX {
            return Err(parser.expected(format!("at most {STATEMENTS_MAX} statements")));
        }
        statements.push(parser.statement()?);
    }
    if statements.is_empty() {
        return Err(parser.expected("INSERT INTO or UPSERT INTO"));
    }
    Ok(Kcql { statements, warnings: parser.warnings })
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a Arc<str>,
    tokens: Vec<Token<'a>>,
    at: usize,
    pub(super) warnings: Vec<Warning>,
}

/// A path as it is written: a segment may be in quotes, then it is never a word of the language.
pub(super) struct RawPath {
    segments: Vec<(String, bool)>,
    all: bool,
    pub(super) span: Span,
}

impl<'a> Parser<'a> {
    fn statement(&mut self) -> Result<Statement, KcqlError> {
        let start = self.peek().span;
        let mode = match self.peek() {
            token if token.is("INSERT") => Mode::Insert,
            token if token.is("UPSERT") => Mode::Upsert,
            _ => return Err(self.expected("INSERT INTO or UPSERT INTO")),
        };
        self.advance();
        self.keyword("INTO")?;
        let target = self.name("a target")?;
        self.keyword("SELECT")?;
        let columns = self.columns()?;
        self.keyword("FROM")?;
        let source = self.name("a source")?;
        let mut statement = Statement {
            mode,
            target,
            selection: Selection { columns, ignored: Vec::new() },
            source,
            given: Vec::new(),
            primary_key: Vec::new(),
            with_target: None,
            batch: None,
            partition_by: Vec::new(),
            timestamp: None,
            timestamp_unit: None,
            format: None,
            tags: Vec::new(),
            converter: None,
            key: Vec::new(),
            key_delimiter: None,
            regex: None,
            limit: None,
            properties: Vec::new(),
            text: Arc::clone(self.text),
            span: start,
        };
        while !matches!(self.peek().kind, Kind::Semicolon | Kind::End) {
            self.clause(&mut statement)?;
        }
        statement.span = start.to(self.tokens[self.at - 1].span);
        Ok(statement)
    }

    fn columns(&mut self) -> Result<Vec<Column>, KcqlError> {
        let mut columns = Vec::new();
        loop {
            columns.push(self.column()?);
            self.room(columns.len())?;
            let token = *self.peek();
            if token.is("AND") {
                let message = "'and' between columns is read as ','";
                self.warnings.push(Warning::new(self.text, token.span, message));
            } else if token.kind != Kind::Comma {
                return match token.is("FROM") {
                    true => Ok(columns),
                    false => Err(self.expected("',', AS or FROM")),
                };
            }
            self.advance();
        }
    }

    fn column(&mut self) -> Result<Column, KcqlError> {
        let token = *self.peek();
        if token.kind == Kind::Star {
            self.advance();
            return Ok(Column { taken: Taken::AllOfValue(Vec::new()), span: token.span });
        }
        // A column may be called "from", where what follows leaves no doubt.
        let after = self.tokens.get(self.at + 1);
        let doubt = after.is_none_or(|next| next.kind != Kind::Comma && !next.is("FROM"));
        if token.is("FROM") && doubt {
            return Err(self.expected("a column: *, a field, or _key, _topic and the like"));
        }
        let path = self.path("a column: *, a field, or _key, _topic and the like")?;
        let span = path.span;
        if path.all {
            return Ok(Column { taken: self.all_of(path)?, span });
        }
        let field = self.field(path)?;
        let name = match self.next_if_keyword("AS") {
            true => self.alias()?,
            false => field.name().to_owned(),
        };
        Ok(Column { taken: Taken::One { field, name }, span })
    }

    fn all_of(&self, path: RawPath) -> Result<Taken, KcqlError> {
        let span = path.span;
        match self.field(RawPath { all: false, ..path })? {
            Field::Value(path) => Ok(Taken::AllOfValue(path)),
            Field::Key(path) => Ok(Taken::AllOfKey(path)),
            other => {
                let found = format!("{other}.*");
                let expected = format!("{other} alone, since it has no fields");
                Err(KcqlError::new(self.text, span, found, expected))
            }
        }
    }

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
    fn alias(&mut self) -> Result<String, KcqlError> {
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

    /// Refuses one more entry than a list may have.
    pub(super) fn room(&self, entries: usize) -> Result<(), KcqlError> {
        if entries < ENTRIES_MAX {
            return Ok(());
        }
        Err(self.expected(format!("less than {ENTRIES_MAX} entries in a list")))
    }

    pub(super) fn keyword(&mut self, keyword: &'static str) -> Result<(), KcqlError> {
        if self.next_if_keyword(keyword) { Ok(()) } else { Err(self.expected(keyword)) }
    }

    pub(super) fn next_if_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn punctuation(&mut self, kind: Kind) -> Result<(), KcqlError> {
        let expected = match kind {
            Kind::Open => "'('",
            Kind::Close => "')'",
            Kind::Equal => "'='",
            _ => "','",
        };
        match self.next_if(kind) {
            Some(_) => Ok(()),
            None => Err(self.expected(expected)),
        }
    }

    pub(super) fn next_if(&mut self, kind: Kind) -> Option<Token<'a>> {
        let token = *self.peek();
        (token.kind == kind).then(|| {
            self.advance();
            token
        })
    }

    pub(super) fn peek(&self) -> &Token<'a> {
        // The end is never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn advance(&mut self) {
        if self.peek().kind != Kind::End {
            self.at += 1;
        }
    }

    /// What stands here is not what was expected.
    pub(super) fn expected(&self, expected: impl Into<String>) -> KcqlError {
        let token = self.peek();
        let found = match token.kind {
            Kind::End if self.text.trim().is_empty() => "nothing".to_owned(),
            Kind::End => "the end".to_owned(),
            Kind::Semicolon => "';', the end of the statement".to_owned(),
            Kind::Word | Kind::Backticked | Kind::Quoted => shown(token.text),
            _ => format!("'{}'", token.text),
        };
        KcqlError::new(self.text, token.span, found, expected)
    }
}
