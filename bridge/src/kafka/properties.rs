//! librdkafka's properties: what the bridge needs, laid under or over what the operator set.
//!
//! Over it only what the promise depends on: idempotence, acks, no timer that gives a record up,
//! no offset committed behind our back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use midge_config::ClientProperties;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::property::check_property_file;

/// Records librdkafka holds at most, over all connectors of a producer.
const QUEUE_MESSAGES: usize = 100_000;

/// The same in KiB. The log keeps the messages; librdkafka's copies need only keep the connection
/// busy.
const QUEUE_KBYTES: usize = 65_536;

/// Milliseconds after which a producer looks at its topics again, which may be many: so soon one
/// that was made, or a right that was granted, is noticed.
const PRODUCER_REFRESH: &str = "10000";

/// The same for a consumer. It asks for its few topics alone, and may need three looks to notice
/// one that was made: librdkafka keeps what it knows for so long.
const CONSUMER_REFRESH: &str = "2000";

/// Milliseconds after which a consumer whose records wait looks whether it may fetch again.
const FETCH_AGAIN: &str = "10";

/// Milliseconds between two tries to reach a broker, at most.
const RECONNECT: &str = "2000";

/// librdkafka's default of `batch.size`.
const BATCH_BYTES: usize = 1_000_000;

/// librdkafka's default of `request.timeout.ms`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where distributions keep their certificate authorities. librdkafka is linked with its own
/// OpenSSL, which has no such place compiled in.
const CA_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The properties of a producer that serves `name`.
pub(super) fn producer(name: &str, properties: &ClientProperties) -> ClientConfig {
    let mut config = client(name, properties, PRODUCER_REFRESH);
    default(&mut config, "queue.buffering.max.messages", &QUEUE_MESSAGES.to_string());
    default(&mut config, "queue.buffering.max.kbytes", &QUEUE_KBYTES.to_string());
    // Java's producers put a key into the same partition.
    default(&mut config, "partitioner", "murmur2_random");
    // A spool waits for Kafka to be back: librdkafka's ten seconds are long for that.
    default(&mut config, "reconnect.backoff.max.ms", RECONNECT);
    config.set("enable.idempotence", "true");
    config.set("acks", "all");
    // Our own timer tells when Kafka is slow; a record is never given up.
    config.set("message.timeout.ms", "0");
    config
}

/// Bytes of a batch at most.
pub(super) fn batch_bytes(config: &ClientConfig) -> usize {
    let set = config.get("batch.size").and_then(|text| text.parse().ok());
    set.unwrap_or(BATCH_BYTES)
}

/// How long Kafka itself may take to answer a produce request.
pub(super) fn request_timeout(config: &ClientConfig) -> Duration {
    let set = config.get("request.timeout.ms");
    set.and_then(|text| text.parse().ok()).map_or(REQUEST_TIMEOUT, Duration::from_millis)
}

/// Records and bytes a producer of these properties holds at most.
pub(super) fn queue(config: &ClientConfig) -> (usize, usize) {
    let set = |name| config.get(name).and_then(|text: &str| text.parse::<usize>().ok());
    let messages = match set("queue.buffering.max.messages") {
        // librdkafka's word for no limit.
        Some(0) | None => QUEUE_MESSAGES,
        Some(messages) => messages,
    };
    let kbytes = set("queue.buffering.max.kbytes").unwrap_or(QUEUE_KBYTES);
    (messages, kbytes.saturating_mul(1_024))
}

/// How often offsets that were stored are committed, in milliseconds.
const COMMIT_EVERY: &str = "1000";

/// The properties of a consumer of the group `group_id`.
pub(super) fn consumer(
    name: &str,
    properties: &ClientProperties,
    group_id: &str,
    offset_reset: &str,
) -> ClientConfig {
    let mut config = client(name, properties, CONSUMER_REFRESH);
    // Records fetched ahead of what is under way; the default would be 64 MiB a consumer.
    default(&mut config, "queued.max.messages.kbytes", "16384");
    // So soon fetching goes on once there is room again: after librdkafka's second that much a
    // second would be all.
    default(&mut config, "fetch.queue.backoff.ms", FETCH_AGAIN);
    config.set("group.id", group_id);
    config.set("auto.offset.reset", offset_reset);
    // What is stored is what has been taken, never what was read. Of an asynchronous commit of our
    // own librdkafka brings no word back, of those by its clock it does.
    config.set("enable.auto.offset.store", "false");
    config.set("enable.auto.commit", "true");
    config.set("auto.commit.interval.ms", COMMIT_EVERY);
    config
}

