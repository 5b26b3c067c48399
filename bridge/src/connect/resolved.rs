//! A connector's properties with what their references stand for (`config.providers`), and with the
//! files they name.
//!
//! Invariants. Nothing of this outlives the question it was made for: what is kept and shown of a
//! connector is what was said. No message that leaves here holds what a reference stood for.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use midge_config::{Hidden, Providers, Secret};
use midge_rules::options::ConfigError;
use tracing::warn;

use super::class::{self, Reading};
use super::definition::Properties;
use super::engine::{InvalidConfig, Validation};
use super::plan::{Plan, Worker};

/// A schema that is larger is none.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;

/// Properties that count, as they are now. It has no `Debug` because it holds secrets.
pub struct Resolved<'a> {
    said: &'a Properties,
    properties: Properties,
    worker: Worker,
    /// References that stand for nothing, by their properties.
    errors: Vec<ConfigError>,
    hidden: Hidden,
}

impl<'a> Resolved<'a> {
    /// Looks up the references in a connector's properties and in the worker's, and reads the files
    /// that they name. A file that cannot be read is missing, which the class tells.
    #[must_use]
    pub fn new(worker: &Worker, said: &'a Properties) -> Resolved<'a> {
        // What is wrong with providers has been told when the worker's file was read.
        let (providers, _) = Providers::new(&worker.properties);
        let mut look_up = LookUp { providers, errors: Vec::new(), found: Vec::new() };
        let properties = look_up.all(said);
        let mut worker = worker.clone();
        worker.properties = look_up.all(&worker.properties);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        worker.now_unix_millis = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        for path in class::files(&properties) {
            let mut text = String::new();
            let read = File::open(&path)
                .and_then(|file| file.take(SCHEMA_BYTES_MAX).read_to_string(&mut text));
            match read {
                Ok(_) => drop(worker.files.insert(path, text)),
                Err(error) => warn!(file = path, %error, "a schema cannot be read"),
            }
        }
        let LookUp { errors, found, .. } = look_up;
        Resolved { said, properties, worker, errors, hidden: Hidden::new(&found) }
    }

    /// What is wrong with the converters of the worker itself, whether a connector uses them or not.
    #[must_use]
    pub fn worker_mistakes(&self) -> Vec<ConfigError> {
        let mut errors = class::converters_of_worker(&self.worker.properties);
        errors.iter_mut().for_each(|error| error.message = self.hide(&error.message));
        errors
    }

    /// A message without what references stood for.
    #[must_use]
    pub fn hide(&self, message: &str) -> String {
        self.hidden.hide(message)
    }

    /// The same for messages that come later.
    pub(crate) fn hidden(&self) -> Hidden {
        self.hidden.clone()
    }

    /// What is found in them, mistakes and all.
    ///
    /// # Errors
    /// When their class is none.
    pub fn read(&self, name: &str) -> Result<Reading, InvalidConfig> {
        let read = class::read(name, &self.properties, &self.worker);
        let Reading { plan, mut errors, mut notices } =
            read.map_err(|error| self.without(error))?;
        notices.iter_mut().for_each(|notice| *notice = self.hide(notice));
        for error in &mut errors {
            error.message = self.hide(&error.message);
        }
        // What stands where a text could not be looked up is no second mistake.
        errors.retain(|error| !self.errors.iter().any(|other| other.name == error.name));
        errors.splice(..0, self.errors.iter().cloned());
        let plan = plan.filter(|_| errors.is_empty()).map(|mut plan| {
            plan.notices.clone_from(&notices);
            for task in &mut plan.tasks {
                for (name, value) in &mut task.config {
                    self.restore(name, value);
                }
            }
            plan
        });
        Ok(Reading { plan, errors, notices })
    }

    /// What they come to.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn plan(&self, name: &str) -> Result<Plan, InvalidConfig> {
        let Reading { plan, errors, .. } = self.read(name)?;
        plan.ok_or_else(|| {
            InvalidConfig::Values(errors.into_iter().map(|error| error.message).collect())
        })
    }

    /// What is found in them, option by option.
    ///
    /// # Errors
    /// When their class is none.
    pub fn validate(&self) -> Result<Validation, InvalidConfig> {
        let found = class::validate(&self.properties, &self.worker);
        let mut validation = found.map_err(|error| self.without(error))?;
        for (key, value) in &mut validation.configs {
            for error in &mut value.errors {
                *error = self.hide(error);
            }
            if value.value != key.default_value
                && let Some(text) = &mut value.value
            {
                self.restore(&value.name, text);
            }
            let own: Vec<String> = self.errors_of(&value.name).collect();
            if !own.is_empty() {
                value.errors = own;
            }
        }
        let shown = |name: &str| validation.configs.iter().any(|(_, value)| value.name == name);
        let rest = self.errors.iter().filter(|error| !shown(&error.name));
        let rest: Vec<String> = rest.map(|error| error.message.clone()).collect();
        // Those of properties that no table has: a form has no place for them.
        if rest.is_empty() { Ok(validation) } else { Err(InvalidConfig::Values(rest)) }
    }

    fn errors_of(&self, name: &str) -> impl Iterator<Item = String> {
        let errors = self.errors.iter().filter(move |error| error.name == name);
        errors.map(|error| error.message.clone())
    }

    fn without(&self, error: InvalidConfig) -> InvalidConfig {
        match error {
            InvalidConfig::Whole(message) => InvalidConfig::Whole(self.hide(&message)),
            InvalidConfig::Values(messages) => {
                InvalidConfig::Values(messages.iter().map(|message| self.hide(message)).collect())
            }
        }
    }

    /// Shows a property as it was said, if there is a reference in it.
    fn restore(&self, name: &str, value: &mut String) {
        match (self.said.get(name), self.properties.get(name)) {
            (Some(said), Some(resolved)) if said != resolved => value.clone_from(said),
            (Some(_), _) => {}
            // Under another of its names.
            (None, _) => *value = self.hide(value),
        }
    }
}

struct LookUp {
    providers: Providers,
    errors: Vec<ConfigError>,
    found: Vec<(String, Secret)>,
}

impl LookUp {
    fn all(&mut self, said: &Properties) -> Properties {
        let mut properties = said.clone();
        for (key, value) in &mut properties {
            if key.starts_with("config.providers") {
                continue;
            }
            match self.providers.replace(value) {
                Ok(replaced) => {
                    *value = replaced.text;
                    self.found.extend(replaced.found);
                }
                Err(message) => {
                    let message = format!("{key}: {message}");
                    self.errors.push(ConfigError { name: key.clone(), message });
                }
            }
        }
        properties
    }
}
