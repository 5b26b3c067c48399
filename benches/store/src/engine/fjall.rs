//! fjall: one keyspace, a batch a commit, synced with it.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Engine, Outcome, key, place};
use crate::workload::{Commit, Place};

struct Opened {
    database: Database,
    messages: Keyspace,
}

pub(super) fn open(directory: &Path) -> Outcome<Box<dyn Engine>> {
    let database = Database::builder(directory).open()?;
    let messages = database.keyspace("messages", KeyspaceCreateOptions::default)?;
    Ok(Box::new(Opened { database, messages }))
}

impl Engine for Opened {
    fn commit(&mut self, commit: &Commit) -> Outcome<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (at, payload) in &commit.added {
            batch.insert(&self.messages, key(*at), payload);
        }
        for at in &commit.deleted {
            batch.remove(&self.messages, key(*at));
        }
        Ok(batch.commit()?)
    }

    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()> {
        for found in self.messages.iter() {
            let (key, payload) = found.into_inner()?;
            show(place(&key)?, &payload);
        }
        Ok(())
    }
}
