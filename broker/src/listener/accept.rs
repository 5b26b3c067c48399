//! Accepts connections, also when descriptors run out.
//!
//! A spare descriptor is kept so that a connection that cannot be served can at least be taken off
//! the queue and closed: otherwise the listening socket stays readable and the worker would do
//! nothing but ask for it again.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use midge_codec::Text;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tracing::{error, warn};

use crate::listener::handshake;
use crate::worker::{Worker, spawn};

/// How long to wait when nothing can be accepted, not even to be closed.
const BREATH: Duration = Duration::from_millis(100);

/// A listening socket, or a worker's copy of one.
pub(crate) struct Listening {
    /// The listener's name in the policy.
    pub(crate) name: Text,
    pub(crate) socket: StdListener,
}

impl Listening {
    /// A copy for another worker.
    fn try_clone(&self) -> io::Result<Listening> {
        Ok(Listening { name: self.name.clone(), socket: self.socket.try_clone()? })
    }

    /// The same sockets for another worker.
    pub(crate) fn try_clone_all(all: &[Listening]) -> io::Result<Vec<Listening>> {
        all.iter().map(Listening::try_clone).collect()
    }

    /// Accepts on this worker's thread until the worker stops.
    pub(crate) fn serve(self, worker: &Rc<Worker>) -> io::Result<()> {
        let listener = TcpListener::from_std(self.socket)?;
        let name = self.name.clone();
        let acceptor =
            Acceptor { worker: Rc::clone(worker), name: self.name, listener, spare: spare() };
        let task = spawn(acceptor.accept());
        worker.add_acceptor(name, task.abort_handle());
        Ok(())
    }
}

struct Acceptor {
    worker: Rc<Worker>,
    name: Text,
    listener: TcpListener,
    /// Given up for a moment when no descriptor is left.
    spare: Option<File>,
}

impl Acceptor {
    async fn accept(mut self) {
        loop {
            match self.listener.accept().await {
                Ok((socket, peer)) => self.begin(socket, peer),
                Err(error) if is_exhausted(&error) => self.turn_away(&error).await,
                // The peer went while it waited: accept(2) lists these, and they concern one
                // connection alone.
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    warn!(listener = %self.name, %error, "nothing accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    fn begin(&self, socket: TcpStream, peer: SocketAddr) {
        self.worker.count_accepted();
        let handshake = handshake::run(Rc::clone(&self.worker), socket, peer, self.name.clone());
        spawn(handshake);
    }

    /// Takes one connection off the queue to close it.
    async fn turn_away(&mut self, error: &io::Error) {
        if self.worker.hub().admission.exhausted.begins(Instant::now()) {
            error!(listener = %self.name, %error, "connections are turned away, raise the limit of open files");
        }
        if self.spare.take().is_none() {
            tokio::time::sleep(BREATH).await;
        }
        // Another thread may have been faster, then this fails as before.
        let turned_away =
            std::future::poll_fn(|cx| Poll::Ready(self.listener.poll_accept(cx))).await;
        let none_free = matches!(&turned_away, Poll::Ready(Err(error)) if is_exhausted(error));
        drop(turned_away);
        self.spare = spare();
        if none_free || self.spare.is_none() {
            tokio::time::sleep(BREATH).await;
        }
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_exhausted(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    exhausted.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    let kinds = [ConnectionAborted, ConnectionReset, Interrupted];
    let errnos = [Errno::PROTO, Errno::PERM, Errno::HOSTUNREACH, Errno::NETUNREACH];
    kinds.contains(&error.kind())
        || errnos.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
