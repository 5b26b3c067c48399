//! Who a client is and what it may do.
//!
//! Passwords are checked on a pool of their own; everything else here is decided at once. Nothing
//! waits without a bound, and a secret never reaches a log.

mod authenticator;
mod authorizer;
mod failures;
mod pool;

pub(crate) use authenticator::{Authenticator, Credentials};
pub(crate) use authorizer::Authorizer;

/// How a client proved who it is, as far as it matters when the rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// It gave no user name.
    Anonymous,
    /// It gave a user name where no password file is configured.
    Unchecked,
    /// Its password matched the stored hash with this fingerprint.
    Password([u8; 32]),
    /// TLS checked its certificate.
    Certificate,
}
