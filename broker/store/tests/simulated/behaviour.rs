//! What the journal promises in particular situations, over the simulated file system.

use bytes::Bytes;
use midge_store::{
    CommitError, Durability, FileSystem, Journal, LockError, OpenError, Operation, QueueId,
    Reference, Settings, SimulatedFiles, State, Transaction,
};

const SEGMENT: u32 = 16 << 10;

fn settings() -> Settings {
    Settings { segment_bytes: SEGMENT, ..Settings::default() }
}

fn open(files: &SimulatedFiles) -> Journal<SimulatedFiles> {
    Journal::open(files.clone(), &settings()).expect("an open journal").0
}

fn append(queue: u64, position: u64, entry: &[u8]) -> Transaction {
    let reference = Reference { queue: QueueId(queue), position, tag: Bytes::from_static(b"t") };
    let entry = Bytes::copy_from_slice(entry);
    Transaction { operations: vec![Operation::Append { entry, to: vec![reference] }] }
}

fn one(operation: Operation) -> Transaction {
    Transaction { operations: vec![operation] }
}

fn acknowledge(queue: u64, position: u64) -> Transaction {
    one(Operation::Acknowledge { queue: QueueId(queue), position })
}

fn put(key: &'static [u8], version: Option<u64>, value: &'static [u8]) -> Transaction {
    let (key, value) = (Bytes::from_static(key), Bytes::from_static(value));
    one(Operation::Put { key, version, value })
}

fn positions(journal: &Journal<SimulatedFiles>, queue: u64) -> Vec<u64> {
    let loaded = journal.load(QueueId(queue), 0, u64::MAX, usize::MAX, usize::MAX).expect("a load");
    assert!(loaded.end);
    loaded.entries.iter().map(|entry| entry.position).collect()
}

fn values(journal: &Journal<SimulatedFiles>, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
    let mut values: Vec<_> = journal.keyed(prefix).map(|found| found.expect("a value")).collect();
    values.sort();
    values
}

/// Commits and housekeeping until there is nothing more to do.
fn settle(journal: &mut Journal<SimulatedFiles>) {
    journal.commit().expect("a commit");
    while journal.maintain() {}
    journal.commit().expect("a commit");
    while journal.maintain() {}
}

#[test]
fn an_acknowledgement_may_come_before_its_entry() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    journal.append(&acknowledge(1, 7));
    journal.commit().expect("a commit");
    files.kill();
    let mut journal = open(&files);
    journal.append(&append(1, 8, b"eight"));
    journal.append(&append(1, 7, b"seven"));
    journal.append(&append(1, 6, b"six"));
    assert_eq!(positions(&journal, 1), [6, 8]);
    journal.commit().expect("a commit");
    files.kill();
    assert_eq!(positions(&open(&files), 1), [6, 8]);
}

#[test]
fn a_removed_queue_takes_nothing_that_comes_late() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    journal.append(&append(1, 1, b"one"));
    journal.append(&one(Operation::Remove { queue: QueueId(1) }));
    journal.append(&append(1, 2, b"two"));
    journal.append(&acknowledge(1, 3));
    assert_eq!(journal.queues().count(), 0);
    journal.commit().expect("a commit");
    files.kill();
    assert_eq!(open(&files).queues().count(), 0);
}

#[test]
fn the_highest_position_is_remembered_when_all_is_acknowledged_and_compacted() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    for position in 1..=500 {
        journal.append(&append(1, position, &[0; 200]));
        journal.commit().expect("a commit");
        journal.append(&acknowledge(1, position));
        while journal.maintain() {}
    }
    settle(&mut journal);
    assert!(journal.stats().segments <= 4, "{:?}", journal.stats());
    files.kill();
    let queues: Vec<_> = open(&files).queues().collect();
    assert_eq!(queues.len(), 1);
    assert_eq!((queues[0].1.next, queues[0].1.entries), (501, 0));
}

#[test]
fn the_highest_version_wins_in_any_order_and_after_compaction() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    journal.append(&put(b"retained", Some(5), b"five"));
    journal.append(&put(b"retained", Some(3), b"three"));
    let (key, version) = (Bytes::from_static(b"gone"), Some(9));
    journal.append(&one(Operation::Delete { key, version }));
    journal.append(&put(b"gone", Some(8), b"late"));
    journal.append(&put(b"ordered", None, b"first"));
    journal.append(&put(b"ordered", None, b"second"));
    journal.commit().expect("a commit");
    files.kill();
    let journal = open(&files);
    let expected = [(&b"ordered"[..], &b"second"[..]), (b"retained", b"five")];
    let expected = expected.map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
    assert_eq!(values(&journal, b""), expected);
    assert_eq!(values(&journal, b"ret"), expected[1..]);
}

