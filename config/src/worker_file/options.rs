//! The options of a Connect worker, and what each is here.
//!
//! Invariant: every option that Connect's documents name stands in one row, or is a client's.

/// What an option is to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Where Kafka is.
    Bootstrap,
    /// Where REST listens.
    Rest,
    /// Of every Kafka client.
    Client,
    /// Connectors take it as a default, or what runs them obeys it.
    Passed,
    /// Of a worker that is one of several; nothing to one that is alone.
    OfGroup,
    /// Of a worker that is alone; nothing to one of several.
    OfOne,
    /// Whether the topics that connectors use are told and forgotten.
    Tracking,
    /// Ours: who may speak to REST, and where things are kept.
    Own,
    /// Accepted without effect, because.
    Idle(&'static str),
    /// Only these values are to be had, because.
    Only(&'static [&'static str], &'static str),
}

use Meaning::{Bootstrap, Client, Idle, OfGroup, OfOne, Only, Own, Passed, Rest, Tracking};

const BUILT_IN: Meaning = Idle("classes are built in");
const FIGURES: Meaning = Idle("there is no JMX");
const FLUSH: Meaning = Idle("offsets are committed as records are done");
const JAVA: Meaning = Only(&[""], "it names classes of Java");
const INTERNAL: Meaning = Idle("Connect itself knows it no more");

/// The rows; a name that ends with a dot stands for all that begin with it.
pub(super) static OPTIONS: &[(&str, Meaning)] = &[
    ("bootstrap.servers", Bootstrap),
    ("listeners", Rest),
    ("rest.host.name", Rest),
    ("rest.port", Rest),
    ("midge.rest.token", Own),
    ("midge.rest.user", Own),
    ("midge.rest.password", Own),
    ("midge.persistence.directory", Own),
    // Defaults of connectors.
    ("key.converter", Passed),
    ("key.converter.", Passed),
    ("value.converter", Passed),
    ("value.converter.", Passed),
    ("header.converter", Passed),
    ("header.converter.", Passed),
    ("config.providers", Passed),
    ("config.providers.", Passed),
    // Of clients.
    ("client.dns.lookup", Client),
    ("client.id", Client),
    ("connections.max.idle.ms", Client),
    ("metadata.max.age.ms", Client),
    ("receive.buffer.bytes", Client),
    ("reconnect.backoff.max.ms", Client),
    ("reconnect.backoff.ms", Client),
    ("request.timeout.ms", Client),
    ("retry.backoff.max.ms", Client),
    ("retry.backoff.ms", Client),
    ("security.protocol", Client),
    ("send.buffer.bytes", Client),
    ("socket.connection.setup.timeout.ms", Client),
    ("sasl.", Client),
    ("ssl.", Client),
    ("default.api.timeout.ms", Idle("there is no client of its own for administration")),
    ("metadata.recovery.", Idle("the client always looks for the brokers again")),
    ("security.providers", JAVA),
    ("socket.connection.setup.timeout.max.ms", Idle("the client has one timeout for connecting")),
    // Of one worker.
    ("offset.storage.file.filename", OfOne),
    // Of a worker that is one of several.
    ("config.storage.", OfGroup),
    ("connect.protocol", OfGroup),
    ("exactly.once.source.support", Only(&["disabled"], "records are not written in transactions")),
    ("group.id", OfGroup),
    ("heartbeat.interval.ms", OfGroup),
    ("inter.worker.", OfGroup),
    ("offset.storage.", OfGroup),
    ("rebalance.timeout.ms", OfGroup),
    ("rest.advertised.", OfGroup),
    ("scheduled.rebalance.max.delay.ms", OfGroup),
    ("session.timeout.ms", OfGroup),
    ("status.storage.", OfGroup),
    ("worker.sync.timeout.ms", OfGroup),
    ("worker.unsync.backoff.ms", OfGroup),
    // Of the process.
    ("access.control.allow.", Idle("pages of other sites are not allowed to ask")),
    (
        "admin.listeners",
        Only(&[], "what changes log levels is reached as all of REST is, by those who may"),
    ),
    (
        "connector.client.config.override.policy",
        Only(
            &[
                "All",
                "org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy",
            ],
            "connectors may override what their clients have",
        ),
    ),
    ("internal.key.converter", INTERNAL),
    ("internal.key.converter.", INTERNAL),
    ("internal.value.converter", INTERNAL),
    ("internal.value.converter.", INTERNAL),
    ("listeners.https.", Only(&[], "REST speaks plain HTTP: put a proxy in front of it")),
    ("auto.include.jmx.reporter", FIGURES),
    ("metric.reporters", JAVA),
    ("metrics.", FIGURES),
    ("offset.flush.interval.ms", FLUSH),
    ("offset.flush.timeout.ms", FLUSH),
    ("plugin.discovery", BUILT_IN),
    ("plugin.path", BUILT_IN),
    ("response.http.headers.config", Idle("answers have the header fields they have")),
    (
        "rest.extension.classes",
        Only(
            &[""],
            "it names classes of Java; midge.rest.user and midge.rest.password, or \
             midge.rest.token, say who may speak to REST",
        ),
    ),
    ("task.shutdown.graceful.timeout.ms", Idle("tasks have ten seconds to end")),
    ("topic.creation.enable", Idle("Kafka itself makes topics that are not there, if it may")),
    ("topic.tracking.allow.reset", Tracking),
    ("topic.tracking.enable", Tracking),
];

/// The meaning of an option, if it is one: the row of its name, or the longest that it begins with.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    let is_of =
        |row: &&(&str, Meaning)| row.0 == key || (row.0.ends_with('.') && key.starts_with(row.0));
    OPTIONS.iter().filter(is_of).max_by_key(|row| row.0.len()).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_row_counts() {
        assert_eq!(meaning("offset.storage.file.filename"), Some(OfOne));
        assert_eq!(meaning("offset.storage.topic"), Some(OfGroup));
        assert_eq!(meaning("key.converter.schemas.enable"), Some(Passed));
        assert_eq!(meaning("key.converters"), None);
        assert!(matches!(meaning("admin.listeners"), Some(Only(..))));
    }

    #[test]
    fn no_name_stands_twice() {
        for (at, (name, _)) in OPTIONS.iter().enumerate() {
            assert!(OPTIONS[at + 1..].iter().all(|(other, _)| other != name), "{name}");
        }
    }
}
