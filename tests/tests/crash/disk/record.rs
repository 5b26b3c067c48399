//! The record as `tests/powercut/powercut.c` writes it.

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Create,
    Write,
    Truncate,
    Allocate,
    SyncBegun,
    Synced,
    MakeDirectory,
    Unlink,
    Rename,
    SyncFailed,
}

const KINDS: [Kind; 11] = [
    Kind::Open,
    Kind::Create,
    Kind::Write,
    Kind::Truncate,
    Kind::Allocate,
    Kind::SyncBegun,
    Kind::Synced,
    Kind::MakeDirectory,
    Kind::Unlink,
    Kind::Rename,
    Kind::SyncFailed,
];

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) file: u64,
    /// Offset, length, or number of the sync.
    pub(crate) number: u64,
    /// A path, or what was written.
    pub(crate) text: Vec<u8>,
}

const HEADER: usize = 32;

/// The entries of a record. The last one may be cut off by the end of the process: then its call has
/// not returned, and it is as good as not made.
pub(crate) fn entries(record: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = record;
    while let Some((header, behind)) = rest.split_at_checked(HEADER) {
        let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        let long = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().expect("8 bytes"));
        let Some((text, next)) = behind.split_at_checked(word(4) as usize) else { break };
        let kind = KINDS[word(0) as usize - 1];
        entries.push(Entry { kind, file: long(8), number: long(16), text: text.to_vec() });
        rest = next;
    }
    entries
}
