//! A client's socket, with TLS on it or without.
//!
//! Drives rustls itself, so that the object that did the handshake also serves the connection and
//! moves with the socket when the client is handed to its home. Reads append plain bytes to the
//! caller's buffer; writes take from an [`Output`]. Neither holds memory of its own while idle,
//! but for what rustls holds.

use std::future::Future;
use std::io::{self, BufRead, IoSlice, Write};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use midge_core::Output;
use rustls::ServerConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Parts of one vectored write: enough for 32 large payloads with their heads.
const WRITE_PARTS: usize = 64;

/// A client's socket.
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

/// A [`Transport`] between two threads: registered with neither.
pub(crate) struct Detached {
    socket: std::net::TcpStream,
    tls: Option<Box<ServerConnection>>,
}

/// How far a write came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Everything is in the socket.
    All,
    /// The socket takes no more for now.
    Blocked,
}

impl Transport {
    pub(crate) fn new(socket: TcpStream, tls: Option<Box<ServerConnection>>) -> Transport {
        Transport { socket, tls }
    }

    /// The TLS connection, for what its handshake found out.
    pub(crate) fn tls(&self) -> Option<&ServerConnection> {
        self.tls.as_deref()
    }

    /// Takes it off this thread's event loop.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        Ok(Detached { socket: self.socket.into_std()?, tls: self.tls })
    }

    /// Appends to `plain` what the socket has, up to its free space; `cipher` is room to work in.
    /// Ready with the number of bytes taken off the socket, 0 at its end; they need not have made
    /// any plain byte. After it, [`Transport::wants_write`] tells whether TLS has to answer.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut BytesMut,
        cipher: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else {
            return pin!(self.socket.read_buf(plain)).poll(cx);
        };
        cipher.clear();
        // One record of the largest size TLS knows.
        cipher.reserve(16 * 1024);
        let bytes = ready!(pin!(self.socket.read_buf(cipher)).poll(cx))?;
        let mut rest = &cipher[..];
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            if let Err(error) = tls.process_new_packets() {
                // The alert that says why is worth one try.
                let _ = tls.write_tls(&mut NonBlocking(&self.socket));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
            let mut reader = tls.reader();
            loop {
                let taken = match reader.fill_buf() {
                    Ok(chunk) => {
                        plain.extend_from_slice(chunk);
                        chunk.len()
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    // rustls' word for an end without close_notify, which the socket tells anyway.
                    Err(error) => return Poll::Ready(Err(error)),
                };
                if taken == 0 {
                    break;
                }
                reader.consume(taken);
            }
        }
        Poll::Ready(Ok(bytes))
    }

    /// Waits for bytes, see [`Transport::poll_read`].
    pub(crate) async fn read(
        &mut self,
        plain: &mut BytesMut,
        cipher: &mut BytesMut,
    ) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx, plain, cipher)).await
    }

    /// Whether TLS itself has something to send.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Writes what `output` holds, as far as the socket takes it; adds to `sent` what went out.
    pub(crate) fn write(&mut self, output: &mut Output, sent: &mut u64) -> io::Result<Written> {
        match &mut self.tls {
            None => write_plain(&self.socket, output, sent),
            Some(tls) => write_tls(&self.socket, tls, output, sent),
        }
    }

    /// Whether [`Transport::write`] is worth another try after [`Written::Blocked`].
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(cx)
    }

    /// Waits until all of `output` is written.
    pub(crate) async fn write_all(
        &mut self,
        output: &mut Output,
        sent: &mut u64,
    ) -> io::Result<()> {
        while self.write(output, sent)? == Written::Blocked {
            self.socket.writable().await?;
        }
        Ok(())
    }

    /// Sends bytes that are in no [`Output`]: an answer before there is a session.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(bytes).await,
            Some(_) => {
                while !bytes.is_empty() {
                    // Nothing but what TLS holds back itself; then there is room for more.
                    self.write_all(&mut Output::default(), &mut 0).await?;
                    if let Some(tls) = &mut self.tls {
                        let taken = tls.writer().write(bytes)?;
                        bytes = &bytes[taken..];
                    }
                }
                self.write_all(&mut Output::default(), &mut 0).await
            }
        }
    }

    /// Ends the sending direction, then reads until the peer has ended its own: closing a socket
    /// with unread bytes would reset it and take back what was just sent.
    pub(crate) async fn shutdown(mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.write_all(&mut Output::default(), &mut 0).await?;
        }
        self.socket.shutdown().await?;
        let mut scrap = BytesMut::with_capacity(4 * 1024);
        while self.socket.read_buf(&mut scrap).await? > 0 {
            scrap.clear();
        }
        Ok(())
    }
}

impl Detached {
    /// Puts it on this thread's event loop.
    pub(crate) fn attach(self) -> io::Result<Transport> {
        Ok(Transport { socket: TcpStream::from_std(self.socket)?, tls: self.tls })
    }
}

fn write_plain(socket: &TcpStream, output: &mut Output, sent: &mut u64) -> io::Result<Written> {
    while !output.is_empty() {
        let mut parts = [IoSlice::new(&[]); WRITE_PARTS];
        let used = output.parts(&mut parts);
        let written = match &parts[..used] {
            // send(2) costs the kernel less than writev(2).
            [one] => socket.try_write(one),
            several => socket.try_write_vectored(several),
        };
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                output.advance(bytes);
                *sent += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Blocked),
            Err(error) => return Err(error),
        }
    }
    Ok(Written::All)
}

fn write_tls(
    socket: &TcpStream,
    tls: &mut ServerConnection,
    output: &mut Output,
    sent: &mut u64,
) -> io::Result<Written> {
    loop {
        while tls.wants_write() {
            match tls.write_tls(&mut NonBlocking(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => *sent += bytes as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Written::Blocked);
                }
                Err(error) => return Err(error),
            }
        }
        if output.is_empty() {
            return Ok(Written::All);
        }
        // rustls buffers a bounded amount and takes the rest when that is written.
        let mut parts = [IoSlice::new(&[]); WRITE_PARTS];
        let used = output.parts(&mut parts);
        let bytes = tls.writer().write_vectored(&parts[..used])?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        output.advance(bytes);
    }
}

/// The socket as rustls wants it: writes that return instead of waiting.
struct NonBlocking<'a>(&'a TcpStream);

impl Write for NonBlocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The length of the packet that `bytes` begin with, once its fixed header is there (2.1.4).
pub(crate) fn packet_len(bytes: &[u8]) -> Option<usize> {
    let mut remaining = 0;
    let mut rest = bytes.get(1..)?;
    for shift in [0, 7, 14, 21] {
        if !rest.has_remaining() {
            return None;
        }
        let byte = rest.get_u8();
        remaining |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(2 + shift / 7 + remaining);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::packet_len;

    #[test]
    fn the_length_of_a_packet_is_known_as_soon_as_its_fixed_header_is() {
        assert_eq!(packet_len(&[]), None);
        assert_eq!(packet_len(&[0xc0]), None);
        assert_eq!(packet_len(&[0xc0, 0]), Some(2));
        assert_eq!(packet_len(&[0x30, 0x7f, 1, 2]), Some(129));
        assert_eq!(packet_len(&[0x30, 0x80]), None);
        assert_eq!(packet_len(&[0x30, 0x80, 0x01]), Some(131));
        assert_eq!(packet_len(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Some(268_435_460));
        assert_eq!(packet_len(&[0x30, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
