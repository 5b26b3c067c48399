//! The producer's side of a log: giving entries and finishing them.

use std::sync::Arc;

use midge_codec::ReasonCode;
use midge_core::{Message, Now, Position};

use super::{Drop, Report, Spool, UNDER_WAY};

impl Spool {
    /// The next entry for the producer, which is inside it from now on; `None` when there is none,
    /// or no room in the producer, or the rate is used up.
    pub fn take(&mut self, now: Now) -> Option<(Position, Arc<Message>)> {
        self.now = Some(now);
        loop {
            let (sent, sent_bytes) = self.head.sent();
            let (messages, bytes) = self.room_inside();
            if sent >= messages || (sent > 0 && sent_bytes >= bytes) {
                return None;
            }
            if self.quota.as_ref().is_some_and(|q| q.blocked_until(now.instant).is_some()) {
                return None;
            }
            let max_age = self.limits.max_age;
            let (position, entry) = self.head.peek()?;
            if max_age.is_some_and(|age| super::bounds::is_older(&entry.message, age, now)) {
                self.drop_entry(position, Drop::Aged);
                continue;
            }
            let (message, bytes) = (Arc::clone(&entry.message), entry.bytes);
            self.head.send(position);
            if let Some(quota) = &mut self.quota {
                quota.spend(now.instant, bytes);
            }
            return Some((position, message));
        }
    }

    /// The producer could not take this entry: it and all that were taken after it come again.
    pub fn rewind_to(&mut self, position: Position) {
        let bytes = self.head.rewind_to(position);
        if let Some(quota) = &mut self.quota {
            quota.give_back(bytes);
        }
    }

    /// Nothing is inside the producer any more: everything unfinished is given again, from the
    /// lowest on.
    pub fn rewind(&mut self) {
        self.head.rewind_to(0);
    }

    /// What became of an entry; its message, if it is finished by that.
    pub fn report(&mut self, now: Now, position: Position, report: Report) -> Option<Arc<Message>> {
        self.now = Some(now);
        let reason = match report {
            Report::Delivered => ReasonCode::Success,
            Report::Refused(reason) => reason,
            Report::Again => {
                self.head.unsend(position);
                return None;
            }
        };
        self.progress |= report == Report::Delivered;
        self.finish(position, reason)
    }

    /// An entry that is not finished.
    pub fn get(&self, position: Position) -> Option<&Arc<Message>> {
        self.head.get(position).map(|entry| &entry.message)
    }

    /// The lowest unfinished entry, if it is in memory.
    pub fn front(&self) -> Option<(Position, &Arc<Message>)> {
        self.head.front().map(|(position, entry)| (position, &entry.message))
    }

    /// Entries inside the producer.
    pub fn under_way(&self) -> usize {
        self.head.sent().0
    }

    pub(super) fn drop_entry(&mut self, position: Position, why: Drop) {
        if self.finish(position, ReasonCode::Success).is_some() {
            self.dropped(why);
        }
    }

    fn finish(&mut self, position: Position, reason: ReasonCode) -> Option<Arc<Message>> {
        let entry = self.head.finish(position)?;
        self.done(entry.duty, reason);
        let lowest = self.head.front().map_or(self.head_end, |(front, _)| front);
        if let Some(disk) = &mut self.disk {
            disk.finished(position, lowest);
        }
        Some(entry.message)
    }

    /// Entries and bytes that may be inside the producer. They stay in memory until they are
    /// reported, so with a disk they may not fill it: there has to be room for what goes there.
    fn room_inside(&self) -> (usize, usize) {
        let (messages, bytes) = self.share;
        if self.disk.is_none() {
            return (messages, bytes);
        }
        let (few, small) = if self.spooling { UNDER_WAY } else { (usize::MAX, usize::MAX) };
        (
            messages.min(few).min((self.limits.messages / 2).max(1)),
            bytes.min(small).min((self.limits.bytes / 2).max(1)),
        )
    }
}
