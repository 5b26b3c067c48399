//! Loopback ports for servers that are told which to take.
//!
//! Tests run side by side, in one program and in several. A port belongs to whoever holds the lock
//! of a file named after it, as long as the [`Port`] lives. They lie below those the system gives to
//! outgoing connections, so none of these can come in between.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where ports are taken from: below Linux's `ip_local_port_range`.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port nobody listens on, for its holder alone.
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes one.
    ///
    /// # Panics
    /// When there is none.
    pub fn take() -> Port {
        static TRIED: AtomicUsize = AtomicUsize::new(0);
        let directory = std::env::temp_dir().join("midge-tests-ports");
        std::fs::create_dir_all(&directory).expect("directory of port locks");
        // Each program begins elsewhere, so that they seldom meet.
        let start = std::process::id() as usize * 97;
        for _ in RANGE {
            let tried = TRIED.fetch_add(1, Ordering::Relaxed);
            let number = RANGE.start + ((start + tried) % RANGE.len()) as u16;
            let file = directory.join(number.to_string());
            let file = File::options().create(true).append(true).open(file).expect("a port's lock");
            let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if file.try_lock().is_ok() && free() {
                return Port { number, _lock: file };
            }
        }
        panic!("no free port from {} to {}", RANGE.start, RANGE.end);
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
