use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{
    Ack, BindAddress, Config, ConnectorKind, Durability, LogDestination, LogFormat, LogTimestamp,
    OffsetReset, Persistence, QueueFull, RestAccess, SinkConnector, SourceConnector, Spool,
    SpoolFull, Tombstones,
};

fn try_read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::default();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let files = [(PathBuf::from("midge.toml"), text.to_owned())];
    parse(&mut draft, &files, environment.iter().map(own));
    resolve(draft, &[], false)
}

fn read(text: &str, environment: &[(&str, &str)]) -> Config {
    try_read(text, environment).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

fn errors(text: &str, environment: &[(&str, &str)]) -> String {
    lines(&try_read(text, environment).err().expect("a mistake"))
}

fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn property<'c>(config: &'c Config, name: &str) -> Option<&'c str> {
    config.kafka.client.expose().find(|(key, _)| *key == name).map(|(_, value)| value)
}

const WHOLE: &str = r#"
[broker]
user = "midge"
pid_file = "/run/midge.pid"
workers = 3
sys_interval = 5
connection_messages = false
set_tcp_nodelay = false

[limits]
max_connections = 1000
max_inflight_messages = 50
receive_maximum = 64
connect_timeout = 3
max_half_open_connections = 10
max_connect_size = 4096
max_subscriptions = 9
max_topic_levels = 8
password_threads = 2
max_waiting_logins = 7
persistent_client_expiration = "14d"
queue_full = "drop_oldest"

[persistence]
enabled = true
directory = "/var/lib/midge"
file = "old.db"
durability = "os"
segment_size = 1048576
max_size = 4194304

[log]
destinations = ["stdout", "file /var/log/midge.log"]
types = ["error", "debug"]
timestamp_format = "%s"
format = "json"

[authentication]
allow_anonymous = false
password_file = "/etc/midge/passwords"
acl_deny_subscribe = false
allow_zero_length_clientid = false

[listeners.plain]
port = 1883
host = "10.0.0.1"

[listeners.tls]
port = 8883
certfile = "/c.pem"
keyfile = "/k.pem"
allow_anonymous = true

[kafka]
bootstrap_servers = ["a:9092", "b:9092"]
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-512"
sasl_username = "u"
sasl_password = "p"
ssl_ca = "/ca.pem"

[kafka.properties]
"linger.ms" = 1
"compression.type" = "zstd"
"socket.keepalive.enable" = true
"sasl.password" = "from the table"

[connectors.up]
type = "source"
mqtt_filters = ["sensors/#", "a/+"]
kafka_topic = "sensors.${topic[2]}"
key = "${clientid}"
headers = false
ack = "spool"
buffer_bytes = 1000000
buffer_messages = 10
producer_byte_rate = 50000
spool_max_bytes = 2000000
spool_max_age = "36h"
spool_full = "drop_oldest"
spool_after = "250ms"
mqtt_user = "bridge"
mqtt_password = "secret"
properties = { "client.id" = "up" }

[connectors.down]
type = "sink"
kafka_topics = "commands"
group_id = "g"
mqtt_topic = "commands/${key}"
qos = 2
retain = true
tombstones = "clear"
offset_reset = "latest"
max_inflight_messages = 5
"#;

