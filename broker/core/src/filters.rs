//! Topic filters to values: which of many filters match a topic.
//!
//! Filters without wildcards are found by one hash look-up; the others form a tree by level. A
//! filter is in the map exactly as long as it has a value; matching visits at most one node a
//! level and wildcard, without recursion, so that a deep topic cannot exhaust the stack. With very
//! many filters the cost is what has to be fetched from memory, so a node is one line of the
//! processor's cache, and neither a short level nor a filter's only value is anywhere else.

mod level;
mod values;

use hashbrown::HashMap;

use level::Level;
use values::Values;

const ROOT: u32 = 0;
/// The root is nobody's child, so its number can say "none".
const NONE: u32 = 0;

/// Values by topic filter, several for one filter.
#[derive(Debug)]
pub(crate) struct FilterMap<V> {
    exact: HashMap<Box<str>, Values<V>>,
    nodes: Vec<Node<V>>,
    free: Vec<u32>,
    /// Filters with wildcards; without any the tree is not looked at.
    wild: usize,
}

#[derive(Debug)]
#[repr(align(64))]
struct Node<V> {
    /// Most nodes are at the end of a filter and have none.
    children: Option<Box<HashMap<Level, u32>>>,
    plus: u32,
    /// Of filters that end here.
    values: Values<V>,
    /// Of filters that go on with `#`.
    multi: Values<V>,
}

/// Room for a match to keep its place in; reused so that matching does not allocate.
pub(crate) type Visits = Vec<(u32, usize)>;

impl<V> Default for Node<V> {
    fn default() -> Self {
        Node { children: None, plus: NONE, values: Values::None, multi: Values::None }
    }
}

impl<V> Node<V> {
    fn is_empty(&self) -> bool {
        self.children.is_none()
            && self.plus == NONE
            && self.values.is_empty()
            && self.multi.is_empty()
    }
}

impl<V> Default for FilterMap<V> {
    fn default() -> Self {
        FilterMap { exact: HashMap::new(), nodes: vec![Node::default()], free: Vec::new(), wild: 0 }
    }
}

impl<V> FilterMap<V> {
    /// Adds a value to a filter's.
    pub(crate) fn insert(&mut self, filter: &str, value: V) {
        if !filter.contains(['+', '#']) {
            self.exact.entry_ref(filter).or_default().push(value);
            return;
        }
        let mut node = ROOT;
        for level in filter.split('/') {
            if level == "#" {
                let values = &mut self.nodes[node as usize].multi;
                values.push(value);
                self.wild += usize::from(values.len() == 1);
                return;
            }
            node = self.child_or_new(node, level);
        }
        let values = &mut self.nodes[node as usize].values;
        values.push(value);
        self.wild += usize::from(values.len() == 1);
    }

    /// Removes the values of a filter that `gone` picks.
    pub(crate) fn remove(&mut self, filter: &str, mut gone: impl FnMut(&V) -> bool) {
        if !filter.contains(['+', '#']) {
            if let Some(values) = self.exact.get_mut(filter) {
                values.remove(&mut gone);
                if values.is_empty() {
                    self.exact.remove(filter);
                }
            }
            return;
        }
        let mut path = vec![(ROOT, "")];
        for level in filter.split('/') {
            let node = path[path.len() - 1].0;
            if level == "#" {
                break;
            }
            match self.child(node, level) {
                Some(child) => path.push((child, level)),
                None => return,
            }
        }
        let last = &mut self.nodes[path[path.len() - 1].0 as usize];
        let values = if filter.ends_with('#') { &mut last.multi } else { &mut last.values };
        if values.is_empty() {
            return;
        }
        values.remove(&mut gone);
        if values.is_empty() {
            self.wild -= 1;
            self.prune(&path);
        }
    }

    /// The values of one filter, to be changed in place.
    pub(crate) fn values_mut(&mut self, filter: &str) -> &mut [V] {
        if !filter.contains(['+', '#']) {
            return self.exact.get_mut(filter).map_or(&mut [], Values::as_mut_slice);
        }
        let mut node = ROOT;
        for level in filter.split('/') {
            if level == "#" {
                return self.nodes[node as usize].multi.as_mut_slice();
            }
            match self.child(node, level) {
                Some(child) => node = child,
                None => return &mut [],
            }
        }
        self.nodes[node as usize].values.as_mut_slice()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        let wild = self.nodes.iter().map(|node| node.values.len() + node.multi.len());
        self.exact.values().map(Values::len).chain(wild).sum()
    }

