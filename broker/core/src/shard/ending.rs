//! A stored session has ended, and other members of its shared subscriptions are to have what it
//! did not get to (4.8.2): its queue stays until each of these messages is another one's.

use midge_codec::{Text, TopicFilter};

use super::Shard;
use crate::commit::{Operation, Position, QueueId};
use crate::session::Delivery;
use crate::stored::{Key, delete};
use crate::{Now, Out};

/// How much is loaded at once.
const LOAD_MESSAGES: usize = 256;
const LOAD_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Ending {
    /// Messages on their way to another member.
    pending: usize,
    /// Where the next load begins; `None`: all that is wanted is in memory, or was loaded.
    next: Option<Position>,
    loading: bool,
    client_id: Text,
    /// What clears the store of the session.
    operations: Vec<Operation>,
}

impl Shard {
    /// Begins the end of a stored session's queue; `shared` is what others get of what was in
    /// memory.
    pub(super) fn end_queue(
        &mut self,
        now: Now,
        number: u32,
        queue: QueueId,
        operations: Vec<Operation>,
        filters: &[TopicFilter],
        shared: Vec<Delivery>,
    ) {
        let session = &self.sessions[number as usize];
        let has_shared = filters.iter().any(|filter| filter.share_name().is_some());
        let next = session.outbound.stored_from().filter(|_| has_shared);
        if shared.is_empty() && next.is_none() {
            let key = Key::Session(session.client.client_id.clone());
            operations.into_iter().for_each(|operation| self.write_lazily(operation));
            return self.write_lazily(delete(&key));
        }
        let client_id = session.client.client_id.clone();
        let ending = Ending { pending: 1, next, loading: false, client_id, operations };
        self.commits.endings.insert(queue, ending);
        for delivery in shared {
            self.give_back_ended(now, queue, delivery);
        }
        self.ending_step(now, queue);
    }

    fn give_back_ended(&mut self, now: Now, queue: QueueId, delivery: Delivery) {
        if let Some(ending) = self.commits.endings.get_mut(&queue) {
            ending.pending += 1;
        }
        self.give_back_from(now, delivery, Some(queue), true);
    }

    /// One of its messages is safe elsewhere, or it is time to look for more.
    pub(super) fn ending_step(&mut self, _now: Now, queue: QueueId) {
        let Some(ending) = self.commits.endings.get_mut(&queue) else { return };
        ending.pending -= 1;
        if ending.pending > 0 || ending.loading {
            return;
        }
        if let Some(from) = ending.next {
            ending.loading = true;
            ending.pending += 1;
            self.wire.outs.push_back(Out::Load {
                queue,
                from,
                below: Position::MAX,
                max_entries: LOAD_MESSAGES,
                max_bytes: LOAD_BYTES,
            });
            return;
        }
        if let Some(ending) = self.commits.endings.remove(&queue) {
            ending.operations.into_iter().for_each(|operation| self.write_lazily(operation));
            // The client may have another session by now.
            if !self.by_client_id.contains_key(&ending.client_id) {
                self.write_lazily(delete(&Key::Session(ending.client_id)));
            }
        }
    }

    pub(super) fn ending_loaded(
        &mut self,
        now: Now,
        queue: QueueId,
        from: Position,
        deliveries: Vec<Delivery>,
        end: bool,
    ) {
        let Some(ending) = self.commits.endings.get_mut(&queue) else { return };
        if !ending.loading || ending.next != Some(from) {
            // The answer to what the session asked for while it lived.
            return;
        }
        ending.loading = false;
        let last = deliveries.last().map(|delivery| delivery.position + 1);
        ending.next = last.filter(|_| !end);
        for delivery in deliveries {
            if delivery.shape.shared.is_some() {
                self.give_back_ended(now, queue, delivery);
            }
        }
        self.ending_step(now, queue);
    }
}
