//! A disk forgets what was not synced, and nothing else.

use std::path::Path;

use super::*;

fn entry(kind: Kind, file: u64, number: u64, text: &[u8]) -> Entry {
    Entry { kind, file, number, text: text.to_vec() }
}

fn disk(entries: &[Entry]) -> Disk {
    Disk::new(Path::new("/d"), &Image::default(), entries)
}

fn left(entries: &[Entry], cut: Cut) -> Option<Vec<u8>> {
    disk(entries).after(cut, &mut Random::new(1)).files.remove("f")
}

#[test]
fn a_write_is_lost_unless_a_sync_began_after_it_and_succeeded() {
    let mut entries = vec![
        entry(Kind::Open, 1, 0, b"/d"),
        entry(Kind::Create, 2, 0, b"/d/f"),
        entry(Kind::SyncBegun, 1, 1, b""),
        entry(Kind::Synced, 1, 1, b""),
        entry(Kind::Write, 2, 0, b"one"),
        entry(Kind::SyncBegun, 2, 2, b""),
        entry(Kind::Write, 2, 3, b"two"),
    ];
    assert_eq!(left(&entries, Cut::Nothing).expect("a file"), b"");
    entries.push(entry(Kind::Synced, 2, 2, b""));
    assert_eq!(left(&entries, Cut::Nothing).expect("a file"), b"one");
    assert_eq!(left(&entries, Cut::Everything).expect("a file"), b"onetwo");
    entries.push(entry(Kind::SyncBegun, 2, 3, b""));
    entries.push(entry(Kind::SyncFailed, 2, 3, b""));
    assert_eq!(left(&entries, Cut::Nothing).expect("a file"), b"one");
}

#[test]
fn a_name_is_lost_unless_its_directory_was_synced() {
    let mut entries = vec![
        entry(Kind::Open, 1, 0, b"/d"),
        entry(Kind::Create, 2, 0, b"/d/f"),
        entry(Kind::Write, 2, 0, b"one"),
        entry(Kind::SyncBegun, 2, 1, b""),
        entry(Kind::Synced, 2, 1, b""),
    ];
    assert_eq!(left(&entries, Cut::Nothing), None);
    entries.push(entry(Kind::SyncBegun, 1, 2, b""));
    entries.push(entry(Kind::Synced, 1, 2, b""));
    assert_eq!(left(&entries, Cut::Nothing).expect("a file"), b"one");
    entries.push(entry(Kind::Unlink, 0, 0, b"/d/f"));
    assert_eq!(left(&entries, Cut::Nothing).expect("a file"), b"one");
    assert_eq!(left(&entries, Cut::Everything), None);
    entries.push(entry(Kind::SyncBegun, 1, 3, b""));
    entries.push(entry(Kind::Synced, 1, 3, b""));
    assert_eq!(left(&entries, Cut::Nothing), None);
}

#[test]
fn an_unsynced_write_is_torn_at_blocks() {
    let entries = [
        entry(Kind::Open, 1, 0, b"/d"),
        entry(Kind::Create, 2, 0, b"/d/f"),
        entry(Kind::Allocate, 2, 4096, b""),
        entry(Kind::SyncBegun, 2, 1, b""),
        entry(Kind::Synced, 2, 1, b""),
        entry(Kind::SyncBegun, 1, 2, b""),
        entry(Kind::Synced, 1, 2, b""),
        entry(Kind::Write, 2, 100, &[b'x'; 3000]),
    ];
    let content = left(&entries, Cut::Blocks(512)).expect("a file");
    let expected = |at: usize| if (100..3100).contains(&at) { b'x' } else { 0 };
    let kept = content.iter().enumerate().filter(|(_, byte)| **byte == b'x').count();
    assert!(content.len() == 4096 && kept > 0 && kept < 3000, "{kept} of 3000");
    for (number, block) in content.chunks(512).enumerate() {
        let whole = block.iter().enumerate().all(|(at, b)| *b == expected(number * 512 + at));
        assert!(whole || block.iter().all(|byte| *byte == 0), "block {number} is torn itself");
    }
}
