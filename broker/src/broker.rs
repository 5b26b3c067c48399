//! Starts and stops a broker.
//!
//! Starting has two steps: [`Broker::prepare`] reads every file and binds every port on the
//! calling thread and starts no other, so that a program can give up its privileges before
//! [`Prepared::start`]. A broker either runs whole or not at all: a worker that panics takes the
//! process with it.

mod prepared;
mod running;

use std::io;

use midge_bridge::{Bridge, BridgeError};
use midge_config::{Config, NamedFiles};

use crate::connect;
use crate::connectors;
use crate::import::first_start;
use crate::listener::Listening;
use crate::listener::bind::{BindError, bind};
use crate::policy::Policy;
use crate::storage::{self, StorageError};

pub use prepared::Prepared;
pub use running::{PublishError, Running};

/// An MQTT broker with the Kafka bridge inside.
#[derive(Debug)]
pub struct Broker;

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files that the configuration names are not as they should be; a line each.
    #[error("{}", .0.join("\n"))]
    Files(Vec<String>),
    /// Ports that could not be bound.
    #[error("{}", lines(.0))]
    Bind(Vec<BindError>),
    /// Connectors that cannot be made.
    #[error("{}", lines(.0))]
    Bridge(Vec<BridgeError>),
    /// What is kept on disk is not to be had.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// A thread or an event loop could not be made.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl Broker {
    /// Starts a broker.
    ///
    /// # Errors
    /// All that is wrong with what the configuration names, or what the system refused.
    pub fn start(config: Config) -> Result<Running, StartError> {
        Broker::prepare(config)?.start(None)
    }

    /// Reads every file that the configuration names, and opens nothing else.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn check(config: &Config) -> Result<(), StartError> {
        read(config)?;
        if let Some(persistence) = &config.persistence {
            storage::check(persistence)
                .map_err(|error| StartError::Files(vec![error.to_string()]))?;
        }
        first_start::check(config)?;
        match Bridge::check(&midge_bridge::Settings::from(config)) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(StartError::Bridge(errors)),
        }
    }

    /// What is wrong with the password and ACL files of a configuration that has mistakes itself.
    pub fn check_named(named: &NamedFiles) -> Vec<String> {
        Policy::mistakes(named)
    }

    /// Reads every file that the configuration names and binds its ports.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn prepare(config: Config) -> Result<Prepared, StartError> {
        let policy = read(&config)?;
        let mut listening = Vec::new();
        let mut errors = Vec::new();
        for (listener, policy) in config.listeners.iter().zip(&policy.listeners) {
            match bind(listener) {
                Ok(sockets) => listening.extend(
                    sockets
                        .into_iter()
                        .map(|socket| Listening { name: policy.name.clone(), socket }),
                ),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(StartError::Bind(errors));
        }
        Ok(Prepared { config, policy, listening })
    }
}

/// The files of a configuration, if nothing is wrong with them.
fn read(config: &Config) -> Result<Policy, StartError> {
    let policy = Policy::load(config).map_err(StartError::Files)?;
    let mut errors = connectors::check_users(config, &policy);
    errors.extend(connect::check(config, &policy));
    if errors.is_empty() { Ok(policy) } else { Err(StartError::Files(errors)) }
}

/// Runs a thread's work; a panic in it ends the process, for half a broker is worse than none.
pub(crate) fn or_abort(work: impl FnOnce() -> io::Result<()>) {
    let why = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        // The panic has said it.
        Err(_) => "it panicked".to_owned(),
    };
    let thread = std::thread::current();
    eprintln!("midge: thread {}: {why}, the broker ends", thread.name().unwrap_or("?"));
    std::process::abort();
}

fn lines<T: ToString>(errors: &[T]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
