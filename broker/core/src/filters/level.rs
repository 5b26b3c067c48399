//! One level of a filter as a key: in place when it is short, as almost all are.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

/// Bytes that fit in place: as many as make the key as large as one that points elsewhere.
const SHORT_BYTES: usize = 22;

#[derive(Debug)]
pub(super) enum Level {
    Short { length: u8, bytes: [u8; SHORT_BYTES] },
    Long(Box<[u8]>),
}

impl Level {
    pub(super) fn new(level: &str) -> Level {
        let mut bytes = [0; SHORT_BYTES];
        match bytes.get_mut(..level.len()) {
            Some(place) => {
                place.copy_from_slice(level.as_bytes());
                Level::Short { length: level.len() as u8, bytes }
            }
            None => Level::Long(level.as_bytes().into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Level::Short { length, bytes } => &bytes[..usize::from(*length)],
            Level::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Level {
    fn eq(&self, other: &Level) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Level {}

impl Hash for Level {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As a `str` does, which is what levels are looked up by.
        state.write(self.as_bytes());
        state.write_u8(0xff);
    }
}

impl Equivalent<Level> for str {
    fn equivalent(&self, key: &Level) -> bool {
        self.as_bytes() == key.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_level_is_found_by_its_characters_whatever_its_length() {
        let hashing = hashbrown::DefaultHashBuilder::default();
        for length in [0, 1, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1, 65_535] {
            let text = "x".repeat(length);
            let level = Level::new(&text);
            assert!(text.as_str().equivalent(&level) && level == Level::new(&text));
            assert!(!"y".equivalent(&level));
            assert_eq!(hashing.hash_one(&level), hashing.hash_one(text.as_str()));
        }
        assert!(size_of::<Level>() <= 24);
    }
}
