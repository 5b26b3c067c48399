//! `midge connect-distributed`: a Connect worker that is one of a group, as Kafka's script of that
//! name starts one.

use std::ffi::OsString;
use std::process::ExitCode;

use midge_config::{WorkerMode, WorkerSource};

use super::connect_worker;

/// What `midge connect-distributed --help` says.
const USAGE: &str = "\
Usage: midge connect-distributed [-daemon] WORKER.PROPERTIES

Runs connectors without a broker of its own, and shares them with all workers of the same group.id:
made by REST at any of them (http://localhost:8083 unless WORKER.PROPERTIES says otherwise), kept in
Kafka, and run by another one when a worker ends.

  -daemon            run in the background
  -h, --help         this
";

/// Runs a worker until it is told to stop.
pub(super) fn run(arguments: Vec<OsString>) -> ExitCode {
    let (files, daemon) = match connect_worker::arguments(arguments, USAGE) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let [file] = &files[..] else {
        let found = files.len();
        eprintln!("Error: found {found} files, expected one: a worker's properties\n\n{USAGE}");
        return ExitCode::FAILURE;
    };
    let worker = WorkerSource { file: file.clone(), mode: WorkerMode::Distributed };
    connect_worker::run(worker, Vec::new(), daemon)
}
