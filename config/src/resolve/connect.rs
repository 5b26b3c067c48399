//! Kafka Connect's REST interface: an address, and who may speak to it.
//!
//! What other machines reach asks for a token or a password, or the configuration is refused.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::group;
use crate::draft::Draft;
use crate::error::Origin;
use crate::resolved::{Connect, ConnectRest, Connector, ConnectorFile, RestAccess};
use crate::settings::quoted;

const LISTEN: &str = "connect.rest_listen";

pub(super) fn resolve(draft: &mut Draft) -> Connect {
    let said = std::mem::take(&mut draft.connect);
    let access = match (said.rest_token, said.rest_user, said.rest_password) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            let origin = draft.said("connect.rest_token");
            let message = "found beside rest_user or rest_password, expected one of the two";
            draft.error(&origin, "connect.rest_token", message);
            None
        }
        (Some(token), None, None) => Some(RestAccess::Token(token)),
        (None, Some(user), Some(password)) if !user.contains(':') => {
            Some(RestAccess::Basic { user, password })
        }
        (None, Some(_), Some(_)) => {
            let origin = draft.said("connect.rest_user");
            let message = "found a colon, expected a name without: it ends the name";
            draft.error(&origin, "connect.rest_user", message);
            None
        }
        (None, Some(_), None) => half(draft, "rest_user", "rest_password"),
        (None, None, Some(_)) => half(draft, "rest_password", "rest_user"),
        (None, None, None) => Some(RestAccess::Open),
    };
    let rest = said.rest_listen.and_then(|text| {
        let origin = draft.said(LISTEN);
        let Some(address) = address(&text) else {
            let message =
                format!("found {}, expected ADDRESS:PORT, such as 127.0.0.1:8083", quoted(&text));
            draft.error(&origin, LISTEN, message);
            return None;
        };
        let access = access?;
        if matches!(access, RestAccess::Open) && !address.ip().is_loopback() {
            let message = format!(
                "found {address}, which other machines reach, without rest_token or rest_user and \
                 rest_password, expected one of them, or a loopback address"
            );
            draft.error(&origin, LISTEN, message);
        }
        Some(ConnectRest { address, access })
    });
    if rest.is_none() {
        for key in ["rest_token", "rest_user", "rest_password"] {
            if let Some(origin) = draft.said.get(&format!("connect.{key}")).cloned() {
                draft.notice(&origin, format!("ignored: connect.{key}: there is no rest_listen"));
            }
        }
    }
    let mut properties = said.properties;
    let group = group::resolve(draft, &mut properties, said.distributed);
    let worker_properties = said.worker_properties.map(|_| properties);
    Connect {
        rest,
        worker_properties,
        worker_origins: said.origins,
        client_properties: said.client_properties,
        group,
        topic_tracking: said.topic_tracking,
    }
}

/// Connectors by class, whose names nobody else has.
pub(super) fn files(draft: &mut Draft, others: &[Connector]) -> Vec<ConnectorFile> {
    let mut names: BTreeMap<String, Origin> =
        others.iter().map(|connector| (connector.name.clone(), connector.origin.clone())).collect();
    let files = std::mem::take(&mut draft.connector_files);
    for file in &files {
        let origin = file.origin("name");
        if let Some(first) = names.insert(file.name.clone(), origin.clone()) {
            let message = format!("found a second time, the first stands at {first}");
            draft.error(&origin, &format!("connector {}", file.name), message);
        }
    }
    files
}

fn half(draft: &mut Draft, found: &str, missing: &str) -> Option<RestAccess> {
    let key = format!("connect.{found}");
    let origin = draft.said(&key);
    draft.error(&origin, &key, format!("found without {missing}, expected both"));
    None
}

/// An address with a port; of names only that of this machine, so that none has to be looked up.
fn address(text: &str) -> Option<SocketAddr> {
    if let Some((host, port)) = text.rsplit_once(':')
        && host.eq_ignore_ascii_case("localhost")
    {
        return Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into());
    }
    text.parse().ok()
}
