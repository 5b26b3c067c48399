//! A consumer without a broker behind it.

use std::io;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::{Loaded, PARTITIONS, client};
use crate::link::PATIENCE;
use crate::load::{Figures, share};
use crate::process::own_cpu;
use crate::window::Expected;
use crate::wire::Stamp;

/// Reads all records; what is measured is the time between a tenth and nine tenths of them.
pub(crate) fn consume(loaded: &Loaded) -> io::Result<Figures> {
    let consumer: BaseConsumer = client(&loaded.topic)
        .set("queued.max.messages.kbytes", "16384")
        .create()
        .map_err(io::Error::other)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&loaded.topic.name, partition, Offset::Beginning)
            .map_err(io::Error::other)?;
    }
    consumer.assign(&list).map_err(io::Error::other)?;
    loaded.show()?;
    let total: u64 = loaded.sent.iter().sum();
    let (first, last) = share(total);
    let mut expected: Vec<Expected> = loaded.sent.iter().map(|_| Expected::default()).collect();
    let mut figures = Figures::default();
    let mut marks = Vec::new();
    for count in 1..=total {
        let Some(record) = consumer.poll(PATIENCE) else { break };
        let record = record.map_err(io::Error::other)?;
        match Stamp::read(record.payload().unwrap_or_default()) {
            Ok(stamp) => match expected.get_mut(stamp.publisher as usize) {
                Some(expected) => figures.faults.count(&expected.arrive(stamp.sequence)),
                None => figures.faults.violation("record of an unknown publisher".into()),
            },
            Err(error) => figures.faults.violation(format!("record: {error}")),
        }
        if count == first || count == last {
            marks.push((Instant::now(), own_cpu()?));
        }
    }
    figures.faults.lost = expected.iter().zip(&loaded.sent).map(|(e, sent)| e.lost(*sent)).sum();
    if let [(began, before), (ended, after)] = marks[..] {
        let (units, seconds) = (last - first, (ended - began).as_secs_f64());
        let spent = (after - before).as_secs_f64();
        figures.deliveries = units;
        figures.per_second = units as f64 / seconds;
        figures.cpu_micros = spent * 1e6 / units as f64;
        figures.loads = [spent / seconds, f64::NAN, f64::NAN];
    }
    Ok(figures)
}
