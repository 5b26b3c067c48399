//! `midge connect-distributed`: a Connect worker that is one of a group, as Kafka's script of that
//! name starts one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use midge_config::{Config, WorkerMode, WorkerSource};

use super::connect_worker::{self, Start};
use crate::connect;
use crate::connect_worker::ConnectWorker;

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
    let [file] = &files[..] else {
        let found = files.len();
        eprintln!("Error: found {found} files, expected one: a worker's properties\n\n{USAGE}");
        return ExitCode::FAILURE;
    };
    connect_worker::run(Start {
        worker: WorkerSource { file: file.clone(), mode: WorkerMode::Distributed },
        connectors: Vec::new(),
        daemon,
        start: |config: &Config| ConnectWorker::start(config, connect::definitions(config)?),
    })
}