#[test]
fn a_transaction_larger_than_a_segment_is_stored_whole() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    let large = vec![7; 5 * SEGMENT as usize];
    journal.append(&append(1, 1, b"small"));
    journal.append(&append(1, 2, &large));
    journal.append(&append(1, 3, b"small"));
    settle(&mut journal);
    files.crash(1);
    let mut journal = open(&files);
    let loaded = journal.load(QueueId(1), 2, 3, 10, 1).expect("a load");
    assert_eq!(loaded.entries[0].entry, large);
    assert!(loaded.end);
    // It takes its place until the log has moved on.
    journal.append(&acknowledge(1, 2));
    journal.append(&append(2, 1, &[0; 8000]));
    settle(&mut journal);
    assert!(journal.stats().disk_bytes <= 5 * u64::from(SEGMENT), "{:?}", journal.stats());
    assert_eq!(positions(&journal, 1), [1, 3]);
}

#[test]
fn an_entry_is_stored_once_for_all_its_queues() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    let to = (0..100).map(|queue| Reference {
        queue: QueueId(queue),
        position: queue + 10,
        tag: Bytes::from(queue.to_string()),
    });
    let (entry, to) = (Bytes::from(vec![1; 1000]), to.collect());
    journal.append(&one(Operation::Append { entry, to }));
    journal.commit().expect("a commit");
    assert!(journal.stats().written_bytes < 2000);
    for queue in 0..100 {
        let loaded = journal.load(QueueId(queue), 0, 1000, 10, 10_000).expect("a load");
        assert_eq!(loaded.entries[0].tag, queue.to_string());
        assert_eq!(loaded.entries[0].entry.len(), 1000);
    }
}

#[test]
fn a_queue_that_is_never_drained_pins_twice_what_lives_at_most() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    for round in 0..4000 {
        journal.append(&append(1, round, &[1; 100]));
        // Others come and go.
        for queue in 2..8 {
            journal.append(&append(queue, round, &[2; 100]));
        }
        journal.commit().expect("a commit");
        for queue in 2..8 {
            journal.append(&one(Operation::Trim { queue: QueueId(queue), below: round }));
        }
        for _ in 0..3 {
            journal.maintain();
        }
    }
    settle(&mut journal);
    let stats = journal.stats();
    let slack = 10 * u64::from(SEGMENT);
    assert!(stats.disk_bytes <= 2 * stats.live_bytes + slack, "{stats:?}");
    assert!(stats.written_bytes < 3 * 4000 * 7 * 140, "{stats:?}");
    assert_eq!(positions(&journal, 1), (0..4000).collect::<Vec<_>>());
    files.crash(3);
    assert_eq!(positions(&open(&files), 1), (0..4000).collect::<Vec<_>>());
}

#[test]
fn tombstones_do_not_pile_up() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    // Something that never goes, in the first segment.
    journal.append(&append(1, 1, b"stays"));
    for id in 10..6000_u64 {
        journal.append(&append(id, 1, &[0; 60]));
        let key = Bytes::from(format!("session {id}"));
        let version = None;
        journal.append(&one(Operation::Put { key: key.clone(), version, value: key.clone() }));
        journal.append(&one(Operation::Delete { key, version }));
        journal.append(&one(Operation::Remove { queue: QueueId(id) }));
        if id % 10 == 0 {
            journal.commit().expect("a commit");
            while journal.maintain() {}
        }
    }
    settle(&mut journal);
    let stats = journal.stats();
    assert!(stats.disk_bytes <= 12 * u64::from(SEGMENT), "{stats:?}");
    assert!(stats.live_bytes <= 4 * u64::from(SEGMENT), "{stats:?}");
}

#[test]
fn at_its_bound_the_journal_is_full_loses_nothing_and_recovers_when_drained() {
    let files = SimulatedFiles::new(1);
    let max_bytes = 10 * u64::from(SEGMENT);
    let settings = Settings { max_bytes: Some(max_bytes), ..settings() };
    let (mut journal, _) = Journal::open(files.clone(), &settings).expect("an open journal");
    let mut submitted = 0;
    while !journal.is_full() {
        submitted += 1;
        journal.append(&append(1, submitted, &[3; 500]));
        journal.commit().expect("a commit before it is full");
        journal.maintain();
    }
    // What is submitted all the same waits, once the reserve is used up.
    let mut refused = 0;
    for _ in 0..100 {
        submitted += 1;
        journal.append(&append(1, submitted, &[3; 500]));
        refused += u32::from(matches!(journal.commit(), Err(CommitError::Full(_))));
        journal.maintain();
    }
    assert!(refused > 0 && journal.stats().waiting > 0);
    assert!(files.used() <= max_bytes + 4096, "{} bytes", files.used());
    // Acknowledgements go ahead of what waits, and make room for it.
    for position in 1..=submitted - 5 {
        journal.append(&acknowledge(1, position));
    }
    for _ in 0..1000 {
        let _ = journal.commit();
        journal.maintain();
    }
    journal.commit().expect("space again");
    assert_eq!(journal.state(), State::Healthy);
    assert_eq!(positions(&journal, 1), (submitted - 4..=submitted).collect::<Vec<_>>());
    files.crash(9);
    let (journal, _) = Journal::open(files, &settings).expect("an open journal");
    assert_eq!(positions(&journal, 1), (submitted - 4..=submitted).collect::<Vec<_>>());
}

