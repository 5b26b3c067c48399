//! The running bridge, as the broker holds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_codec::{ReasonCode, Text};
use midge_config::{ClientProperties, ConnectorKind};
use midge_core::{Client, Offer, ShardId, Tap, TapId, Ticket};

use crate::health::{ConnectorStatus, Health, Kind};
use crate::host::Host;
use crate::kafka::{self, Consumer, Producer};
use crate::marks::{self, Marks};
use crate::settings::{BridgeError, Compiled, Settings, compile};
use crate::sink::{Marking, Sink};
use crate::source::Source;
use crate::spool::Spool;
use crate::storage::{Queues, Storage, transaction};

/// The running bridge: one thread a producer (shared by connectors with equal properties), one
/// thread a sink connector.
pub struct Bridge {
    connectors: Vec<Running>,
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
    host: Arc<dyn Host>,
}

enum Running {
    Source { source: Arc<Source>, producer: usize },
    Sink(Arc<Sink>),
}

impl Bridge {
    /// Starts all connectors. Kafka being away is no error; templates and properties that can
    /// never work are, all of them at once, and then nothing runs.
    // By value: what holds secrets should not be kept longer than this.
    #[allow(clippy::needless_pass_by_value)]
    ///
    /// With a storage sources have spools, which go on where the last process ended, and sinks
    /// deliver nothing twice after a crash. It has to outlive the bridge's shutdown.
    pub fn start(
        settings: Settings,
        host: Arc<dyn Host>,
        storage: Option<Storage>,
    ) -> Result<Bridge, Vec<BridgeError>> {
        let errors = Bridge::check(&settings);
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut start = Start {
            settings: &settings,
            groups: Vec::new(),
            consumers: Vec::new(),
            errors,
            queues: storage.as_ref().map(|storage| Queues::new(&storage.kept)),
            storage,
        };
        start.forget_orphaned_marks();
        let mut connectors = Vec::new();
        for index in 0..settings.connectors.len() {
            connectors.extend(start.connector(index, &host));
        }
        if let Some(queues) = &start.queues {
            queues.warn_of_orphans();
        }
        let producers = start.producers();
        // From here on a failure stops what has been started: dropping a bridge does that.
        let Start { consumers, errors, .. } = start;
        let bridge = Bridge { connectors, producers, consumers, host };
        if errors.is_empty() { Ok(bridge) } else { Err(errors) }
    }

    /// What is wrong with templates and properties, as far as it shows without a client.
    pub fn check(settings: &Settings) -> Vec<BridgeError> {
        let mut errors = Vec::new();
        for connector in &settings.connectors {
            compile(connector, &mut errors);
            let properties = settings.kafka.client.overridden(&connector.overrides);
            if let Err(error) = kafka::check(&connector.name, &properties) {
                errors.push(BridgeError::new(connector, error));
            }
        }
        errors
    }

    /// What routing has to know: one tap a source connector.
    pub fn taps(&self) -> Vec<Tap> {
        let sources = self.connectors.iter().filter_map(|connector| match connector {
            Running::Source { source, .. } => Some(source.tap.clone()),
            Running::Sink(_) => None,
        });
        sources.collect()
    }

    /// Takes what one turn of a shard has for the bridge. Never blocks; `offers` is drained.
    pub fn offer(&self, shard: ShardId, offers: &mut Vec<Offer>) {
        let mut refused = Vec::new();
        let mut offers = offers.drain(..).peekable();
        while let Some(tap) = offers.peek().map(|offer| offer.tap) {
            let run = std::iter::from_fn(|| offers.next_if(|offer| offer.tap == tap));
            match self.connectors.get(tap.0 as usize) {
                Some(Running::Source { source, producer }) => {
                    source.push(shard, run);
                    self.producers[*producer].wake();
                }
                // A tap of an older generation: nobody takes the message any more.
                _ => refused.extend(run.filter_map(|offer| {
                    Some((shard, offer.duty?, ReasonCode::ImplementationSpecificError))
                })),
            }
        }
        if !refused.is_empty() {
            self.host.duties_done(&mut refused);
        }
    }

    /// The outcome of an inject.
    pub fn injected(&self, ticket: Ticket, reason: ReasonCode) {
        if let Some(Running::Sink(sink)) = self.connectors.get(ticket.owner as usize) {
            sink.injected(ticket.number, reason);
        }
    }

    /// How each connector fares, in the order of the settings.
    pub fn status(&self) -> Vec<ConnectorStatus> {
        self.connectors
            .iter()
            .map(|connector| match connector {
                Running::Source { source, .. } => source.status(),
                Running::Sink(sink) => sink.status(),
            })
            .collect()
    }

