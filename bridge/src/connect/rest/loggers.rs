//! `/admin/loggers`: how much is logged, by logger.
//!
//! Invariant: what is shown is the level that is in force, whoever has set it; no more than
//! [`LOGGERS_MAX`] names are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Rest;
use super::exchange::{Answer, Request};
use super::routes::object;

/// Names come from requests.
const LOGGERS_MAX: usize = 256;

/// The levels of Connect's loggers.
const LEVELS: [&str; 6] = ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// The logger above all others.
const ROOT: &str = "root";

/// The log of the process, as far as its levels are asked for and changed.
pub trait LogLevels: Send + Sync {
    /// Sets the level of a logger and of all below it.
    fn set_level(&self, logger: &str, level: &str);

    /// The level that is in force for a logger, by Connect's names.
    fn level(&self, logger: &str) -> &'static str;
}

/// The loggers that are known by name: the one above all others, and those that have been set.
pub(super) struct Loggers {
    log_levels: Arc<dyn LogLevels>,
    /// When each was changed last, in milliseconds since 1970-01-01 UTC.
    last_modified: Mutex<BTreeMap<String, Option<u64>>>,
}

impl Loggers {
    pub(super) fn new(log_levels: Arc<dyn LogLevels>) -> Loggers {
        let last_modified = Mutex::new(BTreeMap::from([(ROOT.to_owned(), None)]));
        Loggers { log_levels, last_modified }
    }

    /// Sets the level of a logger and of all below it; the loggers that are known of these.
    fn set(&self, logger: &str, level: &str) -> Result<Vec<String>, Answer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).ok();
        let mut loggers = self.lock();
        if !loggers.contains_key(logger) && loggers.len() >= LOGGERS_MAX {
            let message = format!("{LOGGERS_MAX} loggers are known already, which is the maximum");
            return Err(Answer::error(400, &message));
        }
        let levels = |loggers: &BTreeMap<String, _>| -> Vec<&'static str> {
            loggers.keys().map(|logger| self.log_levels.level(logger)).collect()
        };
        let before = levels(&loggers);
        self.log_levels.set_level(logger, level);
        // Another name may stand for the same.
        let after = levels(&loggers);
        let changed = before.iter().zip(&after).map(|(before, after)| before != after);
        for (last_modified, changed) in loggers.values_mut().zip(changed) {
            if changed {
                *last_modified = now;
            }
        }
        loggers.insert(logger.to_owned(), now);
        Ok(loggers.keys().filter(|known| is_below(known, logger)).cloned().collect())
    }

    fn shown(&self, logger: &str, last_modified: Option<u64>) -> Value {
        json!({ "level": self.log_levels.level(logger), "last_modified": last_modified })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<u64>>> {
        self.last_modified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn list(rest: &Rest) -> Answer {
    let loggers = &rest.loggers;
    let known = loggers.lock();
    let shown = known.iter().map(|(logger, at)| (logger.clone(), loggers.shown(logger, *at)));
    Answer::json(200, &object(shown))
}

pub(super) fn get(rest: &Rest, logger: &str) -> Result<Answer, Answer> {
    let last_modified = rest.loggers.lock().get(logger).copied();
    let last_modified =
        last_modified.ok_or_else(|| Answer::error(404, &format!("Logger {logger} not found.")))?;
    Ok(Answer::json(200, &rest.loggers.shown(logger, last_modified)))
}

pub(super) fn put(rest: &Rest, logger: &str, request: &Request) -> Result<Answer, Answer> {
    let properties = request.properties()?;
    let Some(Some(level)) = properties.get("level") else {
        let message = "Desired 'level' parameter was not specified in request.";
        return Err(Answer::error(400, message));
    };
    let named = level.to_ascii_uppercase();
    let Some(named) = LEVELS.iter().find(|known| **known == named) else {
        return Err(Answer::error(404, &format!("invalid log level '{level}'.")));
    };
    let changed = rest.loggers.set(logger, named)?;
    Ok(match request.parameters("scope").next() {
        Some("cluster") => Answer::empty(204),
        _ => Answer::json(200, &json!(changed)),
    })
}

/// Whether a logger is another one or below it.
fn is_below(logger: &str, above: &str) -> bool {
    above == ROOT
        || logger == above
        || logger.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', ':']))
}
