//! A directory on a real file system.
//!
//! Files are readable by their owner alone: queued messages are nobody else's business.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{File, FileSystem, LockError, LockMode};
use crate::format::LOCK;

/// The directory at this path.
#[derive(Debug, Clone)]
pub struct DiskFiles(pub PathBuf);

/// An open file of a [`DiskFiles`].
#[derive(Debug)]
pub struct DiskFile(fs::File);

/// The lock on a [`DiskFiles`]: the system lets it go with the process, however that ends.
#[derive(Debug)]
pub struct DiskLock(#[allow(dead_code, reason = "held, not used")] Option<fs::File>);

impl DiskFiles {
    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.clone() } else { self.0.join(name) }
    }

    fn open_lock(&self, mode: LockMode) -> io::Result<Option<fs::File>> {
        let path = self.path(LOCK);
        match mode {
            LockMode::Exclusive => options().create(true).truncate(false).open(path).map(Some),
            // Whoever only reads leaves no trace, also not in a directory that nobody has locked.
            LockMode::Shared => match fs::File::open(path) {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

impl FileSystem for DiskFiles {
    type File = DiskFile;
    type Lock = DiskLock;

    fn describe(&self) -> String {
        self.0.display().to_string()
    }

    fn lock(&self, mode: LockMode) -> Result<DiskLock, LockError> {
        let Some(mut file) = self.open_lock(mode)? else { return Ok(DiskLock(None)) };
        let taken = match mode {
            LockMode::Exclusive => file.try_lock(),
            LockMode::Shared => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = file.read_to_string(&mut text).ok();
                return Err(LockError::Held { pid: read.and_then(|_| text.trim().parse().ok()) });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if mode == LockMode::Exclusive {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
        }
        Ok(DiskLock(Some(file)))
    }

    fn open(&self, name: &str) -> io::Result<DiskFile> {
        options().open(self.path(name)).map(DiskFile)
    }

    fn open_read_only(&self, name: &str) -> io::Result<DiskFile> {
        fs::File::open(self.path(name)).map(DiskFile)
    }

    fn create(&self, name: &str) -> io::Result<DiskFile> {
        options().create(true).truncate(true).open(self.path(name)).map(DiskFile)
    }

    fn create_directory(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        if path.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        // The new name has to last as well; a parent that may not be read is not ours to sync.
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        match fs::File::open(parent.unwrap_or(Path::new("."))) {
            Ok(parent) => parent.sync_all(),
            Err(_) => Ok(()),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // One that is not UTF-8 is none of the journal's, and is there all the same.
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        fs::File::open(self.path(directory))?.sync_all()
    }

    fn random(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }
}

impl File for DiskFile {
    fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        let present = self.length()?;
        if length <= present {
            return Ok(());
        }
        match allocate(&self.0, present, length - present) {
            Err(error) if unsupported(&error) => write_zeros(&self.0, present, length),
            outcome => outcome,
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &fs::File, offset: u64, length: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let overflow = |_| io::Error::from(ErrorKind::FileTooLarge);
    let offset = libc::off_t::try_from(offset).map_err(overflow)?;
    let length = libc::off_t::try_from(length).map_err(overflow)?;
    loop {
        #[allow(unsafe_code)]
        // SAFETY: plain numbers and a descriptor that `file` keeps open; no memory is involved.
        let outcome = unsafe { libc::fallocate(file.as_raw_fd(), 0, offset, length) };
        if outcome == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &fs::File, _: u64, _: u64) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn unsupported(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

/// For file systems that cannot allocate ahead: what is written is taken.
fn write_zeros(file: &fs::File, mut from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; 64 * 1024];
    while from < to {
        let part = (to - from).min(zeros.len() as u64);
        file.write_all_at(&zeros[..part as usize], from)?;
        from += part;
    }
    Ok(())
}
