use std::path::PathBuf;

use midge_config::{Sources, load};
use midge_store::LockError;
use tempfile::TempDir;

use super::*;

/// Written by Mosquitto 2.0.11; see the tests of the parser.
const RECORDED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mosquitto-2.0.db"));

struct Place {
    directory: TempDir,
    config: Config,
}

impl Place {
    /// With a database, and nothing else.
    fn new() -> Place {
        let directory = TempDir::new().expect("temporary directory");
        let conf = directory.path().join("mosquitto.conf");
        let data = directory.path().join("data");
        fs::create_dir(&data).expect("a directory");
        let lines = format!("persistence true\npersistence_location {}\n", data.display());
        fs::write(&conf, lines).expect("written");
        fs::write(data.join("mosquitto.db"), RECORDED).expect("written");
        let mut sources = Sources::default();
        sources.add_config(conf);
        let config = load(&sources).expect("a configuration");
        Place { directory, config }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data()).expect("the directory");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// Keys and entries of the journal.
    fn stored(&self) -> (u64, u64) {
        let files = DiskFiles(self.data().join("midge-store"));
        let (reader, report) = Journal::open_read_only(files).expect("a journal");
        assert!(report.is_clean() && report.torn.is_empty(), "{report:?}");
        (reader.stats().keys, reader.stats().entries)
    }
}

#[test]
fn a_database_becomes_the_journal_once() {
    let place = Place::new();
    check(&place.config).expect("nothing is wrong with it");
    assert_eq!(place.names(), ["mosquitto.db"], "a check makes nothing");
    import(&place.config).expect("imported");
    assert_eq!(place.names(), ["midge-store", "mosquitto.db"]);
    let stored = place.stored();
    assert!(stored.0 > 5 && stored.1 > 3, "{stored:?}");
    fs::write(place.data().join("mosquitto.db"), "something else").expect("written");
    check(&place.config).expect("it is not looked at");
    import(&place.config).expect("not imported again");
    assert_eq!(place.stored(), stored);
}

#[test]
fn without_a_database_or_persistence_nothing_is_made() {
    let mut place = Place::new();
    place.config.persistence.as_mut().expect("persistence").import = None;
    import(&place.config).expect("nothing to do");
    place.config.persistence = None;
    import(&place.config).expect("nothing to do");
    assert_eq!(place.names(), ["mosquitto.db"]);
    let place = Place::new();
    fs::remove_file(place.data().join("mosquitto.db")).expect("removed");
    import(&place.config).expect("nothing to do");
    assert!(place.names().is_empty());
}

#[test]
fn an_empty_directory_in_the_journals_place_is_none_yet() {
    let place = Place::new();
    fs::create_dir(place.data().join("midge-store")).expect("a directory");
    import(&place.config).expect("imported");
    assert!(place.stored().1 > 0);
}

#[test]
fn an_import_into_the_root_of_a_file_system_is_refused_and_not_passed_over() {
    let place = Place::new();
    let journal = place.data().join("midge-store");
    fs::create_dir_all(journal.join("lost+found")).expect("a directory");
    for refused in [check(&place.config), import(&place.config)] {
        let refused = refused.expect_err("there is no room for the name").to_string();
        assert!(refused.contains("found lost+found in it, expected no directory"), "{refused}");
        assert!(refused.contains("mosquitto.db: it cannot be imported into"), "{refused}");
    }
    assert_eq!(place.names(), ["midge-store", "mosquitto.db"]);
    assert_eq!(fs::read_dir(&journal).expect("the directory").count(), 1);
    // Without a database there is nothing to refuse.
    fs::remove_file(place.data().join("mosquitto.db")).expect("removed");
    import(&place.config).expect("nothing to do");
}

#[test]
fn two_do_not_import_at_once() {
    let place = Place::new();
    let unfinished = place.data().join("midge-store.importing");
    fs::create_dir(&unfinished).expect("a directory");
    let lock = DiskFiles(unfinished).lock(LockMode::Exclusive).expect("the lock");
    let refused = import(&place.config).expect_err("the other one is at work");
    let StorageError::Open(OpenError::Locked { source: LockError::Held { pid }, .. }) = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(pid, Some(std::process::id()));
    drop(lock);
    import(&place.config).expect("what the other one left is in nobody's way");
    assert_eq!(place.names(), ["midge-store", "mosquitto.db"]);
}

#[test]
fn an_import_without_room_leaves_nothing_behind() {
    let mut place = Place::new();
    let persistence = place.config.persistence.as_mut().expect("persistence");
    persistence.segment_bytes = 1 << 20;
    persistence.max_bytes = Some(4 << 20);
    let operations = (0..64_u64).map(|number| Operation::Put {
        key: bytes::Bytes::copy_from_slice(&number.to_be_bytes()),
        version: None,
        value: vec![7; 1 << 20].into(),
    });
    let persistence = place.config.persistence.as_ref().expect("persistence");
    let refused = make(persistence, Path::new("mosquitto.db"), operations);
    assert!(matches!(refused, Err(StorageError::Write { source: CommitError::Full(_), .. })));
    assert_eq!(place.names(), ["mosquitto.db"]);
    place.config.persistence.as_mut().expect("persistence").max_bytes = None;
    import(&place.config).expect("imported");
}

#[test]
fn a_damaged_database_is_told_before_and_at_the_start() {
    let place = Place::new();
    let file = place.data().join("mosquitto.db");
    fs::write(&file, &RECORDED[..RECORDED.len() - 5]).expect("written");
    for refused in [check(&place.config), import(&place.config)] {
        let message = refused.expect_err("damaged").to_string();
        assert!(message.starts_with(&format!("{}: byte ", file.display())), "{message}");
        assert!(message.contains("move the file away"), "{message}");
    }
    assert_eq!(place.names(), ["mosquitto.db"]);
}
