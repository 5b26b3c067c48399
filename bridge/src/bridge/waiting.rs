//! Sources of this broker that are being started anew: what comes in between waits.
//!
//! The shards go on offering to the rules that have ended until they know those that follow, in one
//! step; all of it waits in one lot, in the order in which it came, and goes to the new sources before
//! anything that comes later. So no message passes a connector by while it is restarted or changed,
//! and none overtakes another.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use midge_codec::ReasonCode;
use midge_core::{DutyId, Offer, ShardId, Tap};
use tracing::warn;

use super::{Bridge, CrewId, Running};
use crate::kafka::Producer;
use crate::rule::Rule;
use crate::settings::BridgeError;
use crate::source::Source;

/// Messages and bytes that wait for one connector at most; what comes beyond is refused.
const MESSAGES_MAX: usize = 100_000;
const BYTES_MAX: usize = 64 << 20;

/// What waits for a connector.
#[derive(Default)]
pub(super) struct Lot {
    parked: Mutex<Parked>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Parked {
    /// With the names of the rules that they were offered to.
    offers: Vec<(ShardId, Arc<str>, Offer)>,
    bytes: usize,
}

/// A source that has ended, or one that follows it.
pub(super) struct Waiting {
    connector: Arc<str>,
    rule: Arc<str>,
    tap: Tap,
    /// Whether the shards are to know it.
    tapped: bool,
    next: Option<(Arc<Source>, Arc<Producer>)>,
    lot: Arc<Lot>,
}

impl Waiting {
    /// One that has ended, which the shards know, or one that follows, which they do not know yet.
    fn new(
        connector: &Arc<str>,
        source: &Source,
        next: Option<(Arc<Source>, Arc<Producer>)>,
        lot: &Arc<Lot>,
    ) -> Waiting {
        Waiting {
            connector: Arc::clone(connector),
            rule: Arc::from(source.health.name()),
            tap: source.tap.clone(),
            tapped: next.is_none(),
            next,
            lot: Arc::clone(lot),
        }
    }

    pub(super) fn tap(&self) -> Option<&Tap> {
        self.tapped.then_some(&self.tap)
    }

    /// The source that follows, if this is one.
    pub(super) fn next(&self) -> Option<&Arc<Source>> {
        self.next.as_ref().map(|(source, _)| source)
    }

    pub(super) fn rest(&self, rest: bool) {
        if let Some((source, producer)) = &self.next {
            source.rest(rest);
            producer.wake();
        }
    }

    /// Has an offer wait; there may be no room for it: what is to be told of it then.
    pub(super) fn park(
        &self,
        shard: ShardId,
        offer: Offer,
    ) -> Option<(ShardId, DutyId, ReasonCode)> {
        let mut parked = self.lot.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = offer.message.payload.len() + offer.message.topic.as_str().len();
        if parked.offers.len() >= MESSAGES_MAX || parked.bytes + bytes > BYTES_MAX {
            self.lot.refused.fetch_add(1, Ordering::Relaxed);
            return Some((shard, offer.duty?, ReasonCode::ImplementationSpecificError));
        }
        parked.bytes += bytes;
        parked.offers.push((shard, Arc::clone(&self.rule), offer));
        None
    }
}

impl Bridge {
    /// Ends connectors as [`Bridge::remove`] does, but what comes for the sources of this broker
    /// among them waits until [`Bridge::let_go`].
    pub(crate) fn hold(&self, connector: &str, crew: CrewId, grace: Duration) {
        let mut changes = self.changes();
        let Some(crew) = changes.crews.remove(&crew) else { return };
        let lot = Arc::clone(changes.lots.entry(connector.to_owned()).or_default());
        let connector: Arc<str> = Arc::from(connector);
        let mut gone = Vec::new();
        for number in &crew.numbers {
            let mut running = self.running_mut();
            let Some(Running::Source { source, away, .. }) = running.get_mut(number) else {
                continue;
            };
            if !Arc::ptr_eq(source.host(), &self.host) {
                *away = true;
                continue;
            }
            let waiting = Waiting::new(&connector, source, None, &lot);
            gone.extend(running.insert(*number, Running::Waiting(waiting)));
        }
        self.retap();
        crew.stop(grace);
        let mut running = self.running_mut();
        for number in &crew.numbers {
            if !matches!(running.get(number), Some(Running::Waiting(_))) {
                gone.extend(running.remove(number));
            }
        }
        drop(running);
        self.leave(&mut changes, gone);
    }