    /// Stops: consumers first, which commit what was routed and leave their groups, then the
    /// producers, once their logs are empty or `grace` is over. Outcomes may keep coming through
    /// [`Host`] while this runs, but none comes after it.
    pub fn shutdown(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        for consumer in &self.consumers {
            consumer.stop(deadline);
        }
        for producer in &self.producers {
            producer.stop(deadline);
        }
        for consumer in &self.consumers {
            consumer.join(deadline);
        }
        for producer in &self.producers {
            producer.join(deadline);
        }
        for connector in &self.connectors {
            match connector {
                Running::Source { source, .. } => {
                    // A producer that was left behind has not done it.
                    source.close();
                    source.health.stop();
                }
                Running::Sink(sink) => sink.health.stop(),
            }
        }
    }
}

/// A bridge on its way to be started.
struct Start<'a> {
    settings: &'a Settings,
    /// Source connectors with equal properties, the first one answering for them.
    groups: Vec<Group>,
    consumers: Vec<Consumer>,
    errors: Vec<BridgeError>,
    storage: Option<Storage>,
    queues: Option<Queues>,
}

struct Group {
    properties: ClientProperties,
    first: usize,
    sources: Vec<Arc<Source>>,
}

impl Start<'_> {
    fn forget_orphaned_marks(&self) {
        let Some(storage) = &self.storage else { return };
        let connectors = self.settings.connectors.iter();
        let sinks = connectors.filter(|one| matches!(one.kind, ConnectorKind::Sink(_)));
        let sinks = sinks.map(|sink| sink.name.as_bytes()).collect();
        let orphans = marks::orphans(&storage.kept, &sinks);
        if !orphans.is_empty() {
            let submitter = storage.store.submitter(Box::new(|_| {}));
            submitter.submit(vec![transaction(orphans)]);
        }
    }

    fn connector(&mut self, index: usize, host: &Arc<dyn Host>) -> Option<Running> {
        let connector = &self.settings.connectors[index];
        let compiled = compile(connector, &mut self.errors)?;
        let client = match &connector.user {
            None => None,
            Some(user) => match acting_client(&connector.name, &user.name) {
                Ok(client) => Some(Arc::new(client)),
                Err(message) => {
                    self.errors.push(BridgeError::new(connector, message));
                    return None;
                }
            },
        };
        let properties = self.settings.kafka.client.overridden(&connector.overrides);
        let host = Arc::clone(host);
        match compiled {
            Compiled::Source { rule, filters, limits, waits, generation } => {
                let (id, name) = (TapId(index as u32), rule.name().clone());
                let tap = Tap { id, name, filters, waits, reader: client };
                let health = Health::new(&connector.name, Kind::Source);
                let queue = self.queues.as_mut();
                let queue = queue.map(|queues| queues.take(&connector.name, generation));
                let store = self.storage.as_ref().map(|storage| &storage.store);
                let spool = Spool::new(limits, queue);
                let source = Source::new(rule, tap, health, spool, store, host);
                let group = self.groups.iter().position(|group| group.properties == properties);
                let producer = group.unwrap_or_else(|| {
                    self.groups.push(Group { properties, first: index, sources: Vec::new() });
                    self.groups.len() - 1
                });
                self.groups[producer].sources.push(Arc::clone(&source));
                Some(Running::Source { source, producer })
            }
            Compiled::Sink { rule, plan } => {
                let health = Health::new(&connector.name, Kind::Sink);
                let marking = self.storage.as_ref().map(|storage| Marking {
                    marks: Marks::new(&connector.name, &storage.kept),
                    submitter: storage.store.submitter(Box::new(|_| {})),
                });
                let owner = index as u32;
                let sink = Arc::new(Sink::new(owner, rule, plan, client, health, host, marking));
                let oauth = self.settings.kafka.oauth.as_ref();
                let observer = self.settings.observer.clone();
                match Consumer::start(Arc::clone(&sink), &properties, oauth, observer) {
                    Ok(consumer) => self.consumers.push(consumer),
                    Err(error) => self.errors.push(BridgeError::new(connector, error)),
                }
                Some(Running::Sink(sink))
            }
        }
    }

    fn producers(&mut self) -> Vec<Producer> {
        let mut producers = Vec::new();
        for Group { properties, first, sources } in self.groups.drain(..) {
            let oauth = self.settings.kafka.oauth.as_ref();
            let observer = self.settings.observer.clone();
            match Producer::start(sources, &properties, oauth, observer) {
                Ok(producer) => producers.push(producer),
                Err(error) => {
                    let connector = &self.settings.connectors[first];
                    self.errors.push(BridgeError::new(connector, error));
                }
            }
        }
        producers
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

/// The client that a connector with an MQTT user is to access control.
fn acting_client(name: &str, user: &str) -> Result<Client, String> {
    let text = |what, text| Text::try_from(text).map_err(|error| format!("{what}: {error}"));
    Ok(Client {
        client_id: text("name", name)?,
        username: Some(text("mqtt user", user)?),
        listener: Text::empty(),
        address: String::new(),
    })
}
