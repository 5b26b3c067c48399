//! MQTT 3.1.1 bytes, written and scanned by hand.
//!
//! Nothing here comes from Midge's codec: a broker that encodes wrongly must not find its mistake
//! understood. Only what a load needs is known; every other packet is a fault.

use std::fmt;

pub(crate) mod reading;

/// First byte of a CONNACK.
pub(crate) const CONNACK: u8 = 0x20;
/// First byte of a PUBACK.
pub(crate) const PUBACK: u8 = 0x40;
/// First byte of a PUBREC.
pub(crate) const PUBREC: u8 = 0x50;
/// First byte of a PUBREL, with its reserved bits [MQTT-3.6.1-1].
pub(crate) const PUBREL: u8 = 0x62;
/// First byte of a PUBCOMP.
pub(crate) const PUBCOMP: u8 = 0x70;
/// First byte of a SUBACK.
pub(crate) const SUBACK: u8 = 0x90;
/// First byte of a PINGRESP.
pub(crate) const PINGRESP: u8 = 0xd0;
/// A whole PINGREQ.
pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];

/// Publisher (4 bytes), sequence number (8) and time of sending (8) open every payload.
pub(crate) const STAMP_BYTES: usize = 20;
/// What the rest of the payload repeats, so that a damaged one is seen.
pub(crate) const FILLER: u8 = b'm';

/// Bytes that no broker should have sent to this client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// A whole DISCONNECT.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];
/// In the first byte of a PUBLISH: it may have come before.
pub(crate) const DUP: u8 = 0x08;

/// A CONNECT with a keep alive longer than any run, for a clean session or for one that is stored.
pub(crate) fn connect(client_id: &str, clean: bool) -> Vec<u8> {
    let flags = if clean { 0x02 } else { 0 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags];
    body.extend_from_slice(&600u16.to_be_bytes());
    string(&mut body, client_id);
    packet(0x10, &body)
}

/// A CONNECT for a clean session that shows who it is.
pub(crate) fn connect_as(client_id: &str, user: &str, password: &str) -> Vec<u8> {
    // User name, password and clean session.
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0xc2];
    body.extend_from_slice(&600u16.to_be_bytes());
    [client_id, user, password].into_iter().for_each(|text| string(&mut body, text));
    packet(0x10, &body)
}

/// A SUBSCRIBE to some filters.
pub(crate) fn subscribe<S: AsRef<str>>(packet_id: u16, filters: &[S], qos: u8) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    for filter in filters {
        string(&mut body, filter.as_ref());
        body.push(qos);
    }
    packet(0x82, &body)
}

/// One of the four-byte acknowledgements.
pub(crate) fn acknowledgement(first: u8, packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [first, 2, high, low]
}

pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("client ids and topics here are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let low = (rest % 128) as u8;
        rest /= 128;
        out.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// What identifies one message inside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publisher sent it.
    pub(crate) publisher: u32,
    /// Its place among that publisher's messages, from 0.
    pub(crate) sequence: u64,
    /// Nanoseconds since the run began.
    pub(crate) sent_nanos: u64,
}

impl Stamp {
    /// Writes it over the beginning of a payload.
    pub(crate) fn write(self, payload: &mut [u8]) {
        payload[..STAMP_BYTES].copy_from_slice(&self.bytes());
    }

    fn bytes(self) -> [u8; STAMP_BYTES] {
        let mut out = [0; STAMP_BYTES];
        out[..4].copy_from_slice(&self.publisher.to_be_bytes());
        out[4..12].copy_from_slice(&self.sequence.to_be_bytes());
        out[12..].copy_from_slice(&self.sent_nanos.to_be_bytes());
        out
    }

    /// Reads a payload back, a reading as well; its filler must have survived too.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        // No publisher's number begins like that.
        if payload.first() == Some(&b'{') {
            return reading::read(payload);
        }
        let Some((stamp, filler)) = payload.split_at_checked(STAMP_BYTES) else {
            return Err(Malformed("payload is shorter than its stamp"));
        };
        if filler.iter().any(|byte| *byte != FILLER) {
            return Err(Malformed("payload was altered"));
        }
        let (publisher, rest) = stamp.split_at(4);
        let (sequence, sent) = rest.split_at(8);
        Ok(Self {
            publisher: publisher.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
            sequence: sequence.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            sent_nanos: sent.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        })
    }
}

/// A PUBLISH encoded once; only packet id and stamp change from message to message.
pub(crate) struct Template {
    frame: Vec<u8>,
    packet_id_at: Option<usize>,
    stamp_at: usize,
    is_reading: bool,
    numbers: Option<Numbers>,
}

/// The topics of one publisher that differ by a number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    /// Where its digits begin in the frame.
    at: usize,
    first: u64,
    count: u64,
}

