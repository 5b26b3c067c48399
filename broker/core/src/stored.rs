//! What the store keeps for a broker: how messages, sessions and retained messages look as bytes.
//!
//! Keys begin with a letter that tells what they are about, see [`Key`]. Every record begins with
//! the number of its layout, so that a later version can read what this one wrote. Numbers are big
//! endian; texts and byte strings have their length in front, in four bytes; a PUBLISH is stored as
//! the MQTT 5 packet.
//!
//! | key | value |
//! |---|---|
//! | `S` client id | [`SessionRecord`] |
//! | `F` queue id, filter | [`SubscriptionRecord`] |
//! | `I` queue id, packet id | nothing: a QoS 2 PUBLISH has been taken, its PUBREL has not come |
//! | `R` queue id, position | nothing: the receiver has the message, its PUBCOMP has not come |
//! | `T` topic name | a retained message, as [`entry`] writes it; the version orders its writers |
//! | `W` time, number | a will that is being published, as [`entry`] writes it, until its commit |
//! | `V` | a number that no version of a retained message has reached, for the next start |
//! | `B`, `K` | the bridge's |

mod codec;
mod entry;
mod key;
mod recovery;
mod retained;
mod session;

pub use codec::Damaged;
pub use entry::{Entry, Tag, entry, tag};
pub(crate) use entry::{delivery, shape_tag};
pub use key::Key;
pub use recovery::{QueueSummary, Recovery, Restored};
pub(crate) use recovery::{RestoredSession, delete, reserve_versions};
pub(crate) use retained::retained_put;
pub use retained::{read_retained, retained};
pub use session::{Retained, SessionRecord, SubscriptionRecord};
