//! Properties of librdkafka: which are secret, and which the bridge sets itself.
//!
//! A property that would break the promise that an acknowledgement means safe never gets into a
//! resolved configuration.

use std::collections::BTreeMap;

use crate::resolved::ClientProperties;
use crate::secret::Secret;

/// Properties whose values are never shown.
const SECRET: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

/// Splits properties into those that may be shown and those that may not.
///
/// Each refused one becomes a name with its reason.
pub fn sort(properties: BTreeMap<String, String>) -> (ClientProperties, Vec<(String, String)>) {
    let mut sorted = ClientProperties::default();
    let mut refused = Vec::new();
    for (name, value) in properties {
        if let Some(reason) = refusal(&name, &value) {
            refused.push((name, reason));
        } else if is_secret(&name) {
            sorted.secret.insert(name, Secret::new(value));
        } else {
            sorted.plain.insert(canonical(name), value);
        }
    }
    (sorted, refused)
}

/// Whether a property's value is never shown.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// librdkafka knows some properties by two names; one of them is kept.
fn canonical(name: String) -> String {
    match name.as_str() {
        "sasl.mechanisms" => "sasl.mechanism".to_owned(),
        "metadata.broker.list" => "bootstrap.servers".to_owned(),
        "request.required.acks" => "acks".to_owned(),
        _ => name,
    }
}

/// Why a property is refused; `None` when it is not.
fn refusal(name: &str, value: &str) -> Option<String> {
    let reason = match name {
        "acks" | "request.required.acks" if !matches!(value, "all" | "-1") => {
            "an acknowledged message must be on all in-sync replicas; accepted: all"
        }
        "enable.idempotence" if value != "true" => {
            "without it a retry may duplicate or reorder records; accepted: true"
        }
        "max.in.flight" | "max.in.flight.requests.per.connection"
            if !matches!(value.parse::<u32>(), Ok(1..=5)) =>
        {
            "the order of records needs 1 to 5"
        }
        "message.timeout.ms" | "delivery.timeout.ms" | "message.send.max.retries" | "retries" => {
            "a record is never given up by a timer: the bridge keeps it until Kafka has it"
        }
        "enable.auto.commit" | "auto.commit.enable" if value != "false" => {
            "an offset is committed only once its message was routed; accepted: false"
        }
        "enable.auto.offset.store" if value != "false" => {
            "an offset is stored only once its message was routed; accepted: false"
        }
        "transactional.id" => "the bridge does not write in transactions",
        "group.id" => "set group_id of the connector instead",
        "auto.offset.reset" => "set offset_reset of the connector instead",
        "sasl.oauthbearer.method"
        | "sasl.oauthbearer.client.id"
        | "sasl.oauthbearer.client.secret"
        | "sasl.oauthbearer.token.endpoint.url"
        | "sasl.oauthbearer.scope"
        | "sasl.oauthbearer.config"
        | "enable.sasl.oauthbearer.unsecure.jwt" => {
            "tokens are fetched as the table [kafka.oauth] says"
        }
        "" => "a property needs a name",
        _ if value.contains('\0') || name.contains('\0') => "a zero byte cannot be passed on",
        _ => return None,
    };
    Some(reason.to_owned())
}
