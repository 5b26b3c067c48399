//! Text to tokens: words, quoted names, punctuation.
//!
//! A word is whatever stands between blanks and punctuation; which characters it may have is the
//! parser's to say, since a tag's value may have more than a name. Invariant: spans of tokens rise
//! and do not overlap, and the last token is the end.

use super::error::{KcqlError, Span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and everything else that is no punctuation; also `a.*`.
    Word,
    /// In backticks.
    Backticked,
    /// In single quotes.
    Quoted,
    Star,
    Comma,
    Semicolon,
    Open,
    Close,
    Equal,
    End,
}

/// A token; `text` is without its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

impl Token<'_> {
    /// Whether it is this keyword, in any case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it can be (part of) a name.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Backticked | Kind::Quoted)
    }
}

/// Reads all tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, KcqlError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    // Lines that begin with '#' are comments where a statement may begin, and only there: elsewhere
    // '#' is a topic filter.
    let mut between_statements = true;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let kind = match c {
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '#' if between_statements => {
                at = text[at..].find('\n').map_or(text.len(), |end| at + end);
                continue;
            }
            '`' => Kind::Backticked,
            '\'' => Kind::Quoted,
            '"' => {
                let span = Span { start, end: start + 1 };
                let expected = "a name as it is, in backticks or in single quotes";
                return Err(KcqlError::new(text, span, "a double quote", expected));
            }
            '*' => Kind::Star,
            ',' => Kind::Comma,
            ';' => Kind::Semicolon,
            '(' => Kind::Open,
            ')' => Kind::Close,
            '=' => Kind::Equal,
            _ => Kind::Word,
        };
        at += match kind {
            Kind::Backticked | Kind::Quoted => quoted(text, start, c)?,
            Kind::Word => word(&text[start..]),
            _ => 1,
        };
        let mut inner = &text[start..at];
        if matches!(kind, Kind::Backticked | Kind::Quoted) {
            inner = &inner[1..inner.len() - 1];
        }
        between_statements = kind == Kind::Semicolon;
        tokens.push(Token { kind, text: inner, span: Span { start, end: at } });
    }
    // The end is drawn right behind the last token, not behind blanks.
    let end = tokens.last().map_or(0, |token| token.span.end);
    tokens.push(Token { kind: Kind::End, text: "", span: Span { start: end, end } });
    Ok(tokens)
}

/// How many bytes a quoted name has, quotes included.
fn quoted(text: &str, start: usize, quote: char) -> Result<usize, KcqlError> {
    let inside = &text[start + 1..];
    match inside.find([quote, '\n']) {
        Some(end) if inside[end..].starts_with(quote) => Ok(end + 2),
        other => {
            let end = other.map_or(text.len(), |end| start + 1 + end);
            let name = if quote == '`' { "backtick" } else { "single quote" };
            let found = format!("a {name} that is not closed in its line");
            let expected = format!("a second {name}");
            Err(KcqlError::new(text, Span { start, end }, found, expected))
        }
    }
}

/// How many bytes a word has.
fn word(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '*' && before == '.' {
            return at + 1;
        }
        if c.is_whitespace() || "`'\",;()=*".contains(c) {
            return at;
        }
        before = c;
    }
    text.len()
}
