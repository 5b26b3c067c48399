//! A configuration as the shards know it.

use std::sync::Arc;

use midge_codec::QoS;
use midge_config::{Config, Listener};
use midge_core::{Generation, Limits, QueueFull};
use tracing::warn;

use crate::auth::Authorizer;
use crate::policy::Policy;

/// Makes generation `number` of a configuration whose files are in `policy`.
pub(crate) fn make(number: u64, config: &Config, policy: &Policy) -> Generation {
    Generation { number, limits: limits(config), authorize: Arc::new(Authorizer::new(policy)) }
}

fn limits(config: &Config) -> Limits {
    let given = &config.limits;
    let defaults = Limits::default();
    Limits {
        max_inflight: given.max_inflight_messages,
        max_inflight_bytes: given.max_inflight_bytes.unwrap_or(0),
        max_queued_messages: given.max_queued_messages.unwrap_or(0),
        max_queued_bytes: given.max_queued_bytes.unwrap_or(0),
        queue_full: match given.queue_full {
            midge_config::QueueFull::DropNewest => QueueFull::DropNewest,
            midge_config::QueueFull::DropOldest => QueueFull::DropOldest,
            midge_config::QueueFull::Refuse => QueueFull::Refuse,
        },
        queue_qos0: given.queue_qos0_messages,
        receive_maximum: given.receive_maximum,
        max_packet_size: u32::try_from(given.max_packet_size).unwrap_or(u32::MAX),
        max_payload: given.message_size_limit.unwrap_or(0),
        topic_alias_maximum: strictest(
            config,
            |listener| listener.max_topic_alias,
            "max_topic_alias",
        ),
        topic_alias_outgoing: strictest(
            config,
            |listener| listener.max_topic_alias_broker,
            "max_topic_alias_broker",
        ),
        max_keep_alive: given.max_keepalive.unwrap_or(0),
        max_session_expiry: given.persistent_client_expiration,
        max_qos: match strictest(config, |listener| u16::from(listener.max_qos), "max_qos") {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        },
        retain_available: given.retain_available,
        max_subscriptions: given.max_subscriptions,
        max_topic_levels: given.max_topic_levels,
        // The listeners' own `acl_deny_subscribe` is in the authorizer's verdict.
        deny_subscribe: true,
        ..defaults
    }
}

/// What holds for all listeners where they differ, which is said: a session may come by any of
/// them.
fn strictest(config: &Config, of: fn(&Listener) -> u16, name: &str) -> u16 {
    let values = || config.listeners.iter().map(of);
    let strictest = values().min().unwrap_or(0);
    if values().any(|value| value != strictest) {
        warn!(
            "{name}: not supported yet: one for each listener, the lowest ({strictest}) holds for all"
        );
    }
    strictest
}
