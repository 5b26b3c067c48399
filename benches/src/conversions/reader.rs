//! Kafka as the receiver of a run: a consumer in the place of subscribers.
//!
//! What it has read opens the publishers' windows, so that nothing piles up between MQTT and Kafka.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::format::Format;
use crate::kafka::{self, Topic};
use crate::shared::Shared;
use crate::subscribe::Received;
use crate::window::{Arrival, Expected, Faults, Progress};
use crate::wire::Malformed;

/// Records read between two looks at the publishers.
const PORTION: usize = 64;
/// How often the flags are looked at while nothing comes.
const GLANCE: Duration = Duration::from_millis(20);

pub(super) struct Reader {
    consumer: BaseConsumer,
    format: Format,
    window: usize,
}

impl Reader {
    /// One that reads a topic from its beginning.
    pub(super) fn new(topic: &Topic, format: Format, window: usize) -> io::Result<Reader> {
        let mut client = kafka::client(topic);
        let consumer: BaseConsumer =
            client.set("fetch.wait.max.ms", "10").create().map_err(io::Error::other)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..kafka::PARTITIONS {
            list.add_partition_offset(&topic.name, partition, Offset::Beginning)
                .map_err(io::Error::other)?;
        }
        consumer.assign(&list).map_err(io::Error::other)?;
        Ok(Reader { consumer, format, window })
    }

    /// Reads until nothing more will come.
    pub(super) fn run(&self, shared: &Shared) -> io::Result<Received> {
        shared.enrol(1);
        let publishers = shared.completed.len();
        let mut tally = Tally {
            expected: (0..publishers).map(|_| Expected::default()).collect(),
            progress: (0..publishers).map(|_| Progress::new(self.window, 1)).collect(),
            delivered: 0,
            faults: Faults::default(),
        };
        while !shared.finish.load(Ordering::Acquire) && !shared.failed.load(Ordering::Relaxed) {
            let mut wait = GLANCE;
            for _ in 0..PORTION {
                let Some(record) = self.consumer.poll(wait) else { break };
                wait = Duration::ZERO;
                let record = record.map_err(io::Error::other)?;
                if let Err(error) = tally.record(self.format, &record, shared) {
                    tally.faults.violation(format!("record: {error}"));
                    shared.failed.store(true, Ordering::SeqCst);
                }
            }
            shared.delivered.store(tally.delivered, Ordering::Release);
            shared.wake_publishers()?;
        }
        Ok(Received::by_publisher(tally.expected, tally.faults))
    }
}

struct Tally {
    expected: Vec<Expected>,
    progress: Vec<Progress>,
    delivered: u64,
    faults: Faults,
}

impl Tally {
    fn record(
        &mut self,
        format: Format,
        record: &BorrowedMessage<'_>,
        shared: &Shared,
    ) -> Result<(), Malformed> {
        let stamp = format.read(record.payload().unwrap_or_default())?;
        let publisher = stamp.publisher as usize;
        let Some(expected) = self.expected.get_mut(publisher) else {
            return Err(Malformed("it is of a publisher that there is not"));
        };
        if record.key() != Some(format!("bench/{publisher}").as_bytes()) {
            return Err(Malformed("its key is not its topic"));
        }
        let progress = &mut self.progress[publisher];
        if !progress.admits(stamp.sequence) {
            return Err(Malformed("it has a number that was not sent yet"));
        }
        let arrival = expected.arrive(stamp.sequence);
        self.faults.count(&arrival);
        if arrival != Arrival::Duplicate {
            self.delivered += 1;
            progress.receive(stamp.sequence);
            progress.show(&shared.completed[publisher]);
        }
        Ok(())
    }
}
