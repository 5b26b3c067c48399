//! The bridge's source rules: which messages they take, whose acknowledgement waits for them.

use std::sync::Arc;

use hashbrown::HashSet;
use tracing::debug;

use super::Shard;
use super::deliver::Envelope;
use super::duties::Unacknowledged;
use crate::connection::paused;
use crate::event::Offer;
use crate::filters::FilterMap;
use crate::settings::{Tap, TapId};
use crate::{Now, Out};

#[derive(Debug, Default)]
pub(super) struct Taps {
    rules: Arc<[Tap]>,
    /// Places in `rules`.
    filters: FilterMap<u32>,
    full: HashSet<TapId>,
    matches: Vec<u32>,
}

impl Taps {
    /// New rules; those that were full and still exist stay full.
    fn replace(&mut self, rules: Arc<[Tap]>) {
        self.filters = FilterMap::default();
        for (place, tap) in rules.iter().enumerate() {
            for filter in &tap.filters {
                self.filters.insert(filter.filter(), place as u32);
            }
        }
        self.full.retain(|id| rules.iter().any(|tap| tap.id == *id));
        self.rules = rules;
    }
}

impl Shard {
    /// Offers a client's message to the rules that match; returns whether any takes it.
    pub(super) fn offer(
        &mut self,
        index: u32,
        envelope: &mut Envelope,
        publish: Option<&mut Unacknowledged>,
    ) -> bool {
        let (any, full) = self.offer_to_taps(envelope, publish);
        if full && self.connections[index as usize].is_some() {
            self.pause(index, paused::TAP);
        }
        any
    }

    /// Offers a message that came by no connection: there is nobody to pause.
    pub(super) fn offer_unpaused(
        &mut self,
        envelope: &mut Envelope,
        publish: Option<&mut Unacknowledged>,
    ) -> bool {
        self.offer_to_taps(envelope, publish).0
    }

    fn offer_to_taps(
        &mut self,
        envelope: &mut Envelope,
        mut publish: Option<&mut Unacknowledged>,
    ) -> (bool, bool) {
        if self.taps.rules.is_empty() {
            return (false, false);
        }
        let mut matches = std::mem::take(&mut self.taps.matches);
        let topic = envelope.message().topic.as_str();
        self.taps.filters.visit(topic, &mut self.scratch.visits, |place| matches.push(*place));
        // A rule whose filters overlap takes a message once.
        matches.sort_unstable();
        matches.dedup();
        let (rules, generation) = (Arc::clone(&self.taps.rules), Arc::clone(&self.generation));
        let (mut any, mut full) = (false, false);
        for place in matches.drain(..) {
            let tap = &rules[place as usize];
            let message = envelope.message();
            if message.trail.contains(&tap.name) {
                debug!(rule = %tap.name, topic = %message.topic, "message has passed this rule");
                continue;
            }
            if let Some(reader) = &tap.reader
                && !generation.authorize.read(reader, &message.topic)
            {
                debug!(rule = %tap.name, topic = %message.topic, "rule's user may not read");
                continue;
            }
            let message = envelope.share(&self.memory);
            let duty = publish
                .as_deref_mut()
                .filter(|_| tap.waits)
                .map(|publish| self.duty_waits(publish, &message.topic, &message.payload));
            self.wire.outs.push_back(Out::Offer(Offer { tap: tap.id, message, duty }));
            any = true;
            full |= self.taps.full.contains(&tap.id);
        }
        self.taps.matches = matches;
        (any, full)
    }

    /// The bridge's rules have changed. Who waited for one that is gone goes on.
    pub(super) fn retap(&mut self, now: Now, rules: Arc<[Tap]>) {
        self.taps.replace(rules);
        self.resume_all(now, paused::TAP);
    }

    /// A rule is full, or can take more: then all who waited go on.
    pub(super) fn tap_full(&mut self, now: Now, tap: TapId, full: bool) {
        if full {
            self.taps.full.insert(tap);
            return;
        }
        self.taps.full.remove(&tap);
        self.resume_all(now, paused::TAP);
    }

    /// Resumes every connection that waited for this reason; one whose next message meets another
    /// full rule waits again.
    pub(super) fn resume_all(&mut self, now: Now, reason: u8) {
        let waiting: Vec<u32> = self
            .connections
            .iter()
            .flatten()
            .filter(|connection| connection.paused & reason != 0)
            .map(|connection| connection.id.index)
            .collect();
        for index in waiting {
            self.resume(now, index, reason);
        }
    }
}
