//! A connection that never blocks, and may end at any byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use bytes::{Buf, BytesMut};
use midge_codec::{Packet, ProtocolVersion, decode, encode};

/// Bytes taken off a socket at once.
const PORTION: usize = 64 * 1024;

/// A connection to the broker.
pub(crate) struct Link {
    socket: TcpStream,
    version: ProtocolVersion,
    inbound: BytesMut,
    outbound: BytesMut,
}

impl Link {
    /// Opens one; `None` when nobody takes it.
    pub(crate) fn open(address: SocketAddr, version: ProtocolVersion) -> Option<Link> {
        let socket = TcpStream::connect(address).ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.set_nodelay(true).ok()?;
        Some(Link { socket, version, inbound: BytesMut::new(), outbound: BytesMut::new() })
    }

    /// To wait for with others.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Something waits to be written.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.outbound.is_empty()
    }

    /// Puts a packet behind what waits to be written.
    pub(crate) fn put(&mut self, packet: &Packet) {
        encode(packet, self.version, u32::MAX, &mut self.outbound).expect("a packet that fits");
    }

    /// Writes what the socket takes. That it has ended is found when it is read.
    pub(crate) fn write(&mut self) {
        while !self.outbound.is_empty() {
            match self.socket.write(&self.outbound) {
                Ok(count) if count > 0 => self.outbound.advance(count),
                _ => return,
            }
        }
    }

    /// Reads what has come; false when the connection has ended, after its last whole packet.
    pub(crate) fn read(&mut self, packets: &mut Vec<Packet>) -> bool {
        let mut portion = [0; PORTION];
        let open = match self.socket.read(&mut portion) {
            Ok(count) => {
                self.inbound.extend_from_slice(&portion[..count]);
                count > 0
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        loop {
            match decode(&mut self.inbound, self.version, u32::MAX) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => return open,
                Err(error) => panic!("the broker sent what is no packet: {error}"),
            }
        }
    }
}
