//! A client, as far as the load needs one: MQTT 3.1.1 by hand.
//!
//! What it owes (the next acknowledgements, the next messages) is gathered and written in one piece;
//! what it is owed is a number of packets, so that nobody waits for a time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::broker::PATIENCE;

const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;
const SUBACK: u8 = 0x90;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// To be written next.
    owes: Vec<u8>,
    /// How many answers what is owed will bring.
    answers: usize,
    /// Read and not understood yet: the beginning of a packet.
    rest: Vec<u8>,
    next_packet_id: u16,
    /// PUBLISH packets that came.
    pub(crate) received: usize,
}

impl Connection {
    /// Connects, and returns when the broker has accepted.
    pub(crate) fn open(port: u16, client_id: &str, clean: bool) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut connection = Connection {
            stream,
            owes: Vec::new(),
            answers: 0,
            rest: Vec::new(),
            next_packet_id: 1,
            received: 0,
        };
        // Protocol level 4, clean session or not, no keep alive.
        let mut body = b"\x00\x04MQTT\x04".to_vec();
        body.extend_from_slice(&[if clean { 2 } else { 0 }, 0, 0]);
        string(&mut body, client_id);
        connection.owe(0x10, &body, 1);
        connection.write()?;
        connection.take(1)?;
        Ok(connection)
    }

    /// Subscribes, and returns when the broker has granted it.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> io::Result<()> {
        let mut body = vec![0, 1];
        string(&mut body, filter);
        body.push(qos);
        self.owe(0x82, &body, 1);
        let answers = self.write()?;
        self.take(answers)
    }

    /// Has a message written next.
    pub(crate) fn publish(&mut self, topic: &str, qos: u8, payload: &[u8]) {
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        string(&mut body, topic);
        if qos > 0 {
            body.extend_from_slice(&self.next_packet_id.to_be_bytes());
            self.next_packet_id = self.next_packet_id.checked_add(1).unwrap_or(1);
        }
        body.extend_from_slice(payload);
        self.owe(PUBLISH | qos << 1, &body, usize::from(qos > 0));
    }

    /// Whether anything is owed.
    pub(crate) fn is_owing(&self) -> bool {
        !self.owes.is_empty()
    }

    /// Writes what is owed; returns how many packets will come in answer.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        self.stream.write_all(&self.owes)?;
        self.owes.clear();
        Ok(std::mem::take(&mut self.answers))
    }

    /// Reads until so many packets have come, and owes what they ask for.
    pub(crate) fn take(&mut self, packets: usize) -> io::Result<()> {
        let mut left = packets;
        let mut buffer = [0; 16 * 1024];
        while left > 0 {
            let bytes = self.stream.read(&mut buffer)?;
            if bytes == 0 {
                return Err(io::Error::other(format!("closed while {left} packets were awaited")));
            }
            self.rest.extend_from_slice(&buffer[..bytes]);
            let all = std::mem::take(&mut self.rest);
            let mut rest = &all[..];
            while let Some((packet, behind)) = split(rest)? {
                self.answer(packet)?;
                left = left.checked_sub(1).ok_or_else(|| unexpected(packet))?;
                rest = behind;
            }
            self.rest = rest.to_vec();
        }
        Ok(())
    }

    fn answer(&mut self, packet: &[u8]) -> io::Result<()> {
        match packet {
            [first, _, body @ ..] if first & 0xf0 == PUBLISH => {
                self.received += 1;
                let qos = first >> 1 & 3;
                if qos > 0 {
                    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let id = [body[2 + topic], body[3 + topic]];
                    let (answer, answers) = if qos == 1 { (PUBACK, 0) } else { (PUBREC, 1) };
                    self.owe(answer, &id, answers);
                }
            }
            [PUBREC, 2, id @ ..] => self.owe(PUBREL, id, 1),
            [PUBREL, 2, id @ ..] => self.owe(PUBCOMP, id, 0),
            [PUBACK | PUBCOMP, 2, _, _] | [CONNACK, 2, _, 0] | [SUBACK, 3, _, _, 0..=2] => {}
            _ => return Err(unexpected(packet)),
        }
        Ok(())
    }

    fn owe(&mut self, first: u8, body: &[u8], answers: usize) {
        let length = u8::try_from(body.len()).ok().filter(|length| *length < 128);
        self.owes.extend_from_slice(&[first, length.expect("packets here are short")]);
        self.owes.extend_from_slice(body);
        self.answers += answers;
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("client ids and topics here are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The first packet and what is behind it. All are shorter than 128 bytes.
fn split(bytes: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
    let Some(length) = bytes.get(1) else { return Ok(None) };
    if *length > 127 {
        return Err(unexpected(bytes));
    }
    Ok(bytes.split_at_checked(2 + usize::from(*length)))
}

fn unexpected(packet: &[u8]) -> io::Error {
    io::Error::other(format!("found a packet that was not awaited: {packet:02x?}"))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        assert_eq!(split(&[0x40]).expect("legal"), None);
        assert_eq!(split(&[0x40, 2, 0]).expect("legal"), None);
        let (packet, rest) = split(&[0x40, 2, 0, 1, 0xd0]).expect("legal").expect("whole");
        assert_eq!((packet, rest), (&[0x40, 2, 0, 1][..], &[0xd0][..]));
        assert!(split(&[0x30, 0x80, 1]).is_err());
    }
}
