//! redb: one table, a write transaction a commit, durable at once as is its default.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Engine, Outcome};
use crate::workload::{Commit, Place};

const MESSAGES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("messages");

struct Opened(Database);

pub(super) fn open(directory: &Path) -> Outcome<Box<dyn Engine>> {
    let opened = Opened(Database::create(directory.join("messages.redb"))?);
    // There is a table to read from even before the first commit.
    opened.write(&Commit::default())?;
    Ok(Box::new(opened))
}

impl Opened {
    fn write(&self, commit: &Commit) -> Outcome<()> {
        let transaction = self.0.begin_write()?;
        let mut messages = transaction.open_table(MESSAGES)?;
        for (at, payload) in &commit.added {
            messages.insert((at.queue, at.position), &payload[..])?;
        }
        for at in &commit.deleted {
            messages.remove((at.queue, at.position))?;
        }
        drop(messages);
        Ok(transaction.commit()?)
    }
}

impl Engine for Opened {
    fn commit(&mut self, commit: &Commit) -> Outcome<()> {
        self.write(commit)
    }

    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()> {
        let messages = self.0.begin_read()?.open_table(MESSAGES)?;
        for found in messages.iter()? {
            let (key, payload) = found?;
            let (queue, position) = key.value();
            show(Place { queue, position }, payload.value());
        }
        Ok(())
    }
}
