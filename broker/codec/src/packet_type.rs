//! The packet types of the fixed header (2.1.2).
//!
//! Invariant: a type's number is what stands in the upper half of a packet's first byte.

/// MQTT Control Packet type (2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// 3.1
    Connect = 1,
    /// 3.2
    Connack = 2,
    /// 3.3
    Publish = 3,
    /// 3.4
    Puback = 4,
    /// 3.5
    Pubrec = 5,
    /// 3.6
    Pubrel = 6,
    /// 3.7
    Pubcomp = 7,
    /// 3.8
    Subscribe = 8,
    /// 3.9
    Suback = 9,
    /// 3.10
    Unsubscribe = 10,
    /// 3.11
    Unsuback = 11,
    /// 3.12
    Pingreq = 12,
    /// 3.13
    Pingresp = 13,
    /// 3.14
    Disconnect = 14,
    /// 3.15 (MQTT 5 only)
    Auth = 15,
}

impl PacketType {
    /// The type a packet's first byte names; `None` for the reserved 0.
    pub fn from_first_byte(byte: u8) -> Option<PacketType> {
        Some(match byte >> 4 {
            1 => PacketType::Connect,
            2 => PacketType::Connack,
            3 => PacketType::Publish,
            4 => PacketType::Puback,
            5 => PacketType::Pubrec,
            6 => PacketType::Pubrel,
            7 => PacketType::Pubcomp,
            8 => PacketType::Subscribe,
            9 => PacketType::Suback,
            10 => PacketType::Unsubscribe,
            11 => PacketType::Unsuback,
            12 => PacketType::Pingreq,
            13 => PacketType::Pingresp,
            14 => PacketType::Disconnect,
            15 => PacketType::Auth,
            _ => return None,
        })
    }

    /// The lower half of the first byte, [MQTT-2.1.3-1]; `None` for PUBLISH, which has flags of its
    /// own there.
    pub fn reserved_flags(self) -> Option<u8> {
        match self {
            PacketType::Publish => None,
            // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
            PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => Some(0b0010),
            _ => Some(0),
        }
    }

    /// The standard's name.
    pub fn name(self) -> &'static str {
        match self {
            PacketType::Connect => "CONNECT",
            PacketType::Connack => "CONNACK",
            PacketType::Publish => "PUBLISH",
            PacketType::Puback => "PUBACK",
            PacketType::Pubrec => "PUBREC",
            PacketType::Pubrel => "PUBREL",
            PacketType::Pubcomp => "PUBCOMP",
            PacketType::Subscribe => "SUBSCRIBE",
            PacketType::Suback => "SUBACK",
            PacketType::Unsubscribe => "UNSUBSCRIBE",
            PacketType::Unsuback => "UNSUBACK",
            PacketType::Pingreq => "PINGREQ",
            PacketType::Pingresp => "PINGRESP",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Auth => "AUTH",
        }
    }
}

impl std::fmt::Display for PacketType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
