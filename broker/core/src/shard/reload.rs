//! A new generation of the configuration: every live decision is made again at once.

use std::sync::Arc;

use midge_codec::TopicFilter;
use tracing::warn;

use super::Shard;
use crate::Now;
use crate::connection::paused;
use crate::session::Subscription;
use crate::settings::{Generation, Verdict};

impl Shard {
    pub(super) fn reload(&mut self, now: Now, generation: Arc<Generation>) {
        self.generation = generation;
        let generation = Arc::clone(&self.generation);
        self.taps.replace(&generation);
        self.resume_all(now, paused::TAP);
        let sessions: Vec<u32> = self.sessions.iter().map(|(number, _)| number as u32).collect();
        for number in sessions {
            self.judge_session(now, number);
        }
    }

    /// Asks access control again for all that a session subscribes to and all that waits for it.
    pub(super) fn judge_session(&mut self, now: Now, number: u32) {
        let authorize = Arc::clone(&self.generation.authorize);
        let session = &self.sessions[number as usize];
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
        let bytes = session.outbound.queued_bytes();
        let taken = session
            .outbound
            .take_waiting(|delivery| !authorize.read(&client, &delivery.message.topic));
        if !taken.is_empty() {
            let (count, bytes) = (taken.len() as u64, bytes - session.outbound.queued_bytes());
            session.dropped += count;
            warn!(client_id = %client.client_id, count, "access taken away, dropping what waited");
            self.wire.stats.dropped.access += count;
            self.wire.stats.queued -= count;
            self.wire.stats.queued_bytes -= bytes as u64;
        }
    }
}
