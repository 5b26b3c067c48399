//! A worker that is one of a group: how it is called there, and how it begins.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use midge_bridge::Bridge;
use midge_bridge::connect::{Distributed, Herder};
use midge_config::{Config, WorkerGroup};
use tracing::warn;

/// How long a start waits for what the group wants. Sources of this broker's own clients are started
/// of it; with Kafka away they are started of the copy that was made the last time.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a worker is called by the others: `HOST:PORT`, where its REST interface is reached.
pub(super) fn worker_id(config: &Config, group: &WorkerGroup) -> String {
    let rest = config.connect.rest.as_ref().map(|rest| rest.address);
    let host = group.advertised.host.clone().unwrap_or_else(|| match rest {
        Some(address) if !address.ip().is_loopback() && !address.ip().is_unspecified() => {
            address.ip().to_string()
        }
        // That is what every worker calls itself.
        _ => host_name(),
    });
    let port = group.advertised.port.or(rest.map(|address| address.port()));
    // Without an interface there is nothing to reach, and it has to differ from others all the same.
    let number = port.map_or_else(std::process::id, u32::from);
    format!("{host}:{number}")
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// How long the worker may be silent, and how often it is not.
pub(super) fn session(config: &Config) -> Option<(Duration, Duration)> {
    let group = config.connect.group.as_ref()?;
    Some((group.session_timeout, group.heartbeat_interval))
}

/// Joins the group.
///
/// # Errors
/// When what the properties say of clients is wrong, or a thread cannot be started.
pub(super) fn join(
    distributed: &Distributed,
    bridge: &Bridge,
    herder: &Arc<Herder>,
) -> io::Result<()> {
    distributed.start(bridge, herder).map_err(io::Error::other)?;
    if !distributed.wait(PATIENCE) {
        warn!("the group of workers cannot be heard yet: its connectors run once Kafka is there");
    }
    Ok(())
}
