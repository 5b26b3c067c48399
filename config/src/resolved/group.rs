//! The group of workers that shares connectors, as Kafka Connect's distributed mode has it.

use std::time::Duration;

/// A group of workers, and what it keeps in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerGroup {
    /// Its name, and that of its consumer group.
    pub group_id: String,
    /// What is wanted of connectors; one partition.
    pub config: StorageTopic,
    /// How they are.
    pub status: StorageTopic,
    /// Its partitions stand for connectors and tasks.
    pub offsets: StorageTopic,
    /// A worker that is silent for so long loses its tasks.
    pub session_timeout: Duration,
    /// How often a worker says a word.
    pub heartbeat_interval: Duration,
    /// How long a worker may take to end the tasks that go to another one.
    pub rebalance_timeout: Duration,
    /// How others reach this worker's REST interface, as far as that is said.
    pub advertised: Advertised,
}

/// How a worker is called by others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertised {
    /// A host name or an address.
    pub host: Option<String>,
    /// A port.
    pub port: Option<u16>,
}

/// A compacted topic, and how it is made if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 is as many as Kafka likes.
    pub partitions: i32,
    /// How many replicas; -1 is as many as Kafka likes.
    pub replication_factor: i32,
    /// Other settings of the topic.
    pub settings: Vec<(String, String)>,
}
