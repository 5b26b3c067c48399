//! SQLite: a table without row ids, write-ahead log, synchronous = FULL.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Engine, Outcome};
use crate::workload::{Commit, Place};

struct Opened(Connection);

pub(super) fn open(directory: &Path) -> Outcome<Box<dyn Engine>> {
    let connection = Connection::open(directory.join("messages.db"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS messages (queue INTEGER, position INTEGER, payload BLOB, \
         PRIMARY KEY (queue, position)) WITHOUT ROWID",
        [],
    )?;
    Ok(Box::new(Opened(connection)))
}

impl Engine for Opened {
    fn commit(&mut self, commit: &Commit) -> Outcome<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO messages VALUES (?, ?, ?)")?;
            for (at, payload) in &commit.added {
                insert.execute(params![at.queue as i64, at.position as i64, &payload[..]])?;
            }
            let sql = "DELETE FROM messages WHERE queue = ? AND position = ?";
            let mut delete = transaction.prepare_cached(sql)?;
            for at in &commit.deleted {
                delete.execute(params![at.queue as i64, at.position as i64])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()> {
        let mut all = self.0.prepare("SELECT queue, position, payload FROM messages")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (queue, position): (i64, i64) = (row.get(0)?, row.get(1)?);
            let at = Place { queue: queue as u64, position: position as u64 };
            show(at, row.get_ref(2)?.as_blob()?);
        }
        Ok(())
    }
}
