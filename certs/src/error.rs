//! What can be wrong with TLS files, in words an operator can act on.
//!
//! Every message names the option, the file, what was found and what was expected; none of them
//! contains key material.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A TLS configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file could not be read at all.
    #[error("{option} {}: {source}, a readable file was expected", path.display())]
    Unreadable {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else than its option asks for.
    #[error("{option} {}: {found}, {expected} was expected", path.display())]
    Unexpected {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// Certificate and key are each fine, but not a pair.
    #[error(
        "keyfile {}: the key does not match the certificate in certfile {}, \
         the private key that belongs to this certificate was expected",
        keyfile.display(), certfile.display()
    )]
    KeyMismatch {
        /// The private key's file.
        keyfile: PathBuf,
        /// The certificate's file.
        certfile: PathBuf,
    },
    /// An option is needed because of another one.
    #[error("{option}: not set, a file was expected because of {because}")]
    Missing {
        /// The option that is not set.
        option: &'static str,
        /// What needs it.
        because: &'static str,
    },
}

/// Something that works today but needs the operator's attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The option that names the file.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.option, self.path.display(), self.found)
    }
}

/// A client certificate from which no user name can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are no X.509 certificate.
    #[error("the client certificate is not valid DER")]
    BadEncoding,
    /// There is no common name, or the subject is empty.
    #[error("the client certificate has no {0}")]
    Missing(&'static str),
    /// A NUL would let one name pass for another in programs that stop at it.
    #[error("the client certificate's {0} contains a NUL character")]
    Nul(&'static str),
    /// MQTT user names are UTF-8.
    #[error("the client certificate's {0} is not valid UTF-8")]
    NotUtf8(&'static str),
}
