//! The Kafka bridge: connectors, producers and consumers in the broker's process.
