//! What the MQTT connectors of Lenses have in common: options, spellings, statements, schema files.

use midge_rules::kcql::{Kcql, KcqlError, Resolved, Warning};
use midge_rules::options::Default::{Null, Required, Text};
use midge_rules::options::Importance::{High, Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};

use super::broker::{Names, Unit};
use super::given::Given;
use super::source::QOS;
use crate::connect::definition::Properties;

pub(super) const KCQL: &str = "connect.mqtt.kcql";
pub(super) const SCHEMAS: &str = "connect.converter.avro.schemas";

pub(super) static NAMES: Names = Names {
    hosts: "connect.mqtt.hosts",
    port: None,
    user: "connect.mqtt.username",
    password: "connect.mqtt.password",
    client_id: Some("connect.mqtt.client.id"),
    clean: "connect.mqtt.clean",
    timeout: "connect.mqtt.timeout",
    keep_alive: "connect.mqtt.keep.alive",
    unit: Unit::Milliseconds,
    tls: ["connect.mqtt.ssl.ca.cert", "connect.mqtt.ssl.cert", "connect.mqtt.ssl.key"],
    store_passwords: &[],
};

/// What does nothing inside the broker.
pub(super) const CONNECTION: &[&str] = &[
    "connect.mqtt.client.id",
    "connect.mqtt.clean",
    "connect.mqtt.timeout",
    "connect.mqtt.keep.alive",
    "connect.mqtt.ssl.ca.cert",
    "connect.mqtt.ssl.cert",
    "connect.mqtt.ssl.key",
];

/// The options that source and sink share.
pub(super) const HOSTS: OptionDef = OptionDef::new(
    "connect.mqtt.hosts",
    Kind::List,
    Required,
    High,
    "The broker's addresses, tcp://HOST:PORT or ssl://HOST:PORT. This broker: a loopback address \
     with the port of a listener, or a name of `bridge.local_hosts`.",
)
.accepting(&[Accepted::NonEmptyList]);

pub(super) const STATEMENTS: OptionDef = OptionDef::new(
    KCQL,
    Kind::String,
    Required,
    High,
    "Statements of KCQL, with `;` between them: which messages go where, and what becomes of them.",
)
.spelt(&["connect.mqtt.ksql"]);

pub(super) const SERVICE_QUALITY: OptionDef = OptionDef::new(
    "connect.mqtt.service.quality",
    Kind::Int,
    Text("1"),
    High,
    "The QoS. A source subscribes with it at another broker; inside the broker messages keep their \
     own, and 0 lets publishers go on at once (`midge.ack=none`). A sink publishes with it.",
)
.accepting(QOS);

pub(super) const USERNAME: OptionDef = OptionDef::new(
    "connect.mqtt.username",
    Kind::String,
    Null,
    Medium,
    "The user name. Inside the broker the connector acts as this user: the password is checked and \
     the ACL applies.",
);

pub(super) const PASSWORD: OptionDef =
    OptionDef::new("connect.mqtt.password", Kind::Password, Null, Medium, "That user's password.");

pub(super) const CLIENT_ID: OptionDef = OptionDef::new(
    "connect.mqtt.client.id",
    Kind::String,
    Null,
    Medium,
    "The client id, a comma at its end left out; several tasks add their number. Without it one is \
     made of the connector's name.",
);

pub(super) const TIMEOUT: OptionDef = OptionDef::new(
    "connect.mqtt.timeout",
    Kind::Int,
    Text("3000"),
    Medium,
    "How long connecting may take, in milliseconds.",
)
.accepting(&[Accepted::AtLeast(1)])
.spelt(&["connect.mqtt.connection.timeout"]);

pub(super) const CLEAN: OptionDef = OptionDef::new(
    "connect.mqtt.clean",
    Kind::Boolean,
    Text("true"),
    Medium,
    "Whether the session ends with the connection. With `false` the broker keeps messages for the \
     connector while it is away.",
)
.spelt(&["connect.mqtt.connection.clean"]);

