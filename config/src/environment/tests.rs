use std::path::PathBuf;

use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{Config, OwnListener};

/// The variables of the original's own page, word for word.
const PAGE: &[(&str, &str)] = &[
    (RUN_MODE, "PRODUCTION"),
    ("MQTT_BROKER_URL", "127.0.0.1"),
    ("MQTT_BROKER_PORT", "1883"),
    ("MQTT_CLIENT_ID", "arafat"),
    ("MQTT_USER_NAME", "user"),
    ("MQTT_USER_PASSWORD", "12345678"),
    (LOG_LVL, "info"),
    ("TOPIC_LIST", "default:default-kafka,custom:custom-kafka,dev_arafat:dev_arafat"),
    ("WILDCARD_TOPIC_LIST", "default/+/mqtt:custom-kafka,default/kc/#:general"),
    ("INVOKE_LATENCY_SEC", "10"),
    ("INVOKE_MAX_GOROUTINE", "1000"),
    ("INVOKE_MIN_GOROUTINE", "50"),
    (KAFKA_BROKER, "localhost:9092"),
    (SASL_SSL, "false"),
];

#[derive(Default)]
struct Given<'g> {
    toml: &'g str,
    file: Option<&'g str>,
    ports: &'g [u16],
}

impl Given<'_> {
    fn read(&self, environment: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<(String, String)> = environment.iter().map(owned).collect();
        let mut draft = Draft::default();
        let toml = [(PathBuf::from("midge.toml"), self.toml.to_owned())];
        crate::midge_toml::parse(&mut draft, &toml, environment.iter().cloned());
        let file = self.file.filter(|_| wants_file(&environment));
        let bytes = file.map(|text| Ok(text.as_bytes().to_vec()));
        let file = bytes.map(|bytes| DotEnv { file: Path::new(".env"), bytes });
        parse(&mut draft, &environment, file);
        resolve(draft, self.ports, false)
    }

    fn config(&self, environment: &[(&str, &str)]) -> Config {
        self.read(environment).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn errors(&self, environment: &[(&str, &str)]) -> Vec<String> {
        let errors = self.read(environment).err().expect("a mistake");
        errors.iter().map(ToString::to_string).collect()
    }
}

fn with<'v>(more: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let kept = PAGE.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more).copied().collect()
}

fn notices(config: &Config) -> Vec<String> {
    config.notices.iter().map(ToString::to_string).collect()
}

fn kafka<'c>(config: &'c Config, name: &str) -> Option<&'c str> {
    config.kafka.client.plain.get(name).map(String::as_str)
}

#[test]
fn the_variables_of_the_page_make_one_connector_and_no_more() {
    let config = Given::default().config(PAGE);
    let [connector] = &config.connector_files[..] else { panic!("one connector") };
    assert_eq!(connector.name, "connector");
    assert_eq!(connector.properties["connector.class"], TOPIC_LISTS_CLASS);
    assert_eq!(connector.properties["WILDCARD_TOPIC_LIST"], PAGE[8].1);
    assert_eq!(connector.origin("TOPIC_LIST").to_string(), "environment TOPIC_LIST");
    for of_process in [RUN_MODE, LOG_LVL, KAFKA_BROKER, SASL_SSL] {
        assert!(!connector.properties.contains_key(of_process), "{of_process}");
    }
    assert_eq!(kafka(&config, "bootstrap.servers"), Some("localhost:9092"));
    assert_eq!(kafka(&config, "security.protocol"), Some("PLAINTEXT"));
    assert!(config.persistence.is_none() && config.connect.rest.is_none());
    assert_eq!(config.own_listener, OwnListener::UnlessTaken);
    assert_eq!(notices(&config), [""; 0]);
}

#[test]
fn without_a_list_nothing_counts() {
    let rest: Vec<_> = PAGE.iter().filter(|(name, _)| !LISTS.contains(name)).copied().collect();
    let mut wrong = rest.clone();
    wrong.extend([(LOG_LVL, "loud"), (SASL_SSL, "yes")]);
    let config = Given::default().config(&wrong);
    assert!(config.connector_files.is_empty());
    assert_eq!(config.own_listener, OwnListener::Configured);
    assert_eq!(
        notices(&config),
        ["environment RUN_MODE: ignored: MQTT_BROKER_URL, KAFKA_BROKER: without TOPIC_LIST and \
          WILDCARD_TOPIC_LIST there is nothing to carry"]
    );
    // And a file that is somebody else's is not looked at closely.
    let given = Given { file: Some("not a line\nLOG_LVL=\"loud\n"), ..Given::default() };
    assert!(given.config(&[]).connector_files.is_empty());
}

