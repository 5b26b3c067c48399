//! The journal on a real file system, and on its threads.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use midge_store::{
    DiskFiles, Durability, FileSystem, Journal, LoadError, Loaded, LockError, OpenError, Operation,
    QueueId, Reference, Settings, SimulatedFiles, State, Store, Submitter, Transaction,
};
use tempfile::TempDir;

/// So long that only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings { segment_bytes: 64 << 10, ..Settings::default() }
}

fn open(directory: &TempDir) -> Journal<DiskFiles> {
    let files = DiskFiles(directory.path().join("store"));
    Journal::open(files, &settings()).expect("an open journal").0
}

fn append(queue: u64, position: u64, length: usize) -> Transaction {
    let reference = Reference { queue: QueueId(queue), position, tag: Bytes::from_static(b"tag") };
    let entry = Bytes::from(vec![position as u8; length]);
    Transaction { operations: vec![Operation::Append { entry, to: vec![reference] }] }
}

fn trim(queue: u64, below: u64) -> Transaction {
    Transaction { operations: vec![Operation::Trim { queue: QueueId(queue), below }] }
}

/// A submitter, and the numbers it is told.
fn submitter(store: &Store) -> (Submitter, Receiver<u64>) {
    let (told, numbers) = channel();
    let told = Mutex::new(told);
    let durable = move |number| {
        let _ = told.lock().expect("a sender").send(number);
    };
    (store.submitter(Box::new(durable)), numbers)
}

fn wait_for(numbers: &Receiver<u64>, number: u64) {
    let mut last = 0;
    while last < number {
        let next = numbers.recv_timeout(PATIENCE).expect("durable");
        assert!(next > last, "{next} after {last}");
        last = next;
    }
    assert_eq!(last, number);
}

fn load(store: &Store, queue: u64, from: u64) -> Result<Loaded, LoadError> {
    let (reply, replies) = channel();
    let answer = Box::new(move |loaded| drop(reply.send(loaded)));
    store.load(QueueId(queue), from, u64::MAX, 10_000, 1 << 24, answer);
    replies.recv_timeout(PATIENCE).expect("a reply")
}

#[test]
fn what_was_committed_is_there_when_the_directory_is_opened_again() {
    let directory = TempDir::new().expect("a directory");
    let mut journal = open(&directory);
    for position in 1..=2000 {
        journal.append(&append(1, position, 300));
        if position % 100 == 0 {
            journal.commit().expect("a commit");
            while journal.maintain() {}
        }
    }
    journal.append(&trim(1, 1500));
    journal.commit().expect("a commit");
    while journal.maintain() {}
    // Dropped without a word, as by a kill.
    drop(journal);
    let journal = open(&directory);
    let loaded = journal.load(QueueId(1), 0, u64::MAX, 10_000, 1 << 24).expect("a load");
    assert!(loaded.end);
    let positions: Vec<u64> = loaded.entries.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, (1500..=2000).collect::<Vec<_>>());
    assert!(loaded.entries.iter().all(|entry| entry.entry[..] == [entry.position as u8; 300]));
    let stats = journal.stats();
    assert!(stats.disk_bytes < 12 * (64 << 10), "{stats:?}");
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let directory = TempDir::new().expect("a directory");
    let _journal = open(&directory);
    let files = DiskFiles(directory.path().join("store"));
    let refused = Journal::open(files.clone(), &settings()).err().expect("refused");
    let OpenError::Locked { source: LockError::Held { pid }, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*pid, Some(std::process::id()));
    let message = Journal::open_read_only(files).err().expect("refused").to_string();
    assert!(message.contains(&format!("in use by process {}", std::process::id())), "{message}");
}

fn names(directory: &std::path::Path) -> Vec<String> {
    DiskFiles(directory.to_owned()).list("").expect("the names")
}

