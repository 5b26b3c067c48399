//! Retained messages as the store keeps them: the version in front of the message.
//!
//! The store is given the same version, so that the highest stays whatever the order of writing.

use bytes::Bytes;

use super::codec::Damaged;
use super::entry::{Entry, entry};
use super::key::Key;
use crate::commit::Operation;
use crate::message::Message;
use crate::retained::Version;
use crate::{Now, ShardId};

/// What the store is told of a retained message, or of its deletion.
pub(crate) fn retained_put(version: Version, message: &Message, now: Now) -> Operation {
    let key = Key::Retained(message.topic.clone()).bytes();
    let number = Some(version.number());
    if message.payload.is_empty() {
        return Operation::Delete { key, version: number };
    }
    Operation::Put { key, version: number, value: version.before(&entry(message, now)) }
}

/// Stores a retained message in a store that no shard has written to: what a shard writes of its
/// topic later takes its place.
pub fn retained(message: &Message, now: Now) -> Operation {
    retained_put(Version { clock: 1, shard: ShardId(0) }, message, now)
}

/// Reads the value under a [`Key::Retained`].
///
/// # Errors
/// When the bytes are something else.
pub fn read_retained(value: Bytes, now: Now) -> Result<Entry, Damaged> {
    let (_, entry) = Version::split(value)?;
    Entry::read(entry, now)
}
