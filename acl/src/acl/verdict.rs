//! The answer for a whole filter, given once when a subscription is made.
//!
//! `Always` and `Never` are exact: they are given if and only if the rules say the same of every
//! topic the filter matches. Filters that would take more than a bounded effort are judged topic by
//! topic, which is right for all.

use std::borrow::Cow;
use std::fmt;

use super::filter::Shape;
use super::rule::{Rule, RuleSet};
use super::{Access, Acl, Line, Who};

/// Levels to compare before a filter is left to be judged topic by topic: about a millisecond.
const EFFORT_MAX: usize = 100_000;

/// What the rules say of the topics a filter matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every one is allowed.
    Always,
    /// None is allowed.
    Never,
    /// Some may be, or are: ask for each.
    PerTopic,
}

/// Why nothing that a filter matches is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverReason {
    /// No line allows a topic the filter matches.
    NoRule,
    /// What another line allows, this one denies, perhaps with others.
    Denied(Line),
    /// A wildcard in the user name or client id keeps all patterns from the client.
    WildcardInName,
    /// The topics are the broker's own.
    Reserved,
}

impl fmt::Display for NeverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => write!(f, "no rule allows a topic it matches"),
            Self::Denied(line) => write!(f, "denied by {line}"),
            Self::WildcardInName => {
                write!(f, "user name or client id holds + or #, so no pattern applies")
            }
            Self::Reserved => write!(f, "these topics are the broker's own"),
        }
    }
}

impl Acl {
    /// Whether what a subscription's filter matches may be read; of a shared subscription
    /// (`$share/name/filter`) its filter counts.
    #[must_use]
    pub fn subscription(&self, who: Who<'_>, filter: &str) -> Verdict {
        self.verdict(who, Access::Read, without_share(filter))
    }

    /// Whether what `filter` matches may be read or written.
    #[must_use]
    pub fn verdict(&self, who: Who<'_>, access: Access, filter: &str) -> Verdict {
        if let Some(allowed) = self.without_rules(access, filter) {
            return if allowed { Verdict::Always } else { Verdict::Never };
        }
        Question::new(self, who, access, filter).answer().unwrap_or(Verdict::PerTopic)
    }

    /// Why [`Acl::verdict`] says `Never`; `None` if it does not.
    #[must_use]
    pub fn never_reason(&self, who: Who<'_>, access: Access, filter: &str) -> Option<NeverReason> {
        let filter = if access == Access::Read { without_share(filter) } else { filter };
        if self.verdict(who, access, filter) != Verdict::Never {
            return None;
        }
        if self.without_rules(access, filter).is_some() {
            return Some(NeverReason::Reserved);
        }
        let question = Question::new(self, who, access, filter);
        Some(if let Some(line) = question.first_denial() {
            NeverReason::Denied(line)
        } else if !self.patterns.is_empty() && who.widens_patterns() {
            NeverReason::WildcardInName
        } else {
            NeverReason::NoRule
        })
    }
}

fn without_share(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|named| named.split_once('/'));
    shared.map_or(filter, |(_share_name, filter)| filter)
}

/// A rule as it reads for the client.
struct Candidate<'a> {
    filter: Cow<'a, str>,
    depth: usize,
    line: Line,
}

impl<'a> Candidate<'a> {
    fn new(rule: &'a Rule, who: Who<'_>) -> Option<Self> {
        let filter = rule.filter_for(who)?;
        let depth = filter.split('/').count();
        Some(Self { filter, depth, line: rule.line() })
    }

    fn common<'b>(&'b self, filter: &'b str) -> Option<Shape<'b>> {
        Shape::common(&self.filter, filter)
    }
}

/// The rules of one kind that bear on the question.
#[derive(Default)]
struct Candidates<'a> {
    denies: Vec<Candidate<'a>>,
    allows: Vec<Candidate<'a>>,
}

impl<'a> Candidates<'a> {
    fn new(rules: Option<&'a RuleSet>, who: Who<'_>, access: Access) -> Self {
        rules.map_or_else(Self::default, |rules| Self {
            denies: rules.denies().iter().filter_map(|rule| Candidate::new(rule, who)).collect(),
            allows: rules.allows(access).filter_map(|rule| Candidate::new(rule, who)).collect(),
        })
    }
}

