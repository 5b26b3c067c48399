//! Levels that Connect's REST interface has set, by logger.
//!
//! Where one is set it counts instead of `log_type`, for the logger and all below it, until the
//! process ends.
//!
//! Invariant: the longest name that a target is below counts; no more than [`LEVELS_MAX`] are kept.

use tracing::level_filters::LevelFilter;

/// Names come from requests.
const LEVELS_MAX: usize = 256;

/// The packages of Connect and of its connectors, whose place is the bridge.
const OF_BRIDGE: [&str; 5] =
    ["org.apache.kafka", "com.datamountaineer", "io.lenses", "io.confluent", "com.evokly"];

/// Levels by module; an empty name is above all.
#[derive(Clone, Default)]
pub(super) struct Levels(Vec<(String, LevelFilter)>);

impl Levels {
    /// Sets the level of a logger and of all below it.
    pub(super) fn set(&mut self, logger: &str, level: LevelFilter) {
        let module = module(logger);
        self.0.retain(|(known, _)| !is_below(known, &module));
        if self.0.len() < LEVELS_MAX {
            self.0.push((module, level));
        }
    }

    /// The level that is set for a target, if one is.
    pub(super) fn of(&self, target: &str) -> Option<LevelFilter> {
        let above = self.0.iter().filter(|(module, _)| is_below(target, module));
        above.max_by_key(|(module, _)| module.len()).map(|(_, level)| *level)
    }

    /// The most that any lets through.
    pub(super) fn most(&self) -> LevelFilter {
        self.0.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::OFF)
    }
}

/// The module that a logger stands for; an empty one is above all.
pub(super) fn module(logger: &str) -> String {
    let is_of = |package: &&str| {
        let rest = logger.strip_prefix(*package);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match logger {
        "root" => String::new(),
        _ if OF_BRIDGE.iter().any(is_of) => "midge_bridge".to_owned(),
        _ => logger.replace('.', "::"),
    }
}

/// Whether a target is a module or below it.
pub(super) fn is_below(target: &str, module: &str) -> bool {
    let rest = target.strip_prefix(module);
    rest.is_some_and(|rest| module.is_empty() || rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_logger_counts_and_one_above_replaces_those_below() {
        let mut levels = Levels::default();
        assert_eq!(levels.of("midge_bridge::sink"), None);
        levels.set("org.apache.kafka.connect.runtime.WorkerSinkTask", LevelFilter::DEBUG);
        levels.set("midge_bridge::kafka", LevelFilter::ERROR);
        assert_eq!(levels.of("midge_bridge::sink"), Some(LevelFilter::DEBUG));
        assert_eq!(levels.of("midge_bridge::kafka::oauth"), Some(LevelFilter::ERROR));
        assert_eq!((levels.of("midge_bridges"), levels.of("midge::packets")), (None, None));
        levels.set("root", LevelFilter::WARN);
        assert_eq!(levels.of("midge_bridge::kafka"), Some(LevelFilter::WARN));
        assert_eq!(levels.most(), LevelFilter::WARN);
    }
}