#[test]
fn every_section_is_taken() {
    let config = read(WHOLE, &[]);
    assert_eq!(config.user.as_deref(), Some("midge"));
    assert_eq!(config.workers, 3);
    assert_eq!(config.sys_interval.map(|interval| interval.as_secs()), Some(5));
    assert!(!config.connection_messages && !config.set_tcp_nodelay);
    let limits = &config.limits;
    assert_eq!(limits.max_connections, Some(1000));
    assert_eq!((limits.max_inflight_messages, limits.receive_maximum), (50, 64));
    assert_eq!(limits.connect_timeout.as_secs(), 3);
    assert_eq!((limits.max_half_open_connections, limits.max_connect_size), (10, 4096));
    assert_eq!((limits.max_subscriptions, limits.max_topic_levels), (9, 8));
    assert_eq!((limits.password_threads, limits.max_waiting_logins), (2, 7));
    assert_eq!(limits.persistent_client_expiration.map(|p| p.as_secs()), Some(14 * 86_400));
    assert_eq!(limits.queue_full, QueueFull::DropOldest);
    assert_eq!(
        config.persistence,
        Some(Persistence {
            directory: "/var/lib/midge".into(),
            import: Some("/var/lib/midge/old.db".into()),
            durability: Durability::Os,
            segment_bytes: 1 << 20,
            max_bytes: Some(4 << 20),
        })
    );
    assert_eq!(
        config.log.destinations,
        [LogDestination::Stdout, LogDestination::File("/var/log/midge.log".into())]
    );
    assert!(config.log.types.debug && config.log.types.error && !config.log.types.notice);
    assert_eq!(config.log.timestamp, LogTimestamp::Format("%s".to_owned()));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.notices.is_empty());
}

#[test]
fn listeners_take_the_shared_authentication_and_their_own() {
    let config = read(WHOLE, &[]);
    let [plain, tls] = &config.listeners[..] else { panic!("two listeners") };
    assert_eq!(plain.bind, BindAddress::Host("10.0.0.1".to_owned()));
    assert!(!plain.authentication.allow_anonymous);
    assert!(!plain.authentication.acl_deny_subscribe);
    assert!(!plain.authentication.allow_zero_length_clientid);
    assert!(tls.tls.is_some());
    assert!(tls.authentication.allow_anonymous);
    assert_eq!(tls.authentication.password_file, Some("/etc/midge/passwords".into()));
    let Origin::Line { line, .. } = tls.origin else { panic!("a line") };
    assert_eq!(WHOLE.lines().nth(line - 1), Some("[listeners.tls]"));
}

#[test]
fn kafka_has_named_options_and_a_table_that_wins() {
    let config = read(WHOLE, &[]);
    assert_eq!(property(&config, "bootstrap.servers"), Some("a:9092,b:9092"));
    assert_eq!(property(&config, "security.protocol"), Some("SASL_SSL"));
    assert_eq!(property(&config, "sasl.mechanism"), Some("SCRAM-SHA-512"));
    assert_eq!(property(&config, "ssl.ca.location"), Some("/ca.pem"));
    assert_eq!(property(&config, "linger.ms"), Some("1"));
    assert_eq!(property(&config, "socket.keepalive.enable"), Some("true"));
    assert_eq!(property(&config, "sasl.password"), Some("from the table"));
    assert_eq!(property(&config, "client.id"), Some("midge"));
    assert!(!config.kafka.client.plain.contains_key("sasl.password"));
    assert!(config.kafka.oauth.is_none());
}

#[test]
fn connectors_of_both_types_are_taken() {
    let config = read(WHOLE, &[]);
    let [down, up] = &config.connectors[..] else { panic!("two connectors") };
    assert_eq!(
        down.kind,
        ConnectorKind::Sink(SinkConnector {
            kafka_topics: vec!["commands".to_owned()],
            group_id: "g".to_owned(),
            mqtt_topic: "commands/${key}".to_owned(),
            qos: 2,
            retain: true,
            tombstones: Tombstones::Clear,
            offset_reset: OffsetReset::Latest,
            max_inflight_messages: 5,
        })
    );
    assert!(down.user.is_none() && down.overrides.is_empty());
    assert_eq!(
        up.kind,
        ConnectorKind::Source(SourceConnector {
            mqtt_filters: vec!["sensors/#".to_owned(), "a/+".to_owned()],
            kafka_topic: "sensors.${topic[2]}".to_owned(),
            key: "${clientid}".to_owned(),
            headers: false,
            ack: Ack::Spool,
            buffer_bytes: 1_000_000,
            buffer_messages: 10,
            spool: Spool {
                max_bytes: 2_000_000,
                max_age: Some(Duration::from_secs(36 * 3600)),
                full: SpoolFull::DropOldest,
                after: Duration::from_millis(250),
            },
            producer_byte_rate: Some(50_000),
        })
    );
    let user = up.user.as_ref().expect("a user");
    assert_eq!(user.name, "bridge");
    assert_eq!(user.password.as_ref().map(|password| password.expose()), Some("secret"));
    assert_eq!(up.overrides.plain.get("client.id").map(String::as_str), Some("up"));
}

