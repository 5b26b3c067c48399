//! A small MQTT client, to show the way of a message from the outside.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Ack, Connect, ConnectProperties, Packet, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe,
    SubscribeProperties, SubscriptionOptions, Text, TopicFilter, TopicName,
};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// The broker is in the same process: it answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of what the client exchanges, nothing is larger.
const PACKET_BYTES: u32 = 1 << 20;

/// Its one packet id: one exchange at a time.
const PACKET_ID: NonZeroU16 = NonZeroU16::MIN;

/// An MQTT client that does one thing at a time.
pub(super) struct Client {
    socket: TcpStream,
    unread: BytesMut,
}

impl Client {
    pub(super) fn connect(port: u16, client_id: &'static str) -> Result<Client, String> {
        let socket = TcpStream::connect(("localhost", port)).map_err(text)?;
        socket.set_nodelay(true).map_err(text)?;
        let mut client = Client { socket, unread: BytesMut::new() };
        client.send(&Packet::Connect(Box::new(Connect {
            version: VERSION,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            properties: ConnectProperties::default(),
            client_id: Text::from_static(client_id),
            will: None,
            username: None,
            password: None,
        })))?;
        match client.receive(PATIENCE)? {
            Packet::Connack(connack) if connack.reason == ReasonCode::Success => Ok(client),
            other => Err(format!("found {other:?}, expected a CONNACK with success")),
        }
    }

    /// Publishes with QoS 1.
    pub(super) fn publish(&mut self, topic: &str, payload: &'static str) -> Result<(), String> {
        self.send(&Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: Some(TopicName::try_from(topic).map_err(text)?),
            packet_id: Some(PACKET_ID),
            topic_alias: None,
            properties: None,
            payload: Bytes::from_static(payload.as_bytes()),
        }))
    }

    pub(super) fn await_puback(&mut self, patience: Duration) -> Result<(), String> {
        match self.receive(patience)? {
            Packet::Puback(ack) if !ack.reason.is_error() => Ok(()),
            other => Err(format!("found {other:?}, expected a PUBACK with success")),
        }
    }

    pub(super) fn subscribe(&mut self, filter: &str, patience: Duration) -> Result<(), String> {
        let filter = TopicFilter::try_from(filter).map_err(text)?;
        let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PACKET_ID,
            properties: SubscribeProperties::default(),
            subscriptions: vec![(filter, options)],
        }))?;
        match self.receive(patience)? {
            Packet::Suback(suback) if suback.reasons == [ReasonCode::GrantedQoS1] => Ok(()),
            other => Err(format!("found {other:?}, expected a SUBACK with QoS 1")),
        }
    }

    /// Receives a message and acknowledges it.
    pub(super) fn await_publish(&mut self, patience: Duration) -> Result<(String, Bytes), String> {
        match self.receive(patience)? {
            Packet::Publish(publish) => {
                if let Some(packet_id) = publish.packet_id {
                    let reason = ReasonCode::Success;
                    self.send(&Packet::Puback(Ack { packet_id, reason, properties: None }))?;
                }
                let topic = publish.topic.map_or_else(String::new, |topic| topic.to_string());
                Ok((topic, publish.payload))
            }
            other => Err(format!("found {other:?}, expected a PUBLISH")),
        }
    }

    fn send(&mut self, packet: &Packet) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        midge_codec::encode(packet, VERSION, PACKET_BYTES, &mut bytes).map_err(text)?;
        self.socket.write_all(&bytes).map_err(text)
    }

    fn receive(&mut self, patience: Duration) -> Result<Packet, String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(packet) =
                midge_codec::decode(&mut self.unread, VERSION, PACKET_BYTES).map_err(text)?
            {
                return Ok(packet);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no answer for {} s", patience.as_secs()));
            }
            self.socket.set_read_timeout(Some(left)).map_err(text)?;
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err("the broker closed the connection".to_owned()),
                Ok(bytes) => self.unread.extend_from_slice(&chunk[..bytes]),
                // The deadline is looked at above.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(text(error)),
            }
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
