//! Log lines as Mosquitto writes them, from tracing events.
//!
//! An event's level and target make its type (`log_type`); what is switched off costs nothing, and
//! a destination that fails is left out, since there is nowhere to say so. A reload replaces types,
//! destinations and format in one step.

mod destination;
mod levels;
mod line;

use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};

use midge_bridge::connect::LogLevels;
use midge_config::{Log, LogTypes};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::broker::Running;
use crate::hub::Hub;
use destination::Destination;
use levels::Levels;
use line::Lines;

/// Clients that come and go: `log_type notice`.
pub(crate) const CONNECTION: &str = "midge::connection";
/// `log_type subscribe`.
pub(crate) const SUBSCRIBE: &str = "midge::subscribe";
/// `log_type unsubscribe`.
pub(crate) const UNSUBSCRIBE: &str = "midge::unsubscribe";
/// Each packet: `log_type debug`.
pub(crate) const PACKETS: &str = "midge::packets";

/// The kinds of lines that `log_type` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogType {
    Error,
    Warning,
    Notice,
    Information,
    Subscribe,
    Unsubscribe,
    Debug,
}

impl LogType {
    fn of(metadata: &Metadata<'_>) -> LogType {
        match (*metadata.level(), metadata.target()) {
            (Level::ERROR, _) => LogType::Error,
            (Level::WARN, _) => LogType::Warning,
            (Level::INFO, SUBSCRIBE) => LogType::Subscribe,
            (Level::INFO, UNSUBSCRIBE) => LogType::Unsubscribe,
            (Level::INFO, CONNECTION) => LogType::Notice,
            (Level::INFO, _) => LogType::Information,
            _ => LogType::Debug,
        }
    }

    fn is_in(self, types: &LogTypes) -> bool {
        match self {
            LogType::Error => types.error,
            LogType::Warning => types.warning,
            LogType::Notice => types.notice,
            LogType::Information => types.information,
            LogType::Subscribe => types.subscribe,
            LogType::Unsubscribe => types.unsubscribe,
            LogType::Debug => types.debug,
        }
    }

    /// Its name, as in `log_type`.
    fn name(self) -> &'static str {
        match self {
            LogType::Error => "error",
            LogType::Warning => "warning",
            LogType::Notice => "notice",
            LogType::Information => "information",
            LogType::Subscribe => "subscribe",
            LogType::Unsubscribe => "unsubscribe",
            LogType::Debug => "debug",
        }
    }

    /// The last level of its topic under `$SYS/broker/log`.
    fn topic(self) -> &'static str {
        match self {
            LogType::Error => "$SYS/broker/log/E",
            LogType::Warning => "$SYS/broker/log/W",
            LogType::Notice => "$SYS/broker/log/N",
            LogType::Information => "$SYS/broker/log/I",
            LogType::Subscribe => "$SYS/broker/log/M/subscribe",
            LogType::Unsubscribe => "$SYS/broker/log/M/unsubscribe",
            LogType::Debug => "$SYS/broker/log/D",
        }
    }

    /// Its severity for syslog (RFC 5424, table 2).
    fn severity(self) -> u8 {
        match self {
            LogType::Error => 3,
            LogType::Warning => 4,
            LogType::Notice | LogType::Subscribe | LogType::Unsubscribe => 5,
            LogType::Information => 6,
            LogType::Debug => 7,
        }
    }
}

/// The log of this process.
#[derive(Clone)]
pub struct Logging(Arc<Inner>);

struct Inner {
    now: RwLock<Arc<Opened>>,
    /// What REST has set.
    levels: RwLock<Levels>,
    /// The broker that `log_dest topic` publishes through: the first of the process.
    hub: OnceLock<Weak<Hub>>,
}

/// What a configuration says about the log, its files opened.
pub(crate) struct Opened {
    types: LogTypes,
    lines: Lines,
    destinations: Vec<Destination>,
}

