//! What a converter asks a schema registry, and how its owner finds that registry.
//!
//! A converter does no IO: where it needs a schema or an id it ends with a [`Question`]. Its owner
//! asks the registry, hands the [`Answer`] or the registry's refusal back, and makes the same call
//! again.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Side;
use super::options::Options;

/// What a registry has to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// The schema that a record's id stands for.
    Schema {
        /// The id.
        id: u32,
    },
    /// The id of a schema, which is new to the subject perhaps.
    Register {
        /// Under which name.
        subject: Arc<str>,
        /// The Avro schema.
        schema: Arc<str>,
        /// Whether the registry shall bring it to its normal form first.
        normalize: bool,
    },
    /// The id of a schema that the subject must have already.
    Lookup {
        /// Under which name.
        subject: Arc<str>,
        /// The Avro schema.
        schema: Arc<str>,
        /// Whether the registry shall bring it to its normal form first.
        normalize: bool,
    },
    /// The newest schema of a subject.
    Latest {
        /// Under which name.
        subject: Arc<str>,
    },
}

/// What a registry answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Schema`].
    Schema(SchemaText),
    /// To [`Question::Register`] and [`Question::Lookup`].
    Id(u32),
    /// To [`Question::Latest`].
    Latest(u32, SchemaText),
}

/// A schema as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaText {
    /// The schema itself.
    pub text: String,
    /// The schemas it refers to, each after those that it needs itself.
    pub references: Vec<String>,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema { id } => write!(f, "the schema of id {id}"),
            Self::Register { subject, .. } => write!(f, "to register a schema of {subject}"),
            Self::Lookup { subject, .. } => write!(f, "the id of a schema of {subject}"),
            Self::Latest { subject } => write!(f, "the latest schema of {subject}"),
        }
    }
}

/// Where a registry is, and what it wants to see.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryOptions {
    /// Its addresses, tried in turn.
    pub urls: Vec<String>,
    /// Who we are.
    pub credentials: Credentials,
    /// The authorities that vouch for it, in PEM; the system's when there is none.
    pub cafile: Option<PathBuf>,
    /// Our own certificate and its key, in one PEM file.
    pub certificate: Option<PathBuf>,
    /// How long one address may take to answer.
    pub timeout: Duration,
}

/// What proves to a registry who we are. The secrets have no `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl fmt::Debug for RegistryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryOptions").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl RegistryOptions {
    /// Reads what stands among a converter's options about its registry.
    pub(super) fn read(options: &mut Options<'_>) -> Self {
        let mut user_info = None;
        let urls = options.text("schema.registry.url").map(|list| {
            let urls = list.split(',').map(str::trim).filter(|url| !url.is_empty());
            urls.map(str::to_owned).collect::<Vec<_>>()
        });
        let mut urls = urls.unwrap_or_default();
        if urls.is_empty() {
            options.expected("schema.registry.url", "nothing", "http://HOST:PORT");
        }
        for url in &mut urls {
            match plain_url(url) {
                Ok((plain, user)) => {
                    *url = plain;
                    user_info = user_info.or(user);
                }
                // The address may hold a password: it is not repeated.
                Err(expected) => options.expected("schema.registry.url", "another", expected),
            }
        }
        Self {
            urls,
            credentials: credentials(options, user_info),
            cafile: pem(options, "schema.registry.ssl.truststore.location", TRUST_TYPE),
            certificate: pem(options, "schema.registry.ssl.keystore.location", KEY_TYPE),
            timeout: timeout(options),
        }
    }
}

const TRUST_TYPE: &str = "schema.registry.ssl.truststore.type";
const KEY_TYPE: &str = "schema.registry.ssl.keystore.type";

/// An address without `user:password@` and a slash at its end, and what was before the `@`.
fn plain_url(url: &str) -> Result<(String, Option<String>), &'static str> {
    const EXPECTED: &str = "http://HOST:PORT or https://HOST:PORT";
    let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
    let rest = rest.trim_end_matches('/');
    if !matches!(scheme, "http" | "https") || rest.is_empty() {
        return Err(EXPECTED);
    }
    let authority = rest.split('/').next().unwrap_or_default();
    Ok(match authority.rsplit_once('@') {
        Some((user, _)) => {
            (format!("{scheme}://{}", &rest[user.len() + 1..]), Some(user.to_owned()))
        }
        None => (format!("{scheme}://{rest}"), None),
    })
}

