//! What other brokers left on disk, read so that a device notices no change of broker.
//!
//! Readers are pure: bytes in, plain data or an error out. They open no file and know no store.

pub mod mosquitto_db;
