//! What is due when. No timer a message: entries are per connection, session or topic that expires,
//! at most one of a kind for each, and cancelled with what they are about.

use std::collections::BTreeMap;
use std::time::Instant;

use midge_codec::TopicName;

use crate::ConnectionId;

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// [MQTT-3.1.2-22]
    KeepAlive(ConnectionId),
    /// A session without connection.
    SessionExpiry(u32),
    /// A will that waits, by its session.
    WillDelay(u32),
    /// A retained message that expires, or a deletion to forget.
    Retained(TopicName),
    /// Publishers wait for memory.
    Memory,
    /// Wills that were being published when the broker stopped.
    Wills,
}

/// An entry, to cancel it by. Its number keeps entries of one instant in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    at: Instant,
    number: u64,
}

impl Timer {
    pub(crate) fn is_due(self, now: Instant) -> bool {
        self.at <= now
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeMap<Timer, Due>,
    number: u64,
}

impl Timers {
    #[must_use = "an entry that cannot be cancelled outlives what it is about"]
    pub(crate) fn push(&mut self, at: Instant, due: Due) -> Timer {
        self.number += 1;
        let timer = Timer { at, number: self.number };
        self.entries.insert(timer, due);
        timer
    }

    pub(crate) fn cancel(&mut self, timer: Option<Timer>) {
        if let Some(timer) = timer {
            self.entries.remove(&timer);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(timer, _)| timer.at)
    }

    pub(crate) fn pop(&mut self, now: Instant) -> Option<Due> {
        let entry = self.entries.first_entry().filter(|entry| entry.key().at <= now)?;
        Some(entry.remove())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
