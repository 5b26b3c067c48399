//! Configuration providers of a Connect worker: what `${file:/path:key}`, `${env:NAME}` and
//! `${dir:/path:file}` in properties stand for.
//!
//! Invariants. What a reference stands for is asked for each time anew and kept nowhere here. A
//! reference that stands for nothing is a mistake that names provider, path and key, never the text
//! itself. A file is read up to a limit, and only one that is a file.

mod hidden;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use midge_rules::java::Regex;

use crate::properties;
use crate::secret::Secret;
use crate::settings::quoted;

pub use hidden::Hidden;

/// A larger file holds no secrets.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The package of Kafka's own providers.
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// The providers of a worker, by the names that references say.
#[derive(Clone, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
}

#[derive(Clone)]
struct Provider {
    kind: Kind,
    /// `param.allowed.paths`; none: every path is allowed.
    allowed_paths: Option<Vec<PathBuf>>,
    /// `param.allowlist.pattern`; none: every variable is allowed.
    allowlist: Option<Regex>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Properties of a file.
    File,
    /// Variables of the environment.
    Environment,
    /// Files of a directory, whole.
    Directory,
}

/// A text whose references have been replaced. It has no `Debug` because it holds secrets.
#[derive(Clone)]
pub struct Replaced {
    /// The text as it counts.
    pub text: String,
    /// What was put in, each beside the reference it stands for.
    pub found: Vec<(String, Secret)>,
}

/// One `${provider:path:key}`.
#[derive(Clone, Copy)]
struct Reference<'t> {
    whole: &'t str,
    provider: &'t str,
    path: &'t str,
    key: &'t str,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::File, Kind::Environment, Kind::Directory];

    const fn class(self) -> &'static str {
        match self {
            Kind::File => "FileConfigProvider",
            Kind::Environment => "EnvVarConfigProvider",
            Kind::Directory => "DirectoryConfigProvider",
        }
    }

    /// By the full name of a class or its simple one.
    fn of(class: &str) -> Option<Kind> {
        let simple = class.strip_prefix(PACKAGE).unwrap_or(class);
        Kind::ALL.into_iter().find(|kind| kind.class() == simple)
    }
}

impl Providers {
    /// The providers that a worker's properties name, and what is wrong with them, each mistake
    /// beside its property.
    #[must_use]
    pub fn new(worker: &BTreeMap<String, String>) -> (Providers, Vec<(String, String)>) {
        let (mut providers, mut wrong) = (Providers::default(), Vec::new());
        let names = worker.get("config.providers").map_or("", |names| names.trim());
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let key = |rest: &str| format!("config.providers.{name}.{rest}");
            let Some(class) = worker.get(&key("class")).map(|class| class.trim()) else {
                wrong.push((key("class"), "is missing".to_owned()));
                continue;
            };
            let Some(kind) = Kind::of(class) else {
                let all = Kind::ALL.map(Kind::class).join(", ");
                let message =
                    format!("found {}, expected {PACKAGE} and one of {all}", quoted(class));
                wrong.push((key("class"), message));
                continue;
            };
            let mut provider = Provider { kind, allowed_paths: None, allowlist: None };
            if let Some(text) = worker.get(&key("param.allowed.paths")) {
                match allowed_paths(text) {
                    Ok(paths) => provider.allowed_paths = paths,
                    Err(message) => wrong.push((key("param.allowed.paths"), message)),
                }
            }
            if let Some(text) = worker.get(&key("param.allowlist.pattern")) {
                match Regex::new(text.trim()) {
                    Ok(pattern) => provider.allowlist = Some(pattern),
                    Err(error) => {
                        wrong.push((key("param.allowlist.pattern"), error.to_string()));
                    }
                }
            }
            providers.by_name.insert(name.to_owned(), provider);
        }
        (providers, wrong)
    }

    /// Replaces every reference of a text, once: what comes in is not looked at again.
    ///
    /// # Errors
    /// With the first reference that stands for nothing.
    pub fn replace(&self, text: &str) -> Result<Replaced, String> {
        let mut replaced = Replaced { text: String::new(), found: Vec::new() };
        let mut rest = text;
        while let Some((before, reference, after)) = next(rest) {
            let value = self.value(reference).map_err(|why| {
                let Reference { whole, provider, path, key } = reference;
                format!("Could not resolve {whole}: provider {provider}, path {path:?}, key {key:?}: {why}")
            })?;
            replaced.text.push_str(before);
            replaced.text.push_str(&value);
            replaced.found.push((reference.whole.to_owned(), Secret::new(value)));
            rest = after;
        }
        replaced.text.push_str(rest);
        Ok(replaced)
    }

    fn value(&self, reference: Reference<'_>) -> Result<String, String> {
        let Some(provider) = self.by_name.get(reference.provider) else {
            return Err(match self.by_name.is_empty() {
                true => "the worker's properties name no config.providers".to_owned(),
                false => {
                    let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
                    format!("there is no such provider, config.providers={}", known.join(","))
                }
            });
        };
        match provider.kind {
            Kind::Environment => provider.variable(reference),
            Kind::File => provider.property(reference),
            Kind::Directory => provider.file(reference),
        }
    }
}

