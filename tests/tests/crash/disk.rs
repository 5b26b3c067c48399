//! A directory as a disk has it: what was synced for sure, and of the rest what chance leaves.
//!
//! Built from what the directory held at the start of a process and the record of the preload library.
//! Writes become durable with a sync of their file that began after them and succeeded, names with
//! one of their directory. Of everything else any part may have reached the disk, in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use crate::random::Random;

mod record;

pub(crate) use record::entries;
use record::{Entry, Kind};

/// Files and directories below a directory, by their paths in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) directories: BTreeSet<String>,
}

/// A change of a file's content.
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
    Allocate(usize),
}

/// A change of the names in a directory, kept or lost as a whole.
enum Naming {
    Link { path: String, node: usize },
    Unlink { path: String },
    Rename { from: String, to: String, node: usize },
}

#[derive(Default)]
struct Node {
    is_directory: bool,
    durable: Vec<u8>,
    /// Not synced, and how many changes there were before the first of them.
    pending: VecDeque<Change>,
    before: usize,
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Nothing,
    /// All of it: what the end of the process alone leaves.
    Everything,
    /// Some of the changes.
    Changes,
    /// Some of the blocks of this size.
    Blocks(usize),
}

/// A directory at the end of a process.
pub(crate) struct Disk {
    root: String,
    nodes: Vec<Node>,
    /// As the process sees them.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// With their number.
    namings: Vec<(usize, Naming)>,
    named: usize,
    /// By the numbers the library gives.
    files: BTreeMap<u64, usize>,
    /// Syncs under way: the file, and what had been done before.
    syncs: BTreeMap<u64, (usize, usize)>,
}

impl Image {
    /// What is in a directory.
    pub(crate) fn read(root: &Path) -> Image {
        let mut image = Image::default();
        image.read_below(root, "");
        image
    }

