//! A hundred thousand retained messages: stored by one publisher, then delivered to one after another
//! who subscribes to all.
//!
//! Each subscriber must get every one of them once, unaltered and with RETAIN set.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::idle::settled;
use crate::link::{self, READ_BYTES};
use crate::options::Options;
use crate::process::Broker;
use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::window::Faults;
use crate::wire::{self, NUMBER, Stamp, Template};

const MESSAGES: u64 = 100_000;
/// Subscribers, one after another: one alone is done within a tenth of a second.
const SUBSCRIBERS: u64 = 10;
/// RETAIN in the first byte of a PUBLISH.
const RETAIN: u8 = 0x01;

/// Both halves over all brokers.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = Table::new("retained")
        .median("messages_per_second", "messages/s", 0)
        .median("cpu_micros_per_message", "CPU µs/message", 2)
        .ratio("cpu_micros_per_message", "ratio")
        .median("resident_bytes_per_message", "RSS bytes/message", 0)
        .chart("cpu_micros_per_message");
    let (mut stored, mut delivered) = (Vec::new(), Vec::new());
    for (broker, runs) in bench.rounds(&bench.brokers(), |contender| {
        let broker = contender.start(bench.directory, &[])?;
        let halves =
            measure(&broker, bench.options).map_err(|error| broker.explain(&error.to_string()))?;
        let micros = [halves.0.values[1], halves.1.values[1]];
        eprintln!("retained, {}: stored and delivered {micros:.2?} µs", contender.name);
        Ok(halves)
    }) {
        let half = |second: bool| {
            let pick = |(a, b): &(Run, Run)| if second { b.clone() } else { a.clone() };
            runs.iter().map(|run| run.as_ref().map(pick).map_err(Clone::clone)).collect::<Vec<_>>()
        };
        stored.push((broker.clone(), half(false)));
        delivered.push((broker, half(true)));
    }
    table.add(&format!("{MESSAGES} retained, stored"), stored);
    table.add(&format!("{MESSAGES} retained, delivered"), delivered);
    report.add(table);
    Ok(())
}

fn measure(broker: &Broker, options: &Options) -> io::Result<(Run, Run)> {
    let before = settled(broker)?;
    let stored = store(broker, options)?;
    let bytes = (settled(broker)? as f64 - before as f64) / MESSAGES as f64;
    let (began, cpu) = (Instant::now(), broker.cpu()?);
    let mut faults = Faults::default();
    let mut count = 0;
    for number in 0..SUBSCRIBERS {
        count += deliver(broker, number, &mut faults)?;
        // It would lose as many for the others, and take as long.
        if faults.lost > 0 {
            break;
        }
    }
    let delivered = cost(count, began.elapsed(), broker.cpu()? - cpu);
    let stored = Run::new([stored[0], stored[1], bytes]);
    let delivered =
        Run { messages: count, faults, values: vec![delivered[0], delivered[1], f64::NAN] };
    Ok((stored, delivered))
}

fn cost(count: u64, took: Duration, spent: Duration) -> [f64; 2] {
    [count as f64 / took.as_secs_f64(), spent.as_secs_f64() * 1e6 / count as f64]
}

/// Publishes all at QoS 0; the PINGRESP says that the broker has gone through them.
fn store(broker: &Broker, options: &Options) -> io::Result<[f64; 2]> {
    let pattern = format!("bench/retained/{NUMBER}");
    let template = Template::numbered(&pattern, (0, MESSAGES), 0, options.payload_bytes);
    let mut stream = link::open(broker.port, "publisher")?;
    let (began, cpu) = (Instant::now(), broker.cpu()?);
    let mut frames = Vec::with_capacity(READ_BYTES);
    for sequence in 0..MESSAGES {
        let start = frames.len();
        template.append(&mut frames, 0, Stamp { publisher: 0, sequence, sent_nanos: 0 });
        frames[start] |= RETAIN;
        if frames.len() > READ_BYTES / 4 || sequence + 1 == MESSAGES {
            stream.write_all(&frames)?;
            frames.clear();
        }
    }
    stream.write_all(&wire::PINGREQ)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer)?;
    if answer != [wire::PINGRESP, 0] {
        let error = format!("the publisher expected a PINGRESP, found {answer:02x?}");
        return Err(io::Error::other(error));
    }
    Ok(cost(MESSAGES, began.elapsed(), broker.cpu()? - cpu))
}

/// Subscribes to all and reads until every message has come and a PINGREQ is answered; tells how many
/// have.
fn deliver(broker: &Broker, number: u64, faults: &mut Faults) -> io::Result<u64> {
    let mut stream = link::open(broker.port, &format!("subscriber-{number}"))?;
    stream.write_all(&wire::subscribe(1, &["bench/retained/#"], 0))?;
    let mut taker = Taker { seen: vec![false; MESSAGES as usize], ..Taker::default() };
    let read = taker.read(&mut stream, |taker| taker.granted && taker.count == MESSAGES);
    match read {
        // Quiet before all had come: the rest is lost, and counted below.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        result => result?,
    }
    stream.write_all(&wire::PINGREQ)?;
    taker.read(&mut stream, |taker| taker.ponged)?;
    faults.lost += MESSAGES - taker.count;
    faults.duplicated += taker.duplicated;
    Ok(taker.count)
}

/// What one subscriber has of the retained messages.
#[derive(Default)]
struct Taker {
    seen: Vec<bool>,
    count: u64,
    duplicated: u64,
    granted: bool,
    ponged: bool,
    partial: Vec<u8>,
}

impl Taker {
    fn read(&mut self, stream: &mut TcpStream, done: impl Fn(&Self) -> bool) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        while !done(self) {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::Error::other("the broker closed the connection"));
            }
            self.take(&buffer[..count]).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), wire::Malformed> {
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        let mut rest = joined.as_slice();
        while let Some(frame) = wire::next_frame(&mut rest)? {
            match (frame.first, frame.body) {
                (wire::SUBACK, [0, 1, 0]) => self.granted = true,
                (wire::PINGRESP, []) => self.ponged = true,
                (first, body) if first == 0x30 | RETAIN => {
                    let frame = wire::Frame { first: 0x30, body };
                    let stamp = Stamp::read(frame.publish(0)?.1)?;
                    let seen = self.seen.get_mut(stamp.sequence as usize);
                    let seen = seen.ok_or(wire::Malformed("message was never published"))?;
                    if std::mem::replace(seen, true) {
                        self.duplicated += 1;
                    } else {
                        self.count += 1;
                    }
                }
                _ => return Err(wire::Malformed("packet does not fit, or RETAIN is not set")),
            }
        }
        self.partial = rest.to_vec();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_retained_message_counts_once_and_only_with_its_flag() {
        let mut taker = Taker { seen: vec![false; 4], ..Taker::default() };
        let template = Template::numbered("b/000000", (0, 4), 0, 64);
        let mut bytes = Vec::new();
        for sequence in [0, 3, 3] {
            let start = bytes.len();
            template.append(&mut bytes, 0, Stamp { publisher: 0, sequence, sent_nanos: 0 });
            bytes[start] |= RETAIN;
        }
        let (first, second) = bytes.split_at(70);
        taker.take(first).unwrap();
        taker.take(second).unwrap();
        assert_eq!((taker.count, taker.duplicated), (2, 1));
        bytes[0] = 0x30;
        assert!(taker.take(&bytes).is_err());
    }
}
