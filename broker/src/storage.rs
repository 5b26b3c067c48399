//! What the broker keeps on disk: one journal, opened before anybody is let in, and what every
//! shard begins with.
//!
//! No worker runs before the shards have taken back what the journal holds and have told each other
//! of it, so no client meets a broker that knows half. [`transaction`] carries what a shard wants
//! written into the journal's own words: whoever drives shards over another journal, such as a
//! simulation, uses it too.

mod begin;
mod check;
mod open;
mod recover;
mod transaction;
mod watch;

pub(crate) use begin::{Beginning, begin};
pub(crate) use check::check;
pub use open::StorageError;
pub(crate) use open::{Opened, open};
pub(crate) use recover::{Recovered, recover};
pub use transaction::{queue_summary, stored_entry, transaction};
pub(crate) use watch::watch;
