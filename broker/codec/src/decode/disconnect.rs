//! DISCONNECT and AUTH (3.14, 3.15).
//!
//! Invariant: what MQTT 5 lets a sender leave out reads as the value it stands for.

use super::publish::reason;
use super::reader::Reader;
use super::{Malformed, properties};
use crate::{Auth, AuthProperties, Disconnect, PacketType, ProtocolVersion, ReasonCode};

pub(super) fn disconnect(
    mut body: Reader,
    version: ProtocolVersion,
) -> Result<Disconnect, Malformed> {
    let mut disconnect = Disconnect { reason: ReasonCode::Success, properties: None };
    if version == ProtocolVersion::V5 {
        // 3.14.2.1, 3.14.2.2.1: code and properties may be left out from the end.
        if !body.is_empty() {
            disconnect.reason = reason(&mut body, PacketType::Disconnect)?;
        }
        if !body.is_empty() {
            disconnect.properties = properties::disconnect(&mut body)?;
        }
    }
    body.finish()?;
    Ok(disconnect)
}

pub(super) fn auth(mut body: Reader) -> Result<Auth, Malformed> {
    // 3.15.2.1: nothing at all is Success without properties.
    if body.is_empty() {
        return Ok(Auth { reason: ReasonCode::Success, properties: AuthProperties::default() });
    }
    let reason = reason(&mut body, PacketType::Auth)?;
    let properties = properties::auth(&mut body)?;
    body.finish()?;
    Ok(Auth { reason, properties })
}
