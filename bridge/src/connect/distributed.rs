//! A worker of a group, as Connect's distributed mode has them: what is wanted of connectors is in one
//! topic of Kafka, how they are in another, and who runs a task is said by a consumer group.
//!
//! Invariants. A task runs at the worker that has its partition, as long as its lease stands, and at
//! nobody else: who is given a partition by Kafka that another worker has not given back waits until
//! that one has found its lease gone. What a worker writes is in force once it has read it back.

mod buckets;
mod config_record;
mod shares;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_config::{ClientProperties, StorageTopic, WorkerGroup};
use tracing::{info, warn};

use self::buckets::bucket;
pub(crate) use self::config_record::{Heard, Known, records};
use self::shares::Shares;
use self::statuses::{About, Statuses};
use super::definition::Definition;
use super::group::{Change, Group, Unit};
use super::herder::Herder;
use super::status::Condition;
use crate::bridge::Bridge;
use crate::kafka::membership::{Member, Membership, Terms};
use crate::kafka::{CompactedTopic, Reader, TopicLog};

/// How long what has been told may need to come to Kafka when it is waited for.
const FLUSH: Duration = Duration::from_secs(2);
/// How long the threads may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether tasks have used more topics.
const TOPICS_EVERY: Duration = Duration::from_secs(2);
/// Topics that are told of a connector at most.
const TOPICS_MAX: usize = 1_000;

/// The part of a worker that speaks with the others of its group.
pub struct Distributed {
    common: Arc<Common>,
    threads: Mutex<Option<Membership>>,
}

/// What its threads share.
struct Common {
    worker_id: String,
    group: WorkerGroup,
    state: Mutex<State>,
    logs: OnceLock<Logs>,
    herder: OnceLock<Weak<Herder>>,
}

/// The two topics that are read as a whole.
struct Logs {
    config: TopicLog,
    status: TopicLog,
}

#[derive(Default)]
struct State {
    known: Known,
    config_read: bool,
    statuses: Statuses,
    status_read: bool,
    shares: Shares,
    /// What this worker told last, unless another has told something else since.
    sent: BTreeMap<(String, Unit), Option<Condition>>,
    sent_topics: BTreeSet<(String, String)>,
    topics_said: Option<Instant>,
    /// Connectors of which something told did not come to Kafka.
    unsent: BTreeSet<String>,
}

impl Distributed {
    /// A worker that has not begun yet.
    #[must_use]
    pub fn new(group: WorkerGroup, worker_id: String) -> Distributed {
        let common = Common {
            worker_id,
            group,
            state: Mutex::default(),
            logs: OnceLock::new(),
            herder: OnceLock::new(),
        };
        Distributed { common: Arc::new(common), threads: Mutex::default() }
    }

    /// The group, for a herder.
    #[must_use]
    pub fn group(&self) -> Arc<dyn Group> {
        Arc::new(Handle(Arc::clone(&self.common)))
    }

    /// Begins: reads the topics, and takes part in the group once they have been read.
    ///
    /// # Errors
    /// When the properties of a client are wrong, or a thread cannot be started.
    pub fn start(&self, bridge: &Bridge, herder: &Arc<Herder>) -> Result<(), String> {
        let common = &self.common;
        let group = &common.group;
        let (properties, oauth) = bridge.kafka(&ClientProperties::default());
        // The first one counts; there is one caller.
        let _ = common.herder.set(Arc::downgrade(herder));
        let topic = |topic: &StorageTopic| CompactedTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            settings: topic.settings.clone(),
        };
        let start = |storage, single, reader| {
            TopicLog::start(topic(storage), single, &properties, oauth, reader)
        };
        let config = start(&group.config, true, Arc::new(Configs(Arc::clone(common))))?;
        let status = start(&group.status, false, Arc::new(Told(Arc::clone(common))))?;
        let _ = common.logs.set(Logs { config, status });
        let terms = Terms {
            group_id: group.group_id.clone(),
            topic: topic(&group.offsets),
            session_timeout: group.session_timeout,
            heartbeat_interval: group.heartbeat_interval,
            rebalance_timeout: group.rebalance_timeout,
        };
        let member = Arc::new(Seat(Arc::clone(common)));
        let membership = Membership::start(terms, &properties, oauth, member)?;
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) = Some(membership);
        info!(group = group.group_id, worker = common.worker_id, "this worker is one of a group");
        Ok(())
    }

    /// Waits until what the workers share has been read, or until `patience` is over; whether it has.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.common.state().config_read {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Leaves the group, whose others take over at once. Nothing may run any more.
    pub fn leave(&self) {
        let deadline = Instant::now() + GRACE;
        let membership = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(membership) = &membership {
            membership.stop(deadline);
        }
        if let Some(logs) = self.common.logs.get() {
            logs.config.stop(deadline);
            logs.status.stop(deadline);
            logs.config.join(deadline);
            logs.status.join(deadline);
        }
        if let Some(membership) = &membership {
            membership.join(deadline);
        }
    }
}

