//! One client connection: opened with blocking calls, then driven by its thread's epoll.
//!
//! A write that the socket does not take whole waits in `outgoing`, and nothing overtakes it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::wire::{self, Frame};

/// How long a broker may take over an answer before the run counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// One read takes as much as a socket buffer usually holds.
pub(crate) const READ_BYTES: usize = 256 * 1024;

/// A connected client.
pub(crate) struct Link {
    stream: TcpStream,
    token: u64,
    outgoing: Vec<u8>,
    partial: Vec<u8>,
}

/// Connects to the broker on a loopback port and waits for its CONNACK.
pub(crate) fn open(port: u16, client_id: &str) -> io::Result<TcpStream> {
    let (stream, present) = connect(port, client_id, true)?;
    if present {
        return Err(io::Error::other(format!(
            "{client_id} expected a new session, found an old one"
        )));
    }
    Ok(stream)
}

/// Connects with a session that outlives the connection; tells whether there had been one.
pub(crate) fn open_stored(port: u16, client_id: &str) -> io::Result<(TcpStream, bool)> {
    connect(port, client_id, false)
}

fn connect(port: u16, client_id: &str, clean: bool) -> io::Result<(TcpStream, bool)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&wire::connect(client_id, clean))?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    match answer {
        [wire::CONNACK, 2, present @ (0 | 1), 0] => Ok((stream, present == 1)),
        _ => {
            let error = format!("{client_id} expected CONNACK 0, found {answer:02x?}");
            Err(io::Error::other(error))
        }
    }
}

/// Says goodbye and waits until the broker has let go: the client is offline then.
pub(crate) fn leave(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&wire::DISCONNECT)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut rest = [0; 4_096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // It closed before it had read all that came behind the goodbye.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Subscribes and waits for the SUBACK, which must grant the QoS asked for.
pub(crate) fn subscribe(stream: &mut TcpStream, filter: &str, qos: u8) -> io::Result<()> {
    stream.write_all(&wire::subscribe(1, filter, qos))?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    if answer != [wire::SUBACK, 3, 0, 1, qos] {
        return Err(io::Error::other(format!(
            "{filter} expected SUBACK {qos}, found {answer:02x?}"
        )));
    }
    Ok(())
}

impl Link {
    /// Puts an opened connection under this epoll, its events marked with `token`.
    pub(crate) fn new(stream: TcpStream, poll: &OwnedFd, token: u64) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        epoll::add(poll, &stream, EventData::new_u64(token), EventFlags::IN)?;
        Ok(Self { stream, token, outgoing: Vec::new(), partial: Vec::new() })
    }

    /// Whether earlier bytes still wait for the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes now what the socket takes and keeps the rest.
    pub(crate) fn send(&mut self, poll: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
        if self.is_blocked() {
            self.outgoing.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.write(bytes)?;
        if written < bytes.len() {
            self.outgoing.extend_from_slice(&bytes[written..]);
            self.watch(poll, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }

    /// Goes on with what `send` kept, after the socket became writable.
    pub(crate) fn flush(&mut self, poll: &OwnedFd) -> io::Result<()> {
        let outgoing = std::mem::take(&mut self.outgoing);
        let written = self.write(&outgoing)?;
        self.outgoing = outgoing;
        self.outgoing.drain(..written);
        if self.outgoing.is_empty() {
            self.watch(poll, EventFlags::IN)?;
        }
        Ok(())
    }

    fn watch(&self, poll: &OwnedFd, interest: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(self.token);
        Ok(epoll::modify(poll, self.stream.as_fd(), data, interest)?)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match (&self.stream).write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Reads once and hands every whole packet to `each`; a closed connection is an error.
    pub(crate) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut each: impl FnMut(&Frame<'_>) -> Result<(), wire::Malformed>,
    ) -> io::Result<()> {
        let count = match (&self.stream).read(scratch) {
            Ok(0) => return Err(io::Error::other("the broker closed the connection")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let joined;
        let mut rest = if self.partial.is_empty() {
            &scratch[..count]
        } else {
            self.partial.extend_from_slice(&scratch[..count]);
            joined = std::mem::take(&mut self.partial);
            joined.as_slice()
        };
        while let Some(frame) = wire::next_frame(&mut rest).map_err(io::Error::other)? {
            each(&frame).map_err(io::Error::other)?;
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}
