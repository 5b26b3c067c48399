//! One `topic` or `pattern` line, and the lines that hold for the same clients.
//!
//! A name never makes a rule reach further than its author wrote: names with wildcards are kept
//! from patterns before they come here, and an allowing pattern refuses a name that would add a
//! level or make a `$` topic of an ordinary one.

use std::borrow::Cow;

use super::{Access, Line, Who, filter};

/// The access word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Read,
    Write,
    ReadWrite,
    Deny,
}

impl Grant {
    fn covers(self, access: Access) -> bool {
        match self {
            Self::Read => access == Access::Read,
            Self::Write => access == Access::Write,
            Self::ReadWrite => true,
            Self::Deny => false,
        }
    }
}

/// Which names a filter takes in.
#[derive(Clone, Copy, Debug, Default)]
struct Placeholders {
    client_id: bool,
    username: bool,
}

impl Placeholders {
    fn any(self) -> bool {
        self.client_id || self.username
    }
}

/// A rule with its line.
#[derive(Debug)]
pub(super) struct Rule {
    filter: Box<str>,
    /// Bytes of the filter with which every topic it matches starts.
    literal_bytes: usize,
    placeholders: Placeholders,
    grant: Grant,
    line: Line,
}

impl Rule {
    /// A `topic` line: the filter stands as it is.
    pub(super) fn topic(filter: &str, grant: Grant, line: Line) -> Self {
        Self::new(filter, Placeholders::default(), grant, line)
    }

    /// A `pattern` line: `%c` and `%u` stand for client id and user name.
    pub(super) fn pattern(filter: &str, grant: Grant, line: Line) -> Self {
        let placeholders =
            Placeholders { client_id: filter.contains("%c"), username: filter.contains("%u") };
        Self::new(filter, placeholders, grant, line)
    }

    fn new(filter: &str, placeholders: Placeholders, grant: Grant, line: Line) -> Self {
        let free = |c: char| matches!(c, '+' | '#') || placeholders.any() && c == '%';
        let literal = &filter[..filter.find(free).unwrap_or(filter.len())];
        // `a/#` also matches `a`.
        let literal = literal.strip_suffix('/').unwrap_or(literal);
        Self { filter: filter.into(), literal_bytes: literal.len(), placeholders, grant, line }
    }

    pub(super) fn line(&self) -> Line {
        self.line
    }

    /// Whether the rule speaks of this topic.
    pub(super) fn matches(&self, who: Who<'_>, topic: &str) -> bool {
        topic.as_bytes().starts_with(&self.filter.as_bytes()[..self.literal_bytes])
            && self.filter_for(who).is_some_and(|filter| filter::matches(&filter, topic))
    }

    /// The filter with the client's names in it; `None` when the rule is none for this client.
    pub(super) fn filter_for(&self, who: Who<'_>) -> Option<Cow<'_, str>> {
        if !self.placeholders.any() {
            return Some(Cow::Borrowed(&self.filter));
        }
        let username = match who.username {
            Some(username) => username,
            // An anonymous client has nothing that could stand for `%u`.
            None if self.placeholders.username => return None,
            None => "",
        };
        let used =
            [(self.placeholders.client_id, who.client_id), (self.placeholders.username, username)];
        // `data/%c/#` gives client `a` a branch of its own; a client that calls itself `a/b` would
        // get into it.
        let adds_level = used.iter().any(|&(is_used, name)| is_used && name.contains('/'));
        let filter = substitute(&self.filter, who.client_id, username);
        // A `$` topic needs a rule that names `$`.
        let becomes_reserved = filter.starts_with('$') && !self.filter.starts_with('$');
        if self.grant != Grant::Deny && (adds_level || becomes_reserved) {
            return None;
        }
        Some(Cow::Owned(filter))
    }
}

/// Puts the names in, in one pass: a `%u` within a client id stays what it is.
fn substitute(pattern: &str, client_id: &str, username: &str) -> String {
    let mut filter = String::with_capacity(pattern.len() + client_id.len() + username.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        let (before, from_percent) = rest.split_at(at);
        filter.push_str(before);
        let name = match from_percent.as_bytes().get(1) {
            Some(b'c') => Some(client_id),
            Some(b'u') => Some(username),
            _ => None,
        };
        // Both placeholders are two bytes, a bare percent sign is one.
        let taken = name.map_or(1, |_| 2);
        filter.push_str(name.unwrap_or("%"));
        rest = &from_percent[taken..];
    }
    filter.push_str(rest);
    filter
}

/// The rules that hold for the same clients, denials apart, both in the order of their lines.
#[derive(Debug, Default)]
pub(super) struct RuleSet {
    denies: Vec<Rule>,
    allows: Vec<Rule>,
}

impl RuleSet {
    pub(super) fn push(&mut self, rule: Rule) {
        match rule.grant {
            Grant::Deny => self.denies.push(rule),
            Grant::Read | Grant::Write | Grant::ReadWrite => self.allows.push(rule),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.denies.is_empty() && self.allows.is_empty()
    }

    /// A denial speaks of reading and writing alike.
    pub(super) fn denies(&self) -> &[Rule] {
        &self.denies
    }

    pub(super) fn allows(&self, access: Access) -> impl Iterator<Item = &Rule> {
        self.allows.iter().filter(move |rule| rule.grant.covers(access))
    }
}
