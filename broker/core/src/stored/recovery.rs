//! From what the store has kept to what each shard begins with.
//!
//! Feed a [`Recovery`] with every key and the summary of every queue, then [`Recovery::finish`]
//! it: each session goes to its home, every shard gets all retained messages, and what has no owner
//! any more comes back as operations that clear it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use midge_codec::{PacketId, Text, TopicFilter, Will};

use super::codec::{Damaged, Reader};
use super::entry::Entry;
use super::key::Key;
use super::session::{SessionRecord, SubscriptionRecord};
use crate::commit::{Operation, Position, QueueId};
use crate::message::{Client, Memory, Message};
use crate::retained::Version;
use crate::{Now, ShardId};

/// How far behind the last position that is known new ones begin when others may be lost: half of
/// the packet ids lie between.
const DAMAGE_GAP: Position = 32_768;

/// How many versions a run may give.
const RUN: u64 = 1 << 32;

/// What is to be written before a run that began with this clock gives its first version. Versions
/// of deletions are the store's alone: what is there does not tell them.
pub(crate) fn reserve_versions(clock: u64) -> Operation {
    let next = clock + RUN;
    let value = Bytes::copy_from_slice(&next.to_be_bytes());
    Operation::Put { key: Key::Versions.bytes(), version: Some(next), value }
}

/// What a queue of the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSummary {
    /// The lowest position that is there; meaningless without entries.
    pub first: Position,
    /// The highest position the store has ever heard of in this queue; 0: none.
    pub last: Position,
    /// How many entries are there.
    pub entries: u64,
    /// Bytes of them, about.
    pub bytes: u64,
}

/// Collects what the store has kept.
#[derive(Debug, Default)]
pub struct Recovery {
    sessions: HashMap<Text, SessionRecord>,
    own: BTreeMap<QueueId, Own>,
    retained: Vec<(Version, Bytes)>,
    wills: BTreeMap<Bytes, Bytes>,
    clock: u64,
    queues: Vec<(QueueId, QueueSummary)>,
    damaged: bool,
}

/// What belongs to the session with one queue.
#[derive(Debug, Default)]
struct Own {
    subscriptions: Vec<(TopicFilter, SubscriptionRecord)>,
    inbound: Vec<PacketId>,
    released: Vec<Position>,
}

/// What one shard begins with.
#[derive(Debug, Default)]
pub struct Restored {
    pub(crate) sessions: Vec<RestoredSession>,
    pub(crate) retained: Vec<(Version, Arc<Message>)>,
    /// Wills whose publishing was not committed, by their keys.
    pub(crate) wills: Vec<(Bytes, Message)>,
    /// What versions of retained messages begin with.
    pub(crate) clock: u64,
    /// No queue has this number or a higher one.
    pub(crate) next_queue: u64,
}

/// A session as it was.
#[derive(Debug)]
pub(crate) struct RestoredSession {
    pub(crate) client: Client,
    pub(crate) unclaimed: bool,
    pub(crate) queue: QueueId,
    pub(crate) expiry: Option<Duration>,
    pub(crate) offline_since: Option<u64>,
    pub(crate) will: Option<Will>,
    pub(crate) subscriptions: Vec<(TopicFilter, SubscriptionRecord)>,
    pub(crate) inbound: Vec<PacketId>,
    /// Ascending.
    pub(crate) released: Vec<Position>,
    pub(crate) summary: QueueSummary,
}

impl Recovery {
    /// Takes a key and its value; `false`: it is not a shard's.
    ///
    /// # Errors
    /// When it looks like one of a shard's and cannot be read. Nothing is taken then, the others
    /// can still be.
    pub fn keyed(&mut self, now: Now, key: &Bytes, value: Bytes) -> Result<bool, Damaged> {
        match Key::read(key)? {
            Key::Foreign => return Ok(false),
            Key::Versions => {
                self.clock = Reader::new("versions of retained messages", value).u64()?;
            }
            Key::Session(client_id) => {
                let record = SessionRecord::read(value, now)?;
                self.sessions.insert(client_id.detached(), record);
            }
            Key::Subscription(queue, filter) => {
                let record = SubscriptionRecord::read(value)?;
                self.own(queue).subscriptions.push((filter.detached(), record));
            }
            Key::Inbound(queue, packet_id) => self.own(queue).inbound.push(packet_id),
            Key::Released(queue, position) => self.own(queue).released.push(position),
            Key::Retained(_) => {
                let (version, entry) = Version::split(value)?;
                // Read now, so that damage is told now; kept when all is known to be wanted.
                Entry::read(entry.clone(), now)?;
                self.retained.push((version, entry));
            }
            Key::Will(..) => {
                Entry::read(value.clone(), now)?;
                self.wills.insert(Bytes::copy_from_slice(key), value);
            }
        }
        Ok(true)
    }

