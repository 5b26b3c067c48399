//! From a publish to all who get it: the shards that have subscribers, and the retained messages.

use std::time::Duration;

use tracing::warn;

use super::Shard;
use super::deliver::Envelope;
use super::peer::PeerMessage;
use crate::message::Message;
use crate::retained::{Applied, DELETION_KEPT, Version};
use crate::timers::Due;
use crate::{Now, Out, ShardId};

impl Shard {
    /// Routes to sessions of all shards; returns whether anybody subscribes.
    pub(super) fn route(&mut self, now: Now, envelope: &mut Envelope) -> bool {
        let message = envelope.message();
        let topic = message.topic.as_str();
        let mut interested = 0_u64;
        if self.shards > 1 {
            interested = self.interest.shards(topic, &mut self.scratch.visits);
        }
        let version = self.keeps_retained(message).then(|| self.retained.next_version(self.id));
        if let Some(version) = version {
            self.store_retained(now, version, envelope);
        }
        if version.is_some() || interested != 0 {
            let message = envelope.share(&self.memory);
            for shard in (0..self.shards as u8).map(ShardId).filter(|shard| *shard != self.id) {
                let deliver = interested & (1 << shard.0) != 0;
                if deliver || version.is_some() {
                    let message =
                        PeerMessage::Publish { message: message.clone(), version, deliver };
                    self.wire.outs.push_back(Out::Peer { to: shard, message });
                }
            }
        }
        self.deliver_here(now, envelope) || interested != 0
    }

    /// Whether a message is to be retained, or to delete what is. Half of the memory is not for
    /// retained messages, which nothing makes room for: publishers would wait for ever.
    fn keeps_retained(&mut self, message: &Message) -> bool {
        if !message.retain || !self.limits().retain_available {
            return false;
        }
        let known = self.retained.contains(message.topic.as_str());
        let deletes = message.payload.is_empty();
        if deletes && (known || self.shards == 1) {
            return known;
        }
        let counted = known || deletes || self.retained.len() < self.limits().max_retained;
        let room = counted && self.retained.bytes_with(message) <= self.memory.limit() / 2;
        if !room && !self.retained_full {
            warn!(
                topic = %message.topic,
                messages = self.retained.len(),
                "no room for more retained messages, delivering without retaining"
            );
        }
        self.retained_full = !room;
        room
    }

    /// Takes a retained message of this or another shard.
    pub(super) fn store_retained(&mut self, now: Now, version: Version, envelope: &mut Envelope) {
        let message = envelope.share(&self.memory);
        let mine = ShardId::of_topic(&message.topic, self.shards) == self.id;
        let topic = message.topic.as_str();
        let timer = self.retained.timer(topic).and_then(Option::take);
        let forget_at = match self.retained.apply(version, &message) {
            Applied::Outdated => {
                // What is there stays, and so does its timer.
                if let Some(slot) = self.retained.timer(topic) {
                    *slot = timer;
                }
                return;
            }
            Applied::Stored { new } => {
                self.wire.stats.retained += u64::from(mine && new);
                let longest =
                    self.limits().retain_expiry.and_then(|life| now.instant.checked_add(life));
                [message.expires, longest].into_iter().flatten().min()
            }
            Applied::Deleted { existed } => {
                self.wire.stats.retained -= u64::from(mine && existed);
                // Without other shards nothing older can still be on its way.
                let kept = if self.shards == 1 { Duration::ZERO } else { DELETION_KEPT };
                Some(now.instant + kept)
            }
        };
        self.timers.cancel(timer);
        if let (Some(at), Some(slot)) = (forget_at, self.retained.timer(topic)) {
            *slot = Some(self.timers.push(at, Due::Retained(message.topic.clone())));
        }
    }
}
