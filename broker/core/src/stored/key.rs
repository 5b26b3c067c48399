//! Keys of what the store keeps: whose they are, and of what.

use bytes::{BufMut, Bytes, BytesMut};
use midge_codec::{PacketId, Text, TopicFilter, TopicName};

use super::codec::{Damaged, Reader};
use crate::commit::{Position, QueueId};

/// A key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A session, by its client id.
    Session(Text),
    /// A subscription of the session with this queue.
    Subscription(QueueId, TopicFilter),
    /// A packet id that the client of the session with this queue has not released.
    Inbound(QueueId, PacketId),
    /// A message that the receiver has, released but not completed.
    Released(QueueId, Position),
    /// A retained message, by its topic.
    Retained(TopicName),
    /// A will that is being published: since when, and a number that no other one of then has.
    Will(u64, u64),
    /// What the versions of retained messages begin with at the next start.
    Versions,
    /// Not one of a shard's.
    Foreign,
}

impl Key {
    /// Its bytes; none for [`Key::Foreign`].
    pub fn bytes(&self) -> Bytes {
        match self {
            Key::Session(client_id) => key(b'S', None, client_id.as_str().as_bytes()),
            Key::Subscription(queue, filter) => {
                key(b'F', Some(*queue), filter.text().as_str().as_bytes())
            }
            Key::Inbound(queue, packet_id) => {
                key(b'I', Some(*queue), &packet_id.get().to_be_bytes())
            }
            Key::Released(queue, position) => key(b'R', Some(*queue), &position.to_be_bytes()),
            Key::Retained(topic) => key(b'T', None, topic.as_str().as_bytes()),
            Key::Will(unix_millis, number) => {
                key(b'W', Some(QueueId(*unix_millis)), &number.to_be_bytes())
            }
            Key::Versions => Bytes::from_static(b"V"),
            Key::Foreign => Bytes::new(),
        }
    }

    /// Takes a key apart.
    ///
    /// # Errors
    /// When it begins like one of a shard's and does not go on so.
    pub fn read(bytes: &Bytes) -> Result<Key, Damaged> {
        let what = match bytes.first() {
            Some(b'S') => "key of a session",
            Some(b'F') => "key of a subscription",
            Some(b'I') => "key of an inbound packet id",
            Some(b'R') => "key of a released message",
            Some(b'T') => "key of a retained message",
            Some(b'W') => "key of a will",
            Some(b'V') if bytes.len() == 1 => return Ok(Key::Versions),
            _ => return Ok(Key::Foreign),
        };
        let mut reader = Reader::new(what, bytes.clone());
        match reader.u8()? {
            b'S' => Ok(Key::Session(rest_text(what, reader.rest())?)),
            b'T' => {
                let text = rest_text(what, reader.rest())?;
                let topic = TopicName::new(text);
                topic.map(Key::Retained).map_err(|e| Damaged { what, why: e.to_string() })
            }
            b'F' => {
                let queue = QueueId(reader.u64()?);
                let text = rest_text(what, reader.rest())?;
                let filter = TopicFilter::new(text);
                filter
                    .map(|filter| Key::Subscription(queue, filter))
                    .map_err(|e| Damaged { what, why: e.to_string() })
            }
            b'I' => {
                let queue = QueueId(reader.u64()?);
                let high = u16::from(reader.u8()?);
                let id = high << 8 | u16::from(reader.u8()?);
                let id = PacketId::new(id).ok_or_else(|| reader.damaged("packet id 0"))?;
                Ok(Key::Inbound(queue, id))
            }
            b'W' => Ok(Key::Will(reader.u64()?, reader.u64()?)),
            _ => Ok(Key::Released(QueueId(reader.u64()?), reader.u64()?)),
        }
    }
}

fn key(letter: u8, queue: Option<QueueId>, rest: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9 + rest.len());
    bytes.put_u8(letter);
    if let Some(queue) = queue {
        bytes.put_u64(queue.0);
    }
    bytes.put_slice(rest);
    bytes.freeze()
}

fn rest_text(what: &'static str, bytes: Bytes) -> Result<Text, Damaged> {
    Text::from_bytes(bytes).map_err(|error| Damaged { what, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_went() {
        let keys = [
            Key::Session(Text::from_static("dévice")),
            Key::Subscription(QueueId(7), TopicFilter::try_from("$share/g/a/+/#").unwrap()),
            Key::Inbound(QueueId(u64::MAX >> 1), PacketId::new(0x1234).unwrap()),
            Key::Released(QueueId(1), 1 << 40),
            Key::Retained(TopicName::try_from("a/b").unwrap()),
            Key::Versions,
            Key::Will(1_700_000_000_000, 3),
        ];
        for key in keys {
            assert_eq!(Key::read(&key.bytes()), Ok(key));
        }
        assert_eq!(Key::read(&Bytes::from_static(b"Bridge")), Ok(Key::Foreign));
    }

    #[test]
    fn a_key_cut_short_is_damaged() {
        let whole = Key::Inbound(QueueId(1), PacketId::MAX).bytes();
        for length in 1..whole.len() {
            assert!(Key::read(&whole.slice(..length)).is_err(), "{length}");
        }
    }
}
