//! The client of Connect's REST interface.
//!
//! Invariant: a password or a token is in no message and goes to no other host: redirections are not
//! followed, and no proxy is asked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use midge_bridge::ca_bundle;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// Connect itself gives up an answer after 90 seconds.
const PATIENCE: Duration = Duration::from_secs(100);
/// How long a server may take to be reached.
const CONNECTING: Duration = Duration::from_secs(10);
/// An answer that is larger is none.
const ANSWER_MAX: u64 = 64 << 20;

/// Where Connect's REST interface is, and who asks it.
#[derive(PartialEq)]
pub(super) struct Endpoint {
    /// Without a slash at its end, and without a user.
    url: String,
    pub(super) credentials: Credentials,
    /// The file with the authorities that vouch for the server; `None`: the system's.
    pub(super) authorities: Option<PathBuf>,
}

/// Who asks.
#[derive(PartialEq)]
pub(super) enum Credentials {
    None,
    Basic { user: String, password: String },
    Token(String),
}

/// Secrets are not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::None => "None",
            Credentials::Basic { .. } => "Basic",
            Credentials::Token(_) => "Token",
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.url, self.credentials)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Endpoint {
    /// Reads `http://[USER:PASSWORD@]HOST[:PORT][/PATH]`, or the same with `https`.
    pub(super) fn parse(url: &str) -> Result<Endpoint, String> {
        let url = url.trim().trim_end_matches('/');
        let parts = url.split_once("://").filter(|(scheme, _)| {
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        });
        // What may be a password is not repeated.
        let wrong = || {
            let found = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
            format!("REST URL: found {found:?}, expected http://HOST:PORT or https://HOST:PORT")
        };
        let (scheme, rest) = parts.ok_or_else(wrong)?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:[]%".contains(c);
        if host.is_empty() || !host.chars().all(legal) || path.contains(['?', '#', ' ']) {
            return Err(wrong());
        }
        let credentials = match user {
            None => Credentials::None,
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                Credentials::Basic { user: decoded(name), password: decoded(password) }
            }
        };
        let url = format!("{}://{host}{path}", scheme.to_ascii_lowercase());
        Ok(Endpoint { url, credentials, authorities: None })
    }
}

/// Why there is no answer, or not the one that was wanted.
#[derive(Debug)]
pub(super) enum Failure {
    /// The interface says no: its status, and its own words if it has any.
    Refused { status: u16, message: Option<String> },
    /// There is no answer.
    Away(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { status, message: Some(message) } => {
                write!(f, "the Kafka Connect API returned: {message} ({status})")?;
            }
            Failure::Refused { status, message: None } => {
                write!(f, "the Kafka Connect API returned status code {status}")?;
            }
            Failure::Away(why) => f.write_str(why)?,
        }
        match self {
            Failure::Refused { status: 401 | 403, .. } => {
                f.write_str("; --user NAME:PASSWORD or --token TOKEN says who asks")
            }
            _ => Ok(()),
        }
    }
}

/// The client.
pub(super) struct Client {
    url: String,
    authorization: Option<String>,
    agent: Agent,
}

impl Client {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Client, String> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(CONNECTING))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        if endpoint.url.starts_with("https:") {
            config = config.tls_config(tls(endpoint.authorities.as_deref())?);
        }
        let authorization = match &endpoint.credentials {
            Credentials::None => None,
            Credentials::Basic { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Credentials::Token(token) => Some(format!("Bearer {token}")),
        };
        let agent = config.build().new_agent();
        Ok(Client { url: endpoint.url.clone(), authorization, agent })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call("GET", path, None)
    }

    /// Asks, and waits for the answer; `null` where there is none in the body.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.url);
        let away = |why: String| Failure::Away(format!("{}: {why}", self.url));
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = match body {
            Some(body) => request.body(body.to_string()).map(|request| self.agent.run(request)),
            // What changes something has a body in HTTP, if an empty one.
            None if matches!(method, "PUT" | "POST") => {
                request.body(String::new()).map(|request| self.agent.run(request))
            }
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let answer = answer.map_err(|error| away(error.to_string()))?;
        let mut answer = answer.map_err(|error| match error {
            ureq::Error::Io(error) => away(format!("does not answer: {error}")),
            error => away(error.to_string()),
        })?;
        let status = answer.status().as_u16();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_vec()
            .map_err(|error| away(error.to_string()))?;
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        match (status, body) {
            (200..300, Some(body)) => Ok(body),
            (200..300, None) if bytes.is_empty() => Ok(Value::Null),
            (200..300, None) => {
                Err(away("found an answer that is no JSON, expected Kafka Connect's".to_owned()))
            }
            (_, body) => {
                let message = body.as_ref().and_then(|body| body["message"].as_str());
                Err(Failure::Refused { status, message: message.map(str::to_owned) })
            }
        }
    }
}

/// Who vouches for a server.
fn tls(authorities: Option<&Path>) -> Result<TlsConfig, String> {
    let path = match authorities {
        Some(path) => path.to_owned(),
        None => {
            ca_bundle().ok_or("the system has no certificate authorities, expected --cafile")?
        }
    };
    let shown = path.display();
    let pem = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
    let mut trusted: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(found) = item.map_err(|error| format!("{shown}: {error}"))? {
            trusted.push(found);
        }
    }
    if trusted.is_empty() {
        return Err(format!("{shown}: found no certificate, expected at least one"));
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&trusted))
        .build())
}

/// A name as part of a path (RFC 3986, 2.1).
pub(super) fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// A part of a URL, whose `%` and two digits are a byte.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_keeps_its_path() {
        for (said, url) in [
            ("http://localhost:8083/", "http://localhost:8083"),
            ("HTTPS://a.b/connect/", "https://a.b/connect"),
            ("http://[::1]:8083", "http://[::1]:8083"),
        ] {
            let endpoint = Endpoint::parse(said).expect("an address");
            assert_eq!(endpoint.to_string(), url);
            assert_eq!(endpoint.credentials, Credentials::None);
        }
        for wrong in ["localhost:8083", "ftp://a", "http://", "http://a b", "http://a/?b"] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_never_shown() {
        let endpoint = Endpoint::parse("https://ana:hunter2%2F@host:1").expect("an address");
        let expected =
            Credentials::Basic { user: "ana".to_owned(), password: "hunter2/".to_owned() };
        assert_eq!(endpoint.credentials, expected);
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://host:1 https://host:1 Basic");
        let wrong = Endpoint::parse("ftp://ana:hunter2@host").expect_err("no http");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn what_is_escaped_comes_back() {
        assert_eq!(escaped("a/b ü"), "a%2Fb%20%C3%BC");
        assert_eq!(decoded(&escaped("a/b ü%")), "a/b ü%");
        assert_eq!(decoded("%4"), "%4");
        assert_eq!(decoded("%é1"), "%é1");
    }
}
