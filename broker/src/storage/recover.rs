//! What the journal holds, sorted to those it belongs to.
//!
//! Invariant: nothing is cleared on the word of a record that could not be read. While a session
//! cannot be read, queues and subscriptions that seem to have no owner may be its own.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use midge_bridge::Kept;
use midge_core::stored::{Recovery, Restored};
use midge_core::{Memory, Now, Operation, QueueId};
use midge_store::{LoadError, Store};
use tracing::{error, info, warn};

use super::{Opened, StorageError, queue_summary};

/// A store that runs, and what was in it.
pub(crate) struct Recovered {
    pub(crate) store: Store,
    /// One a shard.
    pub(crate) restored: Vec<Restored>,
    /// The bridge's.
    pub(crate) kept: Kept,
}

/// Reads everything but the messages, clears what nobody owns, and starts the store.
///
/// # Errors
/// What the disk refused. Damage is none: it is logged, and the start goes on.
pub(crate) fn recover(
    mut opened: Opened,
    now: Now,
    shards: usize,
    memory: &Arc<Memory>,
) -> Result<Recovered, StorageError> {
    let (mut recovery, mut kept) = (Recovery::default(), Kept::default());
    let mut damaged = u64::from(opened.damaged);
    if opened.damaged {
        recovery.damaged();
    }
    for found in opened.journal.keyed(b"") {
        let (key, value) = match found {
            Ok(found) => found,
            // The store has said where.
            Err(LoadError::Damaged { .. }) => {
                damaged += 1;
                continue;
            }
            Err(source) => {
                return Err(StorageError::Read { directory: opened.directory, source });
            }
        };
        match recovery.keyed(now, &key, value.clone()) {
            Ok(true) => {}
            Ok(false) => keep(&mut kept, &key, &value),
            Err(why) => {
                damaged += 1;
                error!(
                    "store: the record of {} cannot be read and is left where it is: {why}",
                    shown(&key)
                );
            }
        }
    }
    for (id, summary) in opened.journal.queues() {
        let queue = QueueId(id.0);
        match id.0 >> 63 {
            0 => recovery.queue(queue, queue_summary(&summary)),
            _ => kept.queues.push((queue, summary)),
        }
    }
    let (restored, clear) = recovery.finish(now, shards, memory);
    let ownerless = Ownerless::of(&opened, &clear);
    if damaged == 0 {
        if ownerless.messages > 0 {
            warn!("store: {ownerless} belong to no session and are cleared");
        }
        opened.write(clear)?;
    } else if !clear.is_empty() {
        warn!(
            "store: {} records, with them {ownerless}, seem to have no owner, they stay since \
             others are damaged",
            clear.len()
        );
    }
    say(&opened, &restored);
    let store = Store::start(opened.journal)?;
    Ok(Recovered { store, restored, kept })
}

/// What waits in queues that no session has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ownerless {
    messages: u64,
    queues: u64,
}

impl Ownerless {
    /// What is in the queues that these operations remove.
    fn of(opened: &Opened, clear: &[Operation]) -> Ownerless {
        let removed: HashSet<u64> = clear
            .iter()
            .filter_map(|operation| match operation {
                Operation::Remove { queue } => Some(queue.0),
                _ => None,
            })
            .collect();
        let mut found = Ownerless::default();
        for (id, summary) in opened.journal.queues() {
            if removed.contains(&id.0) && summary.entries > 0 {
                found.queues += 1;
                found.messages += summary.entries;
            }
        }
        found
    }
}

impl fmt::Display for Ownerless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages in {} queues", self.messages, self.queues)
    }
}

/// What belongs to no shard may be the bridge's.
fn keep(kept: &mut Kept, key: &Bytes, value: &Bytes) {
    if matches!(key.first(), Some(&(midge_bridge::STATE | midge_bridge::MARK))) {
        // Cut loose from the stretch of a segment that they were read with.
        kept.keyed.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
    }
}

/// A key as a person can read it: a letter, perhaps a number, and a name.
fn shown(key: &Bytes) -> String {
    key.escape_ascii().to_string()
}

fn say(opened: &Opened, restored: &[Restored]) {
    let sessions: usize = restored.iter().map(Restored::sessions).sum();
    let subscriptions: usize = restored.iter().map(Restored::subscriptions).sum();
    let queued: u64 = restored.iter().map(Restored::messages).sum();
    // The same ones in each shard.
    let retained = restored.first().map_or(0, Restored::retained);
    info!(
        "Store {}: {sessions} sessions with {subscriptions} subscriptions, {queued} queued and \
         {retained} retained messages, read in {} ms.",
        opened.directory.display(),
        opened.since.elapsed().as_millis()
    );
}

#[cfg(test)]
mod tests {
    use midge_config::Persistence;
    use midge_core::Reference;

    use super::*;
    use crate::storage::{open, transaction};
    use crate::worker::Worker;

    /// What a queue holds that no session names, and perhaps a session that cannot be read.
    fn fill(persistence: &Persistence, damaged: bool) {
        let mut opened = open(persistence).unwrap();
        let reference = Reference { queue: QueueId(5 << 6), position: 1, tag: Bytes::new() };
        let entry = Bytes::from_static(b"entry");
        let mut operations = vec![Operation::Append { entry, to: vec![reference] }];
        if damaged {
            let (key, value) = (Bytes::from_static(b"Sdevice"), Bytes::from_static(b"\xff?"));
            operations.push(Operation::Put { key, version: None, value });
        }
        let (key, value) = (Bytes::from_static(b"Bq"), Bytes::from_static(b"state"));
        operations.push(Operation::Put { key, version: None, value });
        opened.journal.append(&transaction(operations));
        opened.journal.close().unwrap();
    }

    /// Queues and keys that are left after a start.
    fn left(persistence: &Persistence) -> (usize, Vec<Bytes>) {
        let opened = open(persistence).unwrap();
        let recovered = recover(opened, Worker::now(), 2, &Memory::new(1 << 20)).unwrap();
        assert_eq!(recovered.restored.len(), 2);
        assert_eq!(recovered.kept.keyed, [(Bytes::from("Bq"), Bytes::from("state"))]);
        recovered.store.shutdown();
        drop(recovered);
        let opened = open(persistence).unwrap();
        let keys = opened.journal.keyed(b"").map(|found| found.unwrap().0);
        let mut keys: Vec<Bytes> = keys.collect();
        keys.sort();
        (opened.journal.queues().count(), keys)
    }

    #[test]
    fn what_is_cleared_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(directory.path());
        fill(&persistence, false);
        let opened = open(&persistence).unwrap();
        let clear = |queue| Operation::Remove { queue: QueueId(queue) };
        let found = Ownerless::of(&opened, &[clear(5 << 6), clear(6 << 6)]);
        assert_eq!(found.to_string(), "1 messages in 1 queues");
        assert_eq!(Ownerless::of(&opened, &[clear(6 << 6)]), Ownerless::default());
    }

    #[test]
    fn a_queue_without_a_session_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(directory.path());
        fill(&persistence, false);
        assert_eq!(left(&persistence), (0, vec![Bytes::from("Bq")]));
    }

    #[test]
    fn while_a_session_cannot_be_read_nothing_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(directory.path());
        fill(&persistence, true);
        assert_eq!(left(&persistence), (1, vec![Bytes::from("Bq"), Bytes::from("Sdevice")]));
    }
}
