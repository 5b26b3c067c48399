//! A client's byte stream: a TCP connection, plain or with TLS on it.
//!
//! Both behave as a socket does, blocking or not; what TLS has encrypted and the socket has not taken
//! is told by `is_holding_back`, and goes out with the next `flush`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

/// An open stream.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// A TCP connection with TLS on it.
pub(crate) struct Tls {
    session: ClientConnection,
    socket: TcpStream,
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(socket)
    }
}

impl Stream {
    /// Shakes hands over a connected socket, which still blocks.
    pub(crate) fn secure(mut socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        // The window bounds what a client has to say; a limit here would only cut it in two.
        session.set_buffer_limit(None);
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(Box::new(Tls { session, socket })))
    }

    /// Whether the handshake took up an earlier session; `None` without TLS.
    pub(crate) fn is_resumed(&self) -> Option<bool> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.session.handshake_kind() == Some(HandshakeKind::Resumed)),
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// Whether more may be there to read although the socket is not readable.
    pub(crate) fn is_layered(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether bytes that `write` took wait for the socket.
    pub(crate) fn is_holding_back(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.session.wants_write(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => {
                let count = tls.session.writer().write(bytes)?;
                tls.push()?;
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.push(),
        }
    }
}

impl Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                // Nothing decrypted yet: the next record decides.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.session.read_tls(&mut self.socket)? == 0 {
                        return Ok(0);
                    }
                    self.session.process_new_packets().map_err(io::Error::other)?;
                    // A key update has to be answered, and is, whoever reads or writes next.
                    self.push()?;
                }
                result => return result,
            }
        }
    }

    /// Writes what is encrypted, as far as the socket takes it.
    fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
