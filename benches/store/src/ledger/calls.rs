//! The system's calls, defined here in the C library's stead.
//!
//! Each does what the C library's does. While the ledger is open they take turns, so that no write
//! slips in between a sync and the note of it.

use std::io;
use std::os::fd::RawFd;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libc::{c_int, c_void, iovec, off_t, size_t, ssize_t};

use super::{Identity, LEDGER, Ledger, Notes};

/// Writes by `call`, which returns how many bytes, and notes where they went.
fn write_by(file: RawFd, offset: Option<off_t>, call: impl FnOnce() -> i64) -> ssize_t {
    let Some(ledger) = LEDGER.get() else { return call() as ssize_t };
    let mut notes = ledger.notes();
    let count = call();
    if count > 0 {
        notes.written += count as u64;
        if let Some(identity) = ledger.watches(file) {
            let offset = offset.unwrap_or_else(|| {
                // SAFETY: plain numbers. The place behind what was just written, also with O_APPEND.
                unsafe { libc::lseek(file, 0, libc::SEEK_CUR) - count }
            });
            note(&mut notes, identity, offset as u64, count as u64);
        }
        // Whoever reads the error number finds that of the write.
    }
    count as ssize_t
}

fn note(notes: &mut Notes, identity: Identity, start: u64, count: u64) {
    let ranges = &mut notes.files.entry(identity).or_default().ranges;
    match ranges.last_mut() {
        Some((_, end)) if *end == start => *end += count,
        _ => ranges.push((start, start + count)),
    }
}

fn truncate(file: RawFd, length: off_t) -> c_int {
    // SAFETY: plain numbers.
    let call = || unsafe { libc::syscall(libc::SYS_ftruncate, file, length) } as c_int;
    let Some(ledger) = LEDGER.get() else { return call() };
    let mut notes = ledger.notes();
    let outcome = call();
    if let (0, Some(identity)) = (outcome, ledger.watches(file)) {
        let unsynced = notes.files.entry(identity).or_default();
        unsynced.cut = unsynced.cut.min(length as u64);
        unsynced.ranges.retain_mut(|(start, end)| {
            *end = (*end).min(length as u64);
            start < end
        });
    }
    outcome
}

/// Nanoseconds of the longest sync.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// The longest that the system has taken over one sync of a file.
pub(crate) fn longest_sync() -> Duration {
    Duration::from_nanos(LONGEST.load(Ordering::Relaxed))
}

fn sync(file: RawFd, number: i64) -> c_int {
    let call = || {
        let began = Instant::now();
        // SAFETY: plain numbers.
        let outcome = unsafe { libc::syscall(number, file) } as c_int;
        LONGEST.fetch_max(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        outcome
    };
    let Some(ledger) = LEDGER.get() else { return call() };
    let mut notes = ledger.notes();
    let outcome = call();
    if let (0, Some(identity)) = (outcome, ledger.watches(file))
        && let Err(error) = shadow(ledger, &mut notes, file, identity)
    {
        eprintln!("no shadow of a file: {error}");
        std::process::abort();
    }
    outcome
}

fn shadow(
    ledger: &Ledger,
    notes: &mut MutexGuard<'_, Notes>,
    file: RawFd,
    identity: Identity,
) -> io::Result<()> {
    let unsynced = notes.files.remove(&identity).unwrap_or_default();
    notes.written += ledger.copy(file, identity, &unsynced)?;
    Ok(())
}

// SAFETY, for all below: signature and meaning are those of the C library, and the arguments go to the
// system as they came.

#[unsafe(no_mangle)]
unsafe extern "C" fn write(file: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    write_by(file, None, || unsafe { libc::syscall(libc::SYS_write, file, bytes, length) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(f: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    let call = || unsafe { libc::syscall(libc::SYS_pwrite64, f, bytes, length, at) };
    write_by(f, Some(at), call)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(
    f: c_int,
    bytes: *const c_void,
    length: size_t,
    at: off_t,
) -> ssize_t {
    unsafe { pwrite(f, bytes, length, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(file: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    write_by(file, None, || unsafe { libc::syscall(libc::SYS_writev, file, parts, count) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(f: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // The system takes the offset in two halves; on 64 bits the second one is not looked at.
    let call = || unsafe { libc::syscall(libc::SYS_pwritev, f, parts, count, at, 0) };
    write_by(f, Some(at), call)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(f: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    unsafe { pwritev(f, parts, count, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(file: c_int, length: off_t) -> c_int {
    truncate(file, length)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(file: c_int, length: off_t) -> c_int {
    truncate(file, length)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(file: c_int) -> c_int {
    sync(file, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    sync(file, libc::SYS_fdatasync)
}