fn credentials(options: &mut Options<'_>, from_url: Option<String>) -> Credentials {
    // Some documents write them with the registry's name in front.
    let info = options.text("basic.auth.user.info");
    let info = info.or(options.text("schema.registry.basic.auth.user.info"));
    let token = options.text("bearer.auth.token");
    let bearer =
        options.word("bearer.auth.credentials.source", &[("", false), ("STATIC_TOKEN", true)]);
    #[derive(Clone, Copy, PartialEq)]
    enum Source {
        Url,
        UserInfo,
    }
    let source = options.word(
        "basic.auth.credentials.source",
        &[("URL", Source::Url), ("USER_INFO", Source::UserInfo)],
    );
    if bearer {
        return match token {
            Some(token) => Credentials::Bearer(token.to_owned()),
            None => {
                options.expected("bearer.auth.token", "nothing", "the token");
                Credentials::None
            }
        };
    }
    let info = match source {
        Source::UserInfo if info.is_none() => {
            options.expected("basic.auth.user.info", "nothing", "USER:PASSWORD");
            None
        }
        Source::UserInfo => info.map(str::to_owned),
        Source::Url => from_url.map(|info| percent_decoded(&info)),
    };
    match info.as_deref().map(|info| info.split_once(':')) {
        None => Credentials::None,
        Some(Some((user, password))) => {
            Credentials::Basic { user: user.to_owned(), password: password.to_owned() }
        }
        Some(None) => {
            options.expected("basic.auth.user.info", "no ':' in it", "USER:PASSWORD");
            Credentials::None
        }
    }
}

/// `%40` is `@`; a `%` that no two hexadecimal digits follow stays what it is.
fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pem(options: &mut Options<'_>, location: &'static str, kind: &'static str) -> Option<PathBuf> {
    let path = options.text(location);
    let kind_found = options.text(kind);
    let pem = kind_found.is_some_and(|kind| kind.eq_ignore_ascii_case("PEM"));
    if path.is_some() && !pem {
        let found = kind_found.unwrap_or("JKS, which is Java's default");
        options.expected(kind, found, "PEM: a store of Java is not read");
    }
    path.map(PathBuf::from)
}

fn timeout(options: &mut Options<'_>) -> Duration {
    let connect = options.count("http.connect.timeout.ms", 60_000);
    let read = options.count("http.read.timeout.ms", 60_000);
    Duration::from_millis(connect.saturating_add(read).clamp(1_000, 600_000) as u64)
}

/// How the name is made under which a registry keeps a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubjectNameStrategy {
    Topic,
    Record,
    TopicRecord,
}

impl SubjectNameStrategy {
    pub(super) fn read(options: &mut Options<'_>, side: Side) -> Self {
        let words = [
            ("io.confluent.kafka.serializers.subject.TopicNameStrategy", Self::Topic),
            ("io.confluent.kafka.serializers.subject.RecordNameStrategy", Self::Record),
            ("io.confluent.kafka.serializers.subject.TopicRecordNameStrategy", Self::TopicRecord),
            ("TopicNameStrategy", Self::Topic),
            ("RecordNameStrategy", Self::Record),
            ("TopicRecordNameStrategy", Self::TopicRecord),
        ];
        let key = options.word("key.subject.name.strategy", &words);
        let value = options.word("value.subject.name.strategy", &words);
        if side == Side::Key { key } else { value }
    }

    /// The subject of a record; none when it needs a name and the schema is that of no record.
    pub(super) fn subject(
        self,
        side: Side,
        kafka_topic: &str,
        record_name: Option<&str>,
    ) -> Option<String> {
        let part = if side == Side::Key { "key" } else { "value" };
        match self {
            Self::Topic => Some(format!("{kafka_topic}-{part}")),
            Self::Record => record_name.map(str::to_owned),
            Self::TopicRecord => record_name.map(|name| format!("{kafka_topic}-{name}")),
        }
    }
}
