//! The environment of aiproshar's connector: one connector by class, and settings of Kafka, the log
//! and the disk.
//!
//! Invariants. Without `TOPIC_LIST` and `WILDCARD_TOPIC_LIST` none of these variables counts.
//! Variables that begin with `MIDGE__` go before them, and they before files; none of them makes
//! the way to Kafka less protected than a file has it. No message has a secret in it.

mod apply;
mod dot_env;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use crate::draft::{Draft, ExpectedBroker};
use crate::error::Origin;
use crate::resolved::ConnectorFile;
use crate::settings::quoted;

/// The class of the connector; its options are [`CONNECTOR_VARIABLES`].
pub const TOPIC_LISTS_CLASS: &str = "midge.TopicListsSourceConnector";

/// Variables that the connector's class reads.
pub const CONNECTOR_VARIABLES: &[&str] = &[
    "TOPIC_LIST",
    "WILDCARD_TOPIC_LIST",
    "MQTT_BROKER_URL",
    "MQTT_BROKER_PORT",
    "MQTT_USER_NAME",
    "MQTT_USER_PASSWORD",
    "MQTT_CLIENT_ID",
    "INVOKE_LATENCY_SEC",
    "INVOKE_MAX_GOROUTINE",
    "INVOKE_MIN_GOROUTINE",
    "MQTT_QOS",
    "MQTT_CLEAN_SESSION",
    "MQTT_CONNECT_TIMEOUT_SEC",
    "MQTT_KEEP_ALIVE_SEC",
    "MQTT_SSL_CA_CERT",
    "MQTT_SSL_CERT",
    "MQTT_SSL_KEY",
];