#[test]
fn a_directory_with_anything_of_another_program_is_refused_and_left_as_it_is() {
    for name in [".gitkeep", "00000001.segment", "quarantine", "mosquitto.db"] {
        let directory = TempDir::new().expect("a directory");
        let store = directory.path().join("store");
        std::fs::create_dir(&store).expect("a directory");
        std::fs::create_dir(store.join("lost+found")).expect("a directory");
        std::fs::write(store.join(name), "").expect("written");
        let refused = Journal::open(DiskFiles(store.clone()), &settings()).err().expect("refused");
        assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("found {name} and no")), "{refused}");
        let mut expected = vec![name.to_owned(), "lost+found".to_owned()];
        expected.sort();
        assert_eq!(names(&store), expected);
    }
    let directory = TempDir::new().expect("a directory");
    std::fs::write(directory.path().join("format"), "someone-else 7\n").expect("written");
    let files = DiskFiles(directory.path().to_owned());
    let refused = Journal::open(files, &settings()).err().expect("refused");
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    assert_eq!(names(directory.path()), ["format"]);
}

#[test]
fn a_name_that_is_no_text_is_another_programs_as_well() {
    use std::os::unix::ffi::OsStrExt;
    let directory = TempDir::new().expect("a directory");
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    std::fs::write(directory.path().join(name), "").expect("written");
    let files = DiskFiles(directory.path().to_owned());
    let refused = Journal::open(files, &settings()).err().expect("refused");
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
}

#[test]
fn a_new_file_system_and_a_first_start_that_was_cut_off_are_taken() {
    let directory = TempDir::new().expect("a directory");
    let store = directory.path().join("store");
    std::fs::create_dir_all(store.join("lost+found")).expect("a directory");
    std::fs::write(store.join("lock"), "1\n").expect("written");
    std::fs::write(store.join("format.new"), "midge-").expect("written");
    drop(open(&directory));
    assert!(names(&store).contains(&"lost+found".to_owned()));
    let (_, report) = Journal::open(DiskFiles(store), &settings()).expect("a journal");
    assert!(!report.created);
}

