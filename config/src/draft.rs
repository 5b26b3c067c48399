//! The configuration while it is being read: what the front ends write into.
//!
//! A draft holds what was said and where; [`resolve`](crate::resolve) fills in what was not and
//! checks that the parts fit together. Mistakes are collected, never returned early.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{ConfigError, Notice, Origin};
use crate::resolved::{
    Ack, BindAddress, ClientProperty, ConnectorFile, Durability, Limits, LogDestination, LogFormat,
    LogTypes, OffsetReset, Persistence, SocketDomain, Spool, TlsVersion, Tombstones, TopicTracking,
};
use crate::secret::Secret;

/// Everything read so far.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) broker: BrokerDraft,
    pub(crate) limits: Limits,
    pub(crate) persistence: PersistenceDraft,
    pub(crate) log: LogDraft,
    pub(crate) authentication: AuthenticationDraft,
    pub(crate) listeners: Vec<ListenerDraft>,
    /// What stands in `mosquitto.conf` before the first `listener`, when no `port` or
    /// `bind_address` opens a listener for it.
    pub(crate) unlisted: Option<ListenerDraft>,
    pub(crate) kafka: KafkaDraft,
    pub(crate) oauth: OauthDraft,
    pub(crate) bridge: BridgeDraft,
    pub(crate) connect: ConnectDraft,
    pub(crate) connectors: Vec<ConnectorDraft>,
    /// Connectors by class.
    pub(crate) connector_files: Vec<ConnectorFile>,
    /// The broker of the connector of the environment.
    pub(crate) expected_broker: Option<ExpectedBroker>,
    /// Where a setting of the shared sections was last said, by `section.key`.
    pub(crate) said: BTreeMap<String, Origin>,
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) files: Vec<PathBuf>,
}

impl Draft {
    pub(crate) fn error(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        self.errors.push(ConfigError {
            origin: origin.clone(),
            key: key.to_owned(),
            message: message.into(),
        });
    }

    pub(crate) fn notice(&mut self, origin: &Origin, message: impl Into<String>) {
        self.notices.push(Notice { origin: origin.clone(), message: message.into() });
    }

    /// Where a setting of a shared section was said.
    pub(crate) fn said(&self, key: &str) -> Origin {
        self.said.get(key).cloned().unwrap_or(Origin::Whole)
    }
}

#[derive(PartialEq)]
pub(crate) struct BrokerDraft {
    pub(crate) user: Option<String>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) sys_interval: Option<Duration>,
    pub(crate) connection_messages: bool,
    pub(crate) set_tcp_nodelay: bool,
}

impl Default for BrokerDraft {
    fn default() -> Self {
        Self {
            user: None,
            pid_file: None,
            workers: 0,
            sys_interval: Some(Duration::from_secs(10)),
            connection_messages: true,
            set_tcp_nodelay: true,
        }
    }
}

#[derive(PartialEq)]
pub(crate) struct PersistenceDraft {
    pub(crate) enabled: bool,
    pub(crate) directory: PathBuf,
    pub(crate) file: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    pub(crate) max_bytes: Option<u64>,
}

impl Default for PersistenceDraft {
    fn default() -> Self {
        Self {
            enabled: false,
            directory: PathBuf::from("."),
            file: PathBuf::from("mosquitto.db"),
            durability: Durability::Fsync,
            segment_bytes: Persistence::SEGMENT_BYTES,
            max_bytes: None,
        }
    }
}

#[derive(PartialEq)]
pub(crate) struct LogDraft {
    /// From `log_dest`; `None` while nothing was said.
    pub(crate) destinations: Option<Vec<LogDestination>>,
    /// From `midge.toml`, still to be read.
    pub(crate) destination_words: Option<Vec<String>>,
    pub(crate) types: LogTypes,
    pub(crate) timestamp: bool,
    pub(crate) timestamp_format: Option<String>,
    pub(crate) format: LogFormat,
}

impl Default for LogDraft {
    fn default() -> Self {
        Self {
            destinations: None,
            destination_words: None,
            types: LogTypes::default(),
            timestamp: true,
            timestamp_format: None,
            format: LogFormat::Text,
        }
    }
}

/// What was said about authentication, shared or of one listener.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct AuthenticationDraft {
    pub(crate) allow_anonymous: Option<bool>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) acl_file: Option<PathBuf>,
    pub(crate) acl_deny_subscribe: Option<bool>,
    pub(crate) allow_zero_length_clientid: Option<bool>,
    pub(crate) auto_id_prefix: Option<String>,
    /// A plugin was to check clients; it is not there.
    pub(crate) plugin: Option<String>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct ListenerDraft {
    pub(crate) origin: Origin,
    /// How messages call it: `listener 8883`, `listeners.tls`.
    pub(crate) name: String,
    pub(crate) bind: BindAddress,
    pub(crate) port: u16,
    pub(crate) socket_domain: Option<SocketDomain>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_qos: u8,
    pub(crate) max_topic_alias: u16,
    pub(crate) max_topic_alias_broker: u16,
    pub(crate) tls: TlsDraft,
    pub(crate) authentication: AuthenticationDraft,
    /// Why it is not opened: something asked of it is not supported yet, and without it the
    /// listener would be more open than its owner wants.
    pub(crate) closed: Option<String>,
    /// Where each setting was last said.
    pub(crate) said: BTreeMap<&'static str, Origin>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct TlsDraft {
    pub(crate) certfile: Option<PathBuf>,
    pub(crate) keyfile: Option<PathBuf>,
    pub(crate) cafile: Option<PathBuf>,
    pub(crate) crlfile: Option<PathBuf>,
    pub(crate) require_certificate: bool,
    pub(crate) use_identity: bool,
    pub(crate) use_subject: bool,
    pub(crate) minimum_version: TlsVersion,
}

