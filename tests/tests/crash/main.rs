//! The end of the process or of the power at any moment, with the real binary.
//!
//! A fleet of clients publishes, subscribes, comes and goes ([`fleet`]), the broker is killed under
//! them again and again, and in the end everything is counted ([`ledger`]). For a power cut a library
//! loaded into the broker keeps record of what was synced, and what was not is lost at random.
//!
//! Invariant: a failing test says from which seed it goes again, and tells the story of the message
//! concerned.

mod bridge;
mod conversions;
mod disk;
mod failed_sync;
mod fleet;
mod full_disk;
mod kills;
mod ledger;
mod link;
mod mix;
mod payload;
mod power_cuts;
mod preload;
mod publisher;
mod random;
mod receiver;
mod session;
mod start_up;
mod witness;
