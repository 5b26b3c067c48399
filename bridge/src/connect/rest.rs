//! Connect's REST interface: a listener, who may speak to it, and the answers.
//!
//! Who comes from another machine has to show a token or a password; without either the listener
//! stays on loopback. Answers are made by [`Rest::answer`], which knows no sockets.
//!
//! Invariant: a request is at most [`BODY_MAX`] bytes, and at most [`UNDER_WAY_MAX`] are answered at
//! a time; a client that is slow to send or to read costs its own connection alone.

mod connectors;
pub(crate) mod exchange;
mod loggers;
mod offsets;
mod plugins;
mod routes;
mod seats;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use midge_config::Secret;

use self::loggers::Loggers;
use super::herder::Herder;
pub use loggers::LogLevels;
pub use server::Server;

/// The largest body.
pub const BODY_MAX: usize = 4 << 20;
/// Requests that are answered at a time.
pub const UNDER_WAY_MAX: usize = 64;

/// Who may speak to the interface.
#[derive(Clone)]
pub enum Access {
    /// Everybody who reaches the listener.
    Open,
    /// Who shows this token (`Authorization: Bearer`).
    Token(Secret),
    /// Who shows this name and password (`Authorization: Basic`).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// How the interface is reached.
#[derive(Clone)]
pub struct RestSettings {
    /// The address; port 0 is any that is free.
    pub address: SocketAddr,
    /// Who may speak to it.
    pub access: Access,
    /// What it says of itself.
    pub about: About,
    /// Whether the topics that connectors use are told and forgotten.
    pub topic_tracking: TopicTracking,
    /// How much is logged.
    pub log_levels: Arc<dyn LogLevels>,
}

/// What is done with the Kafka topics that connectors use (`topic.tracking.*` of a worker).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicTracking {
    /// They are told.
    pub enabled: bool,
    /// They can be forgotten.
    pub allow_reset: bool,
}

/// What the worker says of itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The version.
    pub version: &'static str,
    /// The commit it was built from.
    pub commit: &'static str,
}

/// The interface.
pub struct Rest {
    herder: Arc<Herder>,
    access: Access,
    about: About,
    topic_tracking: TopicTracking,
    loggers: Loggers,
}

impl Rest {
    /// An interface to a herder.
    #[must_use]
    pub fn new(herder: Arc<Herder>, settings: &RestSettings) -> Rest {
        Rest {
            herder,
            access: settings.access.clone(),
            about: settings.about,
            topic_tracking: settings.topic_tracking,
            loggers: Loggers::new(Arc::clone(&settings.log_levels)),
        }
    }

    fn kafka_cluster_id(&self) -> Option<String> {
        self.herder.engine().kafka_cluster_id()
    }

    /// Whether this is what a request has to show.
    fn admits(&self, authorization: Option<&str>) -> bool {
        let (scheme, expected) = match &self.access {
            Access::Open => return true,
            Access::Token(token) => ("bearer", token.expose().to_owned()),
            Access::Basic { user, password } => {
                ("basic", STANDARD.encode(format!("{user}:{}", password.expose())))
            }
        };
        let Some((found, shown)) = authorization.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        found.eq_ignore_ascii_case(scheme) && is_equal(shown.trim().as_bytes(), expected.as_bytes())
    }

    fn challenge(&self) -> &'static str {
        match self.access {
            Access::Basic { .. } => "Basic realm=\"connect\"",
            _ => "Bearer",
        }
    }
}

/// Compares in a time that does not tell where they differ.
fn is_equal(shown: &[u8], expected: &[u8]) -> bool {
    let differ = shown.iter().zip(expected).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0 && shown.len() == expected.len()
}

#[cfg(test)]
mod tests;
