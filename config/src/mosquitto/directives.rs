//! Every directive of Mosquitto, one row each: what it belongs to and what becomes of it.
//!
//! A directive that is not in this table is an error; none is dropped in silence.

use Scope::{Authentication, Global, Listener, Peer};
use Support::{Alias, Closes, Ignored, NotYet, Plugin, Refused, Setting, Special};

/// One directive.
pub(crate) struct Directive {
    /// Its name; one that ends with `*` stands for all names that begin so.
    pub(crate) name: &'static str,
    /// What it belongs to.
    pub(crate) scope: Scope,
    /// What becomes of it.
    pub(crate) support: Support,
}

/// What a directive belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole process.
    Global,
    /// The listener it follows.
    Listener,
    /// All listeners, or the one it follows with `per_listener_settings`.
    Authentication,
    /// The `connection` it follows.
    Peer,
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// It is the setting whose row names it.
    Setting,
    /// Another name of a directive.
    Alias(&'static str),
    /// It has a grammar of its own.
    Special,
    /// It has no effect here, for a reason.
    Ignored(&'static str),
    /// It has no effect yet.
    NotYet,
    /// It has no effect yet, and its listener would be too open without it: it stays closed.
    Closes,
    /// A plugin that checks clients: listeners that rely on it stay closed.
    Plugin,
    /// An error, for a reason.
    Refused(&'static str),
}

impl Directive {
    /// The row of a name as somebody wrote it.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        DIRECTIVES.iter().find(|row| match row.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => row.name == name,
        })
    }
}

const fn row(name: &'static str, scope: Scope, support: Support) -> Directive {
    Directive { name, scope, support }
}

const SAVED_AT_ONCE: Support =
    Ignored("with persistence every change is on disk before it is acknowledged");

const RUSTLS_CIPHERS: Support =
    Ignored("the cipher suites of rustls are all strong and are always on");

