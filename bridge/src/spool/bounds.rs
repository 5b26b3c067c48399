//! The bounds of a log: when publishers are held back, and what is dropped.
//!
//! What is inside the producer is never dropped: it may be in Kafka already.

use std::time::{Duration, Instant};

use midge_core::{Message, Now};

use super::{Drop, Limits, Notice, OVERRUN_BYTES, OVERRUN_MESSAGES, Output, Spool, SpoolFull};

/// Between two looks at the age of what waits.
const LOOK: Duration = Duration::from_millis(500);
/// Entries that one tick drops at most.
const STEP: usize = 4_096;

impl Spool {
    /// Whether one more would be beyond the limits and what may come while the brake is pulled. An
    /// empty log takes anything: a message larger than the limit must not block for ever.
    pub(super) fn is_beyond(&self, bytes: usize) -> bool {
        let (resident, resident_bytes) = self.resident();
        let memory = resident >= self.limits.messages.saturating_add(OVERRUN_MESSAGES)
            || resident_bytes + bytes > self.limits.bytes.saturating_add(OVERRUN_BYTES);
        let disk = self.spooling
            && self.limits.full == SpoolFull::PushBack
            && self.bytes() + bytes as u64
                > self.limits.max_bytes.saturating_add(OVERRUN_BYTES as u64);
        (memory && resident > 0) || disk
    }

    /// Drops what is too old or too much, oldest first.
    pub(super) fn drop_what_must_go(&mut self, now: Now) {
        for _ in 0..STEP {
            let much = self.spooling && self.drops_oldest() && self.exceeds(0);
            if much {
                self.notice_full(true);
            }
            let max_age = self.limits.max_age;
            let Some((position, entry)) = self.head.peek() else { break };
            if much {
                self.drop_entry(position, Drop::Oldest);
            } else if max_age.is_some_and(|age| is_older(&entry.message, age, now)) {
                self.drop_entry(position, Drop::Aged);
            } else {
                break;
            }
        }
        // With room for an eighth again it is not full any more.
        if self.full && self.bytes() < self.limits.max_bytes - self.limits.max_bytes / 8 {
            self.notice_full(false);
        }
    }

    /// When to look at the age of what waits.
    pub(super) fn age_due(&self, now: Now) -> Option<Instant> {
        let waits = self.limits.max_age.is_some() && self.open() > 0;
        waits.then(|| now.instant + LOOK)
    }

    /// Holds publishers back at the limits, and lets them go at half of those of memory (at three
    /// quarters with a disk: half may be inside the producer for as long as Kafka is away) or at
    /// seven eighths of the disk's.
    pub(super) fn press(&mut self) {
        let (messages, bytes) = self.resident();
        let Limits { messages: most, bytes: most_bytes, .. } = self.limits;
        let quarters = if self.disk.is_some() { 3 } else { 2 };
        let memory = if self.pressed {
            messages > most / 4 * quarters + most % 4 || bytes > most_bytes / 4 * quarters
        } else {
            messages >= most || bytes >= most_bytes
        };
        if self.spooling && self.limits.full == SpoolFull::PushBack && self.exceeds(0) {
            self.notice_full(true);
        }
        let disk = self.full && self.limits.full == SpoolFull::PushBack;
        if self.pressed != (memory || disk) {
            self.pressed = !self.pressed;
            self.outputs.push_back(Output::Pressure(self.pressed));
        }
    }

    pub(super) fn notice_full(&mut self, full: bool) {
        if self.full != full {
            self.full = full;
            self.notice(Notice::Full(full));
        }
    }
}

/// Whether a message came longer ago than `age`.
pub(super) fn is_older(message: &Message, age: Duration, now: Now) -> bool {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    now.unix_millis.saturating_sub(message.received_unix_millis) > age
}