    /// Calls `found` with every value whose filter matches `topic` (4.7).
    pub(crate) fn visit<'a>(
        &'a self,
        topic: &str,
        visits: &mut Visits,
        mut found: impl FnMut(&'a V),
    ) {
        if let Some(values) = self.exact.get(topic) {
            values.as_slice().iter().for_each(&mut found);
        }
        if self.wild == 0 {
            return;
        }
        // [MQTT-4.7.2-1]: a leading wildcard leaves out topics that begin with '$'.
        let reserved = topic.starts_with('$');
        visits.clear();
        // The second part is where the next level starts; beyond the end: no level is left.
        visits.push((ROOT, 0));
        while let Some((number, at)) = visits.pop() {
            let node = &self.nodes[number as usize];
            let wildcards = !(reserved && at == 0);
            if wildcards {
                node.multi.as_slice().iter().for_each(&mut found);
            }
            if at > topic.len() {
                node.values.as_slice().iter().for_each(&mut found);
                continue;
            }
            let rest = &topic[at..];
            let level = rest.split_once('/').map_or(rest, |(level, _)| level);
            let next = at + level.len() + 1;
            if wildcards && node.plus != NONE {
                visits.push((node.plus, next));
            }
            if let Some(child) = node.children.as_ref().and_then(|children| children.get(level)) {
                visits.push((*child, next));
            }
        }
    }

    fn child(&self, node: u32, level: &str) -> Option<u32> {
        let node = &self.nodes[node as usize];
        match level {
            "+" => (node.plus != NONE).then_some(node.plus),
            _ => node.children.as_ref()?.get(level).copied(),
        }
    }

    fn child_or_new(&mut self, node: u32, level: &str) -> u32 {
        if let Some(child) = self.child(node, level) {
            return child;
        }
        let child = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() as u32 - 1
        });
        let node = &mut self.nodes[node as usize];
        if level == "+" {
            node.plus = child;
        } else {
            node.children.get_or_insert_default().insert(Level::new(level), child);
        }
        child
    }

    /// Frees the nodes at the end of a path that hold nothing any more.
    fn prune(&mut self, path: &[(u32, &str)]) {
        for step in path.windows(2).rev() {
            let ((parent, _), (node, level)) = (step[0], step[1]);
            if !self.nodes[node as usize].is_empty() {
                return;
            }
            self.nodes[node as usize] = Node::default();
            self.free.push(node);
            let parent = &mut self.nodes[parent as usize];
            if level == "+" {
                parent.plus = NONE;
            } else if let Some(children) = &mut parent.children {
                children.remove(level);
                if children.is_empty() {
                    parent.children = None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use midge_codec::{TopicFilter, TopicName};
    use proptest::prelude::*;

    fn matches(map: &FilterMap<usize>, topic: &str) -> Vec<usize> {
        let mut found = Vec::new();
        map.visit(topic, &mut Visits::new(), |value| found.push(*value));
        found.sort_unstable();
        found
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("a"), Just("b"), Just(""), Just("$s"), Just("é")]
    }

    fn filter() -> impl Strategy<Value = String> {
        let step = prop_oneof![3 => level(), 1 => Just("+")];
        (prop::collection::vec(step, 1..4), any::<bool>())
            .prop_map(|(levels, multi)| levels.join("/") + if multi { "/#" } else { "" })
            .prop_filter("not empty", |filter| !filter.is_empty())
    }

    fn topic() -> impl Strategy<Value = String> {
        prop::collection::vec(level(), 1..5)
            .prop_map(|levels| levels.join("/"))
            .prop_filter("not empty", |topic| !topic.is_empty())
    }

    proptest! {
        #[test]
        fn finds_what_each_filter_alone_matches(
            filters in prop::collection::vec(filter(), 0..12),
            removed in prop::collection::vec(any::<bool>(), 12),
            topic in topic(),
        ) {
            let mut map = FilterMap::default();
            for (number, filter) in filters.iter().enumerate() {
                map.insert(filter, number);
            }
            let mut expected = Vec::new();
            for (number, filter) in filters.iter().enumerate() {
                if removed[number] {
                    map.remove(filter, |value| *value == number);
                } else if TopicFilter::try_from(filter.as_str())
                    .unwrap()
                    .matches(&TopicName::try_from(topic.as_str()).unwrap())
                {
                    expected.push(number);
                }
            }
            prop_assert_eq!(matches(&map, &topic), expected);
        }

        #[test]
        fn nothing_is_left_when_all_filters_are_gone(
            filters in prop::collection::vec(filter(), 0..12),
        ) {
            let mut map = FilterMap::default();
            for (number, filter) in filters.iter().enumerate() {
                map.insert(filter, number);
            }
            for (number, filter) in filters.iter().enumerate() {
                map.remove(filter, |value| *value == number);
            }
            prop_assert_eq!(map.wild, 0);
            prop_assert!(map.exact.is_empty());
            prop_assert!(map.nodes[0].is_empty());
            prop_assert_eq!(map.free.len(), map.nodes.len() - 1);
        }
    }

    #[test]
    fn a_node_is_one_line_of_the_cache() {
        // As large as what the shard keeps of a subscription.
        assert_eq!(size_of::<Node<[u32; 4]>>(), 64);
    }

    #[test]
    fn a_very_deep_topic_is_matched_without_recursion() {
        let mut map = FilterMap::default();
        map.insert("+/#", 1);
        map.insert(&vec!["+"; 30_000].join("/"), 2);
        assert_eq!(matches(&map, &vec!["x"; 30_000].join("/")), [1, 2]);
    }
}
