//! The text of a hash: `$6$salt$digest`, `$7$iterations$salt$digest` and
//! `$argon2id$v=19$m=…,t=…,p=…$salt$digest`.
//!
//! What is read here is within the limits and shows up again, byte for byte, through `Display`
//! (argon2id without `v=` means version 16 and is written with it).

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

use super::hash::{Argon2Version, DIGEST_BYTES, Derivation, Hash};
use super::limits::{self, LimitExceeded};

/// Why a text is no hash; it never repeats the text, which may be a password.
pub(super) struct Refused {
    pub(super) found: String,
    pub(super) expected: String,
}

impl Refused {
    pub(super) fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { found: found.into(), expected: expected.into() }
    }
}

impl From<LimitExceeded> for Refused {
    fn from(limit: LimitExceeded) -> Self {
        Self::new(
            format!("{} {}", limit.parameter, limit.found),
            format!("{} to {}", limit.least, limit.most),
        )
    }
}

/// Whether a text claims to be a hash of one of the three formats.
pub(super) fn claims_to_be_hash(text: &str) -> bool {
    ["$6$", "$7$", "$argon2id$"].iter().any(|prefix| text.starts_with(prefix))
}

/// Reads the text of a hash.
pub(super) fn decode(text: &str) -> Result<Hash, Refused> {
    const FORMATS: &str =
        "a hash that starts with $6$, $7$ or $argon2id$ (midge passwd writes one)";
    if text.is_empty() {
        return Err(Refused::new("no hash", FORMATS));
    }
    let Some(fields) = text.strip_prefix('$') else {
        return Err(Refused::new("a password in plain text", FORMATS));
    };
    let fields: Vec<&str> = fields.splitn(7, '$').collect();
    match fields[..] {
        ["6", salt, digest] => decode_sha512(salt, digest),
        ["6", ..] => Err(Refused::new("a $6$ hash of other parts", "$6$salt$hash")),
        ["7", iterations, salt, digest] => decode_pbkdf2(iterations, salt, digest),
        ["7", ..] => Err(Refused::new("a $7$ hash of other parts", "$7$iterations$salt$hash")),
        ["argon2id", version, costs, salt, digest] => {
            decode_argon2id(Some(version), costs, salt, digest)
        }
        ["argon2id", costs, salt, digest] => decode_argon2id(None, costs, salt, digest),
        ["argon2id", ..] => Err(Refused::new(
            "an argon2id hash of other parts",
            "$argon2id$v=19$m=…,t=…,p=…$salt$hash",
        )),
        ["argon2i" | "argon2d", ..] => {
            Err(Refused::new("another variant of argon2", "$argon2id$, which both replaces"))
        }
        _ => Err(Refused::new("a hash of an unknown kind or a password in plain text", FORMATS)),
    }
}

fn decode_sha512(salt: &str, digest: &str) -> Result<Hash, Refused> {
    Ok(Hash {
        derivation: Derivation::Sha512,
        salt: decode_salt(salt)?,
        digest: decode_digest(digest)?,
    })
}

fn decode_pbkdf2(iterations: &str, salt: &str, digest: &str) -> Result<Hash, Refused> {
    let iterations = decode_number("pbkdf2 iterations", iterations)?;
    limits::pbkdf2_iterations(iterations)?;
    let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
    Ok(Hash {
        // The limit has just ruled out zero.
        derivation: Derivation::Pbkdf2 { iterations: iterations.unwrap_or(NonZeroU32::MIN) },
        salt: decode_salt(salt)?,
        digest: decode_digest(digest)?,
    })
}

fn decode_argon2id(
    version: Option<&str>,
    costs: &str,
    salt: &str,
    digest: &str,
) -> Result<Hash, Refused> {
    let version = match version {
        // Strings of before version 19 carry no version.
        None | Some("v=16") => Argon2Version::V16,
        Some("v=19") => Argon2Version::V19,
        Some(_) => return Err(Refused::new("another argon2id version", "v=16 or v=19")),
    };
    let parts: Vec<&str> = costs.splitn(4, ',').collect();
    let [memory_kib, passes, lanes] = parts[..] else {
        return Err(Refused::new("other argon2id parameters", "m=…,t=…,p=…"));
    };
    let cost = |part: &str, name: &'static str, key: &str| match part.strip_prefix(key) {
        Some(number) => decode_number(name, number),
        None => Err(Refused::new("other argon2id parameters", "m=…,t=…,p=…")),
    };
    let memory_kib = cost(memory_kib, "argon2id memory (m)", "m=")?;
    let passes = cost(passes, "argon2id passes (t)", "t=")?;
    let lanes = cost(lanes, "argon2id lanes (p)", "p=")?;
    limits::argon2(memory_kib, passes, lanes)?;
    let decode = |what: &str, field: &str| {
        BASE64_STANDARD_NO_PAD.decode(field).map_err(|_| {
            Refused::new(format!("an argon2id {what} that is no base64"), "base64 without padding")
        })
    };
    let salt = decode("salt", salt)?;
    limits::argon2_salt_bytes(salt.len())?;
    let digest = decode("hash", digest)?;
    limits::argon2_digest_bytes(digest.len())?;
    Ok(Hash {
        derivation: Derivation::Argon2id {
            version,
            // The limits lie within 32 bits.
            memory_kib: memory_kib as u32,
            passes: passes as u32,
            lanes: lanes as u32,
        },
        salt: salt.into(),
        digest: digest.into(),
    })
}

/// A decimal number; one too long for 64 bits is as far above every limit as the largest.
fn decode_number(what: &str, text: &str) -> Result<u64, Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::new(format!("{what} that are no number"), "a decimal number"));
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

fn decode_salt(text: &str) -> Result<Box<[u8]>, Refused> {
    let salt = BASE64_STANDARD
        .decode(text)
        .map_err(|_| Refused::new("a salt that is no base64", "base64 with padding"))?;
    limits::salt_bytes(salt.len())?;
    Ok(salt.into())
}

fn decode_digest(text: &str) -> Result<Box<[u8]>, Refused> {
    let digest = BASE64_STANDARD
        .decode(text)
        .map_err(|_| Refused::new("a hash that is no base64", "base64 with padding"))?;
    if digest.len() != DIGEST_BYTES {
        return Err(Refused::new(
            format!("a hash of {} bytes", digest.len()),
            format!("{DIGEST_BYTES} bytes"),
        ));
    }
    Ok(digest.into())
}

/// The text `mosquitto_passwd` writes after `user:`.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let bare = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
        match self.derivation {
            Derivation::Sha512 => {
                write!(f, "$6${}${}", padded(&self.salt), padded(&self.digest))
            }
            Derivation::Pbkdf2 { iterations } => {
                write!(f, "$7${iterations}${}${}", padded(&self.salt), padded(&self.digest))
            }
            Derivation::Argon2id { version, memory_kib, passes, lanes } => write!(
                f,
                "$argon2id$v={}$m={memory_kib},t={passes},p={lanes}${}${}",
                version as u8,
                bare(&self.salt),
                bare(&self.digest)
            ),
        }
    }
}
