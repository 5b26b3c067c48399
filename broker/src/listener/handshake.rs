//! From an accepted socket to a client on its way home.
//!
//! One deadline covers all of it: TLS, CONNECT and the check of the password. Until the client is
//! known it may send one packet of bounded size.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use midge_certs::{common_name, subject};
use midge_codec::{Connack, ConnackProperties, Connect, Packet, ProtocolVersion, ReasonCode, Text};
use midge_config::CertificateUsername;
use midge_core::{Client, ShardId};
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tracing::{debug, info, warn};

use crate::auth::{Credentials, Login};
use crate::listener::admission::Seat;
use crate::logging::CONNECTION;
use crate::policy::{ListenerPolicy, Policy};
use crate::worker::Worker;
use crate::worker::arrival::Arrival;
use crate::worker::inbox::Letter;
use crate::worker::transport::Transport;

/// Room for a usual CONNECT; a larger one gets more as it comes.
const CONNECT_BYTES: usize = 1_024;

/// How long a peer has to take the alert that TLS refuses it with.
const LINGER: Duration = Duration::from_secs(1);

/// How a handshake ended without a client.
enum Refusal {
    /// Not a word: the peer went, or sent no MQTT.
    Silent(String),
    /// TLS has said it.
    Tls(String),
    /// With a CONNACK.
    Answered { version: ProtocolVersion, reason: ReasonCode, why: String },
}

/// A client that has been let in.
struct Admitted {
    connect: Box<Connect>,
    assigned_client_id: bool,
    username: Option<Text>,
    login: Login,
}

/// Does the handshake of one socket.
pub(super) async fn run(worker: Rc<Worker>, socket: TcpStream, peer: SocketAddr, name: Text) {
    let policy = worker.policy();
    // A listener that a reload took away accepts nobody.
    let Some(listener) = policy.listener(&name).cloned() else { return };
    let admission = &worker.hub().admission;
    let Some(half_open) = admission.half_open(peer.ip(), policy.max_half_open) else { return };
    if policy.connection_messages {
        info!(target: CONNECTION, "New connection from {peer} on port {}.", local_port(&socket));
    }
    let deadline = Instant::now() + policy.connect_timeout;
    let through = shake_hands(&worker, &policy, &listener, socket, peer, deadline);
    match tokio::time::timeout_at(deadline.into(), through).await {
        Ok(Some(arrival)) => {
            let home = ShardId::home(&arrival.client.client_id, worker.hub().inboxes.len());
            if home == worker.id() {
                worker.arrived(arrival);
            } else if let Ok(arrival) = arrival.detach() {
                let arrival = Letter::Arrival(Box::new(arrival));
                worker.hub().inboxes[usize::from(home.0)].push(arrival);
            }
        }
        Ok(None) => {}
        Err(_) => info!(target: CONNECTION, "Client {peer} did not connect in time, closed."),
    }
    drop(half_open);
}

fn local_port(socket: &TcpStream) -> u16 {
    socket.local_addr().map_or(0, |address| address.port())
}

async fn shake_hands(
    worker: &Worker,
    policy: &Policy,
    listener: &ListenerPolicy,
    socket: TcpStream,
    peer: SocketAddr,
    deadline: Instant,
) -> Option<Arrival<Transport>> {
    if !policy.set_tcp_nodelay {
        // It has come with it set, as its listener has; a socket that cannot is dearer, not broken.
        let _ = socket.set_nodelay(false);
    }
    let tls = match &listener.tls {
        None => None,
        Some(tls) => match ServerConnection::new(Arc::clone(&tls.config)) {
            Ok(tls) => Some(Box::new(tls)),
            Err(error) => {
                warn!(listener = %listener.name, %error, "no TLS connection");
                return None;
            }
        },
    };
    let mut transport = Transport::new(socket, tls);
    let mut buffer = BytesMut::with_capacity(CONNECT_BYTES);
    let admitted =
        admit(worker, policy, listener, &mut transport, &mut buffer, peer, deadline).await;
    let (admitted, seat) = match admitted {
        Ok(admitted) => {
            let hub = worker.hub();
            let maximum = (policy.max_connections, listener.max_connections);
            match hub.admission.seat(&listener.name, maximum.0, maximum.1) {
                Some(seat) => (admitted, seat),
                None => {
                    let version = admitted.connect.version;
                    let why = "max_connections exceeded".to_owned();
                    let reason = ReasonCode::QuotaExceeded;
                    let refusal = Refusal::Answered { version, reason, why };
                    refuse(worker, policy, transport, peer, refusal).await;
                    return None;
                }
            }
        }
        Err(refusal) => {
            refuse(worker, policy, transport, peer, refusal).await;
            return None;
        }
    };
    let client = Arc::new(Client {
        client_id: admitted.connect.client_id.detached(),
        username: admitted.username.as_ref().map(Text::detached),
        listener: listener.name.clone(),
        address: peer.to_string(),
    });
    Some(Arrival {
        transport,
        // The room that was made for the CONNECT goes.
        unread: BytesMut::from(&buffer[..]),
        client,
        connect: admitted.connect,
        assigned_client_id: admitted.assigned_client_id,
        login: admitted.login,
        seat,
    })
}

