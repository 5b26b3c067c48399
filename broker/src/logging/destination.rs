//! Where log lines go.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use midge_codec::{QoS, TopicName};
use midge_config::LogDestination;
use midge_core::Inject;

use crate::hub::Hub;
use crate::logging::LogType;
use crate::logging::line::{Lines, Message};

/// The facility of a daemon (RFC 3164, 4.1.1), in its place in a priority.
const FACILITY_DAEMON: u8 = 3 << 3;

/// The local syslog.
const SYSLOG: &str = "/dev/log";

thread_local! {
    /// Whether this thread is publishing a line: what that logs is not published in turn.
    static PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

/// A place log lines go to.
pub(crate) enum Destination {
    Stdout,
    Stderr,
    File {
        path: PathBuf,
        file: Mutex<File>,
    },
    /// `None` until the socket is there.
    Syslog(Mutex<Option<UnixDatagram>>),
    Topic,
}

impl Destination {
    /// Opens it; a file that may not be opened any more, since the process has become another
    /// user, is taken from the `old` ones.
    pub(crate) fn open(
        destination: &LogDestination,
        old: &[Destination],
    ) -> Result<Destination, String> {
        Ok(match destination {
            LogDestination::Stdout => Destination::Stdout,
            LogDestination::Stderr => Destination::Stderr,
            LogDestination::Syslog => Destination::Syslog(Mutex::new(connect_syslog())),
            LogDestination::Topic => Destination::Topic,
            LogDestination::File(path) => {
                let file = append(path)
                    .or_else(|error| old.iter().find_map(|old| old.file(path)).ok_or(error))
                    .map_err(|error| format!("log_dest file {}: {error}", path.display()))?;
                Destination::File { path: path.clone(), file: Mutex::new(file) }
            }
        })
    }

    /// The open file, if it is this one.
    fn file(&self, wanted: &Path) -> Option<File> {
        match self {
            Destination::File { path, file } if path == wanted => {
                file.lock().unwrap_or_else(PoisonError::into_inner).try_clone().ok()
            }
            _ => None,
        }
    }

    pub(crate) fn reopen(&self) {
        if let Destination::File { path, file } = self {
            // Until it can be opened, the old one is better than none.
            if let Ok(new) = append(path) {
                *file.lock().unwrap_or_else(PoisonError::into_inner) = new;
            }
        }
    }

    /// Writes a line; a failure is passed over, there is nowhere to report it.
    pub(crate) fn write(
        &self,
        kind: LogType,
        message: &Message,
        lines: &Lines,
        hub: &OnceLock<Weak<Hub>>,
    ) {
        let with_end = || lines.line(kind, message) + "\n";
        match self {
            Destination::Stdout => {
                let _ = std::io::stdout().lock().write_all(with_end().as_bytes());
            }
            Destination::Stderr => {
                let _ = std::io::stderr().lock().write_all(with_end().as_bytes());
            }
            Destination::File { file, .. } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = file.write_all(with_end().as_bytes());
            }
            Destination::Syslog(socket) => write_syslog(socket, kind, &message.plain()),
            Destination::Topic => {
                if let Some(hub) = hub.get().and_then(Weak::upgrade) {
                    publish(&hub, kind, lines.line(kind, message));
                }
            }
        }
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn connect_syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    // A log that is behind loses lines instead of holding the broker.
    socket.set_nonblocking(true).ok()?;
    socket.connect(SYSLOG).ok()?;
    Some(socket)
}

fn write_syslog(socket: &Mutex<Option<UnixDatagram>>, kind: LogType, text: &str) {
    let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
    let priority = FACILITY_DAEMON | kind.severity();
    // As programs write to /dev/log (RFC 3164): the daemon adds time and host.
    let line = format!("<{priority}>midge[{}]: {text}", std::process::id());
    let sent = socket.as_ref().map(|socket| socket.send(line.as_bytes()));
    if !matches!(sent, Some(Ok(_))) {
        // The daemon was started late, or anew.
        *socket = connect_syslog();
        if let Some(socket) = &*socket {
            let _ = socket.send(line.as_bytes());
        }
    }
}

fn publish(hub: &Hub, kind: LogType, line: String) {
    if PUBLISHING.replace(true) {
        return;
    }
    if let Ok(topic) = TopicName::try_from(kind.topic()) {
        hub.inject(Box::new(Inject {
            ticket: None,
            client: None,
            topic,
            payload: Bytes::from(line),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: None,
            trail: Vec::new(),
            mark: None,
        }));
    }
    PUBLISHING.set(false);
}
