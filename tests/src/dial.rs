//! A CONNECT in the making.

use std::net::SocketAddr;

use bytes::Bytes;
use midge_codec::{Connack, Connect, ConnectProperties, Packet, ProtocolVersion, ReasonCode, Will};

use crate::{Client, Raw, text};

/// What a client will say of itself: `midge.v5("alice").resume().connect()`.
pub struct Dial {
    address: SocketAddr,
    connect: Connect,
    /// Instead of an own TCP connection.
    over: Option<Raw>,
}

impl Dial {
    /// A client of this id that will connect to `address`, with a clean session.
    pub fn new(address: SocketAddr, version: ProtocolVersion, client_id: &str) -> Dial {
        let connect = Connect {
            version,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            properties: ConnectProperties::default(),
            client_id: text(client_id),
            will: None,
            username: None,
            password: None,
        };
        Dial { address, connect, over: None }
    }

    /// Over this connection instead of one of its own.
    #[must_use]
    pub fn over(mut self, connection: Raw) -> Dial {
        self.over = Some(connection);
        self
    }

    /// To another port of the loopback address.
    #[must_use]
    pub fn at(mut self, port: u16) -> Dial {
        self.address.set_port(port);
        self
    }

    /// Clean Start (Clean Session) 0.
    #[must_use]
    pub fn resume(mut self) -> Dial {
        self.connect.clean_start = false;
        self
    }

    /// With a Session Expiry Interval, in seconds.
    #[must_use]
    pub fn expiry(self, seconds: u32) -> Dial {
        self.with(|properties| properties.session_expiry_interval = Some(seconds))
    }

    /// With a session that outlives the connection, resumed when there is one.
    #[must_use]
    pub fn persistent(self) -> Dial {
        match self.connect.version {
            ProtocolVersion::V5 => self.resume().expiry(3600),
            _ => self.resume(),
        }
    }

    /// With User Name and Password.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Dial {
        self.connect.username = Some(text(name));
        self.connect.password = Some(Bytes::copy_from_slice(password.as_bytes()));
        self
    }

    /// With a User Name alone.
    #[must_use]
    pub fn user_name(mut self, name: &str) -> Dial {
        self.connect.username = Some(text(name));
        self
    }

    /// With a keep alive, in seconds.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Dial {
        self.connect.keep_alive = seconds;
        self
    }

    /// With a Will Message.
    #[must_use]
    pub fn will(mut self, will: Will) -> Dial {
        self.connect.will = Some(will);
        self
    }

    /// With properties.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut ConnectProperties)) -> Dial {
        set(&mut self.connect.properties);
        self
    }

    /// The CONNECT as it stands.
    pub fn packet(&self) -> Packet {
        Packet::Connect(Box::new(self.connect.clone()))
    }

    /// Connects.
    ///
    /// # Panics
    /// When the broker refuses.
    #[track_caller]
    pub fn connect(self) -> Client {
        let (client, connack) = self.attempt();
        assert_eq!(connack.reason, ReasonCode::Success, "refused: {connack:?}");
        client
    }

    /// Connects, to be refused: returns why, once the broker has closed the connection.
    ///
    /// # Panics
    /// When the broker accepts.
    #[track_caller]
    pub fn refused(self) -> ReasonCode {
        let (mut client, connack) = self.attempt();
        assert_ne!(connack.reason, ReasonCode::Success, "accepted: {connack:?}");
        // [MQTT-3.2.2-6], 3.1.1: [MQTT-3.2.2-4]
        assert!(!connack.session_present, "{connack:?}");
        // [MQTT-3.2.2-7], 3.1.1: [MQTT-3.2.2-5]
        client.closed();
        connack.reason
    }

    /// Connects and returns whatever CONNACK comes.
    ///
    /// # Panics
    /// When something else comes.
    #[track_caller]
    pub fn attempt(self) -> (Client, Connack) {
        let version = self.connect.version;
        let packet = self.packet();
        let mut connection = self.over.unwrap_or_else(|| Raw::connect(self.address));
        connection.send(&packet, version);
        match connection.packet(version) {
            Some(Packet::Connack(connack)) => {
                (Client::new(connection, version, (*connack).clone()), *connack)
            }
            // [MQTT-3.2.0-1]
            Some(other) => panic!("expected a CONNACK first, the broker sent {other:?}"),
            None => panic!("expected a CONNACK, the broker closed the connection"),
        }
    }
}
