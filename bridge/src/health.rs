//! How a connector fares: its counters, its state, and when it speaks of trouble.
//!
//! Trouble is logged once an episode: Kafka going away and coming back are one line each, and
//! messages refused one after another are one line a minute, with their number.
//!
//! Invariant: no error that it tells holds what a reference of the connector's properties stood for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge};
use midge_config::Hidden;
use tracing::{debug, error, info, warn};

use crate::spool::{Drop, Notice};
use crate::usage::Usage;

/// How often refused messages are logged at most.
const REFUSED_EVERY: Duration = Duration::from_secs(60);

/// The direction of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MQTT to Kafka.
    Source,
    /// Kafka to MQTT, or to InfluxDB.
    Sink,
}

/// What a connector is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As far as is known, Kafka takes or gives records.
    Running,
    /// Kafka, or the other broker, is slow or away; it is tried again and again.
    Waiting,
    /// The bridge has been shut down.
    Stopped,
}

/// A connector's status at one moment.
#[derive(Clone, Debug)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// Its direction.
    pub kind: Kind,
    /// What it is doing.
    pub state: State,
    /// Messages (source) or records (sink) that came.
    pub records_in: u64,
    /// Records Kafka acknowledged (source) or that were taken where they went (sink).
    pub records_out: u64,
    /// Bytes of values of `records_out`.
    pub bytes_out: u64,
    /// Messages or records refused, and failures of the connection.
    pub errors: u64,
    /// The last of them.
    pub last_error: Option<String>,
    /// Messages waiting for Kafka (source) or records being routed (sink).
    pub log_depth: usize,
    /// Bytes of them (source).
    pub log_bytes: usize,
    /// Whether messages go to the disk, since Kafka does not keep up (source).
    pub spooling: bool,
    /// Messages dropped at the bounds of the spool (source).
    pub dropped: u64,
    /// Messages of the spool that the disk has damaged (source).
    pub lost: u64,
    /// Why the store takes nothing, while it does not (source).
    pub store: Option<String>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Source => "source",
            Kind::Sink => "sink",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Running => "RUNNING",
            State::Waiting => "WAITING",
            State::Stopped => "STOPPED",
        })
    }
}

/// Counts for one connector and speaks for it.
pub(crate) struct Health {
    name: String,
    kind: Kind,
    counts: Counts,
    /// Counts by Kafka topic, for connectors that are asked for them.
    usage: Option<Arc<Usage>>,
    hidden: Hidden,
    away: AtomicBool,
    /// Whether `Words::trouble` stands: spares the lock when all is well.
    troubled: AtomicBool,
    stopped: AtomicBool,
    words: Mutex<Words>,
}

struct Counts {
    records_in: AtomicU64,
    records_out: AtomicU64,
    bytes_out: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
    metric_in: Counter,
    metric_out: Counter,
    metric_bytes: Counter,
    metric_errors: Counter,
    metric_depth: Gauge,
    metric_spooling: Gauge,
    metric_dropped: Counter,
    metric_lost: Counter,
}

#[derive(Default)]
struct Words {
    last_error: Option<String>,
    /// When refusals were last logged, and how many have come since.
    refused: Option<(Instant, u64)>,
    /// What was last logged as trouble; cleared when things go well.
    trouble: Option<String>,
    /// When it was last said that messages go to the disk.
    spilled: Option<Instant>,
    /// When drops were last logged, and how many have come since.
    dropped: Option<(Instant, u64)>,
    /// Why the store takes nothing.
    store: Option<String>,
    /// Why the other MQTT broker is away, by connection.
    remote: BTreeMap<usize, String>,
}

