//! librdkafka's mock cluster: a Kafka inside the process, for trying things out and for tests.
//!
//! It speaks the real protocol on loopback ports, but keeps little (5 MiB a partition) and nothing
//! beyond its own life.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, bindings};

type Cluster<'a> = MockCluster<'a, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Cluster<'_>) + Send>;

/// How long a call to the embedded Kafka may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A Kafka of one broker inside this process. It ends when this value is dropped.
pub struct EmbeddedKafka {
    bootstrap_servers: String,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the embedded Kafka did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("embedded kafka: {0}")]
pub struct EmbeddedKafkaError(String);

/// A record as it stands in the embedded Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970, when it has a timestamp.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// An error the embedded Kafka can be told to answer a produce request with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProduceFault {
    /// Retriable: not enough replicas.
    NotEnoughReplicas,
    /// The connection breaks.
    Disconnect,
    /// For good: the record is too large.
    TooLarge,
    /// For good: no right to the topic.
    NotAuthorized,
    /// The producer's session is lost: no more from this producer.
    Fenced,
}

impl EmbeddedKafka {
    /// Starts it on free loopback ports.
    pub fn start() -> Result<EmbeddedKafka, EmbeddedKafkaError> {
        let (commands, receive) = mpsc::channel::<Command>();
        let (started, wait) = mpsc::channel();
        // The cluster's handle may not change threads, so it has one of its own.
        let thread = std::thread::Builder::new()
            .name("embedded-kafka".to_owned())
            .spawn(move || match host() {
                Ok(host) => {
                    let Some(cluster) = host.client().mock_cluster() else {
                        return drop(started.send(Err("librdkafka made none".to_owned())));
                    };
                    if started.send(Ok(cluster.bootstrap_servers())).is_ok() {
                        for command in receive {
                            command(&cluster);
                        }
                    }
                }
                Err(error) => drop(started.send(Err(error.to_string()))),
            })
            .map_err(|error| EmbeddedKafkaError(error.to_string()))?;
        let started = wait.recv().unwrap_or_else(|_| Err("its thread ended".to_owned()));
        let bootstrap_servers = started.map_err(EmbeddedKafkaError)?;
        Ok(EmbeddedKafka { bootstrap_servers, commands: Some(commands), thread: Some(thread) })
    }

    /// Its address, as `bootstrap.servers` wants it.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Makes a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), EmbeddedKafkaError> {
        let topic = topic.to_owned();
        self.command(move |cluster| {
            cluster.create_topic(&topic, partitions, 1).map_err(|error| error.to_string())
        })
    }

    /// Its broker closes all connections and takes none.
    pub fn go_away(&self) -> Result<(), EmbeddedKafkaError> {
        self.command(|cluster| cluster.broker_down(-1).map_err(|error| error.to_string()))
    }

    /// Its broker takes connections again.
    pub fn come_back(&self) -> Result<(), EmbeddedKafkaError> {
        self.command(|cluster| cluster.broker_up(-1).map_err(|error| error.to_string()))
    }

    /// Denies that a topic exists, or admits it again, to clients that ask from now on.
    pub fn deny_topic(&self, topic: &str, denied: bool) -> Result<(), EmbeddedKafkaError> {
        let topic = topic.to_owned();
        let answer = if denied {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        } else {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        };
        self.command(move |cluster| {
            cluster.topic_error(&topic, answer).map_err(|error| error.to_string())
        })
    }

    /// Answers the next produce requests with these errors, one each.
    pub fn fail_produce(&self, faults: &[ProduceFault]) -> Result<(), EmbeddedKafkaError> {
        let errors: Vec<RDKafkaRespErr> = faults.iter().map(|fault| fault.code()).collect();
        self.command(move |cluster| {
            cluster.request_errors(RDKafkaApiKey::Produce, &errors);
            Ok(())
        })
    }

    /// Writes one record and waits until it is there.
    pub fn produce(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, &[u8])],
    ) -> Result<(), EmbeddedKafkaError> {
        let producer: BaseProducer = self.config().set("linger.ms", "0").create().map_err(other)?;
        let mut owned = OwnedHeaders::new_with_capacity(headers.len());
        for (key, value) in headers {
            owned = owned.insert(Header { key, value: Some(*value) });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).headers(owned);
        record.key = key;
        record.payload = value;
        producer.send(record).map_err(|(error, _)| other(error))?;
        producer.flush(TIMEOUT).map_err(other)
    }

    /// Reads the first `count` records of a topic, partition by partition.
    pub fn records(
        &self,
        topic: &str,
        count: usize,
    ) -> Result<Vec<StoredRecord>, EmbeddedKafkaError> {
        let consumer: BaseConsumer<DefaultConsumerContext> = self
            .config()
            .set("group.id", "embedded-kafka-reader")
            .set("enable.auto.commit", "false")
            .create()
            .map_err(other)?;
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(other)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions as i32 {
            list.add_partition_offset(topic, partition, Offset::Beginning).map_err(other)?;
        }
        consumer.assign(&list).map_err(other)?;
        drop(list);
        let deadline = Instant::now() + TIMEOUT;
        let mut records = Vec::new();
        while records.len() < count {
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => records.push(stored(&message)),
                _ if Instant::now() > deadline => {
                    let found = records.len();
                    let message = format!("{found} records in {topic}, expected {count}");
                    return Err(EmbeddedKafkaError(message));
                }
                _ => {}
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        Ok(records)
    }

    /// What a group has committed for a partition.
    pub fn committed(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<i64>, EmbeddedKafkaError> {
        let consumer: BaseConsumer<DefaultConsumerContext> =
            self.config().set("group.id", group_id).create().map_err(other)?;
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let committed = consumer.committed_offsets(list, TIMEOUT).map_err(other)?;
        let offset = committed.find_partition(topic, partition).map(|element| element.offset());
        Ok(match offset {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        })
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    fn command(
        &self,
        run: impl FnOnce(&Cluster<'_>) -> Result<(), String> + Send + 'static,
    ) -> Result<(), EmbeddedKafkaError> {
        let (answer, wait) = mpsc::channel();
        let command: Command = Box::new(move |cluster| drop(answer.send(run(cluster))));
        let sent = self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok());
        let ended = || Err("its thread ended".to_owned());
        let answer = if sent { wait.recv().unwrap_or_else(|_| ended()) } else { ended() };
        answer.map_err(EmbeddedKafkaError)
    }
}

/// The client that carries the cluster.
fn host() -> Result<BaseProducer, KafkaError> {
    let host: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "1").create()?;
    let client = host.client().native_ptr();
    // SAFETY: the client is alive, and its cluster lives as long as it does. A group need not wait
    // for more members before it forms: there is nobody else.
    #[allow(unsafe_code)]
    unsafe {
        let cluster = bindings::rd_kafka_handle_mock_cluster(client);
        if !cluster.is_null() {
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
    }
    Ok(host)
}

impl Drop for EmbeddedKafka {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, has been printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl ProduceFault {
    fn code(self) -> RDKafkaRespErr {
        match self {
            ProduceFault::NotEnoughReplicas => {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
            }
            ProduceFault::Disconnect => RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
            ProduceFault::TooLarge => RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            ProduceFault::NotAuthorized => {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            }
            ProduceFault::Fenced => RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        }
    }
}

fn stored(message: &impl Message) -> StoredRecord {
    StoredRecord {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec()))
                .collect()
        }),
    }
}

fn other(error: impl std::fmt::Display) -> EmbeddedKafkaError {
    EmbeddedKafkaError(error.to_string())
}
