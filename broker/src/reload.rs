//! Puts a new configuration in force while the broker runs.
//!
//! All or nothing: every file is read and judged before anything changes, then one generation goes
//! to all shards. What cannot change while the broker runs (ports, connectors, the number of
//! workers) is said and stays as it was.

use std::sync::Arc;

use midge_config::{Config, Connector};
use midge_core::Tap;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::connectors;
use crate::generation;
use crate::hub::Hub;
use crate::policy::{Policy, listener_name};
use crate::worker::inbox::Letter;

/// Makes generation after generation.
pub(crate) struct Reloader {
    hub: Arc<Hub>,
    taps: Vec<Tap>,
    /// What is in force.
    config: Config,
    generation: u64,
}

impl Reloader {
    pub(crate) fn new(hub: Arc<Hub>, config: Config, taps: Vec<Tap>) -> Reloader {
        Reloader { hub, taps, config, generation: 0 }
    }

    /// Puts `config` in force, as far as it can change; returns when all shards have it.
    ///
    /// # Errors
    /// All that is wrong with the files it names, a line each; nothing has changed then.
    pub(crate) async fn reload(&mut self, mut config: Config) -> Result<(), Vec<String>> {
        self.keep_fixed(&mut config);
        let policy = Policy::load(&config)?;
        let errors = connectors::check_users(&config, &policy);
        if !errors.is_empty() {
            return Err(errors);
        }
        connectors::warn_of_silent(&config, &policy);
        self.generation += 1;
        let policy = Arc::new(policy);
        let taps = self.taps.clone();
        let generation = Arc::new(generation::make(self.generation, &config, &policy, taps));
        let mut confirmed = Vec::new();
        for inbox in &self.hub.inboxes {
            let (done, is_done) = oneshot::channel();
            let (generation, policy) = (Arc::clone(&generation), Arc::clone(&policy));
            inbox.push(Letter::Generation { generation, policy, done });
            confirmed.push(is_done);
        }
        for is_done in confirmed {
            // A worker that ends instead needs no rules any more.
            let _ = is_done.await;
        }
        self.config = config;
        info!(generation = self.generation, "configuration reloaded");
        Ok(())
    }

    /// Gives `config` the ports and connectors that are in force, and says so where it differs.
    fn keep_fixed(&self, config: &mut Config) {
        let mut listeners = Vec::new();
        for running in &self.config.listeners {
            let name = listener_name(running);
            let position = config.listeners.iter().position(|new| listener_name(new) == name);
            listeners.push(match position {
                Some(position) => config.listeners.remove(position),
                None => {
                    warn!("listener {name} is gone from the configuration, it stays open until the next start");
                    running.clone()
                }
            });
        }
        for new in &config.listeners {
            warn!("{}: listener {} opens at the next start", new.origin, listener_name(new));
        }
        config.listeners = listeners;
        if !same_connectors(&self.config.connectors, &config.connectors)
            || self.config.kafka != config.kafka
        {
            warn!("connectors or Kafka's settings have changed, which counts from the next start");
            config.connectors.clone_from(&self.config.connectors);
            config.kafka = self.config.kafka.clone();
        }
        if self.config.workers != config.workers {
            warn!("workers have changed, which counts from the next start");
            config.workers = self.config.workers;
        }
    }
}

/// Whether connectors are equal but for the lines they stand in.
fn same_connectors(old: &[Connector], new: &[Connector]) -> bool {
    let same = |(old, new): (&Connector, &Connector)| {
        old.name == new.name
            && old.user == new.user
            && old.overrides == new.overrides
            && old.kind == new.kind
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}
