//! What one worker has counted.

use std::ops::AddAssign;

use midge_core::Stats;

/// Counters of a worker: its shard's and its sockets'.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Of the shard.
    pub shard: Stats,
    /// Read from clients' sockets, TLS included.
    pub bytes_received: u64,
    /// Written to clients' sockets, TLS included.
    pub bytes_sent: u64,
    /// Sockets accepted.
    pub sockets_accepted: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Report) {
        self.shard += other.shard;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.sockets_accepted += other.sockets_accepted;
    }
}
