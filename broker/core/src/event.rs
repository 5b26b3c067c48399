//! What goes into a shard and what comes out: the whole contract with its caller.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use midge_codec::{Connect, Packet, PublishProperties, QoS, ReasonCode, Text, TopicName};

use crate::commit::{Operation, Position, QueueId, StoredEntry};
use crate::message::{Client, Message};
use crate::settings::{Generation, Tap, TapId};

pub use crate::shard::peer::PeerMessage;

/// The present, as the caller sees it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers: never goes back.
    pub instant: Instant,
    /// For timestamps: milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
}

/// Numbers the shards of a broker, from 0; at most [`ShardId::MAX`] of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

impl ShardId {
    /// How many shards a broker can have: sets of them are the bits of a `u64`.
    pub const MAX: usize = 64;

    /// The home of a client's session, of `shards`: the same for life.
    pub fn home(client_id: &str, shards: usize) -> ShardId {
        ShardId::of(client_id, shards)
    }

    /// The shard that takes injected publishes of a topic, so that they keep their order.
    pub fn of_topic(topic: &TopicName, shards: usize) -> ShardId {
        ShardId::of(topic.as_str(), shards)
    }

    fn of(key: &str, shards: usize) -> ShardId {
        // FNV-1a: any spread will do, but it has to be the same in every run.
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        ShardId(((hash ^ (hash >> 32)) % shards as u64) as u8)
    }
}

/// A connection of one shard. The caller chooses `index` (small, reused) and a `number` that it
/// never uses twice: events of a connection that is gone are told by it and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// A slot.
    pub index: u32,
    /// Unique in the life of the shard.
    pub number: u32,
}

/// A duty of one shard, see [`Offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DutyId(pub u64);

/// The caller's mark on an [`Inject`], given back by [`Out::Injected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Who asked.
    pub owner: u32,
    /// Which of its requests.
    pub number: u64,
}

/// An input to [`Shard::handle`](crate::Shard::handle).
#[derive(Debug)]
pub enum In {
    /// A client has been authenticated; its CONNECT is to be answered.
    Attach(Box<Attach>),
    /// A packet has been read. Feed none while [`Shard::is_paused`](crate::Shard::is_paused).
    Packet {
        /// Where from.
        connection: ConnectionId,
        /// Anything but the first CONNECT.
        packet: Packet,
    },
    /// The bytes were no packet: the client is told, and the connection closed.
    Malformed {
        /// Where from.
        connection: ConnectionId,
        /// What the DISCONNECT says.
        reason: ReasonCode,
    },
    /// The socket is gone, without a DISCONNECT or after one.
    Closed(ConnectionId),
    /// The connection's output has been written as far as to be empty.
    Written(ConnectionId),
    /// From another shard.
    Peer {
        /// Which one.
        from: ShardId,
        /// What it sent.
        message: PeerMessage,
    },
    /// A publish by the broker itself, the bridge or the embedding program.
    Inject(Box<Inject>),
    /// The bridge has met (`Success`) or refused its part of a duty.
    DutyDone {
        /// From [`Offer::duty`].
        duty: DutyId,
        /// What the publisher is told when it failed.
        reason: ReasonCode,
    },
    /// A rule of the bridge cannot take more (`true`), or can again: its publishers are paused.
    TapFull {
        /// The rule.
        tap: TapId,
        /// Whether it is full.
        full: bool,
    },
    /// All commits of this shard up to this number are durable: they count from 1 in the order of
    /// [`Out::Commit`].
    Durable(u64),
    /// The answer to [`Out::Load`].
    Loaded {
        /// The queue.
        queue: QueueId,
        /// From the request.
        from: Position,
        /// In the order of their positions.
        entries: Vec<StoredEntry>,
        /// Whether the queue has no more below the request's bound.
        end: bool,
        /// How many more there should have been, whose bytes are damaged.
        lost: u64,
    },
    /// The store has no room (`true`), or has again: what would have to be stored is refused.
    StoreFull(bool),
    /// A new configuration: live sessions are judged anew.
    Generation(Arc<Generation>),
    /// The bridge's source rules from now on, instead of those before; there are none at first.
    Taps(Arc<[Tap]>),
    /// Close one client's connection by an operator's or policy's decision.
    Disconnect {
        /// Which.
        connection: ConnectionId,
        /// What it is told (MQTT 5).
        reason: ReasonCode,
    },
    /// The broker stops: every client is told (0x8B) and closed; wills go out.
    Shutdown,
}

/// A client whose CONNECT has been accepted by authentication.
#[derive(Debug)]
pub struct Attach {
    /// The slot the caller chose for it.
    pub connection: ConnectionId,
    /// Who it is; its `client_id` is never empty.
    pub client: Arc<Client>,
    /// The packet.
    pub connect: Box<Connect>,
    /// Whether the server made up the client id.
    pub assigned_client_id: bool,
    /// Authentication Method and Data, echoed in the CONNACK after an extended authentication.
    pub authentication: Option<(Text, Option<Bytes>)>,
}

/// A publish that no client connection made.
#[derive(Debug)]
pub struct Inject {
    /// For [`Out::Injected`]; `None`: nobody waits.
    pub ticket: Option<Ticket>,
    /// Whose right to publish counts and whom No Local leaves out; `None`: the broker's own.
    pub client: Option<Arc<Client>>,
    /// Topic Name.
    pub topic: TopicName,
    /// Application Message.
    pub payload: Bytes,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// MQTT 5 properties.
    pub properties: Option<Box<PublishProperties>>,
    /// Rules this message has passed: none of them takes it again.
    pub trail: Vec<Text>,
    /// A key, of the injector's choice, that is set together with the message if that is stored for
    /// any session: after a crash it tells that the message need not be injected again.
    pub mark: Option<Bytes>,
}

/// An output of [`Shard::poll`](crate::Shard::poll).
#[derive(Debug)]
pub enum Out {
    /// [`Shard::output`](crate::Shard::output) of this connection has bytes: write them. Once a
    /// turn, however many packets it holds.
    Flush(ConnectionId),
    /// Write what is left, then close. The shard has forgotten the connection but for its output,
    /// which the caller takes with [`Shard::take_output`](crate::Shard::take_output).
    Close(ConnectionId),
    /// Read no more from it until [`Out::Resume`].
    Pause(ConnectionId),
    /// Read again; packets decoded before the pause come first.
    Resume(ConnectionId),
    /// For another shard.
    Peer {
        /// Which one.
        to: ShardId,
        /// In the order of these outputs.
        message: PeerMessage,
    },
    /// For the bridge.
    Offer(Offer),
    /// A transaction for the store, answered by [`In::Durable`].
    Commit(Vec<Operation>),
    /// Entries wanted from the store, answered by [`In::Loaded`].
    Load {
        /// The queue.
        queue: QueueId,
        /// The first position wanted.
        from: Position,
        /// The first one not wanted.
        below: Position,
        /// How many at most.
        max_entries: usize,
        /// Their bytes, at most; one is always given.
        max_bytes: usize,
    },
    /// An [`Inject`] has been routed (or refused: `reason` is an error).
    Injected {
        /// From the inject.
        ticket: Ticket,
        /// Success, No matching subscribers, or why not.
        reason: ReasonCode,
    },
}

/// A message that a rule of the bridge takes.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The rule.
    pub tap: TapId,
    /// The message.
    pub message: Arc<Message>,
    /// What to report with [`In::DutyDone`]; `None`: nobody waits.
    pub duty: Option<DutyId>,
}
