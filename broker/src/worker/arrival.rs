//! A client on its way from the worker that accepted it to the worker that is its home.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use midge_codec::Connect;
use midge_core::Client;

use crate::auth::Login;
use crate::listener::admission::Seat;
use crate::worker::transport::{Detached, Transport};

/// A client that has been authenticated, with its socket and the bytes read beyond its CONNECT:
/// registered with this thread's event loop, or [`Detached`] and on its way to another.
pub(crate) struct Arrival<T> {
    pub(crate) transport: T,
    pub(crate) unread: BytesMut,
    pub(crate) client: Arc<Client>,
    pub(crate) connect: Box<Connect>,
    pub(crate) assigned_client_id: bool,
    pub(crate) login: Login,
    pub(crate) seat: Seat,
}

impl Arrival<Transport> {
    /// Takes it off this thread's event loop.
    pub(crate) fn detach(self) -> io::Result<Arrival<Detached>> {
        let Arrival { transport, unread, client, connect, assigned_client_id, login, seat } = self;
        let transport = transport.detach()?;
        Ok(Arrival { transport, unread, client, connect, assigned_client_id, login, seat })
    }
}

impl Arrival<Detached> {
    /// Puts it on this thread's event loop.
    pub(crate) fn attach(self) -> io::Result<Arrival<Transport>> {
        let Arrival { transport, unread, client, connect, assigned_client_id, login, seat } = self;
        let transport = transport.attach()?;
        Ok(Arrival { transport, unread, client, connect, assigned_client_id, login, seat })
    }
}
