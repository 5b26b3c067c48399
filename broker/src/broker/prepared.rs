//! From a broker that does nothing yet to one at work.
//!
//! What is on disk is opened first: a directory that another process has, or that cannot be read,
//! stops the start while nothing has happened. No worker runs before the shards have it back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use midge_bridge::{Bridge, Kept, Observer, Storage};
use midge_config::Config;
use midge_core::stored::Restored;
use midge_core::{Generation, In, Memory, Shard, ShardId, Tap};
use tracing::info;

use super::StartError;
use super::running::{Running, close};
use crate::auth::Authenticator;
use crate::connect::{self, Connect};
use crate::connectors;
use crate::generation;
use crate::hub::{BridgeHost, Hub};
use crate::import::first_start;
use crate::listener::Listening;
use crate::policy::Policy;
use crate::reload::Reloader;
use crate::storage::{self, Beginning, Recovered, StorageError};
use crate::worker::Worker;
use crate::worker::inbox::Letter;

/// A broker whose files are read and whose ports are bound, and which does nothing yet.
pub struct Prepared {
    pub(super) config: Config,
    pub(super) policy: Policy,
    pub(super) listening: Vec<Listening>,
}

impl Prepared {
    /// Opens what is kept on disk and starts the threads; `observer` sees every record that passes
    /// the bridge.
    ///
    /// # Errors
    /// What the system, the store or the bridge refused.
    pub fn start(self, observer: Option<Observer>) -> Result<Running, StartError> {
        let config = &self.config;
        let shards = config.workers.clamp(1, ShardId::MAX);
        let memory = Memory::new(config.limits.memory_limit);
        let recovered = recover(config, shards, &memory)?;
        let (store, found) = match recovered {
            None => (None, Found::default()),
            Some(Recovered { store, restored, kept }) => {
                (Some(store), Found { restored, kept: Some(kept) })
            }
        };
        let authenticator = Authenticator::start(&config.limits)?;
        let hub = Arc::new(Hub::new(shards, memory, authenticator, store));
        let started = self.start_on(&hub, observer, found);
        if started.is_err() {
            // Threads that run end again, and the journal is left as after any stop.
            hub.end_workers();
            close(&hub, Duration::ZERO);
        }
        started
    }

    fn start_on(
        self,
        hub: &Arc<Hub>,
        observer: Option<Observer>,
        found: Found,
    ) -> Result<Running, StartError> {
        let Prepared { config, policy, listening } = self;
        if let (Some(store), Some(persistence)) = (&hub.store, &config.persistence) {
            storage::watch(store, hub, persistence);
        }
        let taps = start_bridge(hub, &config, observer, found.kept)?;
        connectors::warn_of_silent(&config, &policy);
        connect::warn_of_silent(&config, &policy);
        let policy = Arc::new(policy);
        hub.set_policy(&policy);
        let generation = Arc::new(generation::make(0, &config, &policy));
        let beginnings = begin(hub, &generation, &taps, found.restored);
        let sys_interval = config.sys_interval;
        // Clients and wills wait until connectors by class take what they send.
        let later = connect::is_wanted(&config);
        let served = (!later).then_some(&listening[..]);
        let reloader = Reloader::new(Arc::clone(hub), config.clone(), &listening)?;
        let mut running = Running::new(Arc::clone(hub), reloader);
        running.start_threads(beginnings, &policy, served, sys_interval)?;
        if later {
            start_connect(hub, &config, &listening)?;
            serve(hub, &listening)?;
        }
        info!("midge version {} running", env!("CARGO_PKG_VERSION"));
        Ok(running)
    }
}

/// What was on disk.
#[derive(Default)]
struct Found {
    /// One a shard, or none without persistence.
    restored: Vec<Restored>,
    kept: Option<Kept>,
}

fn recover(
    config: &Config,
    shards: usize,
    memory: &Arc<Memory>,
) -> Result<Option<Recovered>, StorageError> {
    let Some(persistence) = &config.persistence else { return Ok(None) };
    storage::check(persistence)?;
    first_start::import(config)?;
    let opened = storage::open(persistence)?;
    storage::recover(opened, Worker::now(), shards, memory).map(Some)
}

/// The shards, with what was stored of them.
fn begin(
    hub: &Hub,
    generation: &Arc<Generation>,
    taps: &Arc<[Tap]>,
    restored: Vec<Restored>,
) -> Vec<Beginning> {
    let (now, count) = (Worker::now(), hub.inboxes.len());
    let shard = |id| {
        let (generation, memory) = (Arc::clone(generation), Arc::clone(&hub.memory));
        let mut shard = Shard::new(ShardId(id as u8), count, generation, memory);
        shard.handle(now, In::Taps(Arc::clone(taps)));
        if hub.store.is_some() { shard.with_store() } else { shard }
    };
    storage::begin(now, (0..count).map(shard).collect(), restored)
}

/// Starts connectors by class.
fn start_connect(hub: &Arc<Hub>, config: &Config, listening: &[Listening]) -> io::Result<()> {
    let Some(bridge) = hub.bridge() else { return Ok(()) };
    let addresses = listening.iter().filter_map(|listening| listening.socket.local_addr().ok());
    let ports = addresses.map(|address| address.port()).collect();
    let connect = Connect::start(hub, &bridge, config, ports)?;
    hub.replace_connect(Some(connect));
    Ok(())
}

/// Has the workers take clients in. Nobody has to wait for that: who connects meanwhile waits in the
/// socket's queue.
fn serve(hub: &Hub, listening: &[Listening]) -> io::Result<()> {
    let copies: Vec<_> = hub
        .inboxes
        .iter()
        .map(|_| Listening::try_clone_all(listening))
        .collect::<io::Result<_>>()?;
    for (inbox, copies) in hub.inboxes.iter().zip(copies) {
        inbox.push(Letter::Serve(copies));
    }
    Ok(())
}

fn start_bridge(
    hub: &Arc<Hub>,
    config: &Config,
    observer: Option<Observer>,
    kept: Option<Kept>,
) -> Result<Arc<[Tap]>, StartError> {
    // What connectors have left that are gone has to be dealt with, too.
    let left = kept.as_ref().is_some_and(|kept| !kept.keyed.is_empty() || !kept.queues.is_empty());
    let wanted = connect::is_wanted(config);
    if config.connectors.is_empty() && !left && !wanted {
        return Ok(Arc::default());
    }
    let mut settings = midge_bridge::Settings::from(config);
    settings.also_kept = connect::names(config)?;
    settings.observer = observer;
    let host = Arc::new(BridgeHost(Arc::clone(hub)));
    let storage = hub.store.clone().zip(kept).map(|(store, kept)| Storage { store, kept });
    let bridge = Bridge::start(settings, host, storage).map_err(StartError::Bridge)?;
    let taps = bridge.taps();
    hub.replace_bridge(Some(Arc::new(bridge)));
    Ok(taps)
}