#[test]
fn the_environment_lies_over_the_file() {
    let config = read(
        WHOLE,
        &[
            ("MIDGE__KAFKA__BOOTSTRAP_SERVERS", "c:1, d:2"),
            ("MIDGE__KAFKA__SASL_PASSWORD", "true"),
            ("MIDGE__KAFKA__PROPERTIES__LINGER_MS", "7"),
            ("MIDGE__LIMITS__MAX_INFLIGHT_MESSAGES", "99"),
            ("MIDGE__BROKER__CONNECTION_MESSAGES", "true"),
            ("MIDGE__LOG__TYPES", "warning,error"),
            ("MIDGE__LISTENERS__TLS__PORT", "8884"),
            ("MIDGE__LISTENERS__THIRD__PORT", "1885"),
            ("MIDGE__CONNECTORS__UP__KAFKA_TOPIC", "other"),
            ("HOME", "/root"),
        ],
    );
    assert_eq!(property(&config, "bootstrap.servers"), Some("c:1,d:2"));
    assert_eq!(property(&config, "linger.ms"), Some("7"));
    assert_eq!(config.limits.max_inflight_messages, 99);
    assert!(config.connection_messages);
    assert!(config.log.types.warning && !config.log.types.debug);
    let ports: Vec<u16> = config.listeners.iter().map(|listener| listener.port).collect();
    assert_eq!(ports, [1883, 1885, 8884]);
    let ConnectorKind::Source(up) = &config.connectors[1].kind else { panic!("a source") };
    assert_eq!(up.kafka_topic, "other");
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    assert_eq!(
        errors(
            "",
            &[
                ("MIDGE__LIMITS__MAX_INFLIGHT_MESSAGES", "many"),
                ("MIDGE__KAFKA__SASL_PASSWORD", ""),
                ("MIDGE__KAFKA", "x"),
                ("MIDGE__A[99999999999]__B", "x"),
                ("MIDGE__NOWHERE__KEY", "x"),
                ("MIDGE__LOG__FORMATT", "json"),
            ]
        ),
        "environment MIDGE__A[99999999999]__B: expected a name MIDGE__SECTION__KEY\n\
         environment MIDGE__KAFKA: expected a name MIDGE__SECTION__KEY\n\
         environment MIDGE__KAFKA__SASL_PASSWORD: kafka.sasl_password: expected text that is not \
         empty\n\
         environment MIDGE__LIMITS__MAX_INFLIGHT_MESSAGES: limits.max_inflight_messages: found \
         \"many\", expected a whole number from 0 to 65535\n\
         environment MIDGE__LOG__FORMATT: log.formatt: unknown key, did you mean format?; \
         accepted: destinations, format, timestamp, timestamp_format, types\n\
         environment MIDGE__NOWHERE__KEY: nowhere: unknown section; accepted: broker, limits, \
         persistence, log, authentication, listeners, kafka, bridge, connect, connectors\n"
    );
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let text = r#"port = 1883
[limit]
max_connections = 5
[broker]
workers = "four"
sys_intervall = 3
[log]
types = ["loud"]
format = "xml"
destinations = ["nowhere"]
[listeners]
plain = 1883
[listeners.tls]
port = 0
require_certificate = true
[kafka]
sasl_mechanism = "SCRAM-SHA-1"
sasl_password = 5
[kafka.properties]
acks = 1
"enable.idempotence" = false
"message.timeout.ms" = 1000
[connectors.a]
mqtt_filters = ["a"]
[connectors.b]
type = "source"
mqtt_filters = ["a/#/b", "ok"]
kafka_topic = "${topc}"
qos = 1
mqtt_password = "hunter2"
[connectors.c]
type = "sink"
mqtt_topic = "a/#"
"#;
    let expected = r#"midge.toml:1: port: unknown section; accepted: broker, limits, persistence, log, authentication, listeners, kafka, bridge, connect, connectors
midge.toml:2: limit: unknown section, did you mean limits?; accepted: broker, limits, persistence, log, authentication, listeners, kafka, bridge, connect, connectors
midge.toml:5: broker.workers: found "four", expected a whole number from 0 to 64
midge.toml:6: broker.sys_intervall: unknown key, did you mean sys_interval?; accepted: connection_messages, pid_file, set_tcp_nodelay, sys_interval, user, workers
midge.toml:8: log.types: found "loud", expected a list of error, warning, notice, information, subscribe, unsubscribe, websockets, debug, none, all
midge.toml:9: log.format: found "xml", expected one of text, json
midge.toml:10: log.destinations: found "nowhere", expected one of stdout, stderr, syslog, topic, file PATH, none
midge.toml:12: listeners.plain: found a number, expected a table [listeners.NAME]
midge.toml:14: listeners.tls.port: found 0, expected a whole number from 1 to 65535
midge.toml:15: require_certificate: found true, expected a cafile beside it
midge.toml:15: require_certificate: found without certfile and keyfile, expected all three in listeners.tls
midge.toml:17: kafka.sasl_mechanism: found "SCRAM-SHA-1", expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER
midge.toml:18: kafka.sasl_password: expected text that is not empty
midge.toml:19: kafka.properties."acks": is refused: an acknowledged message must be on all in-sync replicas; accepted: all
midge.toml:19: kafka.properties."enable.idempotence": is refused: without it a retry may duplicate or reorder records; accepted: true
midge.toml:19: kafka.properties."message.timeout.ms": is refused: a record is never given up by a timer: the bridge keeps it until Kafka has it
midge.toml:23: connectors.a.type: is missing, expected source or sink
"#;
    let found = errors(text, &[]);
    assert!(found.starts_with(expected), "{found}");
    let rest: Vec<&str> = found[expected.len()..].lines().collect();
    let begins = [
        "midge.toml:27: connectors.b.mqtt_filters: found \"a/#/b\": ",
        "midge.toml:28: connectors.b.kafka_topic: column 3: found \"topc\", expected ",
        "midge.toml:29: connectors.b.qos: belongs to connectors of type sink",
        "midge.toml:30: connectors.b.mqtt_password: found without a user, expected both",
        "midge.toml:31: connectors.c.kafka_topics: is missing, expected one Kafka topic or more",
        "midge.toml:33: connectors.c.mqtt_topic: ",
    ];
    assert_eq!(rest.len(), begins.len(), "{found}");
    for (line, begin) in rest.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn a_share_name_in_a_source_s_filter_is_refused_with_what_to_write_instead() {
    let text = "[connectors.a]\ntype = \"source\"\nmqtt_filters = [\"b\", \"$share/g/a/#\"]\n\
                kafka_topic = \"a\"\n";
    let expected = "midge.toml:3: connectors.a.mqtt_filters: found \"$share/g/a/#\", expected \
                    \"a/#\": a rule sees every message once, there is nobody to share it with\n";
    assert_eq!(errors(text, &[]), expected);
}

const SOURCE_A: &str = "[connectors.a]\ntype = \"source\"\nmqtt_filters = \"a\"\n\
                        kafka_topic = \"a\"\n";

fn source_a(text: &str) -> (SourceConnector, Vec<String>) {
    let config = read(text, &[("MIDGE__KAFKA__BOOTSTRAP_SERVERS", "k:9092")]);
    let ConnectorKind::Source(source) = &config.connectors[0].kind else { panic!("a source") };
    (source.clone(), config.notices.iter().map(ToString::to_string).collect())
}

#[test]
fn acknowledgements_wait_for_the_spool_when_there_is_a_disk_and_else_for_kafka() {
    let persistent = "[persistence]\nenabled = true\n";
    let (source, notices) = source_a(&format!("{SOURCE_A}{persistent}"));
    assert_eq!((source.ack, source.spool), (Ack::Spool, Spool::default()));
    assert_eq!(notices, [""; 0]);
    let (source, _) = source_a(SOURCE_A);
    assert_eq!((source.ack, source.producer_byte_rate), (Ack::Kafka, None));
    let (source, _) = source_a(&format!("{SOURCE_A}ack = \"kafka\"\n{persistent}"));
    assert_eq!(source.ack, Ack::Kafka);
    assert_eq!(
        errors(&format!("{SOURCE_A}ack = \"spool\"\nspool_max_age = \"1h\"\n"), &[]),
        "midge.toml:5: connectors.a.ack: found spool without persistence, expected kafka or none, \
         or persistence enabled: the spool is on disk\n"
    );
}

#[test]
fn bounds_of_a_spool_that_is_not_there_are_not_dropped_in_silence() {
    let bounds = "spool_max_bytes = 1048576\nspool_full = \"drop_newest\"\n";
    let (_, notices) = source_a(&format!("{SOURCE_A}{bounds}"));
    assert_eq!(
        notices,
        [
            "midge.toml:5: ignored: connectors.a.spool_max_bytes: persistence is off, and the \
             spool is on disk",
            "midge.toml:6: ignored: connectors.a.spool_full: persistence is off, and the spool is \
             on disk",
        ]
    );
    let text = format!("{SOURCE_A}ack = \"none\"\nspool_after = \"2s\"\n[persistence]\n");
    let (_, notices) = source_a(&format!("{text}enabled = true\n"));
    assert_eq!(
        notices,
        [
            "midge.toml:6: ignored: connectors.a.spool_after: only acknowledgements from the spool make \
             it begin by time"
        ]
    );
    let text = format!("{SOURCE_A}ack = \"kafka\"\nspool_max_age = \"2d\"\n[persistence]\n");
    let (_, notices) = source_a(&format!("{text}enabled = true\n"));
    assert!(notices.is_empty(), "what memory cannot hold is spooled here too: {notices:?}");
}

#[test]
fn persistence_has_defaults_and_a_journal_that_fits_its_bound() {
    let config = read("", &[("MIDGE__PERSISTENCE__ENABLED", "true")]);
    let persistence = config.persistence.expect("persistence");
    assert_eq!(persistence.import, Some(PathBuf::from("./mosquitto.db")));
    assert_eq!(persistence.journal(), PathBuf::from("./midge-store"));
    assert_eq!(Persistence { import: None, ..persistence }, Persistence::new("."));
    let small = "[persistence]\nenabled = true\nmax_size = 67108863\n";
    assert_eq!(
        errors(small, &[]),
        "midge.toml:3: persistence.max_size: found 67108863, expected 67108864 or more, or 0: the \
         journal needs 4 segments of 16777216 bytes\n"
    );
    let wrong = "[persistence]\nsegment_size = 4096\ndurability = \"disk\"\nlocation = \"x\"\n";
    assert_eq!(
        errors(wrong, &[]),
        "midge.toml:2: persistence.segment_size: found 4096, expected a whole number from 1048576 \
         to 1073741824\n\
         midge.toml:3: persistence.durability: found \"disk\", expected one of fsync, os, none\n\
         midge.toml:4: persistence.location: unknown key; accepted: directory, durability, \
         enabled, file, max_size, segment_size\n"
    );
}

#[test]
fn what_is_said_about_persistence_that_is_off_has_no_effect_and_a_line() {
    let config = read("[persistence]\ndurability = \"os\"\nmax_size = 5\n", &[]);
    assert_eq!(config.persistence, None);
    let notices: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "midge.toml:2: ignored: persistence.durability: persistence is off",
            "midge.toml:3: ignored: persistence.max_size: persistence is off",
        ]
    );
}