pub(super) const KEEP_ALIVE: OptionDef = OptionDef::new(
    "connect.mqtt.keep.alive",
    Kind::Int,
    Text("5000"),
    Medium,
    "How long the connection may be silent, in milliseconds, rounded up to seconds; numbers below \
     1000 are read as seconds; 0 is for ever.",
)
.accepting(&[Accepted::AtLeast(0)])
.spelt(&["connect.mqtt.connection.keep.alive"]);

pub(super) const CA: OptionDef = OptionDef::new(
    "connect.mqtt.ssl.ca.cert",
    Kind::String,
    Null,
    Medium,
    "PEM file with the authorities that vouch for the broker; without it the system's.",
)
.spelt(&["connect.mqtt.connection.ssl.ca.cert"]);

pub(super) const CERTIFICATE: OptionDef = OptionDef::new(
    "connect.mqtt.ssl.cert",
    Kind::String,
    Null,
    Medium,
    "PEM file with our certificate.",
)
.spelt(&["connect.mqtt.connection.ssl.cert"]);

pub(super) const KEY: OptionDef =
    OptionDef::new("connect.mqtt.ssl.key", Kind::String, Null, Medium, "PEM file with its key.")
        .spelt(&["connect.mqtt.connection.ssl.key"]);

pub(super) const THROW_ON_ERROR: OptionDef = OptionDef::new(
    "connect.mqtt.converter.throw.on.error",
    Kind::Boolean,
    Text("false"),
    Medium,
    "Whether a payload that WITHCONVERTER's class cannot read is an error, as `errors.tolerance` \
     has it; with `false` it is logged and passed over.",
);

pub(super) const AVRO_SCHEMAS: OptionDef = OptionDef::new(
    SCHEMAS,
    Kind::String,
    Text(""),
    Low,
    "Files of Avro schemas for AvroConverter, as FILTER=PATH with `;` between them; FILTER is what \
     stands behind FROM.",
);

/// What the statements of an option are for one use, each with its own text.
pub(super) fn statements<T>(
    given: &mut Given<'_>,
    option: &str,
    resolve: fn(&Kcql) -> Result<Resolved<T>, Vec<KcqlError>>,
) -> Option<Vec<(T, String)>> {
    let text = given.text(option);
    let spelt = given.spelt(option);
    let Some(text) = text else {
        if given.given(option).is_some() {
            given.wrong(option, "", "String must be non-empty");
        }
        return None;
    };
    // One of them would be passed over, and nobody can say which was meant.
    if let Some(other) = given.says_otherwise(option) {
        let why = format!("found other statements in {other}, expected them in one place");
        given.error(&spelt, format!("{spelt}: {why}"));
        return None;
    }
    let told = |given: &mut Given<'_>, error: &KcqlError| {
        given.error(&spelt, format!("{spelt}: {}", error.drawn().to_string().trim_end()));
    };
    let kcql = match Kcql::parse(&text) {
        Ok(kcql) => kcql,
        Err(error) => {
            told(given, &error);
            return None;
        }
    };
    match resolve(&kcql) {
        Ok(Resolved { statements, warnings }) => {
            for warning in &warnings {
                given.notice(warned(&spelt, warning));
            }
            let texts = kcql.statements.iter().map(|statement| statement.written().to_owned());
            Some(statements.into_iter().zip(texts).collect())
        }
        Err(errors) => {
            for error in &errors {
                told(given, error);
            }
            None
        }
    }
}

fn warned(spelt: &str, warning: &Warning) -> String {
    format!("{spelt}: {warning}")
}

/// `FILTER=PATH;…` of `connect.converter.avro.schemas`; a part that is none is the mistake.
pub(super) fn schemas(text: &str) -> Result<Vec<(&str, &str)>, &str> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let parts = parts.map(|part| {
        let (filter, path) = part.rsplit_once('=').ok_or(part)?;
        let (filter, path) = (filter.trim().trim_matches('`'), path.trim());
        if filter.is_empty() || path.is_empty() { Err(part) } else { Ok((filter, path)) }
    });
    parts.collect()
}

/// The files that have to be read before these properties can be, by their paths.
#[must_use]
pub fn files(properties: &Properties) -> Vec<String> {
    let text = properties.get(SCHEMAS).map_or("", |text| text.trim());
    let schemas = schemas(text).unwrap_or_default();
    schemas.into_iter().map(|(_, path)| path.to_owned()).collect()
}
