//! The options of a converter: those of a connector's that begin with its prefix.
//!
//! Invariant: an option is read by the converter, or is one of another converter's (which Connect
//! passes over, so it is told as a notice), or is an error. All mistakes are told at once.

use std::collections::{BTreeMap, BTreeSet};

use super::InvalidOptions;

/// Options that some converter has: one that this converter has not is no mistake, for people
/// change the class and leave the rest.
const OTHERS: &[&str] = &[
    "auto.register.schemas",
    "avro.codec",
    "avro.reflection.allow.null",
    "avro.use.logical.type.converters",
    "converter.encoding",
    "decimal.format",
    "enhanced.avro.schema.support",
    "replace.null.with.default",
    "schema.content",
    "schema.registry.url",
    "schemas.cache.config",
    "schemas.cache.size",
    "schemas.enable",
];

/// The options of one converter, while they are read.
pub(super) struct Options<'a> {
    prefix: &'a str,
    entries: BTreeMap<&'a str, &'a str>,
    read: BTreeSet<&'static str>,
    errors: Vec<String>,
}

impl<'a> Options<'a> {
    /// What of these begins with `prefix` and a point.
    pub(super) fn new(
        prefix: &'a str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let entries = options.into_iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((name, value.trim()))
        });
        Self { prefix, entries: entries.collect(), read: BTreeSet::new(), errors: Vec::new() }
    }

    /// Something else that is wrong.
    pub(super) fn wrong(&mut self, error: impl Into<String>) {
        self.errors.push(error.into());
    }

    /// An option as it stands; an empty one is none.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.read.insert(name);
        self.entries.get(name).copied().filter(|value| !value.is_empty())
    }

    pub(super) fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        match self.text(name) {
            None => default,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(value) => {
                self.expected(name, value, "true or false");
                default
            }
        }
    }

    pub(super) fn count(&mut self, name: &'static str, default: usize) -> usize {
        match self.text(name).map(|value| (value, value.parse())) {
            None => default,
            Some((_, Ok(count))) => count,
            Some((value, Err(_))) => {
                self.expected(name, value, "a whole number");
                default
            }
        }
    }

    /// One of these words, in any case; the first is the default.
    pub(super) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> T {
        let Some(value) = self.text(name) else {
            return words[0].1;
        };
        match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)) {
            Some((_, meaning)) => *meaning,
            None => {
                let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.expected(name, value, &names.join(" or "));
                words[0].1
            }
        }
    }

    pub(super) fn expected(&mut self, name: &str, found: &str, expected: &str) {
        self.errors.push(format!("{}.{name}: found {found}, expected {expected}", self.prefix));
    }

    /// Accepts whatever stands under these names and prefixes: somebody else reads it.
    pub(super) fn pass(&mut self, names: &[&'static str], prefixes: &[&str]) {
        self.read.extend(names);
        self.entries.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
    }

    /// The mistakes, or what should be told.
    pub(super) fn finish(mut self) -> Result<Vec<String>, InvalidOptions> {
        let mut notices = Vec::new();
        for (name, value) in &self.entries {
            if self.read.contains(name) {
                continue;
            }
            if OTHERS.contains(name) {
                let prefix = self.prefix;
                notices.push(format!("{prefix}.{name}={value}: this converter has no use for it"));
                continue;
            }
            let accepted: Vec<&str> = self.read.iter().copied().collect();
            let accepted = match accepted.is_empty() {
                true => "none".to_owned(),
                false => accepted.join(", "),
            };
            self.errors.push(format!(
                "{}.{name}: unknown option, expected one of: {accepted}",
                self.prefix
            ));
        }
        if self.errors.is_empty() { Ok(notices) } else { Err(InvalidOptions(self.errors)) }
    }
}
