//! Whether the place for the journal can be used, found out without making anything.
//!
//! The journal itself is not opened: the broker may be running on it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use midge_config::Persistence;
use rustix::fs::{Access, access};

use super::StorageError;

/// Whether the place for the journal can be used by this process.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(persistence: &Persistence) -> Result<(), StorageError> {
    let directory = persistence.journal();
    let mut place = directory.as_path();
    let wrong = |place: &Path, why: &dyn std::fmt::Display| StorageError::Place {
        directory: directory.clone(),
        why: match place == directory {
            true => why.to_string(),
            false => format!("{}: {why}", place.display()),
        },
    };
    // What is missing is made at the start, in the first one that is there.
    let found = loop {
        match fs::metadata(place) {
            Ok(found) => break found,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                place = match place.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                };
            }
            Err(error) => return Err(wrong(place, &error)),
        }
    };
    if !found.is_dir() {
        return Err(wrong(place, &"found a file, expected a directory"));
    }
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    access(place, all).map_err(|error| wrong(place, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_named_once() {
        let directory = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(directory.path());
        fs::write(persistence.journal(), "").unwrap();
        let refused = check(&persistence).unwrap_err().to_string();
        let journal = persistence.journal();
        assert_eq!(
            refused,
            format!("persistence: {}: found a file, expected a directory", journal.display())
        );
    }
}