/// A variable that is about the process as a whole.
pub(crate) struct ProcessVariable {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

const fn variable(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> ProcessVariable {
    ProcessVariable { name, default, meaning }
}

/// Variables that are about the process as a whole, for the reference page.
pub(crate) static PROCESS_VARIABLES: &[ProcessVariable] = &[
    variable(
        RUN_MODE,
        "DEVELOP",
        "`PRODUCTION`: the environment alone counts. `DEVELOP`: the file `.env` in the working \
         directory does as well, if it is there, where the environment says nothing.",
    ),
    variable(
        CONNECTOR_ONLY,
        "auto",
        "Ours. Whether there is no listener of our own, where no file and no `-p` names one. \
         `true`: there is none. `false`: there is one. `auto`: there is one when `MQTT_BROKER_URL` \
         names this machine, unless another MQTT broker has the port; its port is \
         `MQTT_BROKER_PORT`.",
    ),
    variable(
        LOG_LVL,
        "as `[log]` has it",
        "The lowest level logged: panic, fatal, error, warn, info, debug or trace. panic and fatal \
         mean error; debug and trace mean everything.",
    ),
    variable(KAFKA_BROKER, "localhost:9092", "`bootstrap_servers` of `[kafka]`."),
    variable(
        SASL_SSL,
        "false",
        "true logs in with OAUTHBEARER over TLS: `sasl_mechanism` and `security_protocol` of \
         `[kafka]`. Its authorities are those of the system, or `MIDGE__KAFKA__SSL_CA`.",
    ),
    variable(CLIENT_ID, "none", "`client_id` of `[kafka.oauth]`."),
    variable(CLIENT_SECRET, "none", "`client_secret` of `[kafka.oauth]`."),
    variable(
        TOKEN_ENDPOINT,
        "none",
        "`token_endpoint` of `[kafka.oauth]`. A token is fetched from there and fetched again \
         before it expires. Its authorities are those of the system, or \
         `MIDGE__KAFKA__OAUTH__CA`.",
    ),
    variable(
        DB_PERSIST_PATH,
        "none: what waits for Kafka is in memory",
        "Turns persistence on in this directory: what Kafka does not take waits there. Where there \
         is a file instead, as the original's database, or no place to make a directory in, a \
         warning says so, and it waits in memory. Where a file or `MIDGE__PERSISTENCE__…` has \
         turned persistence on already, that counts.",
    ),
];

const RUN_MODE: &str = "RUN_MODE";
const CONNECTOR_ONLY: &str = "CONNECTOR_ONLY";
const LOG_LVL: &str = "LOG_LVL";
const KAFKA_BROKER: &str = "KAFKA_BROKER";
const SASL_SSL: &str = "SASL_SSL";
const CLIENT_ID: &str = "SASL_OAUTHBEARER_CLIENT_ID";
const CLIENT_SECRET: &str = "SASL_OAUTHBEARER_CLIENT_SECRET";
const TOKEN_ENDPOINT: &str = "SASL_OAUTHBEARER_TOKEN_ENDPOINT_URI";
const DB_PERSIST_PATH: &str = "DB_PERSIST_PATH";

const LISTS: [&str; 2] = ["TOPIC_LIST", "WILDCARD_TOPIC_LIST"];

/// The name under which it is shown.
const NAME: &str = "connector";

/// `.env`, as it was read, or why it was not.
pub(crate) struct DotEnv<'f> {
    pub(crate) file: &'f Path,
    pub(crate) bytes: Result<Vec<u8>, String>,
}

/// Whether `.env` counts as well.
pub(crate) fn wants_file(environment: &[(String, String)]) -> bool {
    let mode = environment.iter().find(|(name, _)| name == RUN_MODE);
    mode.is_none_or(|(_, mode)| matches!(mode.as_str(), "" | DEVELOP))
}

const DEVELOP: &str = "DEVELOP";
const PRODUCTION: &str = "PRODUCTION";

/// Reads the variables; after the files and `MIDGE__…`.
pub(crate) fn parse(draft: &mut Draft, environment: &[(String, String)], file: Option<DotEnv<'_>>) {
    let mut variables = Variables(BTreeMap::new());
    for (name, value) in environment {
        if let Some(name) = known(name) {
            let origin = Origin::Environment(name.to_owned());
            variables.0.insert(name, Variable { value: value.clone(), origin });
        }
    }
    let lists_before = LISTS.iter().any(|name| variables.text(name).is_some());
    let lines = file.map(|file| of_file(draft, &mut variables, environment, &file, lists_before));
    let said = |name: &&str| variables.text(name).is_some();
    let lines = lines.unwrap_or_default();
    let Some(list) = LISTS.iter().copied().find(said) else {
        if variables.text(RUN_MODE).is_some() || lines.iter().any(is_about_a_list) {
            draft.errors.extend(lines);
        }
        return tell_missing_lists(draft, &variables);
    };
    draft.errors.extend(lines);
    run_mode(draft, &variables);
    connector(draft, &variables, list);
    expected_broker(draft, &variables);
    apply::kafka(draft, &variables);
    apply::log(draft, &variables);
    apply::persistence(draft, &variables);
}

/// The variables that were found.
struct Variables(BTreeMap<&'static str, Variable>);

struct Variable {
    value: String,
    origin: Origin,
}

impl Variables {
    /// A variable, blanks at its end and all; one that is empty is none.
    fn raw(&self, name: &str) -> Option<(&str, &Origin)> {
        let found = self.0.get(name).filter(|found| !found.value.is_empty())?;
        Some((&found.value, &found.origin))
    }

    /// A variable without the blanks around it.
    fn text(&self, name: &str) -> Option<(&str, &Origin)> {
        let (value, origin) = self.raw(name)?;
        Some((value.trim(), origin)).filter(|(value, _)| !value.is_empty())
    }
}

/// The name of a variable of ours.
fn known(name: &str) -> Option<&'static str> {
    let of_process = PROCESS_VARIABLES.iter().map(|variable| variable.name);
    CONNECTOR_VARIABLES.iter().copied().chain(of_process).find(|known| *known == name)
}

/// Adds what the environment leaves to `.env`. What is wrong with the file matters only when it
/// turns out to be one of ours.
fn of_file(
    draft: &mut Draft,
    variables: &mut Variables,
    environment: &[(String, String)],
    DotEnv { file, bytes }: &DotEnv<'_>,
    lists_before: bool,
) -> Vec<crate::ConfigError> {
    let error = |origin, key: &str, message: &str| crate::ConfigError {
        origin,
        key: key.to_owned(),
        message: message.to_owned(),
    };
    let whole = Origin::File((*file).to_owned());
    let text = match bytes {
        Ok(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => return vec![error(whole, "", "found bytes that are not UTF-8")],
        },
        Err(why) => return vec![error(whole, "", why)],
    };
    let given = |name: &str| {
        let found = environment.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone())
    };
    let (lines, malformed) = dot_env::parse(text, given);
    let origin = |line| Origin::Line { file: (*file).to_owned(), line };
    let mut errors: Vec<_> = malformed
        .into_iter()
        .map(|(line, why)| {
            let said = text.lines().nth(line - 1).unwrap_or_default();
            let mut words = said.trim_start_matches('\u{feff}').split_whitespace();
            let list = words.find(|word| LISTS.contains(word));
            error(origin(line), list.unwrap_or_default(), why)
        })
        .collect();
    let mut counts = Vec::new();
    for line in lines {
        // The mode has been decided on before the file is read.
        let Some(name) = known(&line.name).filter(|name| *name != RUN_MODE) else { continue };
        if given(name).is_some() {
            continue;
        }
        match line.value {
            Ok(value) => {
                counts.push(name);
                variables.0.insert(name, Variable { value, origin: origin(line.line) });
            }
            Err(why) => errors.push(error(origin(line.line), name, &why)),
        }
    }
    counts.sort_unstable();
    counts.dedup();
    if lists_before || LISTS.iter().any(|list| counts.contains(list)) {
        draft.files.push((*file).to_owned());
        let mode = if given(RUN_MODE).is_some() { DEVELOP } else { "not set, which is DEVELOP" };
        draft.notice(&whole, format!("RUN_MODE is {mode}: taken from here: {}", counts.join(", ")));
    }
    errors
}

