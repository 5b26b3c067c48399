//! `/admin/loggers`: how much is logged, by logger.

use serde_json::{Value, json};

use super::Rest;
use super::exchange::{Answer, Request};
use super::routes::object;

/// The levels of Connect's loggers.
const LEVELS: [&str; 6] = ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// The logger above all others.
const ROOT: &str = "root";

pub(super) fn list(rest: &Rest) -> Answer {
    let levels = rest.levels();
    let loggers = levels.iter().map(|(logger, level)| (logger.clone(), shown(level)));
    Answer::json(200, &object(loggers))
}

pub(super) fn get(rest: &Rest, logger: &str) -> Result<Answer, Answer> {
    let levels = rest.levels();
    let level = levels.get(logger);
    let level = level.ok_or_else(|| Answer::error(404, &format!("Logger {logger} not found.")))?;
    Ok(Answer::json(200, &shown(level)))
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
    let changed = rest.set_level(logger, named);
    Ok(match request.parameters("scope").next() {
        Some("cluster") => Answer::empty(204),
        _ => Answer::json(200, &json!(changed)),
    })
}

/// A logger's level, and when it was last changed.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) level: &'static str,
    pub(super) last_modified: Option<u64>,
}

fn shown(level: &Level) -> Value {
    json!({ "level": level.level, "last_modified": level.last_modified })
}

/// Whether a logger is another one or below it.
pub(super) fn is_below(logger: &str, above: &str) -> bool {
    above == ROOT
        || logger == above
        || logger.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', ':']))
}
