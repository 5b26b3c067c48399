//! Passwords that were right: a reconnect need not pay for its hash again.
//!
//! What is kept is an HMAC under a key of this process over user, stored hash and password, so a
//! dump of it tells nothing without the key, a wrong password never hits, and a changed line of the
//! file stops hitting at once. It holds at most `capacity` entries; the oldest makes room.

use std::collections::{HashSet, VecDeque};

use aws_lc_rs::hmac;

use super::hash::Hash;

/// Bytes of an HMAC-SHA256.
const TAG_BYTES: usize = 32;

type Tag = [u8; TAG_BYTES];

/// A bounded memory of successful checks.
pub struct VerifiedCache {
    key: hmac::Key,
    capacity: usize,
    tags: HashSet<Tag>,
    oldest_first: VecDeque<Tag>,
}

impl VerifiedCache {
    /// An empty cache; `process_key` is drawn at random when the process starts and kept nowhere
    /// else.
    #[must_use]
    pub fn new(process_key: &[u8; TAG_BYTES], capacity: usize) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, process_key),
            capacity,
            tags: HashSet::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Whether this password was right for this user and this stored hash.
    #[must_use]
    pub fn lookup(&self, user: &str, hash: &Hash, password: &[u8]) -> bool {
        // Comparing tags in variable time is harmless: nobody without the key can choose one.
        self.tags.contains(&self.tag(user, hash, password))
    }

    /// Remembers that [`Hash::verify`] said yes.
    pub fn insert(&mut self, user: &str, hash: &Hash, password: &[u8]) {
        let tag = self.tag(user, hash, password);
        if self.capacity == 0 || self.tags.contains(&tag) {
            return;
        }
        if self.oldest_first.len() == self.capacity
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.tags.remove(&oldest);
        }
        self.tags.insert(tag);
        self.oldest_first.push_back(tag);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.oldest_first.clear();
    }

    /// How many successes are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// The user's length goes first and the fingerprint has a fixed one, so that no two triples
    /// give the same bytes.
    fn tag(&self, user: &str, hash: &Hash, password: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(&hash.fingerprint());
        context.update(password);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}
