//! Where fields are written to: a buffer, or a count of the bytes they would take.
//!
//! Invariant: a packet's size and its bytes come from the same code, so they cannot differ.

use bytes::{BufMut, BytesMut};

use crate::{Property, Text, TopicName};

/// The longest string or binary value: its length prefix has two bytes (1.5.6).
pub(super) const MAXIMUM_VALUE_BYTES: usize = u16::MAX as usize;

pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Binary Data (1.5.6).
    fn binary(&mut self, bytes: &[u8]);

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// A Variable Byte Integer (1.5.5) of at most 268,435,455.
    fn variable_byte_integer(&mut self, mut value: usize) {
        while value > 0x7F {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    fn text(&mut self, text: &Text) {
        self.binary(text.as_bytes());
    }

    fn property(&mut self, property: Property) {
        self.u8(property as u8);
    }

    fn bool_property(&mut self, property: Property, value: Option<bool>) {
        if let Some(value) = value {
            self.u8_property(property, Some(u8::from(value)));
        }
    }

    fn u8_property(&mut self, property: Property, value: Option<u8>) {
        if let Some(value) = value {
            self.property(property);
            self.u8(value);
        }
    }

    fn u16_property(&mut self, property: Property, value: Option<u16>) {
        if let Some(value) = value {
            self.property(property);
            self.u16(value);
        }
    }

    fn u32_property(&mut self, property: Property, value: Option<u32>) {
        if let Some(value) = value {
            self.property(property);
            self.u32(value);
        }
    }

    fn text_property(&mut self, property: Property, value: Option<&Text>) {
        self.binary_property(property, value.map(|text| &text.as_bytes()[..]));
    }

    fn topic_property(&mut self, property: Property, value: Option<&TopicName>) {
        self.text_property(property, value.map(TopicName::text));
    }

    fn binary_property(&mut self, property: Property, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.property(property);
            self.binary(value);
        }
    }

    fn user_properties(&mut self, properties: &[(Text, Text)]) {
        for (name, value) in properties {
            self.property(Property::UserProperty);
            self.text(name);
            self.text(value);
        }
    }
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }

    fn binary(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= MAXIMUM_VALUE_BYTES, "a value of {} bytes", bytes.len());
        self.put_u16(bytes.len() as u16);
        self.put_slice(bytes);
    }
}

/// Counts instead of writing.
#[derive(Default)]
pub(super) struct Count {
    pub(super) bytes: usize,
    /// The longest string or binary value.
    pub(super) longest_value: usize,
}

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.bytes += 2 + bytes.len();
        self.longest_value = self.longest_value.max(bytes.len());
    }
}

/// Bytes a Variable Byte Integer takes.
pub(super) fn variable_byte_integer_len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}