#[test]
fn broken_toml_is_reported_with_its_line() {
    let found = errors("[broker]\nworkers = 1\nworkers = = 2\n", &[]);
    assert!(found.starts_with("midge.toml:3: "), "{found}");
}

#[test]
fn a_protected_kafka_never_becomes_plain_by_omission() {
    let source = "[connectors.a]\ntype = \"source\"\nmqtt_filters = \"a\"\nkafka_topic = \"a\"\n";
    let sasl =
        "[kafka]\nsasl_mechanism = \"PLAIN\"\nsasl_username = \"u\"\nsasl_password = \"p\"\n";
    let config = read(&format!("{source}{sasl}"), &[]);
    assert_eq!(property(&config, "security.protocol"), Some("SASL_SSL"));
    assert_eq!(property(&config, "bootstrap.servers"), Some("localhost:9092"));
    let notices: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "configuration: kafka.bootstrap_servers is not set: localhost:9092, as Kafka Connect has it"
        ]
    );
    let config = read("[kafka]\nssl_ca = \"/ca\"\n", &[]);
    assert_eq!(property(&config, "security.protocol"), Some("SSL"));
    assert_eq!(
        errors("[kafka]\nssl_ca = \"/ca\"\nsecurity_protocol = \"PLAINTEXT\"\n", &[]),
        "midge.toml:3: kafka.security_protocol: found PLAINTEXT beside options of TLS, expected SSL \
         or SASL_SSL\n"
    );
    assert_eq!(
        errors("[kafka]\nsecurity_protocol = \"SASL_SSL\"\n", &[]),
        "midge.toml:2: kafka.sasl_mechanism: is missing, expected one of PLAIN, SCRAM-SHA-256, \
         SCRAM-SHA-512, OAUTHBEARER\n"
    );
    assert_eq!(
        errors("[kafka]\nsasl_mechanism = \"PLAIN\"\nssl_key = \"k\"\n", &[]),
        "midge.toml:2: kafka.sasl_password: is missing\n\
         midge.toml:2: kafka.sasl_username: is missing\n\
         midge.toml:3: kafka.ssl_key: found without ssl_certificate, expected both\n"
    );
}