/// What stands for the number in a pattern of topics.
pub(crate) const NUMBER: &str = "000000";
/// Messages that follow each other go to topics so far apart; a prime, so that all get their turn.
const STRIDE: u64 = 999_983;

impl Template {
    /// Encodes the frame for one topic; `payload_bytes` has room for the stamp.
    pub(crate) fn new(topic: &str, qos: u8, payload_bytes: usize) -> Self {
        assert!(payload_bytes >= STAMP_BYTES, "a payload holds its stamp");
        Self::of(topic, qos, &vec![FILLER; payload_bytes])
    }

    /// As `new`, with readings.
    pub(crate) fn reading(topic: &str, qos: u8) -> Self {
        let stamp = Stamp { publisher: 0, sequence: 0, sent_nanos: 0 };
        Self { is_reading: true, ..Self::of(topic, qos, &reading::text(stamp)) }
    }

    fn of(topic: &str, qos: u8, payload: &[u8]) -> Self {
        let mut body = Vec::new();
        string(&mut body, topic);
        if qos > 0 {
            body.extend_from_slice(&[0, 0]);
        }
        body.extend_from_slice(payload);
        let frame = packet(0x30 | qos << 1, &body);
        let stamp_at = frame.len() - payload.len();
        let packet_id_at = (qos > 0).then(|| stamp_at - 2);
        Self { frame, packet_id_at, stamp_at, is_reading: false, numbers: None }
    }

    /// As `new` for so many topics: `NUMBER` in the pattern becomes each number from `first` on.
    pub(crate) fn numbered(
        pattern: &str,
        (first, count): (u64, u64),
        qos: u8,
        payload_bytes: usize,
    ) -> Self {
        assert!(count > 0 && first + count <= 1_000_000, "the numbers have six digits");
        let mut template = Self::new(pattern, qos, payload_bytes);
        let topic_at = template.stamp_at - pattern.len() - if qos > 0 { 2 } else { 0 };
        let at = topic_at + pattern.find(NUMBER).expect("the pattern has a place for the number");
        template.numbers = Some(Numbers { at, first, count });
        template
    }

    /// Appends the frame of one message.
    pub(crate) fn append(&self, out: &mut Vec<u8>, packet_id: u16, stamp: Stamp) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        if let Some(Numbers { at, first, count }) = self.numbers {
            let mut number = first + (stamp.sequence * STRIDE) % count;
            for digit in out[start + at..start + at + NUMBER.len()].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        if let Some(at) = self.packet_id_at {
            out[start + at..start + at + 2].copy_from_slice(&packet_id.to_be_bytes());
        }
        let payload = &mut out[start + self.stamp_at..];
        if self.is_reading { reading::write(stamp, payload) } else { stamp.write(payload) }
    }
}

/// The packet id of a message at QoS 1 or 2: 1 to 65,535, never 0 [MQTT-2.3.1-1].
pub(crate) fn packet_id(sequence: u64) -> u16 {
    (sequence % 65_535) as u16 + 1
}