impl Drop for Distributed {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Common {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn herder(&self) -> Option<Arc<Herder>> {
        self.herder.get()?.upgrade()
    }

    fn malformed(&self, topic: &str, key: &[u8], why: &str) {
        let key = String::from_utf8_lossy(key).chars().take(200).collect::<String>();
        warn!(topic, key, error = why, "a record that cannot be understood is passed over");
    }
}

/// The reader of the configuration topic.
struct Configs(Arc<Common>);

impl Reader for Configs {
    fn record(&self, key: &[u8], value: Option<&[u8]>) {
        let mut state = self.0.state();
        let heard = state.known.read(key, value);
        let whole = state.config_read;
        drop(state);
        match heard {
            // Until all has been read, what is said may have been taken back since.
            Ok(Some((name, heard))) if whole => {
                if let Some(herder) = self.0.herder() {
                    herder.heard(&name, heard);
                }
            }
            Ok(_) => {}
            Err(why) => self.0.malformed(&self.0.group.config.name, key, &why),
        }
    }

    fn read_whole(&self) {
        let definitions: BTreeMap<String, Definition> = self.0.state().known.definitions().clone();
        info!(connectors = definitions.len(), "the configuration of the group has been read");
        if let Some(herder) = self.0.herder() {
            herder.heard_all(definitions);
        }
        self.0.state().config_read = true;
    }
}

/// The reader of the status topic.
struct Told(Arc<Common>);

impl Reader for Told {
    fn record(&self, key: &[u8], value: Option<&[u8]>) {
        let mut state = self.0.state();
        let told = match state.statuses.read(key, value) {
            Ok(About::Unit(name, unit)) => {
                let now = state.statuses.of(&name, unit).cloned();
                let ours = now.as_ref().is_none_or(|now| now.worker_id == self.0.worker_id);
                // Whatever this worker had told, another has said something else.
                let other = !ours && state.sent.remove(&(name.clone(), unit)).is_some();
                if now.is_none() {
                    state.sent.remove(&(name.clone(), unit));
                }
                (other && state.status_read).then_some((name, false))
            }
            Ok(About::Topic { connector, used: false }) => {
                state.sent_topics.retain(|(of, _)| *of != connector);
                Some((connector, true))
            }
            Ok(About::Topic { .. }) => None,
            Err(why) => {
                drop(state);
                return self.0.malformed(&self.0.group.status.name, key, &why);
            }
        };
        drop(state);
        let Some(((name, forget), herder)) = told.zip(self.0.herder()) else { return };
        match forget {
            true => herder.engine().forget_topics(&name),
            false => herder.say_again(&name),
        }
    }

    fn read_whole(&self) {
        self.0.state().status_read = true;
    }
}

/// The seat in the consumer group.
struct Seat(Arc<Common>);

impl Member for Seat {
    fn joins(&self, partitions: i32) -> bool {
        let mut state = self.0.state();
        state.shares.set_count(partitions);
        // What it has to do, and who may still be at it, is known by then.
        state.config_read && state.status_read
    }

    fn assigned(&self, partitions: &[i32]) {
        let Some(logs) = self.0.logs.get().filter(|_| !partitions.is_empty()) else { return };
        let question = logs.status.ask_end();
        self.0.state().shares.assigned(partitions, question, Instant::now());
        info!(group = self.0.group.group_id, ?partitions, "partitions of the group assigned");
    }

    fn revoked(&self, partitions: &[i32], taken: bool) {
        if partitions.is_empty() {
            return;
        }
        let group = &self.0.group.group_id;
        match taken {
            true => warn!(group, ?partitions, "partitions of the group lost: their tasks end"),
            false => info!(group, ?partitions, "partitions of the group go to another worker"),
        }
        self.0.state().shares.revoked(partitions);
        if let Some(herder) = self.0.herder() {
            if taken {
                herder.fence();
            }
            herder.shares_changed();
        }
    }

    fn has_ended(&self) -> bool {
        let idle = self.0.herder().is_none_or(|herder| herder.is_idle());
        if let Some(logs) = self.0.logs.get().filter(|_| idle) {
            // Whoever comes by the partitions reads that they are free.
            logs.status.flush(FLUSH);
        }
        idle
    }