    /// Parts of the store are lost: which packet ids receivers know of messages that were in them
    /// cannot be told, so that new messages begin far from those.
    pub fn damaged(&mut self) {
        self.damaged = true;
    }

    /// Takes the summary of a queue, of shards or not.
    pub fn queue(&mut self, queue: QueueId, summary: QueueSummary) {
        if queue.0 >> 63 == 0 {
            self.queues.push((queue, summary));
        }
    }

    fn own(&mut self, queue: QueueId) -> &mut Own {
        self.own.entry(queue).or_default()
    }

    /// What each of `shards` shards begins with, and what is to be cleared because no session has
    /// it any more.
    pub fn finish(
        mut self,
        now: Now,
        shards: usize,
        memory: &Arc<Memory>,
    ) -> (Vec<Restored>, Vec<Operation>) {
        let mut restored: Vec<Restored> = (0..shards).map(|_| Restored::default()).collect();
        let mut clear = Vec::new();
        let highest = self.queues.iter().map(|(queue, _)| *queue);
        let highest = highest.chain(self.own.keys().copied());
        let highest = highest.chain(self.sessions.values().map(|record| record.queue)).max();
        let next_queue = highest.map_or(0, |queue| queue.0 + 1);
        let mut summaries: HashMap<QueueId, QueueSummary> = self.queues.drain(..).collect();
        for (client_id, record) in self.sessions {
            let mut own = self.own.remove(&record.queue).unwrap_or_default();
            own.released.sort_unstable();
            let mut summary = summaries.remove(&record.queue).unwrap_or_default();
            if self.damaged {
                let released = own.released.last().copied().unwrap_or(0);
                summary.last = summary.last.max(released) + DAMAGE_GAP;
            }
            let home = ShardId::home(&client_id, shards);
            restored[usize::from(home.0)].sessions.push(RestoredSession {
                client: Client {
                    client_id,
                    username: record.username.map(|name| name.detached()),
                    listener: record.listener.detached(),
                    address: String::new(),
                },
                unclaimed: record.unclaimed,
                queue: record.queue,
                expiry: record.expiry,
                offline_since: record.offline_since,
                will: record.will,
                subscriptions: own.subscriptions,
                inbound: own.inbound,
                released: own.released,
                summary,
            });
        }
        for (queue, own) in self.own {
            let subscriptions = own.subscriptions.into_iter();
            clear
                .extend(subscriptions.map(|(filter, _)| delete(&Key::Subscription(queue, filter))));
            clear.extend(own.inbound.into_iter().map(|id| delete(&Key::Inbound(queue, id))));
            clear.extend(own.released.into_iter().map(|at| delete(&Key::Released(queue, at))));
        }
        clear.extend(summaries.into_keys().map(|queue| Operation::Remove { queue }));
        for (key, entry) in self.wills {
            // It was readable a moment ago.
            let Ok(Entry(message)) = Entry::read(entry, now) else { continue };
            let client_id = message.origin.client_id().map_or("", |client_id| client_id.as_str());
            let home = ShardId::home(client_id, shards);
            restored[usize::from(home.0)].wills.push((key, message));
        }
        for (version, entry) in self.retained {
            // It was readable a moment ago.
            let Ok(Entry(message)) = Entry::read(entry, now) else { continue };
            let message = message.keep(memory);
            for shard in &mut restored {
                shard.retained.push((version, Arc::clone(&message)));
            }
        }
        for shard in &mut restored {
            shard.next_queue = next_queue;
            shard.clock = self.clock;
            // The same order in every run.
            shard.sessions.sort_unstable_by_key(|session| session.queue);
        }
        (restored, clear)
    }
}

impl Restored {
    /// How many sessions this shard begins with.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many messages wait for them.
    pub fn messages(&self) -> u64 {
        self.sessions.iter().map(|session| session.summary.entries).sum()
    }

    /// How many subscriptions they have.
    pub fn subscriptions(&self) -> usize {
        self.sessions.iter().map(|session| session.subscriptions.len()).sum()
    }

    /// How many retained messages there are, the same in each shard.
    pub fn retained(&self) -> usize {
        self.retained.len()
    }
}

pub(crate) fn delete(key: &Key) -> Operation {
    Operation::Delete { key: key.bytes(), version: None }
}
