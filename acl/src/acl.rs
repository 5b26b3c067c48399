//! Access control lists: who may read and write which topic.
//!
//! What no rule allows is denied. A deny beats every allow of its kind; a user's own lines come
//! before the patterns, so a user's allow beats a pattern's deny. A topic that starts with `$` needs
//! a line that names it, `$SYS` is never written, and the answer for a filter never promises
//! more than the answers for its topics.

mod filter;
mod parse;
mod rule;
mod verdict;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use crate::file_error::FileError;
use rule::{Rule, RuleSet};
pub use verdict::{NeverReason, Verdict};

/// The client a question is about.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The name it logged in with; `None` is an anonymous client.
    pub username: Option<&'a str>,
    /// Its client identifier, also when the broker assigned it.
    pub client_id: &'a str,
}

impl Who<'_> {
    /// A wildcard in a name would become one in the pattern (CVE-2017-7650). NUL never occurs in
    /// MQTT and is what the verdict calls a level that no rule names.
    fn widens_patterns(&self) -> bool {
        let widens = |name: &str| name.contains(['+', '#', '\0']);
        widens(self.client_id) || self.username.is_some_and(widens)
    }
}

/// What a client wants to do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Receive messages.
    Read,
    /// Publish messages, a will included.
    Write,
}

/// A line of the ACL file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line(pub usize);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.0)
    }
}

/// The rules of one ACL file, or those that hold without one.
#[derive(Debug)]
pub struct Acl {
    /// No file: what has no rule is allowed.
    open: bool,
    anonymous: RuleSet,
    users: HashMap<Box<str>, RuleSet>,
    patterns: RuleSet,
}

/// An answer with the line it comes from; a default has none.
struct Decision {
    allowed: bool,
    line: Option<Line>,
}

impl Acl {
    /// Reads an ACL file; an empty one denies everything.
    ///
    /// # Errors
    /// Every line that is neither empty nor a comment nor a rule.
    pub fn parse(text: &str) -> Result<Self, Vec<FileError>> {
        parse::parse(text)
    }

    /// What holds without an ACL file: everything is allowed except writing `$SYS` and touching
    /// `$CONTROL`, which commands the broker.
    #[must_use]
    pub fn open() -> Self {
        Self { open: true, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            open: false,
            anonymous: RuleSet::default(),
            users: HashMap::new(),
            patterns: RuleSet::default(),
        }
    }

    /// Whether the client may read or write this topic; `topic` is a topic name, without wildcards.
    #[must_use]
    pub fn allows(&self, who: Who<'_>, access: Access, topic: &str) -> bool {
        self.decide(who, access, topic).allowed
    }

    /// The line that allows or denies it; `None` when no line speaks of it, so that the default
    /// decides.
    #[must_use]
    pub fn explain(&self, who: Who<'_>, access: Access, topic: &str) -> Option<Line> {
        self.decide(who, access, topic).line
    }

    fn decide(&self, who: Who<'_>, access: Access, topic: &str) -> Decision {
        if let Some(allowed) = self.without_rules(access, topic) {
            return Decision { allowed, line: None };
        }
        let by = |allowed: bool| move |rule: &Rule| Decision { allowed, line: Some(rule.line()) };
        let rules_of = |rules: &RuleSet| {
            let matches = |rule: &&Rule| rule.matches(who, topic);
            let denied = rules.denies().iter().find(matches).map(by(false));
            denied.or_else(|| rules.allows(access).find(matches).map(by(true)))
        };
        self.user_rules(who)
            .and_then(rules_of)
            .or_else(|| self.patterns_for(who).and_then(rules_of))
            .unwrap_or(Decision { allowed: false, line: None })
    }

    /// The answer where no rule is asked. The same holds for a filter: one that starts with a
    /// wildcard matches no `$` topic [MQTT-4.7.2-1].
    fn without_rules(&self, access: Access, topic: &str) -> Option<bool> {
        if !topic.starts_with('$') {
            return self.open.then_some(true);
        }
        let first_level = topic.split('/').next();
        if access == Access::Write && first_level == Some("$SYS") {
            return Some(false);
        }
        self.open.then_some(first_level != Some("$CONTROL"))
    }

    fn user_rules(&self, who: Who<'_>) -> Option<&RuleSet> {
        match who.username {
            Some(username) => self.users.get(username),
            None => Some(&self.anonymous),
        }
    }

    fn patterns_for(&self, who: Who<'_>) -> Option<&RuleSet> {
        (!self.patterns.is_empty() && !who.widens_patterns()).then_some(&self.patterns)
    }
}
