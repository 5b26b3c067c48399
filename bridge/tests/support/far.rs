//! Another MQTT broker, whose every packet a test speaks.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Ack, Connack, ConnackProperties, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Suback, Subscribe, TopicName, decode, encode,
};

use super::PATIENCE;

const VERSION: ProtocolVersion = ProtocolVersion::V311;

/// It listens.
pub struct Far(TcpListener);

/// A connection of a client.
pub struct Client {
    stream: TcpStream,
    input: BytesMut,
}

impl Far {
    pub fn new() -> Far {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        Far(listener)
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }

    /// The next connection, with its CONNECT.
    #[track_caller]
    pub fn accept(&self) -> (Client, Box<Connect>) {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "nobody connects");
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                Err(error) => panic!("{error}"),
            }
        };
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut client = Client { stream, input: BytesMut::new() };
        match client.packet() {
            Packet::Connect(connect) => (client, connect),
            other => panic!("{other:?}"),
        }
    }

    /// A client that is let in.
    #[track_caller]
    pub fn connected(&self, session_present: bool) -> (Client, Box<Connect>) {
        let (mut client, connect) = self.accept();
        client.connack(session_present, ReasonCode::Success);
        (client, connect)
    }

    /// A client that is let in, and has subscribed.
    #[track_caller]
    pub fn subscribed(&self) -> Client {
        let (mut client, _) = self.connected(false);
        client.subscribes();
        client
    }
}

impl Client {
    pub fn send(&mut self, packet: &Packet) {
        self.try_send(packet).expect("it reads");
    }

    pub fn try_send(&mut self, packet: &Packet) -> std::io::Result<()> {
        let mut output = BytesMut::new();
        encode(packet, VERSION, u32::MAX, &mut output).expect("a packet of a test");
        self.stream.write_all(&output)
    }

    pub fn connack(&mut self, session_present: bool, reason: ReasonCode) {
        let properties = ConnackProperties::default();
        self.send(&Packet::Connack(Box::new(Connack { session_present, reason, properties })));
    }

    /// The next packet; those of the keep alive are answered.
    #[track_caller]
    pub fn packet(&mut self) -> Packet {
        loop {
            match self.raw_packet() {
                Packet::Pingreq => self.send(&Packet::Pingresp),
                packet => return packet,
            }
        }
    }

    /// The next packet, whatever it is.
    #[track_caller]
    pub fn raw_packet(&mut self) -> Packet {
        loop {
            // A CONNECT has its version.
            let version = VERSION;
            if let Some(packet) = decode(&mut self.input, version, u32::MAX).expect("a packet") {
                return packet;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).expect("a packet within reason");
            assert!(count > 0, "the client has gone");
            self.input.extend_from_slice(&bytes[..count]);
        }
    }

    /// Waits for a SUBSCRIBE and grants it all.
    #[track_caller]
    pub fn subscribes(&mut self) -> Subscribe {
        let packet = self.packet();
        let Packet::Subscribe(subscribe) = packet else { panic!("{packet:?}") };
        let granted = subscribe.subscriptions.iter().map(|(_, options)| match options.qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        });
        let (packet_id, reasons) = (subscribe.packet_id, granted.collect());
        self.send(&Packet::Suback(Suback { packet_id, properties: None, reasons }));
        subscribe
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

pub fn publish(packet_id: u16, dup: bool, topic: &str, payload: impl Into<Vec<u8>>) -> Packet {
    let packet_id = PacketId::new(packet_id);
    Packet::Publish(Publish {
        dup,
        qos: packet_id.map_or(QoS::AtMostOnce, |_| QoS::AtLeastOnce),
        retain: false,
        topic: Some(TopicName::try_from(topic).expect(topic)),
        packet_id,
        topic_alias: None,
        properties: None,
        payload: Bytes::from(payload.into()),
    })
}

pub fn ack(packet_id: u16) -> Ack {
    let packet_id = PacketId::new(packet_id).expect("above zero");
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}
