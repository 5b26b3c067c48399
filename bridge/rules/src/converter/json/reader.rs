//! Reads JSON (RFC 8259) token by token, without a tree between the text and what is made of it.
//!
//! Numbers stay text until somebody knows what they shall be, so no digit is lost. Where Jackson is
//! more liberal Midge follows it: numbers may have leading zeros, a byte order mark is skipped.
//!
//! Invariant: no more than [`DEPTH_MAX`] arrays and objects are open at once, so recursion over what
//! is read is bounded; a string or number is whole and valid when it is handed out.

use std::borrow::Cow;

/// How many arrays and objects may be open at once.
pub(crate) const DEPTH_MAX: u32 = 128;
/// How long a number may be, in characters; Jackson's own limit.
pub(crate) const NUMBER_MAX: usize = 1_000;

/// Where the text is no JSON, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub(crate) struct JsonError {
    at: usize,
    what: Cow<'static, str>,
}

/// What the next value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Token {
    /// The name that Jackson has for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::Number => "NUMBER",
            Self::String => "STRING",
            Self::Array => "ARRAY",
            Self::Object => "OBJECT",
        }
    }
}

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<'a> {
    pub(crate) text: &'a str,
    /// Neither a point nor an exponent.
    pub(crate) integral: bool,
}

pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        let at = if input.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { input, at, depth: 0 }
    }

    fn error<T>(&self, what: impl Into<Cow<'static, str>>) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, what: what.into() })
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T, JsonError> {
        match self.input.get(self.at) {
            None => self.error(format!("found the end, expected {expected}")),
            Some(&byte @ 0x20..=0x7e) => {
                self.error(format!("found '{}', expected {expected}", char::from(byte)))
            }
            Some(byte) => self.error(format!("found byte 0x{byte:02x}, expected {expected}")),
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.input.get(self.at) {
            self.at += 1;
        }
    }

    /// Whether nothing but space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.input.len()
    }

    /// Refuses whatever follows the value.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        if self.is_at_end() { Ok(()) } else { self.unexpected("the end") }
    }

    /// What comes next; it is not read yet.
    pub(crate) fn peek(&mut self) -> Result<Token, JsonError> {
        self.space();
        Ok(match self.input.get(self.at) {
            Some(b'n') => Token::Null,
            Some(b't' | b'f') => Token::Boolean,
            Some(b'-' | b'0'..=b'9') => Token::Number,
            Some(b'"') => Token::String,
            Some(b'[') => Token::Array,
            Some(b'{') => Token::Object,
            _ => return self.unexpected("a value"),
        })
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if self.input[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            // `nullx` is no null.
            if self.input.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
                return self.unexpected("the end of a word");
            }
            return Ok(());
        }
        self.error("found a word that is none of null, true, false")
    }

    pub(crate) fn null(&mut self) -> Result<(), JsonError> {
        self.word("null")
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, JsonError> {
        if self.input.get(self.at) == Some(&b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    pub(crate) fn number(&mut self) -> Result<Number<'a>, JsonError> {
        let start = self.at;
        let mut integral = true;
        if self.input.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        self.digits()?;
        if self.input.get(self.at) == Some(&b'.') {
            integral = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.input.get(self.at) {
            integral = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.input.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.at - start > NUMBER_MAX {
            let length = self.at - start;
            return self.error(format!(
                "found a number of {length} characters, expected {NUMBER_MAX} at most"
            ));
        }
        match self.input.get(self.at) {
            None | Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}') => {}
            Some(_) => return self.unexpected("the end of a number"),
        }
        let text = std::str::from_utf8(&self.input[start..self.at]).expect("ASCII");
        Ok(Number { text, integral })
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.input.get(self.at).is_some_and(u8::is_ascii_digit) {
            return self.unexpected("a digit");
        }
        while self.input.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let plain = self.stretch()?;
        if self.input[self.at] == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = String::from(plain);
        while self.input[self.at] == b'\\' {
            text.push(self.escape()?);
            text.push_str(self.stretch()?);
        }
        self.at += 1;
        Ok(Cow::Owned(text))
    }

    /// Characters up to a quote or a backslash, which is next then.
    fn stretch(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        loop {
            match self.input.get(self.at) {
                Some(b'"' | b'\\') => break,
                Some(0..0x20) => return self.unexpected("no control character in a string"),
                Some(_) => self.at += 1,
                None => return self.unexpected("the end of a string"),
            }
        }
        match std::str::from_utf8(&self.input[start..self.at]) {
            Ok(text) => Ok(text),
            Err(error) => {
                self.at = start + error.valid_up_to();
                self.error("found bytes that are no UTF-8")
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let escaped = match self.input.get(self.at) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return self.unexpected("an escaped character"),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// `\uXXXX`, or two of them that are one character beyond the first plane.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff if self.input[self.at..].starts_with(b"\\u") => {
                self.at += 1;
                let second = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return self.error("found half of a surrogate pair");
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.error("found half of a surrogate pair"),
        }
    }

    /// `uXXXX`.
    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.input.get(self.at).and_then(|&byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.unexpected("four hexadecimal digits");
            };
            code = code * 16 + digit;
        }
        self.at += 1;
        Ok(code)
    }

    /// Opens an array or an object.
    pub(crate) fn open(&mut self) -> Result<(), JsonError> {
        if self.depth == DEPTH_MAX {
            return self
                .error(format!("found more than {DEPTH_MAX} arrays and objects in another"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Whether an open array has another element, which is next then; else it is closed.
    pub(crate) fn element(&mut self, first: &mut bool) -> Result<bool, JsonError> {
        self.more(first, b']', "',' or ']'")
    }

    /// The key of an open object's next member, whose value is next then; else it is closed.
    pub(crate) fn member(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>, JsonError> {
        if !self.more(first, b'}', "',' or '}'")? {
            return Ok(None);
        }
        if self.input.get(self.at) != Some(&b'"') {
            return self.unexpected("a string as key");
        }
        let key = self.string()?;
        self.space();
        if self.input.get(self.at) != Some(&b':') {
            return self.unexpected("':'");
        }
        self.at += 1;
        Ok(Some(key))
    }

    fn more(&mut self, first: &mut bool, close: u8, expected: &str) -> Result<bool, JsonError> {
        self.space();
        match self.input.get(self.at) {
            Some(&byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                return Ok(false);
            }
            _ if *first => *first = false,
            Some(b',') => {
                self.at += 1;
                self.space();
            }
            _ => return self.unexpected(expected),
        }
        Ok(true)
    }

    /// Reads over a value and hands out its text.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], JsonError> {
        let token = self.peek()?;
        let start = self.at;
        match token {
            Token::Null => self.null()?,
            Token::Boolean => drop(self.boolean()?),
            Token::Number => drop(self.number()?),
            Token::String => drop(self.string()?),
            Token::Array => {
                self.open()?;
                let mut first = true;
                while self.element(&mut first)? {
                    self.skip()?;
                }
            }
            Token::Object => {
                self.open()?;
                let mut first = true;
                while self.member(&mut first)?.is_some() {
                    self.skip()?;
                }
            }
        }
        Ok(&self.input[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<(), String> {
        let mut reader = Reader::new(text.as_bytes());
        reader.skip().and_then(|_| reader.end()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_json_is_told_by_its_byte() {
        for (text, message) in [
            ("", "byte 0: found the end, expected a value"),
            ("{\"a\":1,}", "byte 7: found '}', expected a string as key"),
            ("[1 2]", "byte 3: found '2', expected ',' or ']'"),
            ("[1,]", "byte 3: found ']', expected a value"),
            ("1 2", "byte 2: found '2', expected the end"),
            ("\"a\u{1}\"", "byte 2: found byte 0x01, expected no control character in a string"),
            ("\"\\ud800\"", "byte 7: found half of a surrogate pair"),
            ("\"\\ud800\\u0041\"", "byte 13: found half of a surrogate pair"),
            ("1.", "byte 2: found the end, expected a digit"),
            ("-", "byte 1: found the end, expected a digit"),
            ("1x", "byte 1: found 'x', expected the end of a number"),
            ("nul", "byte 0: found a word that is none of null, true, false"),
            ("NaN", "byte 0: found 'N', expected a value"),
        ] {
            assert_eq!(skip(text).unwrap_err(), message, "{text}");
        }
        let deep = "[".repeat(129);
        assert!(skip(&deep).unwrap_err().contains("more than 128"));
        assert!(skip(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_ok());
        assert!(skip(&"1".repeat(1_001)).unwrap_err().contains("1001 characters"));
    }

    #[test]
    fn escapes_become_their_characters() {
        let mut reader = Reader::new(br#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#);
        assert_eq!(reader.peek(), Ok(Token::String));
        assert_eq!(reader.string().unwrap(), "\"\\/\u{8}\u{c}\n\r\té😀z");
    }

    #[test]
    fn leading_zeros_and_a_byte_order_mark_are_read_as_jackson_reads_them() {
        assert_eq!(skip("\u{feff}007"), Ok(()));
    }
}
