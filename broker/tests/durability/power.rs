//! A file system whose power fails in the middle of things.
//!
//! It counts what is done to files; when the count is used up nothing works any more until
//! [`Power::restore`], and of what was not synced then survives what chance leaves.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use midge_store::{File, FileSystem, LockError, LockMode, SimulatedFile, SimulatedFiles};

#[derive(Clone, Debug)]
pub(crate) struct Power {
    pub(crate) files: SimulatedFiles,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// So many more changes work; `None`: all.
    left: Option<u32>,
    cut: bool,
    /// Syncs say that they worked and do nothing.
    lies: bool,
}

#[derive(Debug)]
pub(crate) struct PoweredFile {
    file: SimulatedFile,
    power: Power,
}

impl Power {
    pub(crate) fn new(seed: u64, lies: bool) -> Power {
        let state = State { lies, ..State::default() };
        Power { files: SimulatedFiles::new(seed), state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power fails after so many more changes.
    pub(crate) fn fail_after(&self, changes: Option<u32>) {
        self.state().left = changes;
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.state().cut
    }

    /// The power comes back.
    pub(crate) fn restore(&self) {
        let mut state = self.state();
        (state.left, state.cut) = (None, false);
    }

    /// One more change to a file.
    fn change(&self) -> io::Result<()> {
        let mut state = self.state();
        match &mut state.left {
            Some(0) => state.cut = true,
            Some(left) => *left -= 1,
            None => {}
        }
        match state.cut {
            true => Err(io::Error::other("the power is gone")),
            false => Ok(()),
        }
    }

    fn file(&self, file: SimulatedFile) -> PoweredFile {
        PoweredFile { file, power: self.clone() }
    }
}

impl FileSystem for Power {
    type File = PoweredFile;
    type Lock = <SimulatedFiles as FileSystem>::Lock;

    fn describe(&self) -> String {
        self.files.describe()
    }

    fn lock(&self, mode: LockMode) -> Result<Self::Lock, LockError> {
        self.files.lock(mode)
    }

    fn open(&self, name: &str) -> io::Result<PoweredFile> {
        Ok(self.file(self.files.open(name)?))
    }

    fn open_read_only(&self, name: &str) -> io::Result<PoweredFile> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<PoweredFile> {
        self.change()?;
        Ok(self.file(self.files.create(name)?))
    }

    fn create_directory(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.files.create_directory(name)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.files.list(directory)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change()?;
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.files.remove(name)
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.change()?;
        match self.state().lies {
            true => Ok(()),
            false => self.files.sync_directory(directory),
        }
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

impl File for PoweredFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.power.change()?;
        self.file.write_at(offset, bytes)
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.power.change()?;
        self.file.preallocate(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.power.change()?;
        self.file.truncate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.power.change()?;
        match self.power.state().lies {
            true => Ok(()),
            false => self.file.sync_data(),
        }
    }
}
