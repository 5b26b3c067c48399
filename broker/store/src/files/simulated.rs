//! A file system in memory that behaves as badly as a real one may.
//!
//! What is written is seen at once; what of it survives [`SimulatedFiles::crash`] is only what was
//! synced, and of the rest whatever the seed decides: sector by sector for contents, name by name for
//! directories. The same calls with the same seeds give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, FileSystem, LockError, LockMode};

const SECTOR: u64 = 512;

/// A directory in memory; clones are the same directory.
#[derive(Debug, Clone)]
pub struct SimulatedFiles(Arc<Mutex<Disk>>);

/// An open file of a [`SimulatedFiles`]; useless after a crash.
#[derive(Debug)]
pub struct SimulatedFile {
    files: SimulatedFiles,
    inode: u64,
    epoch: u64,
}

/// The lock on a [`SimulatedFiles`].
#[derive(Debug)]
pub struct SimulatedLock {
    files: SimulatedFiles,
    epoch: u64,
    mode: LockMode,
}

/// A bit that was turned over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// The file.
    pub file: String,
    /// The byte in it.
    pub offset: u64,
    /// The bit in the byte.
    pub bit: u8,
}

#[derive(Debug, Default)]
struct Disk {
    random: u64,
    epoch: u64,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    directories: BTreeSet<String>,
    writers: u32,
    readers: u32,
    free: Option<u64>,
    passing_syncs: u32,
    failing_syncs: u32,
    failing_writes: u32,
    syncs: u64,
}

#[derive(Debug, Default)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors in which the two differ, as far as the system still means to write them.
    dirty: BTreeSet<u64>,
    /// Open files: as long as there are any, it stays without a name.
    handles: u32,
}

impl SimulatedFiles {
    /// An empty directory.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk { random: seed, ..Disk::default() })))
    }

    /// The power goes: open files and locks are void, and what was not synced survives in part.
    pub fn crash(&self, seed: u64) {
        self.disk().crash(seed);
    }

    /// The process goes, the system stays: open files and locks are void, everything written is
    /// there.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.epoch += 1;
        (disk.writers, disk.readers) = (0, 0);
        disk.inodes.values_mut().for_each(|inode| inode.handles = 0);
        disk.purge();
    }

    /// The next so many syncs of files fail. What they should have synced stays readable, but the
    /// disk never gets it, as after a real system's failed sync.
    pub fn fail_syncs(&self, count: u32) {
        self.fail_syncs_after(0, count);
    }

    /// As [`Self::fail_syncs`], but some more syncs succeed before.
    pub fn fail_syncs_after(&self, passing: u32, count: u32) {
        let mut disk = self.disk();
        (disk.passing_syncs, disk.failing_syncs) = (passing, count);
    }

    /// The next so many writes fail, having written nothing.
    pub fn fail_writes(&self, count: u32) {
        self.disk().failing_writes = count;
    }

    /// The disk has this many bytes left; `None`: no end to it.
    pub fn limit_free(&self, bytes: Option<u64>) {
        self.disk().free = bytes;
    }

    /// Turns over one bit of what is durable in a file whose name ends like this; none if there is
    /// no such byte. A file is as likely as it is long, zeros at its end not counted.
    pub fn flip_bit(&self, seed: u64, suffix: &str) -> Option<Flip> {
        self.disk().flip_bit(seed, suffix)
    }

    /// What a file holds, if it exists.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        disk.names.get(name).map(|inode| disk.inodes[inode].content.clone())
    }

    /// Puts a file there, durable.
    pub fn plant(&self, name: &str, content: &[u8]) {
        let mut disk = self.disk();
        let inode = disk.allocate();
        let (content, durable) = (content.to_vec(), content.to_vec());
        let planted = Inode { content, durable, ..Inode::default() };
        disk.inodes.insert(inode, planted);
        disk.names.insert(name.to_owned(), inode);
        disk.durable_names.insert(name.to_owned(), inode);
    }

    /// The bytes that all files take.
    pub fn used(&self) -> u64 {
        let disk = self.disk();
        disk.names.values().map(|inode| disk.inodes[inode].content.len() as u64).sum()
    }

    /// How many files were synced so far.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, disk: &mut Disk, inode: u64) -> SimulatedFile {
        disk.inodes.entry(inode).or_default().handles += 1;
        SimulatedFile { files: self.clone(), inode, epoch: disk.epoch }
    }
}

