//! A Kafka inside the process, for `midge dev` and for tests. It is not a real one: it keeps little
//! and forgets all of it.

pub use crate::kafka::mock::{EmbeddedKafka, EmbeddedKafkaError, ProduceFault, StoredRecord};