#[test]
fn oauth_needs_its_three_settings_and_shows_no_secret() {
    let text = "[kafka]\nsasl_mechanism = \"OAUTHBEARER\"\n[kafka.oauth]\nclient_id = \"id\"\n\
                client_secret = \"hunter2\"\ntoken_endpoint = \"https://idp/token\"\nscope = \"s\"\n";
    let config = read(text, &[]);
    let oauth = config.kafka.oauth.expect("tokens");
    assert_eq!(oauth.client_id, "id");
    assert_eq!(oauth.client_secret.expose(), "hunter2");
    assert_eq!(oauth.token_endpoint, "https://idp/token");
    assert_eq!(oauth.scope.as_deref(), Some("s"));
    let found = errors(&text.replace("https:", "ftp:").replace("client_id = \"id\"\n", ""), &[]);
    assert_eq!(
        found,
        "midge.toml:2: kafka.oauth.client_id: is missing\n\
         midge.toml:5: kafka.oauth.token_endpoint: expected an address that begins with https:// \
         or http://\n"
    );
    assert_eq!(
        errors("[kafka.oauth]\nclient_id = \"id\"\nclient_secret = [\"hunter2\"]\n", &[]),
        "midge.toml:2: kafka.oauth: found without sasl_mechanism = \"OAUTHBEARER\"\n\
         midge.toml:3: kafka.oauth.client_secret: expected text that is not empty\n"
    );
}

