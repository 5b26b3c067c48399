//! Bits that turn over on the disk: never a panic, never a silent loss.

use bytes::Bytes;
use midge_store::{
    Durability, FileSystem, Journal, LoadError, Operation, QueueId, Reference, Report, Settings,
    SimulatedFiles, Transaction,
};

use crate::model::{Random, Visible, number, read};

fn settings() -> Settings {
    Settings { segment_bytes: 8 << 10, durability: Durability::Fsync, max_bytes: None }
}

fn transaction(random: &mut Random, position: u64) -> Transaction {
    let entry = Bytes::from(vec![position as u8; random.below(300) as usize]);
    let to = (1..=1 + random.below(2)).map(|queue| {
        let tag = Bytes::from(queue.to_string());
        Reference { queue: QueueId(queue), position, tag }
    });
    let mut operations = vec![Operation::Append { entry, to: to.collect() }];
    if random.below(4) == 0 {
        let key = Bytes::from(format!("key {}", random.below(9)));
        let value = Bytes::from(vec![position as u8; random.below(90) as usize]);
        operations.push(Operation::Put { key, version: None, value });
    }
    if random.below(3) == 0 {
        let position = position.saturating_sub(random.below(10));
        operations.push(Operation::Acknowledge { queue: QueueId(1), position });
    }
    Transaction { operations }
}

/// A journal with something in it, closed in good order.
fn filled(seed: u64) -> (SimulatedFiles, Visible) {
    let files = SimulatedFiles::new(seed);
    let mut random = Random(seed);
    let (mut journal, _) = Journal::open(files.clone(), &settings()).expect("an open journal");
    for position in 1..=60 + random.below(200) {
        journal.append(&transaction(&mut random, position));
        if random.below(2) == 0 {
            journal.commit().expect("a commit");
            journal.maintain();
        }
    }
    journal.commit().expect("a commit");
    let visible = read(&journal, &mut random);
    journal.close().expect("closed");
    (files, visible)
}

fn names(report: &Report) -> Vec<&str> {
    report.corrupt.iter().chain(&report.torn).map(|damage| &damage.file[..]).collect()
}

#[test]
fn a_bit_that_turns_over_is_found_and_reported_once_with_its_file() {
    let first = number("STORE_SEED", 0);
    for seed in first..first + number("STORE_SEEDS", 100) {
        let (files, expected) = filled(seed);
        let flip = files.flip_bit(seed, ".segment").expect("a byte");
        let damaged = files.content(&flip.file);
        let (reader, foreseen) = Journal::open_read_only(files.clone()).expect("a reader");
        drop(reader);
        let (journal, report) = Journal::open(files.clone(), &settings()).expect("an open journal");
        assert_eq!(foreseen.corrupt.len(), report.corrupt.len(), "seed {seed}");
        let seen = read(&journal, &mut Random(seed));
        let reported = names(&report);
        if seen != expected {
            assert!(reported.contains(&&flip.file[..]), "seed {seed}: {flip:?} {report:?}");
        }
        for damage in &report.corrupt {
            let copy = damage.quarantine.as_ref().expect("a copy");
            assert_eq!(files.content(copy), damaged, "seed {seed}");
        }
        // Whoever goes on from there does not hear of it again, and loses nothing more.
        drop(journal);
        let (mut journal, again) =
            Journal::open(files.clone(), &settings()).expect("an open journal");
        assert_eq!(names(&again), Vec::<&str>::new(), "seed {seed}: {report:?} then {again:?}");
        assert_eq!(read(&journal, &mut Random(seed)), seen, "seed {seed}");
        for position in 1000..1100 {
            journal.append(&transaction(&mut Random(position), position));
            journal.commit().expect("a commit");
            while journal.maintain() {}
        }
        let before = read(&journal, &mut Random(seed));
        files.crash(seed);
        let (journal, last) = Journal::open(files.clone(), &settings()).expect("an open journal");
        assert_eq!(names(&last), Vec::<&str>::new(), "seed {seed}: {flip:?} {report:?}");
        assert_eq!(read(&journal, &mut Random(seed)), before, "seed {seed}");
    }
}

