//! Messages that are sent, until the broker has them.
//!
//! Invariant: at most [`WINDOW`] messages of QoS 1 and 2 are in flight, in the order in which they
//! were sent, which is the order in which they go again [MQTT-4.6.0-1]. A packet id is free once the
//! broker has said its last word on it.

use std::collections::VecDeque;

use midge_codec::{Ack, Packet, PacketId, PacketType, Publish, QoS, ReasonCode};
use midge_core::Ticket;

use super::fault::{Fault, wrong_id};

/// Messages in flight at most: what Mosquitto takes of a client before it wants to be waited for.
pub(super) const WINDOW: usize = 20;

pub(super) struct Outgoing {
    flights: VecDeque<Flight>,
    /// QoS 0 messages in the output, which the connection may not have taken yet.
    written: Vec<(Option<Ticket>, Publish)>,
    last_packet_id: u16,
}

struct Flight {
    packet_id: PacketId,
    /// `None`: nobody waits any more, only the packet id is not free yet.
    ticket: Option<Ticket>,
    state: State,
}

enum State {
    /// PUBLISH has been sent.
    Published(Publish),
    /// PUBREL has been sent; the message, for a broker that has lost the session.
    Released(Option<Publish>),
}

impl Outgoing {
    pub(super) fn new() -> Outgoing {
        Outgoing { flights: VecDeque::new(), written: Vec::new(), last_packet_id: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.flights.len() < WINDOW
    }

    /// The next packet id that nothing in flight has.
    pub(super) fn free_packet_id(&mut self) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            // Few are in flight: a free one is near.
            if let Some(packet_id) = PacketId::new(self.last_packet_id)
                && self.flights.iter().all(|flight| flight.packet_id != packet_id)
            {
                return packet_id;
            }
        }
    }

    /// A message has been put into the output.
    pub(super) fn sent(&mut self, ticket: Option<Ticket>, publish: Publish) {
        match publish.packet_id {
            None => self.written.push((ticket, publish)),
            Some(packet_id) => {
                let state = State::Published(publish);
                self.flights.push_back(Flight { packet_id, ticket, state });
            }
        }
    }

    /// The output has gone.
    pub(super) fn written(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.written).into_iter().filter_map(|(ticket, _)| ticket).collect()
    }

    pub(super) fn puback(&mut self, packet_id: PacketId) -> Result<Option<Ticket>, Fault> {
        let is_it = |flight: &Flight| {
            flight.packet_id == packet_id
                && matches!(&flight.state, State::Published(publish)
                    if publish.qos == QoS::AtLeastOnce)
        };
        self.take(is_it, PacketType::Puback, packet_id)
    }

    pub(super) fn pubcomp(&mut self, packet_id: PacketId) -> Result<Option<Ticket>, Fault> {
        let is_it = |flight: &Flight| {
            flight.packet_id == packet_id && matches!(flight.state, State::Released(_))
        };
        self.take(is_it, PacketType::Pubcomp, packet_id)
    }

    fn take(
        &mut self,
        is_it: impl Fn(&Flight) -> bool,
        packet: PacketType,
        packet_id: PacketId,
    ) -> Result<Option<Ticket>, Fault> {
        let found = self.flights.iter().position(is_it);
        let flight = found.and_then(|place| self.flights.remove(place));
        let expected = "the id of a message that waits for it";
        flight.map(|flight| flight.ticket).ok_or_else(|| wrong_id(packet, packet_id, expected))
    }

    /// The broker has a message of QoS 2; what it is told, again where that was lost.
    pub(super) fn pubrec(&mut self, packet_id: PacketId) -> Result<Packet, Fault> {
        let mut flights = self.flights.iter_mut();
        let flight = flights.find(|flight| flight.packet_id == packet_id);
        let flight = flight.filter(|flight| match &flight.state {
            State::Published(publish) => publish.qos == QoS::ExactlyOnce,
            State::Released(_) => true,
        });
        let expected = "the id of a message of QoS 2 in flight";
        let flight = flight.ok_or_else(|| wrong_id(PacketType::Pubrec, packet_id, expected))?;
        flight.state = match std::mem::replace(&mut flight.state, State::Released(None)) {
            State::Published(publish) => State::Released(Some(publish)),
            released @ State::Released(_) => released,
        };
        Ok(pubrel(packet_id))
    }

    /// A connection has begun; what goes again, in order.
    pub(super) fn resume(&mut self, session_present: bool) -> Vec<Packet> {
        if !session_present {
            self.flights.retain(|flight| flight.ticket.is_some());
            for flight in &mut self.flights {
                // The broker has lost what it was to let go of.
                if let State::Released(publish) = &mut flight.state
                    && let Some(publish) = publish.take()
                {
                    flight.state = State::Published(publish);
                }
            }
        }
        let again = self.flights.iter_mut().map(|flight| match &mut flight.state {
            State::Published(publish) => {
                publish.dup = true;
                Packet::Publish(publish.clone())
            }
            State::Released(_) => pubrel(flight.packet_id),
        });
        let again: Vec<Packet> = again.collect();
        // The last connection has not taken the whole output, so that nothing of it counts as gone.
        let unwritten = self.written.iter().map(|(_, publish)| Packet::Publish(publish.clone()));
        again.into_iter().chain(unwritten).collect()
    }

    /// Nobody waits for what is in flight any more. A broker that has the session still may have
    /// such a message of QoS 2: its id is free only when both have done with it.
    pub(super) fn give_up(&mut self) -> Vec<Ticket> {
        let mut given_up: Vec<Ticket> =
            self.flights.iter_mut().filter_map(|flight| flight.ticket.take()).collect();
        given_up.append(&mut self.written());
        self.flights.retain_mut(|flight| match &mut flight.state {
            State::Published(publish) if publish.qos < QoS::ExactlyOnce => false,
            state => {
                *state = State::Released(None);
                true
            }
        });
        given_up
    }
}

fn pubrel(packet_id: PacketId) -> Packet {
    Packet::Pubrel(Ack { packet_id, reason: ReasonCode::Success, properties: None })
}
