//! What every client of the fleet remembers of its session.
//!
//! Invariant: once a CONNACK has come, the broker never again says that it knows nothing of a
//! session which outlives its connection [MQTT-3.2.2-3].

use midge_codec::{
    Ack, Connack, Connect, ConnectProperties, PacketId, ProtocolVersion, ReasonCode,
};
use midge_tests::text;

use crate::ledger::{Ledger, Wrong};

/// Longer than any test.
const EXPIRY_SECONDS: u32 = 86_400;

/// A session as its client sees it.
pub(crate) struct Session {
    client_id: String,
    version: ProtocolVersion,
    stored: bool,
    established: bool,
    connected: bool,
}

impl Session {
    pub(crate) fn new(client_id: &str, version: ProtocolVersion, stored: bool) -> Session {
        let client_id = client_id.to_owned();
        Session { client_id, version, stored, established: false, connected: false }
    }

    pub(crate) fn connect(&self, receive_maximum: Option<u16>) -> Connect {
        let mut properties = ConnectProperties::default();
        if self.version == ProtocolVersion::V5 {
            properties.session_expiry_interval = self.stored.then_some(EXPIRY_SECONDS);
            properties.receive_maximum = receive_maximum;
        }
        Connect {
            version: self.version,
            bridge: false,
            clean_start: !self.stored,
            keep_alive: 0,
            properties,
            client_id: text(&self.client_id),
            will: None,
            username: None,
            password: None,
        }
    }

    /// A CONNACK has come: whether the session is the one of before.
    pub(crate) fn connected(&mut self, connack: &Connack, ledger: &mut Ledger) -> bool {
        if connack.reason != ReasonCode::Success {
            let text = format!("{}: CONNACK {}", self.client_id, connack.reason);
            ledger.fault(Wrong::Refused, &text);
            return true;
        }
        let forgotten = self.stored && self.established && !connack.session_present;
        if forgotten {
            let text = format!("{}: the broker has no session", self.client_id);
            ledger.fault(Wrong::Session, &text);
        }
        self.connected = true;
        self.established = true;
        !forgotten
    }

    pub(crate) fn lost(&mut self) {
        self.connected = false;
    }

    /// Between CONNACK and the end of the connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(crate) fn describe(&self) -> String {
        let state = if self.connected { "connected" } else { "not connected" };
        format!("{} ({state})", self.client_id)
    }
}

/// An acknowledgement of success.
pub(crate) fn ack(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}
