//! Files of `user:password` in plain text become password files.
//!
//! A value that starts like one of the three hash formats is taken for that hash and kept, so that
//! a second run changes nothing; `mosquitto_passwd -U` would hash the hash. As there, spaces around
//! a password do not belong to it; a colon within it does.

use super::encoding::{self, Refused};
use super::file::PasswordFile;
use super::hash::{Hash, Scheme};
use super::limits::HashError;
use crate::file_error::FileError;

/// Hashes every password of `text` that stands there in plain text; `salt` returns that many
/// random bytes, new ones at each call.
///
/// # Errors
/// Every line that is neither a comment nor empty nor `user:password` nor `user:hash`.
pub fn upgrade(
    text: &str,
    scheme: Scheme,
    mut salt: impl FnMut(usize) -> Vec<u8>,
) -> Result<PasswordFile, Vec<FileError>> {
    PasswordFile::read(text, |value, hash_it| {
        if value.is_empty() {
            return Err(Refused::new("no password", "user:password"));
        }
        if encoding::claims_to_be_hash(value) {
            return encoding::decode(value);
        }
        if !hash_it {
            // The file is refused already; this line has nothing wrong that hashing would show.
            return Ok(Hash::placeholder());
        }
        Hash::create(scheme, value.as_bytes(), &salt(scheme.salt_bytes())).map_err(|e| match e {
            HashError::Limit(limit) => limit.into(),
            HashError::OutOfMemory { memory_kib } => {
                Refused::new("too little free memory", format!("{memory_kib} KiB for one hash"))
            }
        })
    })
}
