//! Where a setting stands, what is wrong with it, and what was accepted without effect.
//!
//! Messages never contain the value of a secret.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of a file, counted from 1.
    Line {
        /// The file, as it was named.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A file as a whole: it cannot be read, or something is missing in it.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// An option on the command line.
    CommandLine(&'static str),
    /// The configuration as a whole.
    Whole,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine(option) => write!(f, "command line {option}"),
            Self::Whole => write!(f, "configuration"),
        }
    }
}

/// One mistake in the configuration.
///
/// Prints as one line: `FILE:LINE: KEY: what was found, what was expected`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{origin}: {}{message}", Key(key))]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// The directive, option or property; empty when the mistake is not about one.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
}

/// Something accepted without effect, or with another effect than its name says.
///
/// To be logged once at start and at each reload. Prints as one line like [`ConfigError`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// Where it stands.
    pub origin: Origin,
    /// `not supported yet: …`, `ignored: …` or another plain sentence.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// A key with its separator, nothing when there is no key.
struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}
