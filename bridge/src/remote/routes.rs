//! Which filters are subscribed with on which connection, and which rules a message fires there.
//!
//! Invariant: every rule takes a message that its filters match exactly once. A broker may deliver a
//! message once for each of a connection's overlapping subscriptions, or once for all of them
//! [MQTT-3.3.5-1], and MQTT 3.1.1 does not tell which it was. So the subscriptions of one connection
//! never overlap: a filter that another one covers is left out, what still overlaps is subscribed
//! with on a connection of its own, and the rules of a message are found here.

use std::str::Split;

use midge_codec::{TopicFilter, TopicName};

/// What each connection subscribes with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    subscriptions: Vec<Vec<TopicFilter>>,
}

/// A rule's filters, and whose connection brings what they match.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed(Vec<(TopicFilter, usize)>);

impl Routes {
    /// For rules with these filters.
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a [TopicFilter]>) -> Routes {
        // What everybody gets comes before what is shared: a rule that has both must not wait for a
        // message that another member of the group was given.
        let (plain, shared): (Vec<_>, Vec<_>) =
            rules.flatten().partition(|filter| filter.share_name().is_none());
        let all: Vec<&TopicFilter> = plain.into_iter().chain(shared).collect();
        let mut subscriptions: Vec<Vec<TopicFilter>> = Vec::new();
        for (place, filter) in all.iter().enumerate() {
            let needless = all.iter().enumerate().any(|(other_place, other)| {
                // Of equal ones the first stays.
                other_place != place
                    && covers(other, filter)
                    && (other_place < place || !covers(filter, other))
            });
            if needless {
                continue;
            }
            let free = |used: &&mut Vec<TopicFilter>| !used.iter().any(|one| meet(one, filter));
            match subscriptions.iter_mut().find(free) {
                Some(connection) => connection.push((*filter).clone()),
                None => subscriptions.push(vec![(*filter).clone()]),
            }
        }
        Routes { subscriptions }
    }

    /// What each connection subscribes with.
    pub(crate) fn subscriptions(&self) -> &[Vec<TopicFilter>] {
        &self.subscriptions
    }

    /// Where the filters of a rule have come to.
    pub(crate) fn place(&self, filters: &[TopicFilter]) -> Placed {
        let placed = filters.iter().filter_map(|filter| {
            let mut connections = self.subscriptions.iter();
            let connection = connections.position(|of| of.iter().any(|one| covers(one, filter)))?;
            Some((filter.clone(), connection))
        });
        Placed(placed.collect())
    }
}

impl Placed {
    /// Whether the rule takes a message of a topic that has come on this connection.
    pub(crate) fn takes(&self, connection: usize, topic: &TopicName) -> bool {
        let matching = self.0.iter().filter(|(filter, _)| filter.matches(topic));
        matching.map(|(_, connection)| *connection).min() == Some(connection)
    }
}

/// Whether the subscription of one filter brings everything that the other's would.
fn covers(one: &TopicFilter, other: &TopicFilter) -> bool {
    if one.share_name() != other.share_name() || hides(one, other) {
        return false;
    }
    let (mut one, mut other) = levels(one, other);
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(expected), Some(level)) if expected == level => {}
            _ => return false,
        }
    }
}

/// Whether a topic could match both.
fn meet(one: &TopicFilter, other: &TopicFilter) -> bool {
    if hides(one, other) || hides(other, one) {
        return false;
    }
    let (mut one, mut other) = levels(one, other);
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(level), Some(another)) if level == another || level == "+" || another == "+" => {}
            _ => return false,
        }
    }
}

/// A leading wildcard leaves out topics that begin with `$` [MQTT-4.7.2-1].
fn hides(one: &TopicFilter, other: &TopicFilter) -> bool {
    one.filter().starts_with(['+', '#']) && other.filter().starts_with('$')
}

type Levels<'a> = Split<'a, char>;