#[test]
fn messages_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().expect("a directory");
    open(&directory).close().expect("closed");
    let store = directory.path().join("store");
    let mode = |path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(store.clone()), 0o700);
    for name in DiskFiles(store.clone()).list("").expect("a list") {
        assert_eq!(mode(store.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn segments_take_their_space_before_they_are_written() {
    use std::os::unix::fs::MetadataExt;
    let directory = TempDir::new().expect("a directory");
    let _journal = open(&directory);
    let segment = directory.path().join("store/00000001.segment");
    let metadata = std::fs::metadata(segment).expect("a segment");
    assert_eq!(metadata.len(), 64 << 10);
    assert!(metadata.blocks() * 512 >= 64 << 10, "{} blocks", metadata.blocks());
}

#[test]
fn every_submitter_is_told_in_order_what_is_durable() {
    let directory = TempDir::new().expect("a directory");
    let store = Store::start(open(&directory)).expect("threads");
    let threads: Vec<_> = (1..=4)
        .map(|queue| {
            let (submitter, numbers) = submitter(&store);
            std::thread::spawn(move || {
                let mut submitted = 0;
                for round in 0..200 {
                    let first = round * 3 + 1;
                    let batch = (first..first + 3).map(|position| append(queue, position, 100));
                    submitted = submitter.submit(batch.collect());
                    assert_eq!(submitted, (round + 1) * 3);
                }
                assert_eq!(submitter.submit(Vec::new()), submitted);
                wait_for(&numbers, submitted);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("all durable");
    }
    let stats = store.stats();
    assert_eq!((stats.entries, stats.queues, stats.transactions), (2400, 4, 2400));
    assert!(stats.syncs < 2400, "commits are shared: {stats:?}");
    for queue in 1..=4 {
        let loaded = load(&store, queue, 0).expect("a load");
        assert_eq!((loaded.entries.len(), loaded.lost, loaded.end), (600, 0, true));
    }
    store.shutdown();
    assert!(matches!(load(&store, 1, 0), Err(LoadError::Closed)));
    let journal = open(&directory);
    assert_eq!(journal.stats().entries, 2400);
}

#[test]
fn shutdown_commits_what_was_submitted_whatever_the_durability() {
    for durability in [Durability::Fsync, Durability::Os, Durability::None] {
        let directory = TempDir::new().expect("a directory");
        let files = DiskFiles(directory.path().join("store"));
        let settings = Settings { durability, ..settings() };
        let (journal, _) = Journal::open(files.clone(), &settings).expect("an open journal");
        let store = Store::start(journal).expect("threads");
        let (submitter, numbers) = submitter(&store);
        submitter.submit((1..=500).map(|position| append(1, position, 200)).collect());
        store.shutdown();
        wait_for(&numbers, 500);
        let (journal, report) = Journal::open(files, &settings).expect("an open journal");
        assert_eq!((report.rewritten, report.torn.len()), (0, 0), "{durability:?}");
        assert_eq!(journal.stats().entries, 500, "{durability:?}");
    }
}

#[test]
fn without_syncs_the_disk_has_it_about_a_second_later() {
    let files = SimulatedFiles::new(1);
    let settings = Settings { durability: Durability::Os, ..settings() };
    let (journal, _) = Journal::open(files, &settings).expect("an open journal");
    let store = Store::start(journal).expect("threads");
    let (submitter, numbers) = submitter(&store);
    let number = submitter.submit(vec![append(1, 1, 200)]);
    wait_for(&numbers, number);
    let started = std::time::Instant::now();
    while store.stats().durable_lsn == 0 {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    store.shutdown();
}

/// The states as they come.
fn states(store: &Store) -> Receiver<State> {
    let (told, states) = channel();
    let told = Mutex::new(told);
    store.on_state(Box::new(move |state| {
        let _ = told.lock().expect("a sender").send(state.clone());
    }));
    states
}

#[test]
fn a_full_disk_is_told_and_left_behind() {
    let files = SimulatedFiles::new(1);
    let (journal, _) = Journal::open(files.clone(), &settings()).expect("an open journal");
    let store = Store::start(journal).expect("threads");
    let states = states(&store);
    assert_eq!(states.recv_timeout(PATIENCE), Ok(State::Healthy));
    files.limit_free(Some(0));
    let (submitter, numbers) = submitter(&store);
    let mut number = 0;
    for position in 1..=1000 {
        number = submitter.submit(vec![append(1, position, 300)]);
    }
    assert!(matches!(states.recv_timeout(PATIENCE), Ok(State::Full { .. })));
    assert!(store.is_full());
    files.limit_free(None);
    assert_eq!(states.recv_timeout(PATIENCE), Ok(State::Healthy));
    wait_for(&numbers, number);
    assert!(!store.is_full());
    assert_eq!(load(&store, 1, 0).expect("a load").entries.len(), 1000);
}

#[test]
fn what_waits_for_space_does_not_keep_the_rest_from_being_emptied() {
    let directory = TempDir::new().expect("a directory");
    let files = DiskFiles(directory.path().join("store"));
    let settings = Settings { max_bytes: Some(4 * (64 << 10)), ..settings() };
    let (journal, _) = Journal::open(files, &settings).expect("an open journal");
    let store = Store::start(journal).expect("threads");
    let state = states(&store);
    let (submitter, numbers) = submitter(&store);
    // Both queues take each entry: far more than there is space for.
    let both = |position| {
        let Transaction { operations } = append(1, position, 10_000);
        let Some(Operation::Append { entry, mut to }) = operations.into_iter().next() else {
            unreachable!("an append");
        };
        to.push(Reference { queue: QueueId(2), ..to[0].clone() });
        Transaction { operations: vec![Operation::Append { entry, to }] }
    };
    submitter.submit((1..=60).map(both).collect());
    let mut told = 0;
    while told < 60 {
        told = numbers.recv_timeout(PATIENCE).expect("some of it is durable");
        // What is durable is done with at once.
        submitter.submit(vec![trim(1, told + 1), trim(2, told + 1)]);
        told = told.min(60);
    }
    let healthy = |state: State| matches!(state, State::Healthy).then_some(());
    loop {
        let next = state.recv_timeout(PATIENCE).expect("space again");
        if healthy(next).is_some() && matches!(store.state(), State::Healthy) {
            break;
        }
    }
    assert_eq!(store.stats().waiting, 0);
    store.shutdown();
}

#[test]
fn after_a_failed_sync_the_state_says_so_and_nobody_is_told_of_durability() {
    let files = SimulatedFiles::new(1);
    let (journal, _) = Journal::open(files.clone(), &settings()).expect("an open journal");
    let store = Store::start(journal).expect("threads");
    let states = states(&store);
    let (submitter, numbers) = submitter(&store);
    let number = submitter.submit(vec![append(1, 1, 100)]);
    wait_for(&numbers, number);
    assert_eq!(states.recv_timeout(PATIENCE), Ok(State::Healthy));
    files.fail_syncs(u32::MAX);
    submitter.submit(vec![append(1, 2, 100)]);
    // It may be full for a moment: a new segment has to be synced as well.
    while !matches!(states.recv_timeout(PATIENCE).expect("a state"), State::Failed { .. }) {}
    submitter.submit(vec![append(1, 3, 100)]);
    store.shutdown();
    assert_eq!(numbers.try_iter().count(), 0);
    assert!(matches!(store.state(), State::Failed { .. }));
    files.fail_syncs(0);
    files.crash(5);
    let (journal, _) = Journal::open(files, &settings()).expect("an open journal");
    assert_eq!(journal.load(QueueId(1), 0, 9, 9, 9).expect("a load").entries[0].position, 1);
}

#[test]
fn a_panic_on_the_journals_thread_is_a_failure_that_is_seen() {
    let directory = TempDir::new().expect("a directory");
    let store = Store::start(open(&directory)).expect("threads");
    let submitter = store.submitter(Box::new(|_| panic!("a callback that panics, on purpose")));
    let states = states(&store);
    assert_eq!(states.recv_timeout(PATIENCE), Ok(State::Healthy));
    submitter.submit(vec![append(1, 1, 10)]);
    assert!(matches!(states.recv_timeout(PATIENCE), Ok(State::Failed { .. })));
    store.shutdown();
}

#[test]
fn loads_run_beside_commits_and_compaction() {
    let directory = TempDir::new().expect("a directory");
    let store = Store::start(open(&directory)).expect("threads");
    let (submitter, numbers) = submitter(&store);
    let reading = store.clone();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let reader = std::thread::spawn(move || {
        let mut loads = 0_u32;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) || loads == 0 {
            for queue in 1..=3 {
                let loaded = load(&reading, queue, 0).expect("a load");
                assert_eq!(loaded.lost, 0);
                for pair in loaded.entries.windows(2) {
                    assert!(pair[0].position < pair[1].position);
                }
                for entry in &loaded.entries {
                    assert_eq!(entry.entry[0], entry.position as u8);
                }
                loads += 1;
            }
        }
    });
    for position in 1..=3000 {
        let mut batch = vec![append(1, position, 200), append(2, position, 200)];
        // The first is never drained, the second moves on.
        batch.push(trim(2, position.saturating_sub(20)));
        if position % 7 != 0 {
            let acknowledge = Operation::Acknowledge { queue: QueueId(1), position };
            batch.push(Transaction { operations: vec![acknowledge] });
        }
        let number = submitter.submit(batch);
        if position % 300 == 0 {
            while numbers.recv_timeout(PATIENCE).expect("durable") < number {}
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    reader.join().expect("loads");
    assert_eq!(load(&store, 1, 0).expect("a load").entries.len(), 3000 / 7);
    store.shutdown();
    let journal = open(&directory);
    let loaded = journal.load(QueueId(1), 0, u64::MAX, 10_000, 1 << 24).expect("a load");
    assert_eq!(loaded.entries.len(), 3000 / 7);
}