impl Logging {
    /// Opens the destinations and makes them the process's log.
    ///
    /// # Errors
    /// A destination that cannot be opened, or a log that is there already.
    pub fn start(log: &Log) -> Result<Logging, String> {
        let opened = Opened::new(log, &[])?;
        let now = RwLock::new(Arc::new(opened));
        let logging =
            Logging(Arc::new(Inner { now, levels: RwLock::default(), hub: OnceLock::new() }));
        let subscriber = tracing_subscriber::registry().with(logging.clone());
        tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())?;
        Ok(logging)
    }

    /// Lets `log_dest topic` publish through a broker.
    pub fn publish_through(&self, running: &Running) {
        // The first broker of a process has the log.
        let _ = self.0.hub.set(Arc::downgrade(running.hub()));
    }

    /// Opens files anew, after they have been moved away.
    pub fn reopen(&self) {
        for destination in &self.now().destinations {
            destination.reopen();
        }
    }

    /// Opens what another configuration says about the log, without using it yet.
    ///
    /// # Errors
    /// A destination that cannot be opened.
    pub(crate) fn open(&self, log: &Log) -> Result<Opened, String> {
        Opened::new(log, &self.now().destinations)
    }

    /// Uses it from here on.
    pub(crate) fn replace(&self, opened: Opened) {
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
        // Whether a line is written was remembered where it is written.
        tracing::callsite::rebuild_interest_cache();
    }

    fn levels(&self) -> RwLockReadGuard<'_, Levels> {
        self.0.levels.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force. It is not locked while a line is written: that may cause another line.
    fn now(&self) -> Arc<Opened> {
        Arc::clone(&self.0.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Opened {
    /// Opens all destinations; what cannot be opened again stays open as it is in `old`.
    fn new(log: &Log, old: &[Destination]) -> Result<Opened, String> {
        let destinations = log
            .destinations
            .iter()
            .map(|destination| Destination::open(destination, old))
            .collect::<Result<_, _>>()?;
        Ok(Opened { types: log.types, lines: Lines::new(log), destinations })
    }
}

impl<S: Subscriber> Layer<S> for Logging {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_on(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.is_on(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let of_types = if self.now().types.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
        Some(of_types.max(self.levels().most()))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let kind = LogType::of(event.metadata());
        let message = line::message(event);
        let opened = self.now();
        for destination in &opened.destinations {
            destination.write(kind, &message, &opened.lines, &self.0.hub);
        }
    }
}

impl Logging {
    fn is_on(&self, metadata: &Metadata<'_>) -> bool {
        if *metadata.level() > most(metadata.target()) {
            return false;
        }
        match self.levels().of(metadata.target()) {
            Some(level) => *metadata.level() <= level,
            None => {
                *metadata.level() <= Level::DEBUG && LogType::of(metadata).is_in(&self.now().types)
            }
        }
    }

    /// The level up to which lines of a module, or of one below it, are written.
    fn level(&self, module: &str) -> LevelFilter {
        let set = self.levels().of(module);
        set.unwrap_or_else(|| of_types(&self.now().types, module)).min(most(module))
    }
}

/// The most that is heard of a module: below our own levels is what libraries tell each other.
fn most(module: &str) -> LevelFilter {
    let own = module.is_empty() || module.starts_with("midge");
    if own { LevelFilter::TRACE } else { LevelFilter::WARN }
}

/// The level that `log_type` lets through of a module, or of one below it.
fn of_types(types: &LogTypes, module: &str) -> LevelFilter {
    let at_info = [
        (types.notice, CONNECTION),
        (types.subscribe, SUBSCRIBE),
        (types.unsubscribe, UNSUBSCRIBE),
    ];
    let information = match at_info.iter().find(|(_, target)| *target == module) {
        Some((on, _)) => *on,
        None => {
            types.information
                || at_info.iter().any(|(on, target)| *on && levels::is_below(target, module))
        }
    };
    let on = [
        (types.debug, LevelFilter::DEBUG),
        (information, LevelFilter::INFO),
        (types.warning, LevelFilter::WARN),
        (types.error, LevelFilter::ERROR),
    ];
    on.iter().find(|(on, _)| *on).map_or(LevelFilter::OFF, |(_, level)| *level)
}

/// The log of the process, whoever has started it.
pub(crate) struct ProcessLog;

impl LogLevels for ProcessLog {
    fn set_level(&self, logger: &str, level: &str) {
        let Ok(level) = level.parse::<LevelFilter>() else { return };
        tracing::dispatcher::get_default(|dispatch| {
            let Some(logging) = dispatch.downcast_ref::<Logging>() else { return };
            let mut levels = logging.0.levels.write().unwrap_or_else(PoisonError::into_inner);
            levels.set(logger, level);
        });
        tracing::callsite::rebuild_interest_cache();
    }

    fn level(&self, logger: &str) -> &'static str {
        let level = tracing::dispatcher::get_default(|dispatch| {
            let logging = dispatch.downcast_ref::<Logging>()?;
            Some(logging.level(&levels::module(logger)))
        });
        // A program around the broker may have a log of its own.
        let level = level.unwrap_or_else(LevelFilter::current);
        level.into_level().map_or("OFF", |level| level.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_level_a_logger_has_what_log_type_says() {
        let mut types = LogTypes { error: true, notice: true, ..LogTypes::NONE };
        let of = |types: &LogTypes| {
            ["", "midge", CONNECTION, SUBSCRIBE, "midge_bridge"].map(|name| of_types(types, name))
        };
        let (info, error) = (LevelFilter::INFO, LevelFilter::ERROR);
        assert_eq!(of(&types), [info, info, info, error, error]);
        types.warning = true;
        assert_eq!(of(&types)[3..], [LevelFilter::WARN; 2]);
        types.information = true;
        assert_eq!(of(&types), [info, info, info, LevelFilter::WARN, info]);
        types.debug = true;
        assert_eq!(of(&types), [LevelFilter::DEBUG; 5]);
    }
}
