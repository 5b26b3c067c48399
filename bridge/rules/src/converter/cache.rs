//! A bounded map: what does not fit takes the place of another entry, in turn.

use std::borrow::Borrow;
use std::hash::Hash;

use indexmap::{Equivalent, IndexMap};

#[derive(Debug, Clone)]
pub(super) struct Cache<K, V> {
    entries: IndexMap<K, V>,
    limit: usize,
    /// Whose place the next one takes.
    victim: usize,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: IndexMap::new(), limit, victim: 0 }
    }

    pub(super) fn find<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.limit == 0 {
            return;
        }
        if self.entries.len() >= self.limit && !self.entries.contains_key(&key) {
            self.victim %= self.entries.len();
            self.entries.swap_remove_index(self.victim);
            self.victim += 1;
        }
        self.entries.insert(key, value);
    }

    pub(super) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.entries.swap_remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn a_full_cache_gives_up_one_entry_for_a_new_one() {
        let mut cache = Cache::new(3);
        for number in 0..100 {
            cache.insert(number, number);
            assert_eq!(cache.find(&number), Some(&number));
        }
        assert_eq!((0..100).filter(|number| cache.find(number).is_some()).count(), 3);
        cache.insert(99, 0);
        assert_eq!(cache.remove(&99), Some(0));
        let mut none = Cache::new(0);
        none.insert(1, 1);
        assert_eq!(none.find(&1), None);
    }
}
