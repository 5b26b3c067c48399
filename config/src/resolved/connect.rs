//! Kafka Connect's place: its REST interface, and what a worker's own properties say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::secret::Secret;

/// What there is of a Connect worker. It has no `Debug` because it holds secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Connect {
    /// Where the REST interface listens; `None`: there is none.
    pub rest: Option<ConnectRest>,
    /// The properties of a worker's file: defaults of every connector, such as converters.
    pub worker_properties: BTreeMap<String, String>,
}

/// Where the REST interface listens, and who may speak to it.
#[derive(Clone, PartialEq)]
pub struct ConnectRest {
    /// The address; beyond loopback only with a token or a password.
    pub address: SocketAddr,
    /// Who may speak to it.
    pub access: RestAccess,
}

/// Who may speak to the REST interface.
#[derive(Clone, PartialEq)]
pub enum RestAccess {
    /// Everybody who reaches it.
    Open,
    /// Who shows this token.
    Token(Secret),
    /// Who shows this name and password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}
