//! Connections to other MQTT brokers: a client for the connectors whose `hosts` name one.
//!
//! To the bridge such a broker is another [`Host`](crate::Host), one for each task: a [`Source`] gives it what the
//! broker publishes, a [`Sink`] publishes there. Each connection is a [`Link`] on the one thread of
//! [`Remotes`], around a session that knows no sockets.
//!
//! Invariants. A message of QoS 1 or 2 is acknowledged when the rules that take it have it safe, and
//! a record is done with when the broker has acknowledged its message. A broker that is away is a
//! state: it is tried for ever, and the status of the rules says why. Nothing grows without bound: a
//! broker that sends more than Kafka takes is not read from, and what is sent there waits in Kafka.

mod backoff;
mod link;
mod routes;
mod session;
mod sink;
mod socket;
mod source;
mod tls;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use midge_codec::Text;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::debug;

use crate::bridge::Bridge;
use crate::connect::plan::RemoteBroker;
use session::Identity;
pub(crate) use sink::Sink;
pub(crate) use source::{Source, Task};

/// The thread of all connections to other brokers; there is none until the first.
#[derive(Default)]
pub(crate) struct Remotes {
    running: Mutex<Option<Running>>,
}

struct Running {
    handle: Handle,
    /// Dropped, it ends the thread.
    _wanted: oneshot::Sender<()>,
}

impl Remotes {
    /// Where connections run.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn handle(&self) -> Result<Handle, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(running.handle.clone());
        }
        let refused = |error: std::io::Error| format!("a thread cannot be started: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(refused)?;
        let handle = runtime.handle().clone();
        let (wanted, unwanted) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("mqtt-remote".to_owned());
        let spawned = thread.spawn(move || {
            // It never has anything to say: it closes.
            let _ = runtime.block_on(unwanted);
            // A name that is being looked up holds up nobody.
            runtime.shutdown_background();
        });
        spawned.map_err(refused)?;
        *running = Some(Running { handle: handle.clone(), _wanted: wanted });
        Ok(handle)
    }
}

/// Says for the rules of a task how their broker is.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) bridge: Weak<Bridge>,
    /// The names of the rules.
    pub(crate) rules: Arc<[String]>,
}

impl Voice {
    /// A connection to the broker cannot be had.
    fn away(&self, connection: usize, why: &str) {
        self.tell(connection, Some(why));
    }

    /// It can.
    fn back(&self, connection: usize) {
        self.tell(connection, None);
    }

    fn tell(&self, connection: usize, away: Option<&str>) {
        match self.bridge.upgrade() {
            Some(bridge) => bridge.remote(&self.rules, connection, away),
            None => debug!(rules = ?self.rules, "the bridge has ended"),
        }
    }
}

/// Who connects to a broker, on the connection of this number.
///
/// # Errors
/// When what was configured is nothing that MQTT can carry.
fn identity(broker: &RemoteBroker, connection: usize) -> Result<Identity, String> {
    let text =
        |what: &str, text: &str| Text::try_from(text).map_err(|error| format!("{what}: {error}"));
    let client_id = match connection {
        0 => broker.client_id.clone(),
        // Filters that overlap need a session each.
        _ => format!("{}-{connection}", broker.client_id),
    };
    let user = broker.user.as_ref().map(|(name, password)| {
        let password = password.as_ref().map(|password| password.expose().as_bytes().to_vec());
        Ok::<_, String>((text("user name", name)?, password.map(Into::into)))
    });
    Ok(Identity {
        client_id: text("client id", &client_id)?,
        user: user.transpose()?,
        keep_alive: broker.keep_alive,
        timeout: match broker.timeout.is_zero() {
            true => link::TIMEOUT,
            false => broker.timeout,
        },
    })
}
