//! A source connector: its mapping, its tap and its log, shared by shards, store and producer.
//!
//! The log's lock is held for batches of offers, takes and reports, never while a record is made or
//! sent. What the log asks for is done under it, so that it is done in order: nothing of that waits
//! for a disk or for another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_codec::{ReasonCode, Text};
use midge_core::{DutyId, Message, Now, Offer, ShardId, StoredEntry, Tap, TapId};
use midge_store::{Store, Submitter};
use tracing::debug;

use crate::health::{ConnectorStatus, Health};
use crate::host::Host;
use crate::mapping::Mapping;
use crate::overlaps::Overlaps;
use crate::spool::{Loaded, Output, Queue, Spool};
use crate::storage::transaction;

pub(crate) struct Source {
    pub(crate) mapping: Mapping,
    pub(crate) tap: Tap,
    pub(crate) health: Health,
    overlaps: Overlaps,
    log: Mutex<Log>,
    host: Arc<dyn Host>,
    /// The producer's thread, once it runs.
    producer: OnceLock<Thread>,
    /// Nothing goes to Kafka for the moment.
    rests: AtomicBool,
}

/// The log with what carries its wishes out.
pub(crate) struct Log {
    pub(crate) spool: Spool,
    store: Option<(Store, Submitter)>,
    duties: Vec<(ShardId, DutyId, ReasonCode)>,
    /// Nobody is told anything any more.
    closed: bool,
}

/// How long a log that ends waits for the disk, and how often it looks.
const LEAVING: Duration = Duration::from_secs(5);
const WRITTEN_EVERY: Duration = Duration::from_millis(2);

/// What keeps a message out of the log.
const LOG_FULL: &str = "the log is far beyond its limits, since kafka is slow or away";

/// The present.
pub(crate) fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
    Now { instant: Instant::now(), unix_millis }
}

impl Source {
    pub(crate) fn new(
        mapping: Mapping,
        tap: Tap,
        health: Health,
        spool: Spool,
        store: Option<&Store>,
        host: Arc<dyn Host>,
    ) -> Arc<Source> {
        let log = Log { spool, store: None, duties: Vec::new(), closed: false };
        let log = Mutex::new(log);
        let overlaps = Overlaps::default();
        let source = Source {
            mapping,
            tap,
            health,
            overlaps,
            log,
            host,
            producer: OnceLock::new(),
            rests: AtomicBool::new(false),
        };
        let source = Arc::new(source);
        if let Some(store) = store {
            source.attach(store);
        }
        source
    }

    /// Connects the log with the store, whose threads call back.
    fn attach(self: &Arc<Source>, store: &Store) {
        let weak = Arc::downgrade(self);
        let durable = move |number| {
            if let Some(source) = weak.upgrade() {
                source.with(|spool, _| spool.durable(number));
            }
        };
        let submitter = store.submitter(Box::new(durable));
        self.log().store = Some((store.clone(), submitter));
        let weak = Arc::downgrade(self);
        store.on_state(Box::new(move |state| {
            if let Some(source) = weak.upgrade() {
                let usable = *state == midge_store::State::Healthy;
                source.health.store(state);
                source.with(|spool, _| spool.store_usable(usable));
            }
        }));
    }

    /// The thread that is to be woken when there is something to be produced.
    pub(crate) fn produced_by(&self, thread: Thread) {
        // A source has one producer for life.
        let _ = self.producer.set(thread);
    }

    /// Has it bring nothing to Kafka, or go on.
    pub(crate) fn rest(&self, rest: bool) {
        self.rests.store(rest, Ordering::Relaxed);
    }

    /// Whether it brings messages to Kafka: it neither rests nor has failed.
    pub(crate) fn works(&self) -> bool {
        !self.rests.load(Ordering::Relaxed) && !self.mapping.has_failed()
    }