pub(crate) static DIRECTIVES: &[Directive] = &[
    row("per_listener_settings", Global, Special),
    row("include_dir", Global, Special),
    row("user", Global, Setting),
    row("pid_file", Global, Setting),
    row(
        "allow_duplicate_messages",
        Global,
        Ignored("a client gets one copy of a message, however many of its subscriptions match"),
    ),
    row("check_retain_source", Global, NotYet),
    row(
        "clientid_prefixes",
        Global,
        Refused("not supported yet, and without it every client id would be let in"),
    ),
    row("connection_messages", Global, Setting),
    row("enable_control_api", Global, NotYet),
    row("global_max_clients", Global, NotYet),
    row("global_max_connections", Global, Setting),
    row("max_inflight_bytes", Global, Setting),
    row("max_inflight_messages", Global, Setting),
    row("max_keepalive", Global, Setting),
    row("max_packet_size", Global, Setting),
    row("max_queued_bytes", Global, Setting),
    row("max_queued_messages", Global, Setting),
    row("memory_limit", Global, Setting),
    row("message_size_limit", Global, Setting),
    row("packet_buffer_size", Global, Ignored("buffers grow and shrink by themselves")),
    row("websockets_headers_size", Global, NotYet),
    row("persistent_client_expiration", Global, Setting),
    row("queue_qos0_messages", Global, Setting),
    row("retain_available", Global, Setting),
    row("retain_expiry_interval", Global, NotYet),
    row("retry_interval", Global, Ignored("MQTT resends only after a reconnect")),
    row("set_tcp_nodelay", Global, Setting),
    row("sys_interval", Global, Setting),
    row("upgrade_outgoing_qos", Global, NotYet),
    row("listener", Listener, Special),
    row("port", Listener, Special),
    row("bind_address", Listener, Special),
    row("bind_interface", Listener, Closes),
    row("protocol", Listener, Setting),
    row("http_dir", Listener, NotYet),
    row("max_connections", Listener, Setting),
    row("max_qos", Listener, Setting),
    row("maximum_qos", Listener, Alias("max_qos")),
    row("max_topic_alias", Listener, Setting),
    row("max_topic_alias_broker", Listener, Setting),
    row("mount_point", Listener, Closes),
    row("socket_domain", Listener, Setting),
    row("accept_protocol_versions", Listener, NotYet),
    row("enable_proxy_protocol", Listener, Closes),
    row("proxy_protocol_v2_require_tls", Listener, Closes),
    row("listener_allow_anonymous", Listener, Special),
    row("listener_auto_id_prefix", Listener, Special),
    row("use_username_as_clientid", Listener, Closes),
    row("websockets_log_level", Listener, NotYet),
    row("websockets_origin", Listener, NotYet),
    row("allow_anonymous", Authentication, Setting),
    row("password_file", Authentication, Setting),
    row("acl_file", Authentication, Setting),
    // Ours: it restores Mosquitto's way of granting what it never delivers.
    row("acl_deny_subscribe", Authentication, Setting),
    row("psk_file", Authentication, NotYet),
    row("allow_zero_length_clientid", Authentication, Setting),
    row("auto_id_prefix", Authentication, Setting),
    row("plugin", Authentication, Plugin),
    row("auth_plugin", Authentication, Plugin),
    row("global_plugin", Authentication, Plugin),
    row("plugin_load", Authentication, Plugin),
    row("plugin_use", Authentication, Plugin),
    row("plugin_opt_*", Authentication, NotYet),
    row("auth_opt_*", Authentication, NotYet),
    row("auth_plugin_deny_special_chars", Authentication, NotYet),
    row("cafile", Listener, Setting),
    row("capath", Listener, NotYet),
    row("certfile", Listener, Setting),
    row("keyfile", Listener, Setting),
    row("require_certificate", Listener, Setting),
    row("use_identity_as_username", Listener, Setting),
    row("use_subject_as_username", Listener, Setting),
    row("crlfile", Listener, Setting),
    row("tls_version", Listener, Setting),
    row("ciphers", Listener, RUSTLS_CIPHERS),
    row("ciphers_tls1.3", Listener, RUSTLS_CIPHERS),
    row("dhparamfile", Listener, Ignored("keys are exchanged over elliptic curves only")),
    row("disable_client_cert_date_checks", Listener, NotYet),
    row("psk_hint", Listener, Closes),
    row("tls_engine", Listener, Closes),
    row("tls_engine_kpass_sha1", Listener, Closes),
    row("tls_keyform", Listener, NotYet),
    row("persistence", Global, Setting),
    row("persistence_location", Global, Setting),
    row("persistence_file", Global, Setting),
    row("autosave_interval", Global, SAVED_AT_ONCE),
    row("autosave_on_changes", Global, SAVED_AT_ONCE),
    row("log_dest", Global, Special),
    row("log_type", Global, Special),
    row("log_timestamp", Global, Setting),
    row("log_timestamp_format", Global, Setting),
    row("log_facility", Global, NotYet),
    row("connection", Peer, Special),
    row("address", Peer, NotYet),
    row("addresses", Peer, NotYet),
    row("topic", Peer, NotYet),
    row("remote_username", Peer, NotYet),
    row("username", Peer, NotYet),
    row("remote_password", Peer, NotYet),
    row("password", Peer, NotYet),
    row("remote_clientid", Peer, NotYet),
    row("clientid", Peer, NotYet),
    row("local_clientid", Peer, NotYet),
    row("local_username", Peer, NotYet),
    row("local_password", Peer, NotYet),
    row("cleansession", Peer, NotYet),
    row("local_cleansession", Peer, NotYet),
    row("keepalive_interval", Peer, NotYet),
    row("idle_timeout", Peer, NotYet),
    row("restart_timeout", Peer, NotYet),
    row("round_robin", Peer, NotYet),
    row("start_type", Peer, NotYet),
    row("threshold", Peer, NotYet),
    row("try_private", Peer, NotYet),
    row("notifications", Peer, NotYet),
    row("notifications_local_only", Peer, NotYet),
    row("notification_topic", Peer, NotYet),
    row("bridge_protocol_version", Peer, NotYet),
    row("bridge_cafile", Peer, NotYet),
    row("bridge_capath", Peer, NotYet),
    row("bridge_certfile", Peer, NotYet),
    row("bridge_keyfile", Peer, NotYet),
    row("bridge_insecure", Peer, NotYet),
    row("bridge_identity", Peer, NotYet),
    row("bridge_psk", Peer, NotYet),
    row("bridge_alpn", Peer, NotYet),
    row("bridge_require_ocsp", Peer, NotYet),
    row("bridge_tls_version", Peer, NotYet),
    row("bridge_tls_use_os_certs", Peer, NotYet),
    row("bridge_ciphers", Peer, NotYet),
    row("bridge_ciphers_tls1.3", Peer, NotYet),
    row("bridge_attempt_unsubscribe", Peer, NotYet),
    row("bridge_bind_address", Peer, NotYet),
    row("bridge_max_packet_size", Peer, NotYet),
    row("bridge_max_topic_alias", Peer, NotYet),
    row("bridge_outgoing_retain", Peer, NotYet),
    row("bridge_receive_maximum", Peer, NotYet),
    row("bridge_session_expiry_interval", Peer, NotYet),
    row("bridge_reload_type", Peer, NotYet),
    row("bridge_tcp_keepalive", Peer, NotYet),
    row("bridge_tcp_user_timeout", Peer, NotYet),
];
