//! Why a file is no database of Mosquitto's, or not a whole one.

/// Why a database cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It does not begin as one.
    #[error("found a file that does not begin with Mosquitto's mark, expected a mosquitto.db")]
    NotADatabase,
    /// It is one in a format that is not read.
    #[error(
        "found format version {version}, expected 5 (Mosquitto 1.6) or 6 (2.0, 2.1){}",
        if *version < 5 { "; a start and a stop of Mosquitto 2.0 rewrites it" } else { "" }
    )]
    Version {
        /// The version found.
        version: u32,
    },
    /// It is damaged.
    #[error("byte {offset}, in {chunk}: found {found}, expected {expected}")]
    Damaged {
        /// Where in the file.
        offset: usize,
        /// What was being read there.
        chunk: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
}
