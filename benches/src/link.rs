//! One client connection: opened with blocking calls, then driven by its thread's epoll.
//!
//! A write that the socket does not take whole waits in `outgoing`, and nothing overtakes it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustls::ClientConfig;

use crate::stream::Stream;
use crate::wire::{self, Frame};

/// How long a broker may take over an answer before the run counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// One read takes as much as a socket buffer usually holds.
pub(crate) const READ_BYTES: usize = 256 * 1024;

/// A connected client.
pub(crate) struct Link {
    stream: Stream,
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

/// Connects over TLS with a new session.
pub(crate) fn open_secured(
    port: u16,
    config: &Arc<ClientConfig>,
    client_id: &str,
) -> io::Result<Stream> {
    let mut stream = Stream::secure(reach(port)?, config)?;
    introduce(&mut stream, client_id, true)?;
    Ok(stream)
}

fn connect(port: u16, client_id: &str, clean: bool) -> io::Result<(TcpStream, bool)> {
    let mut stream = reach(port)?;
    let present = introduce(&mut stream, client_id, clean)?;
    Ok((stream, present))
}

fn reach(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a CONNECT and waits for the CONNACK; tells whether there had been a session.
fn introduce(stream: &mut (impl Read + Write), client_id: &str, clean: bool) -> io::Result<bool> {
    stream.write_all(&wire::connect(client_id, clean))?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    match answer {
        [wire::CONNACK, 2, present @ (0 | 1), 0] => Ok(present == 1),
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
pub(crate) fn subscribe(stream: &mut (impl Read + Write), filter: &str, qos: u8) -> io::Result<()> {
    stream.write_all(&wire::subscribe(1, &[filter], qos))?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    if answer != [wire::SUBACK, 3, 0, 1, qos] {
        return Err(io::Error::other(format!(
            "{filter} expected SUBACK {qos}, found {answer:02x?}"
        )));
    }
    Ok(())
}

/// Subscribes to many filters by one packet, all of which must be granted.
pub(crate) fn subscribe_all(
    stream: &mut (impl Read + Write),
    filters: &[String],
    qos: u8,
) -> io::Result<()> {
    stream.write_all(&wire::subscribe(1, filters, qos))?;
    let granted = wire::packet(wire::SUBACK, &[&[0, 1][..], &vec![qos; filters.len()]].concat());
    let mut answer = vec![0; granted.len()];
    stream.read_exact(&mut answer)?;
    if answer != granted {
        let count = filters.len();
        return Err(io::Error::other(format!("{count} filters, not all of them granted")));
    }
    Ok(())
}

impl Link {
    /// Puts an opened connection under this epoll, its events marked with `token`.
    pub(crate) fn new(stream: impl Into<Stream>, poll: &OwnedFd, token: u64) -> io::Result<Self> {
        let stream = stream.into();
        stream.socket().set_nonblocking(true)?;
        epoll::add(poll, &stream, EventData::new_u64(token), EventFlags::IN)?;
        Ok(Self { stream, token, outgoing: Vec::new(), partial: Vec::new() })
    }

    /// Whether earlier bytes still wait for the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.outgoing.is_empty() || self.stream.is_holding_back()
    }

    /// Writes now what the socket takes and keeps the rest.
    pub(crate) fn send(&mut self, poll: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
        if self.is_blocked() {
            self.outgoing.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.write(bytes)?;
        self.outgoing.extend_from_slice(&bytes[written..]);
        if self.is_blocked() {
            self.watch(poll, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }

    /// Goes on with what `send` kept, after the socket became writable.
    pub(crate) fn flush(&mut self, poll: &OwnedFd) -> io::Result<()> {
        self.stream.flush()?;
        if self.stream.is_holding_back() {
            return Ok(());
        }
        let outgoing = std::mem::take(&mut self.outgoing);
        let written = self.write(&outgoing)?;
        self.outgoing = outgoing;
        self.outgoing.drain(..written);
        if !self.is_blocked() {
            self.watch(poll, EventFlags::IN)?;
        }
        Ok(())
    }

    fn watch(&self, poll: &OwnedFd, interest: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(self.token);
        Ok(epoll::modify(poll, self.stream.as_fd(), data, interest)?)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Reads what the socket has in one go and hands every whole packet to `each`; a closed
    /// connection is an error.
    pub(crate) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut each: impl FnMut(&Frame<'_>) -> Result<(), wire::Malformed>,
    ) -> io::Result<()> {
        loop {
            let count = match self.stream.read(scratch) {
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
            // epoll tells again what is left in a socket, but not what TLS has taken off it.
            if !self.stream.is_layered() {
                return Ok(());
            }
        }
    }
}