#[test]
fn a_later_file_lies_over_an_earlier_one() {
    let mut draft = Draft::default();
    let files = [
        (
            PathBuf::from("a.toml"),
            "[limits]\nmax_connections = 1\nreceive_maximum = 2\n".to_owned(),
        ),
        (PathBuf::from("b.toml"), "\n\n[limits]\nmax_connections = 3\nmax_qos = 1\n".to_owned()),
    ];
    parse(&mut draft, &files, []);
    assert_eq!(draft.limits.max_connections, Some(3));
    assert_eq!(draft.limits.receive_maximum, 2);
    assert_eq!(draft.errors.len(), 1);
    assert!(draft.errors[0].to_string().starts_with("b.toml:5: limits.max_qos: unknown key"));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        let _ = try_read(&text, &[]);
    }

    #[test]
    fn any_value_of_any_key_is_read_without_a_panic(
        section in prop::sample::select(SECTIONS),
        key in "[a-z_.\"]{1,20}",
        value in r#"(-?[0-9]{1,25}|"[a-z$\{]{0,9}"|\[[0-9,]{0,5}\]|\{a=1\}|true|1\.5e9|1979-05-27)"#,
        name in "MIDGE__[A-Z_]{0,20}",
    ) {
        let text = format!("[{section}]\n{key} = {value}\n[{section}.x]\n{key} = {value}\n");
        let _ = try_read(&text, &[(&name, &value)]);
    }
}

