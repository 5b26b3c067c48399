//! `midge`: the broker as a process.

use std::process::ExitCode;

use midge_config::{Config, ConfigError, Sources, load, named_files};
use midge_store::OpenError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::options::RunOptions;
use super::process::{self, PidFile};
use super::{INVALID, own_listener};
use crate::broker::{Broker, Running, StartError};
use crate::connect;
use crate::logging::Logging;
use crate::storage::StorageError;

/// Runs a broker until it is told to stop.
pub(super) fn run(options: &RunOptions) -> ExitCode {
    let sources = sources(options);
    let config = match load(&sources) {
        Ok(config) => config,
        Err(errors) => {
            for error in all_mistakes(&errors, &sources) {
                eprintln!("Error: {error}");
            }
            return ExitCode::from(INVALID);
        }
    };
    if options.test_config {
        return test(&config);
    }
    if options.daemon && !process::is_background() {
        return process::start_background();
    }
    match serve(options, &sources, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.told(),
    }
}

/// Why the broker did not run, and with which status the process ends.
pub(super) struct Failure {
    status: ExitCode,
    message: String,
}

impl Failure {
    /// A configuration that is as wrong the next time.
    pub(super) fn invalid(message: String) -> Failure {
        Failure { status: ExitCode::from(INVALID), message }
    }

    /// Says why, and ends with the status.
    pub(super) fn told(self) -> ExitCode {
        for line in self.message.lines() {
            eprintln!("Error: {line}");
        }
        self.status
    }
}

/// Of the system: it may go another time.
impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure { status: ExitCode::FAILURE, message }
    }
}

/// A file that is wrong is as wrong the next time, a port that is taken is not.
impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let status = match &error {
            StartError::Files(_) | StartError::Bridge(_) => ExitCode::from(INVALID),
            // Neither is a directory of something else, or a damaged database of another broker.
            StartError::Storage(
                StorageError::Open(OpenError::Foreign { .. }) | StorageError::Import { .. },
            ) => ExitCode::from(INVALID),
            StartError::Bind(_) | StartError::Storage(_) | StartError::System(_) => {
                ExitCode::FAILURE
            }
        };
        Failure { status, message: error.to_string() }
    }
}

fn sources(options: &RunOptions) -> Sources {
    let mut sources = Sources {
        ports: options.ports.clone(),
        verbose: options.verbose,
        connectors: options.connectors.clone(),
        ..Sources::default()
    };
    if let Some(config) = &options.config {
        sources.add_config(config.clone());
    }
    sources.midge_toml.extend(options.bridge.iter().cloned());
    sources.add_process_environment();
    sources
}

/// All that is wrong, in the configuration and in the files it names.
fn all_mistakes(errors: &[ConfigError], sources: &Sources) -> Vec<String> {
    let mut mistakes: Vec<String> = errors.iter().map(ToString::to_string).collect();
    mistakes.extend(Broker::check_named(&named_files(sources)));
    mistakes
}

/// Says what is wrong with the files that a configuration names.
fn test(config: &Config) -> ExitCode {
    for notice in &config.notices {
        eprintln!("Warning: {notice}");
    }
    for notice in connect::notices(config) {
        eprintln!("Warning: {notice}");
    }
    match Broker::check(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.to_string().lines() {
                eprintln!("Error: {line}");
            }
            ExitCode::from(INVALID)
        }
    }
}

fn serve(options: &RunOptions, sources: &Sources, mut config: Config) -> Result<(), Failure> {
    process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // From the first moment on a signal means what it says: whoever asks to stop while the broker
    // starts gets a clean stop.
    let signals = runtime.block_on(async { Signals::new() }).map_err(|error| error.to_string())?;
    heed_quiet(options, &mut config);
    let logging = Logging::start(&config.log)?;
    info!("midge version {} starting", env!("CARGO_PKG_VERSION"));
    for file in &config.files {
        info!("Config loaded from {}.", file.display());
    }
    for notice in &config.notices {
        warn!("{notice}");
    }
    let user = config.user.clone();
    let pid_file = config.pid_file.clone();
    let prepared = own_listener::prepare(config)?;
    let _pid_file = pid_file.as_deref().map(PidFile::write).transpose()?;
    process::become_user(user.as_deref())?;
    // From here on there are threads.
    let running = prepared.start(None)?;
    logging.publish_through(&running);
    for address in running.addresses() {
        info!("Listening on {address}.");
    }
    if options.daemon {
        process::enter_background()?;
    }
    runtime.block_on(obey(running, signals, options, sources, &logging))
}

/// `-q` logs nothing, whatever the files say.
fn heed_quiet(options: &RunOptions, config: &mut Config) {
    if options.quiet {
        config.log.destinations.clear();
    }
}

/// The signals that are obeyed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }
}

/// Does what signals ask for, until one asks to stop or the broker cannot go on.
async fn obey(
    mut running: Running,
    mut signals: Signals,
    options: &RunOptions,
    sources: &Sources,
    logging: &Logging,
) -> Result<(), Failure> {
    let outcome = loop {
        tokio::select! {
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
            why = running.failed() => break Err(format!("store: {why}").into()),
            _ = signals.hangup.recv() => {
                logging.reopen();
                reload(&mut running, options, sources, logging).await;
            }
            _ = signals.user1.recv() => info!("SIGUSR1: nothing to save, what is kept is on disk"),
            _ = signals.user2.recv() => warn!("SIGUSR2 not supported yet: no subscription tree"),
        }
    };
    running.shutdown().await;
    outcome
}

async fn reload(running: &mut Running, options: &RunOptions, sources: &Sources, logging: &Logging) {
    info!("Reloading config.");
    if let Err(errors) = put_in_force(running, options, sources, logging).await {
        for line in errors.lines() {
            error!("{line}");
        }
        error!("the configuration is as before, since this one has errors");
    }
}

/// Reads all files again and does what they say, or returns what is wrong with them.
async fn put_in_force(
    running: &mut Running,
    options: &RunOptions,
    sources: &Sources,
    logging: &Logging,
) -> Result<(), String> {
    let mut config = load(sources).map_err(|errors| all_mistakes(&errors, sources).join("\n"))?;
    for notice in &config.notices {
        warn!("{notice}");
    }
    heed_quiet(options, &mut config);
    // What can fail comes first.
    let log = logging.open(&config.log)?;
    running.reload(config).await.map_err(|errors| errors.to_string())?;
    logging.replace(log);
    Ok(())
}