/// Whether a line of `.env` was to give one of the lists: so the file is ours.
fn is_about_a_list(error: &crate::ConfigError) -> bool {
    LISTS.contains(&error.key.as_str())
}

/// Says what somebody may wonder about who has forgotten the lists.
fn tell_missing_lists(draft: &mut Draft, variables: &Variables) {
    let names = ["MQTT_BROKER_URL", KAFKA_BROKER];
    if let Some((_, origin)) = variables.text(RUN_MODE)
        && names.iter().all(|name| variables.text(name).is_some())
    {
        let message = format!(
            "ignored: {}: without TOPIC_LIST and WILDCARD_TOPIC_LIST there is nothing to carry",
            names.join(", ")
        );
        draft.notice(origin, message);
    }
}

fn run_mode(draft: &mut Draft, variables: &Variables) {
    if let Some((mode, origin)) = variables.text(RUN_MODE)
        && ![DEVELOP, PRODUCTION].contains(&mode)
    {
        let message = format!("found {}, expected {PRODUCTION} or {DEVELOP}", quoted(mode));
        draft.error(origin, RUN_MODE, message);
    }
}

/// The connector, whose class judges its variables.
fn connector(draft: &mut Draft, variables: &Variables, list: &str) {
    let whole = variables.text(list).map_or(Origin::Whole, |(_, origin)| origin.clone());
    let mut found = ConnectorFile {
        name: NAME.to_owned(),
        whole,
        properties: BTreeMap::from([
            ("name".to_owned(), NAME.to_owned()),
            ("connector.class".to_owned(), TOPIC_LISTS_CLASS.to_owned()),
        ]),
        origins: BTreeMap::new(),
    };
    for name in CONNECTOR_VARIABLES {
        if let Some((value, origin)) = variables.raw(name) {
            found.properties.insert((*name).to_owned(), value.to_owned());
            found.origins.insert((*name).to_owned(), origin.clone());
        }
    }
    draft.connector_files.push(found);
}

/// Where a broker is expected; what is wrong with that is the class's to tell.
fn expected_broker(draft: &mut Draft, variables: &Variables) {
    let only = match variables.text(CONNECTOR_ONLY) {
        None | Some(("auto", _)) => None,
        Some((text, origin)) => match text {
            "true" => Some((true, origin.clone())),
            "false" => Some((false, origin.clone())),
            _ => {
                let message = format!("found {}, expected auto, true or false", quoted(text));
                return draft.error(origin, CONNECTOR_ONLY, message);
            }
        },
    };
    let url = variables.text("MQTT_BROKER_URL").map_or("127.0.0.1", |(url, _)| url);
    let (scheme, host) = url.split_once("://").unwrap_or(("tcp", url));
    let tls = ["ssl", "tls", "mqtts"].iter().any(|with| scheme.eq_ignore_ascii_case(with));
    let host = host.trim_end_matches('/');
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = variables.text("MQTT_BROKER_PORT").map_or(Ok(1883), |(port, _)| port.parse());
    draft.expected_broker = Some(ExpectedBroker { host, port: port.unwrap_or(1883), tls, only });
}
