//! `midge connect-standalone`: a Connect worker that is alone, as Kafka's script of that name starts
//! one.

use std::ffi::OsString;
use std::process::ExitCode;

use midge_config::{WorkerMode, WorkerSource};

use super::connect_worker;

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
    let (files, daemon) = match connect_worker::arguments(arguments, USAGE) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let mut files = files.into_iter();
    let Some(file) = files.next() else {
        eprintln!("Error: found no file, expected a worker's properties\n\n{USAGE}");
        return ExitCode::FAILURE;
    };
    let worker = WorkerSource { file, mode: WorkerMode::Standalone };
    connect_worker::run(worker, files.collect(), daemon)
}