/// One step of SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn missing(name: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{name} does not exist"))
}

impl Disk {
    fn allocate(&mut self) -> u64 {
        self.next_inode += 1;
        self.next_inode
    }

    fn find(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| missing(name))
    }

    fn crash(&mut self, mut seed: u64) {
        self.epoch += 1;
        (self.writers, self.readers) = (0, 0);
        let all: BTreeSet<String> =
            self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        for name in all {
            let (now, then) = (self.names.get(&name), self.durable_names.get(&name));
            let survivor = if next(&mut seed).is_multiple_of(2) { now } else { then }.copied();
            match survivor {
                Some(inode) => self.durable_names.insert(name, inode),
                None => self.durable_names.remove(&name),
            };
        }
        self.names = self.durable_names.clone();
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
            inode.crash(&mut seed);
        }
        self.purge();
    }

    /// Forgets what has neither name nor open file.
    fn purge(&mut self) {
        let names = self.names.values().chain(self.durable_names.values());
        let named: BTreeSet<u64> = names.copied().collect();
        self.inodes.retain(|inode, file| file.handles > 0 || named.contains(inode));
    }

    fn flip_bit(&mut self, mut seed: u64, suffix: &str) -> Option<Flip> {
        let written = |inode: &Inode| {
            inode.durable.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
        };
        let files: Vec<(String, u64, u64)> = self
            .durable_names
            .iter()
            .filter(|(name, _)| name.ends_with(suffix))
            .map(|(name, inode)| (name.clone(), *inode, written(&self.inodes[inode])))
            .collect();
        let total: u64 = files.iter().map(|(_, _, length)| length).sum();
        let mut place = next(&mut seed).checked_rem(total)?;
        let bit = (next(&mut seed) % 8) as u8;
        for (file, inode, length) in files {
            if place < length {
                let inode = self.inodes.get_mut(&inode)?;
                inode.durable[place as usize] ^= 1 << bit;
                if let Some(byte) = inode.content.get_mut(place as usize) {
                    *byte ^= 1 << bit;
                }
                return Some(Flip { file, offset: place, bit });
            }
            place -= length;
        }
        None
    }

    fn take(&mut self, bytes: u64) -> io::Result<()> {
        if let Some(free) = &mut self.free {
            *free =
                free.checked_sub(bytes).ok_or_else(|| io::Error::from(ErrorKind::StorageFull))?;
        }
        Ok(())
    }

    fn give(&mut self, bytes: u64) {
        if let Some(free) = &mut self.free {
            *free += bytes;
        }
    }
}

impl Inode {
    fn touch(&mut self, from: u64, to: u64) {
        self.dirty.extend(from / SECTOR..to.div_ceil(SECTOR));
    }

    fn sync(&mut self) {
        self.durable.resize(self.content.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.copy(sector);
        }
    }

    fn copy(&mut self, sector: u64) {
        let from = (sector * SECTOR) as usize;
        let to = (from + SECTOR as usize).min(self.content.len()).min(self.durable.len());
        if from < to {
            self.durable[from..to].copy_from_slice(&self.content[from..to]);
        }
    }

    fn crash(&mut self, seed: &mut u64) {
        // The length may have reached the disk without the bytes, which are zero then.
        if self.content.len() != self.durable.len() && next(seed).is_multiple_of(2) {
            self.durable.resize(self.content.len(), 0);
        }
        // Mostly all or nothing in a stretch, sometimes one by one: both happen.
        let odds = [0, 1, 4, 7, 8][(next(seed) % 5) as usize];
        for sector in std::mem::take(&mut self.dirty) {
            if next(seed) % 8 < odds {
                self.copy(sector);
            }
        }
        self.content = self.durable.clone();
    }
}

impl FileSystem for SimulatedFiles {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn describe(&self) -> String {
        "simulation".to_owned()
    }

