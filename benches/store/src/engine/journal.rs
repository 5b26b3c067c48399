//! The journal as the broker runs it: on its own thread, a transaction a message.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use midge_store::{
    DiskFiles, Durability, Journal, Operation, QueueId, Reader, Reference, Settings, Store,
    Submitter, Transaction,
};

use super::{Engine, Outcome};
use crate::workload::{Commit, Place};

struct Running {
    reader: Reader<DiskFiles>,
    submitter: Submitter,
    durable: Receiver<u64>,
    store: Store,
}

pub(super) fn open(directory: &Path, durability: Durability) -> Outcome<Box<dyn Engine>> {
    let settings = Settings { durability, ..Settings::default() };
    let (journal, report) = Journal::open(DiskFiles(directory.to_owned()), &settings)?;
    if let Some(damage) = report.corrupt.first() {
        return Err(damage.to_string().into());
    }
    let reader = journal.reader().clone();
    let store = Store::start(journal)?;
    let (tell, durable) = channel();
    let submitter = store.submitter(Box::new(move |number| {
        // Nobody listens any more when this is dropped.
        let _ = tell.send(number);
    }));
    Ok(Box::new(Running { reader, submitter, durable, store }))
}

impl Engine for Running {
    fn commit(&mut self, commit: &Commit) -> Outcome<()> {
        let mut transactions: Vec<Transaction> = (commit.added.iter())
            .map(|(at, payload)| Transaction {
                operations: vec![Operation::Append {
                    entry: payload.to_vec().into(),
                    to: vec![Reference {
                        queue: QueueId(at.queue),
                        position: at.position,
                        tag: Default::default(),
                    }],
                }],
            })
            .collect();
        // A consumer that follows in order has done with all up to here.
        let trims: BTreeMap<u64, u64> =
            commit.deleted.iter().map(|at| (at.queue, at.position + 1)).collect();
        let trims = trims
            .into_iter()
            .map(|(queue, below)| Operation::Trim { queue: QueueId(queue), below });
        transactions.push(Transaction { operations: trims.collect() });
        let last = self.submitter.submit(transactions);
        while self.durable.recv()? < last {}
        Ok(())
    }

    fn each(&mut self, show: &mut dyn FnMut(Place, &[u8])) -> Outcome<()> {
        for (queue, _) in self.reader.queues() {
            let mut from = 0;
            loop {
                let loaded = self.reader.load(queue, from, u64::MAX, 1_024, 1 << 20)?;
                for entry in &loaded.entries {
                    show(Place { queue: queue.0, position: entry.position }, &entry.entry);
                    from = entry.position + 1;
                }
                if loaded.end {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.store.shutdown();
    }
}
