//! What librdkafka calls back with, for producers and consumers alike: logs, errors, tokens.
//!
//! Errors are collected here and judged by the thread that owns the client.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use midge_config::Oauth;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, warn};

use super::oauth::TokenEndpoint;

/// How often complaints are logged at most.
const COMPLAINTS_EVERY: Duration = Duration::from_secs(10);

/// Errors kept until they are judged; a client repeats itself faster than anyone reads.
const ERRORS_MAX: usize = 64;

pub(super) struct Callbacks {
    name: String,
    endpoint: Option<TokenEndpoint>,
    errors: Mutex<Vec<(RDKafkaErrorCode, String)>>,
    /// Attempts to connect, and errors, as they are logged.
    complaints: Mutex<Complaints>,
}

/// Librdkafka's complaints, tens a second while Kafka is away: one in a while is enough, since the
/// state they lead to is told once by the owner of the client.
#[derive(Debug, Default)]
struct Complaints {
    said: Option<Instant>,
    more: u64,
}

impl Complaints {
    /// Whether this one is logged; then how many were not since the last one.
    fn say(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < COMPLAINTS_EVERY) {
            self.more += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.more))
    }
}

impl Callbacks {
    pub(super) fn new(name: &str, oauth: Option<&Oauth>) -> Result<Callbacks, String> {
        let endpoint = oauth.map(TokenEndpoint::new).transpose()?;
        Ok(Callbacks {
            name: name.to_owned(),
            endpoint,
            errors: Mutex::default(),
            complaints: Mutex::default(),
        })
    }

    /// The names of the connectors served.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What librdkafka logs as errors are attempts to connect, each one; the state they lead to
        // is told once by the owner of the client.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(target: "librdkafka", connector = %self.name, facility, "{message}");
            }
            RDKafkaLogLevel::Warning if facility == "CONFWARN" => {
                debug!(target: "librdkafka", connector = %self.name, facility, "{message}");
            }
            RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", connector = %self.name, facility, "{message}");
            }
            RDKafkaLogLevel::Error => self.complain(facility, message),
            _ => debug!(target: "librdkafka", connector = %self.name, facility, "{message}"),
        }
    }

    fn complain(&self, facility: &str, message: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unlogged) = complaints.say(Instant::now()) {
            debug!(connector = %self.name, facility, error = message, unlogged, "librdkafka");
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        self.complain("ERROR", reason);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < ERRORS_MAX && errors.last().is_none_or(|(_, last)| last != reason) {
            errors.push((code, reason.to_owned()));
        }
    }

    pub(super) fn take_errors(&self) -> Vec<(RDKafkaErrorCode, String)> {
        std::mem::take(&mut *self.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let Some(endpoint) = &self.endpoint else {
            return Err("no token endpoint is configured, expected [kafka.oauth]".into());
        };
        let token = endpoint.fetch().inspect_err(|error| {
            self.error(&KafkaError::Global(RDKafkaErrorCode::Authentication), &error.to_string());
        })?;
        debug!(connector = %self.name, lifetime_ms = token.lifetime_ms, "a token was fetched");
        Ok(token)
    }
}

/// The context of a client that is told nothing else.
pub(super) struct ClientOnly(pub(super) Callbacks);

impl ClientContext for ClientOnly {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.token()
    }
}

impl ConsumerContext for ClientOnly {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_logged_once_in_a_while_with_the_number_of_the_others() {
        let start = Instant::now();
        let mut complaints = Complaints::default();
        assert_eq!(complaints.say(start), Some(0));
        assert_eq!(complaints.say(start), None);
        assert_eq!(complaints.say(start + COMPLAINTS_EVERY / 2), None);
        assert_eq!(complaints.say(start + COMPLAINTS_EVERY), Some(2));
        assert_eq!(complaints.say(start + COMPLAINTS_EVERY * 2), Some(0));
    }
}
