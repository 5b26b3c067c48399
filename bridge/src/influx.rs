//! InfluxDB's HTTP interface, as far as points are written: that of 1.x, and that of 2.x by a token.
//!
//! Invariant: a write is taken as a whole ([`Database::write`] is `Ok`), or its error says in the
//! database's own words why not and whether that is about the points. No secret is in an error.

mod writer;

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;

pub(crate) use writer::Writer;

use crate::connect::class::INFLUX_CA as CA;
use crate::connect::plan::InfluxDatabase;
use crate::https;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a write may take as a whole.
const WRITE: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const ANSWER_MAX: u64 = 64 * 1024;
/// How much of a database's words are kept.
const WORDS_MAX: usize = 1_000;

/// A database, and who writes to it.
pub(crate) struct Database {
    agent: Agent,
    /// As it is shown.
    shown: String,
    /// Where points go.
    url: String,
    authorization: Option<String>,
    /// The most points of a write.
    points_max: usize,
}

/// Why points were not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("InfluxDB {database}: {why}")]
pub(crate) struct WriteError {
    database: String,
    why: String,
    /// Whether some of the points are at fault, so that others might be taken without them.
    pub(crate) is_about_points: bool,
}

impl Database {
    /// Connects to nothing yet; certificates are read.
    ///
    /// # Errors
    /// When a file cannot be read or holds no certificate.
    pub(crate) fn new(plan: &InfluxDatabase, points_max: usize) -> Result<Database, String> {
        let mut config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WRITE))
            .http_status_as_error(false)
            .max_redirects(0);
        if plan.url.starts_with("https:") {
            config = config.tls_config(https::config(plan.ca.as_deref().map(Path::new), None, CA)?);
        }
        let base = plan.url.trim_end_matches('/');
        let mut url = match &plan.token {
            None => format!("{base}/write?db={}", escaped(&plan.database)),
            Some((_, organization)) => format!(
                "{base}/api/v2/write?bucket={}&org={}",
                escaped(&plan.database),
                escaped(organization)
            ),
        };
        let authorization = match (&plan.token, &plan.user) {
            (Some((token, _)), _) => Some(format!("Token {}", token.expose())),
            (None, Some((user, password))) => {
                let pair = format!("{user}:{}", password.expose());
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            (None, None) => None,
        };
        if plan.token.is_none() {
            // Its default policy is the one that a database was made with.
            if !plan.retention_policy.is_empty() {
                url.push_str(&format!("&rp={}", escaped(&plan.retention_policy)));
            }
            url.push_str(&format!("&consistency={}", escaped(&plan.consistency)));
        }
        url.push_str("&precision=ns");
        let agent = config.build().new_agent();
        Ok(Database { agent, shown: base.to_owned(), url, authorization, points_max })
    }

    /// Has the database take lines, and waits until it has.
    fn write(&self, lines: &str) -> Result<(), WriteError> {
        let mut request = self.agent.post(&self.url);
        request = request.header("Content-Type", "text/plain; charset=utf-8");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let error = |why: String, is_about_points| {
            Err(WriteError { database: self.shown.clone(), why, is_about_points })
        };
        let mut answer = match request.send(lines) {
            Ok(answer) => answer,
            Err(failure) => return error(failure.to_string(), false),
        };
        let status = answer.status().as_u16();
        // Read in any case: the connection is used again.
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let header = answer.headers().get("X-Influxdb-Error").and_then(|text| text.to_str().ok());
        let words = words(&body.unwrap_or_default()).or_else(|| header.map(str::to_owned));
        let words = words.unwrap_or_else(|| "no reason given".to_owned());
        let words: String = words.chars().take(WORDS_MAX).collect();
        // 413: too much at once, which may be one line.
        error(format!("answered {status}: {words}"), matches!(status, 400 | 413 | 422))
    }
}

/// What an answer says: `error` of 1.x, `message` of 2.x.
fn words(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let words = answer["message"].as_str().or_else(|| answer["error"].as_str())?;
    Some(words.trim().to_owned())
}

/// A text as part of a query (RFC 3986, 2.1).
fn escaped(text: &str) -> String {
    let mut query = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                query.push(char::from(byte));
            }
            byte => query.push_str(&format!("%{byte:02X}")),
        }
    }
    query
}

#[cfg(test)]
mod tests;