#[test]
fn the_rest_interface_is_on_loopback_or_asks_who_speaks() {
    assert!(read("", &[]).connect.rest.is_none());
    let rest = |text: &str, environment: &[(&str, &str)]| {
        read(text, environment).connect.rest.expect("a listener")
    };
    let open = rest("[connect]\nrest_listen = \"localhost:8083\"\n", &[]);
    assert_eq!(open.address.to_string(), "127.0.0.1:8083");
    assert!(matches!(open.access, RestAccess::Open));
    let wide = "[connect]\nrest_listen = \"0.0.0.0:8083\"\n";
    assert_eq!(
        errors(wide, &[]),
        "midge.toml:2: connect.rest_listen: found 0.0.0.0:8083, which other machines reach, \
         without rest_token or rest_user and rest_password, expected one of them, or a loopback \
         address\n"
    );
    let token = rest(wide, &[("MIDGE__CONNECT__REST_TOKEN", "secret")]).access;
    assert!(matches!(token, RestAccess::Token(token) if token.expose() == "secret"));
    let pair = format!("{wide}rest_user = \"ana\"\nrest_password = \"x\"\n");
    let basic = rest(&pair, &[]).access;
    assert!(matches!(basic, RestAccess::Basic { user, .. } if user == "ana"));
}

#[test]
fn half_a_login_of_the_rest_interface_is_a_mistake() {
    let begin = "[connect]\nrest_listen = \"127.0.0.1:1\"\n";
    for (text, expected) in [
        (
            "rest_user = \"ana\"\n",
            "midge.toml:3: connect.rest_user: found without rest_password, expected both\n",
        ),
        (
            "rest_password = \"x\"\n",
            "midge.toml:3: connect.rest_password: found without rest_user, expected both\n",
        ),
        (
            "rest_token = \"t\"\nrest_user = \"a\"\nrest_password = \"x\"\n",
            "midge.toml:3: connect.rest_token: found beside rest_user or rest_password, expected \
             one of the two\n",
        ),
        (
            "rest_user = \"a:b\"\nrest_password = \"x\"\n",
            "midge.toml:3: connect.rest_user: found a colon, expected a name without: it ends the \
             name\n",
        ),
    ] {
        assert_eq!(errors(&format!("{begin}{text}"), &[]), expected);
    }
    assert_eq!(
        errors("[connect]\nrest_listen = \"kafka:8083\"\n", &[]),
        "midge.toml:2: connect.rest_listen: found \"kafka:8083\", expected ADDRESS:PORT, such as \
         127.0.0.1:8083\n"
    );
}