    fn renewed(&self, until: Instant) {
        self.0.state().shares.renewed(until);
    }

    fn tick(&self, now: Instant) {
        let Some(logs) = self.0.logs.get() else { return };
        let reached = logs.status.reached();
        let mut state = self.0.state();
        let State { shares, statuses, unsent, .. } = &mut *state;
        let count = shares.count();
        let alive = |partition: i32| {
            let mut elsewhere = statuses.alive_elsewhere(&self.0.worker_id);
            elsewhere.any(|(name, unit)| bucket(name, unit, count) == partition)
        };
        let turn = shares.turn(now, reached, alive);
        let unsent = std::mem::take(unsent);
        let topics = state.topics_said.is_none_or(|said| now >= said + TOPICS_EVERY);
        if topics {
            state.topics_said = Some(now);
        }
        drop(state);
        let Some(herder) = self.0.herder() else { return };
        if turn.lost {
            let group = &self.0.group.group_id;
            warn!(group, "no word from Kafka for the session timeout: tasks of the group end");
            herder.fence();
        }
        if turn.changed {
            herder.shares_changed();
        }
        for name in unsent {
            herder.say_again(&name);
        }
        if topics {
            herder.say_topics();
        }
    }
}

/// The group as the herder has it.
struct Handle(Arc<Common>);

impl Group for Handle {
    fn ready(&self) -> Result<(), String> {
        if self.0.state().config_read {
            return Ok(());
        }
        let trouble = self.0.logs.get().and_then(|logs| logs.config.trouble());
        Err(trouble
            .unwrap_or_else(|| format!("topic {:?}: it is being read", self.0.group.config.name)))
    }

    fn write(&self, name: &str, change: &Change) -> Result<(), String> {
        self.ready()?;
        let logs = self.0.logs.get().ok_or("the worker has not begun yet")?;
        logs.config.write(&records(name, change))
    }

    fn owns(&self, name: &str, unit: Unit) -> bool {
        let state = self.0.state();
        state.shares.owns(bucket(name, unit, state.shares.count()))
    }

    fn may_run(&self, name: &str, task: usize) -> bool {
        let state = self.0.state();
        let partition = bucket(name, Unit::Task(task), state.shares.count());
        state.shares.may_run(partition, Instant::now())
    }

    fn tell(&self, name: &str, unit: Unit, condition: Option<&Condition>) {
        let Some(logs) = self.0.logs.get() else { return };
        let of = (name.to_owned(), unit);
        let mut state = self.0.state();
        let known = match state.sent.get(&of) {
            Some(sent) => sent.as_ref(),
            None => state.statuses.of(name, unit),
        };
        if known == condition {
            return;
        }
        state.sent.insert(of.clone(), condition.cloned());
        let generation = state.shares.generation();
        drop(state);
        let value = condition.map(|condition| statuses::value(condition, generation));
        let common = Arc::downgrade(&self.0);
        logs.status.post(&statuses::key(name, unit), value.as_deref(), move || {
            let Some(common) = common.upgrade() else { return };
            let mut state = common.state();
            state.sent.remove(&of);
            state.unsent.insert(of.0);
        });
    }

    fn told(&self, name: &str, unit: Unit) -> Option<Condition> {
        self.0.state().statuses.of(name, unit).cloned()
    }

    fn told_tasks(&self, name: &str) -> Vec<usize> {
        self.0.state().statuses.tasks(name)
    }

    fn tell_topic(&self, name: &str, task: usize, topic: &str) {
        let Some(logs) = self.0.logs.get() else { return };
        let of = (name.to_owned(), topic.to_owned());
        let mut state = self.0.state();
        let topics = state.statuses.topics(name);
        if topics.contains(topic) || topics.len() >= TOPICS_MAX || !state.sent_topics.insert(of) {
            return;
        }
        drop(state);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        let value = statuses::topic_value(name, task, topic, millis);
        logs.status.post(&statuses::topic_key(name, topic), Some(&value), || {});
    }

    fn topics(&self, name: &str) -> BTreeSet<String> {
        self.0.state().statuses.topics(name)
    }

    fn forget_topics(&self, name: &str) {
        let Some(logs) = self.0.logs.get() else { return };
        for topic in self.topics(name) {
            logs.status.post(&statuses::topic_key(name, &topic), None, || {});
        }
        logs.status.flush(FLUSH);
    }

    fn flush(&self) {
        if let Some(logs) = self.0.logs.get() {
            logs.status.flush(FLUSH);
        }
    }
}
