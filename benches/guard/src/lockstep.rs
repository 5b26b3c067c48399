//! A run of a scenario, in lockstep.
//!
//! In each round the broker is stopped, every client writes what it owes and its next messages, the
//! broker goes on, and all answers and deliveries come. Acknowledgements of one round go with the
//! messages of the next, as they do under load.

use std::path::Path;

use crate::broker::Broker;
use crate::connection::Connection;
use crate::kafka::Kafka;
use crate::scenario::{BATCH, PAYLOAD_BYTES, Scenario};

struct Load<'a> {
    scenario: &'a Scenario,
    publishers: Vec<Connection>,
    subscribers: Vec<Connection>,
}

/// What callgrind says of a broker that had so many rounds.
pub(crate) fn run(
    scenario: &Scenario,
    rounds: usize,
    midge: &Path,
    kafka: Option<&Kafka>,
) -> Result<String, String> {
    let directory = tempfile::Builder::new()
        .prefix("midge-guard-")
        .tempdir()
        .map_err(|error| format!("a temporary directory: {error}"))?;
    let broker = Broker::start(midge, directory.path(), scenario.stored, kafka)?;
    let told = |error: std::io::Error| broker.explain(&error.to_string());
    let mut load = connect(scenario, broker.port).map_err(told)?;
    for _ in 0..rounds {
        load.round(&broker, BATCH)?;
    }
    while load.is_owing() {
        load.round(&broker, 0)?;
    }
    let received: usize = load.subscribers.iter().map(|subscriber| subscriber.received).sum();
    // What goes to Kafka alone has been acknowledged by Kafka: the rounds have waited for that.
    let expected = if scenario.kafka { 0 } else { scenario.messages(rounds) };
    if received != expected {
        return Err(format!("found {received} messages delivered, expected {expected}"));
    }
    broker.end()
}

fn topic(publisher: usize) -> String {
    format!("guard/{publisher:03}")
}

fn connect(scenario: &Scenario, port: u16) -> std::io::Result<Load<'_>> {
    let mut subscribers = Vec::with_capacity(scenario.subscribers);
    for number in 0..scenario.subscribers {
        let name = format!("subscriber-{number:03}");
        let mut subscriber = Connection::open(port, &name, !scenario.stored)?;
        subscriber.subscribe(&topic(number % scenario.publishers), scenario.qos)?;
        subscribers.push(subscriber);
    }
    let publishers = (0..scenario.publishers)
        .map(|number| Connection::open(port, &format!("publisher-{number:03}"), true))
        .collect::<std::io::Result<_>>()?;
    Ok(Load { scenario, publishers, subscribers })
}

impl Load<'_> {
    /// One round, with so many messages of each publisher.
    fn round(&mut self, broker: &Broker, batch: usize) -> Result<(), String> {
        let payload = [b'm'; PAYLOAD_BYTES];
        for (number, publisher) in self.publishers.iter_mut().enumerate() {
            let topic = topic(number);
            for _ in 0..batch {
                publisher.publish(&topic, self.scenario.qos, &payload);
            }
        }
        broker.stop()?;
        let written: std::io::Result<Vec<usize>> =
            self.connections().map(Connection::write).collect();
        broker.resume()?;
        let told = |error: std::io::Error| broker.explain(&error.to_string());
        let answers = written.map_err(told)?;
        let publishers = self.publishers.len();
        for (number, (connection, answers)) in self.connections().zip(answers).enumerate() {
            let delivered = if number < publishers { 0 } else { batch };
            connection.take(answers + delivered).map_err(told)?;
        }
        Ok(())
    }

    fn is_owing(&mut self) -> bool {
        self.connections().any(|connection| connection.is_owing())
    }

    /// Publishers first.
    fn connections(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.publishers.iter_mut().chain(&mut self.subscribers)
    }
}
