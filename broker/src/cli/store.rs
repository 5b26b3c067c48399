//! `midge store`: looks into the store of a broker that does not run.
//!
//! Nothing in the directory is changed, and a directory that a broker uses is refused: what is read
//! is what the next start would find.

mod contents;
mod export;
mod inspect;
mod json;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use midge_config::{Persistence, load};
use midge_store::{DiskFiles, Journal, Report};

use super::options::{StoreAction, StoreOptions};
use contents::Reader;

/// A store that is being looked into.
struct Opened {
    directory: PathBuf,
    reader: Reader,
    report: Report,
}

/// Does what is asked for, and says what came of it as the status of the process.
pub(super) fn run(options: &StoreOptions) -> Result<ExitCode, String> {
    let opened = open(journal(options)?)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let result = match &options.action {
        StoreAction::Inspect { json } => inspect::run(&opened, *json, &mut out),
        StoreAction::Verify => verify::run(&opened, &mut out),
        StoreAction::Export { queue } => export::run(&opened, queue.as_deref(), &mut out),
    };
    match result.and_then(|status| out.flush().map_err(Failure::from).map(|()| status)) {
        Ok(status) => Ok(status),
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(Failure::Output(error)) => Err(format!("standard output: {error}")),
        Err(Failure::Store(why)) => Err(format!("{}: {why}", opened.directory.display())),
    }
}

/// Why an action did not come to its end.
enum Failure {
    Output(io::Error),
    Store(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<midge_store::LoadError> for Failure {
    fn from(error: midge_store::LoadError) -> Failure {
        Failure::Store(error.to_string())
    }
}

/// Where the journal is.
fn journal(options: &StoreOptions) -> Result<PathBuf, String> {
    if let Some(directory) = &options.directory {
        return Ok(beneath(directory));
    }
    let mut sources = midge_config::Sources::default();
    if let Some(config) = &options.config {
        sources.add_config(config.clone());
    }
    sources.midge_toml.extend(options.bridge.iter().cloned());
    sources.add_process_environment();
    let config = load(&sources)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    match config.persistence {
        Some(persistence) => Ok(persistence.journal()),
        None => Err("persistence is off in this configuration, there is no store".to_owned()),
    }
}

/// The directory, or the journal in it when it is that of everything that is kept.
fn beneath(directory: &Path) -> PathBuf {
    let journal = Persistence::new(directory).journal();
    if journal.is_dir() { journal } else { directory.to_owned() }
}

fn open(directory: PathBuf) -> Result<Opened, String> {
    if !directory.is_dir() {
        let found = if directory.exists() { "found a file" } else { "found nothing" };
        return Err(format!("{}: {found}, expected the directory of a store", directory.display()));
    }
    match Journal::open_read_only(DiskFiles(directory.clone())) {
        Ok((reader, report)) => Ok(Opened { directory, reader, report }),
        Err(error) => Err(error.to_string()),
    }
}
