//! Starts and stops a broker.
//!
//! Starting has two steps: [`Broker::prepare`] reads every file and binds every port on the
//! calling thread and starts no other, so that a program can give up its privileges before
//! [`Prepared::start`]. A broker either runs whole or not at all: a worker that panics takes the
//! process with it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use midge_bridge::{Bridge, BridgeError, ConnectorStatus, Observer};
use midge_codec::{InvalidTopic, QoS, ReasonCode, TopicName};
use midge_config::{Config, NamedFiles};
use midge_core::{Generation, Inject, ShardId};
use tokio::sync::oneshot;
use tracing::info;

use crate::auth::Authenticator;
use crate::connectors;
use crate::generation;
use crate::hub::{BridgeHost, Hub};
use crate::listener::Listening;
use crate::listener::bind::{BindError, bind};
use crate::policy::Policy;
use crate::reload::Reloader;
use crate::sys::Sys;
use crate::worker::Worker;
use crate::worker::inbox::Letter;
use crate::worker::report::Report;

/// How long the bridge may take to bring to Kafka what publishers were not told of yet.
const BRIDGE_GRACE: Duration = Duration::from_secs(10);

/// An MQTT broker with the Kafka bridge inside.
#[derive(Debug)]
pub struct Broker;

/// A broker whose files are read and whose ports are bound, and which does nothing yet.
pub struct Prepared {
    config: Config,
    policy: Policy,
    listening: Vec<Listening>,
}

/// A broker at work. Dropping it without [`Running::shutdown`] leaves its threads running.
pub struct Running {
    hub: Arc<Hub>,
    workers: Vec<JoinHandle<()>>,
    ended: Vec<oneshot::Receiver<()>>,
    sys: Option<Sys>,
    reloader: Reloader,
}

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files that the configuration names are not as they should be; a line each.
    #[error("{}", .0.join("\n"))]
    Files(Vec<String>),
    /// Ports that could not be bound.
    #[error("{}", lines(.0))]
    Bind(Vec<BindError>),
    /// Connectors that cannot be made.
    #[error("{}", lines(.0))]
    Bridge(Vec<BridgeError>),
    /// A thread or an event loop could not be made.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Why [`Running::publish`] did not publish.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The topic is none.
    #[error("topic: {0}")]
    Topic(#[from] InvalidTopic),
    /// The broker refused the message.
    #[error("refused: {0}")]
    Refused(ReasonCode),
    /// The broker is stopping.
    #[error("the broker has stopped")]
    Stopped,
}

impl Broker {
    /// Starts a broker.
    ///
    /// # Errors
    /// All that is wrong with what the configuration names, or what the system refused.
    pub fn start(config: Config) -> Result<Running, StartError> {
        Broker::prepare(config)?.start(None)
    }

    /// Reads every file that the configuration names, and opens nothing else.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn check(config: &Config) -> Result<(), StartError> {
        read(config)?;
        match Bridge::check(&midge_bridge::Settings::from(config)) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(StartError::Bridge(errors)),
        }
    }

    /// What is wrong with the password and ACL files of a configuration that has mistakes itself.
    pub fn check_named(named: &NamedFiles) -> Vec<String> {
        Policy::mistakes(named)
    }

    /// Reads every file that the configuration names and binds its ports.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn prepare(config: Config) -> Result<Prepared, StartError> {
        let policy = read(&config)?;
        let mut listening = Vec::new();
        let mut errors = Vec::new();
        for (listener, policy) in config.listeners.iter().zip(&policy.listeners) {
            match bind(listener) {
                Ok(sockets) => listening.extend(
                    sockets
                        .into_iter()
                        .map(|socket| Listening { name: policy.name.clone(), socket }),
                ),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(StartError::Bind(errors));
        }
        Ok(Prepared { config, policy, listening })
    }
}

impl Prepared {
    /// Starts the threads; `observer` sees every record that passes the bridge.
    ///
    /// # Errors
    /// What the system or the bridge refused.
    pub fn start(self, observer: Option<Observer>) -> Result<Running, StartError> {
        let Prepared { config, policy, listening } = self;
        let shards = config.workers.clamp(1, ShardId::MAX);
        let authenticator = Authenticator::start(&config.limits)?;
        let hub = Arc::new(Hub::new(shards, config.limits.memory_limit, authenticator));
        let taps = start_bridge(&hub, &config, observer)?;
        connectors::warn_of_silent(&config, &policy);
        let policy = Arc::new(policy);
        let generation = Arc::new(generation::make(0, &config, &policy, taps.clone()));
        let sys_interval = config.sys_interval;
        let reloader = Reloader::new(Arc::clone(&hub), config, taps, &listening)?;
        let mut running =
            Running { hub, workers: Vec::new(), ended: Vec::new(), sys: None, reloader };
        if let Err(error) = running.start_threads(&generation, &policy, &listening, sys_interval) {
            // Those that run end again.
            running.stop_workers();
            return Err(error.into());
        }
        info!("midge version {} running", env!("CARGO_PKG_VERSION"));
        Ok(running)
    }
}

/// The files of a configuration, if nothing is wrong with them.
fn read(config: &Config) -> Result<Policy, StartError> {
    let policy = Policy::load(config).map_err(StartError::Files)?;
    let errors = connectors::check_users(config, &policy);
    if errors.is_empty() { Ok(policy) } else { Err(StartError::Files(errors)) }
}

