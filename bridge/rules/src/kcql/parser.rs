//! Tokens to statements; names are read in `names`, the clauses behind FROM in `clauses`.
//!
//! Invariant: no rule calls itself, so the depth is bounded whatever the text.

use std::sync::Arc;

use super::error::{KcqlError, Warning, shown};
use super::lexer::{Kind, Token, tokens};
use super::names::RawPath;
use super::path::{Column, Field, Selection, Taken};
use super::statement::{Mode, Statement};
use super::{ENTRIES_MAX, Kcql, STATEMENTS_MAX};

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