#[test]
fn a_full_journal_keeps_room_for_what_frees_space() {
    let files = SimulatedFiles::new(1);
    let max_bytes = 6 * u64::from(SEGMENT);
    let settings = Settings { max_bytes: Some(max_bytes), ..settings() };
    let (mut journal, _) = Journal::open(files, &settings).expect("an open journal");
    let mut submitted = 0;
    while journal.stats().waiting == 0 {
        submitted += 1;
        journal.append(&append(1, submitted, &[3; 50]));
        let _ = journal.commit();
        journal.maintain();
    }
    // More batches than a segment that is nearly full could take.
    for position in 1..submitted {
        journal.append(&acknowledge(1, position));
        let _ = journal.commit();
        journal.maintain();
    }
    settle(&mut journal);
    assert_eq!(journal.state(), State::Healthy);
    assert_eq!(positions(&journal, 1), [submitted]);
}

#[test]
fn a_small_note_overtakes_what_waits_but_not_its_own_key() {
    let files = SimulatedFiles::new(1);
    let settings = Settings { max_bytes: Some(4 * u64::from(SEGMENT)), ..settings() };
    let (mut journal, _) = Journal::open(files, &settings).expect("an open journal");
    journal.append(&put(b"waits", None, b"old"));
    let mut submitted = 0;
    while journal.stats().waiting == 0 {
        submitted += 1;
        journal.append(&append(1, submitted, &[3; 500]));
        let _ = journal.commit();
    }
    let (key, version) = (Bytes::from_static(b"waits"), None);
    journal.append(&append(1, submitted + 1, &[3; 500]));
    journal.append(&put(b"waits", None, b"new"));
    journal.append(&put(b"note", None, b""));
    journal.append(&one(Operation::Delete { key, version }));
    assert_eq!(values(&journal, b"note").len(), 1, "at once");
    assert_eq!(values(&journal, b"waits")[0].1, "old");
    journal.append(&one(Operation::Trim { queue: QueueId(1), below: submitted }));
    for _ in 0..100 {
        let _ = journal.commit();
        journal.maintain();
    }
    assert_eq!(journal.state(), State::Healthy);
    assert!(values(&journal, b"waits").is_empty());
    assert_eq!(positions(&journal, 1), [submitted, submitted + 1]);
}

#[test]
fn a_segment_that_a_power_cut_emptied_is_the_end_of_the_log() {
    for seed in 0..100 {
        let files = SimulatedFiles::new(seed);
        let settings = Settings { durability: Durability::Os, ..settings() };
        let (mut journal, _) = Journal::open(files.clone(), &settings).expect("an open journal");
        // Each fills a segment of its own; only the first is synced.
        for position in 1..=4 {
            journal.append(&append(1, position, &[4; SEGMENT as usize - 120]));
            journal.commit().expect("a commit");
            if position == 1 {
                journal.sync().expect("a sync");
            }
        }
        files.crash(seed);
        let survivors = positions(&open(&files), 1);
        assert_eq!(survivors, (1..=survivors.len() as u64).collect::<Vec<_>>(), "seed {seed}");
        assert!(!survivors.is_empty());
    }
}

#[test]
fn a_failed_write_is_the_end_of_all_commits_and_no_loss_of_earlier_ones() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    journal.append(&append(1, 1, b"durable"));
    journal.commit().expect("a commit");
    journal.append(&append(1, 2, b"not"));
    files.fail_writes(1);
    assert!(matches!(journal.commit(), Err(CommitError::Failed(_))));
    assert!(matches!(journal.state(), State::Failed { .. }));
    journal.append(&append(1, 3, b"neither"));
    assert!(matches!(journal.commit(), Err(CommitError::Failed(_))));
    files.kill();
    assert_eq!(positions(&open(&files), 1), [1]);
}

