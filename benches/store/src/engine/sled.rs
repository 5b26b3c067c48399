//! sled: one tree, a batch a commit, and `flush`, which is its word for durable.

use std::path::Path;

use super::{Engine, Outcome, key, place};
use crate::workload::{Commit, Place};

struct Opened(sled::Db);

pub(super) fn open(directory: &Path) -> Outcome<Box<dyn Engine>> {
    Ok(Box::new(Opened(sled::open(directory)?)))
}

impl Engine for Opened {
    fn commit(&mut self, commit: &Commit) -> Outcome<()> {
        let mut batch = sled::Batch::default();
        for (at, payload) in &commit.added {
            batch.insert(&key(*at), &payload[..]);
        }
        for at in &commit.deleted {
            batch.remove(&key(*at));
        }
        self.0.apply_batch(batch)?;
        self.0.flush()?;
        Ok(())
    }

    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()> {
        for found in self.0.iter() {
            let (key, payload) = found?;
            show(place(&key)?, &payload);
        }
        Ok(())
    }
}
