//! Starting rules: sources that share a producer, and sinks with a consumer each.

use std::sync::Arc;

use midge_config::{ClientProperties, Origin};
use midge_core::{Tap, TapId};

use super::{Bridge, Changes, Crew, Running};
use crate::health::{Health, Kind};
use crate::influx::Writer;
use crate::kafka::{Consumer, Producer};
use crate::rule::{Rule, Work};
use crate::settings::BridgeError;
use crate::sink::{Marking, Outcomes, Sink, Target};
use crate::source::Source;
use crate::spool::Spool;

/// Rules on their way to be started.
pub(super) struct Start<'a> {
    bridge: &'a Bridge,
    changes: &'a mut Changes,
    /// Sources with equal properties, the first one answering for them.
    groups: Vec<Group>,
    pub(super) errors: Vec<BridgeError>,
}

struct Group {
    properties: ClientProperties,
    /// The first source's connector, and where that was defined.
    connector: String,
    origin: Origin,
    sources: Vec<(u32, Arc<Source>)>,
}

impl<'a> Start<'a> {
    pub(super) fn new(bridge: &'a Bridge, changes: &'a mut Changes) -> Start<'a> {
        Start { bridge, changes, groups: Vec::new(), errors: Vec::new() }
    }

    /// Starts what can be started; what cannot is in `errors`.
    pub(super) fn crew(&mut self, rules: Vec<Rule>) -> Crew {
        let mut crew = Crew { numbers: Vec::new(), producers: Vec::new(), consumers: Vec::new() };
        for rule in rules {
            let number = self.changes.next;
            self.changes.next += 1;
            crew.numbers.push(number);
            crew.consumers.extend(self.rule(number, rule));
        }
        for group in std::mem::take(&mut self.groups) {
            let Group { properties, connector, origin, sources } = group;
            let of_group = sources.iter().map(|(_, source)| Arc::clone(source)).collect();
            let oauth = self.bridge.kafka.oauth.as_ref();
            let observer = self.bridge.observer.clone();
            match Producer::start(of_group, &properties, oauth, observer) {
                Ok(producer) => {
                    let producer = Arc::new(producer);
                    crew.producers.push(Arc::clone(&producer));
                    for (number, source) in sources {
                        let producer = Arc::clone(&producer);
                        let source = Running::Source { source, producer, away: false };
                        self.bridge.running_mut().insert(number, source);
                    }
                }
                Err(message) => self.errors.push(BridgeError { connector, origin, message }),
            }
        }
        crew
    }

    /// Starts a sink; a source goes to its group.
    fn rule(&mut self, number: u32, rule: Rule) -> Option<Consumer> {
        let Rule { name, origin, overrides, client, host, usage, hidden, work } = rule;
        let Bridge { kafka, observer, .. } = self.bridge;
        let properties = kafka.client.overridden(&overrides);
        let is_here = host.is_none();
        let host = host.unwrap_or_else(|| Arc::clone(&self.bridge.host));
        let kept = self.changes.storage.as_mut();
        match work {
            Work::Source { mapping, filters, limits, waits, generation } => {
                let (id, passed) = (TapId(number), mapping.name().clone());
                let tap = Tap { id, name: passed, filters, waits, reader: client };
                let health = Health::new(&name, Kind::Source, usage, hidden);
                let (queue, store) =
                    kept.map(|kept| (kept.queues.take(&name, generation), &kept.store)).unzip();
                let spool = Spool::new(limits, queue);
                let source = Source::new(mapping, tap, health, spool, store, host);
                let group = self.groups.iter().position(|group| group.properties == properties);
                let group = group.unwrap_or_else(|| {
                    let sources = Vec::new();
                    self.groups.push(Group { properties, connector: name, origin, sources });
                    self.groups.len() - 1
                });
                self.groups[group].sources.push((number, source));
                None
            }
            Work::Sink { delivery, plan, database, letters } => {
                let health = Health::new(&name, Kind::Sink, usage, hidden);
                let outcomes = Arc::new(Outcomes::default());
                let to_database = database.is_some();
                let target = match database {
                    None => Ok(Target::Broker { host, client }),
                    Some(database) => Writer::start(database, &outcomes).map(Target::Influx),
                };
                let target = match target {
                    Ok(target) => (target, outcomes),
                    Err(error) => {
                        let message = format!("a thread cannot be started: {error}");
                        self.errors.push(BridgeError { connector: name, origin, message });
                        return None;
                    }
                };
                // Only the broker around the bridge writes marks with its messages.
                let marking = kept.filter(|_| is_here && !to_database).map(|kept| Marking {
                    marks: kept.marks.take(&name),
                    submitter: kept.store.submitter(Box::new(|_| {})),
                });
                let sink = Sink::new(number, delivery, plan, health, target, marking);
                let sink = Arc::new(sink);
                // Outcomes of what it publishes find it from the first record on.
                self.bridge.running_mut().insert(number, Running::Sink(Arc::clone(&sink)));
                let oauth = kafka.oauth.as_ref();
                let letters = kafka.client.overridden(&letters);
                let observer = observer.clone();
                let consumer = Consumer::start(sink, &properties, &letters, oauth, observer);
                consumer
                    .map_err(|message| {
                        self.errors.push(BridgeError { connector: name, origin, message });
                    })
                    .ok()
            }
        }
    }
}
