//! The Kafka side of the bridge's comparison: topics, and clients without a broker before them.
//!
//! The clients' properties and the records' key and headers are those of Midge's bridge.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};

use crate::bridge::CONNECTOR;
use crate::link::PATIENCE;
use crate::load::{Figures, Shape};
use crate::options::Options;
use crate::process::own_cpu;
use crate::wire::{FILLER, Stamp};

mod consume;
mod load;
pub(crate) mod server;

pub(crate) use consume::consume;
pub(crate) use load::Loaded;

/// Partitions of a topic made for a run.
pub(crate) const PARTITIONS: i32 = 4;
/// What librdkafka's queue holds, as the bridge sets it.
pub(crate) const QUEUE_MESSAGES: usize = 100_000;

/// Between two looks at Kafka's reports; shorter than librdkafka's own `linger.ms` of 5.
const PAUSE: Duration = Duration::from_millis(1);

/// A topic of one run, deleted when dropped.
pub(crate) struct Topic {
    pub(crate) name: String,
    address: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Topic {
    pub(crate) fn create(address: &str, name: &str) -> io::Result<Self> {
        let admin: AdminClient<_> = ClientConfig::new()
            .set("bootstrap.servers", address)
            .create()
            .map_err(io::Error::other)?;
        let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let created =
            block_on(admin.create_topics([&topic], &options)).map_err(io::Error::other)?;
        for result in created {
            result.map_err(|(name, code)| io::Error::other(format!("topic {name}: {code}")))?;
        }
        Ok(Self { name: name.into(), address: address.into(), admin })
    }

    /// The bootstrap servers, one by one.
    pub(crate) fn servers(&self) -> Vec<&str> {
        self.address.split(',').map(str::trim).collect()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // A topic that stays behind harms no later run: each has a name of its own.
        let _ = block_on(self.admin.delete_topics(&[&self.name], &AdminOptions::new()));
    }
}

/// A client of the topic's Kafka.
pub(crate) fn client(topic: &Topic) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &topic.address).set("group.id", "midge-bench");
    config.set("enable.auto.commit", "false");
    config
}

