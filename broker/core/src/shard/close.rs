//! Connections and sessions end: DISCONNECT, lost sockets, takeover, keep alive, wills, expiry.

use std::time::Duration;

use bytes::Bytes;
use midge_codec::{
    Disconnect, DisconnectProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will,
};
use tracing::debug;

use super::Shard;
use super::deliver::Envelope;
use crate::commit::Operation;
use crate::connection::paused;
use crate::message::{Message, Origin};
use crate::stored::{Key, entry};
use crate::timers::Due;
use crate::{ConnectionId, Now, Out};

/// A client that we do not listen to cannot be heard, and may be waiting for us; but nothing else
/// tells that its network is gone. It is given up after so many times the silence it is allowed.
const DEAF_FACTOR: u32 = 10;

/// What becomes of the will when a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WillFate {
    /// Goes out, now or after its delay.
    Publish,
    /// Thrown away ([MQTT-3.14.4-3]).
    Discard,
}

impl Shard {
    /// We end the connection; a client of MQTT 5 is told why.
    pub(super) fn close(&mut self, now: Now, index: u32, reason: Option<ReasonCode>) {
        let connection = self.connection(index);
        let session = connection.session;
        if let Some(reason) = reason {
            let client = &self.sessions[session as usize].client;
            debug!(client_id = %client.client_id, %reason, "closing connection");
        }
        self.hang_up(index, reason);
        self.detach(now, index, WillFate::Publish);
    }

    /// The socket is gone.
    pub(super) fn lost(&mut self, now: Now, index: u32) {
        self.detach(now, index, WillFate::Publish);
    }

    /// The client says goodbye (3.14).
    pub(super) fn disconnect(&mut self, now: Now, index: u32, disconnect: &Disconnect) {
        let number = self.connection(index).session;
        let asked = disconnect
            .properties
            .as_ref()
            .and_then(|properties| properties.session_expiry_interval);
        if let Some(seconds) = asked {
            // 3.14.2.2.2: a session that was to end cannot be made to stay.
            if seconds > 0 && !self.session(number).outlives_connection() {
                return self.close(now, index, Some(ReasonCode::ProtocolError));
            }
            self.session(number).expiry = self.bounded_expiry(seconds);
        }
        let fate = match disconnect.reason {
            ReasonCode::Success => WillFate::Discard,
            _ => WillFate::Publish,
        };
        self.hang_up(index, None);
        self.detach(now, index, fate);
    }

    /// Another connection takes the session ([MQTT-3.1.4-3]).
    pub(super) fn take_over(&mut self, now: Now, index: u32, resumed: bool) {
        self.hang_up(index, Some(ReasonCode::SessionTakenOver));
        let number = self.connection(index).session;
        let session = self.session(number);
        // A will that would have waited is not sent when the session goes on before it was due.
        let delayed = session.will.as_ref().is_some_and(|will| will.delay > Duration::ZERO);
        let keeps = resumed && session.outlives_connection();
        let fate = if keeps && delayed { WillFate::Discard } else { WillFate::Publish };
        self.detach(now, index, fate);
    }

    pub(super) fn keep_alive_due(&mut self, now: Now, connection: ConnectionId) {
        let Some(index) = self.live(connection) else { return };
        let connection = self.connection(index);
        let Some(allowed) = connection.silence_allowed else { return };
        // While we do not listen its silence says little; one that does not read is different.
        let deaf = connection.paused & !paused::OUTPUT != 0;
        let due = connection.last_packet + if deaf { allowed * DEAF_FACTOR } else { allowed };
        let (id, session) = (connection.id, connection.session);
        if due > now.instant {
            // It may be listened to again before that.
            let timer = self.timers.push(due.min(now.instant + allowed), Due::KeepAlive(id));
            self.connection(index).keep_alive_timer = Some(timer);
            return;
        }
        let client = &self.sessions[session as usize].client;
        debug!(client_id = %client.client_id, "client has exceeded timeout");
        self.close(now, index, Some(ReasonCode::KeepAliveTimeout));
    }

    pub(super) fn session_expiry_due(&mut self, now: Now, session: u32) {
        self.session(session).expiry_timer = None;
        self.wire.stats.clients_expired += 1;
        self.end_session(now, session);
    }

    pub(super) fn will_delay_due(&mut self, now: Now, session: u32) {
        self.session(session).will_timer = None;
        self.publish_will(now, session, true);
        self.write_session(now, session, Some(now.unix_millis));
    }

    /// Every client is told (0x8B) and closed; wills go out.
    pub(super) fn shutdown(&mut self, now: Now) {
        let arriving: Vec<ConnectionId> = self.arriving.keys().copied().collect();
        for id in arriving {
            self.turn_away(now, id);
        }
        let live: Vec<u32> = self.connections.iter().flatten().map(|c| c.id.index).collect();
        for index in live {
            if self.connections[index as usize].is_some() {
                self.close(now, index, Some(ReasonCode::ServerShuttingDown));
            }
        }
    }

    /// Puts the last bytes of a connection where the caller finds them.
    fn hang_up(&mut self, index: u32, reason: Option<ReasonCode>) {
        let (connection, wire) = self.connection_and_wire(index);
        if let (Some(reason), ProtocolVersion::V5) = (reason, connection.version) {
            let packet = Packet::Disconnect(Disconnect {
                reason,
                properties: None::<Box<DisconnectProperties>>,
            });
            connection.send(&packet, wire);
        }
        let (id, output) = (connection.id, std::mem::take(&mut connection.output));
        self.closing.insert(id, output);
        self.wire.outs.push_back(Out::Close(id));
    }

