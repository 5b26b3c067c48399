//! What a stored hash may cost, so that a line in a file cannot stall or exhaust the broker.
//!
//! Each limit lies above what the standards recommend and below what harms: the dearest hash that
//! is accepted takes seconds, not minutes, and a gibibyte, not the machine.

/// Iterations of PBKDF2; about a second of one core. OWASP recommends 210,000.
const PBKDF2_ITERATIONS_MAX: u64 = 1_000_000;

/// Memory of one argon2id computation in KiB: 1 GiB, libsodium's "sensitive" level.
const ARGON2_MEMORY_KIB_MAX: u64 = 1024 * 1024;

/// KiB that argon2id touches in all its passes: four over the largest memory.
const ARGON2_WORK_KIB_MAX: u64 = 4 * ARGON2_MEMORY_KIB_MAX;

/// Lanes of argon2id; they are computed one after the other here, more bring nothing.
const ARGON2_LANES_MAX: u64 = 64;

/// Bytes of a salt; `mosquitto_passwd` writes 12 or 64.
const SALT_BYTES_MAX: u64 = 64;

/// Argon2 takes no salt of less than 8 bytes (RFC 9106, section 3.1).
const ARGON2_SALT_BYTES_MIN: u64 = 8;

/// Bytes of an argon2id digest: under 16 it could be guessed, over 64 none is written.
const ARGON2_DIGEST_BYTES: [u64; 2] = [16, 64];

/// A parameter of a password hash outside its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {parameter} {found}, expected {least} to {most}")]
pub struct LimitExceeded {
    /// Which parameter.
    pub parameter: &'static str,
    /// Its value.
    pub found: u64,
    /// The smallest accepted value.
    pub least: u64,
    /// The largest accepted value.
    pub most: u64,
}

/// Why a password was not hashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// What was asked for is outside the limits.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The machine has not the memory the scheme takes.
    #[error("found too little free memory, expected {memory_kib} KiB for one hash")]
    OutOfMemory {
        /// Memory of one computation.
        memory_kib: u32,
    },
}

fn within(
    parameter: &'static str,
    found: u64,
    [least, most]: [u64; 2],
) -> Result<(), LimitExceeded> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(LimitExceeded { parameter, found, least, most })
    }
}

/// Judges the iterations of `$7$`.
pub(super) fn pbkdf2_iterations(found: u64) -> Result<(), LimitExceeded> {
    within("pbkdf2 iterations", found, [1, PBKDF2_ITERATIONS_MAX])
}

/// Judges `m`, `t` and `p` of `$argon2id$`.
pub(super) fn argon2(memory_kib: u64, passes: u64, lanes: u64) -> Result<(), LimitExceeded> {
    within("argon2id lanes (p)", lanes, [1, ARGON2_LANES_MAX])?;
    // RFC 9106, section 3.1: at least 8 KiB a lane.
    within("argon2id memory in KiB (m)", memory_kib, [8 * lanes, ARGON2_MEMORY_KIB_MAX])?;
    within("argon2id passes (t) over this memory", passes, [1, ARGON2_WORK_KIB_MAX / memory_kib])
}

/// Judges the salt of `$6$` and `$7$`.
pub(super) fn salt_bytes(found: usize) -> Result<(), LimitExceeded> {
    within("salt bytes", found as u64, [1, SALT_BYTES_MAX])
}

/// Judges the salt of `$argon2id$`.
pub(super) fn argon2_salt_bytes(found: usize) -> Result<(), LimitExceeded> {
    within("argon2id salt bytes", found as u64, [ARGON2_SALT_BYTES_MIN, SALT_BYTES_MAX])
}

/// Judges the digest of `$argon2id$`.
pub(super) fn argon2_digest_bytes(found: usize) -> Result<(), LimitExceeded> {
    within("argon2id hash bytes", found as u64, ARGON2_DIGEST_BYTES)
}
