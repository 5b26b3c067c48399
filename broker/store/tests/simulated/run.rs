//! A journal and its model under random work, crashes and faults.

use std::collections::BTreeMap;

use bytes::Bytes;
use midge_store::{
    CommitError, Durability, Journal, Operation, QueueId, Reference, Report, Settings,
    SimulatedFiles, State, Transaction,
};

use crate::model::{Model, Random, difference, read};

const QUEUES: u64 = 8;

/// A journal and its model at work.
pub(crate) struct Run {
    pub(crate) random: Random,
    files: SimulatedFiles,
    settings: Settings,
    journal: Option<Journal<SimulatedFiles>>,
    model: Model,
    /// Submitted since the last successful commit.
    undecided: Vec<Transaction>,
    durable: Model,
    positions: BTreeMap<u64, u64>,
    /// The ids in use; a removed one is replaced by another.
    ids: Vec<u64>,
    next_id: u64,
    next_version: u64,
}

impl Run {
    pub(crate) fn new(seed: u64, durability: Durability) -> Self {
        let mut random = Random(seed ^ 0x5eed);
        let segment_bytes = 4096 << random.below(3);
        let settings = Settings { durability, segment_bytes, max_bytes: None };
        let mut run = Self {
            files: SimulatedFiles::new(seed),
            random,
            settings,
            journal: None,
            model: Model::default(),
            undecided: Vec::new(),
            durable: Model::default(),
            positions: BTreeMap::new(),
            ids: (1..=QUEUES).collect(),
            next_id: QUEUES + 1,
            next_version: 1,
        };
        run.open();
        run
    }

