//! Topic filters as text: validity, match, and what two filters have in common.
//!
//! Everything walks level by level in a loop: a topic of 30,000 levels costs time, never stack.

/// The longest string of MQTT [MQTT-1.5.4].
pub(super) const FILTER_BYTES_MAX: usize = u16::MAX as usize;

/// A level that stands for every level no rule names. MQTT allows no NUL [MQTT-1.5.4-2], and
/// neither do the filters here.
const FRESH: &str = "\0";

/// Whether `filter` is a topic filter [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1].
pub(super) fn is_valid(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let valid = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            _ => !level.contains(['+', '#', '\0']),
        };
        if !valid {
            return false;
        }
    }
    (1..=FILTER_BYTES_MAX).contains(&filter.len())
}

/// Whether `topic` matches `filter`.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    levels_match(filter, topic.starts_with('$'), topic.split('/'))
}

fn levels_match<'t>(
    filter: &str,
    reserved: bool,
    mut topic: impl Iterator<Item = &'t str>,
) -> bool {
    // [MQTT-4.7.2-1]: no wildcard stands for a first level that begins with `$`.
    if reserved && filter.starts_with(['+', '#']) {
        return false;
    }
    for level in filter.split('/') {
        if level == "#" {
            // Also the parent itself: `a/#` matches `a`.
            return true;
        }
        match topic.next() {
            Some(found) if level == "+" || level == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// The topics two filters have in common, again as a filter: levels, of which `+` is any, and
/// whether any number of levels may follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape<'f> {
    levels: Vec<&'f str>,
    open: bool,
}

impl<'f> Shape<'f> {
    /// What matches both filters; `None` when nothing does.
    pub(super) fn common(one: &'f str, other: &'f str) -> Option<Self> {
        let starts_wild = |filter: &str| filter.starts_with(['+', '#']);
        if starts_wild(one) && other.starts_with('$') || starts_wild(other) && one.starts_with('$')
        {
            return None;
        }
        let mut levels = Vec::new();
        let (mut ones, mut others) = (one.split('/'), other.split('/'));
        loop {
            match (ones.next(), others.next()) {
                (None, None) => return Some(Self { levels, open: false }),
                (Some("#"), rest) => return Some(Self::ending_as(levels, rest, others)),
                (rest, Some("#")) => return Some(Self::ending_as(levels, rest, ones)),
                (Some("+"), Some(level)) | (Some(level), Some("+")) => levels.push(level),
                (Some(level), Some(same)) if level == same => levels.push(level),
                _ => return None,
            }
        }
    }

    /// Where one filter is open, the rest of the other decides.
    fn ending_as(
        mut levels: Vec<&'f str>,
        next: Option<&'f str>,
        rest: impl Iterator<Item = &'f str>,
    ) -> Self {
        for level in next.into_iter().chain(rest) {
            if level == "#" {
                return Self { levels, open: true };
            }
            levels.push(level);
        }
        Self { levels, open: false }
    }

    /// How many levels can follow the written ones so that every rule of at most `depth_max` levels
    /// gets the chance to tell them apart; beyond, all rules answer alike.
    pub(super) fn tails(&self, depth_max: usize) -> std::ops::RangeInclusive<usize> {
        if !self.open {
            return 0..=0;
        }
        // A topic has at least one level.
        let least = usize::from(self.levels.is_empty());
        least..=(depth_max + 1).saturating_sub(self.levels.len()).max(least)
    }

    /// Whether `filter` matches every topic of this shape that has `tail` more levels.
    ///
    /// It does exactly if it matches the one whose free levels are fresh: no rule names such a
    /// level, so only wildcards can have matched it, and they match any other.
    pub(super) fn is_within(&self, filter: &str, tail: usize) -> bool {
        let reserved = self.levels.first().is_some_and(|level| level.starts_with('$'));
        let written = self.levels.iter().map(|&level| if level == "+" { FRESH } else { level });
        levels_match(filter, reserved, written.chain(std::iter::repeat_n(FRESH, tail)))
    }

    /// Its written levels, the measure of what a comparison costs.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }
}
