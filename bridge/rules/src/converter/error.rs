//! Why a conversion cannot be done, by whose fault.
//!
//! Invariant: [`ConvertError::Data`] will be the same however often it is tried again, and
//! [`ConvertError::Ask`] is gone once its question is answered.

use super::registry::Question;

/// Why there is no value, or are no bytes, yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The record itself is at fault, in Connect's words where it has some.
    #[error("{0}")]
    Data(String),
    /// A schema registry has to be asked first; then the same call again.
    #[error("a schema registry has to be asked: {0}")]
    Ask(Box<Question>),
}

impl ConvertError {
    pub(super) fn data(message: impl Into<String>) -> Self {
        Self::Data(message.into())
    }
}

/// What is wrong with a converter's options; all of it, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.join("\n"))]
pub struct InvalidOptions(pub Vec<String>);
