//! One packet's block of properties: identifiers and the values that follow them.
//!
//! Invariant: a value never reaches beyond the block's announced length.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::decode::Malformed;
use crate::decode::reader::Reader;
use crate::{InvalidTopic, Property, SubscriptionIdentifier, Text, TopicName};

/// What is left of the properties.
pub(super) struct Block(Reader);

impl Block {
    /// Splits the block off the packet (2.2.2.1).
    pub(super) fn read(body: &mut Reader) -> Result<Block, Malformed> {
        let length = body.variable_byte_integer("property length")?;
        Ok(Block(Reader::new(body.take(length as usize, "properties")?)))
    }

    /// The next property, whose value is to be read next; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Property>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let found = self.0.variable_byte_integer("property identifier")?;
        match Property::from_identifier(found) {
            Some(property) => Ok(Some(property)),
            None => Err(Malformed::UnknownProperty { found }),
        }
    }

    /// A byte that is 0 or 1.
    pub(super) fn bool(&mut self, property: Property) -> Result<bool, Malformed> {
        match self.0.u8(property.name())? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(value(property, found.into(), "0 or 1")),
        }
    }

    pub(super) fn u16(&mut self, property: Property) -> Result<u16, Malformed> {
        self.0.u16(property.name())
    }

    pub(super) fn u32(&mut self, property: Property) -> Result<u32, Malformed> {
        self.0.u32(property.name())
    }

    pub(super) fn non_zero_u16(&mut self, property: Property) -> Result<u16, Malformed> {
        match self.u16(property)? {
            0 => Err(value(property, 0, "1 to 65,535")),
            found => Ok(found),
        }
    }

    pub(super) fn non_zero_u32(&mut self, property: Property) -> Result<u32, Malformed> {
        match self.u32(property)? {
            0 => Err(value(property, 0, "1 to 4,294,967,295")),
            found => Ok(found),
        }
    }

    pub(super) fn text(&mut self, property: Property) -> Result<Text, Malformed> {
        self.0.text(property.name())
    }

    pub(super) fn binary(&mut self, property: Property) -> Result<Bytes, Malformed> {
        self.0.binary(property.name())
    }

    pub(super) fn user_property(&mut self) -> Result<(Text, Text), Malformed> {
        Ok((self.0.text("User Property name")?, self.0.text("User Property value")?))
    }

    pub(super) fn topic_alias(&mut self) -> Result<NonZeroU16, Malformed> {
        NonZeroU16::new(self.u16(Property::TopicAlias)?).ok_or(Malformed::TopicAliasZero)
    }

    pub(super) fn response_topic(&mut self) -> Result<TopicName, Malformed> {
        let property = Property::ResponseTopic;
        TopicName::new(self.text(property)?).map_err(|error| match error {
            InvalidTopic::Text(error) => Malformed::Text { field: property.name(), error },
            error => Malformed::ResponseTopic { error },
        })
    }

    pub(super) fn subscription_identifier(&mut self) -> Result<SubscriptionIdentifier, Malformed> {
        let property = Property::SubscriptionIdentifier;
        NonZeroU32::new(self.0.variable_byte_integer(property.name())?).ok_or(value(
            property,
            0,
            "1 to 268,435,455",
        ))
    }
}

/// Sets what may be set once.
pub(super) fn once<T>(slot: &mut Option<T>, property: Property, value: T) -> Result<(), Malformed> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::DuplicateProperty { property }),
    }
}

fn value(property: Property, found: u32, expected: &'static str) -> Malformed {
    Malformed::PropertyValue { property, found, expected }
}
