//! CONNECT and CONNACK (3.1, 3.2).
//!
//! Invariant: an error of a CONNECT tells the version as soon as name and level have told it, so
//! that it is refused in the words its client knows.

use bytes::Bytes;

use super::header::Header;
use super::publish::{qos, reason};
use super::reader::Reader;
use super::{DecodeError, Malformed, properties};
use crate::{
    Connack, ConnackProperties, Connect, ConnectProperties, PacketType, ProtocolVersion, QoS,
    ReasonCode, Text, Will, WillProperties,
};

const NAME: &str = "MQTT";
const NAME_3_1: &str = "MQIsdp";

/// Bit 7 of the level: Mosquitto's mark of a bridge.
const BRIDGE: u8 = 0x80;

/// As much of a foreign protocol name as an error keeps.
const NAME_SHOWN_CHARS: usize = 16;

pub(super) fn connect(header: Header, mut body: Reader) -> Result<Box<Connect>, DecodeError> {
    let at_fault =
        |version, malformed| DecodeError::new(Some(PacketType::Connect), version, malformed);
    let (version, bridge) = protocol(&mut body)
        .map_err(|malformed| at_fault(version_to_answer_in(&malformed), malformed))?;
    connect_of_version(header, body, version, bridge)
        .map(Box::new)
        .map_err(|malformed| at_fault(Some(version), malformed))
}

fn protocol(body: &mut Reader) -> Result<(ProtocolVersion, bool), Malformed> {
    let name = body.text("protocol name")?;
    let name = match name.as_str() {
        NAME => NAME,
        NAME_3_1 => NAME_3_1,
        _ => return Err(Malformed::ProtocolName { found: shown(&name) }),
    };
    let level = body.u8("protocol level")?;
    match (name, level & !BRIDGE) {
        (NAME_3_1, 3) => Ok((ProtocolVersion::V31, level & BRIDGE != 0)),
        (NAME, 4) => Ok((ProtocolVersion::V311, level & BRIDGE != 0)),
        // MQTT 5 has options for what bridges need: the bit is no part of it.
        (NAME, 5) if level & BRIDGE == 0 => Ok((ProtocolVersion::V5, false)),
        _ => Err(Malformed::ProtocolLevel { name, found: level }),
    }
}

/// See [`DecodeError::version`].
fn version_to_answer_in(malformed: &Malformed) -> Option<ProtocolVersion> {
    match malformed {
        Malformed::ProtocolLevel { name: NAME, found } if found & !BRIDGE >= 5 => {
            Some(ProtocolVersion::V5)
        }
        Malformed::ProtocolLevel { .. } => Some(ProtocolVersion::V311),
        _ => None,
    }
}

/// The front of a name, kept apart from the packet's bytes.
fn shown(name: &Text) -> Text {
    let front: String = name.chars().take(NAME_SHOWN_CHARS).collect();
    Text::try_from(front).unwrap_or_default()
}

fn connect_of_version(
    header: Header,
    mut body: Reader,
    version: ProtocolVersion,
    bridge: bool,
) -> Result<Connect, Malformed> {
    if version != ProtocolVersion::V31 && header.flags != 0 {
        return Err(Malformed::FixedHeaderFlags { found: header.flags, expected: 0 });
    }
    if version == ProtocolVersion::V5 {
        header.remaining_length.expect_shortest()?;
    }
    let flags = ConnectFlags::read(&mut body, version)?;
    let keep_alive = body.u16("keep alive")?;
    let properties = match version {
        ProtocolVersion::V5 => properties::connect(&mut body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => ConnectProperties::default(),
    };
    // [MQTT-3.1.3-1]: client id, will, user name and password, in this order.
    let client_id = body.text("client identifier")?;
    let will = match flags.will {
        Some((qos, retain)) => Some(will(&mut body, version, qos, retain)?),
        None => None,
    };
    // Clients of 3.1 set the flags and leave the fields out.
    let is_present =
        |flag: bool, body: &Reader| flag && !(version == ProtocolVersion::V31 && body.is_empty());
    let username = match is_present(flags.username, &body) {
        true => Some(body.text("user name")?),
        false => None,
    };
    let password = match is_present(flags.password, &body) {
        true => Some(body.binary("password")?),
        false => None,
    };
    body.finish()?;
    Ok(Connect {
        version,
        bridge,
        clean_start: flags.clean_start,
        keep_alive,
        properties,
        client_id,
        will,
        username,
        password,
    })
}

fn will(
    body: &mut Reader,
    version: ProtocolVersion,
    qos: QoS,
    retain: bool,
) -> Result<Will, Malformed> {
    let properties = match version {
        ProtocolVersion::V5 => properties::will(body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => WillProperties::default(),
    };
    let topic = body.topic_name("will topic")?;
    let payload: Bytes = body.binary("will payload")?;
    Ok(Will { qos, retain, topic, payload, properties })
}

/// The Connect Flags (3.1.2.3).
struct ConnectFlags {
    clean_start: bool,
    /// Will QoS and Will Retain.
    will: Option<(QoS, bool)>,
    username: bool,
    password: bool,
}

impl ConnectFlags {
    fn read(body: &mut Reader, version: ProtocolVersion) -> Result<ConnectFlags, Malformed> {
        let found = body.u8("connect flags")?;
        let is_set = |bit: u8| found & (1 << bit) != 0;
        let is_lenient = version == ProtocolVersion::V31;
        if is_set(0) && !is_lenient {
            return Err(Malformed::ConnectFlagsReserved { found });
        }
        let will = match is_set(2) {
            true => Some((qos(found >> 3).ok_or(Malformed::WillQoS)?, is_set(5))),
            // 3.1 disregards the bits.
            false if found & 0b0011_1000 != 0 && !is_lenient => {
                return Err(Malformed::WillFlagsWithoutWill { found });
            }
            false => None,
        };
        let (username, password) = (is_set(7), is_set(6));
        if password && !username && version != ProtocolVersion::V5 {
            return Err(Malformed::PasswordWithoutUserName);
        }
        Ok(ConnectFlags { clean_start: is_set(1), will, username, password })
    }
}

pub(super) fn connack(mut body: Reader, version: ProtocolVersion) -> Result<Connack, Malformed> {
    let flags = body.u8("acknowledge flags")?;
    // 3.1 has no Session Present: its byte is reserved.
    let session_present = version != ProtocolVersion::V31 && flags & 1 != 0;
    if version != ProtocolVersion::V31 && flags & !1 != 0 {
        return Err(Malformed::ConnackFlags { found: flags });
    }
    let (reason, properties) = match version {
        ProtocolVersion::V5 => {
            (reason(&mut body, PacketType::Connack)?, properties::connack(&mut body)?)
        }
        ProtocolVersion::V31 | ProtocolVersion::V311 => {
            (connect_return_code(&mut body)?, ConnackProperties::default())
        }
    };
    if session_present && reason != ReasonCode::Success {
        return Err(Malformed::SessionPresentOnRefusal { reason });
    }
    body.finish()?;
    Ok(Connack { session_present, reason, properties })
}

fn connect_return_code(body: &mut Reader) -> Result<ReasonCode, Malformed> {
    Ok(match body.u8("connect return code")? {
        0 => ReasonCode::Success,
        1 => ReasonCode::UnsupportedProtocolVersion,
        2 => ReasonCode::ClientIdentifierNotValid,
        3 => ReasonCode::ServerUnavailable,
        4 => ReasonCode::BadUserNameOrPassword,
        5 => ReasonCode::NotAuthorized,
        found => return Err(Malformed::ReasonCode { found }),
    })
}
