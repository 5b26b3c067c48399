//! One error of a file an operator wrote: the line, what stands there, what should.
//!
//! A password, a hash or a line that might hold one never becomes part of a message.

/// More errors than this in one file tell nobody anything; the rest is not collected.
const ERRORS_MAX: usize = 100;

/// Longest piece of the file that is repeated in a message, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// What is wrong with one line of a password or ACL file; the caller adds the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found {found}, expected {expected}")]
pub struct FileError {
    /// Line number, from 1.
    pub line: usize,
    /// What the line holds, without secrets.
    pub found: String,
    /// What would have been accepted.
    pub expected: String,
}

/// The errors of one file in the order of their lines, bounded.
#[derive(Default)]
pub(crate) struct FileErrors(Vec<FileError>);

impl FileErrors {
    /// Notes an error; past the limit only that there were more.
    pub(crate) fn push(
        &mut self,
        line: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let error = match self.0.len() {
            0..ERRORS_MAX => FileError { line, found: found.into(), expected: expected.into() },
            ERRORS_MAX => FileError {
                line,
                found: format!("more than {ERRORS_MAX} errors, the rest is not listed"),
                expected: "a file of this format".into(),
            },
            _ => return,
        };
        self.0.push(error);
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, if nothing was wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<FileError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// A piece of the file in quotes, control characters escaped, shortened when it is long.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The file's lines with their numbers from 1, without line ends; a byte order mark, which
/// editors on Windows write, is not part of the first line.
pub(crate) fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}
