//! Password files: `user:hash` lines, their hashes, and the memory of passwords that were right.
//!
//! A [`PasswordFile`] is wholly valid because it exists: every line names a user once and holds a
//! hash whose cost is bounded. No type here that holds a hash, a salt or a key has a `Debug`, and
//! no error repeats the right side of a line.

mod encoding;
mod file;
mod hash;
mod limits;
mod upgrade;
mod verified;

#[cfg(test)]
mod tests;

pub use file::{InvalidUser, PasswordFile};
pub use hash::{Hash, Scheme};
pub use limits::{HashError, LimitExceeded};
pub use upgrade::upgrade;
pub use verified::VerifiedCache;