fn start_bridge(
    hub: &Arc<Hub>,
    config: &Config,
    observer: Option<Observer>,
) -> Result<Vec<midge_core::Tap>, StartError> {
    if config.connectors.is_empty() {
        return Ok(Vec::new());
    }
    let mut settings = midge_bridge::Settings::from(config);
    settings.observer = observer;
    let host = Arc::new(BridgeHost(Arc::clone(hub)));
    let bridge = Bridge::start(settings, host).map_err(StartError::Bridge)?;
    let taps = bridge.taps();
    hub.replace_bridge(Some(bridge));
    Ok(taps)
}

impl Running {
    fn start_threads(
        &mut self,
        generation: &Arc<Generation>,
        policy: &Arc<Policy>,
        listening: &[Listening],
        sys_interval: Option<Duration>,
    ) -> io::Result<()> {
        for shard in 0..self.hub.inboxes.len() {
            let copies = listening.iter().map(Listening::try_clone).collect::<Result<_, _>>()?;
            let id = ShardId(shard as u8);
            self.start_worker(id, Arc::clone(generation), Arc::clone(policy), copies)?;
        }
        // It asks the workers, so they come first.
        self.sys = Some(Sys::start(Arc::clone(&self.hub), sys_interval)?);
        Ok(())
    }

    fn start_worker(
        &mut self,
        id: ShardId,
        generation: Arc<Generation>,
        policy: Arc<Policy>,
        listening: Vec<Listening>,
    ) -> io::Result<()> {
        let hub = Arc::clone(&self.hub);
        let (end, ended) = oneshot::channel();
        let work = move || {
            or_abort(|| Worker::run(id, hub, generation, policy, listening));
            let _ = end.send(());
        };
        let thread = std::thread::Builder::new().name(format!("worker-{}", id.0)).spawn(work)?;
        self.workers.push(thread);
        self.ended.push(ended);
        Ok(())
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    fn stop_workers(&self) {
        for inbox in &self.hub.inboxes {
            inbox.push(Letter::Shutdown);
        }
    }

    /// The addresses that clients connect to, in the order of the listeners.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.reloader.addresses()
    }

    /// Publishes a message; returns once it has been routed, and for QoS 1 and 2 once every duty
    /// is met that a client's acknowledgement would have waited for.
    ///
    /// # Errors
    /// The topic is not valid, or the broker refused the message or stops.
    pub async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        qos: QoS,
        retain: bool,
    ) -> Result<(), PublishError> {
        let inject = Inject {
            ticket: None,
            client: None,
            topic: TopicName::try_from(topic)?,
            payload: payload.into(),
            qos,
            retain,
            properties: None,
            trail: Vec::new(),
        };
        match self.hub.publish(Box::new(inject)).await {
            Ok(reason) if reason.is_error() => Err(PublishError::Refused(reason)),
            Ok(_) => Ok(()),
            Err(_) => Err(PublishError::Stopped),
        }
    }

    /// What all workers have counted.
    pub async fn stats(&self) -> Report {
        let mut sum = Report::default();
        for report in self.hub.ask_reports() {
            // A worker that ends while asked has nothing more to say.
            sum += report.await.unwrap_or_default();
        }
        sum
    }

    /// How each connector of the bridge fares, in the order of the configuration.
    pub fn connectors(&self) -> Vec<ConnectorStatus> {
        self.hub.with_bridge(Bridge::status).unwrap_or_default()
    }

    /// Puts a new configuration in force: listeners, access rules, passwords, certificates, limits.
    /// Clients that could not log in any more are disconnected. What counts from the next start,
    /// such as connectors and the number of workers, stays as it is, with a line in the log.
    ///
    /// # Errors
    /// All that is wrong with what the configuration names; the old one then stays in force.
    pub async fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let sys_interval = config.sys_interval;
        self.reloader.reload(config).await.map_err(StartError::Files)?;
        if let Some(sys) = &self.sys {
            sys.change(sys_interval);
        }
        Ok(())
    }

    /// Stops: clients are told (MQTT 5), wills go out, the bridge brings to Kafka what it holds.
    pub async fn shutdown(mut self) {
        // It asks the workers, so it goes first.
        drop(self.sys.take());
        self.stop_workers();
        let Running { hub, workers, ended, .. } = self;
        for ended in ended {
            let _ = ended.await;
        }
        for worker in workers {
            // It has said that it ends.
            let _ = worker.join();
        }
        if let Some(bridge) = hub.replace_bridge(None) {
            let (end, ended) = oneshot::channel();
            let stop = move || {
                bridge.shutdown(BRIDGE_GRACE);
                let _ = end.send(());
            };
            if std::thread::Builder::new().name("bridge-stop".to_owned()).spawn(stop).is_ok() {
                let _ = ended.await;
            }
        }
        info!("midge version {} terminating", env!("CARGO_PKG_VERSION"));
    }
}

/// Runs a thread's work; a panic in it ends the process, for half a broker is worse than none.
pub(crate) fn or_abort(work: impl FnOnce() -> io::Result<()>) {
    let why = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        // The panic has said it.
        Err(_) => "it panicked".to_owned(),
    };
    let thread = std::thread::current();
    eprintln!("midge: thread {}: {why}, the broker ends", thread.name().unwrap_or("?"));
    std::process::abort();
}

fn lines<T: ToString>(errors: &[T]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
