//! Where log lines go, which of them, and what stands before them.

use std::path::PathBuf;

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Where lines go; empty logs nothing.
    pub destinations: Vec<LogDestination>,
    /// Which lines are written.
    pub types: LogTypes,
    /// What stands before a line.
    pub timestamp: LogTimestamp,
    /// The shape of a line.
    pub format: LogFormat,
}

/// A place log lines go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The system's log, facility daemon.
    Syslog,
    /// The topics `$SYS/broker/log/X`, with X the letter or name of the type.
    Topic,
    /// A file, appended to.
    File(PathBuf),
}

/// Which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTypes {
    /// Data is at risk or somebody must act.
    pub error: bool,
    /// Something is degraded.
    pub warning: bool,
    /// Start, stop, connections.
    pub notice: bool,
    /// The course of things.
    pub information: bool,
    /// Each SUBSCRIBE.
    pub subscribe: bool,
    /// Each UNSUBSCRIBE.
    pub unsubscribe: bool,
    /// Each packet.
    pub debug: bool,
}

impl LogTypes {
    /// No line at all.
    pub const NONE: Self = Self {
        error: false,
        warning: false,
        notice: false,
        information: false,
        subscribe: false,
        unsubscribe: false,
        debug: false,
    };

    /// Every line.
    pub const ALL: Self = Self {
        error: true,
        warning: true,
        notice: true,
        information: true,
        subscribe: true,
        unsubscribe: true,
        debug: true,
    };

    /// Adds a type by its name in `mosquitto.conf`; `none` removes all. WebSockets have no lines
    /// of their own. Returns whether the name is known.
    pub(crate) fn include(&mut self, name: &str) -> bool {
        match name {
            "error" => self.error = true,
            "warning" => self.warning = true,
            "notice" => self.notice = true,
            "information" => self.information = true,
            "subscribe" => self.subscribe = true,
            "unsubscribe" => self.unsubscribe = true,
            "debug" => self.debug = true,
            "websockets" => {}
            "all" => *self = Self::ALL,
            "none" => *self = Self::NONE,
            _ => return false,
        }
        true
    }
}

impl Default for LogTypes {
    fn default() -> Self {
        Self { error: true, warning: true, notice: true, information: true, ..Self::NONE }
    }
}

/// What stands before a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTimestamp {
    /// Nothing.
    None,
    /// Seconds since 1970.
    Unix,
    /// A pattern of `strftime`, local time.
    Format(String),
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
