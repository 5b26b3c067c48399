//! The only part of the program that knows librdkafka.
//!
//! Each client lives on one thread of ours, which alone calls it and runs its callbacks; what other
//! threads have for it goes through a log, a flag or a wake-up.

mod admin;
mod brokers;
mod consumer;
mod context;
mod events;
pub(crate) mod group;
pub(crate) mod membership;
pub(crate) mod mock;
mod oauth;
mod producer;
mod properties;
mod property;
mod slots;
mod thread;
mod topic_log;
mod topics;
mod verdict;

pub(crate) use admin::{NotMade, delete_group, make_topic};
pub(crate) use consumer::Consumer;
pub(crate) use producer::Producer;
pub use properties::{ca_bundle, check};
pub use property::{PropertyFault, check_property, check_property_file};
pub(crate) use topic_log::{Reader, TopicLog};
pub(crate) use topics::CompactedTopic;
