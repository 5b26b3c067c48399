//! Instructions that a process has executed in user mode, where the machine counts them.
//!
//! Most virtual machines have no hardware counters, and a kernel may not let everybody read them:
//! that is no error, there is no figure then.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

/// What to count: `PERF_TYPE_HARDWARE` and `PERF_COUNT_HW_INSTRUCTIONS`.
const INSTRUCTIONS: (u32, u64) = (0, 1);
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
/// Threads that are started later count with the one that started them.
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;

/// The first version of `perf_event_attr`, which every kernel takes.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

/// A running counter for each thread of a process.
pub(crate) struct Counters(Vec<File>);

impl Counters {
    /// Starts to count the instructions of a process; `None` where that is not possible.
    pub(crate) fn start(process: u32) -> Option<Self> {
        Self::open(process, INSTRUCTIONS)
    }

    fn open(process: u32, (kind, config): (u32, u64)) -> Option<Self> {
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
        let files = threads.map(|thread| {
            let thread = thread.ok()?.file_name().to_str()?.parse().ok()?;
            counter(kind, config, thread)
        });
        Some(Self(files.collect::<Option<_>>()?)).filter(|counters| !counters.0.is_empty())
    }

    /// What all threads together have come to.
    pub(crate) fn read(&self) -> Option<u64> {
        let values = self.0.iter().map(|file| {
            let mut value = [0; 8];
            let mut file = file;
            file.read_exact(&mut value).ok()?;
            Some(u64::from_ne_bytes(value))
        });
        values.sum()
    }
}

/// `perf_event_open` for one thread on any processor.
fn counter(kind: u32, config: u64, thread: libc::pid_t) -> Option<File> {
    let attributes = Attributes {
        kind,
        size: size_of::<Attributes>() as u32,
        config,
        flags: INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR,
        ..Attributes::default()
    };
    let (any_processor, no_group) = (-1, -1);
    // SAFETY: the kernel reads `size` bytes of the attributes, which live until the call is over, and
    // writes none; nothing else is handed to it.
    #[allow(unsafe_code)]
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            thread,
            any_processor,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    #[allow(unsafe_code)]
    Some(unsafe { File::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_TASK_CLOCK`: nanoseconds, counted on every machine.
    const TASK_CLOCK: (u32, u64) = (1, 1);

    #[test]
    fn counters_of_all_threads_grow_with_the_work_of_any() {
        // A kernel that lets nobody count has no counters to test.
        let Some(counters) = Counters::open(std::process::id(), TASK_CLOCK) else { return };
        let before = counters.read().unwrap();
        // This thread is started later than the counters, and counts as well.
        let working = std::thread::spawn(move || {
            let began = std::time::Instant::now();
            while began.elapsed() < std::time::Duration::from_millis(20) {
                std::hint::black_box(before);
            }
        });
        working.join().unwrap();
        assert!(counters.read().unwrap() > before + 1_000_000);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_counters() {
        assert!(Counters::open(u32::MAX, TASK_CLOCK).is_none());
    }

    #[test]
    fn attributes_are_as_long_as_their_first_version() {
        assert_eq!(size_of::<Attributes>(), 64);
    }
}
