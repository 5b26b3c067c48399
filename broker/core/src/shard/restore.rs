//! Sessions and retained messages as the store has kept them: written, and taken back at the start.

use std::sync::Arc;
use std::time::Duration;

use super::Shard;
use super::deliver::Envelope;
use crate::Now;
use crate::session::{Inbound, Session, Stored, StoredWill, Subscription, Tail};
use crate::settings::Verdict;
use crate::stored::{Restored, RestoredSession, Retained, SessionRecord, SubscriptionRecord};
use crate::timers::Due;

impl Shard {
    /// Takes what the store had for this shard, before any client connects. The caller then carries
    /// the messages between shards until there are none left.
    pub fn restore(&mut self, now: Now, restored: Restored) {
        self.commits.begin_queues_at(restored.next_queue);
        self.retained.begin_versions_at(restored.clock);
        self.commits.clock = restored.clock;
        for (version, message) in restored.retained {
            self.store_retained(now, version, &mut Envelope::of(message));
        }
        if !restored.wills.is_empty() {
            // They go out when all shards know of each other's subscribers.
            self.commits.wills = restored.wills;
            let _ = self.timers.push(now.instant, Due::Wills);
        }
        for session in restored.sessions {
            self.restore_session(now, session);
        }
    }

    fn restore_session(&mut self, now: Now, restored: RestoredSession) {
        let RestoredSession { client, queue, expiry, offline_since, will, summary, .. } = restored;
        self.incarnations += 1;
        let mut session = Session::new(Arc::new(client), self.incarnations);
        session.unclaimed = restored.unclaimed;
        session.expiry = expiry;
        session.stored = Some(Stored { queue, trimmed: 0, trim_due: false });
        session.will = will.map(|will| Box::new(StoredWill::new(will, &self.memory)));
        for id in restored.inbound {
            session.inbound.insert(id, Inbound::AwaitPubrel);
            session.inbound.store(id);
        }
        let tail = (summary.entries > 0).then(|| {
            let (entries, bytes) = (summary.entries as usize, summary.bytes as usize);
            Tail::restored(summary.first, entries, bytes)
        });
        let released = &restored.released;
        let last = summary.last.max(released.last().copied().unwrap_or(0));
        session.outbound.restore(last + 1, tail, released);
        self.wire.stats.inflight += released.len() as u64;
        self.wire.stats.queued += session.outbound.queued() as u64;
        self.wire.stats.queued_bytes += session.outbound.queued_bytes() as u64;
        let client = Arc::clone(&session.client);
        let number = self.sessions.insert(session) as u32;
        self.by_client_id.insert(client.client_id.clone(), number);
        self.by_queue.insert(queue, (number, self.incarnations));
        for (filter, record) in restored.subscriptions {
            let verdict = match restored.unclaimed {
                true => Verdict::Always,
                false => self.generation.authorize.subscribe(&client, &filter),
            };
            let SubscriptionRecord { options, identifier, retained } = record;
            let subscription = Subscription { options, identifier, verdict };
            self.replace_subscription(now, number, &filter, &subscription, None);
            if let Retained::After(after) = retained {
                self.session(number).outbound.want_retained_after(filter, after);
            }
        }
        self.restore_timers(now, number, offline_since);
    }

    /// A session that had a connection when the broker stopped has been offline since: only now can
    /// its client come back.
    fn restore_timers(&mut self, now: Now, number: u32, offline_since: Option<u64>) {
        let session = self.session(number);
        // One that does not outlive its connection is due at once, though not yet here: its will
        // goes out when all shards know of each other's subscribers.
        let away = now.unix_millis.saturating_sub(offline_since.unwrap_or(now.unix_millis));
        let away = Duration::from_millis(away);
        let expiry = session.expiry.map(|expiry| expiry.saturating_sub(away));
        let will_delay = session.will.as_ref().map(|will| will.delay.saturating_sub(away));
        if let Some(left) = expiry {
            let timer = self.timers.push(now.instant + left, Due::SessionExpiry(number));
            self.session(number).expiry_timer = Some(timer);
        }
        if let Some(left) = will_delay {
            let timer = self.timers.push(now.instant + left, Due::WillDelay(number));
            self.session(number).will_timer = Some(timer);
        }
        if offline_since.is_none() {
            self.write_session(now, number, Some(now.unix_millis));
        }
    }

    /// How a stored session stands; `None`: it is not stored.
    pub(super) fn session_record(
        &self,
        number: u32,
        offline_since: Option<u64>,
    ) -> Option<SessionRecord> {
        let session = &self.sessions[number as usize];
        Some(SessionRecord {
            queue: session.stored.as_ref()?.queue,
            username: session.client.username.clone(),
            unclaimed: session.unclaimed,
            listener: session.client.listener.clone(),
            expiry: session.expiry,
            offline_since,
            will: session.will.as_ref().map(|will| will.will.clone()),
        })
    }

    /// A session that has just been made is stored.
    pub(super) fn store_session(&mut self, number: u32) {
        let stored = self.new_place();
        let queue = stored.queue;
        let session = self.session(number);
        debug_assert!(session.subscriptions.is_empty(), "a session lasts or not from the first");
        session.stored = Some(stored);
        let incarnation = session.incarnation;
        self.by_queue.insert(queue, (number, incarnation));
    }
}