impl ListenerDraft {
    pub(crate) const DEFAULT_PORT: u16 = 1883;

    pub(crate) fn new(origin: Origin, name: impl Into<String>) -> Self {
        Self {
            origin,
            name: name.into(),
            bind: BindAddress::Any,
            port: Self::DEFAULT_PORT,
            socket_domain: None,
            max_connections: None,
            max_qos: 2,
            max_topic_alias: 10,
            max_topic_alias_broker: 10,
            tls: TlsDraft {
                certfile: None,
                keyfile: None,
                cafile: None,
                crlfile: None,
                require_certificate: false,
                use_identity: false,
                use_subject: false,
                minimum_version: TlsVersion::V1_2,
            },
            authentication: AuthenticationDraft::default(),
            closed: None,
            said: BTreeMap::new(),
        }
    }

    /// Keeps the listener from being opened; the first reason counts.
    pub(crate) fn close(&mut self, reason: impl Into<String>) {
        self.closed.get_or_insert_with(|| reason.into());
    }

    /// Where a setting of this listener was said, the listener itself when it was not.
    pub(crate) fn said(&self, key: &str) -> Origin {
        self.said.get(key).unwrap_or(&self.origin).clone()
    }
}

#[derive(Default)]
pub(crate) struct KafkaDraft {
    /// From the named options.
    pub(crate) plain: BTreeMap<&'static str, String>,
    pub(crate) secret: BTreeMap<&'static str, Secret>,
    /// From the table of properties.
    pub(crate) properties: BTreeMap<String, String>,
}

impl KafkaDraft {
    pub(crate) fn name(&mut self, property: &'static str, value: String) {
        self.plain.insert(property, value);
    }

    pub(crate) fn secret(&mut self, property: &'static str, value: Secret) {
        self.secret.insert(property, value);
    }
}

#[derive(Default)]
pub(crate) struct OauthDraft {
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) ca: Option<PathBuf>,
}

/// Where the connector of the environment expects its broker.
pub(crate) struct ExpectedBroker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// `CONNECTOR_ONLY`, where it is not `auto`.
    pub(crate) only: Option<(bool, Origin)>,
}

#[derive(Default)]
pub(crate) struct BridgeDraft {
    pub(crate) local_hosts: Vec<String>,
}

#[derive(Default)]
pub(crate) struct ConnectDraft {
    pub(crate) rest_listen: Option<String>,
    pub(crate) rest_token: Option<Secret>,
    pub(crate) rest_user: Option<String>,
    pub(crate) rest_password: Option<Secret>,
    pub(crate) worker_properties: Option<PathBuf>,
    /// The process is a worker that has to be one of a group.
    pub(crate) distributed: bool,
    /// What that file says to connectors.
    pub(crate) properties: BTreeMap<String, String>,
    /// Where each of that stands.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// What it says of Kafka's clients.
    pub(crate) client_properties: Vec<ClientProperty>,
    pub(crate) topic_tracking: TopicTracking,
}

#[derive(PartialEq)]
pub(crate) struct ConnectorDraft {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) sink: Option<bool>,
    pub(crate) mqtt_user: Option<String>,
    pub(crate) mqtt_password: Option<Secret>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) mqtt_filters: Vec<String>,
    pub(crate) kafka_topic: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) headers: bool,
    /// `None` while nothing was said: it depends on whether there is persistence.
    pub(crate) ack: Option<Ack>,
    pub(crate) buffer_bytes: usize,
    pub(crate) buffer_messages: usize,
    pub(crate) spool: Spool,
    pub(crate) producer_byte_rate: Option<u64>,
    pub(crate) kafka_topics: Vec<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) mqtt_topic: Option<String>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) tombstones: Tombstones,
    pub(crate) offset_reset: OffsetReset,
    pub(crate) max_inflight_messages: usize,
    /// Where each setting was said.
    pub(crate) said: BTreeMap<&'static str, Origin>,
}

impl ConnectorDraft {
    pub(crate) fn new(name: impl Into<String>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            origin,
            sink: None,
            mqtt_user: None,
            mqtt_password: None,
            properties: BTreeMap::new(),
            mqtt_filters: Vec::new(),
            kafka_topic: None,
            key: None,
            headers: true,
            ack: None,
            buffer_bytes: 64 << 20,
            buffer_messages: 100_000,
            spool: Spool::default(),
            producer_byte_rate: None,
            kafka_topics: Vec::new(),
            group_id: None,
            mqtt_topic: None,
            qos: 1,
            retain: false,
            tombstones: Tombstones::Skip,
            offset_reset: OffsetReset::Earliest,
            max_inflight_messages: 1000,
            said: BTreeMap::new(),
        }
    }

    pub(crate) fn said(&self, key: &str) -> Origin {
        self.said.get(key).unwrap_or(&self.origin).clone()
    }

    /// How messages call one of its settings.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("connectors.{}.{key}", self.name)
    }
}