    /// Where its messages come from.
    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    pub(crate) fn id(&self) -> TapId {
        self.tap.id
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message that its filters match is for it, and not for another rule of its list.
    pub(crate) fn takes(&self, message: &Message) -> bool {
        let Some((list, target)) = self.mapping.rule().list() else { return true };
        let met = list.meet(&message.topic).filter(|met| met.target == target);
        if let Some(met) = met {
            self.overlaps.look(self.health.name(), list, met, &message.topic);
        }
        met.is_some()
    }

    /// Appends messages of one shard in their order.
    pub(crate) fn push(self: &Arc<Source>, shard: ShardId, offers: impl Iterator<Item = Offer>) {
        let mut came = 0;
        self.with(|spool, now| {
            for offer in offers {
                came += 1;
                let duty = offer.duty.map(|duty| (shard, duty));
                if let Err(rejected) = spool.offer(now, offer.message, duty) {
                    self.health.refused(&rejected.topic, &LOG_FULL);
                }
            }
        });
        self.health.came(came);
    }

    /// Does something with the log, and what follows from it.
    pub(crate) fn with<T>(self: &Arc<Source>, act: impl FnOnce(&mut Spool, Now) -> T) -> T {
        let now = now();
        let mut log = self.log();
        let done = act(&mut log.spool, now);
        log.spool.tick(now);
        self.carry_out(&mut log);
        done
    }

    /// Does what has become due; when something will be.
    pub(crate) fn look(self: &Arc<Source>, now: Now) -> Option<Instant> {
        let mut log = self.log();
        if log.spool.deadline().is_some_and(|due| due <= now.instant) {
            log.spool.tick(now);
            self.carry_out(&mut log);
        }
        log.spool.deadline()
    }

    /// Does what the log asks for.
    fn carry_out(self: &Arc<Source>, log: &mut Log) {
        let mut transactions = Vec::new();
        while let Some(output) = log.spool.poll() {
            match output {
                Output::Commit(operations) => transactions.push(transaction(operations)),
                Output::Done((shard, duty), reason) => log.duties.push((shard, duty, reason)),
                _ if log.closed => {}
                Output::Load { queue, from, below, max_entries, max_bytes } => {
                    let Some((store, _)) = &log.store else { continue };
                    let reply = Source::reply(Arc::downgrade(self));
                    let queue = midge_store::QueueId(queue.0);
                    store.load(queue, from, below, max_entries, max_bytes, Box::new(reply));
                }
                Output::Pressure(full) => self.host.tap_full(self.id(), full),
                Output::Notice(notice) => self.health.notice(notice),
            }
        }
        if let Some((_, submitter)) = log.store.as_ref().filter(|_| !transactions.is_empty()) {
            submitter.submit(transactions);
        }
        // What the disk says after the end waits for [`Source::leave`].
        if !log.closed && !log.duties.is_empty() {
            self.host.duties_done(&mut log.duties);
        }
        self.health.depth(log.spool.open(), log.spool.is_spooling());
    }

    /// What the store answers a load with, on its own thread.
    fn reply(
        source: Weak<Source>,
    ) -> impl FnOnce(Result<midge_store::Loaded, midge_store::LoadError>) + Send {
        move |loaded| {
            let Some(source) = source.upgrade() else { return };
            let loaded = loaded.inspect_err(|error| {
                debug!(connector = source.health.name(), error = %error, "a load failed");
            });
            let loaded = loaded.ok().map(|loaded| Loaded {
                entries: loaded.entries.into_iter().map(stored).collect(),
                end: loaded.end,
                lost: loaded.lost,
            });
            source.with(|spool, now| spool.loaded(now, loaded));
            if let Some(producer) = source.producer.get() {
                producer.unpark();
            }
        }
    }

    /// The end is near: what Kafka does not take at once goes to the disk.
    pub(crate) fn hurry(self: &Arc<Source>, after: Duration) {
        self.with(|spool, _| spool.hurry(after));
    }

    /// The last word to the store; nothing comes from the log any more. How many messages are left,
    /// and whether the disk has them all.
    pub(crate) fn close(self: &Arc<Source>) -> (u64, bool) {
        let mut log = self.log();
        log.spool.flush(now());
        self.carry_out(&mut log);
        log.closed = true;
        (log.spool.open(), log.spool.is_safe())
    }

    /// After [`Source::close`]: the directory is free once nobody has a handle on the store.
    pub(crate) fn release(&self) {
        self.log().store = None;
    }

    /// After [`Source::close`], while the broker goes on: waits until the disk has what was given to
    /// it, tells the publishers of that, and those of all else that it has failed, and returns the
    /// queue as it is left.
    pub(crate) fn leave(&self) -> Option<Queue> {
        let deadline = Instant::now() + LEAVING;
        while !self.log().spool.is_written() && Instant::now() < deadline {
            std::thread::sleep(WRITTEN_EVERY);
        }
        let mut log = self.log();
        log.spool.abandon();
        let mut done = std::mem::take(&mut log.duties);
        while let Some(output) = log.spool.poll() {
            if let Output::Done((shard, duty), reason) = output {
                done.push((shard, duty, reason));
            }
        }
        if !done.is_empty() {
            self.host.duties_done(&mut done);
        }
        log.store = None;
        log.spool.left()
    }

    pub(crate) fn status(&self) -> ConnectorStatus {
        let log = self.log();
        let spool = &log.spool;
        self.health.status(spool.open() as usize, spool.bytes() as usize, spool.is_spooling())
    }
}

fn stored(entry: midge_store::Entry) -> StoredEntry {
    let midge_store::Entry { position, tag, entry } = entry;
    StoredEntry { position, tag, entry }
}

/// A message as a rule sees it.
pub(crate) fn view(message: &Message) -> midge_rules::Message<'_> {
    midge_rules::Message {
        topic: &message.topic,
        client_id: message.origin.client_id().map(Text::as_str),
        username: message.origin.username().map(Text::as_str),
        qos: message.qos,
        retain: message.retain,
        properties: message.properties.as_deref(),
        trail: &message.trail,
    }
}
