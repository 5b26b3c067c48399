//! A schema registry with Confluent's API, over HTTP.
//!
//! [`Registry`] asks and waits; [`RegistryThread`] does that on a thread of its own, for those who
//! must not wait. Converters remember answers, so a registry is asked once a schema.
//!
//! Invariant: an error says whose it is. [`RegistryError::Away`] is the registry's, or the way's to
//! it, and no record is at fault: keep the record and ask again. [`RegistryError::Refused`] is the
//! registry's answer about the schema: asking again changes nothing. No secret is in an error.

mod references;
mod thread;

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_rules::converter::{Answer, Credentials, Question, RegistryOptions, SchemaText};
use serde_json::{Value, json};
use ureq::Agent;

pub use thread::{QUEUE_MAX, QueueFull, RegistryThread};

use crate::https;
use references::{Reference, references};

/// How large an answer may be.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;
/// What the registry speaks.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No registry answers, or not as one does: ask again later.
    #[error("schema registry {url}: {reason}")]
    Away {
        /// The address that was tried last.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The registry says no: the record that needs the answer cannot be converted.
    #[error("schema registry refuses {question}: {reason}")]
    Refused {
        /// What was asked.
        question: String,
        /// The registry's own words, with its error code.
        reason: String,
    },
}

impl RegistryError {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// The client of a registry.
pub struct Registry {
    urls: Vec<String>,
    /// Which of them answered last.
    current: usize,
    authorization: Option<String>,
    agent: Agent,
}

impl Registry {
    /// A client; certificates are read now.
    ///
    /// # Errors
    /// When a file cannot be read or holds no certificate.
    pub fn new(options: &RegistryOptions) -> Result<Self, String> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .max_redirects(0);
        if options.urls.iter().any(|url| url.starts_with("https:")) {
            let (trusted, own) = (options.cafile.as_deref(), options.certificate.as_deref());
            let option = "schema.registry.ssl.truststore.location";
            config = config.tls_config(https::config(trusted, own, option)?);
        }
        let authorization = match &options.credentials {
            Credentials::None => None,
            Credentials::Basic { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Credentials::Bearer(token) => Some(format!("Bearer {token}")),
        };
        let agent = config.build().new_agent();
        Ok(Self { urls: options.urls.clone(), current: 0, authorization, agent })
    }

    /// Asks, and waits for the answer: as long as the options say for each address.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn ask(&mut self, question: &Question) -> Result<Answer, RegistryError> {
        let refused =
            |reason: String| RegistryError::Refused { question: question.to_string(), reason };
        let id = |answer: &Value| answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        match question {
            Question::Schema { id } => {
                let answer = self.request(question, &format!("/schemas/ids/{id}"), None)?;
                Ok(Answer::Schema(self.schema(question, &answer)?))
            }
            Question::Register { subject, schema, normalize } => {
                let path = format!("/subjects/{}/versions{}", escaped(subject), flag(*normalize));
                let answer = self.request(question, &path, Some(schema))?;
                let id = id(&answer);
                id.map(Answer::Id).ok_or_else(|| refused("its answer has no id".to_owned()))
            }
            Question::Lookup { subject, schema, normalize } => {
                let path = format!("/subjects/{}{}", escaped(subject), flag(*normalize));
                let answer = self.request(question, &path, Some(schema))?;
                let id = id(&answer);
                id.map(Answer::Id).ok_or_else(|| refused("its answer has no id".to_owned()))
            }
            Question::Latest { subject } => {
                let path = format!("/subjects/{}/versions/latest", escaped(subject));
                let answer = self.request(question, &path, None)?;
                let id = id(&answer).ok_or_else(|| refused("its answer has no id".to_owned()))?;
                Ok(Answer::Latest(id, self.schema(question, &answer)?))
            }
        }
    }

    /// The schema in an answer, with those it refers to.
    fn schema(&mut self, question: &Question, answer: &Value) -> Result<SchemaText, RegistryError> {
        let refused =
            |reason: String| RegistryError::Refused { question: question.to_string(), reason };
        let kind = answer["schemaType"].as_str().unwrap_or("AVRO");
        if kind != "AVRO" {
            return Err(refused(format!("it is of type {kind}, expected AVRO")));
        }
        let Some(text) = answer["schema"].as_str() else {
            return Err(refused("its answer has no schema".to_owned()));
        };
        let mut texts = Vec::new();
        let mut known = HashSet::new();
        for reference in references(answer).map_err(refused)? {
            self.reference(question, &reference, 0, &mut known, &mut texts)?;
        }
        Ok(SchemaText { text: text.to_owned(), references: texts })
    }

