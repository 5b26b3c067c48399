//! `midge connect-standalone`: a Connect worker that is alone, as Kafka's script of that name starts
//! one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use midge_config::{Config, WorkerMode, WorkerSource};

use super::connect_worker::{self, Start};
use crate::connect;
use crate::connect_worker::ConnectWorker;

/// What `midge connect-standalone --help` says.
const USAGE: &str = "\
Usage: midge connect-standalone [-daemon] WORKER.PROPERTIES [CONNECTOR.PROPERTIES]...

Runs connectors without a broker of its own: property files as Kafka's connect-standalone.sh takes
them, and what is made by REST (http://localhost:8083 unless WORKER.PROPERTIES says otherwise).

  -daemon            run in the background
  -h, --help         this
";

/// Runs a worker until it is told to stop.
pub(super) fn run(arguments: Vec<OsString>) -> ExitCode {
    let (mut files, mut daemon) = (Vec::new(), false);
    for argument in arguments {
        match argument.to_str() {
            Some("-h" | "--help") => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some("-daemon" | "-d" | "--daemon") => daemon = true,
            Some(option) if option.starts_with('-') => {
                eprintln!("Error: unknown option {option:?}\n\n{USAGE}");
                return ExitCode::FAILURE;
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    let mut files = files.into_iter();
    let Some(file) = files.next() else {
        eprintln!("Error: found no file, expected a worker's properties\n\n{USAGE}");
        return ExitCode::FAILURE;
    };
    connect_worker::run(Start {
        worker: WorkerSource { file, mode: WorkerMode::Standalone },
        connectors: files.collect(),
        daemon,
        start: |config: &Config| ConnectWorker::start(config, connect::definitions(config)?),
    })
}
