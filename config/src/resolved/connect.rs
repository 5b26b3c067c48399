//! Kafka Connect's place: its REST interface, and what a worker's own properties say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::error::Origin;
use crate::secret::Secret;

/// What there is of a Connect worker. It has no `Debug` because it holds secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Connect {
    /// Where the REST interface listens; `None`: there is none.
    pub rest: Option<ConnectRest>,
    /// The properties of a worker's file, if there is one: defaults of every connector, such as
    /// converters.
    pub worker_properties: Option<BTreeMap<String, String>>,
}

/// A connector's property file, whose class knows what it means.
#[derive(Clone, PartialEq)]
pub struct ConnectorFile {
    /// The connector's name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The properties as they are.
    pub properties: BTreeMap<String, String>,
    /// The line of each, counted from 1.
    pub lines: BTreeMap<String, usize>,
}

impl ConnectorFile {
    /// Where a property stands; the file as a whole when it is not there.
    #[must_use]
    pub fn origin(&self, property: &str) -> Origin {
        match self.lines.get(property) {
            Some(&line) => Origin::Line { file: self.file.clone(), line },
            None => Origin::File(self.file.clone()),
        }
    }
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
