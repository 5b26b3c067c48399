//! Every limit on what a client, a session and the process may take, with its default and reason.
//!
//! Nothing in the program grows without a number from here.

use std::time::Duration;

/// What a client, a session and the process may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Clients connected at once over all listeners; `None` leaves it to file descriptors.
    pub max_connections: Option<usize>,
    /// The largest packet accepted, and told to MQTT 5 clients as Maximum Packet Size.
    pub max_packet_size: usize,
    /// The largest payload accepted in a PUBLISH; `None` leaves it to `max_packet_size`.
    pub message_size_limit: Option<usize>,
    /// QoS 1 and 2 messages in flight toward one client, within its own Receive Maximum.
    pub max_inflight_messages: u16,
    /// Bytes of QoS 1 and 2 payload in flight toward one client; `None` is no limit.
    pub max_inflight_bytes: Option<usize>,
    /// QoS 1 and 2 messages waiting for one session beyond those in flight; `None` is no limit.
    pub max_queued_messages: Option<usize>,
    /// Bytes of payload waiting for one session beyond those in flight; `None` is no limit.
    pub max_queued_bytes: Option<usize>,
    /// What becomes of a QoS 1 or 2 message that a session's queue has no room for.
    pub queue_full: QueueFull,
    /// Queue QoS 0 messages too for a session that is offline.
    pub queue_qos0_messages: bool,
    /// The longest keep alive; a client that asks for more, or for none, is told this one
    /// (MQTT 5) or refused (3.x). `None` is no limit.
    pub max_keepalive: Option<u16>,
    /// A session without a client ends after this time at the latest; `None` is never.
    pub persistent_client_expiration: Option<Duration>,
    /// Accept retained messages.
    pub retain_available: bool,
    /// QoS 1 and 2 messages a client may have unacknowledged toward the broker.
    /// More than `max_inflight_messages`, so that acknowledgements can be grouped.
    pub receive_maximum: u16,
    /// Bytes of messages held in memory over the whole process.
    pub memory_limit: usize,
    /// From accepting a socket to a complete, authenticated CONNECT.
    pub connect_timeout: Duration,
    /// Sockets accepted whose CONNECT is not through yet.
    pub max_half_open_connections: usize,
    /// The largest CONNECT accepted, since its sender is not known yet.
    pub max_connect_size: usize,
    /// Subscriptions of one session.
    pub max_subscriptions: usize,
    /// Levels of a topic name or filter.
    pub max_topic_levels: usize,
    /// Threads that hash passwords; at least 1.
    pub password_threads: usize,
    /// Log-ins waiting for one of those threads; more are answered "server busy".
    pub max_waiting_logins: usize,
}

/// What becomes of a QoS 1 or 2 message that a session's queue has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFull {
    /// It is dropped for that session, and counted.
    DropNewest,
    /// The session's oldest waiting message is dropped for it, and counted.
    DropOldest,
    /// Its publisher is refused: MQTT 5 with Quota exceeded (0x97), MQTT 3 by no acknowledgement.
    Refuse,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: None,
            // Mosquitto's own since 2.1: a stranger cannot make the broker hold 256 MB.
            max_packet_size: 2_000_000,
            message_size_limit: None,
            max_inflight_messages: 20,
            max_inflight_bytes: None,
            max_queued_messages: Some(1000),
            max_queued_bytes: None,
            // As Mosquitto.
            queue_full: QueueFull::DropNewest,
            queue_qos0_messages: false,
            max_keepalive: None,
            persistent_client_expiration: None,
            retain_available: true,
            receive_maximum: 1024,
            // Holds the queues of a gateway's devices and leaves room on a machine of 1 GB.
            memory_limit: 512 << 20,
            // A TLS handshake and CONNECT over a mobile network take a few seconds.
            connect_timeout: Duration::from_secs(10),
            // A reconnect storm fits; a flood of silent sockets does not eat all descriptors.
            max_half_open_connections: 4096,
            // User name, password and will of ordinary size; five fields of 64 KB do not come.
            max_connect_size: 128 << 10,
            max_subscriptions: 65_536,
            // As Mosquitto: real topics have some ten levels.
            max_topic_levels: 200,
            password_threads: 0,
            // At some ten milliseconds a hash, more would wait past `connect_timeout` anyway.
            max_waiting_logins: 1024,
        }
    }
}