#[test]
fn two_do_not_use_one_directory() {
    let files = SimulatedFiles::new(1);
    let journal = open(&files);
    let second = Journal::open(files.clone(), &settings());
    assert!(matches!(
        second.err().expect("refused"),
        OpenError::Locked { source: LockError::Held { .. }, .. }
    ));
    let reader = Journal::open_read_only(files.clone());
    assert!(matches!(reader.err().expect("refused"), OpenError::Locked { .. }));
    drop(journal);
    let first = Journal::open_read_only(files.clone()).expect("one who reads");
    let second = Journal::open_read_only(files.clone()).expect("another");
    let writer = Journal::open(files.clone(), &settings());
    assert!(matches!(writer.err().expect("refused"), OpenError::Locked { .. }));
    drop((first, second));
    open(&files);
}

#[test]
fn what_is_not_a_journal_of_this_format_is_refused() {
    let found = |files: &SimulatedFiles| {
        let refused = Journal::open(files.clone(), &settings()).err().expect("refused");
        assert!(matches!(refused, OpenError::Foreign { .. }));
        refused.to_string()
    };
    let files = SimulatedFiles::new(1);
    files.plant("format", b"midge-store 2 0000000000000000\n");
    let message = found(&files);
    assert!(message.contains("format 2") && message.contains("format 1"), "{message}");
    files.plant("format", b"SQLite format 3\0");
    assert!(found(&files).contains("another program"));

    let files = SimulatedFiles::new(1);
    files.plant("00000001.segment", b"whatever");
    assert!(found(&files).contains("and no format file"));

    // A segment that was copied from another directory.
    let (files, others) = (SimulatedFiles::new(1), SimulatedFiles::new(2));
    open(&files).close().expect("closed");
    open(&others).close().expect("closed");
    let name = "00000001.segment";
    files.plant(name, &others.content(name).expect("a segment"));
    assert!(found(&files).contains("another journal"));

    // A file of somebody else: without a journal the directory is another program's, beside one it
    // is nobody's business.
    let files = SimulatedFiles::new(1);
    files.plant("mosquitto.db", b"\0\xb5\0mosquitto db");
    assert!(found(&files).contains("found mosquitto.db and no format file"));
    let files = SimulatedFiles::new(1);
    open(&files).close().expect("closed");
    files.plant("mosquitto.db", b"\0\xb5\0mosquitto db");
    open(&files);
    assert!(files.content("mosquitto.db").is_some());
}

#[test]
fn reading_only_changes_nothing_and_says_what_opening_would_do() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    for position in 1..50 {
        journal.append(&append(1, position, &[1; 300]));
        journal.commit().expect("a commit");
    }
    journal.append(&put(b"key", None, b"value"));
    journal.commit().expect("a commit");
    files.kill();
    let before: Vec<_> = contents(&files);
    let (reader, report) = Journal::open_read_only(files.clone()).expect("a reader");
    assert_eq!(report.batches, 50);
    let loaded = reader.load(QueueId(1), 0, u64::MAX, 1000, 1 << 20).expect("a load");
    assert_eq!(loaded.entries.len(), 49);
    assert_eq!(reader.queues().count(), 1);
    assert_eq!(reader.keyed(b"").count(), 1);
    drop(reader);
    assert_eq!(contents(&files), before);
    let (_, opened) = Journal::open(files, &settings()).expect("an open journal");
    assert_eq!(opened, report);
    let empty = SimulatedFiles::new(1);
    assert!(Journal::open_read_only(empty.clone()).is_err());
    assert!(contents(&empty).is_empty());
}

fn contents(files: &SimulatedFiles) -> Vec<(String, Vec<u8>)> {
    let names = files.list("").expect("a list");
    names.into_iter().map(|name| (name.clone(), files.content(&name).expect("a file"))).collect()
}

#[test]
fn one_commit_is_one_sync_however_much_it_holds() {
    let files = SimulatedFiles::new(1);
    let mut journal = open(&files);
    let before = files.syncs();
    for position in 1..=50 {
        journal.append(&append(1, position, b"entry"));
    }
    journal.commit().expect("a commit");
    assert_eq!(files.syncs(), before + 1);
    journal.commit().expect("nothing to commit");
    assert_eq!(files.syncs(), before + 1);
}

#[test]
fn durability_decides_what_a_commit_waits_for() {
    for (durability, syncs) in [(Durability::Fsync, 1), (Durability::Os, 0), (Durability::None, 0)]
    {
        let files = SimulatedFiles::new(1);
        let settings = Settings { durability, ..settings() };
        let (mut journal, _) = Journal::open(files.clone(), &settings).expect("an open journal");
        let before = files.syncs();
        journal.append(&append(1, 1, b"entry"));
        journal.commit().expect("a commit");
        assert_eq!(files.syncs(), before + syncs, "{durability:?}");
        files.kill();
        let written = positions(&open(&files), 1).len();
        assert_eq!(written, usize::from(durability != Durability::None), "{durability:?}");
    }
}
