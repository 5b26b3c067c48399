//! Whether there is a listener of our own beside the connector of the environment.
//!
//! Invariant: a listener that somebody has named is opened, or the start ends with the reason.

use std::net::IpAddr;

use crate::draft::{Draft, ExpectedBroker};
use crate::resolved::OwnListener;

pub(super) fn resolve(draft: &mut Draft, ports: &[u16]) -> OwnListener {
    let Some(ExpectedBroker { host, port, tls, only }) = &draft.expected_broker else {
        return OwnListener::Configured;
    };
    let named = !draft.listeners.is_empty() || !ports.is_empty();
    let never = OwnListener::Never { host: host.clone(), port: *port, tls: *tls };
    match only.clone() {
        Some((true, origin)) if named => {
            let message = "found true beside a listener, expected auto or false, or no listener";
            draft.error(&origin, "CONNECTOR_ONLY", message);
            OwnListener::Configured
        }
        Some((true, _)) => never,
        Some((false, _)) => OwnListener::Configured,
        None if named => OwnListener::Configured,
        None if is_here(draft, host) => OwnListener::UnlessTaken,
        None => never,
    }
}

/// The port of the default listener: where the connector expects its broker on this machine.
pub(super) fn default_port(draft: &Draft) -> Option<u16> {
    let expected = draft.expected_broker.as_ref()?;
    is_here(draft, &expected.host).then_some(expected.port)
}

fn is_here(draft: &Draft, host: &str) -> bool {
    let mut declared = draft.bridge.local_hosts.iter();
    declared.any(|local| local.eq_ignore_ascii_case(host))
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