/// Counts Kafka's reports.
#[derive(Clone, Default)]
struct Reports(Arc<Counts>);

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    refused: AtomicU64,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.0.delivered } else { &self.0.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes every report that has come, and waits for none.
fn take_reports(producer: &BaseProducer<Reports>, delivered: &dyn Fn() -> u64) {
    loop {
        let before = delivered();
        producer.poll(Duration::ZERO);
        if delivered() == before {
            return;
        }
    }
}

/// Where a producer's run is; times are its end or, when measuring, its beginning.
enum Phase {
    Connect(Instant),
    WarmUp(Instant),
    /// With the records reported and the CPU time used before.
    Measure(Instant, u64, Duration),
}

/// Produces what the bridge would, with at most `under_way` records unreported.
pub(crate) fn produce(
    topic: &Topic,
    under_way: usize,
    options: &Options,
) -> io::Result<(Figures, Vec<u64>)> {
    let reports = Reports::default();
    let producer: BaseProducer<Reports> = ClientConfig::new()
        .set("bootstrap.servers", &topic.address)
        .set("queue.buffering.max.messages", QUEUE_MESSAGES.to_string())
        .set("queue.buffering.max.kbytes", "65536")
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0")
        .create_with_context(reports.clone())
        .map_err(io::Error::other)?;
    let mut feed = Feed::new(stamped(options.payload_bytes)).with_headers();
    let delivered = || reports.0.delivered.load(Ordering::Relaxed);

    let mut phase = Phase::Connect(Instant::now() + PATIENCE);
    let (units, seconds, cpu) = loop {
        feed.fill(&producer, topic, under_way as u64 - (feed.total - delivered()))?;
        // Not `poll(1 ms)`: it counts in whole milliseconds and would spin through the last one,
        // which would be charged to librdkafka.
        std::thread::sleep(PAUSE);
        take_reports(&producer, &delivered);
        if reports.0.refused.load(Ordering::Relaxed) > 0 {
            return Err(io::Error::other("Kafka refused a record"));
        }
        let (now, units) = (Instant::now(), delivered());
        match phase {
            // The first record pays for connecting; the warm-up begins behind it.
            Phase::Connect(_) if units > 0 => phase = Phase::WarmUp(now + options.warm_up),
            Phase::Connect(until) if now > until => {
                return Err(io::Error::other("Kafka acknowledged nothing"));
            }
            Phase::WarmUp(until) if now >= until => phase = Phase::Measure(now, units, own_cpu()?),
            Phase::Measure(from, before, cpu) => {
                let done = units - before;
                if options.count.map_or(now - from >= options.seconds, |count| done >= count) {
                    break (done, (now - from).as_secs_f64(), own_cpu()? - cpu);
                }
            }
            Phase::Connect(_) | Phase::WarmUp(_) => {}
        }
    };
    producer.flush(PATIENCE).map_err(io::Error::other)?;
    let spent = cpu.as_secs_f64();
    let figures = Figures {
        deliveries: units,
        per_second: units as f64 / seconds,
        cpu_micros: spent * 1e6 / units as f64,
        loads: [spent / seconds, f64::NAN, f64::NAN],
        ..Figures::default()
    };
    Ok((figures, feed.sent))
}

/// The records of as many publishers as Midge would have, in turn.
struct Feed {
    sent: Vec<u64>,
    total: u64,
    topics: Vec<String>,
    /// By publisher, where there are any.
    headers: Vec<OwnedHeaders>,
    payload: Vec<u8>,
    compose: Compose,
}

/// Writes a record's value in the place of the one before.
pub(crate) type Compose = Box<dyn Fn(Stamp, &mut Vec<u8>)>;

/// Values that a stamp opens.
pub(crate) fn stamped(payload_bytes: usize) -> Compose {
    Box::new(move |stamp, value| {
        value.resize(payload_bytes, FILLER);
        stamp.write(value);
    })
}

impl Feed {
    fn new(compose: Compose) -> Self {
        let publishers = Shape::Pairs.publishers();
        Self {
            sent: vec![0; publishers],
            total: 0,
            topics: (0..publishers).map(|index| format!("bench/{index}")).collect(),
            headers: Vec::new(),
            payload: Vec::new(),
            compose,
        }
    }

    /// With the headers that Midge's bridge adds.
    fn with_headers(mut self) -> Self {
        let headers = self.topics.iter().enumerate().map(|(index, topic)| {
            let client_id = format!("publisher-{index}");
            [
                ("mqtt.topic", topic.as_str()),
                ("mqtt.client.id", &client_id),
                ("mqtt.qos", "1"),
                ("mqtt.retain", "false"),
                ("midge.trail", CONNECTOR),
            ]
            .into_iter()
            .fold(OwnedHeaders::new_with_capacity(5), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            })
        });
        self.headers = headers.collect();
        self
    }

    /// Hands over up to `count` records; librdkafka's queue may take fewer.
    fn fill<C: ProducerContext<DeliveryOpaque = ()>>(
        &mut self,
        producer: &BaseProducer<C>,
        topic: &Topic,
        count: u64,
    ) -> io::Result<()> {
        for _ in 0..count {
            let publisher = (self.total % self.sent.len() as u64) as usize;
            let sequence = self.sent[publisher];
            let stamp = Stamp { publisher: publisher as u32, sequence, sent_nanos: 0 };
            (self.compose)(stamp, &mut self.payload);
            let mut record = BaseRecord::to(&topic.name)
                .key(self.topics[publisher].as_bytes())
                .payload(&self.payload[..]);
            record.headers = self.headers.get(publisher).cloned();
            match producer.send(record) {
                Ok(()) => {
                    self.sent[publisher] += 1;
                    self.total += 1;
                }
                Err((error, _))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    return Ok(());
                }
                Err((error, _)) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }
}

/// Waits for the admin client's answers; there is no runtime here.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_another_thread_answers() {
        let shared = Arc::new(std::sync::Mutex::new((false, None::<Waker>)));
        let answer = Arc::clone(&shared);
        let mut thread = None;
        let output = block_on(std::future::poll_fn(move |context| {
            let mut state = shared.lock().unwrap();
            state.1 = Some(context.waker().clone());
            let answer = Arc::clone(&answer);
            thread.get_or_insert_with(|| {
                std::thread::spawn(move || {
                    let mut state = answer.lock().unwrap();
                    state.0 = true;
                    state.1.take().unwrap().wake();
                })
            });
            if state.0 { Poll::Ready(7) } else { Poll::Pending }
        }));
        assert_eq!(output, 7);
    }
}
