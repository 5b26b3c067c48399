//! Lenses' InfluxDB sink: statements of KCQL from Kafka topics to measurements.

use midge_config::Secret;
use midge_rules::kcql::Kcql;
use midge_rules::options::Default::{Null, Required, Text};
use midge_rules::options::Importance::{High, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::pipeline::SinkParts;

use super::given::Given;
use super::{Class, Direction, common, lenses, sink, topics};
use crate::connect::plan::{InfluxDatabase, InfluxSinkWork, Task, Work};

pub(super) static CLASS: Class = Class {
    names: &[
        "io.lenses.streamreactor.connect.influx.InfluxSinkConnector",
        "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector",
    ],
    direction: Direction::Sink,
    options: OPTIONS,
    own: OWN,
    idle: &[],
    connection: &[],
    page: "lenses-influx-sink",
    tasks,
};

const KCQL: &str = "connect.influx.kcql";
/// Who vouches for the database. Its name is that of the error that misses one, too.
pub(crate) const CA: &str = "midge.influx.ssl.ca.cert";

static OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "connect.influx.url",
        Kind::String,
        Required,
        High,
        "The InfluxDB database url, http://HOST:PORT or https://HOST:PORT.",
    ),
    OptionDef::new(
        "connect.influx.db",
        Kind::String,
        Required,
        High,
        "The InfluxDB database; the bucket, with `midge.influx.token`.",
    )
    .accepting(&[Accepted::NonEmptyString]),
    OptionDef::new(
        KCQL,
        Kind::String,
        Required,
        High,
        "Statements of KCQL, with `;` between them: which records become points of which \
         measurement, with which fields, tags and time.",
    )
    .spelt(&["connect.influx.ksql"]),
    OptionDef::new("connect.influx.username", Kind::String, Null, High, "The InfluxDB username."),
    OptionDef::new("connect.influx.password", Kind::Password, Null, High, "The InfluxDB password."),
    OptionDef::new(
        "connect.influx.retention.policy",
        Kind::String,
        Text("autogen"),
        Medium,
        "The retention policy that points are written into.",
    ),
    OptionDef::new(
        "connect.influx.consistency.level",
        Kind::String,
        Text("ALL"),
        Medium,
        "How many nodes of a cluster have to have a write: ALL, ANY, ONE or QUORUM.",
    )
    .accepting(&[Accepted::OneOfAnyCase(&["ALL", "ANY", "ONE", "QUORUM"])]),
    OptionDef::new(
        "connect.influx.error.policy",
        Kind::String,
        Text("THROW"),
        High,
        "What happens when the database does not take points: THROW fails the task, NOOP passes \
         over the records, RETRY tries again.",
    )
    .accepting(sink::POLICIES),
    OptionDef::new(
        "connect.influx.retry.interval",
        Kind::Int,
        Text("60000"),
        Medium,
        "With RETRY: milliseconds between two tries.",
    )
    .accepting(&[Accepted::AtLeast(1)]),
    OptionDef::new(
        "connect.influx.max.retries",
        Kind::Int,
        Text("20"),
        Medium,
        "With RETRY: how many times; then the task fails.",
    )
    .accepting(&[Accepted::AtLeast(0)])
    .spelt(&["connect.influx.max.retires"]),
    common::PROGRESS,
];

