//! The settings of a listener, `[listeners.NAME]`, and of who may use it, `[authentication]`.
//!
//! A listener's own authentication setting wins over the shared one.

use super::{Setting, Take};
use crate::draft::{AuthenticationDraft, ListenerDraft};
use crate::resolved::{BindAddress, SocketDomain, TlsVersion};

pub(crate) static LISTENER: &[Setting<ListenerDraft>] = &[
    Setting {
        key: "port",
        directive: None,
        default: "1883",
        meaning: "The port. In mosquitto.conf: `listener PORT [HOST]`.",
        take: Take::Int(1..=65_535, |listener, port| listener.port = port as u16),
    },
    Setting {
        key: "host",
        directive: None,
        default: "all addresses",
        meaning: "The name or address to bind; a name binds every address it resolves to.",
        take: Take::Text(|listener, host| listener.bind = BindAddress::Host(host)),
    },
    Setting {
        key: "socket_domain",
        directive: Some("socket_domain"),
        default: "both",
        meaning: "Bind addresses of one family only.",
        take: Take::Choice(&["ipv4", "ipv6"], |listener, word| {
            let ipv4 = word == "ipv4";
            listener.socket_domain =
                Some(if ipv4 { SocketDomain::Ipv4 } else { SocketDomain::Ipv6 });
        }),
    },
    Setting {
        key: "protocol",
        directive: Some("protocol"),
        default: "mqtt",
        meaning: "What is spoken. `websockets` and `http_api` are not supported yet: such a \
                  listener is not opened.",
        take: Take::Choice(&["mqtt", "websockets", "http_api"], |listener, word| {
            if word != "mqtt" {
                listener.close(format!("protocol {word}"));
            }
        }),
    },
    Setting {
        key: "max_connections",
        directive: Some("max_connections"),
        default: "-1: no limit of its own",
        meaning: "Clients connected to this listener at once.",
        take: Take::Int(-1..=100_000_000, |listener, count| {
            listener.max_connections = usize::try_from(count).ok();
        }),
    },
    Setting {
        key: "max_qos",
        directive: Some("max_qos"),
        default: "2",
        meaning: "The highest QoS offered.",
        take: Take::Int(0..=2, |listener, qos| listener.max_qos = qos as u8),
    },
    Setting {
        key: "max_topic_alias",
        directive: Some("max_topic_alias"),
        default: "10",
        meaning: "Topic aliases a client may use toward the broker.",
        take: Take::Int(0..=65_535, |listener, count| listener.max_topic_alias = count as u16),
    },
    Setting {
        key: "max_topic_alias_broker",
        directive: Some("max_topic_alias_broker"),
        default: "10",
        meaning: "Topic aliases the broker uses toward a client, within the client's own maximum.",
        take: Take::Int(0..=65_535, |listener, count| {
            listener.max_topic_alias_broker = count as u16;
        }),
    },
    Setting {
        key: "certfile",
        directive: Some("certfile"),
        default: "none: plain TCP",
        meaning: "PEM file with the server's certificate and its chain; makes it a TLS listener.",
        take: Take::Text(|listener, path| listener.tls.certfile = Some(path.into())),
    },
    Setting {
        key: "keyfile",
        directive: Some("keyfile"),
        default: "none",
        meaning: "PEM file with the certificate's key.",
        take: Take::Text(|listener, path| listener.tls.keyfile = Some(path.into())),
    },
    Setting {
        key: "cafile",
        directive: Some("cafile"),
        default: "none",
        meaning: "PEM file with the authorities that client certificates are checked against.",
        take: Take::Text(|listener, path| listener.tls.cafile = Some(path.into())),
    },
    Setting {
        key: "crlfile",
        directive: Some("crlfile"),
        default: "none",
        meaning: "PEM file with revocation lists: a client certificate on one is refused; needs \
                  `cafile`.",
        take: Take::Text(|listener, path| listener.tls.crlfile = Some(path.into())),
    },
    Setting {
        key: "require_certificate",
        directive: Some("require_certificate"),
        default: "false",
        meaning: "Refuse a client without a valid certificate; needs `cafile`.",
        take: Take::Bool(|listener, on| listener.tls.require_certificate = on),
    },
    Setting {
        key: "use_identity_as_username",
        directive: Some("use_identity_as_username"),
        default: "false",
        meaning: "Take the certificate's common name as user name; needs `require_certificate`. \
                  No password is asked then.",
        take: Take::Bool(|listener, on| listener.tls.use_identity = on),
    },
    Setting {
        key: "use_subject_as_username",
        directive: Some("use_subject_as_username"),
        default: "false",
        meaning: "Take the certificate's whole subject as user name; needs `require_certificate`.",
        take: Take::Bool(|listener, on| listener.tls.use_subject = on),
    },
    Setting {
        key: "tls_version",
        directive: Some("tls_version"),
        default: "tlsv1.2",
        meaning: "The lowest version of TLS accepted. `tlsv1.1` is accepted as a word and means \
                  `tlsv1.2`: older versions are broken.",
        take: Take::Choice(&["tlsv1.3", "tlsv1.2", "tlsv1.1"], |listener, word| {
            let newest = word == "tlsv1.3";
            listener.tls.minimum_version = if newest { TlsVersion::V1_3 } else { TlsVersion::V1_2 };
        }),
    },
];

pub(crate) static AUTHENTICATION: &[Setting<AuthenticationDraft>] = &[
    Setting {
        key: "allow_anonymous",
        directive: Some("allow_anonymous"),
        default: "false; true when no listener is configured",
        meaning: "Accept clients that give no user name; without a `password_file`, all clients.",
        take: Take::Bool(|authentication, on| authentication.allow_anonymous = Some(on)),
    },
    Setting {
        key: "password_file",
        directive: Some("password_file"),
        default: "none",
        meaning: "The password file; `midge passwd` writes it.",
        take: Take::Text(|authentication, path| authentication.password_file = Some(path.into())),
    },
    Setting {
        key: "acl_file",
        directive: Some("acl_file"),
        default: "none",
        meaning: "The ACL file; once there is one, what it does not allow is denied.",
        take: Take::Text(|authentication, path| authentication.acl_file = Some(path.into())),
    },
    Setting {
        key: "acl_deny_subscribe",
        directive: Some("acl_deny_subscribe"),
        default: "true",
        meaning: "Refuse in SUBACK a filter that no read rule can match. Mosquitto grants it and \
                  delivers nothing; false does the same. Delivery is filtered either way.",
        take: Take::Bool(|authentication, on| authentication.acl_deny_subscribe = Some(on)),
    },
    Setting {
        key: "allow_zero_length_clientid",
        directive: Some("allow_zero_length_clientid"),
        default: "true",
        meaning: "Accept an empty client id and make one for the client.",
        take: Take::Bool(|authentication, on| authentication.allow_zero_length_clientid = Some(on)),
    },
    Setting {
        key: "auto_id_prefix",
        directive: Some("auto_id_prefix"),
        default: "auto-",
        meaning: "What a client id made by the broker begins with.",
        take: Take::Text(|authentication, prefix| authentication.auto_id_prefix = Some(prefix)),
    },
];
