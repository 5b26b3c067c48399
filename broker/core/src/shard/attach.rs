//! A client arrives: its session is resumed or made, its CONNECT answered (3.1.4), once what is to
//! be stored of the session is durable.

use std::sync::Arc;
use std::time::Duration;

use midge_codec::{Connack, ConnackProperties, Connect, Packet, ProtocolVersion, QoS, ReasonCode};
use tracing::warn;

use super::Shard;
use super::commits::Waiter;
use crate::connection::Connection;
use crate::event::Attach;
use crate::output::Output;
use crate::session::{Session, StoredWill};
use crate::timers::Due;
use crate::{ConnectionId, Now, Out};

impl Shard {
    pub(super) fn attach(&mut self, now: Now, attach: Attach) {
        let Attach { connection: id, client, connect, .. } = &attach;
        let (id, version) = (*id, connect.version);
        if let Some(reason) = self.connect_refusal(connect, client) {
            return self.refuse_connect(now, id, version, reason);
        }
        let client = Arc::clone(client);
        let (number, session_present) = self.resume_or_create(now, &client, connect.clean_start);
        let expiry = self.session_expiry(connect);
        let will_timer = self.session(number).will_timer;
        if will_timer.is_some_and(|timer| timer.is_due(now.instant)) {
            // Too late: only the tick that publishes it has not come yet.
            self.publish_will(now, number, true);
        }
        let session = &mut self.sessions[number as usize];
        session.expiry = expiry;
        self.timers.cancel(session.expiry_timer.take());
        // [MQTT-3.1.3-9]: back before its will was due; the new connection has its own.
        self.timers.cancel(session.will_timer.take());
        let will = connect.will.clone();
        session.will = will.map(|will| Box::new(StoredWill::new(will, &self.memory)));
        session.outbound.flight.rewind();

        let lasts = session.outlives_connection();
        if !self.durable || (session.stored.is_none() && !lasts) {
            return self.attached(now, number, attach, session_present);
        }
        if session.stored.is_some() && self.commits.full {
            // It is stored, with another will perhaps, and may be what has to be emptied.
            self.write_session(now, number, None);
            return self.attached(now, number, attach, session_present);
        }
        session.arriving = Some(id);
        self.arriving.insert(id, number);
        if session.stored.is_none() {
            self.store_session(number);
        }
        let record = self.session_record(number, None);
        let operations = record.map(|record| record.put(&client.client_id, now));
        self.commit(
            operations.into_iter().collect(),
            Waiter::Attach(Box::new(attach), session_present),
        );
    }

