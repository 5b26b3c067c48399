//! A client's session (4.1): what outlives its connections.
//!
//! What a stored session keeps is written through the shard's commits, and held in memory as well
//! but for the far end of its queue. Nothing here knows of a socket.

mod delivery;
mod flight;
mod inbound;
mod outbound;
mod tail;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use midge_codec::{SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Will};

use crate::ConnectionId;
use crate::commit::{Position, QueueId};
use crate::message::{Client, Memory, Permit, properties_bytes};
use crate::settings::Verdict;
use crate::timers::Timer;

pub(crate) use delivery::{Delivery, Identifiers, Shape};
pub use flight::packet_id;
pub(crate) use flight::{Acknowledged, Inflight, Window};
pub(crate) use inbound::{Inbound, Unfinished};
pub(crate) use outbound::{Outbound, Push};
pub(crate) use tail::Tail;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    /// Its user is not known: see [`crate::stored::SessionRecord::unclaimed`].
    pub(crate) unclaimed: bool,
    /// Tells sessions that used the same slot apart.
    pub(crate) incarnation: u32,
    /// The slot of its connection, while it has one.
    pub(crate) connection: Option<u32>,
    /// How long it lives without a connection; `None`: for ever.
    pub(crate) expiry: Option<Duration>,
    /// When it ends, while it has no connection.
    pub(crate) expiry_timer: Option<Timer>,
    pub(crate) subscriptions: BTreeMap<TopicFilter, Subscription>,
    /// What their filters cost, about.
    pub(crate) filter_bytes: usize,
    pub(crate) outbound: Outbound,
    /// QoS 2 packet ids not released yet, and publishes whose duty is open.
    pub(crate) inbound: Unfinished,
    pub(crate) will: Option<Box<StoredWill>>,
    /// When a will that waits goes out.
    pub(crate) will_timer: Option<Timer>,
    /// Messages it did not get.
    pub(crate) dropped: u64,
    /// Whether its queue is overflowing: one warning an episode.
    pub(crate) overflowing: bool,
    /// The publish that was routed to it last, and its place among that publish's targets: merges
    /// overlapping subscriptions.
    pub(crate) mark: (u64, u32),
    /// Its place in the store, if it is stored.
    pub(crate) stored: Option<Stored>,
    /// The connection whose CONNACK waits until the session is durable.
    pub(crate) arriving: Option<ConnectionId>,
}

/// A stored session's place in the store.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) queue: QueueId,
    /// The store has been told that all positions below are done with.
    pub(crate) trimmed: Position,
    /// Whether it is about to be told again.
    pub(crate) trim_due: bool,
}

/// One subscription of a session.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    pub(crate) verdict: Verdict,
}

/// A will as its session keeps it, counted as memory.
#[derive(Debug)]
pub(crate) struct StoredWill {
    pub(crate) will: Will,
    pub(crate) delay: Duration,
    _permit: Permit,
}

impl StoredWill {
    /// Cut loose from the buffer it was read from.
    pub(crate) fn new(mut will: Will, memory: &Arc<Memory>) -> StoredWill {
        will.topic = will.topic.detached();
        will.payload = bytes::Bytes::copy_from_slice(&will.payload);
        will.properties.publish.detach();
        let bytes = size_of::<StoredWill>()
            + will.topic.as_str().len()
            + will.payload.len()
            + properties_bytes(&will.properties.publish);
        let delay = Duration::from_secs(will.properties.will_delay_interval.unwrap_or(0).into());
        StoredWill { will, delay, _permit: Permit::take(memory, bytes) }
    }
}

impl Session {
    pub(crate) fn new(client: Arc<Client>, incarnation: u32) -> Session {
        Session {
            client,
            unclaimed: false,
            incarnation,
            connection: None,
            expiry: Some(Duration::ZERO),
            expiry_timer: None,
            subscriptions: BTreeMap::new(),
            filter_bytes: 0,
            outbound: Outbound::default(),
            inbound: Unfinished::default(),
            will: None,
            will_timer: None,
            dropped: 0,
            overflowing: false,
            mark: (0, 0),
            stored: None,
            arriving: None,
        }
    }

    /// Whether it is kept when its connection ends.
    pub(crate) fn outlives_connection(&self) -> bool {
        self.expiry != Some(Duration::ZERO)
    }
}
