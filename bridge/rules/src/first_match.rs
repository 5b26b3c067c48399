//! Topics and filters of which only the first that matches a message counts.
//!
//! Invariant: whatever a list holds, a message has one target at most. A topic that is named outright
//! goes before every filter; filters go in the order in which they were listed.

use std::collections::HashMap;

use midge_codec::{TopicFilter, TopicName};

/// A list of topics and filters, each with the number of its target.
#[derive(Clone, Debug, Default)]
pub struct FirstMatch {
    named: HashMap<String, usize>,
    filters: Vec<(TopicFilter, usize)>,
}

/// What a message's topic has met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its target.
    pub target: usize,
    /// The place of the filter among the filters; `None`: the topic is named outright.
    pub filter: Option<usize>,
}

impl FirstMatch {
    /// A list. Of a topic that is named twice the first counts.
    #[must_use]
    pub fn new(
        named: impl IntoIterator<Item = (TopicName, usize)>,
        filters: impl IntoIterator<Item = (TopicFilter, usize)>,
    ) -> FirstMatch {
        let mut list = FirstMatch { named: HashMap::new(), filters: Vec::new() };
        for (mqtt_topic, target) in named {
            list.named.entry(mqtt_topic.as_str().to_owned()).or_insert(target);
        }
        list.filters.extend(filters);
        list
    }

    /// What a topic meets first.
    #[must_use]
    pub fn meet(&self, mqtt_topic: &TopicName) -> Option<Met> {
        if let Some(&target) = self.named.get(mqtt_topic.as_str()) {
            return Some(Met { target, filter: None });
        }
        let mut filters = self.filters.iter();
        let place = filters.position(|(filter, _)| filter.matches(mqtt_topic))?;
        Some(Met { target: self.filters[place].1, filter: Some(place) })
    }

    /// The places of filters behind this one that match as well, and get nothing.
    pub fn behind(
        &self,
        place: usize,
        mqtt_topic: &TopicName,
    ) -> impl Iterator<Item = usize> + use<'_> {
        let mqtt_topic = mqtt_topic.clone();
        let behind = self.filters.iter().enumerate().skip(place + 1);
        behind.filter(move |(_, (filter, _))| filter.matches(&mqtt_topic)).map(|(place, _)| place)
    }

    /// The filter at a place.
    #[must_use]
    pub fn filter(&self, place: usize) -> &TopicFilter {
        &self.filters[place].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::try_from(text).unwrap()
    }

    fn list() -> FirstMatch {
        let filter = |text| TopicFilter::try_from(text).unwrap();
        FirstMatch::new(
            [(topic("default/a/mqtt"), 0), (topic("plain"), 1), (topic("plain"), 2)],
            [(filter("default/+/mqtt"), 3), (filter("default/kc/#"), 4), (filter("default/#"), 5)],
        )
    }

    #[test]
    fn the_first_that_is_listed_counts_and_a_named_topic_before_all() {
        let met = |text| list().meet(&topic(text)).map(|met| (met.target, met.filter));
        assert_eq!(met("default/a/mqtt"), Some((0, None)));
        assert_eq!(met("plain"), Some((1, None)));
        assert_eq!(met("default/kc/mqtt"), Some((3, Some(0))));
        assert_eq!(met("default/kc/x/y"), Some((4, Some(1))));
        assert_eq!(met("default/kc"), Some((4, Some(1))));
        assert_eq!(met("default"), Some((5, Some(2))));
        assert_eq!(met("other"), None);
        assert_eq!(met("$SYS/x"), None);
    }

    #[test]
    fn filters_that_match_as_well_are_those_behind_the_first() {
        let list = list();
        let behind = |text: &str| {
            let met = list.meet(&topic(text)).unwrap();
            met.filter.map(|place| list.behind(place, &topic(text)).collect::<Vec<_>>())
        };
        assert_eq!(behind("default/kc/mqtt"), Some(vec![1, 2]));
        assert_eq!(behind("default/kc/x"), Some(vec![2]));
        assert_eq!(behind("default/x"), Some(vec![]));
        assert_eq!(behind("plain"), None);
        assert_eq!(list.filter(1).filter(), "default/kc/#");
    }
}
