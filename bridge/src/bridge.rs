//! The running bridge, as the broker holds it.

mod start;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_config::{ClientProperties, Connector, ConnectorKind, Kafka, Oauth};
use midge_core::{Offer, ShardId, Tap, Ticket};
use midge_store::Store;

use crate::connect::is_rule_of;
use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::kafka::{Consumer, Producer};
use crate::marks::{self, MarksBySink};
use crate::observer::Observer;
use crate::rule::{Rule, rules};
use crate::settings::{BridgeError, Settings};
use crate::sink::Sink;
use crate::source::Source;
use crate::storage::{Queues, Storage, transaction};
use start::Start;
use waiting::{Lot, Waiting};

/// The running bridge: one thread a producer (shared by connectors that are started together and
/// have equal properties), one thread a sink connector.
pub struct Bridge {
    host: Arc<dyn Host>,
    kafka: Kafka,
    observer: Option<Observer>,
    /// By the number that offers and tickets carry; no number is given twice.
    running: RwLock<BTreeMap<u32, Running>>,
    /// Held while connectors come or go.
    changes: Mutex<Changes>,
}

/// What it takes to start another connector.
struct Changes {
    next: u32,
    crews: BTreeMap<CrewId, Crew>,
    storage: Option<Kept>,
    /// What waits for connectors that are being started anew, by their names.
    lots: BTreeMap<String, Arc<Lot>>,
}

/// The storage, and what it has for connectors that are not running.
struct Kept {
    store: Store,
    queues: Queues,
    marks: MarksBySink,
}

/// Connectors that were started together, and end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrewId(u32);

struct Crew {
    numbers: Vec<u32>,
    producers: Vec<Arc<Producer>>,
    consumers: Vec<Consumer>,
}

enum Running {
    /// `away`: its host does not know it any more. A source that rests, or has failed, is known.
    Source {
        source: Arc<Source>,
        producer: Arc<Producer>,
        away: bool,
    },
    Sink(Arc<Sink>),
    /// A source of this broker between its end and its next start.
    Waiting(Waiting),
}

impl Bridge {
    /// Starts all connectors. Kafka being away is no error; templates and properties that can
    /// never work are, all of them at once, and then nothing runs. The caller gives
    /// [`Bridge::taps`] to the shards.
    ///
    /// With a storage sources have spools, which go on where the last process ended, and sinks
    /// deliver nothing twice after a crash. It has to outlive the bridge's shutdown.
    pub fn start(
        settings: Settings,
        host: Arc<dyn Host>,
        storage: Option<Storage>,
    ) -> Result<Bridge, Vec<BridgeError>> {
        let Settings { kafka, connectors, also_kept, observer } = settings;
        let rules = rules(&kafka, &connectors)?;
        let storage = storage.map(|Storage { store, kept }| {
            let sinks = connectors.iter().filter(|one| matches!(one.kind, ConnectorKind::Sink(_)));
            let sinks: BTreeSet<&[u8]> = sinks.map(|sink| sink.name.as_bytes()).collect();
            let comes_later = |rule: &[u8]| also_kept.iter().any(|name| is_rule_of(rule, name));
            let orphans = marks::orphans(&kept, |rule| sinks.contains(rule) || comes_later(rule));
            if !orphans.is_empty() {
                let submitter = store.submitter(Box::new(|_| {}));
                submitter.submit(vec![transaction(orphans)]);
            }
            Kept { store, queues: Queues::new(&kept), marks: MarksBySink::new(&kept) }
        });
        let (crews, lots) = (BTreeMap::new(), BTreeMap::new());
        let changes = Changes { next: 0, crews, storage, lots };
        let bridge = Bridge {
            host,
            kafka,
            observer,
            running: RwLock::default(),
            changes: Mutex::new(changes),
        };
        // From here on a failure stops what has been started: dropping a bridge does that.
        bridge.start_crew(&mut bridge.changes(), rules)?;
        if let Some(kept) = &bridge.changes().storage {
            kept.queues.warn_of_orphans(|rule| also_kept.iter().any(|name| is_rule_of(rule, name)));
        }
        Ok(bridge)
    }

    /// What is wrong with templates and properties, as far as it shows without a client.
    pub fn check(settings: &Settings) -> Vec<BridgeError> {
        rules(&settings.kafka, &settings.connectors).err().unwrap_or_default()
    }

    /// Starts more connectors and has the shards know them; they end together.
    ///
    /// # Errors
    /// As [`Bridge::start`]; nothing of them runs then. Names of connectors that run already are
    /// the caller's mistake.
    pub fn add(&self, connectors: &[Connector]) -> Result<CrewId, Vec<BridgeError>> {
        self.add_rules(rules(&self.kafka, connectors)?)
    }

    /// The same for rules that are ready to run.
    pub(crate) fn add_rules(&self, rules: Vec<Rule>) -> Result<CrewId, Vec<BridgeError>> {
        let mut changes = self.changes();
        let crew = self.start_crew(&mut changes, rules)?;
        self.retap();
        Ok(crew)
    }

