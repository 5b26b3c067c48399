//! The loads that are counted.
//!
//! They are fixed: a figure means something only beside one that was found under the same load.

/// A load.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// The key in the file of figures.
    pub(crate) name: &'static str,
    /// Each with a topic of its own.
    pub(crate) publishers: usize,
    /// Subscriber `n` hears publisher `n` modulo their number.
    pub(crate) subscribers: usize,
    pub(crate) qos: u8,
    /// Sessions that outlive their connections, with persistence on.
    pub(crate) stored: bool,
    /// A rule takes every message to Kafka, and acknowledgements wait for it.
    pub(crate) kafka: bool,
    /// Rounds of the short run; the long one has twice as many.
    pub(crate) rounds: usize,
}

/// Messages of one publisher in one round: what its socket holds when the broker comes to it.
pub(crate) const BATCH: usize = 16;

/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 64;

const PAIRS: Scenario = Scenario {
    name: "",
    publishers: 100,
    subscribers: 100,
    qos: 0,
    stored: false,
    kafka: false,
    rounds: 20,
};

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "fan-out-qos-0", publishers: 1, subscribers: 200, ..PAIRS },
    Scenario { name: "pairs-qos-0", ..PAIRS },
    Scenario { name: "pairs-qos-1", qos: 1, ..PAIRS },
    Scenario { name: "pairs-qos-2", qos: 2, ..PAIRS },
    Scenario { name: "pairs-qos-1-stored", qos: 1, stored: true, ..PAIRS },
    Scenario { name: "kafka-qos-1", qos: 1, subscribers: 0, kafka: true, ..PAIRS },
];

impl Scenario {
    /// Deliveries of so many rounds, to subscribers or to Kafka.
    pub(crate) fn messages(&self, rounds: usize) -> usize {
        rounds * BATCH * self.publishers.max(self.subscribers)
    }
}