impl Health {
    pub(crate) fn new(name: &str, kind: Kind, usage: Option<Arc<Usage>>, hidden: Hidden) -> Health {
        let labels = [("connector", name.to_owned()), ("kind", kind.to_string())];
        let counts = Counts {
            metric_in: metrics::counter!("midge_bridge_records_in_total", &labels),
            metric_out: metrics::counter!("midge_bridge_records_out_total", &labels),
            metric_bytes: metrics::counter!("midge_bridge_bytes_out_total", &labels),
            metric_errors: metrics::counter!("midge_bridge_errors_total", &labels),
            metric_depth: metrics::gauge!("midge_bridge_log_depth", &labels),
            metric_spooling: metrics::gauge!("midge_bridge_spooling", &labels),
            metric_dropped: metrics::counter!("midge_bridge_dropped_total", &labels),
            metric_lost: metrics::counter!("midge_bridge_lost_total", &labels),
            records_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        };
        Health {
            name: name.to_owned(),
            kind,
            counts,
            usage,
            hidden,
            away: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            words: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What counts by Kafka topic, if anybody asks.
    pub(crate) fn usage(&self) -> Option<&Usage> {
        self.usage.as_deref()
    }

    /// Messages or records have come.
    pub(crate) fn came(&self, count: u64) {
        self.counts.records_in.fetch_add(count, Ordering::Relaxed);
        self.counts.metric_in.increment(count);
    }

    /// Records have gone where they should.
    pub(crate) fn went(&self, count: u64, bytes: u64) {
        if self.troubled.load(Ordering::Relaxed) {
            self.troubled.store(false, Ordering::Relaxed);
            self.words().trouble = None;
        }
        self.counts.records_out.fetch_add(count, Ordering::Relaxed);
        self.counts.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        self.counts.metric_out.increment(count);
        self.counts.metric_bytes.increment(bytes);
        self.back();
    }

    /// How many messages wait, and whether new ones go to the disk.
    pub(crate) fn depth(&self, depth: u64, spooling: bool) {
        self.counts.metric_depth.set(depth as f64);
        self.counts.metric_spooling.set(if spooling { 1.0 } else { 0.0 });
    }

    /// Something has happened in the log.
    pub(crate) fn notice(&self, notice: Notice) {
        let connector = &self.name;
        match notice {
            Notice::Spilled { messages, bytes } => {
                let now = Instant::now();
                let said = self.words().spilled.replace(now);
                if said.is_some_and(|said| now.duration_since(said) < REFUSED_EVERY) {
                    debug!(connector, messages, bytes, "messages go to the disk again");
                } else {
                    warn!(
                        connector,
                        messages, bytes, "kafka does not keep up, messages go to the disk"
                    );
                }
            }
            Notice::CaughtUp => debug!(connector, "kafka has caught up, messages stay in memory"),
            Notice::Dropped(why, count) => self.dropped(why, count),
            Notice::Full(true) => warn!(connector, "the spool has reached spool_max_bytes"),
            Notice::Full(false) => info!(connector, "the spool has room again"),
            Notice::Lost(count) => {
                self.counts.lost.fetch_add(count, Ordering::Relaxed);
                self.counts.metric_lost.increment(count);
                self.count_error();
                self.words().last_error =
                    Some(format!("{count} messages of the spool are damaged"));
                error!(connector, messages = count, "messages of the spool are damaged, and lost");
            }
            Notice::OtherGeneration => {
                info!(connector, "messages of the spool are older than the rule, which is applied");
            }
            Notice::LoadFailed => self.unreadable(),
        }
    }

    fn unreadable(&self) {
        let why = "the spool cannot be read, trying again";
        if let Some(why) = self.begins(why) {
            warn!(connector = %self.name, "{why}");
        }
    }

    fn dropped(&self, why: Drop, count: u64) {
        self.counts.dropped.fetch_add(count, Ordering::Relaxed);
        self.counts.metric_dropped.increment(count);
        let now = Instant::now();
        let mut words = self.words();
        match &mut words.dropped {
            Some((since, more)) if now.duration_since(*since) < REFUSED_EVERY => *more += count,
            dropped => {
                let more = dropped.replace((now, 0)).map_or(0, |(_, more)| more);
                drop(words);
                // As the settings are called.
                let (reason, policy) = match why {
                    Drop::Newest => ("spool_max_bytes", "drop_newest"),
                    Drop::Oldest => ("spool_max_bytes", "drop_oldest"),
                    Drop::Aged => ("spool_max_age", "spool_max_age"),
                };
                let (connector, messages) = (&self.name, count + more);
                warn!(connector, messages, reason, policy, "messages dropped");
            }
        }
    }

    /// How the store is.
    pub(crate) fn store(&self, state: &midge_store::State) {
        let connector = &self.name;
        let why = (*state != midge_store::State::Healthy).then(|| state.to_string());
        let mut words = self.words();
        if words.store == why {
            return;
        }
        words.store.clone_from(&why);
        if why.is_some() {
            words.last_error.clone_from(&why);
        }
        drop(words);
        match (state, why) {
            (_, None) => info!(connector, "the store takes messages again"),
            (midge_store::State::Failed { .. }, Some(error)) => {
                self.count_error();
                error!(connector, error, "the store has failed: messages wait in memory alone");
            }
            (_, Some(error)) => {
                self.count_error();
                warn!(connector, error, "the store takes nothing: messages wait in memory alone");
            }
        }
    }

    /// A message or record was refused for good; `of` says which.
    pub(crate) fn refused(&self, of: &dyn fmt::Display, why: &dyn fmt::Display) {
        self.count_error();
        let now = Instant::now();
        let why = self.hidden.hide(&why.to_string());
        let mut words = self.words();
        words.last_error = Some(format!("{of}: {why}"));
        match &mut words.refused {
            Some((since, more)) if now.duration_since(*since) < REFUSED_EVERY => *more += 1,
            refused => {
                let more = refused.replace((now, 0)).map_or(0, |(_, more)| more);
                drop(words);
                warn!(connector = %self.name, refused = %of, error = why, unlogged = more, "refused");
            }
        }
    }

    /// Kafka is slow or away.
    pub(crate) fn away(&self, why: &str) {
        let why = self.hidden.hide(why);
        let first = !self.away.swap(true, Ordering::Relaxed);
        let mut words = self.words();
        words.last_error = Some(why.clone());
        drop(words);
        if first {
            self.count_error();
            warn!(connector = %self.name, error = why, "kafka is slow or away, trying again");
        }
    }

    /// Kafka answers.
    pub(crate) fn back(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            info!(connector = %self.name, "kafka is back");
        }
    }

    /// Something is wrong that may right itself; said once until it changes.
    pub(crate) fn trouble(&self, why: &str) {
        if let Some(why) = self.begins(why) {
            warn!(connector = %self.name, error = why, "trouble with kafka");
        }
    }

    /// Records are not taken where they go, and are tried again; said once until some are.
    pub(crate) fn retrying(&self, of: &dyn fmt::Display, why: &str) {
        if let Some(why) = self.begins(why) {
            warn!(connector = %self.name, record = %of, error = why, "not taken, trying again");
        }
    }

    /// How a trouble is told that does not stand already.
    fn begins(&self, why: &str) -> Option<String> {
        let why = self.hidden.hide(why);
        let mut words = self.words();
        words.last_error = Some(why.clone());
        if words.trouble.as_ref() == Some(&why) {
            return None;
        }
        words.trouble = Some(why.clone());
        self.troubled.store(true, Ordering::Relaxed);
        drop(words);
        self.count_error();
        Some(why)
    }

    /// Why a connection to the other MQTT broker cannot be had, or that it can; said when it
    /// changes.
    pub(crate) fn remote(&self, connection: usize, away: Option<&str>) {
        let connector = &self.name;
        let away = away.map(|why| self.hidden.hide(why));
        let mut words = self.words();
        if words.remote.get(&connection) == away.as_ref() {
            return;
        }
        if let Some(error) = away {
            words.remote.insert(connection, error.clone());
            words.last_error = Some(error.clone());
            drop(words);
            self.count_error();
            warn!(connector, error, "the mqtt broker is away, trying again");
            return;
        }
        words.remote.remove(&connection);
        let is_back = words.remote.is_empty();
        drop(words);
        if is_back {
            info!(connector, "the mqtt broker is back");
        }
    }

    /// Why the other MQTT broker is away, while it is.
    pub(crate) fn remote_trouble(&self) -> Option<String> {
        self.words().remote.values().next().cloned()
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn status(
        &self,
        log_depth: usize,
        log_bytes: usize,
        spooling: bool,
    ) -> ConnectorStatus {
        let words = self.words();
        let state = if self.stopped.load(Ordering::Relaxed) {
            State::Stopped
        } else if self.is_away() || !words.remote.is_empty() {
            State::Waiting
        } else {
            State::Running
        };
        ConnectorStatus {
            name: self.name.clone(),
            kind: self.kind,
            state,
            records_in: self.counts.records_in.load(Ordering::Relaxed),
            records_out: self.counts.records_out.load(Ordering::Relaxed),
            bytes_out: self.counts.bytes_out.load(Ordering::Relaxed),
            errors: self.counts.errors.load(Ordering::Relaxed),
            last_error: words.last_error.clone(),
            log_depth,
            log_bytes,
            spooling,
            dropped: self.counts.dropped.load(Ordering::Relaxed),
            lost: self.counts.lost.load(Ordering::Relaxed),
            store: words.store.clone(),
        }
    }

    fn count_error(&self) {
        self.counts.errors.fetch_add(1, Ordering::Relaxed);
        self.counts.metric_errors.increment(1);
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
