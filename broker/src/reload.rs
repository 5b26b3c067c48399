//! Puts a new configuration in force while the broker runs.
//!
//! All or nothing: every file is read and judged before anything changes, then one generation goes
//! to all shards, and listeners are opened and closed with it. What cannot change while the broker
//! runs (connectors, the number of workers, the user) is said and stays as it was.

use std::net::SocketAddr;
use std::sync::Arc;

use midge_codec::Text;
use midge_config::{Config, Connector, OwnListener};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::connect;
use crate::connectors;
use crate::generation;
use crate::hub::Hub;
use crate::listener::Listening;
use crate::listener::bind::bind;
use crate::policy::Policy;
use crate::worker::inbox::{Letter, NewGeneration};

/// Makes generation after generation.
pub(crate) struct Reloader {
    hub: Arc<Hub>,
    /// What is in force.
    config: Config,
    /// The open listeners by name, each with its addresses.
    open: Vec<(Text, Vec<SocketAddr>)>,
    generation: u64,
}

impl Reloader {
    pub(crate) fn new(
        hub: Arc<Hub>,
        config: Config,
        listening: &[Listening],
    ) -> std::io::Result<Reloader> {
        let mut reloader = Reloader { hub, config, open: Vec::new(), generation: 0 };
        reloader.note_open(listening)?;
        Ok(reloader)
    }

    /// The addresses of all open listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().flat_map(|(_, addresses)| addresses).copied().collect()
    }

    /// Puts `config` in force, as far as it can change; returns when all shards have it.
    ///
    /// # Errors
    /// All that is wrong with the files and ports it names, a line each; nothing has changed then.
    pub(crate) async fn reload(&mut self, mut config: Config) -> Result<(), Vec<String>> {
        self.keep_fixed(&mut config);
        let policy = Policy::load(&config)?;
        let mut errors = connectors::check_users(&config, &policy);
        errors.extend(connect::check(&config, &policy));
        let opened = self.open_new(&config, &policy, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        connectors::warn_of_silent(&config, &policy);
        connect::warn_of_silent(&config, &policy);
        self.publish(&config, policy, &opened).await.map_err(|error| vec![error.to_string()])?;
        self.config = config;
        info!("configuration reloaded");
        Ok(())
    }

    /// Binds the listeners that are not open yet.
    fn open_new(
        &self,
        config: &Config,
        policy: &Policy,
        errors: &mut Vec<String>,
    ) -> Vec<Listening> {
        let mut opened = Vec::new();
        for (listener, policy) in config.listeners.iter().zip(&policy.listeners) {
            if self.open.iter().any(|(open, _)| *open == policy.name) {
                continue;
            }
            match bind(listener) {
                Ok(sockets) => opened.extend(
                    sockets
                        .into_iter()
                        .map(|socket| Listening { name: policy.name.clone(), socket }),
                ),
                Err(error) => errors.push(error.to_string()),
            }
        }
        opened
    }

    /// Gives all shards a new generation and waits until they have it.
    async fn publish(
        &mut self,
        config: &Config,
        policy: Policy,
        opened: &[Listening],
    ) -> std::io::Result<()> {
        // What can fail comes first.
        let mut copies = Vec::new();
        for _ in &self.hub.inboxes {
            copies.push(Listening::try_clone_all(opened)?);
        }
        self.note_open(opened)?;
        self.open.retain(|(name, addresses)| {
            let stays = policy.listener(name).is_some();
            for address in addresses.iter().filter(|_| !stays) {
                info!("No longer listening on {address}.");
            }
            stays
        });
        for address in opened.iter().filter_map(|listening| listening.socket.local_addr().ok()) {
            info!("Listening on {address}.");
        }
        self.generation += 1;
        let policy = Arc::new(policy);
        self.hub.set_policy(&policy);
        let generation = Arc::new(generation::make(self.generation, config, &policy));
        let mut confirmed = Vec::new();
        for (inbox, opened) in self.hub.inboxes.iter().zip(copies) {
            let (done, is_done) = oneshot::channel();
            let (generation, policy) = (Arc::clone(&generation), Arc::clone(&policy));
            let new = NewGeneration { generation, policy, opened, done };
            inbox.push(Letter::Generation(Box::new(new)));
            confirmed.push(is_done);
        }
        for is_done in confirmed {
            // A worker that ends instead needs no rules any more.
            let _ = is_done.await;
        }
        Ok(())
    }

    fn note_open(&mut self, listening: &[Listening]) -> std::io::Result<()> {
        for Listening { name, socket } in listening {
            let address = socket.local_addr()?;
            match self.open.iter_mut().find(|(open, _)| open == name) {
                Some((_, addresses)) => addresses.push(address),
                None => self.open.push((name.clone(), vec![address])),
            }
        }
        Ok(())
    }

    /// Gives `config` what cannot change while the broker runs, and says so where it differs.
    fn keep_fixed(&self, config: &mut Config) {
        let old = &self.config;
        if old.listeners.is_empty() && config.own_listener != OwnListener::Configured {
            // Another broker has had the port of the default listener from the start.
            config.listeners.clear();
        }
        if !same_connectors(&old.connectors, &config.connectors) || old.kafka != config.kafka {
            warn!("connectors or Kafka's settings have changed, which counts from the next start");
            config.connectors.clone_from(&old.connectors);
            config.kafka = old.kafka.clone();
        }
        keep("connect", &old.connect, &mut config.connect);
        keep("--connector", &old.connector_files, &mut config.connector_files);
        keep("bridge.local_hosts", &old.local_hosts, &mut config.local_hosts);
        keep("workers", &old.workers, &mut config.workers);
        keep("user", &old.user, &mut config.user);
        keep("pid_file", &old.pid_file, &mut config.pid_file);
        keep("persistence", &old.persistence, &mut config.persistence);
        let (old, new) = (&old.limits, &mut config.limits);
        keep("memory_limit", &old.memory_limit, &mut new.memory_limit);
        keep("password_threads", &old.password_threads, &mut new.password_threads);
        keep("max_waiting_logins", &old.max_waiting_logins, &mut new.max_waiting_logins);
    }
}

/// Keeps one setting as it is, and says so where it differs.
fn keep<T: PartialEq + Clone>(name: &str, old: &T, new: &mut T) {
    if old != new {
        warn!("{name} has changed, which counts from the next start");
        new.clone_from(old);
    }
}

/// Whether connectors are equal but for the lines they stand in and their users' passwords, which
/// the broker checks and the bridge does not know.
fn same_connectors(old: &[Connector], new: &[Connector]) -> bool {
    let user = |connector: &Connector| connector.user.as_ref().map(|user| user.name.clone());
    let same = |(old, new): (&Connector, &Connector)| {
        old.name == new.name
            && user(old) == user(new)
            && old.overrides == new.overrides
            && old.kind == new.kind
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}
