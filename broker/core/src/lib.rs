//! The shard: sessions, routing, retained messages and duties as one state machine without IO.
//!
//! A broker runs one [`Shard`] per worker thread; every session has its home in one of them for
//! life. The caller feeds a shard with [`In`], takes what it wants done from [`Shard::poll`] as
//! [`Out`], writes what [`Shard::output`] holds to the sockets, and calls [`Shard::tick`] when
//! [`Shard::deadline`] has come. Time is an argument ([`Now`]), randomness is a seed, and the
//! messages between shards are values ([`PeerMessage`]), so that any number of shards run in one
//! deterministic simulation.
//!
//! What this crate does not do: no sockets, no threads, no files, no clocks, no locks. It trusts
//! its caller to deliver peer messages in the order they were sent, from each shard to each other
//! one, and exactly once.

mod commit;
mod connection;
mod duty;
mod event;
mod filters;
mod message;
mod output;
mod retained;
mod session;
mod settings;
mod shard;
mod shared;
mod stats;
pub mod stored;
mod timers;

pub use commit::{Operation, Position, QueueId, Reference, StoredEntry};
pub use event::{
    Attach, ConnectionId, DutyId, In, Inject, Now, Offer, Out, PeerMessage, ShardId, Ticket,
};
pub use message::{Client, Memory, Message, Origin};
pub use output::Output;
pub use session::packet_id;
pub use settings::{Authorize, Generation, Limits, QueueFull, Tap, TapId, Verdict};
pub use shard::Shard;
pub use stats::{Dropped, Footprint, Stats};
