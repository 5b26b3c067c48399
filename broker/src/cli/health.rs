//! `midge health`: whether a broker answers, for containers and supervisors.
//!
//! It shows no password and believes nothing it is told, so inside TLS the broker's certificate is
//! not judged: whether clients trust it is another question than whether the broker is well.

mod connection;

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use midge_config::{BindAddress, Config, Listener, OwnListener, Sources, load};

use super::options::HealthOptions;
use connection::ask;

/// For each step.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a broker may answer.
struct Door {
    host: String,
    port: u16,
    tls: bool,
}

/// Connects, waits for the answer and disconnects.
pub(super) fn run(options: &HealthOptions) -> Result<(), String> {
    let mut failures = Vec::new();
    for door in doors(options) {
        let Door { host, port, tls } = &door;
        match probe(&door) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let kind = if *tls { " (TLS)" } else { "" };
                failures.push(format!("{host}:{port}{kind}: {error}"));
            }
        }
    }
    Err(failures.join("; "))
}

/// Where to ask, one after the other until one answers.
fn doors(options: &HealthOptions) -> Vec<Door> {
    let host = options.host.as_deref();
    let named = |port, tls| Door { host: host.unwrap_or("localhost").to_owned(), port, tls };
    let Some(file) = &options.config else {
        let usual = if options.tls { 8883 } else { 1883 };
        return vec![named(options.port.unwrap_or(usual), options.tls)];
    };
    let mut sources = Sources::default();
    sources.add_config(file.clone());
    sources.midge_toml.extend(options.bridge.iter().cloned());
    sources.add_process_environment();
    match load(&sources) {
        Ok(Config { own_listener: OwnListener::Never { host, port, tls }, .. }) => {
            // A connector alone is as well as its broker.
            vec![Door { host, port, tls }]
        }
        Ok(config) => vec![door(&config)],
        Err(errors) => {
            // The broker goes on with the configuration it had; so the usual ports are tried.
            for error in errors {
                eprintln!("Warning: {error}");
            }
            vec![named(1883, false), named(8883, true)]
        }
    }
}

/// The door of a plain listener, or else of the first one.
fn door(config: &Config) -> Door {
    let plain = config.listeners.iter().find(|listener| listener.tls.is_none());
    // There is always one.
    let Listener { bind, port, tls, .. } = plain.unwrap_or(&config.listeners[0]);
    let host = match bind {
        BindAddress::Any | BindAddress::Loopback => "localhost".to_owned(),
        BindAddress::Host(host) => host.clone(),
    };
    Door { host, port: *port, tls: tls.is_some() }
}

fn probe(door: &Door) -> Result<(), String> {
    let addresses = (door.host.as_str(), door.port).to_socket_addrs().map_err(text)?;
    let mut failure = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => {
                socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
                socket.set_write_timeout(Some(PATIENCE)).map_err(text)?;
                return ask(socket, door.tls);
            }
            Err(error) => failure = error.to_string(),
        }
    }
    Err(failure)
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn text(error: impl ToString) -> String {
    error.to_string()
}
