//! Listeners: the default one, shared settings copied into each, and what must stand together.
//!
//! A listener that would be more open than its owner wants is never opened.

use std::collections::BTreeMap;

use super::own_listener;
use crate::draft::{AuthenticationDraft, Draft, ListenerDraft};
use crate::error::Origin;
use crate::resolved::{Authentication, BindAddress, CertificateUsername, Listener, Tls};

/// The listeners to open.
pub(super) fn resolve(draft: &mut Draft, ports: &[u16]) -> Vec<Listener> {
    let local_only = draft.listeners.is_empty();
    let written = if local_only { local(draft, ports) } else { named(draft, ports) };
    let mut listeners: Vec<Listener> = Vec::new();
    let mut closed = 0;
    let mut seen: BTreeMap<(String, u16), Origin> = BTreeMap::new();
    for mut listener in written {
        refuse_without_plugin(draft, &mut listener);
        refuse_without_authorities(draft, &mut listener);
        if let Some(reason) = &listener.closed {
            closed += 1;
            let message = format!("not supported yet: {reason} ({} is not opened)", listener.name);
            draft.notice(&listener.origin, message);
            continue;
        }
        let address = (format!("{:?}", listener.bind), listener.port);
        // Port 0 lets the system choose, or stands for one that could not be read.
        if let Some(first) = seen.get(&address).filter(|_| listener.port != 0) {
            let message = format!("found port {} again, the same as at {first}", listener.port);
            draft.error(&listener.origin, &listener.name, message);
        }
        seen.insert(address, listener.origin.clone());
        let tls = tls(draft, &listener);
        let authentication =
            authentication(&listener.authentication, &draft.authentication, local_only);
        let by_certificate = tls.as_ref().is_some_and(|tls| tls.username.is_some());
        if !authentication.allow_anonymous
            && authentication.password_file.is_none()
            && !by_certificate
        {
            let message = format!(
                "nobody can connect to {}: allow_anonymous is false and there is no password_file",
                listener.name
            );
            draft.notice(&listener.origin, message);
        }
        listeners.push(Listener {
            origin: listener.origin,
            bind: listener.bind,
            port: listener.port,
            socket_domain: listener.socket_domain,
            tls,
            max_connections: listener.max_connections,
            max_qos: listener.max_qos,
            max_topic_alias: listener.max_topic_alias,
            max_topic_alias_broker: listener.max_topic_alias_broker,
            authentication,
        });
    }
    if listeners.is_empty() && closed > 0 {
        let mut reasons: Vec<String> = Vec::new();
        for notice in &draft.notices {
            if notice.message.ends_with("is not opened)") {
                reasons.push(notice.to_string());
            }
        }
        let message = format!("no listener is left to open: {}", reasons.join("; "));
        draft.error(&Origin::Whole, "", message);
    }
    listeners
}

/// Nobody named a listener: loopback only.
fn local(draft: &mut Draft, ports: &[u16]) -> Vec<ListenerDraft> {
    let origin = if ports.is_empty() { Origin::Whole } else { Origin::CommandLine("-p") };
    let mut base = draft.unlisted.take().unwrap_or_else(|| ListenerDraft::new(origin, "listener"));
    base.bind = BindAddress::Loopback;
    let usual = own_listener::default_port(draft).unwrap_or(ListenerDraft::DEFAULT_PORT);
    let ports = if ports.is_empty() { &[usual][..] } else { ports };
    let with_port = |port: &u16| ListenerDraft {
        port: *port,
        name: format!("listener {port}"),
        ..base.clone()
    };
    ports.iter().map(with_port).collect()
}

fn named(draft: &mut Draft, ports: &[u16]) -> Vec<ListenerDraft> {
    if !ports.is_empty() {
        let message = "ignored: -p: the configuration names its listeners";
        draft.notice(&Origin::CommandLine("-p"), message);
    }
    if let Some(unlisted) = draft.unlisted.take() {
        let mut names: Vec<&str> = unlisted.said.keys().copied().collect();
        names.extend(unlisted.closed.as_deref());
        names.extend(unlisted.authentication.plugin.as_deref());
        let message = format!(
            "ignored: {}: before the first listener, and neither port nor bind_address opens one \
             there",
            names.join(", ")
        );
        draft.notice(&unlisted.origin, message);
    }
    std::mem::take(&mut draft.listeners)
}

