//! How to reach Kafka, in librdkafka's own property names.
//!
//! Properties are complete (the named options are merged in) and none of them breaks the promise
//! that an acknowledgement means safe. Secret ones are kept apart and cannot be printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::secret::Secret;

/// How to reach Kafka.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Kafka {
    /// Properties of every client. `bootstrap.servers` is always among them when there is a
    /// connector.
    pub client: ClientProperties,
    /// Where OAUTHBEARER tokens come from; present when `sasl.mechanism` is OAUTHBEARER.
    pub oauth: Option<Oauth>,
}

/// Properties of a Kafka client by their librdkafka names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties {
    /// Those that may be shown.
    pub plain: BTreeMap<String, String>,
    /// Those that may not: passwords and keys.
    pub secret: BTreeMap<String, Secret>,
}

impl ClientProperties {
    /// All properties, the secret ones exposed: for the client's constructor only.
    pub fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        let plain = self.plain.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let secret = self.secret.iter().map(|(name, value)| (name.as_str(), value.expose()));
        plain.chain(secret)
    }

    /// Whether there is no property.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.secret.is_empty()
    }

    /// These properties with `overrides` laid over them.
    #[must_use]
    pub fn overridden(&self, overrides: &Self) -> Self {
        let mut merged = self.clone();
        for (name, value) in &overrides.plain {
            merged.secret.remove(name);
            merged.plain.insert(name.clone(), value.clone());
        }
        for (name, value) in &overrides.secret {
            merged.plain.remove(name);
            merged.secret.insert(name.clone(), value.clone());
        }
        merged
    }
}

/// OAuth 2 client credentials for SASL OAUTHBEARER.
#[derive(Clone, PartialEq, Eq)]
pub struct Oauth {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The token endpoint, an `https://` or `http://` address.
    pub token_endpoint: String,
    /// The scope asked for.
    pub scope: Option<String>,
    /// PEM file with the authorities of the endpoint; without one the system's.
    pub ca: Option<PathBuf>,
}