/// A whole packet inside a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Type and flags.
    pub(crate) first: u8,
    /// What follows the remaining length.
    pub(crate) body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The packet id of an acknowledgement.
    pub(crate) fn packet_id(&self) -> Result<u16, Malformed> {
        match self.body {
            [high, low] => Ok(u16::from_be_bytes([*high, *low])),
            _ => Err(Malformed("acknowledgement is not two bytes long")),
        }
    }

    /// As `publish`, of a message at QoS 1 that may have come before.
    pub(crate) fn publish_again(&self) -> Result<(u16, &'a [u8]), Malformed> {
        Frame { first: self.first & !DUP, body: self.body }.publish(1)
    }

    /// The packet id (0 at QoS 0) and the payload of a PUBLISH that must have this QoS.
    pub(crate) fn publish(&self, qos: u8) -> Result<(u16, &'a [u8]), Malformed> {
        if self.first != 0x30 | qos << 1 {
            return Err(Malformed("PUBLISH has another QoS, or DUP or RETAIN set"));
        }
        let short = Malformed("PUBLISH ends inside its header");
        let Some((length, rest)) = self.body.split_first_chunk::<2>() else { return Err(short) };
        let Some((_topic, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else {
            return Err(short);
        };
        if qos == 0 {
            return Ok((0, rest));
        }
        let Some((packet_id, payload)) = rest.split_first_chunk::<2>() else { return Err(short) };
        Ok((u16::from_be_bytes(*packet_id), payload))
    }
}

/// Takes the first whole packet off `bytes`; `None` leaves a partial one for the next read.
pub(crate) fn next_frame<'a>(bytes: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Malformed> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let mut remaining = 0usize;
    for index in 0..4 {
        let Some(byte) = rest.get(index) else { return Ok(None) };
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let Some((body, after)) = rest[index + 1..].split_at_checked(remaining) else {
                return Ok(None);
            };
            *bytes = after;
            return Ok(Some(Frame { first: *first, body }));
        }
    }
    Err(Malformed("remaining length has more than four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { publisher: 7, sequence: 0x0102_0304, sent_nanos: 99 };

    #[test]
    fn connect_and_subscribe_are_the_bytes_of_the_standard() {
        assert_eq!(connect("a", true), b"\x10\x0d\x00\x04MQTT\x04\x02\x02\x58\x00\x01a");
        assert_eq!(connect("a", false)[9], 0);
        assert_eq!(subscribe(1, &["b/#"], 2), b"\x82\x08\x00\x01\x00\x03b/#\x02");
        assert_eq!(subscribe(2, &["a", "b"], 0), b"\x82\x0a\0\x02\0\x01a\0\0\x01b\0");
        let shown = b"\x10\x13\0\x04MQTT\x04\xc2\x02\x58\0\x01a\0\x01u\0\x01p";
        assert_eq!(connect_as("a", "u", "p"), shown);
    }

    #[test]
    fn publish_comes_back_with_its_packet_id_and_stamp() {
        for qos in 0..=2 {
            let mut out = Vec::new();
            Template::new("bench/1", qos, 200).append(&mut out, 513, STAMP);
            let mut rest = out.as_slice();
            let frame = next_frame(&mut rest).unwrap().unwrap();
            assert!(rest.is_empty());
            let (id, payload) = frame.publish(qos).unwrap();
            assert_eq!(id, if qos == 0 { 0 } else { 513 });
            assert_eq!(payload.len(), 200);
            assert_eq!(Stamp::read(payload), Ok(STAMP));
        }
    }

    #[test]
    fn numbered_publisher_takes_every_topic_in_its_turn() {
        for qos in [0, 1] {
            let template = Template::numbered("b/000000/v", (40, 10), qos, 64);
            let mut topics = std::collections::BTreeSet::new();
            for sequence in 0..10 {
                let mut out = Vec::new();
                template.append(&mut out, 1, Stamp { sequence, ..STAMP });
                let mut rest = out.as_slice();
                let frame = next_frame(&mut rest).unwrap().unwrap();
                assert!(frame.publish(qos).is_ok());
                topics.insert(String::from_utf8(frame.body[2..12].to_vec()).unwrap());
            }
            let expected = (40..50).map(|number| format!("b/{number:06}/v")).collect();
            assert_eq!(topics, expected);
        }
    }

    #[test]
    fn two_byte_remaining_length_is_written_and_read() {
        let frame = packet(0x30, &[0; 321]);
        assert_eq!(frame[1..3], [0xc1, 0x02]);
        let mut rest = frame.as_slice();
        assert_eq!(next_frame(&mut rest).unwrap().unwrap().body.len(), 321);
    }

    #[test]
    fn partial_packet_stays_where_it_is_at_every_length() {
        let mut out = Vec::new();
        Template::new("bench/1", 1, 200).append(&mut out, 1, STAMP);
        for end in 0..out.len() {
            let mut rest = &out[..end];
            assert_eq!(next_frame(&mut rest), Ok(None));
            assert_eq!(rest.len(), end);
        }
    }

    #[test]
    fn frames_in_one_read_are_taken_one_after_another() {
        let bytes =
            [&acknowledgement(PUBACK, 9)[..], &acknowledgement(PUBREL, 10), &[0xd0]].concat();
        let mut rest = bytes.as_slice();
        let ids: Vec<u16> = std::iter::from_fn(|| next_frame(&mut rest).unwrap())
            .map(|f| f.packet_id().unwrap())
            .collect();
        assert_eq!(ids, [9, 10]);
        assert_eq!(rest, [0xd0]);
    }

    #[test]
    fn overlong_remaining_length_is_malformed() {
        let mut rest = &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01][..];
        assert!(next_frame(&mut rest).is_err());
    }

    #[test]
    fn altered_payload_and_wrong_header_are_seen() {
        let mut out = Vec::new();
        Template::new("b", 1, 64).append(&mut out, 1, STAMP);
        let mut rest = out.as_slice();
        assert!(next_frame(&mut rest).unwrap().unwrap().publish(0).is_err());
        *out.last_mut().unwrap() ^= 1;
        let mut rest = out.as_slice();
        let (_, payload) = next_frame(&mut rest).unwrap().unwrap().publish(1).unwrap();
        assert_eq!(Stamp::read(payload), Err(Malformed("payload was altered")));
        assert!(Stamp::read(&payload[..19]).is_err());
    }

    #[test]
    fn packet_ids_wrap_without_zero() {
        assert_eq!([0, 65_534, 65_535].map(packet_id), [1, 65_535, 1]);
    }
}