    /// The session of a client is as durable as it has to be: its CONNECT is answered.
    fn attached(&mut self, now: Now, number: u32, attach: Attach, session_present: bool) {
        let Attach { connection: id, client, connect, assigned_client_id, authentication } = attach;
        let waited = self.sessions[number as usize].arriving.take().is_some();
        let version = connect.version;
        let keep_alive = self.keep_alive(connect.keep_alive);
        let mut connection = Connection::new(id, number, version, now);
        let properties = &connect.properties;
        connection.maximum_packet_size = properties.maximum_packet_size.unwrap_or(u32::MAX);
        connection.receive_maximum = properties.receive_maximum.unwrap_or(u16::MAX);
        connection.problem_information = properties.request_problem_information.unwrap_or(true);
        connection.outbound_alias_maximum =
            properties.topic_alias_maximum.unwrap_or(0).min(self.limits().topic_alias_outgoing);
        connection.inbound_alias_maximum = self.limits().topic_alias_maximum;
        connection.inbound_receive_maximum = self.limits().receive_maximum;
        connection.bridge = connect.bridge;
        if keep_alive > 0 {
            // [MQTT-3.1.2-22]: one and a half times the keep alive.
            let allowed = Duration::from_millis(u64::from(keep_alive) * 1_500);
            connection.silence_allowed = Some(allowed);
            let timer = self.timers.push(now.instant + allowed, Due::KeepAlive(id));
            connection.keep_alive_timer = Some(timer);
        }

        let session = &mut self.sessions[number as usize];
        session.connection = Some(id.index);
        let slot = id.index as usize;
        if self.connections.len() <= slot {
            self.connections.resize_with(slot + 1, || None);
        }
        assert!(self.connections[slot].is_none(), "the slot {slot} is taken");
        self.connections[slot] = Some(connection);
        let stats = &mut self.wire.stats;
        stats.connects += 1;
        stats.clients_connected += 1;
        stats.clients_maximum = stats.clients_maximum.max(self.sessions.len() as u64);

        let asked = properties.session_expiry_interval.unwrap_or(0);
        let expiry = self.session_expiry(&connect);
        let granted = expiry.map_or(u32::MAX, |expiry| expiry.as_secs() as u32);
        let mut properties = ConnackProperties::default();
        if version == ProtocolVersion::V5 {
            properties = self.connack_properties();
            properties.session_expiry_interval = (granted != asked).then_some(granted);
            properties.server_keep_alive = (keep_alive != connect.keep_alive).then_some(keep_alive);
            properties.assigned_client_identifier =
                assigned_client_id.then(|| client.client_id.clone());
            if let Some((method, data)) = authentication {
                properties.authentication_method = Some(method);
                properties.authentication_data = data;
            }
        }
        let connack = Connack { session_present, reason: ReasonCode::Success, properties };
        let (connection, wire) = self.connection_and_wire(id.index);
        connection.send(&Packet::Connack(Box::new(connack)), wire);
        if waited {
            // Until now it was not read from.
            wire.outs.push_back(Out::Resume(id));
        }
        if session_present {
            self.members_online(number, true);
        }
        self.refill(now, id.index);
    }

    /// The session of a client that waited for that is durable.
    pub(super) fn arrived(&mut self, now: Now, attach: Attach, session_present: bool) {
        // It may have been closed meanwhile.
        if let Some(number) = self.arriving.remove(&attach.connection) {
            self.attached(now, number, attach, session_present);
        }
    }

    /// The socket of a client is gone before its CONNECT was answered.
    pub(super) fn arriving_lost(&mut self, now: Now, id: ConnectionId) {
        let Some(number) = self.arriving.remove(&id) else { return };
        self.session(number).arriving = None;
        self.offline(now, number);
    }

    /// A client is closed before its CONNECT was answered.
    pub(super) fn turn_away(&mut self, now: Now, id: ConnectionId) {
        if self.arriving.contains_key(&id) {
            self.closing.insert(id, Output::default());
            self.wire.outs.push_back(Out::Close(id));
            self.arriving_lost(now, id);
        }
    }

    /// Why this CONNECT is refused, though its sender is known.
    fn connect_refusal(&self, connect: &Connect, client: &crate::Client) -> Option<ReasonCode> {
        let limits = self.limits();
        if connect.version < ProtocolVersion::V5
            && self.keep_alive(connect.keep_alive) != connect.keep_alive
        {
            // 3.x cannot be told another keep alive than its own. Mosquitto's answer is 0x02.
            return Some(ReasonCode::ClientIdentifierNotValid);
        }
        if let Some(will) = &connect.will {
            // [MQTT-3.2.2-12], [MQTT-3.2.2-13]
            if will.qos > limits.max_qos {
                return Some(ReasonCode::QoSNotSupported);
            }
            if will.retain && !limits.retain_available {
                return Some(ReasonCode::RetainNotSupported);
            }
            if will.topic.levels().nth(limits.max_topic_levels).is_some() {
                return Some(ReasonCode::TopicNameInvalid);
            }
            if limits.max_payload > 0 && will.payload.len() > limits.max_payload {
                return Some(ReasonCode::QuotaExceeded);
            }
        }
        let known = self.by_client_id.contains_key(&client.client_id);
        let lasts = self.session_expiry(connect) != Some(Duration::ZERO);
        let no_room = self.sessions.len() >= limits.max_sessions
            || (self.durable && self.commits.full && lasts);
        (!known && no_room).then_some(ReasonCode::QuotaExceeded)
    }