    /// Ends connectors: no more messages are taken for them, consumers commit what was routed and
    /// leave their groups, and the logs have until `grace` is over to become empty. What is left is
    /// kept on disk for connectors of the same name; where there is none, its publishers are told
    /// that it failed.
    pub fn remove(&self, crew: CrewId, grace: Duration) {
        let mut changes = self.changes();
        let Some(crew) = changes.crews.remove(&crew) else { return };
        for number in &crew.numbers {
            // Sources stay until no shard offers them anything any more.
            if let Some(Running::Source { away, .. }) = self.running_mut().get_mut(number) {
                *away = true;
            }
        }
        self.retap();
        crew.stop(grace);
        self.dismiss(&mut changes, &crew);
    }

    /// Has a connector rest, or go on: a sink reads nothing more, a source brings nothing to Kafka
    /// and keeps what comes, as while Kafka is away; at another broker it takes nothing. Whether
    /// there is such a connector.
    pub fn pause(&self, connector: &str, pause: bool) -> bool {
        // Two callers must not give the shards their rules in the wrong order.
        let _changes = self.changes();
        let mut running = self.running_mut();
        let mut all = running.values_mut();
        let found = all.find(|one| one.health().is_some_and(|health| health.name() == connector));
        match found {
            None => return false,
            Some(Running::Source { source, producer, away }) => {
                if Arc::ptr_eq(source.host(), &self.host) {
                    source.rest(pause);
                    producer.wake();
                    return true;
                }
                *away = pause;
            }
            Some(Running::Sink(sink)) => {
                sink.pause(pause);
                return true;
            }
            Some(Running::Waiting(waiting)) => {
                waiting.rest(pause);
                return true;
            }
        }
        drop(running);
        self.retap();
        true
    }

    /// What routing has to know: one tap a source connector that takes from this broker.
    pub fn taps(&self) -> Arc<[Tap]> {
        self.taps_of(&self.host)
    }

    /// What a host is offered to.
    fn taps_of(&self, host: &Arc<dyn Host>) -> Arc<[Tap]> {
        let running = self.running();
        let sources = running.values().filter_map(|connector| match connector {
            Running::Source { source, away: false, .. } if Arc::ptr_eq(source.host(), host) => {
                Some(source.tap.clone())
            }
            Running::Waiting(waiting) if Arc::ptr_eq(&self.host, host) => waiting.tap().cloned(),
            _ => None,
        });
        sources.collect()
    }

    /// The hosts other than the broker around the bridge.
    fn other_hosts(&self) -> Vec<Arc<dyn Host>> {
        let mut hosts = Vec::new();
        for running in self.running().values() {
            // What goes to a database has no host.
            let Some(host) = running.host() else { continue };
            let known = |known: &Arc<dyn Host>| Arc::ptr_eq(known, host);
            if !known(&self.host) && !hosts.iter().any(known) {
                hosts.push(Arc::clone(host));
            }
        }
        hosts
    }

    /// Takes what one turn of a shard has for the bridge. Never blocks; `offers` is drained.
    pub fn offer(&self, shard: ShardId, offers: &mut Vec<Offer>) {
        let mut refused = Vec::new();
        let running = self.running();
        let mut offers = offers.drain(..).peekable();
        while let Some(tap) = offers.peek().map(|offer| offer.tap) {
            let run = std::iter::from_fn(|| offers.next_if(|offer| offer.tap == tap));
            match running.get(&tap.0) {
                Some(Running::Source { source, producer, .. }) => {
                    source.push(shard, run);
                    producer.wake();
                }
                Some(Running::Waiting(waiting)) => {
                    refused.extend(run.filter_map(|offer| waiting.park(shard, offer)));
                }
                // A tap that is gone: nobody takes the message any more.
                _ => refused.extend(run.filter_map(|offer| {
                    Some((shard, offer.duty?, ReasonCode::ImplementationSpecificError))
                })),
            }
        }
        drop(running);
        if !refused.is_empty() {
            self.host.duties_done(&mut refused);
        }
    }

    /// The outcome of an inject.
    pub fn injected(&self, ticket: Ticket, reason: ReasonCode) {
        if let Some(Running::Sink(sink)) = self.running().get(&ticket.owner) {
            sink.injected(ticket.number, reason);
        }
    }

    /// Why a connection of these rules to another broker cannot be had, or that it can.
    pub(crate) fn remote(&self, rules: &[String], connection: usize, away: Option<&str>) {
        for health in self.running().values().filter_map(Running::health) {
            if rules.iter().any(|rule| rule == health.name()) {
                health.remote(connection, away);
            }
        }
    }

    /// Why the other broker of these rules is away, while it is.
    pub(crate) fn remote_trouble(&self, rules: &[String]) -> Option<String> {
        let running = self.running();
        let mut of_rules = running.values().filter_map(Running::health);
        of_rules.find_map(|health| {
            rules.iter().any(|rule| rule == health.name()).then(|| health.remote_trouble())?
        })
    }

    /// How each connector fares, in the order in which they were started.
    pub fn status(&self) -> Vec<ConnectorStatus> {
        self.running()
            .values()
            .filter_map(|connector| match connector {
                Running::Source { source, .. } => Some(source.status()),
                Running::Sink(sink) => Some(sink.status()),
                Running::Waiting(waiting) => waiting.next().map(|source| source.status()),
            })
            .collect()
    }