static OWN: &[OptionDef] = &[
    OptionDef::new(
        "midge.influx.token",
        Kind::Password,
        Null,
        Medium,
        "A token, for InfluxDB 2.x: then `connect.influx.db` is the bucket, and there is no user.",
    ),
    OptionDef::new(
        "midge.influx.organization",
        Kind::String,
        Null,
        Medium,
        "The organization that the token is for.",
    ),
    OptionDef::new(
        CA,
        Kind::String,
        Null,
        Medium,
        "A file of the certificate authorities in PEM that vouch for an https address; without it, \
         the system's.",
    ),
    sink::MAX_UNDER_WAY,
];

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let database = database(given);
    let policy = sink::policy(given, "connect.influx");
    let reading = sink::reading(given);
    let converters = sink::converters(given);
    let statements = lenses::statements(given, KCQL, Kcql::influx_sinks);
    if let Some(statements) = &statements {
        let sources: Vec<String> =
            statements.iter().map(|(statement, _)| statement.kafka_topic.clone()).collect();
        topics::check_statements(given, KCQL, &sources);
    }
    let (database, reading, (shared, value)) = (database?, reading?, converters?);
    let statements: Vec<_> = statements?.into_iter().map(|(statement, _)| statement).collect();
    let parts = SinkParts {
        key: shared.key,
        value,
        header: shared.header,
        chain: shared.chain,
        statements: Vec::new(),
    };
    Some(sink::tasks(given, |_, _| {
        Work::InfluxSink(InfluxSinkWork {
            reading: reading.clone(),
            parts: parts.clone(),
            statements: statements.clone(),
            database: database.clone(),
            policy,
        })
    }))
}

fn database(given: &mut Given<'_>) -> Option<InfluxDatabase> {
    let before = given.errors.len();
    let url = given.text("connect.influx.url");
    if let Some(found) = &url {
        let host = found.strip_prefix("http://").or_else(|| found.strip_prefix("https://"));
        // A URL may have a password in it: what is not one is not shown.
        if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', ':'])) {
            let why = "expected http://HOST:PORT or https://HOST:PORT";
            given.wrong("connect.influx.url", "(not shown)", why);
        } else if host.is_some_and(|host| host.contains('@')) {
            let why = "expected connect.influx.username and connect.influx.password instead of a \
                       user in it";
            given.wrong("connect.influx.url", "(not shown)", why);
        }
    } else if given.given("connect.influx.url").is_some() {
        given.wrong("connect.influx.url", "", "expected http://HOST:PORT or https://HOST:PORT");
    }
    let ca = given.text(CA);
    if ca.is_some() && url.as_ref().is_some_and(|url| url.starts_with("http:")) {
        given.notice(format!("ignored: {CA}: connect.influx.url is not https"));
    }
    let user = given.text("connect.influx.username");
    let password = given.text("connect.influx.password");
    let token = given.text("midge.influx.token");
    let organization = given.text("midge.influx.organization");
    let both = |given: &mut Given<'_>, found: &str, missing: &str| {
        given.error(found, format!("{found}: found without {missing}, expected both"));
    };
    match (&token, &organization) {
        (Some(_), None) => both(given, "midge.influx.token", "midge.influx.organization"),
        (None, Some(_)) => both(given, "midge.influx.organization", "midge.influx.token"),
        _ => {}
    }
    match (&user, &password) {
        (None, Some(_)) => both(given, "connect.influx.password", "connect.influx.username"),
        (Some(_), _) if token.is_some() => given.error(
            "midge.influx.token",
            "midge.influx.token: found beside connect.influx.username, expected one of them",
        ),
        _ => {}
    }
    if token.is_some() {
        for name in ["connect.influx.retention.policy", "connect.influx.consistency.level"] {
            if given.given(name).is_some() {
                given.notice(format!("ignored: {name}: InfluxDB 2.x has none, its bucket says it"));
            }
        }
    }
    let consistency = given.text("connect.influx.consistency.level").unwrap_or_default();
    (given.errors.len() == before).then(|| InfluxDatabase {
        url: url.unwrap_or_default(),
        database: given.text("connect.influx.db").unwrap_or_default(),
        user: user.map(|user| (user, Secret::new(password.unwrap_or_default()))),
        token: token.zip(organization).map(|(token, of)| (Secret::new(token), of)),
        retention_policy: given.text("connect.influx.retention.policy").unwrap_or_default(),
        consistency: consistency.to_ascii_lowercase(),
        ca,
    })
}