    fn refuse_connect(
        &mut self,
        now: Now,
        id: ConnectionId,
        version: ProtocolVersion,
        reason: ReasonCode,
    ) {
        // It never becomes a connection of ours: only its farewell is written.
        let mut connection = Connection::new(id, u32::MAX, version, now);
        let connack =
            Connack { session_present: false, reason, properties: ConnackProperties::default() };
        let before = self.wire.outs.len();
        connection.send(&Packet::Connack(Box::new(connack)), &mut self.wire);
        self.wire.outs.truncate(before);
        self.closing.insert(id, connection.output);
        self.wire.outs.push_back(Out::Close(id));
    }

    /// [MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6]; true: there was a session.
    fn resume_or_create(
        &mut self,
        now: Now,
        client: &Arc<crate::Client>,
        clean_start: bool,
    ) -> (u32, bool) {
        if let Some(number) = self.by_client_id.get(&client.client_id).copied() {
            let session = &self.sessions[number as usize];
            let incarnation = session.incarnation;
            // A session belongs to the user who made it: another one under the same client id
            // must not get its messages.
            let unclaimed = session.unclaimed;
            let same_user = unclaimed || session.client.username == client.username;
            if !same_user {
                warn!(
                    client_id = %client.client_id,
                    before = session.client.username.as_deref(),
                    now = client.username.as_deref(),
                    "client id comes with another user name, its old session ends"
                );
            }
            let resumed = same_user && !clean_start;
            if let Some(index) = session.connection {
                // [MQTT-3.1.4-3]
                self.take_over(now, index, resumed);
            } else if let Some(id) = session.arriving {
                self.turn_away(now, id);
            }
            // Its connection may have been all that kept it.
            if self.session_of(number, incarnation).is_some() {
                if resumed {
                    let session = self.session(number);
                    let judge = unclaimed || session.client != *client;
                    session.client = Arc::clone(client);
                    session.unclaimed = false;
                    if judge {
                        let queue = self.session(number).stored.as_ref().map(|it| it.queue);
                        for delivery in self.judge_session(now, number) {
                            self.give_back(now, delivery, queue);
                        }
                    }
                    return (number, true);
                }
                self.end_session(now, number);
            }
        }
        self.incarnations += 1;
        let session = Session::new(Arc::clone(client), self.incarnations);
        let number = self.sessions.insert(session) as u32;
        self.by_client_id.insert(client.client_id.clone(), number);
        (number, false)
    }

    /// How long the session outlives this connection; `None`: for ever.
    fn session_expiry(&self, connect: &Connect) -> Option<Duration> {
        let asked = match connect.version {
            ProtocolVersion::V5 => connect.properties.session_expiry_interval.unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => u32::MAX,
        };
        self.bounded_expiry(asked)
    }

    /// A Session Expiry Interval as this broker grants it.
    pub(super) fn bounded_expiry(&self, seconds: u32) -> Option<Duration> {
        let asked = (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()));
        match (asked, self.limits().max_session_expiry) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (None, most) => most,
            (asked, None) => asked,
        }
    }

    /// The keep alive in force, in seconds; 0: none.
    fn keep_alive(&self, asked: u16) -> u16 {
        match self.limits().max_keep_alive {
            0 => asked,
            most if asked == 0 => most,
            most => asked.min(most),
        }
    }

    fn connack_properties(&self) -> ConnackProperties {
        let limits = self.limits();
        ConnackProperties {
            receive_maximum: Some(limits.receive_maximum),
            maximum_qos: (limits.max_qos < QoS::ExactlyOnce).then_some(limits.max_qos as u8),
            retain_available: (!limits.retain_available).then_some(false),
            maximum_packet_size: Some(limits.max_packet_size),
            topic_alias_maximum: (limits.topic_alias_maximum > 0)
                .then_some(limits.topic_alias_maximum),
            ..ConnackProperties::default()
        }
    }
}
