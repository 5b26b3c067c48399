//! A connection to another broker that is made again for ever: sockets, TLS and time around a
//! session.
//!
//! Invariant: reading and writing never wait for each other, so a broker that reads nothing while it
//! writes cannot bring the link to a stand; and nothing is read while the [`Side`] cannot take it.

use std::future::pending;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::ClientConfig;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info};

use super::Voice;
use super::backoff::Backoff;
use super::session::{Event, Fault, Session};
use super::socket::{self, Socket};
use crate::connect::plan::RemoteBroker;

/// How long connecting may take where nothing is said of it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long whoever ends a link waits for it.
const END: Duration = Duration::from_secs(3);
/// Bytes that wait to be written before nothing more is read.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What a link is for.
pub(super) trait Side: Send + Sync + 'static {
    /// Whether there is anything to connect for.
    fn is_wanted(&self) -> bool;

    /// Whether messages can be taken.
    fn is_reading(&self) -> bool;

    /// Whether what the broker may have kept of an earlier process is to go first.
    fn discards_session(&self) -> bool;

    /// Something has come.
    ///
    /// # Errors
    /// When the connection cannot go on.
    fn event(&mut self, now: Instant, session: &mut Session, event: Event) -> Result<(), Trouble>;

    /// Gives the session what others have for it.
    ///
    /// # Errors
    /// When the connection cannot go on.
    fn turn(&mut self, now: Instant, session: &mut Session) -> Result<(), Trouble>;

    /// The broker has been away since then. When to be asked again.
    fn away(&mut self, now: Instant, since: Instant, session: &mut Session) -> Option<Instant>;
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It cannot be made, or broke.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// The peer broke the protocol, or refuses us.
    #[error("{0}")]
    Peer(#[from] Fault),
    /// Messages have to be given again.
    #[error("messages have to come again: {0}")]
    Again(&'static str),
    /// Another attempt would come to the same.
    #[error("{0}")]
    Final(String),
}

/// A link that runs until this goes.
pub(crate) struct Link {
    signals: Arc<Signals>,
    ended: Receiver<()>,
}

/// What others tell a link.
#[derive(Default)]
pub(super) struct Signals {
    changed: Notify,
    ending: AtomicBool,
}

impl Signals {
    /// There is something for the link.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

/// Where a link goes.
pub(super) struct Route {
    pub(super) broker: RemoteBroker,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// How long an attempt may take.
    pub(super) timeout: Duration,
    pub(super) voice: Voice,
    /// Which of the task's connections it is.
    pub(super) connection: usize,
    /// What to do when there is no sense in going on.
    pub(super) failed: Arc<dyn Fn(String) + Send + Sync>,
}

impl Link {
    pub(super) fn start(
        runtime: &Handle,
        signals: Arc<Signals>,
        route: Route,
        session: Session,
        side: impl Side,
    ) -> Link {
        let (ends, ended) = mpsc::channel();
        let wanted = Arc::clone(&signals);
        let runner = Runner { signals: wanted, route, session, side, _ends: ends };
        runtime.spawn(runner.run());
        Link { signals, ended }
    }

    /// Ends it: what is there to be said is said, and the broker hears that it is on purpose.
    pub(super) fn begin_end(&self) {
        self.signals.ending.store(true, Ordering::Release);
        self.signals.wake();
    }

    /// After [`Link::begin_end`]: waits until it has.
    pub(super) fn finish_end(&self) {
        // It never has anything to say: it closes.
        let _ = self.ended.recv_timeout(END);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.begin_end();
    }
}

struct Runner<S> {
    signals: Arc<Signals>,
    route: Route,
    session: Session,
    side: S,
    /// Closes when the link has ended.
    _ends: Sender<()>,
}

impl<S: Side> Runner<S> {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut since = Instant::now();
        let mut place = 0;
        loop {
            while !self.side.is_wanted() && !self.signals.is_ending() {
                self.signals.changed.notified().await;
                since = Instant::now();
            }
            if self.signals.is_ending() {
                return;
            }
            let attempt = Instant::now();
            let (mut stood, mut again) = (Duration::ZERO, false);
            let trouble = match self.open(place).await {
                Ok(stream) => {
                    let trouble = self.serve(stream).await;
                    if let Some(up) = trouble.as_ref().err().and_then(|(up, _)| *up) {
                        stood = up.elapsed();
                        since = Instant::now();
                    }
                    trouble.map_err(|(_, trouble)| trouble)
                }
                Err(trouble) => Err(trouble),
            };
            self.session.lost();
            if self.signals.is_ending() {
                return;
            }
            match trouble {
                Ok(Served::Ended) => return,
                Ok(Served::Again) => again = true,
                Err(trouble) => {
                    let (_, host, port) = self.address(place);
                    let why = format!("{host}:{port}: {trouble}");
                    debug!(rules = ?self.route.voice.rules, "connection ended");
                    self.route.voice.away(self.route.connection, &why);
                    if let Trouble::Final(_) = trouble {
                        (self.route.failed)(why);
                        return;
                    }
                    place += 1;
                }
            }
            // Every address has its turn before there is a pause.
            let all_tried = place.is_multiple_of(self.route.broker.addresses.len().max(1));
            if again || (!all_tried && stood.is_zero()) {
                self.side.away(Instant::now(), since, &mut self.session);
                continue;
            }
            if stood > Duration::ZERO {
                place = 0;
            }
            let pause = backoff.next(stood, chance());
            debug!(rules = ?self.route.voice.rules, ?pause, after = ?attempt.elapsed(), "pause");
            self.rest(Instant::now() + pause, since).await;
        }
    }

    /// Waits until it is time, or the end.
    async fn rest(&mut self, until: Instant, since: Instant) {
        while !self.signals.is_ending() {
            let now = Instant::now();
            if now >= until {
                return;
            }
            let due = self.side.away(now, since, &mut self.session);
            let due = due.map_or(until, |due| due.min(until));
            tokio::select! {
                () = sleep_until(due.into()) => {}
                () = self.signals.changed.notified() => {}
            }
        }
    }

    fn address(&self, place: usize) -> (bool, &str, u16) {
        let addresses = &self.route.broker.addresses;
        let address = addresses.get(place % addresses.len().max(1));
        address.map_or((false, "", 0), |(tls, host, port)| (*tls, host.as_str(), *port))
    }

    /// Opens a socket, unless the link ends meanwhile.
    async fn open(&self, place: usize) -> Result<Box<dyn Socket>, Trouble> {
        let (tls, host, port) = self.address(place);
        let config = tls.then_some(self.route.tls.as_ref());
        tokio::select! {
            opened = socket::open(host, port, config, self.route.timeout) => Ok(opened?),
            () = self.ending() => Err(Trouble::Again("the link is ending")),
        }
    }

    async fn ending(&self) {
        while !self.signals.is_ending() {
            self.signals.changed.notified().await;
        }
    }

    /// Runs a connection to its end. With an error comes since when the broker had taken it, if it
    /// had.
    async fn serve(
        &mut self,
        stream: Box<dyn Socket>,
    ) -> Result<Served, (Option<Instant>, Trouble)> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut input = BytesMut::new();
        let keeps = !self.route.broker.clean_session;
        let discards = keeps && self.side.discards_session();
        let mut connection = Connection { discards, ..Connection::default() };
        self.session.connect(Instant::now(), !keeps || discards);
        loop {
            let now = Instant::now();
            let moved = self.step(now, &mut input, &mut connection);
            moved.map_err(|trouble| (connection.up, trouble))?;
            let ends = self.signals.is_ending();
            if ends || (discards && self.session.is_up()) {
                self.farewell(&mut writer).await;
                return Ok(if ends { Served::Ended } else { Served::Again });
            }
            let is_open = self.takes() && self.session.output().len() < OUTPUT_BYTES_MAX;
            let deadline = self.session.deadline();
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            let output = self.session.output();
            let writes = !output.is_empty() || connection.unflushed;
            tokio::select! {
                read = socket::read(&mut reader, &mut input), if is_open => {
                    read.map_err(|error| (connection.up, error.into()))?;
                }
                flushed = socket::write(&mut writer, output), if writes => {
                    let flushed = flushed.map_err(|error| (connection.up, error.into()))?;
                    connection.unflushed = !flushed;
                    connection.has_written = flushed;
                }
                () = due => {}
                () = self.signals.changed.notified() => {}
            }
        }
    }

    /// Whether what comes can be taken: what answers CONNECT always.
    fn takes(&self) -> bool {
        self.side.is_reading() || !self.session.is_up()
    }

    /// Everything that can be done without waiting.
    fn step(
        &mut self,
        now: Instant,
        input: &mut BytesMut,
        connection: &mut Connection,
    ) -> Result<(), Trouble> {
        if std::mem::take(&mut connection.has_written) && self.session.output().is_empty() {
            for ticket in self.session.written() {
                self.side.event(now, &mut self.session, Event::Delivered(ticket))?;
            }
        }
        let takes = self.takes();
        self.session.reading(now, takes);
        while self.takes() {
            let Some(event) = self.session.receive(now, input)? else { break };
            if let Event::Connected { session_present } = event {
                connection.up = Some(now);
                self.route.voice.back(self.route.connection);
                info!(rules = ?self.route.voice.rules, session_present, "connected to the broker");
            }
            self.side.event(now, &mut self.session, event)?;
        }
        if self.session.is_up() && !connection.discards {
            self.side.turn(now, &mut self.session)?;
        }
        self.session.tick(now)?;
        Ok(())
    }

    async fn farewell(&mut self, writer: &mut (impl AsyncWrite + Unpin)) {
        if self.session.is_up() {
            self.session.disconnect(Instant::now());
        }
        let said = timeout(FAREWELL, async {
            writer.write_all_buf(self.session.output()).await?;
            writer.flush().await?;
            writer.shutdown().await
        });
        if !matches!(said.await, Ok(Ok(()))) {
            debug!(rules = ?self.route.voice.rules, "the broker did not hear the last words");
        }
    }
}

/// How a connection ended as it should.
enum Served {
    /// The link has ended.
    Ended,
    /// Another one follows at once.
    Again,
}

#[derive(Default)]
struct Connection {
    /// Since when the broker has taken it.
    up: Option<Instant>,
    /// What has been written may not have gone.
    unflushed: bool,
    /// All that has been written has gone.
    has_written: bool,
    /// It is made for no more than the end of the session before.
    discards: bool,
}

/// A number that differs between attempts and processes.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}