    fn lock(&self, mode: LockMode) -> Result<SimulatedLock, LockError> {
        let mut disk = self.disk();
        let (writers, readers) = (disk.writers, disk.readers);
        if writers > 0 || (mode == LockMode::Exclusive && readers > 0) {
            return Err(LockError::Held { pid: None });
        }
        match mode {
            LockMode::Exclusive => disk.writers += 1,
            LockMode::Shared => disk.readers += 1,
        }
        Ok(SimulatedLock { files: self.clone(), epoch: disk.epoch, mode })
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut disk = self.disk();
        let inode = disk.find(name)?;
        Ok(self.file(&mut disk, inode))
    }

    fn open_read_only(&self, name: &str) -> io::Result<SimulatedFile> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut disk = self.disk();
        if let Some(inode) = disk.names.get(name).copied() {
            let file = self.file(&mut disk, inode);
            drop(disk);
            file.truncate(0)?;
            return Ok(file);
        }
        let directory = parent(name);
        if !directory.is_empty() && !disk.directories.contains(directory) {
            return Err(missing(directory));
        }
        let inode = disk.allocate();
        disk.inodes.insert(inode, Inode::default());
        disk.names.insert(name.to_owned(), inode);
        Ok(self.file(&mut disk, inode))
    }

    fn create_directory(&self, name: &str) -> io::Result<()> {
        self.disk().directories.insert(name.to_owned());
        Ok(())
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let files = disk.names.keys().filter(|name| parent(name) == directory);
        Ok(files.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.names.remove(from).ok_or_else(|| missing(from))?;
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.names.remove(name).ok_or_else(|| missing(name))?;
        let length = disk.inodes[&inode].content.len() as u64;
        disk.give(length);
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let disk = &mut *disk;
        disk.durable_names.retain(|name, _| parent(name) != directory);
        let here = disk.names.iter().filter(|(name, _)| parent(name) == directory);
        disk.durable_names.extend(here.map(|(name, inode)| (name.clone(), *inode)));
        disk.purge();
        Ok(())
    }

    fn random(&self) -> u64 {
        next(&mut self.disk().random)
    }
}

impl SimulatedFile {
    fn with<T>(&self, act: impl FnOnce(&mut Disk, &mut Inode) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.files.disk();
        if disk.epoch != self.epoch {
            return Err(io::Error::other("opened before the crash"));
        }
        let mut inode = disk.inodes.remove(&self.inode).unwrap_or_default();
        let outcome = act(&mut disk, &mut inode);
        disk.inodes.insert(self.inode, inode);
        outcome
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut disk = self.files.disk();
        if disk.epoch == self.epoch
            && let Some(inode) = disk.inodes.get_mut(&self.inode)
        {
            inode.handles -= 1;
        }
    }
}

impl File for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|_, inode| Ok(inode.content.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|_, inode| {
            let from = (offset as usize).min(inode.content.len());
            let length = buffer.len().min(inode.content.len() - from);
            buffer[..length].copy_from_slice(&inode.content[from..from + length]);
            Ok(length)
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|disk, inode| {
            if disk.failing_writes > 0 {
                disk.failing_writes -= 1;
                return Err(io::Error::other("simulated write error"));
            }
            let end = offset as usize + bytes.len();
            if end > inode.content.len() {
                disk.take((end - inode.content.len()) as u64)?;
                inode.content.resize(end, 0);
            }
            inode.content[offset as usize..end].copy_from_slice(bytes);
            inode.touch(offset, end as u64);
            Ok(())
        })
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.with(|disk, inode| {
            let present = inode.content.len() as u64;
            if length > present {
                disk.take(length - present)?;
                inode.content.resize(length as usize, 0);
            }
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.with(|disk, inode| {
            let present = inode.content.len() as u64;
            disk.give(present.saturating_sub(length));
            inode.content.resize(length as usize, 0);
            inode.touch(length.min(present), length.max(present));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|disk, inode| {
            disk.syncs += 1;
            if disk.passing_syncs > 0 {
                disk.passing_syncs -= 1;
            } else if disk.failing_syncs > 0 {
                disk.failing_syncs -= 1;
                // The system marks the pages clean all the same: nobody will write them again.
                inode.dirty.clear();
                return Err(io::Error::other("simulated sync error"));
            }
            inode.sync();
            Ok(())
        })
    }
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut disk = self.files.disk();
        if disk.epoch == self.epoch {
            match self.mode {
                LockMode::Exclusive => disk.writers -= 1,
                LockMode::Shared => disk.readers -= 1,
            }
        }
    }
}
