//! A million queued messages: what writing, opening and memory cost.
//!
//! `cargo run --release -p midge-store --example million [DIRECTORY]`; the directory is filled when it
//! does not exist, opened again otherwise. Without one it is a temporary one, for both.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use midge_store::{DiskFiles, Journal, Operation, QueueId, Reference, Settings, Transaction};

const MESSAGES: u64 = 1_000_000;
const QUEUES: u64 = 100;

fn main() {
    match std::env::args().nth(1) {
        Some(directory) => open(PathBuf::from(directory)),
        None => {
            let directory = tempfile::tempdir().expect("a directory");
            let store = directory.path().join("store");
            fill(store.clone());
            // In a process of its own: memory that filling has touched does not count.
            let program = std::env::current_exe().expect("a program");
            let status = Command::new(program).arg(store).status().expect("a second run");
            assert!(status.success());
        }
    }
}

fn fill(directory: PathBuf) {
    let (mut journal, _) =
        Journal::open(DiskFiles(directory), &Settings::default()).expect("an open journal");
    let (entry, tag) = (Bytes::from(vec![7; 256]), Bytes::from_static(b"tag"));
    let (started, mut slowest) = (Instant::now(), 0.0_f64);
    for message in 0..MESSAGES {
        let (queue, position) = (QueueId(message % QUEUES), message / QUEUES);
        let to = vec![Reference { queue, position, tag: tag.clone() }];
        let operations = vec![Operation::Append { entry: entry.clone(), to }];
        journal.append(&Transaction { operations });
        if message % 100 == 99 {
            let before = Instant::now();
            journal.commit().expect("a commit");
            slowest = slowest.max(before.elapsed().as_secs_f64());
            while journal.maintain() {}
        }
    }
    let stats = journal.stats();
    println!(
        "filled: {:.2} s, {} bytes a message, slowest commit {:.1} ms",
        started.elapsed().as_secs_f64(),
        stats.written_bytes / MESSAGES,
        slowest * 1e3
    );
    // Not closed: it is opened as after a kill.
}

fn open(directory: PathBuf) {
    let started = Instant::now();
    let (journal, report) =
        Journal::open(DiskFiles(directory), &Settings::default()).expect("an open journal");
    let elapsed = started.elapsed();
    assert_eq!(journal.stats().entries, MESSAGES);
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).expect("a figure");
    println!("opened: {:.2} s, {}, {} batches", elapsed.as_secs_f64(), memory, report.batches);
}
