//! Why a record cannot be transformed, with the exception that Connect would throw.

use crate::connect::SchemaMismatch;

/// A failure, before it is known which transform of a chain it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exception: &'static str,
    pub(super) message: String,
}

impl Failure {
    fn new(exception: &'static str, message: impl Into<String>) -> Self {
        Self { exception, message: message.into() }
    }

    /// The data is not what the transform needs.
    pub(super) fn data(message: impl Into<String>) -> Self {
        Self::new("org.apache.kafka.connect.errors.DataException", message)
    }

    /// Connect itself gives up.
    pub(super) fn connect(message: impl Into<String>) -> Self {
        Self::new("org.apache.kafka.connect.errors.ConnectException", message)
    }

    /// A schema cannot be built.
    pub(super) fn schema(message: impl Into<String>) -> Self {
        Self::new("org.apache.kafka.connect.errors.SchemaBuilderException", message)
    }

    /// An argument is none.
    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self::new("java.lang.IllegalArgumentException", message)
    }

    /// Java stumbles over something that is not there.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new("java.lang.NullPointerException", message)
    }
}

impl From<SchemaMismatch> for Failure {
    fn from(mismatch: SchemaMismatch) -> Self {
        Self::data(mismatch.0)
    }
}
