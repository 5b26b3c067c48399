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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use midge_codec::{QoS, TopicName};
    use midge_core::stored::{entry, tag};
    use midge_core::{Message, Origin};
    use midge_store::{Operation, QueueId, Reference, Settings, Transaction};

    use super::*;

    #[test]
    fn a_queue_whose_session_is_not_there_is_no_spool() {
        let directory = tempfile::tempdir().unwrap();
        let files = DiskFiles(directory.path().to_owned());
        let (mut journal, _) = Journal::open(files, &Settings::default()).unwrap();
        let to = [5 << 6, 1 << 63 | 1].map(|queue| Reference {
            queue: QueueId(queue),
            position: 1,
            tag: tag(QoS::AtLeastOnce, false, &[], None),
        });
        let now = contents::epoch();
        let message = Message::new(
            TopicName::try_from("plant/1").unwrap(),
            Bytes::from_static(b"on"),
            QoS::AtLeastOnce,
            false,
            None,
            None,
            now.unix_millis,
            Origin::Broker,
            Vec::new(),
        );
        let entry = entry(&message, now);
        journal.append(&Transaction {
            operations: vec![Operation::Append { entry, to: to.to_vec() }],
        });
        journal.close().unwrap();
        let opened = open(directory.path().to_owned()).unwrap();
        let said = |run: &dyn Fn(&mut Vec<u8>) -> Result<ExitCode, Failure>| {
            let mut out = Vec::new();
            assert!(run(&mut out).is_ok());
            String::from_utf8(out).unwrap()
        };
        let tables = said(&|out| inspect::run(&opened, false, out));
        let (_, queues) = tables.split_once("NO SESSION").expect("its table");
        let (sessionless, spools) = queues.split_once("SPOOL").expect("the spool's table");
        assert!(sessionless.contains("\n0000000000000140"), "{tables}");
        assert!(spools.contains("\n8000000000000001"), "{tables}");
        let json = said(&|out| inspect::run(&opened, true, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["no_session"][0]["client_id"].is_null());
        assert_eq!(json["no_session"][0]["queue"], "0000000000000140");
        assert_eq!(json["other_queues"][0]["queue"], "8000000000000001");
        let export = said(&|out| export::run(&opened, None, out));
        let lines: Vec<serde_json::Value> =
            export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [queued, spooled] = &lines[..] else { panic!("{export}") };
        assert_eq!((&queued["type"], &queued["payload"]), (&"queued".into(), &"on".into()));
        assert_eq!(queued.get("client_id"), Some(&serde_json::Value::Null));
        assert_eq!(
            (&spooled["type"], &spooled["queue"]),
            (&"spool".into(), &"8000000000000001".into())
        );
    }
}