    pub(crate) fn files(&self) -> &SimulatedFiles {
        &self.files
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    fn journal(&mut self) -> &mut Journal<SimulatedFiles> {
        self.journal.as_mut().expect("an open journal")
    }

    fn open(&mut self) -> Report {
        let opened = Journal::open(self.files.clone(), &self.settings);
        let (journal, report) = opened.expect("an open journal");
        assert_eq!(report.corrupt, [], "a crash was taken for damage");
        self.journal = Some(journal);
        report
    }

    fn bytes(&mut self, most: u64) -> Bytes {
        let length = self.random.below(most + 1) as usize;
        let seed = self.random.next().to_le_bytes();
        (0..length).map(|index| seed[index % 8].wrapping_add(index as u8)).collect()
    }

    fn position(&mut self, id: u64) -> u64 {
        let skip = [1, 1, 1, 1, 1, 2, 5, 100][self.random.below(8) as usize];
        let next = self.positions.entry(id).or_default();
        *next += skip;
        *next
    }

    fn id(&mut self) -> u64 {
        self.ids[self.random.below(QUEUES) as usize]
    }

    fn key(&mut self) -> (Bytes, Option<u64>) {
        let number = self.random.below(12);
        // Half of the keys have versions, which arrive in any order.
        let version = (number % 2 == 1).then(|| {
            self.next_version += 1;
            self.next_version.saturating_sub(self.random.below(6))
        });
        (Bytes::from(format!("key {number}")), version)
    }

    fn operation(&mut self) -> Operation {
        let queue = QueueId(self.id());
        match self.random.below(40) {
            0..=17 => {
                let most = if self.chance(60) { 12_000 } else { 300 };
                let entry = self.bytes(most);
                let mut to: Vec<Reference> = Vec::new();
                for _ in 0..1 + self.random.below(3) {
                    let id = self.id();
                    if to.iter().all(|to| to.queue.0 != id) {
                        let position = self.position(id);
                        to.push(Reference { queue: QueueId(id), position, tag: self.bytes(5) });
                    }
                }
                Operation::Append { entry, to }
            }
            18..=27 => {
                // Mostly one that lives, now and then one that is to come or has gone.
                let queue_of = self.model.queues.get(&queue.0);
                let living: Vec<u64> = queue_of
                    .map(|queue| queue.entries.keys().take(6).copied().collect())
                    .unwrap_or_default();
                let next = self.positions.get(&queue.0).copied().unwrap_or(0) + 1;
                let position = match self.random.below(8) {
                    0 => next + self.random.below(3),
                    1 => next.saturating_sub(self.random.below(20)),
                    _ if living.is_empty() => next,
                    _ => living[self.random.below(living.len() as u64) as usize],
                };
                Operation::Acknowledge { queue, position }
            }
            28..=30 => {
                let next = self.positions.get(&queue.0).copied().unwrap_or(0);
                Operation::Trim { queue, below: (next + 3).saturating_sub(self.random.below(30)) }
            }
            31 => {
                let next = self.positions.get(&queue.0).copied().unwrap_or(0);
                let from = next.saturating_sub(self.random.below(40));
                Operation::DropFirst { queue, from, count: self.random.below(5) as u32 }
            }
            32 if self.chance(3) => {
                let place = self.ids.iter().position(|id| *id == queue.0).expect("in use");
                self.ids[place] = self.next_id;
                self.next_id += 1;
                Operation::Remove { queue }
            }
            32..=36 => {
                let (key, version) = self.key();
                Operation::Put { key, version, value: self.bytes(200) }
            }
            _ => {
                let (key, version) = self.key();
                Operation::Delete { key, version }
            }
        }
    }

    fn submit(&mut self) {
        let count = 1 + self.random.below(4);
        let operations = (0..count).map(|_| self.operation()).collect();
        let transaction = Transaction { operations };
        self.journal().append(&transaction);
        self.model.apply(&transaction);
        self.undecided.push(transaction);
    }

    fn decide(&mut self) {
        self.durable = self.model.clone();
        self.undecided.clear();
    }

    /// Some transactions, perhaps a commit, perhaps housekeeping, perhaps a look at everything.
    pub(crate) fn step(&mut self) {
        for _ in 0..self.random.below(6) {
            self.submit();
        }
        if self.chance(2) {
            match self.journal().commit() {
                Ok(()) => self.decide(),
                Err(error) => panic!("a commit on a healthy disk: {error}"),
            }
        }
        for _ in 0..self.random.below(4) {
            self.journal().maintain();
        }
        if self.chance(10) {
            self.check();
        }
    }

    fn check(&mut self) {
        let expected = self.model.visible();
        let journal = self.journal.take().expect("an open journal");
        let seen = read(&journal, &mut self.random);
        if seen != expected {
            difference(&expected, &seen);
            panic!("the journal differs from the model");
        }
        self.bounded(&journal);
        self.journal = Some(journal);
    }

    /// What is dead takes no more than what lives, and a few segments.
    fn bounded(&mut self, journal: &Journal<SimulatedFiles>) {
        let stats = journal.stats();
        assert!(stats.live_bytes <= stats.disk_bytes);
        let files = self.files.used();
        assert!(files >= stats.disk_bytes, "{files} in files of {stats:?}");
    }

    pub(crate) fn sync(&mut self) {
        self.journal().sync().expect("a sync");
        self.decide();
    }

    /// The power goes at any moment: all that was durable is there, and of the rest a beginning.
    pub(crate) fn power_cut(&mut self) {
        let seed = self.random.next();
        self.journal = None;
        self.files.crash(seed);
        // It may go again while recovery is at work.
        while self.chance(4) {
            let passing = self.random.below(4) as u32;
            self.files.fail_syncs_after(passing, 1);
            drop(Journal::open(self.files.clone(), &self.settings));
            self.files.fail_syncs(0);
            let seed = self.random.next();
            self.files.crash(seed);
        }
        self.reopen();
    }

    /// The process goes; what it wrote stays.
    pub(crate) fn kill(&mut self) {
        self.files.kill();
        self.reopen();
    }

    pub(crate) fn restart(&mut self) {
        let journal = self.journal.take().expect("an open journal");
        journal.close().expect("a clean shutdown");
        self.decide();
        let report = self.open();
        assert_eq!((report.torn, report.rewritten), (Vec::new(), 0), "after a clean shutdown");
        self.check();
    }

    fn reopen(&mut self) {
        self.journal = None;
        self.open();
        let journal = self.journal.take().expect("an open journal");
        let seen = read(&journal, &mut self.random);
        self.journal = Some(journal);
        // Some number of whole transactions, from the first one on.
        let mut state = self.durable.clone();
        let mut survived = state.visible() == seen;
        let mut matching = survived.then(|| state.clone());
        for transaction in std::mem::take(&mut self.undecided) {
            state.apply(&transaction);
            if state.visible() == seen {
                survived = true;
                // The latest that fits: invisible effects may be in it as well.
                matching = Some(state.clone());
            }
        }
        if !survived {
            difference(&self.durable.visible(), &seen);
            panic!("neither what was durable nor that with some of what followed");
        }
        self.model = matching.expect("a state");
        self.settle();
    }

    /// Effects that cannot be seen (an early acknowledgement, the version of a delete) may or may
    /// not have survived: they are made certain by submitting them again.
    fn settle(&mut self) {
        for (id, queue) in &self.model.queues {
            let queue_id = QueueId(*id);
            let mut operations = vec![Operation::Trim { queue: queue_id, below: queue.trim }];
            let early = queue.early.iter();
            operations.extend(
                early.map(|position| Operation::Acknowledge {
                    queue: queue_id,
                    position: *position,
                }),
            );
            let journal = self.journal.as_mut().expect("an open journal");
            journal.append(&Transaction { operations });
        }
        for id in self.model.removed.clone() {
            let operations = vec![Operation::Remove { queue: QueueId(id) }];
            self.journal().append(&Transaction { operations });
        }
        for (key, (version, value)) in self.model.keys.clone() {
            let version = Some(version);
            let operation = match value {
                Some(value) => Operation::Put { key, version, value },
                None => Operation::Delete { key, version },
            };
            self.journal().append(&Transaction { operations: vec![operation] });
        }
        self.journal().commit().expect("a commit");
        self.decide();
        // Positions are never used again, whoever has forgotten them.
        self.check();
    }

    /// A sync fails: from then on nothing is durable, and the next start has all that was.
    pub(crate) fn failed_sync(&mut self) {
        self.files.fail_syncs(1);
        self.submit();
        let mut tries = 0;
        while !matches!(self.journal().state(), State::Failed { .. }) {
            tries += 1;
            assert!(tries < 1000, "syncs fail and the journal goes on");
            match self.journal().commit() {
                Ok(()) => self.decide(),
                // It was a new segment's sync: no reason to give up, there is room for now.
                Err(CommitError::Full(_)) => assert!(self.journal().is_full()),
                Err(CommitError::Failed(_)) => break,
            }
            self.files.fail_syncs(0);
            self.journal().maintain();
            self.files.fail_syncs(1);
            self.submit();
        }
        for _ in 0..3 {
            self.submit();
            assert!(matches!(self.journal().commit(), Err(CommitError::Failed(_))));
            assert!(!self.journal().maintain());
        }
        self.files.fail_syncs(0);
        if self.chance(2) {
            // What the process wrote is still there, but not on the disk: the next start has to
            // put it there before the power goes.
            self.kill();
        }
        self.power_cut();
    }

    /// The disk is full for a while.
    pub(crate) fn full_disk(&mut self) {
        let free = self.random.below(20_000);
        self.files.limit_free(Some(free));
        for _ in 0..self.random.below(60) {
            if self.journal().is_full() && self.chance(2) {
                // As a caller does that refuses new work, but goes on acknowledging.
                let queue = QueueId(self.id());
                let below = self.positions.get(&queue.0).copied().unwrap_or(0);
                let operations = vec![Operation::Trim { queue, below }];
                let transaction = Transaction { operations };
                self.journal().append(&transaction);
                self.model.apply(&transaction);
                self.undecided.push(transaction);
            } else {
                self.submit();
            }
            match self.journal().commit() {
                Ok(()) => self.decide(),
                Err(CommitError::Full(_)) => assert!(self.journal().is_full()),
                Err(error) => panic!("{error}"),
            }
            self.journal().maintain();
        }
        self.files.limit_free(None);
        for _ in 0..10_000 {
            if !self.journal().is_full() {
                break;
            }
            self.journal().maintain();
            let _ = self.journal().commit();
        }
        self.journal().commit().expect("there is space again");
        assert_eq!(self.journal().state(), State::Healthy);
        self.decide();
        self.check();
    }
}
