//! The chunks of the file, one after the other, into a [`Database`].
//!
//! Invariant: places in `messages` that a session holds are places that exist.

use std::collections::HashMap;

use midge_codec::QoS;

use super::reader::Reader;
use super::{
    Database, DatabaseError, Inbound, InboundState, Outbound, OutboundState, Session,
    StoredMessage, Subscription, properties,
};

const MARK: &[u8; 15] = b"\x00\xb5\x00mosquitto db";

/// 32-bit x86 aligns a `u64` to four bytes.
const UNPADDED_CONFIGURATION_BYTES: usize = 12;
const PADDED_CONFIGURATION_BYTES: usize = 16;

pub(super) fn database(file: &[u8]) -> Result<Database<'_>, DatabaseError> {
    let Some(rest) = file.strip_prefix(MARK) else { return Err(DatabaseError::NotADatabase) };
    let mut all = Reader::new(file, "the header");
    all.bytes(file.len() - rest.len(), "the mark")?;
    all.u32("the checksum")?;
    let version = all.u32("the format version")?;
    if !(5..=6).contains(&version) {
        return Err(DatabaseError::Version { version });
    }
    let mut builder = Builder {
        database: Database { version, ..Database::default() },
        client_padding_bytes: 4,
        by_store_id: HashMap::new(),
        by_client_id: HashMap::new(),
    };
    let mut all = all.part(all.left(), "a chunk header")?;
    while all.left() > 0 {
        let kind = all.u32("its type")?;
        let length = all.u32("its length")? as usize;
        match kind {
            1 => builder.configuration(all.part(length, "a configuration chunk")?)?,
            2 => builder.message(all.part(length, "a message chunk")?)?,
            3 => builder.client_message(all.part(length, "a client message chunk")?)?,
            4 => builder.retained(all.part(length, "a retained chunk")?)?,
            5 => builder.subscription(all.part(length, "a subscription chunk")?)?,
            6 => builder.client(all.part(length, "a client chunk")?)?,
            _ => {
                let found = format!("chunk type {kind}");
                return Err(all.wrong(all.at() - 8, found, "a type from 1 to 6"));
            }
        }
    }
    Ok(builder.database)
}

struct Builder<'f> {
    database: Database<'f>,
    client_padding_bytes: usize,
    by_store_id: HashMap<u64, usize>,
    by_client_id: HashMap<&'f str, usize>,
}

impl<'f> Builder<'f> {
    fn configuration(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        match body.left() {
            PADDED_CONFIGURATION_BYTES => self.client_padding_bytes = 4,
            UNPADDED_CONFIGURATION_BYTES => self.client_padding_bytes = 0,
            length => {
                let found = format!("{length} bytes");
                return Err(body.wrong(body.at(), found, "12 or 16"));
            }
        }
        body.id("the last store id")?;
        self.database.saved_at_shutdown = body.u8("whether it was saved at shutdown")? != 0;
        let at = body.at();
        match body.u8("the size of a store id")? {
            8 => Ok(()),
            other => Err(body.wrong(at, format!("store ids of {other} bytes"), "8")),
        }
    }

    fn message(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        let at = body.at();
        let store_id = body.id("the store id")?;
        let expires_at = body.time("the expiry time")?;
        let payload_length = body.u32("the payload's length")?;
        let source_packet_id = body.u16("the source's packet id")?;
        let source_id_length = body.u16("the source id's length")?;
        let source_username_length = body.u16("the source user name's length")?;
        let topic_length = body.u16("the topic's length")?;
        let source_port = body.u16("the source's port")?;
        let qos = body.qos()?;
        let retain = body.u8("RETAIN")? != 0;
        let message = StoredMessage {
            source_id: body.optional_text(source_id_length, "the source id")?,
            source_username: body.optional_text(source_username_length, "the source user name")?,
            topic: body.text(topic_length, "a topic")?,
            payload: body.bytes(payload_length as usize, "the payload")?,
            qos,
            retain,
            expires_at,
            source_packet_id,
            source_port: Some(source_port).filter(|port| *port != 0),
            properties: properties::read(&mut body)?,
        };
        if self.by_store_id.insert(store_id, self.database.messages.len()).is_some() {
            return Err(body.wrong(at, "a store id for the second time", "one of its own"));
        }
        self.database.messages.push(message);
        Ok(())
    }

    fn client(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        let expires_at = body.time("the session's expiry time")?;
        let session_expiry_interval = body.u32("the session expiry interval")?;
        let last_packet_id = body.u16("the last packet id")?;
        let client_id_length = body.u16("the client id's length")?;
        let (mut listener_port, mut username_length) = (0, 0);
        if self.database.version >= 6 {
            listener_port = body.u16("the listener's port")?;
            username_length = body.u16("the user name's length")?;
            body.bytes(self.client_padding_bytes, "padding")?;
        }
        let client_id = body.text(client_id_length, "a client id")?;
        let username = body.bytes(username_length.into(), "the user name")?;
        body.finish()?;
        let session = self.session(client_id);
        // Mosquitto 2.0.11 forgets to clear the name of the client before: with a length whose bytes
        // are swapped what follows is memory that was never a name.
        session.username = std::str::from_utf8(username)
            .ok()
            .filter(|name| !name.is_empty() && !name.contains('\0'));
        session.listener_port = Some(listener_port).filter(|port| *port != 0);
        session.session_expiry_interval = session_expiry_interval;
        session.expires_at = expires_at;
        session.last_packet_id = last_packet_id;
        Ok(())
    }

