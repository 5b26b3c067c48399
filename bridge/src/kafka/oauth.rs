//! Tokens for SASL OAUTHBEARER by OAuth 2 client credentials (RFC 6749, 4.4).
//!
//! librdkafka asks again before a token expires, and ten seconds after a failure; answers are
//! bounded in time and size, and neither the secret nor a token is ever part of an error.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_config::Oauth;
use rdkafka::client::OAuthToken;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::properties::ca_bundle;

/// How long a token endpoint may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How large its answer may be.
const ANSWER_MAX: u64 = 256 * 1024;
/// The lifetime of a token whose endpoint does not tell (RFC 6749, 5.1 leaves it open).
const LIFETIME: Duration = Duration::from_secs(300);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("token endpoint {endpoint}: {error}")]
    Unreachable { endpoint: String, error: Box<ureq::Error> },
    #[error("token endpoint {endpoint}: answered {status}{error}, expected 200")]
    Refused { endpoint: String, status: u16, error: String },
    #[error("token endpoint {endpoint}: its answer is no JSON object with an access_token")]
    Answer { endpoint: String },
}

pub(super) struct TokenEndpoint {
    oauth: Oauth,
    agent: Agent,
}

impl TokenEndpoint {
    pub(super) fn new(oauth: &Oauth) -> Result<TokenEndpoint, String> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0);
        if oauth.token_endpoint.starts_with("https:") {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(provider)
                .root_certs(authorities(oauth)?)
                .build();
            config = config.tls_config(tls);
        }
        Ok(TokenEndpoint { oauth: oauth.clone(), agent: config.build().new_agent() })
    }

    pub(super) fn fetch(&self) -> Result<OAuthToken, TokenError> {
        let endpoint = || self.oauth.token_endpoint.clone();
        let unreachable = |error| TokenError::Unreachable { endpoint: endpoint(), error };
        let credentials = format!("{}:{}", self.oauth.client_id, self.oauth.client_secret.expose());
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.oauth.scope.as_deref().map(|scope| ("scope", scope)));
        let mut answer = self
            .agent
            .post(&self.oauth.token_endpoint)
            .header("Authorization", format!("Basic {}", STANDARD.encode(credentials)))
            .header("Accept", "application/json")
            .send_form(form)
            .map_err(|error| unreachable(Box::new(error)))?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_vec()
            .map_err(|error| unreachable(Box::new(error)))?;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            // RFC 6749, 5.2: the reason is one word, like invalid_client.
            let error = body["error"].as_str().filter(|error| error.len() < 100);
            let error = error.map(|error| format!(" {error}")).unwrap_or_default();
            return Err(TokenError::Refused { endpoint: endpoint(), status, error });
        }
        let token = body["access_token"].as_str().filter(|token| !token.contains('\0'));
        let token = token.ok_or_else(|| TokenError::Answer { endpoint: endpoint() })?;
        // Some servers send the number as a string.
        let seconds = &body["expires_in"];
        let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok());
        let lifetime = seconds.map_or(LIFETIME, Duration::from_secs);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(OAuthToken {
            token: token.to_owned(),
            principal_name: self.oauth.client_id.clone(),
            lifetime_ms: i64::try_from((now.saturating_add(lifetime)).as_millis())
                .unwrap_or(i64::MAX),
        })
    }
}

/// The authorities that vouch for the endpoint.
fn authorities(oauth: &Oauth) -> Result<RootCerts, String> {
    let path = match &oauth.ca {
        Some(path) => path.clone(),
        None => {
            ca_bundle().ok_or("the system has no certificate authorities, expected oauth.ca")?
        }
    };
    let shown = path.display();
    let pem = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| format!("{shown}: {error}"))?
        {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(format!("{shown}: found no certificate, expected at least one"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests;
