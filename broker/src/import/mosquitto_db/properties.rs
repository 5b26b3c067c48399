//! MQTT 5 properties behind a message: a length, then identifiers with their values (2.2.2).
//!
//! Mosquitto keeps only what it passes on. Message Expiry Interval and Topic Alias are read and left
//! out: the one is an absolute time of the message, the other belongs to a connection.

use super::reader::Reader;
use super::{DatabaseError, Properties};

/// Reads the rest of a chunk: nothing, or properties to its end.
pub(super) fn read<'f>(rest: &mut Reader<'f>) -> Result<Properties<'f>, DatabaseError> {
    let mut properties = Properties::default();
    if rest.left() == 0 {
        return Ok(properties);
    }
    let at = rest.at();
    let length = rest.variable("the length of properties")? as usize;
    if length != rest.left() {
        let found = format!("properties of {length} bytes");
        return Err(rest.wrong(at, found, format!("the {} bytes that are left", rest.left())));
    }
    while rest.left() > 0 {
        property(rest, &mut properties)?;
    }
    Ok(properties)
}

fn property<'f>(
    rest: &mut Reader<'f>,
    properties: &mut Properties<'f>,
) -> Result<(), DatabaseError> {
    let at = rest.at();
    match rest.variable("a property identifier")? {
        0x01 => properties.payload_format_indicator = Some(rest.u8("Payload Format Indicator")?),
        0x02 => {
            rest.u32("Message Expiry Interval")?;
        }
        0x03 => properties.content_type = Some(text(rest, "Content Type")?),
        0x08 => properties.response_topic = Some(text(rest, "Response Topic")?),
        0x09 => {
            let length = rest.u16("the length of Correlation Data")?;
            properties.correlation_data = Some(rest.bytes(length.into(), "Correlation Data")?);
        }
        0x0b => {
            let identifier = rest.variable("Subscription Identifier")?;
            properties.subscription_identifier = Some(identifier).filter(|found| *found != 0);
        }
        0x23 => {
            rest.u16("Topic Alias")?;
        }
        0x26 => {
            let name = text(rest, "the name of a User Property")?;
            properties.user_properties.push((name, text(rest, "a User Property")?));
        }
        other => {
            let found = format!("property {other:#04x}");
            return Err(rest.wrong(at, found, "a property of PUBLISH"));
        }
    }
    Ok(())
}

fn text<'f>(rest: &mut Reader<'f>, what: &str) -> Result<&'f str, DatabaseError> {
    let length = rest.u16(what)?;
    rest.text_or_empty(length, what)
}
