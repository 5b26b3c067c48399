//! A new generation of the configuration: every live decision is made again at once.

use std::sync::Arc;

use midge_codec::TopicFilter;
use tracing::warn;

use super::Shard;
use crate::Now;
use crate::session::{Delivery, Subscription};
use crate::settings::{Generation, Verdict};

impl Shard {
    pub(super) fn reload(&mut self, now: Now, generation: Arc<Generation>) {
        self.generation = generation;
        let sessions: Vec<u32> = self.sessions.iter().map(|(number, _)| number as u32).collect();
        // Only who has been judged anew may take what another one may not read any more.
        let mut given_back = Vec::new();
        for number in sessions {
            let queue = self.session(number).stored.as_ref().map(|stored| stored.queue);
            let taken = self.judge_session(now, number);
            given_back.extend(taken.into_iter().map(|delivery| (delivery, queue)));
        }
        for (delivery, queue) in given_back {
            self.give_back(now, delivery, queue);
        }
    }

    /// Asks access control again for all that a session subscribes to and all that waits for it.
    /// Returns what another member of a shared subscription may still read.
    #[must_use = "these messages have no receiver"]
    pub(super) fn judge_session(&mut self, now: Now, number: u32) -> Vec<Delivery> {
        let authorize = Arc::clone(&self.generation.authorize);
        let session = &self.sessions[number as usize];
        if session.unclaimed {
            return Vec::new();
        }
        let client = Arc::clone(&session.client);
        let judged: Vec<(TopicFilter, Subscription)> = session
            .subscriptions
            .iter()
            .map(|(filter, known)| {
                let verdict = authorize.subscribe(&client, filter);
                (filter.clone(), Subscription { verdict, ..known.clone() })
            })
            .collect();
        for (filter, subscription) in judged {
            let before = &self.sessions[number as usize].subscriptions[&filter];
            // Who is asked for each topic may be another now, even where the verdict is the same.
            if before.verdict != subscription.verdict || subscription.verdict == Verdict::PerTopic {
                self.replace_subscription(now, number, &filter, &subscription, None);
            }
        }
        let session = self.session(number);
        let (queued, bytes) = (session.outbound.queued(), session.outbound.queued_bytes());
        let taken = session
            .outbound
            .take_waiting(|delivery| !authorize.read(&client, &delivery.message.topic));
        if taken.is_empty() {
            return taken;
        }
        let queued = queued - session.outbound.queued();
        let bytes = bytes - session.outbound.queued_bytes();
        let (shared, dropped): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|delivery| delivery.shape.shared.is_some());
        let count = dropped.len() as u64;
        session.dropped += count;
        self.wire.stats.dropped.access += count;
        self.wire.stats.queued -= queued as u64;
        self.wire.stats.queued_bytes -= bytes as u64;
        self.trim_later(number);
        if count > 0 {
            warn!(client_id = %client.client_id, count, "access taken away, dropping what waited");
        }
        shared
    }
}
