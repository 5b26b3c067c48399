//! `midge.toml`, `mosquitto.conf`, connector property files and the environment, made into one
//! resolved [`Config`].
//!
//! A [`Config`] has nothing left to interpret: every default is filled in, every inherited option
//! stands where it applies, and every value is in range. What was accepted but has no effect is
//! listed in [`Config::notices`]; nothing is dropped in silence.

mod connector_file;
mod draft;
mod environment;
mod error;
mod java_client;
mod kafka_properties;
mod load;
mod midge_toml;
mod mosquitto;
mod nearest;
mod place;
mod properties;
mod providers;
mod reference;
mod resolve;
mod resolved;
mod secret;
mod settings;
mod worker_file;

pub use environment::{CONNECTOR_VARIABLES, TOPIC_LISTS_CLASS};
pub use error::{ConfigError, Notice, Origin};
pub use java_client::{JavaProperty, java_property};
pub use kafka_properties::{
    is_secret as is_secret_client_property, sort as sort_client_properties,
};
pub use load::{NamedFiles, Sources, WorkerMode, WorkerSource, load, named_files};
pub use nearest::did_you_mean;
pub use properties::{Malformed, Property, parse as parse_properties};
pub use providers::{Hidden, Providers, Replaced};
pub use reference::markdown;
pub use resolved::{
    Ack, Advertised, Authentication, BindAddress, CertificateUsername, ClientProperties,
    ClientProperty, Config, Connect, ConnectRest, Connector, ConnectorFile, ConnectorKind,
    Durability, Kafka, Limits, Listener, Log, LogDestination, LogFormat, LogTimestamp, LogTypes,
    MAX_WORKERS, MqttUser, Oauth, OffsetReset, OwnListener, Persistence, QueueFull, RestAccess,
    SinkConnector, SocketDomain, SourceConnector, Spool, SpoolFull, StorageTopic, Tls, TlsVersion,
    Tombstones, TopicTracking, WorkerGroup,
};
pub use secret::Secret;
pub use settings::parse_interval;
