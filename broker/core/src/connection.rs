//! One client's live connection: what it negotiated, and what waits to be written.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hashbrown::HashMap;
use midge_codec::{Packet, PacketId, ProtocolVersion, ReasonCode, Text, TopicName, encode};

use crate::event::Out;
use crate::output::Output;
use crate::stats::Stats;
use crate::timers::Timer;
use crate::{ConnectionId, Now};

/// Why a connection is not read from; any bit set pauses it.
pub(crate) mod paused {
    /// It has as many unacknowledged publishes as it may (3.x cannot be told so).
    pub(crate) const UNACKNOWLEDGED: u8 = 1;
    /// A rule of the bridge that it publishes to is full.
    pub(crate) const TAP: u8 = 2;
    /// Memory is full.
    pub(crate) const MEMORY: u8 = 4;
    /// It does not read what it is sent.
    pub(crate) const OUTPUT: u8 = 8;
    /// It has many requests that wait for other shards.
    pub(crate) const REQUESTS: u8 = 16;
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) session: u32,
    pub(crate) version: ProtocolVersion,
    pub(crate) output: Output,
    /// Whether an [`Out::Flush`] is already on its way.
    flush_due: bool,
    pub(crate) last_packet: Instant,
    /// One and a half times the keep alive; `None`: off.
    pub(crate) silence_allowed: Option<Duration>,
    /// The client's Maximum Packet Size.
    pub(crate) maximum_packet_size: u32,
    /// The client's Receive Maximum.
    pub(crate) receive_maximum: u16,
    /// Whether acknowledgements may carry a reason string ([MQTT-3.1.2-29]).
    pub(crate) problem_information: bool,
    aliases: Option<Box<Aliases>>,
    /// What the CONNACK promised; a reload changes it for later connections only.
    pub(crate) inbound_alias_maximum: u16,
    /// Our Receive Maximum, as the CONNACK promised it.
    pub(crate) inbound_receive_maximum: u16,
    /// SUBSCRIBE packets whose SUBACK waits.
    pub(crate) requests: usize,
    pub(crate) outbound_alias_maximum: u16,
    /// Whether it announced itself as another broker's bridge.
    pub(crate) bridge: bool,
    pub(crate) paused: u8,
    pub(crate) keep_alive_timer: Option<Timer>,
}

/// Topics that have an alias (3.3.2.3.4), for those few clients that use any.
#[derive(Debug, Default)]
struct Aliases {
    inbound: Vec<Option<TopicName>>,
    outbound: HashMap<Text, NonZeroU16>,
}

/// What all connections of a shard share for writing.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) outs: std::collections::VecDeque<Out>,
    pub(crate) stats: Stats,
    pool: Vec<Vec<u8>>,
    /// Capacity of all buffers in `pool`.
    pool_bytes: usize,
    scratch: BytesMut,
}

/// Buffers kept for reuse, enough for a turn that writes very many connections; the largest one
/// kept; what all of them may hold.
const POOL_BUFFERS: usize = 4 * 1024;
const POOL_BUFFER_BYTES: usize = 64 * 1024;
const POOL_BYTES: usize = 16 * 1024 * 1024;

impl Wire {
    fn buffer(&mut self) -> Vec<u8> {
        let buffer = self.pool.pop().unwrap_or_default();
        self.pool_bytes -= buffer.capacity();
        buffer
    }

