//! One MQTT 3.1.1 session with another broker, from the client's side. It has no sockets, threads or
//! clocks: whoever has them drives it.
//!
//! [`Session::connect`] begins each connection. What comes is given to [`Session::receive`] until it
//! has no more events, what is to be sent lies in [`Session::output`], and [`Session::tick`] is
//! called when [`Session::deadline`] has come. [`Session::lost`] ends a connection; the session goes
//! on with the next one, if the broker has it still.
//!
//! Invariants. A message that came is acknowledged once, when the caller says so, and on the
//! connection alone on which the broker gave it last. A packet that the standard does not allow ends
//! the connection with a [`Fault`] that says which.

mod fault;
mod incoming;
mod outgoing;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Connect, ConnectProperties, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Subscribe, SubscribeProperties, SubscriptionOptions, Text, TopicFilter, decode,
    encode,
};
use midge_core::Ticket;

pub(crate) use fault::Fault;
use fault::{name, unexpected};
use incoming::Incoming;
pub(crate) use incoming::Receipt;
use outgoing::Outgoing;

/// What Paho's clients speak, which the connectors of this kind are made with, and every broker.
const VERSION: ProtocolVersion = ProtocolVersion::V311;

/// A larger packet is refused: far beyond what Kafka takes in a record, and not without bound.
pub(crate) const PACKET_BYTES_MAX: u32 = 64 << 20;

/// Who connects.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) client_id: Text,
    pub(crate) user: Option<(Text, Option<Bytes>)>,
    /// No longer than MQTT has; zero is none.
    pub(crate) keep_alive: Duration,
    /// How long the broker may take to answer.
    pub(crate) timeout: Duration,
}

/// What happened in a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The broker has taken the connection; whether it has the session.
    Connected { session_present: bool },
    /// A message for the first time. With a receipt it waits for [`Session::acknowledge`].
    Message(Publish, Option<Receipt>),
    /// What the subscriptions came to, in their order.
    Subscribed(Vec<ReasonCode>),
    /// The broker has a message.
    Delivered(Ticket),
}

/// Where a connection is.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// There is none.
    Away,
    /// CONNECT has been written.
    Connecting { deadline: Instant },
    /// The broker has taken it.
    Up,
}

/// A SUBSCRIBE without its SUBACK.
#[derive(Debug)]
struct Subscribing {
    packet_id: PacketId,
    count: usize,
    deadline: Instant,
}

/// A session with another broker.
pub(crate) struct Session {
    identity: Identity,
    state: State,
    incoming: Incoming,
    outgoing: Outgoing,
    subscribing: Option<Subscribing>,
    last_sent: Instant,
    last_received: Instant,
    /// When an answer to PINGREQ was first wanted.
    pinged: Option<Instant>,
    /// Whether what comes is read: the broker is silent only if it is.
    reading: bool,
    output: BytesMut,
}

impl Session {
    pub(crate) fn new(identity: Identity, now: Instant) -> Session {
        Session {
            identity,
            state: State::Away,
            incoming: Incoming::default(),
            outgoing: Outgoing::new(),
            subscribing: None,
            last_sent: now,
            last_received: now,
            pinged: None,
            reading: true,
            output: BytesMut::new(),
        }
    }

    /// A connection begins.
    pub(crate) fn connect(&mut self, now: Instant, clean_session: bool) {
        self.lost();
        let (username, password) = self.identity.user.clone().unzip();
        let keep_alive = self.identity.keep_alive.as_secs();
        let connect = Connect {
            version: VERSION,
            bridge: false,
            clean_start: clean_session,
            keep_alive: u16::try_from(keep_alive).unwrap_or(u16::MAX),
            properties: ConnectProperties::default(),
            client_id: self.identity.client_id.clone(),
            will: None,
            username,
            password: password.flatten(),
        };
        self.state = State::Connecting { deadline: now + self.identity.timeout };
        (self.last_received, self.reading) = (now, true);
        self.send(now, &Packet::Connect(Box::new(connect)));
    }

