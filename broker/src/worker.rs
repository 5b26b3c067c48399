//! A worker: one thread, one shard, and the sockets of the sessions that live there.
//!
//! Everything here runs on one thread, so state is in cells, without locks. Each connection has a
//! task that reads and decodes; the worker's own task takes a [turn](Worker::turn) after all
//! connections that were ready have fed the shard, so that what goes to one socket, to another
//! shard or to the bridge leaves in one piece. Other threads reach a worker by its [`Inbox`] alone.

pub(crate) mod arrival;
mod close;
pub(crate) mod commits;
pub(crate) mod connection;
pub(crate) mod inbox;
mod letters;
mod read;
pub(crate) mod report;
mod serve;
mod stop;
pub(crate) mod transport;
mod turn;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use midge_codec::Text;
use midge_core::{ConnectionId, Now, Offer, Shard, ShardId};
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinHandle, LocalSet};

use crate::broker::or_abort;
use crate::hub::Hub;
use crate::listener::Listening;
use crate::policy::Policy;
use crate::storage::Beginning;
use crate::worker::arrival::Arrival;
use crate::worker::commits::Commits;
use crate::worker::connection::Connection;
use crate::worker::inbox::{Inbox, Letter};
use crate::worker::stop::Stop;
use crate::worker::transport::Transport;

/// Bytes taken from one socket before others have their turn.
const TURN_BYTES: usize = 128 * 1024;

/// Size of the buffer that all connections of a worker are read into.
const READ_BYTES: usize = 64 * 1024;

/// One thread's state.
pub(crate) struct Worker {
    id: ShardId,
    hub: Arc<Hub>,
    shard: RefCell<Shard>,
    policy: RefCell<Arc<Policy>>,
    connections: RefCell<slab::Slab<Rc<Connection>>>,
    /// Distinguishes connections that had the same slot.
    next_number: Cell<u32>,
    /// Connections that may have something to write.
    dirty: RefCell<Vec<ConnectionId>>,
    /// Connections whose output went out in this turn: empty but for its memory between turns.
    written: RefCell<Vec<ConnectionId>>,
    /// Letters being opened: empty but for its memory.
    letters: RefCell<Vec<Letter>>,
    /// Publishes that came before all connectors were started; `None` once they are.
    early: RefCell<Option<Vec<Letter>>>,
    /// Clients that have come and are to be taken in.
    arrivals: RefCell<Vec<Arrival<Transport>>>,
    /// Gathered for other shards during a turn, by shard.
    outgoing: RefCell<Vec<Vec<Letter>>>,
    /// Gathered for the bridge during a turn.
    offers: RefCell<Vec<Offer>>,
    /// Gathered for the store during a turn.
    commits: Commits,
    /// Plain bytes read; TLS bytes read.
    buffer: RefCell<BytesMut>,
    cipher: RefCell<BytesMut>,
    /// Whether the worker's own task has been told to take a turn.
    scheduled: Cell<bool>,
    stop: Stop,
    /// The tasks that accept, to be ended when the worker stops.
    acceptors: RefCell<Vec<(Text, AbortHandle)>>,
    /// Sockets that are being closed.
    closing: Cell<usize>,
    bytes_received: Cell<u64>,
    bytes_sent: Cell<u64>,
    sockets_accepted: Cell<u64>,
}

impl Worker {
    /// What a worker runs on.
    ///
    /// # Errors
    /// What the system refused.
    pub(crate) fn runtime() -> std::io::Result<Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }

    /// Runs a worker on this thread until it is told to end. Without `listening` it does not serve
    /// before it is told to (`Letter::Serve`).
    pub(crate) fn run(
        id: ShardId,
        runtime: &Runtime,
        hub: Arc<Hub>,
        beginning: Beginning,
        policy: Arc<Policy>,
        listening: Option<Vec<Listening>>,
    ) -> std::io::Result<()> {
        let shards = hub.inboxes.len();
        let Beginning { shard, outs } = beginning;
        let worker = Rc::new(Worker {
            id,
            shard: RefCell::new(shard),
            policy: RefCell::new(policy),
            connections: RefCell::default(),
            next_number: Cell::new(0),
            dirty: RefCell::default(),
            written: RefCell::default(),
            letters: RefCell::default(),
            early: RefCell::new(Some(Vec::new())),
            arrivals: RefCell::default(),
            outgoing: RefCell::new((0..shards).map(|_| Vec::new()).collect()),
            offers: RefCell::default(),
            commits: Commits::new(&hub, id),
            buffer: RefCell::default(),
            cipher: RefCell::default(),
            scheduled: Cell::new(false),
            stop: Stop::default(),
            acceptors: RefCell::default(),
            closing: Cell::new(0),
            bytes_received: Cell::new(0),
            bytes_sent: Cell::new(0),
            sockets_accepted: Cell::new(0),
            hub,
        });
        let tasks = LocalSet::new();
        let hub = Arc::clone(&worker.hub);
        let ended = tasks.block_on(runtime, async {
            // What the shard began with comes before what anybody asks for.
            for out in outs {
                worker.perform(out);
            }
            worker.send_batches();
            if let Some(listening) = listening {
                worker.serve(listening)?;
            }
            // A task like the others, so that its turn comes after those that are ready before it.
            let drive = spawn(async move { worker.drive().await });
            drive.await.map_err(std::io::Error::other)
        });
        hub.inboxes[usize::from(id.0)].close();
        ended
    }

    pub(crate) fn id(&self) -> ShardId {
        self.id
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    pub(crate) fn add_acceptor(&self, listener: Text, acceptor: AbortHandle) {
        self.acceptors.borrow_mut().push((listener, acceptor));
    }

    pub(crate) fn count_accepted(&self) {
        self.sockets_accepted.set(self.sockets_accepted.get() + 1);
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.bytes_received.set(self.bytes_received.get() + bytes as u64);
    }

    fn inbox(&self) -> &Inbox {
        &self.hub.inboxes[usize::from(self.id.0)]
    }

    /// Has a connection written in the next turn.
    pub(crate) fn mark_dirty(&self, connection: ConnectionId) {
        self.dirty.borrow_mut().push(connection);
        self.schedule();
    }

    /// Has a turn taken once the tasks that are ready now have run.
    fn schedule(&self) {
        if !self.scheduled.replace(true) {
            self.inbox().wake();
        }
    }

    /// The connection, unless it is gone.
    fn connection(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        let connections = self.connections.borrow();
        connections.get(id.index as usize).filter(|connection| connection.id == id).cloned()
    }

    /// The present.
    pub(crate) fn now() -> Now {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Now {
            instant: Instant::now(),
            // A clock before 1970 is wrong anyway.
            unix_millis: since_epoch.map_or(0, |duration| duration.as_millis() as u64),
        }
    }
}

/// Starts a task on this worker. A panic in it ends the process: the runtime would swallow it and
/// leave half a broker, with a socket that nobody reads.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    spawn_movable(Box::pin(task))
}

/// The same for a task that may be moved: without an allocation of its own.
fn spawn_movable(task: impl Future<Output = ()> + Unpin + 'static) -> JoinHandle<()> {
    tokio::task::spawn_local(AbortOnPanic(task))
}

struct AbortOnPanic<T>(T);

impl<T: Future<Output = ()> + Unpin> Future for AbortOnPanic<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut polled = Poll::Pending;
        or_abort(|| {
            polled = Pin::new(&mut self.0).poll(cx);
            Ok(())
        });
        polled
    }
}
