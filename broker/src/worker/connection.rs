//! One client's connection on its home worker, and the task that reads it.
//!
//! While a connection is idle it owns no buffer: bytes are read into the worker's, and only the
//! beginning of an incomplete packet, or what was decoded too early for a paused client, moves
//! here. The task ends when [`Connection::end`] was called.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use midge_codec::ProtocolVersion;
use midge_core::{Client, ConnectionId};

use crate::auth::Login;
use crate::listener::admission::Seat;
use crate::worker::Worker;
use crate::worker::transport::Transport;

/// One client's connection.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) client: Arc<Client>,
    pub(crate) version: ProtocolVersion,
    /// How it proved who it is: judged again when passwords change.
    pub(crate) login: Login,
    /// `None` once it has been taken to be closed.
    pub(crate) transport: RefCell<Option<Transport>>,
    /// Counted against the limits until it is dropped.
    pub(crate) seat: RefCell<Option<Seat>>,
    /// The beginning of a packet; after a pause whole packets too.
    pub(crate) unread: RefCell<BytesMut>,
    /// Whether `unread` holds packets from before a pause.
    pub(crate) backlog: Cell<bool>,
    /// Whether the socket took no more at the last write.
    pub(crate) blocked: Cell<bool>,
    /// Whether a write failed: nothing can be sent any more.
    pub(crate) mute: Cell<bool>,
    /// Whether its bytes are to be ignored: it sent garbage.
    pub(crate) deaf: Cell<bool>,
    /// Whether it has sent DISCONNECT.
    pub(crate) leaving: Cell<bool>,
    /// Why the broker ends it, for the line that says so.
    pub(crate) end_reason: Cell<Option<&'static str>>,
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        client: Arc<Client>,
        version: ProtocolVersion,
        login: Login,
        transport: Transport,
        seat: Seat,
        unread: BytesMut,
    ) -> Connection {
        Connection {
            id,
            client,
            version,
            login,
            transport: RefCell::new(Some(transport)),
            seat: RefCell::new(Some(seat)),
            backlog: Cell::new(!unread.is_empty()),
            unread: RefCell::new(unread),
            blocked: Cell::new(false),
            mute: Cell::new(false),
            deaf: Cell::new(false),
            leaving: Cell::new(false),
            end_reason: Cell::new(None),
            ended: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// Has the reading task look again: the pause is over, or the connection is.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Has the reading task end.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    /// Whether [`Connection::end`] was called.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.get()
    }
}

/// The task that reads one connection.
pub(crate) struct Reader {
    pub(crate) worker: Rc<Worker>,
    pub(crate) connection: Rc<Connection>,
}

impl Future for Reader {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &*self.connection;
        if connection.is_ended() {
            return Poll::Ready(());
        }
        {
            let mut waker = connection.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        if connection.blocked.get() {
            let transport = connection.transport.borrow();
            let writable = transport.as_ref().map(|transport| transport.poll_writable(cx));
            // An error is met again, and dealt with, by the write.
            if matches!(writable, Some(Poll::Ready(_))) {
                connection.blocked.set(false);
                self.worker.mark_dirty(connection.id);
            }
        }
        self.worker.read(connection, cx)
    }
}
