//! What each engine is asked to do, in its own terms.
//!
//! `commit` returns when the engine says that the commit is on the disk. Everything not named in an
//! engine's module is left as its authors ship it.

use std::error::Error;
use std::path::Path;

use crate::workload::{Commit, Place};

mod fjall;
mod journal;
mod redb;
mod sled;
mod sqlite;

/// Whatever went wrong inside an engine.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A store of queues.
pub(crate) trait Engine {
    /// Makes a commit durable.
    fn commit(&mut self, commit: &Commit) -> Outcome<()>;
    /// Shows every message that is kept.
    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()>;
}

/// Opens the engine with this name in a directory.
type Open = fn(&Path) -> Outcome<Box<dyn Engine>>;

/// An engine that can be measured.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) open: Open,
}

/// Those of the comparison, ours first.
pub(crate) const KINDS: [Kind; 5] = [
    Kind { name: "journal", open: |path| journal::open(path, midge_store::Durability::Fsync) },
    Kind { name: "sled 0.34", open: sled::open },
    Kind { name: "fjall 3", open: fjall::open },
    Kind { name: "redb 4", open: redb::open },
    Kind { name: "SQLite", open: sqlite::open },
];

/// Acknowledges before the disk has it: what proves that a power cut is noticed.
pub(crate) const CONTROL: Kind = Kind {
    name: "journal, durability = os",
    open: |path| journal::open(path, midge_store::Durability::Os),
};

/// The engine with this name.
pub(crate) fn named(name: &str) -> Option<Kind> {
    KINDS.into_iter().chain([CONTROL]).find(|kind| kind.name == name)
}

/// Sorts by queue, then by position.
fn key(at: Place) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&at.queue.to_be_bytes());
    key[8..].copy_from_slice(&at.position.to_be_bytes());
    key
}

fn place(key: &[u8]) -> Outcome<Place> {
    let (queue, position) = key.split_first_chunk().ok_or("a key that is too short")?;
    let position = position.try_into()?;
    Ok(Place { queue: u64::from_be_bytes(*queue), position: u64::from_be_bytes(position) })
}