/// Reads the CONNECT and judges it.
async fn admit(
    worker: &Worker,
    policy: &Policy,
    listener: &ListenerPolicy,
    transport: &mut Transport,
    buffer: &mut BytesMut,
    peer: SocketAddr,
    deadline: Instant,
) -> Result<Admitted, Refusal> {
    let mut connect = read_connect(worker, policy, transport, buffer).await?;
    let version = connect.version;
    let refused = |reason, why: &str| Refusal::Answered { version, reason, why: why.to_owned() };
    if connect.properties.authentication_method.is_some() {
        // [MQTT-4.12.0-1]
        let why = "authentication method not supported";
        return Err(refused(ReasonCode::BadAuthenticationMethod, why));
    }
    let assigned_client_id = connect.client_id.is_empty();
    if assigned_client_id {
        let authentication = &listener.authentication;
        let allowed = match version {
            ProtocolVersion::V31 => false,
            // [MQTT-3.1.3-8]
            ProtocolVersion::V311 => connect.clean_start,
            ProtocolVersion::V5 => true,
        };
        if !allowed || !authentication.allow_zero_length_clientid {
            let why = "empty client id";
            return Err(refused(ReasonCode::ClientIdentifierNotValid, why));
        }
        connect.client_id = random_client_id(&authentication.auto_id_prefix)
            .ok_or_else(|| refused(ReasonCode::ServerUnavailable, "no random client id"))?;
    }
    let certificate_username =
        listener.tls.as_ref().and_then(|tls| tls.username.map(|kind| (kind, transport.tls())));
    let (username, login) = match certificate_username {
        Some((kind, tls)) => {
            let name = certificate_name(kind, tls)
                .map_err(|why| refused(ReasonCode::NotAuthorized, &why))?;
            (Some(name), Login::Certificate)
        }
        None => {
            let username = connect.username.clone();
            let credentials = Credentials {
                address: peer.ip(),
                username: username.clone(),
                password: connect.password.take(),
            };
            let authenticator = &worker.hub().authenticator;
            let login = authenticator
                .login(listener, credentials, deadline)
                .await
                .map_err(|reason| refused(reason, reason.name()))?;
            (username, login)
        }
    };
    connect.password = None;
    Ok(Admitted { connect, assigned_client_id, username, login })
}

async fn read_connect(
    worker: &Worker,
    policy: &Policy,
    transport: &mut Transport,
    buffer: &mut BytesMut,
) -> Result<Box<Connect>, Refusal> {
    let mut cipher = BytesMut::new();
    let mut received = 0;
    // A peer that never said a word, as one that looks whether the port is open, is no failure.
    let ended = |transport: &Transport, received: usize, why: String| match transport.tls() {
        Some(tls) if tls.is_handshaking() && received > 0 => Refusal::Tls(why),
        _ => Refusal::Silent(why),
    };
    loop {
        match midge_codec::decode_connect(buffer, policy.max_connect_size) {
            Ok(Some(connect)) => return Ok(connect),
            Ok(None) => {}
            Err(error) => {
                let (why, reason) = (error.to_string(), error.reason());
                return Err(match error.version() {
                    // MQTT 3.x has no code for a CONNECT against its form: [MQTT-3.1.4-1] there.
                    Some(version)
                        if version == ProtocolVersion::V5
                            || reason == ReasonCode::UnsupportedProtocolVersion =>
                    {
                        Refusal::Answered { version, reason, why }
                    }
                    _ => Refusal::Silent(why),
                });
            }
        }
        buffer.reserve(CONNECT_BYTES);
        let bytes = match transport.read(buffer, &mut cipher).await {
            Ok(bytes) => bytes,
            // What TLS does not understand it has read.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(ended(transport, 1, error.to_string()));
            }
            Err(error) => return Err(ended(transport, received, error.to_string())),
        };
        received += bytes;
        if transport.wants_write()
            && let Err(error) = transport.send(&[]).await
        {
            return Err(ended(transport, received, error.to_string()));
        }
        if bytes == 0 {
            return Err(ended(transport, received, "closed before its CONNECT".to_owned()));
        }
        worker.count_received(bytes);
    }
}