    fn reuse(&mut self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes <= POOL_BUFFER_BYTES
            && self.pool.len() < POOL_BUFFERS
            && self.pool_bytes + bytes <= POOL_BYTES
        {
            self.pool_bytes += bytes;
            self.pool.push(buffer);
        }
    }
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        session: u32,
        version: ProtocolVersion,
        now: Now,
    ) -> Connection {
        Connection {
            id,
            session,
            version,
            output: Output::default(),
            flush_due: false,
            last_packet: now.instant,
            silence_allowed: None,
            maximum_packet_size: u32::MAX,
            receive_maximum: u16::MAX,
            problem_information: true,
            aliases: None,
            inbound_alias_maximum: 0,
            inbound_receive_maximum: u16::MAX,
            requests: 0,
            outbound_alias_maximum: 0,
            bridge: false,
            paused: 0,
            keep_alive_timer: None,
        }
    }

    /// The buffer for encoded packets; whoever asks for it is going to write.
    pub(crate) fn buffer(&mut self, wire: &mut Wire) -> &mut Output {
        if !self.flush_due {
            self.flush_due = true;
            wire.outs.push_back(Out::Flush(self.id));
        }
        if !self.output.has_buffer() {
            self.output.lend(wire.buffer());
        }
        &mut self.output
    }

    /// The flush has been handed to the caller.
    pub(crate) fn flush_taken(&mut self) {
        self.flush_due = false;
    }

    /// All has been written: the buffer serves another connection.
    pub(crate) fn written(&mut self, wire: &mut Wire) {
        if self.output.is_empty() && self.output.has_buffer() && !self.flush_due {
            let buffer = self.output.reclaim();
            wire.reuse(buffer);
        }
    }

    /// Sends a packet other than PUBLISH and the acknowledgements of it.
    pub(crate) fn send(&mut self, packet: &Packet, wire: &mut Wire) {
        let mut scratch = std::mem::take(&mut wire.scratch);
        scratch.clear();
        // What does not fit the client's limit even without its properties is not sent at all
        // ([MQTT-3.1.2-24]).
        if encode(packet, self.version, self.maximum_packet_size, &mut scratch).is_ok() {
            self.buffer(wire).encoded().extend_from_slice(&scratch);
            wire.stats.packets_sent += 1;
        }
        wire.scratch = scratch;
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP; `first` is the packet's first byte.
    pub(crate) fn acknowledge(
        &mut self,
        first: u8,
        packet_id: PacketId,
        reason: ReasonCode,
        wire: &mut Wire,
    ) {
        let [high, low] = packet_id.get().to_be_bytes();
        // Without a reason the packet has the same four bytes in all versions (3.4.2.1).
        let plain = reason == ReasonCode::Success || self.version < ProtocolVersion::V5;
        if self.maximum_packet_size < if plain { 4 } else { 5 } {
            // [MQTT-3.1.2-24]: a client that cannot be answered.
            return;
        }
        let encoded = self.buffer(wire).encoded();
        if plain {
            encoded.extend_from_slice(&[first, 2, high, low]);
        } else {
            encoded.extend_from_slice(&[first, 3, high, low, reason as u8]);
        }
        wire.stats.packets_sent += 1;
    }

    /// The topic that an incoming alias stands for, or the new meaning of it (3.3.2.3.4).
    pub(crate) fn inbound_topic(
        &mut self,
        topic: Option<TopicName>,
        alias: Option<NonZeroU16>,
    ) -> Result<TopicName, ReasonCode> {
        let Some(alias) = alias else { return topic.ok_or(ReasonCode::ProtocolError) };
        // [MQTT-3.3.2-9]
        if alias.get() > self.inbound_alias_maximum {
            return Err(ReasonCode::TopicAliasInvalid);
        }
        let slot = usize::from(alias.get()) - 1;
        let known = &mut self.aliases.get_or_insert_default().inbound;
        if known.len() <= slot {
            known.resize(slot + 1, None);
        }
        match topic {
            Some(topic) => {
                known[slot] = Some(topic.detached());
                Ok(topic)
            }
            None => known[slot].clone().ok_or(ReasonCode::ProtocolError),
        }
    }

    /// The alias that the client knows for a topic.
    pub(crate) fn known_alias(&self, topic: &TopicName) -> Option<NonZeroU16> {
        self.aliases.as_ref()?.outbound.get(topic.text()).copied()
    }

    /// The alias that a topic may get, if any is left: the first topics sent get those there are.
    pub(crate) fn free_alias(&self) -> Option<NonZeroU16> {
        let known = self.aliases.as_ref().map_or(0, |aliases| aliases.outbound.len());
        let next = u16::try_from(known + 1).ok()?;
        // [MQTT-3.3.2-11]
        NonZeroU16::new(next).filter(|_| next <= self.outbound_alias_maximum)
    }

    /// The client is being told what an alias stands for.
    pub(crate) fn learn_alias(&mut self, topic: &TopicName, alias: NonZeroU16) {
        let known = &mut self.aliases.get_or_insert_default().outbound;
        known.insert(topic.text().detached(), alias);
    }
}
