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
