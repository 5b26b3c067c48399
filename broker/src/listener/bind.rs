//! Opens the sockets that clients connect to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use midge_config::{BindAddress, Listener, SocketDomain};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel completes before a worker looks: a fleet that reconnects at once.
const BACKLOG: i32 = 4_096;

/// Tries for a free port that is free in both families.
const FREE_PORT_TRIES: usize = 16;

/// A listener's socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: listener {address}: {source}")]
pub struct BindError {
    origin: midge_config::Origin,
    address: String,
    source: io::Error,
}

impl BindError {
    /// Whether another process has the port.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Opens every address of a listener.
pub(crate) fn bind(listener: &Listener) -> Result<Vec<TcpListener>, BindError> {
    let error =
        |address: String, source| BindError { origin: listener.origin.clone(), address, source };
    let addresses = addresses(listener)
        .map_err(|source| error(crate::policy::listener_name(listener), source))?;
    if listener.port == 0 && addresses.len() > 1 {
        for _ in 1..FREE_PORT_TRIES {
            if let Ok(sockets) = open_all(listener, &addresses) {
                return Ok(sockets);
            }
        }
    }
    open_all(listener, &addresses).map_err(|(address, source)| error(address, source))
}

fn open_all(
    listener: &Listener,
    addresses: &[SocketAddr],
) -> Result<Vec<TcpListener>, (String, io::Error)> {
    let mut sockets: Vec<TcpListener> = Vec::new();
    let mut missing = None;
    for address in addresses {
        let mut address = *address;
        // A free port is chosen once, for all addresses.
        if let Some(chosen) = sockets.first().and_then(|socket| socket.local_addr().ok()) {
            address.set_port(chosen.port());
        }
        match open(address) {
            Ok(socket) => sockets.push(socket),
            Err(source) if is_optional(listener, &source) => {
                missing = Some((address.to_string(), source));
            }
            Err(source) => return Err((address.to_string(), source)),
        }
    }
    match (sockets.is_empty(), missing) {
        (true, Some(missing)) => Err(missing),
        (true, None) => {
            let source = io::Error::new(io::ErrorKind::NotFound, "no address of this family");
            Err((crate::policy::listener_name(listener), source))
        }
        (false, _) => Ok(sockets),
    }
}

/// Whether a machine without this address is served by the others.
fn is_optional(listener: &Listener, error: &io::Error) -> bool {
    let literal = match &listener.bind {
        BindAddress::Any | BindAddress::Loopback => false,
        BindAddress::Host(host) => host.parse::<IpAddr>().is_ok(),
    };
    let absent = error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    absent && !literal
}

fn addresses(listener: &Listener) -> io::Result<Vec<SocketAddr>> {
    let both = |v4: Ipv4Addr, v6: Ipv6Addr| {
        vec![SocketAddr::from((v4, listener.port)), SocketAddr::from((v6, listener.port))]
    };
    let mut addresses = match &listener.bind {
        BindAddress::Any => both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        BindAddress::Loopback => both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        BindAddress::Host(host) => (host.as_str(), listener.port).to_socket_addrs()?.collect(),
    };
    match listener.socket_domain {
        Some(SocketDomain::Ipv4) => addresses.retain(SocketAddr::is_ipv4),
        Some(SocketDomain::Ipv6) => addresses.retain(SocketAddr::is_ipv6),
        None => {}
    }
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A broker that was restarted gets its port although old connections still linger.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that addresses in logs and rules are plain.
        socket.set_only_v6(true)?;
    }
    // Those it accepts have it from it, without a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