    /// The connection is gone.
    pub(crate) fn lost(&mut self) {
        self.state = State::Away;
        self.subscribing = None;
        self.pinged = None;
        self.output.clear();
        self.incoming.lost();
    }

    /// Ends the connection in order.
    pub(crate) fn disconnect(&mut self, now: Instant) {
        self.send(
            now,
            &Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: None }),
        );
    }

    /// Whether the broker has taken the connection.
    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// What is to be sent.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Messages of QoS 0 that have gone, once all of the output has.
    pub(crate) fn written(&mut self) -> Vec<Ticket> {
        self.outgoing.written()
    }

    /// What comes is read from now on, or is not.
    pub(crate) fn reading(&mut self, now: Instant, reading: bool) {
        if reading && !self.reading {
            // The answers may have been waiting all the time.
            self.pinged = self.pinged.map(|_| now);
            if let Some(subscribing) = &mut self.subscribing {
                subscribing.deadline = now + self.identity.timeout;
            }
        }
        self.reading = reading;
    }

    /// Takes packets off the front of what came, up to one that is an event.
    ///
    /// # Errors
    /// When the connection cannot go on.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        input: &mut BytesMut,
    ) -> Result<Option<Event>, Fault> {
        while let Some(packet) = decode(input, VERSION, PACKET_BYTES_MAX)? {
            self.last_received = now;
            self.pinged = None;
            if let Some(event) = self.packet(now, packet)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn packet(&mut self, now: Instant, packet: Packet) -> Result<Option<Event>, Fault> {
        if let (State::Connecting { .. }, packet) = (&self.state, &packet) {
            let Packet::Connack(connack) = packet else {
                return Err(unexpected(&name(packet), "CONNACK"));
            };
            if connack.reason != ReasonCode::Success {
                return Err(Fault::Refused(connack.reason));
            }
            self.state = State::Up;
            let session_present = connack.session_present;
            if !session_present {
                self.incoming.clear();
            }
            for packet in self.outgoing.resume(session_present) {
                self.send(now, &packet);
            }
            return Ok(Some(Event::Connected { session_present }));
        }
        match packet {
            Packet::Publish(publish) => return self.publish_came(now, publish),
            Packet::Pubrel(pubrel) => {
                let answer = self.incoming.pubrel(pubrel.packet_id)?;
                self.send(now, &answer);
            }
            Packet::Puback(ack) => return self.outgoing.puback(ack.packet_id).map(delivered),
            Packet::Pubrec(ack) => {
                let answer = self.outgoing.pubrec(ack.packet_id)?;
                self.send(now, &answer);
            }
            Packet::Pubcomp(ack) => return self.outgoing.pubcomp(ack.packet_id).map(delivered),
            Packet::Suback(suback) => {
                let expected = "the packet id and the number of filters of a SUBSCRIBE";
                let (packet_id, reasons) = (suback.packet_id, suback.reasons);
                let fits = |one: &mut Subscribing| {
                    (one.packet_id, one.count) == (packet_id, reasons.len())
                };
                if self.subscribing.take_if(fits).is_none() {
                    let found = format!("SUBACK {packet_id} of {}", reasons.len());
                    return Err(Fault::Unexpected { found, expected });
                }
                return Ok(Some(Event::Subscribed(reasons)));
            }
            Packet::Pingresp => {}
            other => return Err(unexpected(&name(&other), "what a broker sends to a client")),
        }
        Ok(None)
    }

    fn publish_came(&mut self, now: Instant, publish: Publish) -> Result<Option<Event>, Fault> {
        if publish.topic.is_none() {
            return Err(unexpected(&"PUBLISH without a topic", "a Topic Name"));
        }
        match self.incoming.publish(&publish)? {
            incoming::Came::New(receipt) => Ok(Some(Event::Message(publish, receipt))),
            incoming::Came::Again => Ok(None),
            incoming::Came::Answered(answer) => {
                self.send(now, &answer);
                Ok(None)
            }
        }
    }

    /// A message that came has been taken for good. Nothing happens while its connection is gone:
    /// the broker will give it again, and hears then.
    pub(crate) fn acknowledge(&mut self, now: Instant, receipt: Receipt) {
        if let Some(answer) = self.incoming.acknowledge(receipt) {
            self.send(now, &answer);
        }
    }

    /// A message that came has not been taken: when it is given again, it is new.
    pub(crate) fn forget(&mut self, receipt: Receipt) {
        self.incoming.forget(receipt);
    }

    /// Subscribes; at most one SUBSCRIBE is under way.
    pub(crate) fn subscribe(&mut self, now: Instant, filters: &[TopicFilter], qos: QoS) {
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        let packet_id = self.outgoing.free_packet_id();
        let subscribe = Subscribe {
            packet_id,
            properties: SubscribeProperties::default(),
            subscriptions: filters.iter().map(|filter| (filter.clone(), options)).collect(),
        };
        let deadline = now + self.identity.timeout;
        self.subscribing = Some(Subscribing { packet_id, count: filters.len(), deadline });
        self.send(now, &Packet::Subscribe(subscribe));
    }

    /// Whether another message may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.is_up() && self.outgoing.has_room()
    }

    /// Sends a message, for which there has to be room. Whether it is small enough for MQTT.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        ticket: Option<Ticket>,
        publish: Publish,
    ) -> bool {
        let before = self.output.len();
        let packet_id = (publish.qos > QoS::AtMostOnce).then(|| self.outgoing.free_packet_id());
        let packet = Packet::Publish(Publish { packet_id, ..publish });
        self.send(now, &packet);
        let Packet::Publish(publish) = packet else { return false };
        let fits = self.output.len() > before;
        if fits {
            self.outgoing.sent(ticket, publish);
        }
        fits
    }

    /// Gives up what has been sent and is not acknowledged, while there is no connection.
    pub(crate) fn give_up(&mut self) -> Vec<Ticket> {
        self.outgoing.give_up()
    }

    /// When [`Session::tick`] is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Away => None,
            State::Connecting { deadline } => Some(*deadline),
            State::Up => {
                let subscribed = self.subscribing.as_ref().map(|one| one.deadline);
                let waits = [subscribed, self.dead_at()];
                let waits = waits.into_iter().flatten().filter(|_| self.reading);
                waits.chain(self.ping_at()).min()
            }
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the broker has been silent for too long.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), Fault> {
        if let State::Connecting { deadline } = self.state
            && deadline <= now
        {
            return Err(Fault::Silent { to: "CONNECT" });
        }
        if !self.is_up() {
            return Ok(());
        }
        if self.reading {
            if self.subscribing.as_ref().is_some_and(|one| one.deadline <= now) {
                return Err(Fault::Silent { to: "SUBSCRIBE" });
            }
            if self.dead_at().is_some_and(|dead| dead <= now) {
                return Err(Fault::Silent { to: "PINGREQ" });
            }
        }
        if self.ping_at().is_some_and(|due| due <= now) {
            self.pinged.get_or_insert(now);
            self.send(now, &Packet::Pingreq);
        }
        Ok(())
    }

    /// When PINGREQ is due: the broker must hear of us [MQTT-3.1.2-23], and a broker that has said
    /// nothing for as long is asked whether it is there.
    fn ping_at(&self) -> Option<Instant> {
        let quiet = match self.pinged {
            Some(_) => self.last_sent,
            None => self.last_sent.min(self.last_received),
        };
        self.keeps_alive().then(|| quiet + self.identity.keep_alive)
    }

    /// When a broker that does not answer counts as gone.
    fn dead_at(&self) -> Option<Instant> {
        self.pinged.map(|pinged| pinged + self.identity.keep_alive.max(self.identity.timeout))
    }

    fn keeps_alive(&self) -> bool {
        !self.identity.keep_alive.is_zero()
    }

    fn send(&mut self, now: Instant, packet: &Packet) {
        // Only a PUBLISH can be too large, and whoever sends one looks.
        if encode(packet, VERSION, u32::MAX, &mut self.output).is_ok() {
            self.last_sent = now;
        }
    }
}

fn delivered(ticket: Option<Ticket>) -> Option<Event> {
    ticket.map(Event::Delivered)
}

#[cfg(test)]
mod tests;
