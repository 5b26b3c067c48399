//! One client that takes what has been queued for stored sessions, one session after another.
//!
//! What it has read it acknowledges, and it takes each message once and in order: a repeated one only
//! when the broker says that it may be one, a missing one never.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::link::{self, PATIENCE, READ_BYTES};
use crate::window::Faults;
use crate::wire::{self, Stamp};

/// A connected session's queue counts as empty when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(1_000);

/// What one session, which hears one publisher, has received over all its connections.
pub(crate) struct Session {
    client_id: String,
    publisher: u32,
    pub(crate) received: u64,
    partial: Vec<u8>,
}

impl Session {
    /// Subscribes and leaves again.
    pub(crate) fn prepare(port: u16, client_id: String, publisher: u32) -> io::Result<Self> {
        let (mut stream, _) = link::open_stored(port, &client_id)?;
        link::subscribe(&mut stream, &format!("bench/{publisher}"), 1)?;
        link::leave(stream)?;
        Ok(Self { client_id, publisher, received: 0, partial: Vec::new() })
    }

    /// Comes back and takes what is queued: for so long, or until nothing more comes or it has all.
    pub(crate) fn visit(
        &mut self,
        port: u16,
        limit: Duration,
        all: u64,
        faults: &mut Faults,
    ) -> io::Result<()> {
        let (mut stream, present) = link::open_stored(port, &self.client_id)?;
        if !present {
            // What it had is gone, and the count of what it received shows it.
            return link::leave(stream);
        }
        self.partial.clear();
        stream.set_read_timeout(Some(QUIET))?;
        let began = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        while self.received < all && began.elapsed() < limit {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the broker closed the connection")),
                Ok(count) => self.take(&mut stream, &buffer[..count], faults)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        link::leave(stream)
    }

    fn take(
        &mut self,
        stream: &mut TcpStream,
        bytes: &[u8],
        faults: &mut Faults,
    ) -> io::Result<()> {
        self.partial.extend_from_slice(bytes);
        let mut rest = self.partial.as_slice();
        let mut answers = Vec::new();
        while let Some(frame) = wire::next_frame(&mut rest).map_err(io::Error::other)? {
            let (id, payload) = frame.publish_again().map_err(io::Error::other)?;
            let stamp = Stamp::read(payload).map_err(io::Error::other)?;
            if stamp.publisher != self.publisher {
                faults.violation(format!("{} was sent another's message", self.client_id));
            }
            match stamp.sequence.checked_sub(self.received) {
                Some(missing) => {
                    faults.lost += missing;
                    self.received = stamp.sequence + 1;
                }
                None => faults.duplicated += u64::from(frame.first & wire::DUP == 0),
            }
            answers.extend_from_slice(&wire::acknowledgement(wire::PUBACK, id));
        }
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
        stream.write_all(&answers)
    }
}
