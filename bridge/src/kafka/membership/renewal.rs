//! The lease of a member: renewed on a thread of its own, for waiting for Kafka must hold up nothing
//! else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::{Context, Member, Terms};

/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How often it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) struct Renewal {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// One of the member's partitions; without any there is nothing to hold on to.
    partition: Mutex<Option<i32>>,
    ended: AtomicBool,
}

impl Renewal {
    pub(super) fn start(
        consumer: &Arc<BaseConsumer<Context>>,
        terms: &Terms,
        member: &Arc<dyn Member>,
    ) -> io::Result<Renewal> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("connect-lease".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            let (consumer, member) = (Arc::clone(consumer), Arc::clone(member));
            let (topic, session) = (terms.topic.name.clone(), terms.session_timeout);
            move || shared.run(&consumer, &topic, session, &*member)
        })?;
        Ok(Renewal { shared, thread })
    }

    /// The partition to commit an offset of.
    pub(super) fn set(&self, partition: Option<i32>) {
        let mut slot = self.shared.partition.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() != partition.is_none() {
            // There is something to hold on to.
            self.thread.thread().unpark();
        }
        *slot = partition;
    }

    /// Ends it. It lets go of the consumer, unless it still waits for a Kafka that is away when
    /// `deadline` comes.
    pub(super) fn end(self, deadline: Instant) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Shared {
    fn run(
        &self,
        consumer: &BaseConsumer<Context>,
        topic: &str,
        session: Duration,
        member: &dyn Member,
    ) {
        // The offset tells one renewal from another to whoever looks at the group.
        let mut number = 0;
        while !self.ended.load(Ordering::Relaxed) {
            let partition = *self.partition.lock().unwrap_or_else(PoisonError::into_inner);
            let mut pause = RENEW;
            if let Some(partition) = partition {
                number += 1;
                let mut list = TopicPartitionList::with_capacity(1);
                // The only error is a partition listed twice.
                let _ = list.add_partition_offset(topic, partition, Offset::Offset(number));
                let sent = Instant::now();
                match consumer.commit(&list, CommitMode::Sync) {
                    Ok(()) => member.renewed(sent + session),
                    Err(error) => {
                        debug!(%error, "the lease was not renewed, trying again");
                        pause = AGAIN;
                    }
                }
            }
            std::thread::park_timeout(pause);
        }
    }
}