/// What can be told of properties without making a client: names, values, files.
///
/// # Errors
/// What is wrong, without a secret in it.
pub fn check(name: &str, properties: &ClientProperties) -> Result<(), String> {
    let config = client(name, properties, PRODUCER_REFRESH);
    config.create_native_config().map_err(|error| explain(&error, properties))?;
    for (name, value) in properties.expose() {
        check_property_file(name, value, properties.secret.contains_key(name))
            .map_err(|fault| format!("property {name}: {fault}"))?;
    }
    Ok(())
}

/// What librdkafka finds wrong with a configuration, without a secret in it.
pub(super) fn explain(error: &KafkaError, properties: &ClientProperties) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) if properties.secret.contains_key(name) => {
            format!("property {name}: its value was refused")
        }
        KafkaError::ClientConfig(_, why, name, _) => format!("property {name}: {why}"),
        KafkaError::ClientCreation(why) => why.clone(),
        error => error.to_string(),
    }
}

fn client(name: &str, properties: &ClientProperties, refresh: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    for (property, value) in properties.expose() {
        config.set(property, value);
    }
    default(&mut config, "client.id", &format!("midge-{name}"));
    default(&mut config, "topic.metadata.refresh.interval.ms", refresh);
    let protocol = config.get("security.protocol").unwrap_or_default().to_ascii_lowercase();
    let has_ca = ["ssl.ca.location", "ssl.ca.pem", "ssl.ca.certificate.stores"]
        .iter()
        .any(|property| config.get(property).is_some());
    if protocol.ends_with("ssl")
        && !has_ca
        && let Some(bundle) = ca_bundle()
    {
        config.set("ssl.ca.location", bundle.to_string_lossy());
    }
    config
}

fn default(config: &mut ClientConfig, property: &str, value: &str) {
    if config.get(property).is_none() {
        config.set(property, value);
    }
}

/// The system's certificate authorities.
#[must_use]
pub fn ca_bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = CA_BUNDLES.iter().map(PathBuf::from);
    named.into_iter().chain(known).find(|path| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use midge_config::Secret;

    use super::*;

    fn properties(all: &[(&str, &str)]) -> ClientProperties {
        let plain = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        ClientProperties { plain, ..ClientProperties::default() }
    }

    #[test]
    fn the_operator_sets_what_the_promise_does_not_depend_on() {
        let config = producer("a", &properties(&[("linger.ms", "50"), ("partitioner", "random")]));
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("partitioner"), Some("random"));
        assert_eq!(config.get("message.timeout.ms"), Some("0"));
        assert_eq!(config.get("enable.idempotence"), Some("true"));
        assert_eq!(config.get("client.id"), Some("midge-a"));
        assert!(config.create_native_config().is_ok());
    }

    #[test]
    fn a_consumer_commits_nothing_that_it_has_merely_read() {
        let config = consumer("a", &properties(&[]), "group", "latest");
        assert_eq!(config.get("enable.auto.offset.store"), Some("false"));
        assert_eq!(config.get("topic.metadata.refresh.interval.ms"), Some("2000"));
        let rare = [("topic.metadata.refresh.interval.ms", "60000")];
        let rare = consumer("a", &properties(&rare), "group", "latest");
        assert_eq!(rare.get("topic.metadata.refresh.interval.ms"), Some("60000"));
        assert!(config.create_native_config().is_ok());
    }

    #[test]
    fn tls_without_an_authority_uses_the_systems() {
        let tls = [("security.protocol", "SASL_SSL")];
        let bundle = ca_bundle().map(|path| path.to_string_lossy().into_owned());
        assert_eq!(client("a", &properties(&tls), "1").get("ssl.ca.location"), bundle.as_deref());
        let own = [("security.protocol", "ssl"), ("ssl.ca.location", "/own.pem")];
        assert_eq!(client("a", &properties(&own), "1").get("ssl.ca.location"), Some("/own.pem"));
        assert_eq!(client("a", &properties(&[]), "1").get("ssl.ca.location"), None);
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let mut all = properties(&[]);
        all.secret.insert("ssl.key.pem.x".to_owned(), Secret::new("hunter2"));
        let error = producer("a", &all).create_native_config().err().expect("no such property");
        assert_eq!(explain(&error, &all), "property ssl.key.pem.x: its value was refused");
    }
}
