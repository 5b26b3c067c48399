//! Log lines as Mosquitto writes them, from tracing events.
//!
//! An event's level and target make its type (`log_type`); what is switched off costs nothing, and
//! a destination that fails is left out, since there is nowhere to say so.

mod destination;
mod line;

use std::sync::Arc;

use midge_config::{Log, LogTypes};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::broker::Running;
use crate::hub::Hub;
use destination::Destination;
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
        let destinations =
            log.destinations.iter().map(Destination::open).collect::<Result<_, _>>()?;
        let lines = Lines::new(log);
        let logging = Logging(Arc::new(Inner { types: log.types, lines, destinations }));
        let subscriber = tracing_subscriber::registry().with(logging.clone());
        tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())?;
        Ok(logging)
    }

    /// Lets `log_dest topic` publish through a broker.
    pub fn publish_through(&self, running: &Running) {
        self.connect(running.hub());
    }

    fn connect(&self, hub: &Arc<Hub>) {
        for destination in &self.0.destinations {
            destination.connect(hub);
        }
    }

    /// Opens files anew, after they have been moved away.
    pub fn reopen(&self) {
        for destination in &self.0.destinations {
            destination.reopen();
        }
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
        Some(if self.0.types.debug { LevelFilter::DEBUG } else { LevelFilter::INFO })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let kind = LogType::of(event.metadata());
        let message = line::message(event);
        for destination in &self.0.destinations {
            destination.write(kind, &message, &self.0.lines);
        }
    }
}

impl Logging {
    fn is_on(&self, metadata: &Metadata<'_>) -> bool {
        // Below our own debug level is what libraries tell each other.
        let own = metadata.target().starts_with("midge");
        (own || *metadata.level() <= Level::WARN)
            && *metadata.level() <= Level::DEBUG
            && LogType::of(metadata).is_in(&self.0.types)
    }
}
