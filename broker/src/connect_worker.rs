//! A Connect worker as a process of its own: the bridge, connectors by class and REST, without a
//! broker.
//!
//! Invariant: there are no shards. No connector finds its MQTT broker in this process, for there are
//! no local ports or hosts, so nothing is ever tapped or published here.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use midge_bridge::connect::Definitions;
use midge_bridge::connect::plan::Worker;
use midge_bridge::{Bridge, Host, Settings, Storage, check_client_properties};
use midge_codec::ReasonCode;
use midge_config::{Config, MqttUser};
use midge_core::{DutyId, Inject, Memory, ShardId, Tap, TapId};
use midge_store::{State, Store};
use tokio::sync::watch;
use tracing::{error, info};

use crate::broker::StartError;
use crate::connect::{self, Connect};
use crate::storage::{self, Recovered};

/// How long the bridge may take to bring to Kafka what it holds.
const GRACE: Duration = Duration::from_secs(10);

/// A worker at work. It ends with [`ConnectWorker::shutdown`].
pub(crate) struct ConnectWorker {
    bridge: Arc<Bridge>,
    connect: Connect,
    /// `None` without persistence.
    store: Option<Store>,
    failure: watch::Receiver<Option<String>>,
    /// Keeps the other end open where there is no store.
    _failed: Arc<watch::Sender<Option<String>>>,
}

impl ConnectWorker {
    /// What is wrong with the connectors of files, a line each.
    ///
    /// # Errors
    /// All of it.
    pub(crate) fn check(config: &Config) -> Result<(), StartError> {
        let mut wrong = connect::check_files(config, &worker(config), refuse);
        // Names and values that no worker's file said, such as those of [kafka] in the environment.
        if wrong.is_empty() {
            wrong.extend(check_client_properties("connect", &config.kafka.client).err());
        }
        if let Some(persistence) = &config.persistence
            && let Err(error) = storage::check(persistence)
        {
            wrong.push(error.to_string());
        }
        if wrong.is_empty() { Ok(()) } else { Err(StartError::Files(wrong)) }
    }

    /// Starts the connectors of files and those that are kept, and then REST.
    ///
    /// # Errors
    /// What the system, the store or the bridge refused.
    pub(crate) fn start(
        config: &Config,
        definitions: Definitions,
    ) -> Result<ConnectWorker, StartError> {
        let (failed, failure) = watch::channel(None);
        let failed = Arc::new(failed);
        let storage = open(config, &failed)?;
        let store = storage.as_ref().map(|storage| storage.store.clone());
        let started = run(config, definitions, storage);
        if let (Err(_), Some(store)) = (&started, &store) {
            // The journal is left as after any stop.
            store.shutdown();
        }
        let (bridge, connect) = started?;
        info!("midge version {}: the Connect worker runs", env!("CARGO_PKG_VERSION"));
        Ok(ConnectWorker { bridge, connect, store, failure, _failed: failed })
    }

    /// Waits until what has to be kept on disk cannot be kept any more, and says why.
    pub(crate) async fn failed(&mut self) -> String {
        match self.failure.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The other end is ours.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends: nobody changes connectors any more, sinks commit what they have delivered, what
    /// sources hold goes to Kafka.
    pub(crate) fn shutdown(mut self) {
        let failed = self.failure.borrow().is_some();
        self.connect.end_rest();
        self.bridge.shutdown(if failed { Duration::ZERO } else { GRACE });
        self.connect.end();
        if let Some(store) = self.store.filter(|_| !failed) {
            store.shutdown();
        }
        info!("midge version {} terminating", env!("CARGO_PKG_VERSION"));
    }
}

fn run(
    config: &Config,
    definitions: Definitions,
    storage: Option<Storage>,
) -> Result<(Arc<Bridge>, Connect), StartError> {
    let mut settings = Settings::from(config);
    settings.also_kept = connect::names(config)?;
    let bridge =
        Bridge::start(settings, Arc::new(NoBroker), storage).map_err(StartError::Bridge)?;
    let bridge = Arc::new(bridge);
    let worker = worker(config);
    let authenticate = Arc::new(|user: &MqttUser| refuse(user).map_err(str::to_owned));
    let connect = Connect::start_with(&bridge, config, worker, authenticate, definitions)?;
    Ok((bridge, connect))
}

/// What classes have to know: nothing is here.
fn worker(config: &Config) -> Worker {
    Worker {
        properties: config.connect.worker_properties.clone().unwrap_or_default(),
        persistent: config.persistence.is_some(),
        ..Worker::default()
    }
}

/// Nobody logs in where there is no broker.
fn refuse(_: &MqttUser) -> Result<(), &'static str> {
    Err("there is no broker in a worker")
}

/// Opens what is kept on disk; a disk that refuses a write ends the worker.
fn open(
    config: &Config,
    failed: &Arc<watch::Sender<Option<String>>>,
) -> Result<Option<Storage>, StartError> {
    let Some(persistence) = &config.persistence else { return Ok(None) };
    storage::check(persistence)?;
    let opened = storage::open(persistence)?;
    let memory = Memory::new(config.limits.memory_limit);
    // One shard, whose sessions stay where they are, should the directory have been a broker's.
    let recovered = storage::recover(opened, crate::worker::Worker::now(), 1, &memory)?;
    let Recovered { store, kept, .. } = recovered;
    let failed = Arc::clone(failed);
    store.on_state(Box::new(move |state| {
        if let State::Failed { why } = state {
            error!("nothing is acknowledged any more, the worker ends");
            failed.send_replace(Some(why.clone()));
        }
    }));
    Ok(Some(Storage { store, kept }))
}

/// The broker that is not there.
struct NoBroker;

impl Host for NoBroker {
    fn duties_done(&self, done: &mut Vec<(ShardId, DutyId, ReasonCode)>) {
        done.clear();
    }

    fn tap_full(&self, _: TapId, _: bool) {}

    fn inject(&self, injects: &mut Vec<Box<Inject>>) {
        assert!(injects.is_empty(), "there is no broker in a worker to publish at");
    }

    fn retap(&self, _: &Arc<[Tap]>) -> Receiver<()> {
        let (_, closed) = mpsc::channel();
        closed
    }
}
