//! One stored password: how it was derived, with which salt, to which digest.
//!
//! Its parameters are within the limits, so that checking a password always ends soon; digests are
//! compared in constant time.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, pbkdf2};

use super::limits::{self, HashError};

/// Bytes of a SHA-512, the digest of `$6$` and `$7$`, and of the digests that are made here.
pub(super) const DIGEST_BYTES: usize = 64;

/// How a new hash is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `$6$`: one round of SHA-512, the format of Mosquitto up to 1.6. Weak, for old files only.
    Sha512,
    /// `$7$`: PBKDF2-HMAC-SHA512, the format of Mosquitto since 2.0.
    Pbkdf2 {
        /// Rounds; `mosquitto_passwd` 2.1 uses [`Scheme::DEFAULT_ITERATIONS`].
        iterations: u32,
    },
    /// `$argon2id$` with the parameters of `mosquitto_passwd` 2.1: `m=47104,t=1,p=1`.
    Argon2id,
}

impl Scheme {
    /// The iterations of `$7$` unless somebody asks for others.
    pub const DEFAULT_ITERATIONS: u32 = 1000;

    /// Bytes of salt to draw for [`Hash::create`]: those that every Mosquitto that knows the
    /// scheme reads.
    #[must_use]
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::Sha512 | Self::Pbkdf2 { .. } => 12,
            Self::Argon2id => 64,
        }
    }
}

/// The two versions of argon2 that were ever in use; their numbers are those of the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Argon2Version {
    V16 = 16,
    V19 = 19,
}

impl From<Argon2Version> for Version {
    fn from(version: Argon2Version) -> Self {
        match version {
            Argon2Version::V16 => Self::V0x10,
            Argon2Version::V19 => Self::V0x13,
        }
    }
}

/// How a digest comes from password and salt, with every parameter that makes it dear.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Derivation {
    Sha512,
    Pbkdf2 { iterations: NonZeroU32 },
    Argon2id { version: Argon2Version, memory_kib: u32, passes: u32, lanes: u32 },
}

impl Derivation {
    pub(super) const ARGON2ID_DEFAULT: Self =
        Self::Argon2id { version: Argon2Version::V19, memory_kib: 47_104, passes: 1, lanes: 1 };
}

/// A stored password hash.
///
/// It has no `Debug`: a hash is a secret. `Display` is the text of the password file.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    pub(super) derivation: Derivation,
    pub(super) salt: Box<[u8]>,
    pub(super) digest: Box<[u8]>,
}

impl Hash {
    /// Hashes a password with a salt the caller drew at random ([`Scheme::salt_bytes`] of it).
    ///
    /// # Errors
    /// The iterations or the salt's length are outside the limits, or memory is short.
    pub fn create(scheme: Scheme, password: &[u8], salt: &[u8]) -> Result<Self, HashError> {
        let derivation = match scheme {
            Scheme::Sha512 => Derivation::Sha512,
            Scheme::Pbkdf2 { iterations } => {
                limits::pbkdf2_iterations(iterations.into())?;
                // The limit has just ruled out zero.
                Derivation::Pbkdf2 {
                    iterations: NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN),
                }
            }
            Scheme::Argon2id => Derivation::ARGON2ID_DEFAULT,
        };
        match derivation {
            Derivation::Argon2id { .. } => limits::argon2_salt_bytes(salt.len())?,
            _ => limits::salt_bytes(salt.len())?,
        }
        let mut digest = vec![0; DIGEST_BYTES].into_boxed_slice();
        derive(derivation, password, salt, &mut digest)?;
        Ok(Self { derivation, salt: salt.into(), digest })
    }

    /// Whether `password` is the one that was stored. Slow on purpose.
    ///
    /// Without the memory that argon2id asks for the answer is `false`: a check that could not be
    /// made lets nobody in.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let mut digest = vec![0; self.digest.len()];
        derive(self.derivation, password, &self.salt, &mut digest).is_ok()
            && verify_slices_are_equal(&digest, &self.digest).is_ok()
    }

    /// A short name of exactly this stored hash, cheap to compute: it changes with password, salt
    /// and parameters, so what was remembered under it ends when the line is changed.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        let text = self.to_string();
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        fingerprint
    }

    /// Stands for a hash that need not be made, since its file is refused.
    pub(super) fn placeholder() -> Self {
        Self::decoy(Derivation::Sha512, 1)
    }

    /// A hash that costs what `derivation` costs and that no password is known to fulfil.
    pub(super) fn decoy(derivation: Derivation, salt_bytes: usize) -> Self {
        Self { derivation, salt: vec![0; salt_bytes].into(), digest: vec![0; DIGEST_BYTES].into() }
    }
}

/// Fills `digest`; within the limits only memory can be missing.
fn derive(
    derivation: Derivation,
    password: &[u8],
    salt: &[u8],
    digest: &mut [u8],
) -> Result<(), HashError> {
    match derivation {
        Derivation::Sha512 => {
            let mut context = digest::Context::new(&digest::SHA512);
            context.update(password);
            context.update(salt);
            digest.copy_from_slice(context.finish().as_ref());
            Ok(())
        }
        Derivation::Pbkdf2 { iterations } => {
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, iterations, salt, password, digest);
            Ok(())
        }
        Derivation::Argon2id { version, memory_kib, passes, lanes } => {
            Params::new(memory_kib, passes, lanes, None)
                .map(|params| Argon2::new(Algorithm::Argon2id, version.into(), params))
                .and_then(|argon2| argon2.hash_password_into(password, salt, digest))
                .map_err(|_| HashError::OutOfMemory { memory_kib })
        }
    }
}
