//! The connectors that REST has made, a file each in the data directory; of a worker that is one of a
//! group, a copy of what the group wants.
//!
//! Invariant: a file has a definition as a whole, the old one or the new one, whenever the power
//! fails: a new one is written beside it, synced, and renamed over it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::definition::{Definition, Owner, Properties, TargetState};

/// The extension of a definition, and that of one that is being written.
const EXTENSION: &str = "json";
const UNFINISHED: &str = "new";
/// A file that is larger is none of ours.
const BYTES_MAX: u64 = 4 << 20;

/// Where definitions are kept.
#[derive(Clone, Debug)]
pub struct Definitions {
    /// `None`: nowhere, they end with the process.
    directory: Option<PathBuf>,
}

/// A definition as it is on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    name: String,
    config: Properties,
    target_state: TargetState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    everywhere: Option<bool>,
}

impl Definitions {
    /// Keeps definitions in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// When the system refuses the directory.
    pub fn in_directory(directory: PathBuf) -> io::Result<Definitions> {
        fs::create_dir_all(&directory)?;
        Ok(Definitions { directory: Some(directory) })
    }

    /// Keeps nothing.
    #[must_use]
    pub fn in_memory() -> Definitions {
        Definitions { directory: None }
    }

    /// All that is kept. What cannot be read is said, left where it is, and passed over: the others
    /// run without it.
    ///
    /// # Errors
    /// When the system refuses to list the directory.
    pub fn load(&self) -> io::Result<BTreeMap<String, Definition>> {
        let mut found = BTreeMap::new();
        let Some(directory) = &self.directory else { return Ok(found) };
        for file in fs::read_dir(directory)? {
            let path = file?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(EXTENSION) => {}
                Some(UNFINISHED) => {
                    // What it was to replace is still there.
                    let _ = fs::remove_file(&path);
                    continue;
                }
                _ => continue,
            }
            match read(&path) {
                Ok(Kept { name, config, target_state, everywhere }) => {
                    let (target, owner) = (target_state, Owner::Rest);
                    let definition = Definition { config, target, owner, everywhere };
                    found.insert(name, definition);
                }
                Err(error) => {
                    warn!(file = %path.display(), %error, "a connector's definition cannot be read");
                }
            }
        }
        Ok(found)
    }

    /// Keeps a definition; when this returns it survives a power cut.
    ///
    /// # Errors
    /// When the disk refuses it; the old one stays.
    pub fn keep(&self, name: &str, definition: &Definition) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let kept = Kept {
            name: name.to_owned(),
            config: definition.config.clone(),
            target_state: definition.target,
            everywhere: definition.everywhere,
        };
        let text = serde_json::to_vec_pretty(&kept)?;
        let path = directory.join(file_name(name));
        let unfinished = path.with_extension(UNFINISHED);
        let mut file = private(&unfinished)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(directory)?.sync_all()
    }

    /// Forgets a definition for good.
    ///
    /// # Errors
    /// When the disk refuses that.
    pub fn forget(&self, name: &str) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        match fs::remove_file(directory.join(file_name(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => File::open(directory)?.sync_all(),
        }
    }
}

/// A file that its owner alone may read: properties have passwords.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn read(path: &Path) -> io::Result<Kept> {
    let bytes = fs::metadata(path)?.len();
    if bytes > BYTES_MAX {
        let message = format!("found {bytes} bytes, expected at most {BYTES_MAX}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// A file's name for any connector's name: letters, digits, `-` and `_` as they are, all else as
/// `%` and two hexadecimal digits a byte.
fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len() + 5);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            file.push(char::from(byte));
        } else {
            file.push_str(&format!("%{byte:02X}"));
        }
    }
    file.push('.');
    file.push_str(EXTENSION);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(topic: &str) -> Definition {
        let config = BTreeMap::from([("topics".to_owned(), topic.to_owned())]);
        let (target, owner) = (TargetState::Paused, Owner::Rest);
        Definition { config, target, owner, everywhere: Some(true) }
    }

    #[test]
    fn a_definition_comes_back_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let definitions = Definitions::in_directory(directory.path().join("connectors")).unwrap();
        definitions.keep("../a/ü", &definition("1")).unwrap();
        definitions.keep("b", &definition("1")).unwrap();
        definitions.keep("b", &definition("2")).unwrap();
        let found = definitions.load().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["../a/ü", "b"]);
        assert_eq!(found["b"], definition("2"));
        definitions.forget("b").unwrap();
        definitions.forget("b").unwrap();
        assert_eq!(definitions.load().unwrap().len(), 1);
        assert!(directory.path().join("connectors/%2E%2E%2Fa%2F%C3%BC.json").exists());
    }

    #[test]
    fn what_a_crash_has_left_and_what_is_no_definition_stops_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let definitions = Definitions::in_directory(directory.path().to_owned()).unwrap();
        definitions.keep("a", &definition("old")).unwrap();
        // The power failed while the new one was written.
        fs::write(directory.path().join("a.new"), "{\"name\":\"a\",\"conf").unwrap();
        fs::write(directory.path().join("b.json"), "{}").unwrap();
        fs::write(directory.path().join("README"), "hello").unwrap();
        let found = definitions.load().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["a"], definition("old"));
        assert!(!directory.path().join("a.new").exists());
    }
}
