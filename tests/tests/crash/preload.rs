//! The library that keeps record of what the broker does to its directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use midge_tests::{Midge, Setup, output, repository};

use crate::disk::{Disk, Image, entries};

/// Compiles the library once; its path.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = repository().join("tests/powercut/powercut.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("powercut.so");
        let fresh = library.with_extension(std::process::id().to_string());
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
        command.arg(&fresh).arg(source).args(["-ldl", "-pthread"]);
        output(&mut command, "").success();
        // Another program of these tests may have the old one loaded.
        std::fs::rename(&fresh, &library).expect("the library");
        library
    })
}

/// The broker with the library in it, and its store in a directory that exists.
pub(crate) fn recorded(setup: Setup) -> Setup {
    std::fs::create_dir_all(setup.directory().join("data")).expect("a directory");
    setup
        .environment("LD_PRELOAD", library().to_str().expect("a path in UTF-8"))
        .environment("POWERCUT_DIRECTORY", "@DIR@/data")
        .environment("POWERCUT_RECORD", "@DIR@/record")
        .environment("POWERCUT_FAIL_SYNC", "@DIR@/fail-sync")
}

/// What is in the directory of a broker that has ended; the next process has a new record.
pub(crate) fn left_by_the_process(midge: &Midge) -> Image {
    std::fs::remove_file(midge.directory().join("record")).expect("the record");
    Image::read(&midge.directory().join("data"))
}

/// What the directory of a broker that has ended came to, which began with `base`; the next
/// process has a new record.
pub(crate) fn disk(midge: &Midge, base: &Image) -> Disk {
    let path = midge.directory().join("record");
    let record = std::fs::read(&path).expect("the record");
    assert!(!record.is_empty(), "the library recorded nothing");
    std::fs::remove_file(&path).expect("the record");
    Disk::new(&midge.directory().join("data"), base, &entries(&record))
}
