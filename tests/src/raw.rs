//! A connection that sends any bytes and takes packets off what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use bytes::BytesMut;
use midge_codec::{Packet, ProtocolVersion, decode, encode};
use rustls::{ClientConnection, StreamOwned};

use crate::DEADLINE;

/// A connection to a broker, with nothing known of what it may carry.
pub struct Raw {
    stream: Stream,
    received: BytesMut,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Raw {
    /// Opens a TCP connection.
    ///
    /// # Panics
    /// When nobody takes it.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Raw {
        let socket =
            TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        socket.set_read_timeout(Some(DEADLINE)).expect("read timeout");
        socket.set_write_timeout(Some(DEADLINE)).expect("write timeout");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        Raw { stream: Stream::Plain(socket), received: BytesMut::new() }
    }

    /// Continues this connection inside TLS.
    ///
    /// # Panics
    /// When something was said over it before.
    #[must_use]
    pub fn inside(self, tls: ClientConnection) -> Raw {
        match self.stream {
            Stream::Plain(socket) => {
                let stream = Stream::Tls(Box::new(StreamOwned::new(tls, socket)));
                Raw { stream, received: self.received }
            }
            Stream::Tls(_) => panic!("TLS inside TLS"),
        }
    }

    /// Sends bytes. A connection the other side has closed already takes them in silence.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stream: &mut dyn Write = match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => tls,
        };
        match stream.write_all(bytes).and_then(|()| stream.flush()) {
            Ok(()) => {}
            Err(error) if gone(error.kind()) => {}
            Err(error) => panic!("{} bytes could not be sent: {error}", bytes.len()),
        }
    }

    /// Sends bytes; tells whether the other side was still there to take them all.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes).is_ok(),
            Stream::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()).is_ok(),
        }
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: &Packet, version: ProtocolVersion) {
        let mut bytes = BytesMut::new();
        encode(packet, version, u32::MAX, &mut bytes).expect("a packet that fits");
        self.send_bytes(&bytes);
    }

    /// Waits for the next packet; `None` when the connection was closed instead.
    ///
    /// # Panics
    /// When neither happens in time, or what came is no packet.
    #[track_caller]
    pub fn packet(&mut self, version: ProtocolVersion) -> Option<Packet> {
        loop {
            match decode(&mut self.received, version, u32::MAX) {
                Ok(Some(packet)) => return Some(packet),
                Ok(None) => {}
                Err(error) => panic!("the broker sent what is no packet: {error}"),
            }
            if !self.read() {
                assert!(self.received.is_empty(), "closed within a packet: {:?}", self.received);
                return None;
            }
        }
    }

    /// Waits for `count` bytes; fewer when the connection was closed before.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count && self.read() {}
        let count = count.min(self.received.len());
        self.received.split_to(count).to_vec()
    }

    /// Waits until the other side closes; returns what it sent before.
    #[track_caller]
    pub fn closed(&mut self) -> Vec<u8> {
        while self.read() {}
        self.received.split().to_vec()
    }

    /// Closes our direction only: what is under way from the other side still arrives.
    pub fn end(&self) {
        // The other side may be gone already.
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// The socket beneath.
    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Reads what there is; `false` when the connection has ended.
    #[track_caller]
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut buffer),
            Stream::Tls(tls) => tls.read(&mut buffer),
        };
        match read {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if gone(error.kind()) => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("nothing came within {DEADLINE:?}: {error}"),
        }
    }
}

/// Errors that mean the connection has ended. A TLS alert is one.
fn gone(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotConnected
            | ErrorKind::InvalidData
    )
}
