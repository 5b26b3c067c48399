//! Sockets to other brokers: TCP, with TLS where it is wanted.
//!
//! Invariant: what is to be protected is never opened without TLS. Reading and writing may be given
//! up at any time, and nothing is lost by that.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

/// TCP or TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for T {}

/// Opens one within a time; `tls` says whether it is to be protected, and by which settings.
pub(super) async fn open(
    host: &str,
    port: u16,
    tls: Option<Option<&Arc<ClientConfig>>>,
    within: Duration,
) -> io::Result<Box<dyn Socket>> {
    let opened = timeout(within, async {
        let socket = TcpStream::connect((host, port)).await?;
        socket.set_nodelay(true)?;
        let config = match tls {
            None => return Ok::<Box<dyn Socket>, io::Error>(Box::new(socket)),
            Some(config) => config,
        };
        let config = config.ok_or_else(|| io::Error::other("there are no settings for TLS"))?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let socket = TlsConnector::from(Arc::clone(config)).connect(name, socket).await?;
        Ok(Box::new(socket))
    });
    opened.await.unwrap_or_else(|_| {
        let why = format!("no connection within {within:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

/// Reads what has come.
pub(super) async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<()> {
    input.reserve(READ_BYTES);
    match reader.read_buf(input).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection")),
        _ => Ok(()),
    }
}

/// Writes a part of the output, or flushes when all has been written; whether it did. Nothing is
/// lost when it is not waited for.
pub(super) async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    output: &mut BytesMut,
) -> io::Result<bool> {
    match output.is_empty() {
        true => writer.flush().await.map(|()| true),
        false => writer.write_buf(output).await.map(|_| false),
    }
}