/// One filter, the rules to judge it by, and the effort left.
struct Question<'a> {
    filter: &'a str,
    user: Candidates<'a>,
    patterns: Candidates<'a>,
    depth_max: usize,
}

/// The effort is used up.
struct TooDear;

struct Effort(usize);

impl Effort {
    fn spend(&mut self, levels: usize) -> Result<(), TooDear> {
        self.0 = self.0.checked_sub(levels + 1).ok_or(TooDear)?;
        Ok(())
    }

    /// Whether one of `rules` contains the topics of `shape` with `tail` more levels. One rule must
    /// do it alone: with endlessly many names for a level, several that each lack some do not.
    fn contained(
        &mut self,
        shape: &Shape<'_>,
        tail: usize,
        rules: &[Candidate<'_>],
    ) -> Result<bool, TooDear> {
        for rule in rules {
            self.spend(rule.depth.min(shape.depth() + tail))?;
            if shape.is_within(&rule.filter, tail) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn common<'b>(
        &mut self,
        rule: &'b Candidate<'_>,
        filter: &'b str,
    ) -> Result<Option<Shape<'b>>, TooDear> {
        let shape = rule.common(filter);
        self.spend(shape.as_ref().map_or(0, Shape::depth))?;
        Ok(shape)
    }
}

impl<'a> Question<'a> {
    fn new(acl: &'a Acl, who: Who<'_>, access: Access, filter: &'a str) -> Self {
        let user = Candidates::new(acl.user_rules(who), who, access);
        let patterns = Candidates::new(acl.patterns_for(who), who, access);
        let mut question = Self { filter, user, patterns, depth_max: 0 };
        question.depth_max = question.all().map(|rule| rule.depth).max().unwrap_or(0);
        question
    }

    fn allows(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.user.allows.iter().chain(&self.patterns.allows)
    }

    fn all(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.allows().chain(&self.user.denies).chain(&self.patterns.denies)
    }

    /// The denial that beats the first allow that reaches the filter.
    fn first_denial(&self) -> Option<Line> {
        let shape = self.allows().find_map(|allow| allow.common(self.filter))?;
        let tail = *shape.tails(self.depth_max).start();
        let mut denies = self.user.denies.iter().chain(&self.patterns.denies);
        denies.find(|deny| shape.is_within(&deny.filter, tail)).map(|deny| deny.line)
    }

    fn answer(&self) -> Result<Verdict, TooDear> {
        let mut effort = Effort(EFFORT_MAX);
        if self.is_never(&mut effort)? {
            Ok(Verdict::Never)
        } else if self.is_always(&mut effort)? {
            Ok(Verdict::Always)
        } else {
            Ok(Verdict::PerTopic)
        }
    }

    /// All that the allows have in common with the filter is denied again. A pattern's denial does
    /// not count against a user's allow.
    fn is_never(&self, effort: &mut Effort) -> Result<bool, TooDear> {
        for (allows, by_patterns) in [(&self.user.allows, false), (&self.patterns.allows, true)] {
            for allow in allows {
                let Some(shape) = effort.common(allow, self.filter)? else { continue };
                for tail in shape.tails(self.depth_max) {
                    let denied = effort.contained(&shape, tail, &self.user.denies)?
                        || by_patterns && effort.contained(&shape, tail, &self.patterns.denies)?;
                    if !denied {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// No denial of the user's touches the filter, and an allow contains it: one of the user's, or
    /// one of the patterns' where no pattern denies more than the user is allowed.
    fn is_always(&self, effort: &mut Effort) -> Result<bool, TooDear> {
        for deny in &self.user.denies {
            if effort.common(deny, self.filter)?.is_some() {
                return Ok(false);
            }
        }
        let Some(whole) = Shape::common(self.filter, self.filter) else { return Ok(false) };
        effort.spend(whole.depth())?;
        let mut rests_on_patterns = false;
        for tail in whole.tails(self.depth_max) {
            if effort.contained(&whole, tail, &self.user.allows)? {
                continue;
            }
            rests_on_patterns = true;
            if !effort.contained(&whole, tail, &self.patterns.allows)? {
                return Ok(false);
            }
        }
        if !rests_on_patterns {
            return Ok(true);
        }
        for deny in &self.patterns.denies {
            let Some(shape) = effort.common(deny, self.filter)? else { continue };
            for tail in shape.tails(self.depth_max) {
                if !effort.contained(&shape, tail, &self.user.allows)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
