//! The resolved configuration: plain data with every default filled in.
//!
//! The rest of the program reads only these types; it never sees a configuration file.

mod connect;
mod connector;
mod group;
mod kafka;
mod limits;
mod listener;
mod log;
mod persistence;

use std::path::PathBuf;
use std::time::Duration;

pub use connect::{ClientProperty, Connect, ConnectRest, ConnectorFile, RestAccess, TopicTracking};
pub use connector::{
    Ack, Connector, ConnectorKind, MqttUser, OffsetReset, SinkConnector, SourceConnector, Spool,
    SpoolFull, Tombstones,
};
pub use group::{Advertised, StorageTopic, WorkerGroup};
pub use kafka::{ClientProperties, Kafka, Oauth};
pub use limits::{Limits, QueueFull};
pub use listener::{
    Authentication, BindAddress, CertificateUsername, Listener, OwnListener, SocketDomain, Tls,
    TlsVersion,
};
pub use log::{Log, LogDestination, LogFormat, LogTimestamp, LogTypes};
pub use persistence::{Durability, Persistence};

use crate::error::Notice;

/// The most workers there can be: sets of shards are the bits of a `u64`.
pub const MAX_WORKERS: usize = 64;

/// Everything the program was told, with nothing left to interpret.
///
/// It has no `Debug` because it holds secrets.
#[derive(Clone)]
pub struct Config {
    /// The sockets to open, in the order they were written. Empty only where there is to be no
    /// listener of our own.
    pub listeners: Vec<Listener>,
    /// Whether they are opened whatever others do.
    pub own_listener: OwnListener,
    /// What a client, a session and the process may take.
    pub limits: Limits,
    /// What is kept over a restart; `None` keeps nothing.
    pub persistence: Option<Persistence>,
    /// Where log lines go and which of them.
    pub log: Log,
    /// How often the `$SYS` topics are published; `None` publishes none.
    pub sys_interval: Option<Duration>,
    /// The user to change to when started as root.
    pub user: Option<String>,
    /// The file the process id is written to.
    pub pid_file: Option<PathBuf>,
    /// Worker threads, a shard each; 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// Log a line when a client connects and when it goes.
    pub connection_messages: bool,
    /// Set `TCP_NODELAY` on client sockets.
    pub set_tcp_nodelay: bool,
    /// How to reach Kafka; used when there is a connector.
    pub kafka: Kafka,
    /// The bridge's connectors, names unique.
    pub connectors: Vec<Connector>,
    /// Connectors of other classes than the bridge's own, by their property files.
    pub connector_files: Vec<ConnectorFile>,
    /// Host names that mean this broker.
    pub local_hosts: Vec<String>,
    /// Kafka Connect's place.
    pub connect: Connect,
    /// Lines to log once: `not supported yet: …` and `ignored: …`.
    pub notices: Vec<Notice>,
    /// Every configuration file that was read, included ones too.
    pub files: Vec<PathBuf>,
}