    /// Starts rules of a connector; where something waits for it, they take nothing before
    /// [`Bridge::let_go`].
    ///
    /// # Errors
    /// As [`Bridge::start`]; nothing of them runs then.
    pub(crate) fn add_rules_of(
        &self,
        connector: &str,
        rules: Vec<Rule>,
    ) -> Result<CrewId, Vec<BridgeError>> {
        let mut changes = self.changes();
        let id = self.start_crew(&mut changes, rules)?;
        if let (Some(lot), Some(crew)) = (changes.lots.get(connector), changes.crews.get(&id)) {
            let connector: Arc<str> = Arc::from(connector);
            for number in &crew.numbers {
                let mut running = self.running_mut();
                let Some(Running::Source { source, producer, .. }) = running.get(number) else {
                    continue;
                };
                if !Arc::ptr_eq(source.host(), &self.host) {
                    continue;
                }
                let next = Some((Arc::clone(source), Arc::clone(producer)));
                let waiting = Waiting::new(&connector, source, next, lot);
                running.insert(*number, Running::Waiting(waiting));
            }
        }
        self.retap();
        Ok(id)
    }

    /// All rules of a connector that are to run have been started: they take what has waited, and
    /// what comes from now on. What none of them takes any more is done with, or refused when there
    /// is none at all.
    pub(crate) fn let_go(&self, connector: &str) {
        let mut changes = self.changes();
        let Some(lot) = changes.lots.remove(connector) else { return };
        for running in self.running_mut().values_mut() {
            if let Running::Waiting(waiting) = running
                && *waiting.connector == *connector
            {
                waiting.tapped = waiting.next.is_some();
            }
        }
        // From now on no shard offers to the rules that have ended; to both it still waits.
        self.retap();
        let mut running = self.running_mut();
        let of_connector = running.iter().filter_map(|(number, running)| match running {
            Running::Waiting(waiting) if *waiting.connector == *connector => Some(*number),
            _ => None,
        });
        let mut sources = Vec::new();
        for number in of_connector.collect::<Vec<_>>() {
            if let Some(Running::Waiting(Waiting { rule, next, .. })) = running.remove(&number)
                && let Some((source, producer)) = next
            {
                sources.push((rule, Arc::clone(&source), Arc::clone(&producer)));
                running.insert(number, Running::Source { source, producer, away: false });
            }
        }
        let parked = {
            let mut parked = lot.parked.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *parked)
        };
        let mut done = Vec::new();
        // Held, so that no other message has the address of one that is gone.
        let (mut taken, mut held) = (HashSet::new(), Vec::new());
        for (shard, rule, offer) in parked.offers {
            let takes = |source: &Source| {
                source.tap.filters.iter().any(|filter| filter.matches(&offer.message.topic))
            };
            // A statement takes what was offered to it; where it does not any more, or is gone, the
            // first that the message is for, which may stand at another place now.
            let same = sources.iter().find(|(name, ..)| *name == rule);
            let same = same.filter(|(_, source, _)| takes(source));
            let found = same.or_else(|| sources.iter().find(|(_, source, _)| takes(source)));
            match (found, offer.duty) {
                // A message that several statements were offered is none's twice.
                (Some((_, source, _)), _)
                    if taken.insert((Arc::as_ptr(&offer.message), source.id())) =>
                {
                    held.push(Arc::clone(&offer.message));
                    source.push(shard, std::iter::once(offer));
                }
                (None, Some(duty)) if sources.is_empty() => {
                    done.push((shard, duty, ReasonCode::ImplementationSpecificError));
                }
                (_, Some(duty)) => done.push((shard, duty, ReasonCode::Success)),
                (_, None) => {}
            }
        }
        sources.iter().for_each(|(_, _, producer)| producer.wake());
        drop(running);
        if !done.is_empty() {
            self.host.duties_done(&mut done);
        }
        let refused = lot.refused.load(Ordering::Relaxed);
        if refused > 0 {
            warn!(connector, messages = refused, "refused while the connector was started anew");
        }
    }

    /// Whether one of these rules is a source that takes from this broker.
    pub(crate) fn takes_here(&self, rules: &[String]) -> bool {
        self.running().values().any(|running| {
            running.source().is_some_and(|source| {
                Arc::ptr_eq(source.host(), &self.host)
                    && rules.iter().any(|rule| rule == source.health.name())
            })
        })
    }
}
