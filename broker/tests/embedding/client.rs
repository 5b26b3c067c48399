//! A plain MQTT 5 client over a blocking socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use midge::Running;
use midge_codec::{
    Connect, ConnectProperties, Packet, ProtocolVersion, QoS, ReasonCode, Subscribe,
    SubscribeProperties, SubscriptionOptions, Text, TopicFilter,
};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// Far beyond what any answer takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client.
pub(crate) struct Client {
    socket: TcpStream,
    unread: BytesMut,
}

impl Client {
    /// Opens a socket and says nothing.
    pub(crate) fn silent(broker: &Running) -> Client {
        let socket = TcpStream::connect(broker.addresses()[0]).expect("the broker listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Client { socket, unread: BytesMut::new() }
    }

    /// Connects without a user name, which must succeed.
    pub(crate) fn connected(broker: &Running, client_id: &str) -> Client {
        let mut client = Client::silent(broker);
        assert_eq!(client.connect(client_id, None), ReasonCode::Success);
        client
    }

    /// Sends a CONNECT; returns what the CONNACK says.
    pub(crate) fn connect(&mut self, client_id: &str, login: Option<(&str, &str)>) -> ReasonCode {
        self.send(&Packet::Connect(Box::new(Connect {
            version: VERSION,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            properties: ConnectProperties::default(),
            client_id: Text::try_from(client_id).expect("a text"),
            will: None,
            username: login.map(|(user, _)| Text::try_from(user).expect("a text")),
            password: login.map(|(_, word)| Bytes::copy_from_slice(word.as_bytes())),
        })));
        match self.receive() {
            Some(Packet::Connack(connack)) => connack.reason,
            other => panic!("found {other:?}, expected a CONNACK"),
        }
    }

    pub(crate) fn subscribe(&mut self, filter: &str) {
        let filter = TopicFilter::try_from(filter).expect("a filter");
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: NonZeroU16::MIN,
            properties: SubscribeProperties::default(),
            subscriptions: vec![(
                filter,
                SubscriptionOptions { qos: QoS::AtMostOnce, ..Default::default() },
            )],
        }));
        match self.receive() {
            Some(Packet::Suback(suback)) => assert_eq!(suback.reasons, [ReasonCode::Success]),
            other => panic!("found {other:?}, expected a SUBACK"),
        }
    }

    /// The next message.
    pub(crate) fn message(&mut self) -> (String, Vec<u8>) {
        match self.receive() {
            Some(Packet::Publish(publish)) => {
                let topic = publish.topic.map_or_else(String::new, |topic| topic.to_string());
                (topic, publish.payload.to_vec())
            }
            other => panic!("found {other:?}, expected a PUBLISH"),
        }
    }

    /// Why the broker closed the connection, in its words.
    pub(crate) fn reason_of_disconnect(&mut self) -> u8 {
        match self.receive() {
            Some(Packet::Disconnect(disconnect)) => disconnect.reason as u8,
            other => panic!("found {other:?}, expected a DISCONNECT"),
        }
    }

    /// Waits until the broker has closed the connection without a word.
    pub(crate) fn closed(&mut self) {
        let found = self.receive();
        assert!(found.is_none(), "found {found:?}, expected the end");
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        midge_codec::encode(packet, VERSION, u32::MAX, &mut bytes).expect("encoded");
        self.socket.write_all(&bytes).expect("sent");
    }

    /// The next packet; `None` at the end.
    fn receive(&mut self) -> Option<Packet> {
        loop {
            let decoded = midge_codec::decode(&mut self.unread, VERSION, u32::MAX);
            if let Some(packet) = decoded.expect("a packet") {
                return Some(packet);
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(bytes) => self.unread.extend_from_slice(&chunk[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing received: {error}"),
            }
        }
    }
}
