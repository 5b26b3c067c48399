//! What librdkafka calls back with, for producers and consumers alike: logs, errors, tokens.
//!
//! Errors are collected here and judged by the thread that owns the client.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use midge_config::Oauth;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, warn};

use super::oauth::TokenEndpoint;

/// Errors kept until they are judged; a client repeats itself faster than anyone reads.
const ERRORS_MAX: usize = 64;

pub(super) struct Callbacks {
    name: String,
    endpoint: Option<TokenEndpoint>,
    errors: Mutex<Vec<(RDKafkaErrorCode, String)>>,
}

impl Callbacks {
    pub(super) fn new(name: &str, oauth: Option<&Oauth>) -> Result<Callbacks, String> {
        let endpoint = oauth.map(TokenEndpoint::new).transpose()?;
        Ok(Callbacks { name: name.to_owned(), endpoint, errors: Mutex::default() })
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
            _ => debug!(target: "librdkafka", connector = %self.name, facility, "{message}"),
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
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
