//! A promise that was not kept.

use std::fmt;

/// Which kind of promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Acknowledged, and not delivered.
    Lost,
    /// QoS 2, and delivered more than once.
    Twice,
    /// Delivered in another order than sent.
    Disorder,
    /// Delivered without a subscription.
    Unasked,
    /// Not what was sent.
    Damaged,
    /// A session that was there and is no more.
    Session,
    /// A retained message that is older than an acknowledged one, or gone.
    Retained,
    /// Refused without need.
    Refused,
    /// Something asked for never comes.
    Stuck,
}

/// A promise that was not kept, with an account of it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) wrong: Wrong,
    pub(crate) text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.text)
    }
}
