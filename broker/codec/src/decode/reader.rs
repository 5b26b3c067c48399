//! The fields packets are made of (1.5), read off the front of one packet's bytes.
//!
//! Invariant: no read goes past the packet, and strings and binary values are slices of it.

use bytes::{Buf, Bytes};

use super::Malformed;
use crate::{InvalidTopic, PacketId, Text, TopicName};

/// What is left of a packet, or of its properties.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Reader {
        Reader(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        self.expect(1, field)?;
        Ok(self.0.get_u8())
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.expect(2, field)?;
        Ok(self.0.get_u16())
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.expect(4, field)?;
        Ok(self.0.get_u32())
    }

    /// Only MQTT 5 has these beyond the fixed header, so the shortest form is always expected.
    pub(super) fn variable_byte_integer(&mut self, field: &'static str) -> Result<u32, Malformed> {
        let Some(integer) = VariableByteInteger::read(&self.0)? else {
            let found = self.0.len();
            return Err(Malformed::Truncated { field, expected: found + 1, found });
        };
        integer.expect_shortest()?;
        self.0.advance(integer.bytes);
        Ok(integer.value)
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, Malformed> {
        PacketId::new(self.u16("packet identifier")?).ok_or(Malformed::PacketIdZero)
    }

    pub(super) fn binary(&mut self, field: &'static str) -> Result<Bytes, Malformed> {
        let length = usize::from(self.u16(field)?);
        self.take(length, field)
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Text, Malformed> {
        Text::from_bytes(self.binary(field)?).map_err(|error| Malformed::Text { field, error })
    }

    pub(super) fn topic_name(&mut self, field: &'static str) -> Result<TopicName, Malformed> {
        TopicName::new(self.text(field)?).map_err(|error| invalid_topic_name(field, error))
    }

    pub(super) fn take(&mut self, length: usize, field: &'static str) -> Result<Bytes, Malformed> {
        self.expect(length, field)?;
        Ok(self.0.split_to(length))
    }

    /// All that is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// Ends the packet: nothing may be left.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        match self.0.len() {
            0 => Ok(()),
            bytes => Err(Malformed::TrailingBytes { bytes }),
        }
    }

    fn expect(&self, expected: usize, field: &'static str) -> Result<(), Malformed> {
        match self.0.len() {
            found if found < expected => Err(Malformed::Truncated { field, expected, found }),
            _ => Ok(()),
        }
    }
}

pub(super) fn invalid_topic_name(field: &'static str, error: InvalidTopic) -> Malformed {
    match error {
        InvalidTopic::Text(error) => Malformed::Text { field, error },
        error => Malformed::TopicName { field, error },
    }
}

/// A Variable Byte Integer (1.5.5), with how it was written.
#[derive(Clone, Copy)]
pub(super) struct VariableByteInteger {
    pub(super) value: u32,
    pub(super) bytes: usize,
    is_shortest: bool,
}

impl VariableByteInteger {
    /// The one at the front; `None`: it goes on past the end.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<VariableByteInteger>, Malformed> {
        let mut value = 0;
        for (index, byte) in bytes.iter().take(4).enumerate() {
            value |= u32::from(byte & 0x7F) << (7 * index);
            if byte & 0x80 == 0 {
                let is_shortest = index == 0 || *byte != 0;
                return Ok(Some(VariableByteInteger { value, bytes: index + 1, is_shortest }));
            }
        }
        match bytes.len() {
            0..4 => Ok(None),
            _ => Err(Malformed::VariableByteIntegerTooLong),
        }
    }

    /// [MQTT-1.5.5-1], a rule of MQTT 5.
    pub(super) fn expect_shortest(self) -> Result<(), Malformed> {
        match self.is_shortest {
            true => Ok(()),
            false => Err(Malformed::VariableByteIntegerNotShortest {
                value: self.value,
                bytes: self.bytes,
            }),
        }
    }
}
