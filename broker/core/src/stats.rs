//! Counters of one shard, read by $SYS and metrics.

use std::ops::AddAssign;

/// What a shard has counted since it began (`_total` in spirit) and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets of any kind.
    pub packets_received: u64,
    /// Packets of any kind.
    pub packets_sent: u64,
    /// PUBLISH packets.
    pub publish_received: u64,
    /// PUBLISH packets.
    pub publish_sent: u64,
    /// Bytes of application messages.
    pub publish_bytes_received: u64,
    /// Bytes of application messages.
    pub publish_bytes_sent: u64,
    /// Messages not delivered to a session, by reason.
    pub dropped: Dropped,
    /// Publishes that access control refused.
    pub publish_denied: u64,
    /// Sessions with a connection, now.
    pub clients_connected: u64,
    /// Sessions without one, now.
    pub clients_disconnected: u64,
    /// The most there were at once.
    pub clients_maximum: u64,
    /// Sessions whose expiry interval ran out.
    pub clients_expired: u64,
    /// Connections accepted.
    pub connects: u64,
    /// Subscriptions, now.
    pub subscriptions: u64,
    /// Shared ones among them, now.
    pub shared_subscriptions: u64,
    /// Retained messages this shard answers for, now.
    pub retained: u64,
    /// QoS 1 and 2 messages under way to clients, now.
    pub inflight: u64,
    /// Messages waiting for sessions, now.
    pub queued: u64,
    /// Bytes of them, now.
    pub queued_bytes: u64,
}

/// What a shard holds at one moment: all of it is zero once every client is gone and nothing is
/// retained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Sessions, online and offline.
    pub sessions: usize,
    /// Live connections.
    pub connections: usize,
    /// Closed connections whose last bytes nobody took.
    pub closing: usize,
    /// Duties that are not met.
    pub duties: usize,
    /// Groups of shared subscriptions that live here.
    pub groups: usize,
    /// Requests that wait for other shards.
    pub requests: usize,
    /// Entries that are due some time.
    pub timers: usize,
    /// Values in the map of filters.
    pub subscribers: usize,
    /// Filters that other shards have subscribers for.
    pub interest: usize,
    /// Retained messages.
    pub retained: usize,
    /// Whether anything waits for the store.
    pub waits_for_store: bool,
}

/// Messages a session did not get, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The session's queue was at its limit.
    pub queue_full: u64,
    /// Memory ran out and this was the largest queue.
    pub memory: u64,
    /// The Message Expiry Interval passed while it waited.
    pub expired: u64,
    /// Larger than the client's Maximum Packet Size ([MQTT-3.1.2-25]).
    pub too_large: u64,
    /// Access was taken away while it waited.
    pub access: u64,
    /// A shared group had no member left to take it.
    pub no_member: u64,
    /// Its bytes in the store were damaged.
    pub damaged: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Dropped { queue_full, memory, expired, too_large, access, no_member, damaged } = *self;
        queue_full + memory + expired + too_large + access + no_member + damaged
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.packets_received += other.packets_received;
        self.packets_sent += other.packets_sent;
        self.publish_received += other.publish_received;
        self.publish_sent += other.publish_sent;
        self.publish_bytes_received += other.publish_bytes_received;
        self.publish_bytes_sent += other.publish_bytes_sent;
        self.dropped.queue_full += other.dropped.queue_full;
        self.dropped.memory += other.dropped.memory;
        self.dropped.expired += other.dropped.expired;
        self.dropped.too_large += other.dropped.too_large;
        self.dropped.access += other.dropped.access;
        self.dropped.no_member += other.dropped.no_member;
        self.dropped.damaged += other.dropped.damaged;
        self.publish_denied += other.publish_denied;
        self.clients_connected += other.clients_connected;
        self.clients_disconnected += other.clients_disconnected;
        self.clients_maximum += other.clients_maximum;
        self.clients_expired += other.clients_expired;
        self.connects += other.connects;
        self.subscriptions += other.subscriptions;
        self.shared_subscriptions += other.shared_subscriptions;
        self.retained += other.retained;
        self.inflight += other.inflight;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
    }
}
