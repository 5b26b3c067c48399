//! Whether the place for the journal can be used, found out without making anything.
//!
//! The journal itself is not opened: the broker may be running on it.

use std::path::Path;

use midge_config::Persistence;
use rustix::fs::{Access, access};

/// What is wrong with the place for the journal.
pub(crate) fn check(persistence: &Persistence) -> Result<(), String> {
    let directory = persistence.journal();
    let mut place = directory.as_path();
    // What is missing is made at the start, in the first one that is there.
    while !place.exists() {
        place = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let wrong = |why: &dyn std::fmt::Display| {
        format!("persistence: {}: {}: {why}", directory.display(), place.display())
    };
    if !place.is_dir() {
        return Err(wrong(&"found a file, expected a directory"));
    }
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    access(place, all).map_err(|error| wrong(&error))
}
