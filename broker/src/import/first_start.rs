//! At the first start, the database of a Mosquitto that ran here before becomes the journal.
//!
//! A journal that exists is whole: it is made under another name and takes its own when all of it
//! is on the disk, so a start that is cut off begins again. The old file is only read.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime};

use midge_codec::Text;
use midge_config::{Config, Persistence};
use midge_core::{Now, Operation};
use midge_store::{
    CommitError, DiskFiles, Durability, FileSystem, Journal, LockMode, OpenError, Settings,
};
use tracing::{info, warn};

use super::mosquitto_db::{self, Database};
use super::plan::{LeftOut, Plan, Surroundings};
use crate::policy::listener_name;
use crate::storage::{StorageError, transaction};

/// Added to the journal's name while it is being made.
const UNFINISHED: &str = "importing";

/// Bytes and operations that are written at once.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_OPERATIONS: usize = 4096;

/// Makes the journal of what Mosquitto has left, if there is such a file and no journal yet.
///
/// # Errors
/// The file is damaged, or the system refused something; nothing has changed then.
pub(crate) fn import(config: &Config) -> Result<(), StorageError> {
    let Some(LeftBehind { persistence, file, bytes }) = left_behind(config)? else { return Ok(()) };
    let database = parse(file, &bytes)?;
    let surroundings = Surroundings {
        now: now(),
        listeners: config
            .listeners
            .iter()
            .filter_map(|listener| {
                let name = Text::try_from(listener_name(listener)).ok()?;
                Some((listener.port, name))
            })
            .collect(),
        max_session_expiry: config.limits.persistent_client_expiration,
    };
    let plan = Plan::new(&database, &surroundings);
    make(persistence, file, plan.operations())?;
    tell(file, &database, &plan);
    Ok(())
}

/// Whether an import would find fault with the file, told without making anything.
///
/// # Errors
/// As [`import`].
pub(crate) fn check(config: &Config) -> Result<(), StorageError> {
    match left_behind(config)? {
        Some(LeftBehind { file, bytes, .. }) => parse(file, &bytes).map(|_| ()),
        None => Ok(()),
    }
}

/// A database, and where what it holds goes.
struct LeftBehind<'c> {
    persistence: &'c Persistence,
    file: &'c Path,
    bytes: Vec<u8>,
}

/// What Mosquitto has left, if there is no journal yet.
fn left_behind(config: &Config) -> Result<Option<LeftBehind<'_>>, StorageError> {
    let Some(persistence) = &config.persistence else { return Ok(None) };
    let Some(file) = &persistence.import else { return Ok(None) };
    let place = place(&persistence.journal())?;
    if place == Place::Taken {
        return Ok(None);
    }
    match fs::read(file) {
        // The journal takes its name as a whole: there can be nothing that has it already.
        Ok(_) if place == Place::FileSystem => {
            Err(no_place(file, persistence, "found lost+found in it"))
        }
        Ok(bytes) => Ok(Some(LeftBehind { persistence, file, bytes })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(file, error.to_string())),
    }
}

fn parse<'f>(file: &Path, bytes: &'f [u8]) -> Result<Database<'f>, StorageError> {
    mosquitto_db::parse(bytes).map_err(|error| {
        refused(
            file,
            format!(
                "{error}; to start without what it holds, move the file away or let \
                 persistence_file name another one"
            ),
        )
    })
}

fn refused(file: &Path, why: String) -> StorageError {
    StorageError::Import { file: file.to_owned(), why }
}

fn no_place(file: &Path, persistence: &Persistence, found: &str) -> StorageError {
    refused(
        file,
        format!(
            "it cannot be imported into {}: {found}, expected no directory or an empty one that is \
             no mount point; mount the file system on {} instead, or to start without what the \
             file holds, move it away or let persistence_file name another one",
            persistence.journal().display(),
            persistence.directory.display()
        ),
    )
}

/// What is where the journal is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No such directory, or nothing in it.
    Vacant,
    /// A file system's root with nothing of anybody's in it.
    FileSystem,
    Taken,
}

