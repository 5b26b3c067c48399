//! Records that are read again: those that were not taken, and one that cannot be dealt with yet.
//!
//! Invariant: nothing of a partition is handed on twice while it is under way, and nothing comes
//! before a record that is held.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;

use super::assigned::pause;
use super::context::Context;
use super::{LAG, Reader};

/// How long records are held up by one that cannot be dealt with, before it is tried again.
const HOLD: Duration = Duration::from_millis(50);
/// How long reading again from an offset may take.
const SEEK: Duration = Duration::from_secs(5);

impl Reader {
    /// Goes back to the records that were not taken.
    pub(super) fn read_again(&mut self, consumer: &BaseConsumer<Context>) {
        let places = self.sink.offsets().to_read_again();
        for (topic, partition, lowest, next) in places {
            // As in `hold`, the partition is still ours.
            match consumer.seek(&topic, partition, Offset::Offset(lowest), SEEK) {
                Ok(()) => {
                    self.sink.offsets().called(&topic, partition, lowest);
                    self.rewound.retain(|(of, number, _)| (&**of, *number) != (&*topic, partition));
                    self.rewound.push((topic, partition, next));
                }
                Err(error) => {
                    let why = format!("records cannot be read again: {error}");
                    self.sink.health.trouble(&why);
                    self.again = Some(Instant::now() + LAG);
                }
            }
        }
    }

    /// Whether a record of a partition that is being read again needs no more.
    pub(super) fn was_settled(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let mut rewound = self.rewound.iter();
        let found = rewound.position(|(of, number, _)| &**of == topic && *number == partition);
        let Some(index) = found else { return false };
        if offset >= self.rewound[index].2 {
            self.rewound.swap_remove(index);
            return false;
        }
        self.sink.offsets().is_settled(topic, partition, offset)
    }

    /// A record cannot be dealt with now: it comes again after a while, and nothing comes before it.
    pub(super) fn hold(
        &mut self,
        consumer: &BaseConsumer<Context>,
        record: &BorrowedMessage<'_>,
        why: Option<String>,
    ) {
        if let Some(why) = why {
            self.sink.health.trouble(&why);
        }
        self.held = Some(Instant::now() + HOLD);
        let offset = Offset::Offset(record.offset());
        // The partition is still ours: the group gives them away in a poll alone.
        if let Err(error) = consumer.seek(record.topic(), record.partition(), offset, SEEK) {
            self.sink.health.trouble(&format!("a record cannot be read again: {error}"));
        }
        pause(consumer);
    }
}
