//! Starting beside another broker: where the connector of the environment expects a broker, this one
//! or another may be it, and a line in the log says which.
//!
//! Invariant: only the default listener gives way, and only to what answers as an MQTT broker.

use midge_config::{Config, OwnListener};
use tracing::info;

use super::health;
use super::options::HealthOptions;
use crate::broker::{Broker, Prepared, StartError};

/// Prepares a broker; without a listener of its own where another broker has the port.
pub(super) fn prepare(config: Config) -> Result<Prepared, StartError> {
    match &config.own_listener {
        OwnListener::Configured => Broker::prepare(config),
        OwnListener::Never { host, port, .. } => {
            info!(
                "no listener of our own: the connector is a client of the broker at {host}:{port}"
            );
            Broker::prepare(config)
        }
        OwnListener::UnlessTaken => unless_taken(config),
    }
}

fn unless_taken(config: Config) -> Result<Prepared, StartError> {
    let mut without = config.clone();
    let port = config.listeners.first().map_or(0, |listener| listener.port);
    match Broker::prepare(config) {
        Err(StartError::Bind(errors))
            if errors.iter().all(crate::BindError::is_in_use) && answers(port) =>
        {
            info!(
                "port {port} is another MQTT broker's: no listener of our own, the connector is \
                 its client"
            );
            without.listeners.clear();
            Broker::prepare(without)
        }
        Ok(prepared) => {
            info!("this is the MQTT broker at port {port}: the connector runs inside it");
            Ok(prepared)
        }
        other => other,
    }
}

/// Whether an MQTT broker answers there.
fn answers(port: u16) -> bool {
    let asked = HealthOptions { port: Some(port), ..HealthOptions::default() };
    health::run(&asked).is_ok()
}