    fn read_below(&mut self, root: &Path, below: &str) {
        for entry in fs::read_dir(root.join(below)).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                self.read_below(root, &path);
                self.directories.insert(path);
            } else {
                self.files.insert(path, fs::read(entry.path()).expect("a file"));
            }
        }
    }

    /// Puts a directory into this state.
    pub(crate) fn write(&self, root: &Path) {
        for entry in fs::read_dir(root).expect("a directory") {
            let path = entry.expect("an entry").path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { remove(&path) };
            removed.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        }
        for path in &self.directories {
            fs::create_dir_all(root.join(path)).expect("a directory");
        }
        for (path, content) in &self.files {
            fs::write(root.join(path), content).expect("a file");
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path)
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            Change::Truncate(length) => content.resize(*length, 0),
            Change::Allocate(length) => content.resize(content.len().max(*length), 0),
        }
    }

    /// Only those blocks of it that chance picks.
    fn apply_torn(&self, content: &mut Vec<u8>, block: usize, random: &mut Random) {
        let Change::Write { offset, bytes } = self else {
            if random.one_in(2) {
                self.apply(content);
            }
            return;
        };
        let mut at = *offset;
        while at < offset + bytes.len() {
            let end = ((at / block + 1) * block).min(offset + bytes.len());
            if random.one_in(2) {
                let bytes = bytes[at - offset..end - offset].to_vec();
                Change::Write { offset: at, bytes }.apply(content);
            }
            at = end;
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Naming::Link { path, node } => _ = names.insert(path.clone(), *node),
            Naming::Unlink { path } => _ = names.remove(path),
            Naming::Rename { from, to, node } => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    fn directory(&self) -> &str {
        let (Naming::Link { path, .. } | Naming::Unlink { path }) = self else {
            let Naming::Rename { to, .. } = self else { return "" };
            return parent(to);
        };
        parent(path)
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl Node {
    fn make_durable(&mut self, up_to: usize) {
        while self.before < up_to {
            let Some(change) = self.pending.pop_front() else { return };
            change.apply(&mut self.durable);
            self.before += 1;
        }
    }
}

impl Disk {
    /// What the directory `root` came to, which began with `base`.
    pub(crate) fn new(root: &Path, base: &Image, entries: &[Entry]) -> Disk {
        let root = root.to_str().expect("a path in UTF-8").to_owned();
        let mut disk = Disk {
            root,
            nodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            namings: Vec::new(),
            named: 0,
            files: BTreeMap::new(),
            syncs: BTreeMap::new(),
        };
        disk.begin_with(String::new(), Node { is_directory: true, ..Node::default() });
        for path in &base.directories {
            disk.begin_with(path.clone(), Node { is_directory: true, ..Node::default() });
        }
        for (path, content) in &base.files {
            disk.begin_with(path.clone(), Node { durable: content.clone(), ..Node::default() });
        }
        entries.iter().for_each(|entry| disk.replay(entry));
        disk
    }

    fn begin_with(&mut self, path: String, node: Node) {
        let number = self.add(node);
        self.names.insert(path.clone(), number);
        self.durable_names.insert(path, number);
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn path(&self, text: &[u8]) -> String {
        let text = std::str::from_utf8(text).expect("a path in UTF-8");
        let below = text.strip_prefix(&self.root).expect("a path below the directory");
        below.trim_start_matches('/').to_owned()
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.namings.push((self.named, naming));
        self.named += 1;
    }

    fn change(&mut self, file: u64, change: Change) {
        // The record begins with the process, so every file was opened in it.
        let node = self.files[&file];
        self.nodes[node].pending.push_back(change);
    }

    fn replay(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Open => {
                let node = self.names[&self.path(&entry.text)];
                self.files.insert(entry.file, node);
            }
            Kind::Create => {
                let node = self.add(Node::default());
                self.files.insert(entry.file, node);
                self.name(Naming::Link { path: self.path(&entry.text), node });
            }
            Kind::Write => {
                let (offset, bytes) = (entry.number as usize, entry.text.clone());
                self.change(entry.file, Change::Write { offset, bytes });
            }
            Kind::Truncate => self.change(entry.file, Change::Truncate(entry.number as usize)),
            Kind::Allocate => self.change(entry.file, Change::Allocate(entry.number as usize)),
            Kind::SyncBegun => {
                let node = self.files[&entry.file];
                let Node { is_directory, before, pending, .. } = &self.nodes[node];
                let done = if *is_directory { self.named } else { before + pending.len() };
                self.syncs.insert(entry.number, (node, done));
            }
            Kind::Synced => {
                let (node, done) = self.syncs.remove(&entry.number).expect("it had begun");
                self.synced(node, done);
            }
            Kind::SyncFailed => _ = self.syncs.remove(&entry.number),
            Kind::MakeDirectory => {
                let node = self.add(Node { is_directory: true, ..Node::default() });
                self.name(Naming::Link { path: self.path(&entry.text), node });
            }
            Kind::Unlink => self.name(Naming::Unlink { path: self.path(&entry.text) }),
            Kind::Rename => {
                let mut paths = entry.text.split(|byte| *byte == 0);
                let mut next = || self.path(paths.next().expect("two paths"));
                let (from, to) = (next(), next());
                let node = self.names[&from];
                self.name(Naming::Rename { from, to, node });
            }
        }
    }

    fn synced(&mut self, node: usize, done: usize) {
        if !self.nodes[node].is_directory {
            return self.nodes[node].make_durable(done);
        }
        let found = self.names.iter().find(|(_, named)| **named == node);
        let Some((directory, _)) = found else { return };
        let durable_names = &mut self.durable_names;
        self.namings.retain(|(number, naming)| {
            let durable = *number < done && naming.directory() == directory;
            if durable {
                naming.apply(durable_names);
            }
            !durable
        });
    }

    /// What a power cut leaves.
    pub(crate) fn after(&self, cut: Cut, random: &mut Random) -> Image {
        let mut names = self.durable_names.clone();
        for (_, naming) in &self.namings {
            let kept = match cut {
                Cut::Nothing => false,
                Cut::Everything => true,
                Cut::Changes | Cut::Blocks(_) => random.one_in(2),
            };
            if kept {
                naming.apply(&mut names);
            }
        }
        let mut image = Image::default();
        // Directories come before what is in them.
        for (path, number) in names {
            let node = &self.nodes[number];
            let above = parent(&path);
            if path.is_empty() || !(above.is_empty() || image.directories.contains(above)) {
                continue;
            }
            if node.is_directory {
                image.directories.insert(path);
            } else {
                image.files.insert(path, node.after(cut, random));
            }
        }
        image
    }
}

impl Node {
    fn after(&self, cut: Cut, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.pending {
            match cut {
                Cut::Nothing => {}
                Cut::Everything => change.apply(&mut content),
                Cut::Changes if random.one_in(2) => change.apply(&mut content),
                Cut::Changes => {}
                Cut::Blocks(size) => change.apply_torn(&mut content, size, random),
            }
        }
        content
    }
}

impl Cut {
    /// Any of them.
    pub(crate) fn any(random: &mut Random) -> Cut {
        let cuts = [Cut::Nothing, Cut::Changes, Cut::Blocks(512), Cut::Blocks(4096)];
        random.one_of(&cuts)
    }
}

#[cfg(test)]
mod tests;