/// The user name that a certificate stands for.
fn certificate_name(
    kind: CertificateUsername,
    tls: Option<&ServerConnection>,
) -> Result<Text, String> {
    let certificate = tls
        .and_then(|tls| tls.peer_certificates())
        .and_then(|chain| chain.first())
        .ok_or("no client certificate")?;
    let name = match kind {
        CertificateUsername::CommonName => common_name(certificate),
        CertificateUsername::Subject => subject(certificate),
    };
    let name = name.map_err(|error| error.to_string())?;
    Text::try_from(name).map_err(|error| format!("name in the client certificate: {error}"))
}

/// A client id that nobody has: as Mosquitto's, a prefix with a UUID.
fn random_client_id(prefix: &str) -> Option<Text> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    // RFC 9562, version 4.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut id = prefix.to_owned();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push_str(&format!("{byte:02X}"));
    }
    Text::try_from(id).ok()
}

/// Tells a peer why not, as far as there is a way to.
async fn refuse(
    worker: &Worker,
    policy: &Policy,
    transport: Transport,
    peer: SocketAddr,
    refusal: Refusal,
) {
    match refusal {
        Refusal::Tls(why) => {
            let throttle = &worker.hub().admission.failed_handshakes;
            match policy.connection_messages.then(|| throttle.passes(Instant::now())).flatten() {
                None => debug!(target: CONNECTION, %peer, why, "TLS handshake failed"),
                Some(0) => {
                    info!(target: CONNECTION, "Client {peer} disconnected: TLS handshake: {why}.");
                }
                // Whoever knocks all the time does not fill the disk.
                Some(more) => info!(
                    target: CONNECTION,
                    "Client {peer} disconnected: TLS handshake: {why} (and {more} others before)."
                ),
            }
            // Closed at once the socket would take back the alert that says why.
            let _ = tokio::time::timeout(LINGER, transport.shutdown()).await;
        }
        Refusal::Silent(why) => debug!(target: CONNECTION, %peer, why, "connection closed"),
        Refusal::Answered { version, reason, why } => {
            info!(target: CONNECTION, "Client {peer} disconnected: {why}.");
            answer(transport, version, reason).await;
        }
    }
}

/// Refuses a client whose rights went while it was handed to its worker.
pub(crate) async fn turn_away(
    transport: Transport,
    client: Arc<Client>,
    version: ProtocolVersion,
    seat: Seat,
) {
    let Client { client_id, address, .. } = &*client;
    info!(target: CONNECTION, "Client {client_id} from {address} disconnected: not authorised.");
    let answer = answer(transport, version, ReasonCode::NotAuthorized);
    let _ = tokio::time::timeout(LINGER, answer).await;
    drop(seat);
}

/// Sends a CONNACK that refuses. It is lost either way; the caller's deadline bounds this.
async fn answer(mut transport: Transport, version: ProtocolVersion, reason: ReasonCode) {
    let properties = ConnackProperties::default();
    let connack = Connack { session_present: false, reason, properties };
    let mut bytes = BytesMut::new();
    if midge_codec::encode(&Packet::Connack(Box::new(connack)), version, u32::MAX, &mut bytes)
        .is_ok()
        && transport.send(&bytes).await.is_ok()
    {
        let _ = transport.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::random_client_id;

    #[test]
    fn a_made_up_client_id_is_a_prefix_with_a_random_uuid() {
        let first = random_client_id("auto-").expect("randomness");
        let second = random_client_id("auto-").expect("randomness");
        assert_ne!(first, second);
        assert_eq!(first.len(), "auto-".len() + 36);
        assert_eq!(first.as_bytes()[19], b'4');
    }
}
