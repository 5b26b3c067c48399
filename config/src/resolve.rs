//! From what was said to what holds: fills in defaults and checks that the parts fit together.
//!
//! Every mistake is found before any is returned.

mod bridge;
mod connect;
pub(crate) mod group;
mod listener;
mod own_listener;
mod persistence;

use std::num::NonZero;

use crate::draft::Draft;
use crate::error::ConfigError;
use crate::resolved::{
    Config, Log, LogDestination, LogTimestamp, LogTypes, MAX_WORKERS, OwnListener,
};

/// Resolves a draft; `ports` and `verbose` come from the command line.
pub(crate) fn resolve(
    mut draft: Draft,
    ports: &[u16],
    verbose: bool,
) -> Result<Config, Vec<ConfigError>> {
    let own_listener = own_listener::resolve(&mut draft, ports);
    let listeners = match own_listener {
        OwnListener::Never { .. } => Vec::new(),
        OwnListener::Configured | OwnListener::UnlessTaken => listener::resolve(&mut draft, ports),
    };
    let kafka = bridge::kafka(&mut draft);
    let persistence = persistence::resolve(&mut draft);
    let connect = connect::resolve(&mut draft);
    let connectors = bridge::connectors(&mut draft, persistence.is_some());
    let connector_files = connect::files(&mut draft, &connectors);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut limits = draft.limits.clone();
    if limits.password_threads == 0 {
        limits.password_threads = (cores / 4).max(1);
    }
    limits.max_connect_size = limits.max_connect_size.min(limits.max_packet_size);
    if !draft.errors.is_empty() {
        draft.errors.sort();
        draft.errors.dedup();
        return Err(draft.errors);
    }
    let log = log(&draft, verbose);
    Ok(Config {
        listeners,
        own_listener,
        limits,
        persistence,
        log,
        sys_interval: draft.broker.sys_interval,
        user: draft.broker.user,
        pid_file: draft.broker.pid_file,
        workers: match draft.broker.workers {
            // The other half is for the kernel's network work, Kafka's threads and hashing: a second
            // worker on two cores costs more per message than it brings.
            0 => cores.div_ceil(2).min(MAX_WORKERS),
            workers => workers,
        },
        connection_messages: draft.broker.connection_messages,
        set_tcp_nodelay: draft.broker.set_tcp_nodelay,
        kafka,
        connectors,
        connector_files,
        local_hosts: draft.bridge.local_hosts,
        connect,
        notices: draft.notices,
        files: draft.files,
    })
}

/// `-v` adds standard error and every type.
fn log(draft: &Draft, verbose: bool) -> Log {
    let said = &draft.log;
    let mut destinations = said.destinations.clone().unwrap_or(vec![LogDestination::Stderr]);
    if verbose && !destinations.contains(&LogDestination::Stderr) {
        destinations.push(LogDestination::Stderr);
    }
    let timestamp = match &said.timestamp_format {
        _ if !said.timestamp => LogTimestamp::None,
        Some(pattern) => LogTimestamp::Format(pattern.clone()),
        None => LogTimestamp::Unix,
    };
    Log {
        destinations,
        types: if verbose { LogTypes::ALL } else { said.types },
        timestamp,
        format: said.format,
    }
}
