//! The clauses behind FROM, in any order, each at most once.

use std::num::NonZeroU32;

use super::error::{KcqlError, Span, shown};
use super::keywords::{FOREIGN, clause, nearest};
use super::lexer::Kind;
use super::parser::Parser;
use super::path::Field;
use super::statement::{Clause, Statement, Tag, TimestampFrom, TimestampUnit};

/// The longest KEYDELIMITER, in bytes.
const DELIMITER_MAX: usize = 16;

impl Parser<'_> {
    pub(super) fn clause(&mut self, statement: &mut Statement) -> Result<(), KcqlError> {
        let token = *self.peek();
        let known = (token.kind == Kind::Word).then(|| clause(token.text)).flatten();
        let Some(clause) = known else {
            return Err(self.unknown_clause());
        };
        if let Some(first) = statement.place_of(clause) {
            let place = KcqlError::new(self.text, first, "", "").place;
            let expected = format!(
                "it once in a statement; the first is at line {}, column {}",
                place.line, place.column
            );
            let found = format!("{} again", clause.keyword());
            return Err(KcqlError::new(self.text, token.span, found, expected));
        }
        statement.given.push((clause, token.span));
        self.advance();
        match clause {
            Clause::Ignore => self.ignored(statement)?,
            Clause::Pk => statement.primary_key = self.fields("a field of the primary key")?,
            Clause::PartitionBy => {
                statement.partition_by = self.fields("a field to partition by")?;
            }
            Clause::WithTarget => {
                self.punctuation(Kind::Equal)?;
                let path = self.unquoted_path("the field that names the target")?;
                statement.with_target = Some(self.field(path)?);
            }
            Clause::Batch => {
                self.punctuation(Kind::Equal)?;
                statement.batch = Some(self.number::<NonZeroU32>("a number from 1")?);
            }
            Clause::Limit => statement.limit = Some(self.number("a number")?),
            Clause::WithTimestamp => statement.timestamp = Some(self.timestamp()?),
            Clause::TimestampUnit => statement.timestamp_unit = Some(self.timestamp_unit()?),
            Clause::WithFormat => {
                self.next_if(Kind::Equal);
                statement.format = Some(self.value("a format")?);
            }
            Clause::WithTag => statement.tags = self.list(Parser::tag)?,
            Clause::WithConverter => {
                self.punctuation(Kind::Equal)?;
                statement.converter = Some(self.name("a converter's class")?);
            }
            Clause::WithKey => statement.key = self.list(Parser::key_field)?,
            Clause::KeyDelimiter => statement.key_delimiter = Some(self.key_delimiter()?),
            Clause::WithRegex => {
                self.punctuation(Kind::Equal)?;
                statement.regex = Some(self.value("a regular expression in backticks")?);
            }
            Clause::Properties => {
                statement.properties = self.list(|parser| {
                    let name = parser.value("a property's name")?;
                    parser.punctuation(Kind::Equal)?;
                    Ok((name, parser.value("a property's value")?))
                })?;
            }
        }
        Ok(())
    }

    fn unknown_clause(&self) -> KcqlError {
        let token = self.peek();
        if token.kind != Kind::Word {
            return self.expected("a clause, ';' or the end");
        }
        let word = token.text;
        if token.is("INSERT") || token.is("UPSERT") {
            return self.expected("';' between two statements");
        }
        if let Some((name, why)) = FOREIGN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))
        {
            let expected = format!("no {name} here: {why}");
            return KcqlError::new(self.text, token.span, name.to_owned(), expected);
        }
        match nearest(word) {
            Some(nearest) => self.expected(format!("a clause; the nearest is {nearest}")),
            None => self.expected("a clause, ';' or the end"),
        }
    }

    /// Columns of IGNORE: fields of the value, since nothing else is there to be left out.
    fn ignored(&mut self, statement: &mut Statement) -> Result<(), KcqlError> {
        loop {
            let path = self.path("a field to leave out")?;
            let span = path.span;
            match self.field(path)? {
                Field::Value(path) if !path.is_empty() => statement.selection.ignored.push(path),
                other => {
                    let expected = "a field of the value: IGNORE leaves out nothing else";
                    return Err(KcqlError::new(self.text, span, other.to_string(), expected));
                }
            }
            self.room(statement.selection.ignored.len())?;
            if self.next_if(Kind::Comma).is_none() {
                return Ok(());
            }
        }
    }

    fn fields(&mut self, what: &str) -> Result<Vec<Field>, KcqlError> {
        let mut fields = Vec::new();
        loop {
            let path = self.path(what)?;
            fields.push(self.field(path)?);
            self.room(fields.len())?;
            if self.next_if(Kind::Comma).is_none() {
                return Ok(fields);
            }
        }
    }

    /// `(entry, entry, …)`
    fn list<T>(
        &mut self,
        entry: impl Fn(&mut Self) -> Result<T, KcqlError>,
    ) -> Result<Vec<T>, KcqlError> {
        self.punctuation(Kind::Open)?;
        let mut entries = Vec::new();
        if self.next_if(Kind::Close).is_some() {
            return Ok(entries);
        }
        loop {
            entries.push(entry(self)?);
            self.room(entries.len())?;
            if self.next_if(Kind::Comma).is_some() {
                continue;
            }
            return match self.next_if(Kind::Close) {
                Some(_) => Ok(entries),
                None => Err(self.expected("',' or ')'")),
            };
        }
    }

    fn key_field(&mut self) -> Result<(Field, Span), KcqlError> {
        let path = self.unquoted_path("a field of the key")?;
        let span = path.span;
        Ok((self.field(path)?, span))
    }

    fn tag(&mut self) -> Result<Tag, KcqlError> {
        let token = *self.peek();
        let path = self.unquoted_path("a tag: a field, name=value or field AS name")?;
        let written = match token.kind {
            Kind::Word => self.text[path.span.start..path.span.end].replace(['`', '\''], ""),
            _ => token.text.to_owned(),
        };
        if self.next_if(Kind::Equal).is_some() {
            let value = self.value("a tag's value")?.text;
            return Ok(Tag::Constant { name: written, value });
        }
        let field = self.field(path)?;
        let name = match self.next_if_keyword("AS") {
            true => self.value("a tag's name")?.text,
            false => written,
        };
        Ok(Tag::Field { name, field })
    }

    fn timestamp(&mut self) -> Result<TimestampFrom, KcqlError> {
        if self.next_if_keyword("sys_time") {
            self.punctuation(Kind::Open)?;
            self.punctuation(Kind::Close)?;
            return Ok(TimestampFrom::SystemTime);
        }
        let path = self.unquoted_path("a field or sys_time()")?;
        Ok(TimestampFrom::Field(self.field(path)?))
    }

    fn timestamp_unit(&mut self) -> Result<TimestampUnit, KcqlError> {
        self.punctuation(Kind::Equal)?;
        let expected = "NANOSECONDS, MICROSECONDS, MILLISECONDS or SECONDS";
        let unit = match self.peek() {
            token if token.is("NANOSECONDS") => TimestampUnit::Nanoseconds,
            token if token.is("MICROSECONDS") => TimestampUnit::Microseconds,
            token if token.is("MILLISECONDS") => TimestampUnit::Milliseconds,
            token if token.is("SECONDS") => TimestampUnit::Seconds,
            _ => return Err(self.expected(expected)),
        };
        self.advance();
        Ok(unit)
    }

    fn key_delimiter(&mut self) -> Result<String, KcqlError> {
        self.punctuation(Kind::Equal)?;
        let value = self.value("a delimiter in single quotes")?;
        match value.text.len() {
            1..=DELIMITER_MAX => Ok(value.text),
            _ => {
                let expected = format!("a delimiter of 1 to {DELIMITER_MAX} bytes");
                Err(KcqlError::new(self.text, value.span, shown(&value.text), expected))
            }
        }
    }

    fn number<N: std::str::FromStr>(&mut self, expected: &str) -> Result<N, KcqlError> {
        let token = *self.peek();
        let digits = token.is_name() && token.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| token.text.parse().ok()).flatten();
        let number = number.ok_or_else(|| self.expected(expected))?;
        self.advance();
        Ok(number)
    }
}
