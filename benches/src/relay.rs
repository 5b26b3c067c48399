//! Clients of the bare relay: they send and receive the same bytes as those of a broker, and only
//! say in another way who they are.
//!
//! A connection is of use when the relay has answered, so nothing that is published is missed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::link::PATIENCE;
use crate::subscribe::Hears;

/// What the relay answers when it has understood.
const WELCOME: u8 = b'.';

/// Connects as a publisher.
pub(crate) fn speak(port: u16, publisher: u32) -> io::Result<TcpStream> {
    open(port, b'S', [publisher, 0])
}

/// Connects as a subscriber of some publishers.
pub(crate) fn hear(port: u16, hears: Hears) -> io::Result<TcpStream> {
    open(port, b'H', [hears.first as u32, hears.count as u32])
}

fn open(port: u16, part: u8, numbers: [u32; 2]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut hello = vec![part];
    numbers.iter().for_each(|number| hello.extend_from_slice(&number.to_be_bytes()));
    stream.write_all(&hello)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    match answer {
        [WELCOME] => Ok(stream),
        [other] => Err(io::Error::other(format!("expected the relay's `.`, found {other:02x}"))),
    }
}
