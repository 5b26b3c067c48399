//! A rule that was broken: which one, by whom, about what.

use crate::label::Label;

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What was acknowledged to its publisher reaches every stored session that subscribes.
    NothingLost,
    /// QoS 2 reaches a session once.
    ExactlyOnce,
    /// Messages of one publisher, topic and QoS come in the order of publishing.
    Order,
    /// A session that was acknowledged is there.
    SessionKept,
    /// A subscription that was acknowledged is there.
    SubscriptionKept,
    /// What was unsubscribed, with acknowledgement, is not.
    SubscriptionGone,
    /// The newest acknowledged retained message is there.
    Retained,
    /// What was acknowledged of a rule's messages is in Kafka in the end, and each topic in order.
    Kafka,
    /// Everything comes to rest when nothing fails any more.
    Rest,
    /// Memory and disk are bounded, and empty in the end.
    Bounds,
    /// A packet that the standard does not allow.
    Protocol,
    /// Damage is reported, and nothing else is.
    Damage,
}

#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) text: String,
    pub(crate) clients: Vec<usize>,
    pub(crate) label: Option<Label>,
}

impl Violation {
    pub(crate) fn of(rule: Rule, text: impl Into<String>) -> Violation {
        Violation { rule, text: text.into(), clients: Vec::new(), label: None }
    }

    pub(crate) fn client(mut self, client: usize) -> Violation {
        self.clients.push(client);
        self
    }

    pub(crate) fn message(mut self, label: Label) -> Violation {
        self.label = Some(label);
        self
    }

    /// Ends the run, without the noise of a panic.
    pub(crate) fn raise(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }
}
