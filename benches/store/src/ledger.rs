//! What the disk would still hold if the power went now.
//!
//! The program defines the system's calls for writing and syncing files itself, so every engine in it
//! goes through here. Once the ledger is open, bytes that are written to a file are only noted; what
//! has been written is copied to the file's *shadow* when `fsync` or `fdatasync` of that file has
//! returned. The shadows are what survives a power cut: all that was synced, nothing else.
//!
//! Names are taken as they are at the cut (created, renamed and removed files are so at once), which
//! favours engines that do not sync their directories. `sync_file_range` is no sync: it neither tells
//! the disk to empty its cache nor writes where on the disk the bytes lie (see its manual page). Writes
//! through a memory mapping are not seen; no engine here keeps data that way.
#![allow(unsafe_code, reason = "these are the C functions of the system")]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

mod calls;

pub(crate) use calls::longest_sync;

static LEDGER: OnceLock<Ledger> = OnceLock::new();

struct Ledger {
    shadows: PathBuf,
    /// Of the file system that the data is on: major and minor number.
    device: (u32, u32),
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    files: HashMap<Identity, Unsynced>,
    /// All bytes that went through the calls, the copies to shadows included.
    written: u64,
}

/// A file, whatever its name is; numbers of removed files are used again, so with its birth.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    inode: u64,
    born: (i64, u32),
}

/// What has happened to a file since its last sync.
struct Unsynced {
    ranges: Vec<(u64, u64)>,
    /// It was cut to this length, and what lay behind is gone even if it was written again.
    cut: u64,
}

impl Default for Unsynced {
    fn default() -> Self {
        Self { ranges: Vec::new(), cut: u64::MAX }
    }
}

impl Identity {
    fn shadow(self, shadows: &Path) -> PathBuf {
        let Self { inode, born: (seconds, nanos) } = self;
        shadows.join(format!("{inode}-{seconds}-{nanos}"))
    }
}

/// Begins to take notes of all files on the file system of `shadows`.
pub(crate) fn open(shadows: &Path) -> io::Result<()> {
    let directory = File::open(shadows)?;
    let status = status_of(directory.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
    let device = (status.stx_dev_major, status.stx_dev_minor);
    let shadows = shadows.to_owned();
    LEDGER
        .set(Ledger { shadows, device, notes: Mutex::default() })
        .map_err(|_| io::Error::other("the ledger is open"))
}

/// All bytes that went through the calls: as many as the system counts, unless an engine writes by
/// other means.
pub(crate) fn written() -> u64 {
    LEDGER.get().map_or(0, |ledger| ledger.notes().written)
}

/// Puts together what a power cut left of `data` with these shadows, in `into`.
pub(crate) fn survivors(data: &Path, shadows: &Path, into: &Path) -> io::Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let (from, to) = (entry.path(), into.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            survivors(&from, shadows, &to)?;
            continue;
        }
        let file = File::open(&from)?;
        let status = status_of(file.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
        match fs::copy(identity(&status).shadow(shadows), &to) {
            Ok(_) => {}
            // Never synced: there is a name, and nothing in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(File::create(&to)?),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn identity(status: &libc::statx) -> Identity {
    let born = status.stx_btime;
    Identity { inode: status.stx_ino, born: (born.tv_sec, born.tv_nsec) }
}

fn status_of(file: RawFd) -> Option<libc::statx> {
    // SAFETY: all zeros is a valid `statx`, which the call fills; the empty name is a C string.
    unsafe {
        let mut status: libc::statx = std::mem::zeroed();
        let name = c"".as_ptr();
        let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        (libc::statx(file, name, libc::AT_EMPTY_PATH, mask, &raw mut status) == 0).then_some(status)
    }
}

impl Ledger {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file's identity, if it is one that is watched.
    fn watches(&self, file: RawFd) -> Option<Identity> {
        let status = status_of(file)?;
        let regular = u32::from(status.stx_mode) & libc::S_IFMT == libc::S_IFREG;
        let device = (status.stx_dev_major, status.stx_dev_minor);
        (regular && device == self.device).then(|| identity(&status))
    }

    /// Brings the shadow up to what was written before the sync.
    fn copy(&self, file: RawFd, identity: Identity, unsynced: &Unsynced) -> io::Result<u64> {
        // By its number: the engine may have opened it for writing alone.
        let content = File::open(format!("/proc/self/fd/{file}"))?;
        let path = identity.shadow(&self.shadows);
        let shadow = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        if unsynced.cut < shadow.metadata()?.len() {
            shadow.set_len_raw(unsynced.cut)?;
        }
        let mut copied = 0;
        for (start, end) in &unsynced.ranges {
            let mut bytes = vec![0; (end - start) as usize];
            let mut filled = 0;
            while filled < bytes.len() {
                match content.read_at(&mut bytes[filled..], start + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            shadow.write_raw(&bytes[..filled], *start)?;
            copied += filled as u64;
        }
        shadow.set_len_raw(content.metadata()?.len())?;
        Ok(copied)
    }
}

/// Shadows are written by the system's calls themselves: they are nobody's data.
trait Raw {
    fn write_raw(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_len_raw(&self, length: u64) -> io::Result<()>;
}

impl Raw for File {
    fn write_raw(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            // SAFETY: pointer and length are those of a living slice.
            let count = unsafe {
                let (at, length) = (bytes.as_ptr(), bytes.len());
                libc::syscall(libc::SYS_pwrite64, self.as_raw_fd(), at, length, offset)
            };
            if count < 0 {
                return Err(io::Error::last_os_error());
            }
            (bytes, offset) = (&bytes[count as usize..], offset + count as u64);
        }
        Ok(())
    }

    fn set_len_raw(&self, length: u64) -> io::Result<()> {
        // SAFETY: plain numbers.
        match unsafe { libc::syscall(libc::SYS_ftruncate, self.as_raw_fd(), length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