fn levels<'a>(one: &'a TopicFilter, other: &'a TopicFilter) -> (Levels<'a>, Levels<'a>) {
    (one.filter().split('/'), other.filter().split('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).expect(text)
    }

    fn routes(rules: &[&[&str]]) -> (Routes, Vec<Placed>) {
        let rules: Vec<Vec<TopicFilter>> =
            rules.iter().map(|texts| texts.iter().map(|text| filter(text)).collect()).collect();
        let routes = Routes::new(rules.iter().map(Vec::as_slice));
        let placed = rules.iter().map(|filters| routes.place(filters)).collect();
        (routes, placed)
    }

    fn shown((routes, _): &(Routes, Vec<Placed>)) -> Vec<Vec<String>> {
        let shown = |filters: &Vec<TopicFilter>| filters.iter().map(ToString::to_string).collect();
        routes.subscriptions().iter().map(shown).collect()
    }

    /// Connection and rule of every firing.
    fn fired((routes, rules): &(Routes, Vec<Placed>), topic: &str) -> Vec<(usize, usize)> {
        let topic = TopicName::try_from(topic).expect(topic);
        let mut fired = Vec::new();
        for (connection, filters) in routes.subscriptions().iter().enumerate() {
            let copies = filters.iter().filter(|filter| filter.matches(&topic)).count();
            assert!(copies <= 1, "{topic} comes {copies} times on connection {connection}");
            if copies == 1 {
                let rules = rules.iter().enumerate();
                let takes = rules.filter(|(_, rule)| rule.takes(connection, &topic));
                fired.extend(takes.map(|(rule, _)| (connection, rule)));
            }
        }
        fired
    }

    #[test]
    fn a_filter_that_another_covers_is_not_subscribed_with_and_both_rules_fire() {
        let routes = routes(&[&["a/b"], &["a/#"], &["c"], &["a/b"], &["a"]]);
        assert_eq!(shown(&routes), [["a/#", "c"]]);
        assert_eq!(fired(&routes, "a/b"), [(0, 0), (0, 1), (0, 3)]);
        assert_eq!(fired(&routes, "a"), [(0, 1), (0, 4)]);
        assert_eq!(fired(&routes, "c"), [(0, 2)]);
        assert_eq!(fired(&routes, "d"), []);
    }

    #[test]
    fn filters_that_overlap_without_covering_have_connections_of_their_own() {
        let apart = routes(&[&["a/+"], &["+/b"], &["a/b"]]);
        assert_eq!(shown(&apart), [["a/+"], ["+/b"]]);
        assert_eq!(fired(&apart, "a/b"), [(0, 0), (0, 2), (1, 1)]);
        assert_eq!(fired(&apart, "c/b"), [(1, 1)]);
        // One rule takes the message once, wherever it comes.
        let together = routes(&[&["a/+", "+/b"]]);
        assert_eq!(shown(&together), [["a/+"], ["+/b"]]);
        assert_eq!(fired(&together, "a/b"), [(0, 0)]);
        assert_eq!(fired(&together, "c/b"), [(1, 0)]);
    }

    #[test]
    fn what_is_shared_stands_for_itself_and_comes_after_what_is_not() {
        let routes = routes(&[&["$share/g/a/#"], &["$share/g/a/b"], &["a/b"]]);
        assert_eq!(shown(&routes), [["a/b"], ["$share/g/a/#"]]);
        assert_eq!(fired(&routes, "a/b"), [(0, 2), (1, 0), (1, 1)]);
        assert_eq!(fired(&routes, "a/c"), [(1, 0)]);
    }

    #[test]
    fn a_leading_wildcard_neither_covers_nor_meets_topics_of_the_broker() {
        let routes = routes(&[&["#"], &["$SYS/#"], &["+/x"]]);
        assert_eq!(shown(&routes), [["#", "$SYS/#"]]);
        assert_eq!(fired(&routes, "$SYS/x"), [(0, 1)]);
        assert_eq!(fired(&routes, "a/x"), [(0, 0), (0, 2)]);
    }

    /// Every text of up to this many levels.
    fn texts(levels: &[&str], depth: usize) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut last = vec![String::new()];
        for level in 0..depth {
            let longer = last.iter().flat_map(|text| {
                levels.iter().map(move |part| match level {
                    0 => (*part).to_owned(),
                    _ => format!("{text}/{part}"),
                })
            });
            last = longer.collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn filters_cover_and_meet_as_the_topics_they_match_do() {
        let filters = texts(&["a", "$", "+", "#", ""], 3);
        let filters: Vec<TopicFilter> =
            filters.iter().filter_map(|text| TopicFilter::try_from(text.as_str()).ok()).collect();
        // A level more than filters have, and a name that no filter has.
        let topics = texts(&["a", "$", "b", ""], 4);
        let topics: Vec<TopicName> =
            topics.iter().filter_map(|text| TopicName::try_from(text.as_str()).ok()).collect();
        let matches = |filter: &TopicFilter| -> Vec<bool> {
            topics.iter().map(|topic| filter.matches(topic)).collect()
        };
        let matched: Vec<Vec<bool>> = filters.iter().map(matches).collect();
        assert!(filters.len() > 80 && topics.len() > 300);
        for (one, by_one) in filters.iter().zip(&matched) {
            for (other, by_other) in filters.iter().zip(&matched) {
                let both = by_one.iter().zip(by_other);
                let meets = both.clone().any(|(one, other)| *one && *other);
                // The topic that `/#` and `+` have in common is empty, which no topic is.
                let empty = [one, other].iter().any(|filter| filter.filter() == "/#");
                assert!(meet(one, other) == meets || (empty && !meets), "{one} meets {other}");
                let includes = both.clone().all(|(one, other)| *one || !*other);
                let covered = covers(one, other);
                // `+/#` is `#` in other words: the other way round it is covered.
                let same = by_one == by_other && covers(other, one);
                assert!(
                    covered == includes || (includes && (same || empty)),
                    "{one} covers {other}"
                );
            }
        }
    }
}