#[test]
fn a_file_counts_in_develop_mode_where_the_environment_says_nothing() {
    let text = "# ours\nTOPIC_LIST=a:b\nMQTT_CLIENT_ID=file\nexport KAFKA_BROKER=\"k:1\"\n\
                RUN_MODE=PRODUCTION\nOTHER=x\n";
    let given = Given { file: Some(text), ..Given::default() };
    for mode in [&[][..], &[(RUN_MODE, "DEVELOP")]] {
        let mut environment = vec![("MQTT_CLIENT_ID", "real")];
        environment.extend(mode);
        let config = given.config(&environment);
        let [connector] = &config.connector_files[..] else { panic!("one connector") };
        assert_eq!(connector.properties["MQTT_CLIENT_ID"], "real");
        assert_eq!(connector.properties["TOPIC_LIST"], "a:b");
        assert_eq!(connector.origin("TOPIC_LIST").to_string(), ".env:2");
        assert_eq!(kafka(&config, "bootstrap.servers"), Some("k:1"));
        let said = &notices(&config)[0];
        assert!(said.starts_with(".env: RUN_MODE is "), "{said}");
        assert!(said.ends_with("taken from here: KAFKA_BROKER, TOPIC_LIST"), "{said}");
    }
    let config = given.config(&[(RUN_MODE, "PRODUCTION")]);
    assert!(config.connector_files.is_empty());
}

#[test]
fn a_file_whose_lists_cannot_be_read_is_told_and_not_taken_for_somebody_else_s() {
    for (text, expected) in [
        ("MQTT_CLIENT_ID=x\nTOPIC_LIST=\"a:b\n", ".env:2: TOPIC_LIST: "),
        ("export TOPIC_LIST a\n", ".env:1: TOPIC_LIST: found no ="),
        ("WILDCARD_TOPIC_LIST\n", ".env:1: WILDCARD_TOPIC_LIST: found no ="),
    ] {
        let errors = Given { file: Some(text), ..Given::default() }.errors(&[]);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{errors:?}");
    }
    let given = Given { file: Some("not a line\n"), ..Given::default() };
    assert_eq!(given.errors(&[(RUN_MODE, DEVELOP)]).len(), 1, "the mode says that it is ours");
}

#[test]
fn mistakes_of_the_file_have_lines_and_no_values() {
    let text = "TOPIC_LIST=a:b\nhunter1\nMQTT_USER_PASSWORD=\"hunter2\nKAFKA_BROKER=hunter3$X\n";
    let given = Given { file: Some(text), ..Given::default() };
    let errors = given.errors(&[]);
    let begins = [".env:2: found no =", ".env:3: MQTT_USER_PASSWORD: ", ".env:4: KAFKA_BROKER: "];
    assert_eq!(errors.len(), begins.len(), "{errors:?}");
    for (error, begin) in errors.iter().zip(begins) {
        assert!(error.starts_with(begin) && !error.contains("hunter"), "{error}");
    }
}

#[test]
fn every_wrong_value_is_told_by_its_variable() {
    for (name, value, said) in [
        (RUN_MODE, "production", "found \"production\", expected PRODUCTION or DEVELOP"),
        (CONNECTOR_ONLY, "yes", "found \"yes\", expected auto, true or false"),
        (SASL_SSL, "True", "found \"True\", expected true or false"),
        (KAFKA_BROKER, "k:9092,l:x", "found \"l:x\", expected HOST:PORT, several with commas"),
        (LOG_LVL, "loud", "found \"loud\", expected one of panic, fatal, error, warn, info, "),
    ] {
        let errors = Given::default().errors(&with(&[(name, value)]));
        let begin = format!("environment {name}: {name}: {said}");
        assert!(errors.len() == 1 && errors[0].starts_with(&begin), "{errors:?}");
    }
    let told: Vec<String> = Given::default().errors(&with(&[(SASL_SSL, "true")]));
    let missing = |name| {
        format!("environment SASL_SSL: {name}: is missing, expected one, for SASL_SSL is true")
    };
    assert_eq!(told, [CLIENT_ID, CLIENT_SECRET, TOKEN_ENDPOINT].map(missing));
    let tokens = [(CLIENT_ID, "i"), (CLIENT_SECRET, "hunter2"), (TOKEN_ENDPOINT, "ftp://x")];
    let mut all = vec![(SASL_SSL, "true")];
    all.extend(tokens);
    assert_eq!(
        Given::default().errors(&with(&all)),
        [
            "environment SASL_OAUTHBEARER_TOKEN_ENDPOINT_URI: kafka.oauth.token_endpoint: expected an \
          address that begins with https:// or http://"
        ]
    );
}

