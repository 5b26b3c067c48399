//! Kafka Connect's place: its REST interface, and what a worker's own properties say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::group::WorkerGroup;
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
    /// Where each of them stands.
    pub worker_origins: BTreeMap<String, Origin>,
    /// What that file says of Kafka's clients, for whoever knows which values these take.
    pub client_properties: Vec<ClientProperty>,
    /// What is done with the Kafka topics that connectors use.
    pub topic_tracking: TopicTracking,
    /// The group that the worker is one of, if it is.
    pub group: Option<WorkerGroup>,
}

/// A property of a Kafka client that a worker's file says, of all clients or of those of tasks.
#[derive(Clone, PartialEq)]
pub struct ClientProperty {
    /// Its name in the file.
    pub key: String,
    /// Where it stands.
    pub origin: Origin,
    /// librdkafka's name.
    pub name: String,
    /// The value, with what its references stand for.
    pub value: Secret,
    /// Whether no message may have the value.
    pub is_secret: bool,
}

/// `topic.tracking.*` of a worker's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicTracking {
    /// They are told.
    pub enable: bool,
    /// They can be forgotten.
    pub allow_reset: bool,
}

impl Default for TopicTracking {
    fn default() -> TopicTracking {
        TopicTracking { enable: true, allow_reset: true }
    }
}

/// A connector by class, of a property file or of the environment: its class knows what the
/// properties mean.
#[derive(Clone, PartialEq)]
pub struct ConnectorFile {
    /// The connector's name.
    pub name: String,
    /// Where it is defined.
    pub whole: Origin,
    /// The properties as they are.
    pub properties: BTreeMap<String, String>,
    /// Where each of them stands.
    pub origins: BTreeMap<String, Origin>,
}

impl ConnectorFile {
    /// Where a property stands; the definition as a whole when it is not there.
    #[must_use]
    pub fn origin(&self, property: &str) -> Origin {
        self.origins.get(property).unwrap_or(&self.whole).clone()
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
