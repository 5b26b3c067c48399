//! `midge health`: whether a broker answers, for containers and supervisors.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Connect, ConnectProperties, Disconnect, Packet, ProtocolVersion, ReasonCode, Text,
};

use super::options::HealthOptions;

/// For each step.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a CONNACK of 3.1.1.
const CONNACK_BYTES: u32 = 4;

/// Connects, waits for the answer and disconnects.
pub(super) fn run(options: &HealthOptions) -> Result<(), String> {
    let place = format!("{}:{}", options.host, options.port);
    probe(options).map_err(|error| format!("{place}: {error}"))
}

fn probe(options: &HealthOptions) -> Result<(), String> {
    let addresses = (options.host.as_str(), options.port).to_socket_addrs().map_err(text)?;
    let mut failure = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => return ask(socket),
            Err(error) => failure = error.to_string(),
        }
    }
    Err(failure)
}

fn ask(mut socket: TcpStream) -> Result<(), String> {
    let version = ProtocolVersion::V311;
    let connect = Packet::Connect(Box::new(Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 10,
        properties: ConnectProperties::default(),
        client_id: Text::from_static("midge-health"),
        will: None,
        username: None,
        password: None::<Bytes>,
    }));
    let disconnect =
        Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: None });
    let mut bytes = BytesMut::new();
    socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    socket.set_write_timeout(Some(PATIENCE)).map_err(text)?;
    midge_codec::encode(&connect, version, u32::MAX, &mut bytes).map_err(text)?;
    socket.write_all(&bytes).map_err(text)?;
    let mut answer = [0; CONNACK_BYTES as usize];
    socket.read_exact(&mut answer).map_err(text)?;
    let mut answer = BytesMut::from(&answer[..]);
    let connack = match midge_codec::decode(&mut answer, version, CONNACK_BYTES) {
        Ok(Some(Packet::Connack(connack))) => connack,
        other => return Err(format!("found {other:?}, expected a CONNACK")),
    };
    match connack.reason {
        ReasonCode::Success => {
            bytes.clear();
            midge_codec::encode(&disconnect, version, u32::MAX, &mut bytes).map_err(text)?;
            socket.write_all(&bytes).map_err(text)
        }
        // A broker that asks who we are is well.
        ReasonCode::NotAuthorized | ReasonCode::BadUserNameOrPassword => Ok(()),
        reason => Err(format!("refused: {reason}")),
    }
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn text(error: impl ToString) -> String {
    error.to_string()
}
