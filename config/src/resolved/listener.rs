//! One socket that clients connect to, with the security settings in force on it.
//!
//! Settings shared by all listeners are copied into each, so `per_listener_settings` has no
//! meaning after resolution.

use std::path::PathBuf;

use crate::error::Origin;

/// One socket that clients connect to, speaking MQTT over TCP or TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where the listener was defined, for messages.
    pub origin: Origin,
    /// The address to bind.
    pub bind: BindAddress,
    /// The port to bind; 0 lets the system choose one (from the command line only).
    pub port: u16,
    /// Bind only addresses of this family; `None` binds both.
    pub socket_domain: Option<SocketDomain>,
    /// TLS; `None` speaks plain TCP.
    pub tls: Option<Tls>,
    /// Clients connected to this listener at once; `None` is no limit of its own.
    pub max_connections: Option<usize>,
    /// The highest QoS offered, 0, 1 or 2.
    pub max_qos: u8,
    /// Topic Alias Maximum told to a client: aliases it may use toward the broker.
    pub max_topic_alias: u16,
    /// Topic aliases the broker uses toward a client at most, within the client's own maximum.
    pub max_topic_alias_broker: u16,
    /// Who may connect and what they may do.
    pub authentication: Authentication,
}

/// The address a listener binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    /// All addresses of the machine, IPv4 and IPv6.
    Any,
    /// 127.0.0.1 and ::1; one of them may be missing on the machine.
    Loopback,
    /// A name or an address; every address it resolves to.
    Host(String),
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketDomain {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// TLS on a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the server's certificate, its chain after it.
    pub certfile: PathBuf,
    /// PEM file with the certificate's key.
    pub keyfile: PathBuf,
    /// PEM file with the authorities client certificates are checked against.
    /// Present when `require_certificate` is set.
    pub cafile: Option<PathBuf>,
    /// PEM file with revocation lists; only with `cafile`.
    pub crlfile: Option<PathBuf>,
    /// Refuse a client without a valid certificate.
    pub require_certificate: bool,
    /// Take the user name from the client's certificate; only with `require_certificate`.
    pub username: Option<CertificateUsername>,
    /// The lowest version of the protocol accepted.
    pub minimum_version: TlsVersion,
}

/// What of a client certificate becomes the user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUsername {
    /// The common name: `use_identity_as_username`.
    CommonName,
    /// The whole subject: `use_subject_as_username`.
    Subject,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// Who may connect to a listener and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// Accept a client that gives no user name; without a password file, any client.
    pub allow_anonymous: bool,
    /// The password file; without one `allow_anonymous` decides, user name or not.
    pub password_file: Option<PathBuf>,
    /// The ACL file; without one everything but `$`-topics is allowed.
    pub acl_file: Option<PathBuf>,
    /// Refuse in SUBACK a filter that no read rule can match; delivery is filtered either way.
    pub acl_deny_subscribe: bool,
    /// Accept an empty client id, for which the broker makes one.
    pub allow_zero_length_clientid: bool,
    /// What a client id made by the broker begins with.
    pub auto_id_prefix: String,
}

/// Whether there are listeners of our own, where the environment asks for a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnListener {
    /// As the configuration has them.
    Configured,
    /// Nobody named one: there is the default one, unless another MQTT broker has its port.
    UnlessTaken,
    /// There is none: the connector's broker is another one.
    Never {
        /// That broker's host.
        host: String,
        /// Its port.
        port: u16,
        /// Whether it is reached with TLS.
        tls: bool,
    },
}