impl Provider {
    fn variable(&self, reference: Reference<'_>) -> Result<String, String> {
        let name = reference.key;
        if !reference.path.is_empty() {
            return Err("found a path, expected none: variables have none".to_owned());
        }
        if let Some(pattern) = &self.allowlist
            && !pattern.matches(name).map_err(|error| error.to_string())?
        {
            return Err(format!("allowlist.pattern {} does not allow it", pattern.source()));
        }
        match std::env::var(name) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => {
                Err("the environment has no such variable".to_owned())
            }
            Err(std::env::VarError::NotUnicode(_)) => Err("its value is not UTF-8".to_owned()),
        }
    }

    fn property(&self, reference: Reference<'_>) -> Result<String, String> {
        let path = self.allowed(reference.path)?;
        let bytes = read(&path).map_err(|error| {
            format!("Could not read properties from file {}: {error}", reference.path)
        })?;
        let (found, _) = properties::parse(&bytes);
        let property = properties::last(&found).find(|one| one.key == reference.key);
        property.map(|one| one.value.clone()).ok_or_else(|| "the file has no such key".to_owned())
    }

    fn file(&self, reference: Reference<'_>) -> Result<String, String> {
        let path = self.allowed(reference.path)?;
        let mut name = Path::new(reference.key).components();
        let (Some(Component::Normal(name)), None) = (name.next(), name.next()) else {
            return Err("expected the name of a file in the directory".to_owned());
        };
        let bytes = read(&path.join(name)).map_err(|error| {
            format!("Could not read file {} for property: {error}", reference.key)
        })?;
        String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
    }

    /// A path that may be read, without `.` and `..`.
    fn allowed(&self, path: &str) -> Result<PathBuf, String> {
        if path.is_empty() {
            return Err("found no path, expected ${PROVIDER:PATH:KEY}".to_owned());
        }
        let path = normal(Path::new(path));
        match &self.allowed_paths {
            Some(allowed) if !allowed.iter().any(|allowed| path.starts_with(allowed)) => {
                Err("allowed.paths does not allow the path".to_owned())
            }
            _ => Ok(path),
        }
    }
}

/// The paths of `allowed.paths`; none when it is empty.
fn allowed_paths(text: &str) -> Result<Option<Vec<PathBuf>>, String> {
    let mut paths = Vec::new();
    for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        let absolute = Path::new(path);
        if !absolute.is_absolute() {
            return Err(format!("Path {path} is not absolute"));
        }
        if !absolute.exists() {
            return Err(format!("Path {path} does not exist"));
        }
        paths.push(normal(absolute));
    }
    Ok((!paths.is_empty()).then_some(paths))
}

/// A path without `.` and `..`, as it is written: links are not followed.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            // There is nothing above the root.
            Component::ParentDir if normal.has_root() => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Reads a file; a pipe or a device would be waited for.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| error.to_string();
    if !fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(said)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("found more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

/// The first reference of a text, with what stands before and behind it. As in Kafka it is `${`, a
/// provider, perhaps a path, and a key, with `:` between them and `}` at the end.
fn next(text: &str) -> Option<(&str, Reference<'_>, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("${")?;
        let inner = &text[at + 2..];
        let end = inner.find('}')?;
        let Some((provider, rest)) = inner[..end].split_once(':') else {
            // A variable of another kind: `${topic}`.
            from = at + 2;
            continue;
        };
        let (path, key) = rest.split_once(':').unwrap_or(("", rest));
        let whole = &text[at..=at + 2 + end];
        let reference = Reference { whole, provider, path, key };
        return Some((&text[..at], reference, &inner[end + 1..]));
    }
}
