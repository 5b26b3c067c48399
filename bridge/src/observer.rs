//! A hook that sees each record pass, for showing what the bridge does.

use std::sync::Arc;

/// Called for each record, from the bridge's threads: it should be quick.
pub type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// A record that has passed.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Kafka has acknowledged the record of a publish.
    Produced {
        /// The connector.
        connector: &'a str,
        /// Where it was published.
        mqtt_topic: &'a str,
        /// Where it went.
        kafka_topic: &'a str,
        /// The partition Kafka put it in.
        partition: i32,
        /// Its offset there.
        offset: i64,
        /// Its key.
        key: &'a str,
        /// Bytes of its value.
        bytes: usize,
    },
    /// A record has been read and is being published.
    Consumed {
        /// The connector.
        connector: &'a str,
        /// Where it came from.
        kafka_topic: &'a str,
        /// The partition.
        partition: i32,
        /// Its offset there.
        offset: i64,
        /// Where it is published.
        mqtt_topic: &'a str,
        /// Bytes of its value.
        bytes: usize,
    },
}