/// A plugin was to check clients. Without it, and without files that do the same, all would be
/// let in or everything allowed.
fn refuse_without_plugin(draft: &Draft, listener: &mut ListenerDraft) {
    let (own, shared) = (&listener.authentication, &draft.authentication);
    let covered = (own.password_file.is_some() || shared.password_file.is_some())
        && (own.acl_file.is_some() || shared.acl_file.is_some());
    if let Some(plugin) = own.plugin.as_ref().or(shared.plugin.as_ref()).filter(|_| !covered) {
        let reason = format!("{plugin} without password_file and acl_file in its place");
        listener.close(reason);
    }
}

/// Client certificates are asked for and there is nothing to check them against but `capath`.
fn refuse_without_authorities(draft: &mut Draft, listener: &mut ListenerDraft) {
    let tls = &listener.tls;
    if tls.require_certificate && tls.cafile.is_none() && listener.closed.is_none() {
        let origin = listener.said("require_certificate");
        draft.error(&origin, "require_certificate", "found true, expected a cafile beside it");
    }
}

fn tls(draft: &mut Draft, listener: &ListenerDraft) -> Option<Tls> {
    let said = &listener.tls;
    let mut need = |key: &str, message: &str| {
        draft.error(&listener.said(key), key, format!("{message} in {}", listener.name));
    };
    if said.use_identity && said.use_subject {
        need(
            "use_subject_as_username",
            "found beside use_identity_as_username, expected one of them",
        );
    }
    for (on, key) in [
        (said.use_identity, "use_identity_as_username"),
        (said.use_subject, "use_subject_as_username"),
    ] {
        if on && !said.require_certificate {
            need(key, "found true, expected require_certificate true beside it");
        }
    }
    if said.crlfile.is_some() && said.cafile.is_none() {
        need("crlfile", "found without cafile, expected both");
    }
    let username = if said.use_identity {
        Some(CertificateUsername::CommonName)
    } else {
        said.use_subject.then_some(CertificateUsername::Subject)
    };
    match (&said.certfile, &said.keyfile) {
        (Some(certfile), Some(keyfile)) => Some(Tls {
            certfile: certfile.clone(),
            keyfile: keyfile.clone(),
            cafile: said.cafile.clone(),
            crlfile: said.crlfile.clone(),
            require_certificate: said.require_certificate,
            username,
            minimum_version: said.minimum_version,
        }),
        (Some(_), None) => {
            need("certfile", "found without keyfile, expected both");
            None
        }
        (None, Some(_)) => {
            need("keyfile", "found without certfile, expected both");
            None
        }
        (None, None) => {
            // Somebody wants TLS and would get plain TCP.
            if said.cafile.is_some() {
                need("cafile", "found without certfile and keyfile, expected all three");
            } else if said.crlfile.is_some() {
                need("crlfile", "found without certfile and keyfile, expected all three");
            } else if said.require_certificate {
                need(
                    "require_certificate",
                    "found without certfile and keyfile, expected all three",
                );
            }
            None
        }
    }
}

fn authentication(
    own: &AuthenticationDraft,
    shared: &AuthenticationDraft,
    local_only: bool,
) -> Authentication {
    let file = |own: &Option<_>, shared: &Option<_>| own.clone().or_else(|| shared.clone());
    Authentication {
        allow_anonymous: own.allow_anonymous.or(shared.allow_anonymous).unwrap_or(local_only),
        password_file: file(&own.password_file, &shared.password_file),
        acl_file: file(&own.acl_file, &shared.acl_file),
        acl_deny_subscribe: own.acl_deny_subscribe.or(shared.acl_deny_subscribe).unwrap_or(true),
        allow_zero_length_clientid: own
            .allow_zero_length_clientid
            .or(shared.allow_zero_length_clientid)
            .unwrap_or(true),
        auto_id_prefix: own
            .auto_id_prefix
            .as_ref()
            .or(shared.auto_id_prefix.as_ref())
            .map_or_else(|| "auto-".to_owned(), Clone::clone),
    }
}