#[test]
fn many_flipped_bits_are_survived_as_well() {
    for seed in 0..number("STORE_SEEDS", 100) {
        let (files, expected) = filled(seed);
        for flip in 0..30 {
            files.flip_bit(seed * 100 + flip, ".segment").expect("a byte");
        }
        let (journal, report) = Journal::open(files.clone(), &settings()).expect("an open journal");
        let seen = read(&journal, &mut Random(seed));
        assert!(seen == expected || !names(&report).is_empty(), "seed {seed}");
        drop(journal);
        let (_, again) = Journal::open(files.clone(), &settings()).expect("an open journal");
        assert_eq!(names(&again), Vec::<&str>::new(), "seed {seed}");
    }
}

#[test]
fn damage_while_running_is_counted_by_loads_and_never_returned() {
    let mut found = (0, 0);
    for seed in 0..number("STORE_SEEDS", 60) {
        let files = SimulatedFiles::new(seed);
        let mut random = Random(seed);
        let (mut journal, _) = Journal::open(files.clone(), &settings()).expect("an open journal");
        let mut expected = 0;
        for position in 1..=40 {
            let to = vec![Reference { queue: QueueId(1), position, tag: Bytes::new() }];
            let entry = Bytes::from(vec![position as u8; 200]);
            let key = Bytes::from(position.to_string());
            let value = Bytes::from(vec![position as u8; 50]);
            let put = Operation::Put { key, version: None, value };
            journal.append(&Transaction { operations: vec![Operation::Append { entry, to }, put] });
            journal.commit().expect("a commit");
            expected += 1;
        }
        files.flip_bit(seed, ".segment").expect("a byte");
        let loaded = journal.load(QueueId(1), 0, u64::MAX, 1000, 1 << 20).expect("a load");
        assert!(loaded.end);
        assert_eq!(loaded.entries.len() as u64 + loaded.lost, expected);
        for entry in loaded.entries {
            assert!(entry.entry.iter().all(|byte| u64::from(*byte) == entry.position));
        }
        found.0 += loaded.lost;
        for value in journal.keyed(b"") {
            match value {
                Ok((key, value)) => {
                    let number: u8 = std::str::from_utf8(&key).unwrap().parse().unwrap();
                    assert_eq!(value, vec![number; 50]);
                }
                Err(LoadError::Damaged { .. }) => found.1 += 1,
                Err(error) => panic!("{error}"),
            }
        }
        // Compaction finds it too, and says how much is lost.
        for position in 1..=39 {
            let queue = QueueId(1);
            if random.below(8) > 0 {
                let operations = vec![Operation::Acknowledge { queue, position }];
                journal.append(&Transaction { operations });
            }
        }
        for position in 41..400 {
            let to = vec![Reference { queue: QueueId(2), position, tag: Bytes::new() }];
            let entry = Bytes::from(vec![2; 200]);
            let trim = Operation::Trim { queue: QueueId(2), below: position };
            journal
                .append(&Transaction { operations: vec![Operation::Append { entry, to }, trim] });
            journal.commit().expect("a commit");
            while journal.maintain() {}
        }
        let left = journal.load(QueueId(1), 0, u64::MAX, 1000, 1 << 20).expect("a load");
        assert!(left.lost <= loaded.lost);
    }
    assert!(found.0 > 0 && found.1 > 0, "{found:?}");
}

#[test]
fn a_client_cannot_smuggle_a_batch_into_a_damaged_segment() {
    // A payload that is itself a whole segment with batches: those of another salt are not believed.
    let (others, _) = filled(1);
    let image = others.content("00000001.segment").expect("a segment");
    let files = SimulatedFiles::new(2);
    let (mut journal, _) = Journal::open(files.clone(), &settings()).expect("an open journal");
    let to = vec![Reference { queue: QueueId(77), position: 1, tag: Bytes::new() }];
    let entry = Bytes::from(image[..4096].to_vec());
    journal.append(&Transaction { operations: vec![Operation::Append { entry, to }] });
    journal.commit().expect("a commit");
    journal.append(&transaction(&mut Random(1), 5));
    journal.commit().expect("a commit");
    journal.close().expect("closed");
    // The first batch gets damaged in its header.
    let mut content = files.content("00000001.segment").expect("a segment");
    content[40] ^= 1;
    files.plant("00000001.segment", &content);
    let (journal, report) = Journal::open(files.clone(), &settings()).expect("an open journal");
    assert_eq!(report.corrupt.len(), 1);
    let queues: Vec<u64> = journal.queues().map(|(id, _)| id.0).collect();
    assert!(queues.iter().all(|id| [1, 2].contains(id)), "{queues:?}");
    assert!(files.list("quarantine").expect("a list").len() == 1);
}
