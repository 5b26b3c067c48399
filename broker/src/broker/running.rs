//! A broker at work, and how it stops.
//!
//! The end goes from the clients inwards: sockets, what the shards have to store, the bridge, the
//! store. Each is still there while those before it end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use midge_bridge::{Bridge, ConnectorStatus};
use midge_codec::{InvalidTopic, QoS, ReasonCode, TopicName};
use midge_config::Config;
use midge_core::{Inject, ShardId};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracing::info;

use super::{StartError, or_abort};
use crate::hub::Hub;
use crate::listener::Listening;
use crate::policy::Policy;
use crate::reload::Reloader;
use crate::storage::Beginning;
use crate::sys::Sys;
use crate::worker::Worker;
use crate::worker::inbox::Letter;
use crate::worker::report::Report;

/// How long the bridge may take to bring to Kafka what publishers were not told of yet.
const BRIDGE_GRACE: Duration = Duration::from_secs(10);

/// A broker at work. Dropping it without [`Running::shutdown`] leaves its threads running.
pub struct Running {
    hub: Arc<Hub>,
    workers: Vec<JoinHandle<()>>,
    ended: Vec<oneshot::Receiver<()>>,
    sys: Option<Sys>,
    reloader: Reloader,
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

impl Running {
    pub(super) fn new(hub: Arc<Hub>, reloader: Reloader) -> Running {
        Running { hub, workers: Vec::new(), ended: Vec::new(), sys: None, reloader }
    }

    pub(super) fn start_threads(
        &mut self,
        beginnings: Vec<Beginning>,
        policy: &Arc<Policy>,
        listening: Option<&[Listening]>,
        sys_interval: Option<Duration>,
    ) -> io::Result<()> {
        // All that the workers have to open is opened before the first accepts anybody: a crowd at
        // the door could take the last descriptors otherwise.
        let open = |beginning| {
            let copies = listening.map(Listening::try_clone_all).transpose()?;
            io::Result::Ok((Worker::runtime()?, beginning, copies))
        };
        let opened = beginnings.into_iter().map(open).collect::<io::Result<Vec<_>>>()?;
        for (shard, (runtime, beginning, copies)) in opened.into_iter().enumerate() {
            let id = ShardId(shard as u8);
            self.start_worker(id, runtime, beginning, Arc::clone(policy), copies)?;
        }
        // It asks the workers, so they come first.
        self.sys = Some(Sys::start(Arc::clone(&self.hub), sys_interval)?);
        Ok(())
    }

    fn start_worker(
        &mut self,
        id: ShardId,
        runtime: Runtime,
        beginning: Beginning,
        policy: Arc<Policy>,
        listening: Option<Vec<Listening>>,
    ) -> io::Result<()> {
        let hub = Arc::clone(&self.hub);
        let (end, ended) = oneshot::channel();
        let work = move || {
            or_abort(|| Worker::run(id, &runtime, hub, beginning, policy, listening));
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
            mark: None,
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

    /// Waits until what has to be kept on disk cannot be kept any more, and says why: the disk has
    /// refused a write, or to confirm one. All clients are disconnected then and nothing is
    /// acknowledged; the program should [shut the broker down](Running::shutdown) and end, for what
    /// the disk really has shows at the next start. Without persistence it waits for ever.
    pub async fn failed(&self) -> String {
        let mut failure = self.hub.failure();
        match failure.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The hub has the other end, and outlives this.
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops: clients are told (MQTT 5), wills go out, what has to be stored is, the bridge brings
    /// to Kafka what it holds.
    pub async fn shutdown(mut self) {
        // It asks the workers, so it goes first.
        drop(self.sys.take());
        self.ask_workers(Letter::Shutdown).await;
        // The first round ends when no shard waits for the store, so none asks another any more;
        // what was asked before is settled in the second.
        for _ in 0..2 {
            self.ask_workers(Letter::Settle).await;
        }
        self.hub.end_workers();
        let Running { hub, workers, ended, .. } = self;
        for ended in ended {
            let _ = ended.await;
        }
        for worker in workers {
            // It has said that it ends.
            let _ = worker.join();
        }
        let (end, ended) = oneshot::channel();
        let stop = move || {
            close(&hub, BRIDGE_GRACE);
            let _ = end.send(());
        };
        if std::thread::Builder::new().name("stop".to_owned()).spawn(stop).is_ok() {
            let _ = ended.await;
        }
        info!("midge version {} terminating", env!("CARGO_PKG_VERSION"));
    }

    /// Leaves a letter with every worker and waits until all have answered, or have ended.
    async fn ask_workers(&self, letter: fn(oneshot::Sender<()>) -> Letter) {
        let ask = |inbox: &crate::worker::inbox::Inbox| {
            let (done, is_done) = oneshot::channel();
            inbox.push(letter(done));
            is_done
        };
        for is_done in self.hub.inboxes.iter().map(ask).collect::<Vec<_>>() {
            let _ = is_done.await;
        }
    }
}

/// Ends the REST interface, the bridge with all tasks, those who watch over tasks, and then the
/// store. A store that has failed is left as it is: there is nothing
/// that could be written to it.
pub(super) fn close(hub: &Hub, grace: Duration) {
    let failed = hub.failure().borrow().is_some();
    let mut connect = hub.replace_connect(None);
    if let Some(connect) = &mut connect {
        connect.end_rest();
    }
    if let Some(bridge) = hub.replace_bridge(None) {
        bridge.shutdown(if failed { Duration::ZERO } else { grace });
    }
    if let Some(connect) = connect {
        connect.end();
    }
    if let Some(store) = hub.store.as_ref().filter(|_| !failed) {
        store.shutdown();
    }
}