    /// A schema that another one refers to, after those that it refers to itself.
    fn reference(
        &mut self,
        question: &Question,
        reference: &Reference,
        depth: usize,
        known: &mut HashSet<Reference>,
        texts: &mut Vec<String>,
    ) -> Result<(), RegistryError> {
        if !known.insert(reference.clone()) {
            return Ok(());
        }
        let refused =
            |reason: String| RegistryError::Refused { question: question.to_string(), reason };
        references::check(depth, known.len()).map_err(refused)?;
        let Reference { subject, version } = reference;
        let path = format!("/subjects/{}/versions/{version}", escaped(subject));
        let answer = self.request(question, &path, None)?;
        for inner in references(&answer).map_err(refused)? {
            self.reference(question, &inner, depth + 1, known, texts)?;
        }
        match answer["schema"].as_str() {
            Some(text) => texts.push(text.to_owned()),
            None => return Err(refused(format!("{subject} {version} has no schema"))),
        }
        Ok(())
    }

    /// The first address that answers as a registry has the word.
    fn request(
        &mut self,
        question: &Question,
        path: &str,
        schema: Option<&str>,
    ) -> Result<Value, RegistryError> {
        let mut away = None;
        for turn in 0..self.urls.len() {
            let index = (self.current + turn) % self.urls.len();
            let url = &self.urls[index];
            let mut answer = self.once(&format!("{url}{path}"), schema);
            if schema.is_some() && matches!(answer, Ok((409, _))) {
                // Of two who bring the first version of a subject at once Apicurio tells one that it
                // is there already; asked again it gives the id. A schema that does not fit stays so.
                answer = self.once(&format!("{url}{path}"), schema);
            }
            match answer {
                Ok((200..300, Some(answer))) => {
                    self.current = index;
                    return Ok(answer);
                }
                Ok((status, answer)) => {
                    let reason = reason(status, answer.as_ref());
                    if refuses(status, answer.as_ref()) {
                        self.current = index;
                        let question = question.to_string();
                        return Err(RegistryError::Refused { question, reason });
                    }
                    away = Some(RegistryError::Away { url: url.clone(), reason });
                }
                Err(error) => {
                    let reason = error.to_string();
                    away = Some(RegistryError::Away { url: url.clone(), reason });
                }
            }
        }
        Err(away.unwrap_or_else(|| RegistryError::Away {
            url: "without an address".to_owned(),
            reason: "nobody to ask".to_owned(),
        }))
    }

    /// One request: its status, and its body if that is JSON.
    fn once(&self, url: &str, schema: Option<&str>) -> Result<(u16, Option<Value>), ureq::Error> {
        let mut answer = match schema {
            None => {
                let mut request = self.agent.get(url).header("Accept", CONTENT_TYPE);
                if let Some(authorization) = &self.authorization {
                    request = request.header("Authorization", authorization);
                }
                request.call()?
            }
            Some(schema) => {
                let mut request = self.agent.post(url).header("Accept", CONTENT_TYPE);
                request = request.header("Content-Type", CONTENT_TYPE);
                if let Some(authorization) = &self.authorization {
                    request = request.header("Authorization", authorization);
                }
                request.send(json!({ "schema": schema }).to_string())?
            }
        };
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec()?;
        Ok((status, serde_json::from_slice(&body).ok()))
    }
}

/// Whether an answer is a word about the schema. What concerns every record alike (credentials, a
/// wrong address, too many requests) is not: nobody's records shall be lost for it.
fn refuses(status: u16, answer: Option<&Value>) -> bool {
    let code = answer.and_then(|answer| answer["error_code"].as_u64());
    match status {
        400 | 409 | 422 => true,
        // An address that is no registry's answers 404 as well, without such a code.
        404 => matches!(code, Some(40_400..=40_499)),
        _ => false,
    }
}

/// What an answer says, in its own words.
fn reason(status: u16, answer: Option<&Value>) -> String {
    let message = answer.and_then(|answer| answer["message"].as_str()).unwrap_or("no reason given");
    let message: String = message.chars().take(1_000).collect();
    match answer.and_then(|answer| answer["error_code"].as_u64()) {
        Some(code) => format!("{message}; error code: {code}"),
        None => format!("answered {status}: {message}"),
    }
}

/// A subject as part of a path (RFC 3986, 2.1).
fn escaped(subject: &str) -> String {
    let mut path = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

const fn flag(normalize: bool) -> &'static str {
    if normalize { "?normalize=true" } else { "" }
}

#[cfg(test)]
mod tests;