    /// The client properties of a connector with these overrides, and where tokens come from.
    pub(crate) fn kafka(&self, overrides: &ClientProperties) -> (ClientProperties, Option<&Oauth>) {
        (self.kafka.client.overridden(overrides), self.kafka.oauth.as_ref())
    }

    /// Stops: consumers first, which commit what was routed and leave their groups, then the
    /// producers, once their logs are empty or `grace` is over. Outcomes may keep coming through
    /// [`Host`] while this runs, but none comes after it.
    pub fn shutdown(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut changes = self.changes();
        let other_hosts = self.other_hosts();
        for host in &other_hosts {
            // What is not taken any more stays with the other broker.
            let _ = host.retap(&Arc::default()).recv();
        }
        let crews = std::mem::take(&mut changes.crews);
        crews.values().for_each(|crew| crew.begin_stop(deadline));
        crews.values().for_each(|crew| crew.finish_stop(deadline));
        for connector in self.running().values() {
            connector.end();
            if let Some(source) = connector.source() {
                source.release();
            }
        }
        other_hosts.iter().for_each(|host| host.end());
        // The directory is free once nobody has a handle on the store.
        changes.storage = None;
    }

    fn start_crew(
        &self,
        changes: &mut Changes,
        rules: Vec<Rule>,
    ) -> Result<CrewId, Vec<BridgeError>> {
        let mut start = Start::new(self, changes);
        let crew = start.crew(rules);
        let errors = start.errors;
        let id = CrewId(crew.numbers.first().copied().unwrap_or(changes.next));
        if errors.is_empty() {
            changes.crews.insert(id, crew);
            return Ok(id);
        }
        crew.stop(Duration::ZERO);
        self.dismiss(changes, &crew);
        Err(errors)
    }

    /// Forgets connectors whose threads have ended, but for what is kept for others of their names.
    fn dismiss(&self, changes: &mut Changes, crew: &Crew) {
        let gone = {
            let mut running = self.running_mut();
            crew.numbers.iter().filter_map(|number| running.remove(number)).collect()
        };
        self.leave(changes, gone);
    }

    fn leave(&self, changes: &mut Changes, gone: Vec<Running>) {
        let mut ending: Vec<Arc<dyn Host>> = Vec::new();
        for running in gone {
            running.end();
            ending.extend(running.host().filter(|host| !Arc::ptr_eq(host, &self.host)).cloned());
            match (running, &mut changes.storage) {
                (Running::Source { source, .. }, kept) => {
                    if let Some((queue, kept)) = source.leave().zip(kept.as_mut()) {
                        kept.queues.give_back(source.health.name(), &queue);
                    }
                }
                (Running::Sink(sink), Some(kept)) => {
                    if let Some(marks) = sink.take_marks() {
                        kept.marks.give_back(sink.health.name(), marks);
                    }
                }
                (Running::Sink(_), None) | (Running::Waiting(_), _) => {}
            }
        }
        // No other crew has theirs: a second time does nothing.
        ending.iter().for_each(|host| host.end());
    }

    /// Has the shards and other brokers know the sources that there are, and waits until they do.
    fn retap(&self) {
        for host in self.other_hosts().iter().chain([&self.host]) {
            // It never has anything to say: it closes.
            let _ = host.retap(&self.taps_of(host)).recv();
        }
    }

    fn running(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn running_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u32, Running>> {
        self.running.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn health(&self) -> Option<&Health> {
        match self {
            Running::Source { source, .. } => Some(&source.health),
            Running::Sink(sink) => Some(&sink.health),
            Running::Waiting(waiting) => waiting.next().map(|source| &source.health),
        }
    }

    fn source(&self) -> Option<&Arc<Source>> {
        match self {
            Running::Source { source, .. } => Some(source),
            Running::Sink(_) => None,
            Running::Waiting(waiting) => waiting.next(),
        }
    }

    fn host(&self) -> Option<&Arc<dyn Host>> {
        match self {
            Running::Source { source, .. } => Some(source.host()),
            Running::Sink(sink) => sink.host(),
            Running::Waiting(waiting) => waiting.next().map(|source| source.host()),
        }
    }

    /// Its threads have ended, or were left behind.
    fn end(&self) {
        if let Some(source) = self.source() {
            // A producer that was left behind has not done it.
            source.close();
        }
        if let Some(health) = self.health() {
            health.stop();
        }
    }
}

impl Crew {
    fn stop(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        self.begin_stop(deadline);
        self.finish_stop(deadline);
    }

    fn begin_stop(&self, deadline: Instant) {
        self.consumers.iter().for_each(|consumer| consumer.stop(deadline));
        self.producers.iter().for_each(|producer| producer.stop(deadline));
    }

    fn finish_stop(&self, deadline: Instant) {
        self.consumers.iter().for_each(|consumer| consumer.join(deadline));
        self.producers.iter().for_each(|producer| producer.join(deadline));
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}
