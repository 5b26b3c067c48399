//! A client on its way from the worker that accepted it to the worker that is its home.

use std::sync::Arc;

use bytes::BytesMut;
use midge_codec::Connect;
use midge_core::Client;

use crate::auth::Login;
use crate::listener::admission::Seat;
use crate::worker::transport::Detached;

/// A client that has been authenticated, with its socket and the bytes read beyond its CONNECT.
pub(crate) struct Arrival {
    pub(crate) transport: Detached,
    pub(crate) unread: BytesMut,
    pub(crate) client: Arc<Client>,
    pub(crate) connect: Box<Connect>,
    pub(crate) assigned_client_id: bool,
    pub(crate) login: Login,
    pub(crate) seat: Seat,
}
