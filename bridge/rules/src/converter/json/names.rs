//! Names that come again and again are one allocation.
//!
//! Invariant: there are at most [`SLOTS`] of them, none longer than [`LENGTH_MAX`]; a new one
//! displaces whatever had its slot.

use std::sync::Arc;

const SLOTS: usize = 256;
const LENGTH_MAX: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Names {
    slots: Box<[Option<Arc<str>>]>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { slots: vec![None; SLOTS].into() }
    }

    pub(crate) fn intern(&mut self, name: &str) -> Arc<str> {
        if name.len() > LENGTH_MAX {
            return Arc::from(name);
        }
        // FNV-1a: names are short.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let slot = &mut self.slots[(hash ^ (hash >> 16)) as usize % SLOTS];
        match slot {
            Some(known) if **known == *name => Arc::clone(known),
            _ => Arc::clone(slot.insert(Arc::from(name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_again_is_the_same_allocation() {
        let mut names = Names::new();
        let first = names.intern("temperature");
        assert!(Arc::ptr_eq(&first, &names.intern("temperature")));
        for number in 0..10_000 {
            assert_eq!(&*names.intern(&number.to_string()), number.to_string());
        }
        let long = "x".repeat(65);
        assert!(!Arc::ptr_eq(&names.intern(&long), &names.intern(&long)));
    }
}
