//! Memory runs out: the largest queues give way first, by leaving their messages to the store or,
//! where there is none, by losing them; if that is not enough, publishers wait.
//!
//! Nobody waits for ever: retained messages have their own bound, and clients that never acknowledge
//! are disconnected once publishers have waited long enough, and lose what they hold unless it is
//! stored.

use std::time::Duration;

use midge_codec::ReasonCode;
use tracing::warn;

use super::Shard;
use super::peer::PeerMessage;
use crate::Now;
use crate::connection::paused;
use crate::session::Session;
use crate::timers::Due;

/// How often waiting publishers look whether there is memory again.
const RETRY: Duration = Duration::from_millis(20);

/// How long publishers wait for acknowledgements of messages in flight to give memory back.
const PATIENCE: Duration = Duration::from_secs(10);

impl Shard {
    /// After a publish was routed: makes room, or pauses its publisher.
    pub(super) fn pause_when_memory_is_full(&mut self, now: Now, index: u32) {
        self.make_room();
        if self.memory.is_full() && self.connections[index as usize].is_some() {
            self.pause(index, paused::MEMORY);
            if self.memory_timer.is_none() {
                self.memory_full_since = Some(now.instant);
                self.wait_for_memory(now);
            }
        }
    }

    /// Frees what waits in the largest queues if memory is full.
    pub(super) fn make_room(&mut self) {
        if self.memory.is_full() && self.wire.stats.queued > 0 {
            self.shed();
        }
    }

    /// Looks again later; meanwhile the other shards' queues give way too.
    fn wait_for_memory(&mut self, now: Now) {
        self.tell_peers(|| PeerMessage::MemoryFull);
        self.memory_timer = Some(self.timers.push(now.instant + RETRY, Due::Memory));
    }

    pub(super) fn memory_due(&mut self, now: Now) {
        self.memory_timer = None;
        self.make_room();
        let since = self.memory_full_since.unwrap_or(now.instant);
        if self.memory.is_full() && now.instant.duration_since(since) >= PATIENCE {
            self.end_largest_flight(now);
        }
        if self.memory.is_full() {
            return self.wait_for_memory(now);
        }
        self.memory_full_since = None;
        self.resume_all(now, paused::MEMORY);
    }

    /// The client that holds most in flight without acknowledging it is disconnected and loses it,
    /// unless what clients of this shard hold is not what fills the memory.
    fn end_largest_flight(&mut self, now: Now) {
        let held = |session: &Session| session.outbound.flight.bytes();
        let total: usize = self.sessions.iter().map(|(_, session)| held(session)).sum();
        if total < self.memory.limit() / 4 / self.shards {
            return;
        }
        let largest = self.sessions.iter().max_by_key(|(_, session)| held(session));
        let Some((number, session)) = largest else { return };
        warn!(
            client_id = %session.client.client_id,
            bytes = held(session),
            stored = session.stored.is_some(),
            "memory is full, disconnecting the client that has most unacknowledged"
        );
        let (number, connection) = (number as u32, session.connection);
        self.recall_or_abandon(number);
        if let Some(index) = connection {
            self.close(now, index, Some(ReasonCode::QuotaExceeded));
        }
    }

    /// Frees what a session has in flight.
    fn recall_or_abandon(&mut self, number: u32) {
        let session = self.session(number);
        if session.stored.is_some() {
            let (queued, bytes) = (session.outbound.queued(), session.outbound.queued_bytes());
            let count = session.outbound.recall() as u64;
            let (more, bytes_now) = (session.outbound.queued(), session.outbound.queued_bytes());
            let stats = &mut self.wire.stats;
            stats.inflight -= count;
            stats.queued += (more - queued) as u64;
            stats.queued_bytes += (bytes_now - bytes) as u64;
            return;
        }
        let count = session.outbound.abandon_all() as u64;
        session.dropped += count;
        self.wire.stats.inflight -= count;
        self.wire.stats.dropped.memory += count;
    }

    /// Frees what waits for the sessions with the largest queues, until an eighth of the limit is
    /// free or nothing is left to drop.
    fn shed(&mut self) {
        let goal = self.memory.limit() - self.memory.limit() / 8;
        let mut queues: Vec<(usize, u32)> = self
            .sessions
            .iter()
            .map(|(number, session)| (session.outbound.memory_bytes(), number as u32))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        queues.sort_unstable_by(|a, b| b.cmp(a));
        for (bytes, number) in queues {
            if self.memory.used() <= goal {
                return;
            }
            let session = self.session(number);
            if session.stored.is_some() {
                // The store has them.
                match session.connection {
                    Some(_) => session.outbound.spill(),
                    None => self.recall_or_abandon(number),
                }
                continue;
            }
            let dropped = session.outbound.take_waiting(|_| true).len() as u64;
            session.dropped += dropped;
            warn!(
                client_id = %session.client.client_id,
                dropped,
                "memory is full, dropping the messages of the largest queue"
            );
            let stats = &mut self.wire.stats;
            stats.dropped.memory += dropped;
            stats.queued -= dropped;
            stats.queued_bytes -= bytes as u64;
        }
    }
}
