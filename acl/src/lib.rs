//! Password files and access control lists of Mosquitto: text in, decisions out.
//!
//! This crate opens no file, knows no session and draws no random number: whoever calls it reads
//! the text, passes salts and keys, and acts on the answer. Hashing a password is slow on purpose;
//! [`Hash::verify`] belongs on a pool, never on a thread that moves messages.

mod acl;
mod file_error;
mod password;

pub use acl::{Access, Acl, Line, NeverReason, Verdict, Who};
pub use file_error::FileError;
pub use password::{
    Hash, HashError, InvalidUser, LimitExceeded, PasswordFile, Scheme, VerifiedCache, upgrade,
};
