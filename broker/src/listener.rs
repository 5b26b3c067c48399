//! From a listening socket to an authenticated client.
//!
//! Every worker accepts from its own copy of each socket and does the handshake of what it
//! accepted; a client is handed to its home once, after its CONNECT. Until then a peer costs a
//! bounded amount of memory for a bounded time.

mod accept;
pub(crate) mod admission;
pub(crate) mod bind;
pub(crate) mod handshake;

pub(crate) use accept::Listening;
