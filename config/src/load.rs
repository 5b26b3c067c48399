//! Reads the files that were named and makes one configuration of them.
//!
//! This is the only place of the crate that touches the disk, but for what references of properties
//! stand for ([`Providers`](crate::Providers)), and the directory of `DB_PERSIST_PATH`.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::draft::Draft;
use crate::environment::{self, DotEnv};
use crate::error::{ConfigError, Origin};
use crate::resolved::Config;
use crate::{connector_file, midge_toml, mosquitto, resolve, worker_file};

/// What to read. Later ones lie over earlier ones: `mosquitto.conf`, `midge.toml` in the order
/// given, the environment; `ports` and `verbose` come from the command line.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file in Mosquitto's format.
    pub mosquitto_conf: Option<PathBuf>,
    /// Files in our own format.
    pub midge_toml: Vec<PathBuf>,
    /// Property files of connectors.
    pub connectors: Vec<PathBuf>,
    /// The property file of a Connect worker, where the process is that and no broker.
    pub worker: Option<WorkerSource>,
    /// Ports for the loopback listener, used when no file names a listener.
    pub ports: Vec<u16>,
    /// Log everything to standard error.
    pub verbose: bool,
    /// The environment. Names that begin with `MIDGE__` are read, and with `TOPIC_LIST` or
    /// `WILDCARD_TOPIC_LIST` the variables of aiproshar's connector.
    pub environment: Vec<(String, String)>,
    /// A file that gives variables of that connector which the environment does not.
    pub dot_env: Option<PathBuf>,
}

/// A Connect worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSource {
    /// Its property file.
    pub file: PathBuf,
    /// Whether it is alone.
    pub mode: WorkerMode,
}

/// Whether a Connect worker is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerMode {
    /// It is.
    Standalone,
    /// It shares connectors with the others of its group.
    Distributed,
}

impl Sources {
    /// Adds the file of `-c`: `midge.toml` when its name ends with `.toml`, else Mosquitto's.
    pub fn add_config(&mut self, file: PathBuf) {
        if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            self.midge_toml.push(file);
        } else {
            self.mosquitto_conf = Some(file);
        }
    }

    /// Takes the environment of the process, and `.env` of the working directory; variables that
    /// are not Unicode are left out.
    pub fn add_process_environment(&mut self) {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        self.environment.extend(std::env::vars_os().filter_map(unicode));
        self.dot_env = Some(PathBuf::from(".env"));
    }
}

/// Reads and resolves. Every mistake of every file is reported at once, sorted by place.
pub fn load(sources: &Sources) -> Result<Config, Vec<ConfigError>> {
    resolve::resolve(draft(sources), &sources.ports, sources.verbose)
}

/// The password and ACL files that are named, also by a configuration with mistakes: what is wrong
/// with them is told together with these.
pub fn named_files(sources: &Sources) -> NamedFiles {
    let draft = draft(sources);
    let all = || {
        let own = draft.listeners.iter().map(|listener| &listener.authentication);
        std::iter::once(&draft.authentication).chain(own)
    };
    NamedFiles {
        password_files: all().filter_map(|said| said.password_file.clone()).collect(),
        acl_files: all().filter_map(|said| said.acl_file.clone()).collect(),
    }
}

/// See [`named_files`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedFiles {
    /// Each file once.
    pub password_files: BTreeSet<PathBuf>,
    /// Each file once.
    pub acl_files: BTreeSet<PathBuf>,
}

fn draft(sources: &Sources) -> Draft {
    let mut draft = Draft::default();
    if let Some(file) = &sources.mosquitto_conf
        && let Some(bytes) = read(&mut draft, file)
    {
        mosquitto::parse(&mut draft, file, &bytes, &mut included);
    }
    let mut documents = Vec::new();
    for file in &sources.midge_toml {
        let Some(bytes) = read(&mut draft, file) else { continue };
        match String::from_utf8(bytes) {
            Ok(text) => documents.push((file.clone(), text)),
            Err(_) => {
                draft.error(&Origin::File(file.clone()), "", "found bytes that are not UTF-8");
            }
        }
    }
    midge_toml::parse(&mut draft, &documents, sources.environment.iter().cloned());
    if let Some(WorkerSource { file, mode }) = &sources.worker {
        if let Some(bytes) = read(&mut draft, file) {
            worker_file::process::parse(&mut draft, file, &bytes, *mode);
        }
    } else if let Some(file) = draft.connect.worker_properties.clone()
        && let Some(bytes) = read(&mut draft, &file)
    {
        worker_file::parse(&mut draft, &file, &bytes);
    }
    if sources.worker.is_none() {
        let wanted = environment::wants_file(&sources.environment);
        let file = sources.dot_env.as_deref().filter(|file| wanted && file.is_file());
        let file = file.map(|file| DotEnv { file, bytes: read_bounded(file) });
        environment::parse(&mut draft, &sources.environment, file);
    }
    for file in &sources.connectors {
        if let Some(bytes) = read(&mut draft, file) {
            connector_file::parse(&mut draft, file, &bytes);
        }
    }
    if sources.worker.is_some() {
        worker_file::process::without_broker(&mut draft);
    }
    draft
}

/// No configuration is larger; a device file or a log named by mistake is not read for ever.
const LARGEST_FILE_BYTES: u64 = 16 << 20;

fn read(draft: &mut Draft, file: &Path) -> Option<Vec<u8>> {
    match read_bounded(file) {
        Ok(bytes) => Some(bytes),
        Err(message) => {
            draft.error(&Origin::File(file.to_owned()), "", message);
            None
        }
    }
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|error| format!("cannot be read: {error}"))?;
    opened
        .take(LARGEST_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST_FILE_BYTES {
        return Err(format!(
            "found more than {LARGEST_FILE_BYTES} bytes, expected a configuration"
        ));
    }
    Ok(bytes)
}

/// The `*.conf` files of a directory, links to files too, in Mosquitto's order.
fn included(directory: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let cannot =
        |error: std::io::Error| format!("{}: cannot be read: {error}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.ends_with(".conf")) {
            names.push(name.to_owned());
        }
    }
    names.sort_by_key(|name| mosquitto::include_order(name));
    let mut files = Vec::new();
    for name in names {
        let file = directory.join(name);
        let bytes = read_bounded(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        files.push((file, bytes));
    }
    Ok(files)
}
