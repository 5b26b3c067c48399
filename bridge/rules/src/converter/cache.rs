//! Bounded maps: what does not fit takes the place of another entry.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use indexmap::{Equivalent, IndexMap};

use crate::connect::SchemaRef;

/// How many schemas are known by their identity at most.
const FAMILIAR_MAX: usize = 512;

/// What is known of a schema by its identity, without a look into it.
///
/// Invariant: a slot keeps the schema that it is about, so nothing else has its address meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Familiar<V> {
    slots: Box<[Option<(SchemaRef, V)>]>,
}

impl<V: Clone> Familiar<V> {
    /// At most `limit` schemas, and one at least.
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: vec![None; limit.clamp(1, FAMILIAR_MAX)].into() }
    }

    pub(super) fn find(&self, schema: &SchemaRef) -> Option<&V> {
        let (known, value) = self.slots[self.slot(schema)].as_ref()?;
        Arc::ptr_eq(known, schema).then_some(value)
    }

    pub(super) fn insert(&mut self, schema: &SchemaRef, value: V) {
        self.slots[self.slot(schema)] = Some((Arc::clone(schema), value));
    }

    fn slot(&self, schema: &SchemaRef) -> usize {
        // Fibonacci hashing: allocations of one size lie in rows.
        let address = Arc::as_ptr(schema).addr() as u64;
        let mixed = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize % self.slots.len()
    }
}

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
    use std::sync::Arc;

    use super::{Cache, Familiar};
    use crate::connect::{Kind, Schema};

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

    #[test]
    fn a_schema_is_familiar_by_its_identity_alone() {
        let schemas: Vec<_> = (0..100).map(|_| Arc::new(Schema::new(Kind::String))).collect();
        let mut familiar = Familiar::new(64);
        for (number, schema) in schemas.iter().enumerate() {
            assert_eq!(familiar.find(schema), None, "others are equal, and not the same");
            familiar.insert(schema, number);
            assert_eq!(familiar.find(schema), Some(&number));
        }
        let known = schemas.iter().filter(|schema| familiar.find(schema).is_some()).count();
        assert!((1..=64).contains(&known), "{known}");
        assert!(Familiar::<()>::new(0).slots.len() == 1);
    }
}