    fn client_message(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        let store_id = body.id("the store id")?;
        let packet_id = body.u16("the packet id")?;
        let client_id_length = body.u16("the client id's length")?;
        let qos = body.qos()?;
        let state_at = body.at();
        let state = body.u8("the state")?;
        let retain_and_dup = body.u8("RETAIN and DUP")?;
        let direction_at = body.at();
        let direction = body.u8("the direction")?;
        let client_id = body.text(client_id_length, "a client id")?;
        let subscription_identifier = properties::read(&mut body)?.subscription_identifier;
        let (retain, dup) = (retain_and_dup & 0xf0 != 0, retain_and_dup & 0x0f != 0);
        let message = self.by_store_id.get(&store_id).copied();
        match direction {
            0 if qos != QoS::ExactlyOnce => self.database.left_out += 1,
            0 => {
                let state = inbound_state(state).ok_or_else(|| {
                    body.wrong(state_at, format!("state {state}"), "one of a message received")
                })?;
                match message {
                    Some(message) => {
                        let inbound = Inbound { message, packet_id, state, dup };
                        self.session(client_id).inbound.push(inbound);
                    }
                    None => self.database.left_out += 1,
                }
            }
            1 => {
                let state = outbound_state(state, qos, packet_id).ok_or_else(|| {
                    let found = format!("state {state}, packet id {packet_id}, {qos:?}");
                    body.wrong(state_at, found, "those of a message to be sent")
                })?;
                match message {
                    Some(message) => self.session(client_id).outbound.push(Outbound {
                        message,
                        qos,
                        retain,
                        dup,
                        subscription_identifier,
                        state,
                    }),
                    None => self.database.left_out += 1,
                }
            }
            other => {
                let found = format!("direction {other}");
                return Err(body.wrong(direction_at, found, "0 (from the client) or 1 (to it)"));
            }
        }
        Ok(())
    }

    fn subscription(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        let identifier = body.u32("the subscription identifier")?;
        let client_id_length = body.u16("the client id's length")?;
        let filter_length = body.u16("the filter's length")?;
        let qos = body.qos()?;
        let options = body.u8("the options")?;
        body.bytes(2, "padding")?;
        let client_id = body.text(client_id_length, "a client id")?;
        let filter = body.text(filter_length, "a topic filter")?;
        body.finish()?;
        self.session(client_id).subscriptions.push(Subscription {
            filter,
            qos,
            no_local: options & 0x04 != 0,
            retain_as_published: options & 0x08 != 0,
            identifier: Some(identifier).filter(|identifier| *identifier != 0),
        });
        Ok(())
    }

    fn retained(&mut self, mut body: Reader<'f>) -> Result<(), DatabaseError> {
        let store_id = body.id("the store id")?;
        body.finish()?;
        match self.by_store_id.get(&store_id) {
            Some(message) => self.database.retained.push(*message),
            None => self.database.left_out += 1,
        }
        Ok(())
    }

    /// The session of a client; one that has no chunk of its own is kept for ever, as by Mosquitto.
    fn session(&mut self, client_id: &'f str) -> &mut Session<'f> {
        let sessions = &mut self.database.sessions;
        let place = *self.by_client_id.entry(client_id).or_insert_with(|| {
            sessions.push(Session {
                client_id,
                username: None,
                listener_port: None,
                session_expiry_interval: u32::MAX,
                expires_at: None,
                last_packet_id: 0,
                subscriptions: Vec::new(),
                inbound: Vec::new(),
                outbound: Vec::new(),
            });
            sessions.len() - 1
        });
        &mut sessions[place]
    }
}

/// Mosquitto's number of a state, of a QoS 2 message from the client.
fn inbound_state(state: u8) -> Option<InboundState> {
    match state {
        // Waits for PUBREL; PUBREC is to be sent (again).
        7 | 10 => Some(InboundState::AwaitPubrel),
        11 => Some(InboundState::Queued),
        _ => None,
    }
}

/// Mosquitto's number of a state, of a message for the client.
fn outbound_state(state: u8, qos: QoS, packet_id: u16) -> Option<OutboundState> {
    match (state, qos) {
        (11, _) | (1, QoS::AtMostOnce) => Some(OutboundState::Queued),
        _ if packet_id == 0 => None,
        // PUBLISH is to be sent again, or was.
        (2 | 3, QoS::AtLeastOnce) => Some(OutboundState::AwaitPuback { packet_id }),
        (4 | 5, QoS::ExactlyOnce) => Some(OutboundState::AwaitPubrec { packet_id }),
        // PUBREL likewise.
        (6 | 9, QoS::ExactlyOnce) => Some(OutboundState::AwaitPubcomp { packet_id }),
        _ => None,
    }
}
