//! A message for one receiver, and what of it is the receiver's own.

use std::sync::Arc;

use midge_codec::{QoS, SubscriptionIdentifier, TopicFilter};

use crate::commit::Position;
use crate::message::Message;

/// The Subscription Identifiers a delivery carries ([MQTT-3.3.4-3]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Identifiers {
    #[default]
    None,
    One(SubscriptionIdentifier),
    Many(Vec<SubscriptionIdentifier>),
}

impl Identifiers {
    pub(crate) fn as_slice(&self) -> &[SubscriptionIdentifier] {
        match self {
            Identifiers::None => &[],
            Identifiers::One(one) => std::slice::from_ref(one),
            Identifiers::Many(many) => many,
        }
    }

    pub(crate) fn add(&mut self, identifier: Option<SubscriptionIdentifier>) {
        let Some(identifier) = identifier else { return };
        match self {
            Identifiers::None => *self = Identifiers::One(identifier),
            Identifiers::One(one) => *self = Identifiers::Many(vec![*one, identifier]),
            Identifiers::Many(many) => many.push(identifier),
        }
    }
}

/// A message for one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) shape: Shape,
    /// 0: none, as with QoS 0, or none yet.
    pub(crate) position: Position,
    /// Whether the commit that stores it is still to become durable.
    pub(crate) uncommitted: bool,
}

impl Delivery {
    /// QoS 2 is not delivered before it is stored: what is sent cannot be taken back.
    pub(super) fn is_held(&self) -> bool {
        self.uncommitted && self.shape.qos == QoS::ExactlyOnce
    }
}
/// What is sent of a message: its QoS and flags toward one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Identifiers,
    /// The shared subscription it was taken from, as the client wrote it.
    pub(crate) shared: Option<Arc<TopicFilter>>,
}

impl Shape {
    pub(crate) fn of(self, message: Arc<Message>) -> Delivery {
        Delivery { message, shape: self, position: 0, uncommitted: false }
    }
}
