//! One connection: first it says what it is, then it speaks as a publisher or hears some.
//!
//! What a subscriber's socket does not take waits in its backlog, and nothing overtakes that.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::turn::Turn;

/// `H` to hear or `S` to speak, the first publisher's number and how many, each in four bytes.
const HELLO_BYTES: usize = 9;
/// What the relay answers to that.
const WELCOME: u8 = b'.';
/// A subscriber asks by this whether anything is still to come, and gets the other as the answer:
/// the load generator ends its runs like that, whomever it talks to.
const ASKS: [u8; 2] = [0xc0, 0];
const ANSWERS: [u8; 2] = [0xd0, 0];
/// A subscriber that is so many bytes behind is closed.
const MOST_BACKLOG: usize = 256 << 20;

/// What a connection is there for.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// It has not said so yet.
    Unknown,
    Hears,
    /// As the publisher of that number.
    Speaks(u32),
}

/// What it says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    Hear { first: u32, count: u32 },
    Speak(u32),
}

pub(crate) struct Connection {
    socket: TcpStream,
    place: usize,
    pub(crate) part: Part,
    /// The beginning of a hello, a question or a frame that is not whole yet.
    pub(crate) partial: Vec<u8>,
    /// What came for it in this turn, as places in the turn's bytes.
    pub(crate) pieces: Vec<Range<usize>>,
    backlog: Vec<u8>,
    /// Whether epoll tells when the socket takes more.
    waits: bool,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, poll: &OwnedFd, place: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        epoll::add(poll, &socket, EventData::new_u64(place as u64), EventFlags::IN)?;
        let (partial, pieces, backlog) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { socket, place, part: Part::Unknown, partial, pieces, backlog, waits: false })
    }

    /// Reads once; nothing to read is no bytes, and an end is an error.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Reads what it has to say of itself, and welcomes it when that is all there.
    pub(crate) fn hello(&mut self) -> io::Result<Option<Hello>> {
        let mut buffer = [0; HELLO_BYTES];
        let left = HELLO_BYTES - self.partial.len();
        let count = self.read(&mut buffer[..left])?;
        self.partial.extend_from_slice(&buffer[..count]);
        if self.partial.len() < HELLO_BYTES {
            return Ok(None);
        }
        let hello = parse(&std::mem::take(&mut self.partial)).ok_or(ErrorKind::InvalidData)?;
        self.part = match hello {
            Hello::Hear { .. } => Part::Hears,
            Hello::Speak(publisher) => Part::Speaks(publisher),
        };
        // The first byte on a fresh socket always has room.
        self.socket.write_all(&[WELCOME])?;
        Ok(Some(hello))
    }

    /// Answers a subscriber's question behind everything that was sent to it.
    pub(crate) fn answer(&mut self, poll: &OwnedFd) -> io::Result<()> {
        let mut buffer = [0; 64];
        let count = self.read(&mut buffer)?;
        self.partial.extend_from_slice(&buffer[..count]);
        while let Some((question, rest)) = self.partial.split_first_chunk::<2>() {
            if *question != ASKS {
                return Err(ErrorKind::InvalidData.into());
            }
            self.partial = rest.to_vec();
            self.backlog.extend_from_slice(&ANSWERS);
        }
        self.flush(poll)
    }

    /// Writes the pieces of this turn in one go, or puts them behind what waits already.
    pub(crate) fn deliver(&mut self, poll: &OwnedFd, turn: &Turn) -> io::Result<()> {
        let mut written = 0;
        if self.backlog.is_empty() {
            let pieces = self.pieces.iter().map(|piece| IoSlice::new(turn.bytes(piece)));
            written = taken(self.socket.write_vectored(&pieces.collect::<Vec<_>>()))?;
        }
        for piece in self.pieces.drain(..) {
            let bytes = turn.bytes(&piece);
            let rest = bytes.get(written..).unwrap_or_default();
            written = written.saturating_sub(bytes.len());
            self.backlog.extend_from_slice(rest);
        }
        if self.backlog.len() > MOST_BACKLOG {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.flush(poll)
    }

    /// Goes on with the backlog, and is told when it can go on again.
    pub(crate) fn flush(&mut self, poll: &OwnedFd) -> io::Result<()> {
        if !self.backlog.is_empty() {
            let written = taken(self.socket.write(&self.backlog))?;
            self.backlog.drain(..written);
        }
        let waits = !self.backlog.is_empty();
        if waits != self.waits {
            self.waits = waits;
            let interest = if waits { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(poll, &self.socket, EventData::new_u64(self.place as u64), interest)?;
        }
        Ok(())
    }
}

/// What a socket took, which may be nothing for now.
fn taken(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

fn parse(bytes: &[u8]) -> Option<Hello> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    let (first, count) = (u32::from_be_bytes(*first), u32::from_be_bytes(*count));
    match kind {
        b'H' => Some(Hello::Hear { first, count }),
        b'S' => Some(Hello::Speak(first)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A connection of the relay, and the client's end of it.
    fn connected(poll: &OwnedFd) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        (Connection::new(socket, poll, 0).unwrap(), client)
    }

    #[test]
    fn hello_says_whom_it_hears_or_who_it_is() {
        let hear = Hello::Hear { first: 1, count: 2 };
        assert_eq!(parse(b"H\0\0\0\x01\0\0\0\x02"), Some(hear));
        assert_eq!(parse(b"S\0\0\0\x07\0\0\0\0"), Some(Hello::Speak(7)));
        assert_eq!(parse(b"X\0\0\0\x07\0\0\0\0"), None);
    }

    #[test]
    fn what_the_socket_does_not_take_comes_later_and_in_order() {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let (mut speaker, mut publisher) = connected(&poll);
        let (mut hearer, mut subscriber) = connected(&poll);
        let mut sent = Vec::new();
        let mut turn = Turn::new();
        for number in 0..400u32 {
            // More than loopback buffers hold, so that a backlog must form.
            let mut frame = vec![0x30, 0x80, 0x80, 0x02];
            frame.resize(4 + 0x8000, number as u8);
            publisher.write_all(&frame).unwrap();
            sent.extend(frame);
            let mut passed = 0;
            while passed < 4 + 0x8000 {
                let frames = turn.read(&mut speaker).unwrap();
                passed += frames.len();
                turn.pass(0, &mut hearer, frames);
                turn.dirty().for_each(|_| hearer.deliver(&poll, &turn).unwrap());
                turn.end();
            }
        }
        assert!(!hearer.backlog.is_empty(), "nobody has read yet");
        let mut received = vec![0; sent.len()];
        let reading = std::thread::spawn(move || {
            subscriber.read_exact(&mut received).unwrap();
            received
        });
        while !hearer.backlog.is_empty() {
            hearer.flush(&poll).unwrap();
        }
        assert!(reading.join().unwrap() == sent);
    }
}
