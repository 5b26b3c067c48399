//! From a publish to all who get it: the shards that have subscribers, and the retained messages.

use std::time::Duration;

use midge_codec::QoS;
use tracing::warn;

use super::Shard;
use super::deliver::Envelope;
use super::gather::Gather;
use super::peer::PeerMessage;
use crate::message::Message;
use crate::retained::{Applied, DELETION_KEPT, Version};
use crate::settings::QueueFull;
use crate::stored::{reserve_versions, retained_put};
use crate::timers::Due;
use crate::{Now, Out, ShardId};

/// What the broker says of itself is said anew after a start.
pub(super) fn is_transient(message: &Message) -> bool {
    message.topic.as_str().starts_with("$SYS/")
}

impl Shard {
    /// Routes to sessions of all shards; returns whether anybody subscribes, and the gathering that
    /// commits what has to be stored, to be sealed by the caller.
    pub(super) fn route(&mut self, now: Now, envelope: &mut Envelope) -> (bool, Option<u64>) {
        let message = envelope.message();
        let topic = message.topic.as_str();
        let (mut interested, mut stored) = (0_u64, 0_u64);
        if self.shards > 1 {
            (interested, stored) = self.interest.shards(topic, &mut self.scratch.visits);
        }
        let refuses = self.limits().queue_full == QueueFull::Refuse;
        let gathers = message.qos > QoS::AtMostOnce && (self.durable || refuses);
        let asked = match (gathers, refuses) {
            (false, _) => 0,
            (true, false) => stored,
            (true, true) => interested,
        };
        let number = if gathers { self.next_gathering() } else { 0 };
        let mut tokens = 0;
        let version = self.keeps_retained(message).then(|| self.retained.next_version(self.id));
        if let Some(version) = version {
            self.store_retained(now, version, envelope);
        }
        if version.is_some() || interested != 0 {
            let message = envelope.share(&self.memory);
            let me = self.id;
            for shard in (0..self.shards as u8).map(ShardId).filter(|shard| *shard != me) {
                let deliver = interested & (1 << shard.0) != 0;
                if deliver || version.is_some() {
                    let gather = (asked & (1 << shard.0) != 0).then(|| {
                        let token = self.new_token();
                        tokens ^= token;
                        Gather { shard: self.id, number, token }
                    });
                    let message = message.clone();
                    let message = PeerMessage::Publish { message, version, deliver, gather };
                    self.wire.outs.push_back(Out::Peer { to: shard, message });
                }
            }
        }
        self.gather = gathers.then_some(Gather { shard: self.id, number, token: 0 });
        let any = self.deliver_here(now, envelope) || interested != 0;
        self.gather = None;
        let put = version.filter(|_| self.durable && !is_transient(envelope.message()));
        let put = put.map(|version| retained_put(version, envelope.message(), now));
        if put.is_some() {
            self.reserve_versions();
        }
        let collected = &self.commits.collected;
        let touched = asked != 0
            || put.is_some()
            || collected.refused
            || collected.forwarded != 0
            || !collected.references.is_empty();
        if gathers && touched {
            let message = envelope.share(&self.memory);
            self.gather(number, message, tokens, put.into_iter().collect());
            self.gather_in_order(number);
            return (any, Some(number));
        }
        if let Some(put) = put {
            // QoS 0 waits for nothing.
            self.write_lazily(put);
        }
        (any, None)
    }

    /// Before the store gets the first version of this run it hears of that, so that the next start
    /// gives higher ones.
    pub(super) fn reserve_versions(&mut self) {
        if !std::mem::replace(&mut self.commits.clock_reserved, true) {
            self.write_lazily(reserve_versions(self.commits.clock));
        }
    }

    /// Whether a message is to be retained, or to delete what is. Half of the memory is not for
    /// retained messages, which nothing makes room for: publishers would wait for ever.
    fn keeps_retained(&mut self, message: &Message) -> bool {
        if !message.retain || !self.limits().retain_available {
            return false;
        }
        let known = self.retained.contains(message.topic.as_str());
        let deletes = message.payload.is_empty();
        // What was deleted a moment ago may not be durable yet: who deletes it again is to wait too.
        if deletes && (known || self.shards == 1 && !self.durable) {
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