#[test]
fn tokens_are_fetched_where_the_variables_say() {
    let tokens = [
        (SASL_SSL, "true"),
        (CLIENT_ID, "dev"),
        (CLIENT_SECRET, "hunter2"),
        (TOKEN_ENDPOINT, "https://id.test/token"),
    ];
    let config = Given::default().config(&with(&tokens));
    assert_eq!(kafka(&config, "security.protocol"), Some("SASL_SSL"));
    assert_eq!(kafka(&config, "sasl.mechanism"), Some("OAUTHBEARER"));
    let oauth = config.kafka.oauth.as_ref().expect("tokens");
    assert_eq!((oauth.client_id.as_str(), oauth.client_secret.expose()), ("dev", "hunter2"));
    assert_eq!(oauth.token_endpoint, "https://id.test/token");
    // As the original's own file has them.
    let mut idle = tokens.to_vec();
    idle[0].1 = "false";
    let config = Given::default().config(&with(&idle));
    assert!(config.kafka.oauth.is_none());
    assert_eq!(
        notices(&config),
        ["environment SASL_OAUTHBEARER_CLIENT_ID: ignored: SASL_OAUTHBEARER_CLIENT_ID, \
          SASL_OAUTHBEARER_CLIENT_SECRET, SASL_OAUTHBEARER_TOKEN_ENDPOINT_URI: SASL_SSL is not true"]
    );
    // A way that a file has made weaker is refused, not taken.
    let given = Given { toml: "[kafka]\nsecurity_protocol = \"PLAINTEXT\"\n", ..Given::default() };
    let errors = given.errors(&with(&tokens));
    let begin = "environment SASL_SSL: SASL_SSL: found true beside kafka.security_protocol";
    assert!(errors.iter().any(|error| error.starts_with(begin)), "{errors:?}");
}

#[test]
fn what_begins_with_midge_goes_first_and_files_come_last() {
    let given = Given { toml: "[kafka]\nbootstrap_servers = \"file:1\"\n", ..Given::default() };
    assert_eq!(kafka(&given.config(PAGE), "bootstrap.servers"), Some("localhost:9092"));
    let more = with(&[
        ("MIDGE__KAFKA__BOOTSTRAP_SERVERS", "own:1"),
        ("MIDGE__LOG__TYPES", "error"),
        ("MIDGE__PERSISTENCE__ENABLED", "false"),
        (DB_PERSIST_PATH, "/data"),
    ]);
    let config = given.config(&more);
    assert_eq!(kafka(&config, "bootstrap.servers"), Some("own:1"));
    assert!(config.persistence.is_none());
    assert!(config.log.types.error && !config.log.types.warning);
    let told = notices(&config);
    for name in [KAFKA_BROKER, LOG_LVL, DB_PERSIST_PATH] {
        assert!(told.iter().any(|line| line.contains(&format!("ignored: {name}: "))), "{told:?}");
    }
}

#[test]
fn levels_and_the_disk_are_as_the_variables_say() {
    let types = |level| {
        let log = Given::default().config(&with(&[(LOG_LVL, level)])).log.types;
        (log.error, log.warning, log.information && log.notice, log.debug)
    };
    for level in ["panic", "fatal", "error"] {
        assert_eq!(types(level), (true, false, false, false), "{level}");
    }
    assert_eq!(types("warn"), (true, true, false, false));
    assert_eq!(types("info"), (true, true, true, false));
    assert_eq!(types("debug"), (true, true, true, true));
    assert_eq!(types("TRACE"), (true, true, true, true));
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("messages");
    let at = |path: &std::path::Path| {
        Given::default().config(&with(&[(DB_PERSIST_PATH, path.to_str().unwrap())]))
    };
    assert_eq!(at(&path).persistence.expect("a disk").directory, path);
    // The original's database, or a place that is not found.
    std::fs::write(&path, "SQLite format 3").unwrap();
    for place in [path.clone(), path.join("below")] {
        let config = at(&place);
        assert!(config.persistence.is_none());
        let file = path.display();
        let told = format!(
            "environment DB_PERSIST_PATH: ignored: DB_PERSIST_PATH: {file}: found a file, expected \
             a directory: what waits is in memory"
        );
        assert!(notices(&config).contains(&told), "{:?}", notices(&config));
    }
}

#[test]
fn a_listener_of_our_own_depends_on_where_the_broker_is() {
    let here = with(&[("MQTT_BROKER_PORT", "2883")]);
    let config = Given::default().config(&here);
    assert_eq!(config.own_listener, OwnListener::UnlessTaken);
    assert_eq!(config.listeners[0].port, 2883);
    let there = with(&[("MQTT_BROKER_URL", "ssl://broker.test/"), ("MQTT_BROKER_PORT", "8883")]);
    let config = Given::default().config(&there);
    let host = "broker.test".to_owned();
    assert_eq!(config.own_listener, OwnListener::Never { host, port: 8883, tls: true });
    assert!(config.listeners.is_empty());
    let local = Given {
        toml: "[bridge]\nlocal_hosts = [\"broker.test\"]\n",
        ports: &[7],
        ..Given::default()
    };
    let config = local.config(&there);
    assert_eq!((config.own_listener, config.listeners[0].port), (OwnListener::Configured, 7));
    let only = with(&[(CONNECTOR_ONLY, "true")]);
    let config = Given::default().config(&only);
    assert!(matches!(config.own_listener, OwnListener::Never { .. }));
    let named = Given { ports: &[7], ..Given::default() };
    assert_eq!(
        named.errors(&only),
        [
            "environment CONNECTOR_ONLY: CONNECTOR_ONLY: found true beside a listener, expected auto \
          or false, or no listener"
        ]
    );
    let config = Given::default().config(&with(&[(CONNECTOR_ONLY, "false")]));
    assert_eq!(config.own_listener, OwnListener::Configured);
}
