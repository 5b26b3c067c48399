//! A Connect worker as a process: its configuration, its log, and the signals it obeys.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use midge_config::{Config, Sources, WorkerSource, load};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::process::{self, PidFile};
use super::run::Failure;
use crate::broker::StartError;
use crate::connect;
use crate::connect_worker::ConnectWorker;
use crate::logging::Logging;

/// The files and whether to go to the background, as the scripts of Kafka take them. What is to be
/// said instead of running is said.
pub(super) fn arguments(
    given: Vec<OsString>,
    usage: &str,
) -> Result<(Vec<PathBuf>, bool), ExitCode> {
    let (mut files, mut daemon) = (Vec::new(), false);
    for argument in given {
        match argument.to_str() {
            Some("-h" | "--help") => {
                print!("{usage}");
                return Err(ExitCode::SUCCESS);
            }
            Some("-daemon" | "-d" | "--daemon") => daemon = true,
            Some(option) if option.starts_with('-') => {
                eprintln!("Error: unknown option {option:?}\n\n{usage}");
                return Err(ExitCode::FAILURE);
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    Ok((files, daemon))
}

/// Runs a worker with these property files of connectors until it is told to stop.
pub(super) fn run(worker: WorkerSource, connectors: Vec<PathBuf>, daemon: bool) -> ExitCode {
    let mut sources = Sources { worker: Some(worker), connectors, ..Sources::default() };
    sources.add_process_environment();
    let config = match load(&sources) {
        Ok(config) => config,
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            return Failure::invalid(errors.join("\n")).told();
        }
    };
    if daemon && !process::is_background() {
        return process::start_background();
    }
    match serve(&config, daemon) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.told(),
    }
}

fn serve(config: &Config, daemon: bool) -> Result<(), Failure> {
    process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // From the first moment on a signal means what it says.
    let signals = runtime.block_on(async { Signals::new() }).map_err(|error| error.to_string())?;
    let logging = Logging::start(&config.log)?;
    info!("midge version {}: the Connect worker starts", env!("CARGO_PKG_VERSION"));
    for file in &config.files {
        info!("Config loaded from {}.", file.display());
    }
    for notice in &config.notices {
        warn!("{notice}");
    }
    ConnectWorker::check(config)?;
    let _pid_file = config.pid_file.as_deref().map(PidFile::write).transpose()?;
    process::become_user(config.user.as_deref())?;
    // From here on there are threads.
    let definitions = connect::definitions(config).map_err(StartError::from)?;
    let worker = ConnectWorker::start(config, definitions)?;
    if let Some(rest) = &config.connect.rest {
        info!("REST listens on http://{}.", rest.address);
    }
    if daemon {
        process::enter_background()?;
    }
    runtime.block_on(obey(worker, signals, &logging))
}

/// The signals that are obeyed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Does what signals ask for, until one asks to stop or the worker cannot go on.
async fn obey(
    mut worker: ConnectWorker,
    mut signals: Signals,
    logging: &Logging,
) -> Result<(), Failure> {
    let outcome = loop {
        tokio::select! {
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
            why = worker.failed() => break Err(format!("store: {why}").into()),
            _ = signals.hangup.recv() => {
                logging.reopen();
                info!("the log was opened again; connectors of files are read at a start");
            }
        }
    };
    worker.shutdown();
    outcome
}
