//! Memory runs out: the largest queues lose messages first; if that is not enough, publishers wait.

use std::time::Duration;

use tracing::warn;

use super::Shard;
use crate::Now;
use crate::connection::paused;
use crate::timers::Due;

/// How often waiting publishers look whether there is memory again.
const RETRY: Duration = Duration::from_millis(20);

impl Shard {
    /// After a publish was routed: makes room, or pauses its publisher.
    pub(super) fn pause_when_memory_is_full(&mut self, now: Now, index: u32) {
        if !self.memory.is_full() {
            return;
        }
        self.shed();
        if self.memory.is_full() && self.connections[index as usize].is_some() {
            let id = self.connection(index).id;
            self.pause(index, paused::MEMORY);
            self.memory_timer
                .get_or_insert_with(|| self.timers.push(now.instant + RETRY, Due::Memory));
            if !self.starved.contains(&id) {
                self.starved.push(id);
            }
        }
    }

    pub(super) fn memory_due(&mut self, now: Now) {
        self.memory_timer = None;
        if self.memory.is_full() {
            self.shed();
        }
        if self.memory.is_full() {
            self.memory_timer = Some(self.timers.push(now.instant + RETRY, Due::Memory));
            return;
        }
        for connection in std::mem::take(&mut self.starved) {
            if let Some(index) = self.live(connection) {
                self.resume(now, index, paused::MEMORY);
            }
        }
    }

    /// Drops what waits for the sessions with the largest queues, until an eighth of the limit is
    /// free or nothing is left to drop.
    fn shed(&mut self) {
        let goal = self.memory.limit() - self.memory.limit() / 8;
        let mut queues: Vec<(usize, u32)> = self
            .sessions
            .iter()
            .map(|(number, session)| (session.outbound.queued_bytes(), number as u32))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        queues.sort_unstable_by(|a, b| b.cmp(a));
        for (bytes, number) in queues {
            if self.memory.used() <= goal {
                return;
            }
            let session = self.session(number);
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