    /// Separates a session from its connection and does what that brings: the will, its end.
    fn detach(&mut self, now: Now, index: u32, fate: WillFate) {
        let Some(connection) = self.connections[index as usize].take() else { return };
        self.wire.stats.clients_connected -= 1;
        self.timers.cancel(connection.keep_alive_timer);
        let number = connection.session;
        let session = self.session(number);
        session.connection = None;
        if fate == WillFate::Discard {
            session.will = None;
        }
        self.offline(now, number);
    }

    /// A session has no connection any more, or has not got the one that was to be its own.
    pub(super) fn offline(&mut self, now: Now, number: u32) {
        if !self.session(number).outlives_connection() {
            // Its will, if any, is sent with its end.
            return self.end_session(now, number);
        }
        let session = self.session(number);
        if let Some(expiry) = session.expiry {
            let timer = self.timers.push(now.instant + expiry, Due::SessionExpiry(number));
            self.session(number).expiry_timer = Some(timer);
        }
        self.members_online(number, false);
        self.give_back_waiting(now, number);
        let session = self.session(number);
        if let Some(will) = &session.will {
            let delay = will.delay;
            if delay == Duration::ZERO {
                self.publish_will(now, number, true);
            } else {
                let timer = self.timers.push(now.instant + delay, Due::WillDelay(number));
                self.session(number).will_timer = Some(timer);
            }
        }
        self.write_session(now, number, Some(now.unix_millis));
    }

    /// Writes how a stored session stands: who has it, since when it is offline, its will.
    pub(super) fn write_session(&mut self, now: Now, number: u32, offline_since: Option<u64>) {
        if let Some(record) = self.session_record(number, offline_since) {
            let client_id = self.sessions[number as usize].client.client_id.clone();
            self.write_lazily(record.put(&client_id, now));
        }
    }

    /// Ends a session that has no connection: nothing of it remains.
    pub(super) fn end_session(&mut self, now: Now, number: u32) {
        debug_assert!(self.session(number).connection.is_none());
        let kept = self.session(number).stored.is_some();
        self.leave_all(now, number);
        // [MQTT-3.1.2-8]: the will goes out when the session ends, if not before; its own
        // subscriptions, shared ones above all, have no part in it.
        self.publish_will(now, number, kept);
        let session = self.sessions.remove(number as usize);
        self.by_client_id.remove(&session.client.client_id);
        self.timers.cancel(session.expiry_timer);
        let stats = &mut self.wire.stats;
        stats.inflight -= session.outbound.flight.len() as u64;
        stats.queued -= session.outbound.queued() as u64;
        stats.queued_bytes -= session.outbound.queued_bytes() as u64;
    }

    /// `kept`: the store has the will with its session, and forgets it there.
    pub(super) fn publish_will(&mut self, now: Now, number: u32, kept: bool) {
        let session = self.session(number);
        let timer = session.will_timer.take();
        self.timers.cancel(timer);
        let session = self.session(number);
        let Some(will) = session.will.take() else { return };
        let client = std::sync::Arc::clone(&session.client);
        let Will { qos, retain, topic, payload, properties } = will.will;
        if !self.generation.authorize.publish(&client, &topic) {
            self.wire.stats.publish_denied += 1;
            debug!(client_id = %client.client_id, %topic, "will denied");
            return;
        }
        let interval = properties.publish.message_expiry_interval;
        let expires = interval.map(|seconds| now.instant + Duration::from_secs(seconds.into()));
        let properties = Some(Box::new(properties.publish)).filter(|p| **p != Default::default());
        let message = Message::new(
            topic,
            payload,
            qos,
            retain && self.limits().retain_available,
            properties,
            expires,
            now.unix_millis,
            Origin::Client(client),
            Vec::new(),
        );
        debug_assert!(qos <= QoS::ExactlyOnce);
        self.route_will(now, Envelope::new(message), None, kept);
    }

    /// Until the commit of its publishing, which may wait for other shards, the store keeps a will
    /// under a key of its own: its session's record tells of it no more.
    fn route_will(&mut self, now: Now, mut envelope: Envelope, known: Option<Bytes>, kept: bool) {
        let (_, gathering) = self.route(now, &mut envelope);
        self.offer_unpaused(&mut envelope, None);
        let delete = |key| Operation::Delete { key, version: None };
        match (gathering, known) {
            (Some(gathering), Some(key)) => self.gather_with(gathering, delete(key)),
            (Some(gathering), None) if kept && self.durable => {
                let number = gathering << 6 | u64::from(self.id.0);
                let key = Key::Will(now.unix_millis, number).bytes();
                let value = entry(envelope.message(), now);
                self.write_lazily(Operation::Put { key: key.clone(), version: None, value });
                self.gather_with(gathering, delete(key));
            }
            (None, Some(key)) => self.write_lazily(delete(key)),
            _ => {}
        }
        if let Some(gathering) = gathering {
            self.seal(now, gathering);
        }
    }

    /// Wills that were being published when the broker stopped.
    pub(super) fn publish_restored_wills(&mut self, now: Now) {
        for (key, message) in std::mem::take(&mut self.commits.wills) {
            self.route_will(now, Envelope::new(message), Some(key), true);
        }
    }
}