fn place(directory: &Path) -> io::Result<Place> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Vacant),
        Err(error) => return Err(error),
    };
    let mut found = Place::Vacant;
    for entry in entries {
        if entry?.file_name() != "lost+found" {
            return Ok(Place::Taken);
        }
        found = Place::FileSystem;
    }
    Ok(found)
}

/// Makes the journal of these operations, all of it or nothing.
fn make(
    persistence: &Persistence,
    file: &Path,
    operations: impl Iterator<Item = Operation>,
) -> Result<(), StorageError> {
    let directory = persistence.journal().with_extension(UNFINISHED);
    discard(&directory)?;
    let written = write(persistence, &directory, operations);
    if written.is_err() {
        // It would only take room; if it stays, the next start sees to it.
        let _ = fs::remove_dir_all(&directory);
    }
    written?;
    if let Err(error) = fs::rename(&directory, persistence.journal()) {
        let _ = fs::remove_dir_all(&directory);
        return Err(match error.kind() {
            io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
                no_place(file, persistence, "found a mount point")
            }
            _ => error.into(),
        });
    }
    // The name has to last as well.
    File::open(&persistence.directory)?.sync_all()?;
    Ok(())
}

fn write(
    persistence: &Persistence,
    directory: &Path,
    operations: impl Iterator<Item = Operation>,
) -> Result<(), StorageError> {
    let settings = Settings {
        // All of it is synced at the end, before it counts.
        durability: Durability::Os,
        segment_bytes: u32::try_from(persistence.segment_bytes).unwrap_or(u32::MAX),
        max_bytes: persistence.max_bytes,
    };
    let (mut journal, _) = Journal::open(DiskFiles(directory.to_owned()), &settings)?;
    let refused =
        |source: CommitError| StorageError::Write { directory: directory.to_owned(), source };
    let mut batch = Vec::new();
    let mut bytes = 0;
    for operation in operations {
        bytes += size(&operation);
        batch.push(operation);
        if bytes >= BATCH_BYTES || batch.len() >= BATCH_OPERATIONS {
            journal.append(&transaction(std::mem::take(&mut batch)));
            journal.commit().map_err(refused)?;
            bytes = 0;
        }
    }
    journal.append(&transaction(batch));
    journal.close().map_err(refused)
}

/// Removes what an import that was cut off has left; refuses while one is at work.
fn discard(directory: &Path) -> Result<(), StorageError> {
    if !directory.exists() {
        return Ok(());
    }
    let _lock = DiskFiles(directory.to_owned()).lock(LockMode::Exclusive).map_err(|source| {
        OpenError::Locked { directory: directory.display().to_string(), source }
    })?;
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// What an operation adds to a batch, about.
fn size(operation: &Operation) -> usize {
    match operation {
        Operation::Append { entry, to } => entry.len() + 16 * to.len(),
        Operation::Put { key, value, .. } => key.len() + value.len(),
        _ => 16,
    }
}

fn tell(file: &Path, database: &Database<'_>, plan: &Plan<'_, '_>) {
    let (file, counts) = (file.display(), &plan.counts);
    info!(
        "Imported {file}: {} sessions with {} subscriptions; {} queued, {} in flight, {} unreleased \
         and {} retained messages. The file stays as it is and is not read again.",
        counts.sessions,
        counts.subscriptions,
        counts.queued,
        counts.inflight,
        counts.inbound,
        counts.retained,
    );
    if !database.saved_at_shutdown {
        warn!("{file} was saved while Mosquitto was running: what changed after that is not in it");
    }
    let LeftOut { expired_sessions, expired_messages, not_valid, without_message } = plan.left_out;
    for (count, what) in [
        (expired_sessions, "sessions that have expired, with all that waited for them"),
        (expired_messages, "messages that have expired"),
        (not_valid, "sessions, subscriptions or messages that MQTT does not allow"),
        (without_message, "references to messages that are not in the file"),
    ] {
        if count > 0 {
            warn!("{file}: left out: {count} {what}");
        }
    }
}

fn now() -> Now {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Now {
        instant: Instant::now(),
        unix_millis: since_epoch.map_or(0, |since| since.as_millis() as u64),
    }
}

#[cfg(test)]
mod tests;
