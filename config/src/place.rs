//! Whether a directory for what is kept can be had, found out without making it.
//!
//! Invariant: nothing on the disk changes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Access, access};

/// What there is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory, or a place to make one.
    Usable,
    /// No directory, and none can be made, because.
    None(String),
    /// A directory that this process may not write to, because.
    Refused(String),
}

/// Looks at a path.
pub(crate) fn look(directory: &Path) -> Place {
    for place in directory.ancestors() {
        let is_whole = place == directory;
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        let told = |why: &dyn std::fmt::Display| format!("{}: {why}", place.display());
        match fs::metadata(place) {
            Ok(found) if found.is_dir() => {
                let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
                return match access(place, all) {
                    Ok(()) => Place::Usable,
                    Err(error) if is_whole => Place::Refused(told(&error)),
                    Err(error) => Place::None(told(&error)),
                };
            }
            Ok(_) => return Place::None(told(&"found a file, expected a directory")),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Place::Refused(told(&error)),
        }
    }
    Place::None(format!("{}: there is no such place", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_where_there_is_a_directory_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("messages.db");
        fs::write(&file, "SQLite format 3").unwrap();
        assert_eq!(look(directory.path()), Place::Usable);
        assert_eq!(look(&directory.path().join("new/deeper")), Place::Usable);
        assert_eq!(look(Path::new("new-and-relative")), Place::Usable);
        let no = Place::None(format!("{}: found a file, expected a directory", file.display()));
        assert_eq!(look(&file), no);
        assert_eq!(look(&file.join("below")), no);
        assert!(!directory.path().join("new").exists());
    }
}
