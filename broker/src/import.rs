//! What other brokers left on disk, read so that a device notices no change of broker.
//!
//! Readers and plans are pure: bytes in, plain data or an error out. Only [`first_start`] touches
//! files, and nothing but the journal it makes.

pub(crate) mod first_start;
pub mod mosquitto_db;
mod plan;
