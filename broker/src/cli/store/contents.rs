//! What a store holds, put together: who has which queue, and what cannot be read.
//!
//! Messages are not among it: they are read when they are asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_codec::{PacketId, TopicFilter};
use midge_core::stored::{Entry, Key, SessionRecord, SubscriptionRecord};
use midge_core::{Now, Position};
use midge_store::{DiskFiles, LoadError, QueueId, QueueSummary};

pub(super) type Reader = midge_store::Reader<DiskFiles>;

/// Entries and bytes that are loaded at once.
const PAGE: (usize, usize) = (1024, 4 << 20);

/// Layout of what the bridge keeps of a spool's queue.
const SPOOL_LAYOUT: u8 = 1;

/// Everything but messages.
#[derive(Default)]
pub(super) struct Contents {
    /// By client id.
    pub(super) sessions: BTreeMap<String, Session>,
    /// Queues of the bridge, by connector.
    pub(super) spools: BTreeMap<String, (QueueId, QueueSummary)>,
    /// Queues of sessions that are not there, or cannot be read.
    pub(super) sessionless: BTreeMap<QueueId, QueueSummary>,
    /// Queues of the bridge that belong to no connector that can be read.
    pub(super) others: BTreeMap<QueueId, QueueSummary>,
    pub(super) retained: u64,
    /// Records from Kafka that must not be delivered twice.
    pub(super) marks: u64,
    /// Records that cannot be read, and why.
    pub(super) unreadable: Vec<String>,
}

/// A session with all it has.
pub(super) struct Session {
    pub(super) record: SessionRecord,
    pub(super) queue: QueueId,
    pub(super) summary: QueueSummary,
    pub(super) subscriptions: Vec<(TopicFilter, SubscriptionRecord)>,
    /// QoS 2 messages from the client that it has not released.
    pub(super) inbound: Vec<PacketId>,
    /// Messages that the client has and has not completed.
    pub(super) released: Vec<Position>,
}

#[derive(Default)]
struct Own {
    subscriptions: Vec<(TopicFilter, SubscriptionRecord)>,
    inbound: Vec<PacketId>,
    released: Vec<Position>,
}

/// The time that records are read at: with it an `Instant` in them is the time since 1970 behind
/// `instant`, and nothing that has expired looks otherwise.
pub(super) fn epoch() -> Now {
    Now { instant: Instant::now(), unix_millis: 0 }
}

impl Contents {
    /// Reads all keys and queues.
    ///
    /// # Errors
    /// What the system refused; damage is none.
    pub(super) fn read(reader: &Reader) -> Result<Contents, LoadError> {
        let mut contents = Contents::default();
        let mut own: BTreeMap<u64, Own> = BTreeMap::new();
        let mut queues: BTreeMap<QueueId, QueueSummary> = reader.queues().collect();
        let mut records = Vec::new();
        let mut spools = Vec::new();
        for found in reader.keyed(b"") {
            let (key, value) = match found {
                Ok(found) => found,
                Err(error @ LoadError::Damaged { .. }) => {
                    contents.unreadable.push(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            match key.first() {
                Some(&midge_bridge::MARK) => contents.marks += 1,
                Some(&midge_bridge::STATE) => spools.extend(spool(&key, &value)),
                _ => {
                    let read = contents.shards(&key, value, &mut own, &mut records);
                    if let Err(why) = read {
                        contents.unreadable.push(format!("{}: {why}", key.escape_ascii()));
                    }
                }
            }
        }
        for (client_id, record) in records {
            let queue = QueueId(record.queue.0);
            let Own { mut subscriptions, mut inbound, mut released } =
                own.remove(&queue.0).unwrap_or_default();
            subscriptions.sort_by(|one, other| one.0.cmp(&other.0));
            inbound.sort_unstable();
            released.sort_unstable();
            let summary = queues.remove(&queue).unwrap_or_default();
            let session = Session { record, queue, summary, subscriptions, inbound, released };
            contents.sessions.insert(client_id, session);
        }
        for (connector, queue) in spools {
            let summary = queues.remove(&queue).unwrap_or_default();
            contents.spools.insert(connector, (queue, summary));
        }
        queues.retain(|_, summary| summary.entries > 0);
        // The top bit is the bridge's.
        contents.others = queues.split_off(&QueueId(1 << 63));
        contents.sessionless = queues;
        Ok(contents)
    }

    /// Takes a record of the shards.
    fn shards(
        &mut self,
        key: &Bytes,
        value: Bytes,
        own: &mut BTreeMap<u64, Own>,
        records: &mut Vec<(String, SessionRecord)>,
    ) -> Result<(), midge_core::stored::Damaged> {
        match Key::read(key)? {
            Key::Session(client_id) => {
                records.push((client_id.to_string(), SessionRecord::read(value, epoch())?));
            }
            Key::Subscription(queue, filter) => {
                let record = SubscriptionRecord::read(value)?;
                own.entry(queue.0).or_default().subscriptions.push((filter, record));
            }
            Key::Inbound(queue, id) => own.entry(queue.0).or_default().inbound.push(id),
            Key::Released(queue, at) => own.entry(queue.0).or_default().released.push(at),
            Key::Retained(_) => {
                midge_core::stored::read_retained(value, epoch())?;
                self.retained += 1;
            }
            // Of a kind that this program does not look into, or on its way to where it counts.
            Key::Will(..) | Key::Versions | Key::Foreign => {}
        }
        Ok(())
    }
}

/// The connector and the queue that a record of the bridge speaks of.
fn spool(key: &[u8], value: &[u8]) -> Option<(String, QueueId)> {
    let connector = key.strip_prefix(&[midge_bridge::STATE, b'q'])?;
    let (layout, rest) = value.split_first()?;
    let queue = rest.first_chunk().filter(|_| *layout == SPOOL_LAYOUT)?;
    let connector = String::from_utf8_lossy(connector).into_owned();
    Some((connector, QueueId(u64::from_be_bytes(*queue))))
}

/// Reads a queue to its end, entry by entry; returns how many the disk has damaged.
pub(super) fn entries<E: From<LoadError>>(
    reader: &Reader,
    queue: QueueId,
    mut each: impl FnMut(midge_store::Entry) -> Result<(), E>,
) -> Result<u64, E> {
    let (mut from, mut lost) = (0, 0);
    loop {
        let loaded = reader.load(queue, from, Position::MAX, PAGE.0, PAGE.1)?;
        lost += loaded.lost;
        for entry in loaded.entries {
            from = entry.position + 1;
            each(entry)?;
        }
        if loaded.end {
            return Ok(lost);
        }
    }
}

/// When the first message of a queue came, in milliseconds since 1970; `None`: there is none that
/// can be read.
pub(super) fn oldest(reader: &Reader, queue: QueueId) -> Result<Option<u64>, LoadError> {
    let first = reader.load(queue, 0, Position::MAX, 1, 0)?.entries.into_iter().next();
    let read = first.and_then(|first| Entry::read(first.entry, epoch()).ok());
    Ok(read.map(|Entry(message)| message.received_unix_millis))
}

/// Milliseconds since 1970 of a moment in a record read at [`epoch`].
pub(super) fn unix_millis(at: Instant, epoch: Now) -> u64 {
    let since: Duration = at.saturating_duration_since(epoch.instant);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
