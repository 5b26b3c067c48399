//! A value that must not reach a log, an error message or a debug print.
//!
//! The type has neither `Debug` nor `Display`: whoever needs the text says so with
//! [`Secret::expose`].

/// A password, a key or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that has to send or check it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
