//! Kafka's properties and the connectors: named options, tables and defaults made one.
//!
//! A protected connection never falls back to an unprotected one because a word was left out.

use std::collections::BTreeMap;

use midge_codec::{QoS, Text, TopicFilter};
use midge_rules::{
    InvalidSinkRule, InvalidSourceRule, SinkRule, SourceRule, Tombstone, check_kafka_topic,
};

use crate::draft::{ConnectorDraft, Draft};
use crate::error::Origin;
use crate::kafka_properties;
use crate::resolved::{
    Ack, ClientProperties, Connector, ConnectorKind, Kafka, MqttUser, Oauth, SinkConnector,
    SourceConnector,
};
use crate::settings::quoted;

/// How Kafka is reached.
pub(super) fn kafka(draft: &mut Draft) -> Kafka {
    let named = std::mem::take(&mut draft.kafka.plain);
    let secret = std::mem::take(&mut draft.kafka.secret);
    let named = ClientProperties {
        plain: named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        secret: secret.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let origin = draft.said("kafka.properties");
    let table = std::mem::take(&mut draft.kafka.properties);
    let mut client = named.overridden(&sorted(draft, &origin, "kafka.properties", table));
    client.plain.entry("client.id".to_owned()).or_insert_with(|| "midge".to_owned());
    if client.plain.get("bootstrap.servers").is_none_or(String::is_empty) {
        client.plain.insert("bootstrap.servers".to_owned(), "localhost:9092".to_owned());
        let connect = draft.connect.rest_listen.is_some() || !draft.connector_files.is_empty();
        if connect || !draft.connectors.is_empty() {
            let message =
                "kafka.bootstrap_servers is not set: localhost:9092, as Kafka Connect has it";
            draft.notice(&Origin::Whole, message);
        }
    }
    protection(draft, &mut client);
    let oauth = oauth(draft, &client);
    Kafka { client, oauth }
}

/// `security.protocol` when nobody wrote it, and what log-in needs.
fn protection(draft: &mut Draft, client: &mut ClientProperties) {
    let sasl = client.plain.get("sasl.mechanism").cloned();
    let tls = client.plain.keys().chain(client.secret.keys()).any(|name| name.starts_with("ssl."));
    let protocol = client.plain.entry("security.protocol".to_owned()).or_insert_with(|| {
        let protocol = match (&sasl, tls) {
            (Some(_), _) => "SASL_SSL",
            (None, true) => "SSL",
            (None, false) => "PLAINTEXT",
        };
        protocol.to_owned()
    });
    let protocol = protocol.to_ascii_uppercase();
    let origin = draft.said("kafka.security_protocol");
    if tls && !protocol.ends_with("SSL") {
        let message = format!("found {protocol} beside options of TLS, expected SSL or SASL_SSL");
        draft.error(&origin, "kafka.security_protocol", message);
    }
    match &sasl {
        Some(_) if !protocol.starts_with("SASL_") => {
            let message = format!(
                "found {protocol} beside sasl_mechanism, expected SASL_SSL or SASL_PLAINTEXT"
            );
            draft.error(&origin, "kafka.security_protocol", message);
        }
        None if protocol.starts_with("SASL_") => {
            let message = "is missing, expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, \
                           OAUTHBEARER";
            draft.error(&origin, "kafka.sasl_mechanism", message);
        }
        _ => {}
    }
    if sasl.as_deref().is_some_and(|name| name == "PLAIN" || name.starts_with("SCRAM-")) {
        let origin = draft.said("kafka.sasl_mechanism");
        if !client.plain.contains_key("sasl.username") {
            draft.error(&origin, "kafka.sasl_username", "is missing");
        }
        if !client.secret.contains_key("sasl.password") {
            draft.error(&origin, "kafka.sasl_password", "is missing");
        }
    }
    let certificate = client.plain.contains_key("ssl.certificate.location");
    if certificate != client.plain.contains_key("ssl.key.location") {
        let (found, missing) = if certificate {
            ("ssl_certificate", "ssl_key")
        } else {
            ("ssl_key", "ssl_certificate")
        };
        let origin = draft.said(&format!("kafka.{found}"));
        let message = format!("found without {missing}, expected both");
        draft.error(&origin, &format!("kafka.{found}"), message);
    }
}

fn oauth(draft: &mut Draft, client: &ClientProperties) -> Option<Oauth> {
    if client.plain.get("sasl.mechanism").is_none_or(|name| name != "OAUTHBEARER") {
        if draft.oauth.client_id.is_some() || draft.oauth.token_endpoint.is_some() {
            let origin = draft.said("kafka.oauth.client_id");
            draft.error(&origin, "kafka.oauth", "found without sasl_mechanism = \"OAUTHBEARER\"");
        }
        return None;
    }
    let origin = draft.said("kafka.sasl_mechanism");
    let said = std::mem::take(&mut draft.oauth);
    for (missing, key) in [
        (said.client_id.is_none(), "client_id"),
        (said.client_secret.is_none(), "client_secret"),
        (said.token_endpoint.is_none(), "token_endpoint"),
    ] {
        if missing {
            draft.error(&origin, &format!("kafka.oauth.{key}"), "is missing");
        }
    }
    let endpoint = said.token_endpoint.as_deref().unwrap_or_default();
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    if said.token_endpoint.is_some() && host.is_none_or(str::is_empty) {
        let origin = draft.said("kafka.oauth.token_endpoint");
        // An address may carry a token in its query: it is not shown.
        let message = "expected an address that begins with https:// or http://";
        draft.error(&origin, "kafka.oauth.token_endpoint", message);
    }
    Some(Oauth {
        client_id: said.client_id?,
        client_secret: said.client_secret?,
        token_endpoint: said.token_endpoint?,
        scope: said.scope,
        ca: said.ca,
    })
}

/// Sorts properties and reports those that are refused.
fn sorted(
    draft: &mut Draft,
    origin: &Origin,
    path: &str,
    table: BTreeMap<String, String>,
) -> ClientProperties {
    let (sorted, refused) = kafka_properties::sort(table);
    for (name, reason) in refused {
        draft.error(origin, &format!("{path}.\"{name}\""), format!("is refused: {reason}"));
    }
    sorted
}

/// The connectors, names unique.
pub(super) fn connectors(draft: &mut Draft, persistent: bool) -> Vec<Connector> {
    let mut names: BTreeMap<String, Origin> = BTreeMap::new();
    let mut resolved = Vec::new();
    for said in std::mem::take(&mut draft.connectors) {
        if let Some(first) = names.insert(said.name.clone(), said.origin.clone()) {
            let message = format!("found a second time, the first stands at {first}");
            draft.error(&said.origin, &format!("connector {}", said.name), message);
        }
        resolved.extend(connector(draft, said, persistent));
    }
    resolved
}

fn connector(draft: &mut Draft, mut said: ConnectorDraft, persistent: bool) -> Option<Connector> {
    let origin = said.said("properties");
    let table = std::mem::take(&mut said.properties);
    let overrides = sorted(draft, &origin, &said.path("properties"), table);
    if said.mqtt_user.is_none() && said.mqtt_password.is_some() {
        wrong(draft, &said, "mqtt_password", "found without a user, expected both");
    }
    let password = said.mqtt_password.take();
    let user = said.mqtt_user.take().map(|name| MqttUser { name, password });
    let name = match Text::try_from(said.name.as_str()) {
        Ok(name) => name,
        Err(error) => {
            wrong(draft, &said, "name", &error.to_string());
            return None;
        }
    };
    let kind = if said.sink? {
        ConnectorKind::Sink(sink(draft, &said, name)?)
    } else {
        ConnectorKind::Source(source(draft, &said, name, persistent)?)
    };
    Some(Connector { name: said.name, origin: said.origin, user, overrides, kind })
}

fn source(
    draft: &mut Draft,
    said: &ConnectorDraft,
    name: Text,
    persistent: bool,
) -> Option<SourceConnector> {
    let ack = acknowledgement(draft, said, persistent);
    if said.mqtt_filters.is_empty() {
        wrong(draft, said, "mqtt_filters", "is missing, expected one topic filter or more");
    }
    for filter in &said.mqtt_filters {
        match TopicFilter::try_from(filter.as_str()) {
            Ok(parsed) if parsed.share_name().is_some() => {
                let message = format!(
                    "found {}, expected {}: a rule sees every message once, there is nobody to \
                     share it with",
                    quoted(filter),
                    quoted(parsed.filter())
                );
                wrong(draft, said, "mqtt_filters", &message);
            }
            Ok(_) => {}
            Err(error) => {
                let message = format!("found {}: {error}", quoted(filter));
                wrong(draft, said, "mqtt_filters", &message);
            }
        }
    }
    let Some(kafka_topic) = said.kafka_topic.clone() else {
        wrong(draft, said, "kafka_topic", "is missing, expected a Kafka topic or a template");
        return None;
    };
    let key = said.key.clone().unwrap_or_else(|| "${topic}".to_owned());
    match SourceRule::new(name, &kafka_topic, &key, said.headers) {
        Ok(_) => {}
        Err(InvalidSourceRule::KafkaTopic(error)) => {
            wrong(draft, said, "kafka_topic", &error.to_string());
        }
        Err(InvalidSourceRule::Name(error)) => {
            wrong(draft, said, "kafka_topic", &error.to_string());
        }
        Err(InvalidSourceRule::Key(error)) => wrong(draft, said, "key", &error.to_string()),
    }
    Some(SourceConnector {
        mqtt_filters: said.mqtt_filters.clone(),
        kafka_topic,
        key,
        headers: said.headers,
        ack,
        buffer_bytes: said.buffer_bytes,
        buffer_messages: said.buffer_messages,
        spool: said.spool.clone(),
        producer_byte_rate: said.producer_byte_rate,
    })
}

/// What acknowledgements wait for: the spool where there is one.
fn acknowledgement(draft: &mut Draft, said: &ConnectorDraft, persistent: bool) -> Ack {
    let ack = match said.ack {
        Some(Ack::Spool) if !persistent => {
            let message = "found spool without persistence, expected kafka or none, or persistence \
                           enabled: the spool is on disk";
            wrong(draft, said, "ack", message);
            // What belongs to the spool stands beside the same mistake.
            return Ack::Spool;
        }
        Some(ack) => ack,
        None if persistent => Ack::Spool,
        None => Ack::Kafka,
    };
    if ack != Ack::Spool {
        // With persistence the other rules have a spool as well, for what memory cannot hold.
        let (reason, keys): (_, &[&str]) = match persistent {
            true => {
                ("only acknowledgements from the spool make it begin by time", &["spool_after"])
            }
            false => (
                "persistence is off, and the spool is on disk",
                &["spool_max_bytes", "spool_max_age", "spool_full", "spool_after"],
            ),
        };
        for key in keys {
            if let Some(origin) = said.said.get(*key) {
                draft.notice(origin, format!("ignored: {}: {reason}", said.path(key)));
            }
        }
    }
    ack
}

fn sink(draft: &mut Draft, said: &ConnectorDraft, name: Text) -> Option<SinkConnector> {
    if said.kafka_topics.is_empty() {
        wrong(draft, said, "kafka_topics", "is missing, expected one Kafka topic or more");
    }
    for topic in said.kafka_topics.iter().filter(|topic| !topic.starts_with('^')) {
        if let Err(error) = check_kafka_topic(topic) {
            wrong(draft, said, "kafka_topics", &error.to_string());
        }
    }
    let mqtt_topic = said.mqtt_topic.clone().unwrap_or_else(|| "${topic}".to_owned());
    // QoS and tombstones do not change whether the template is one.
    let rule = SinkRule::new(name, &mqtt_topic, QoS::AtMostOnce, false, Tombstone::Skip);
    match rule {
        Ok(_) => {}
        Err(InvalidSinkRule::Template(error)) => {
            wrong(draft, said, "mqtt_topic", &error.to_string());
        }
        Err(InvalidSinkRule::Topic(error)) => {
            wrong(draft, said, "mqtt_topic", &error.to_string());
        }
    }
    Some(SinkConnector {
        kafka_topics: said.kafka_topics.clone(),
        group_id: said.group_id.clone().unwrap_or_else(|| format!("midge-{}", said.name)),
        mqtt_topic,
        qos: said.qos,
        retain: said.retain,
        tombstones: said.tombstones,
        offset_reset: said.offset_reset,
        max_inflight_messages: said.max_inflight_messages,
    })
}

/// Reports a mistake in a setting of a connector where it stands.
fn wrong(draft: &mut Draft, said: &ConnectorDraft, key: &str, message: &str) {
    draft.error(&said.said(key), &said.path(key), message);
}
