//! The environment of aiproshar's connector: its variables run a connector, with nothing changed but
//! ports and Kafka's address.

use midge_tests::{Kafka, Midge, Mosquitto, Publisher, Setup, eventually, mosquitto_passwd, rest};
use serde_json::json;
use tempfile::TempDir;

/// The configuration that the container image comes with.
const IMAGE: &str = include_str!("../../../deploy/mosquitto.conf");

/// The variables of the connector's own page, without those of its lists.
const PAGE: [(&str, &str); 12] = [
    ("RUN_MODE", "PRODUCTION"),
    ("MQTT_BROKER_URL", "127.0.0.1"),
    ("MQTT_BROKER_PORT", "@PORT@"),
    ("MQTT_CLIENT_ID", "arafat"),
    ("MQTT_USER_NAME", "user"),
    ("MQTT_USER_PASSWORD", "12345678"),
    ("LOG_LVL", "info"),
    ("INVOKE_LATENCY_SEC", "10"),
    ("INVOKE_MAX_GOROUTINE", "1000"),
    ("INVOKE_MIN_GOROUTINE", "50"),
    ("KAFKA_BROKER", "@KAFKA@"),
    ("SASL_SSL", "false"),
];

/// `docker run -e …` of the image, with these variables in place of the page's or beside them.
fn image(more: &[(&str, &str)]) -> Setup {
    let kept = PAGE.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let setup = Setup::exactly(IMAGE);
    kept.chain(more).fold(setup, |setup, (name, value)| {
        setup.environment(name, &value.replace("@KAFKA@", Kafka::shared().bootstrap()))
    })
}

fn publish(midge: &Midge, mqtt_topic: &str, payload: &str) {
    Publisher::new(midge).arguments(&["-q", "1", "-t", mqtt_topic, "-m", payload]).succeeds();
}

fn records(kafka_topic: &str, count: usize) -> Vec<String> {
    let mut found = Kafka::shared().eventually_records(kafka_topic, "%k %s\n", count);
    found.sort_unstable();
    found
}

#[test]
fn the_page_s_variables_run_a_broker_with_the_connector_inside() {
    let midge = image(&[
        ("TOPIC_LIST", "default:default-kafka,custom:custom-kafka,dev_arafat:dev_arafat"),
        ("WILDCARD_TOPIC_LIST", "default/+/mqtt:custom-kafka,default/kc/#:general"),
    ])
    .start();
    midge.says(&["this is the MQTT broker", "the connector runs inside it"]);
    midge.says(&["ignored: INVOKE_LATENCY_SEC, INVOKE_MAX_GOROUTINE, INVOKE_MIN_GOROUTINE: "]);
    publish(&midge, "default", "one");
    publish(&midge, "custom", "two");
    publish(&midge, "dev_arafat", "three");
    publish(&midge, "default/x/mqtt", "four");
    publish(&midge, "default/kc/deep/down", "five");
    // Both filters match these: the first that is listed takes them.
    publish(&midge, "default/kc/mqtt", "six");
    publish(&midge, "default/kc/mqtt", "seven");
    publish(&midge, "nobody/asked", "eight");
    assert_eq!(records("default-kafka", 1), ["default one"]);
    assert_eq!(records("dev_arafat", 1), ["dev_arafat three"]);
    assert_eq!(records("general", 1), ["default/kc/deep/down five"]);
    assert_eq!(
        records("custom-kafka", 4),
        ["custom two", "default/kc/mqtt seven", "default/kc/mqtt six", "default/x/mqtt four"]
    );
    midge.says(&["several filters match", "default/+/mqtt", "default/kc/#", "default/kc/mqtt"]);
    let log = midge.log();
    assert_eq!(log.matches("several filters match").count(), 1, "{log}");
    assert!(!log.contains("12345678"), "{log}");
}

#[test]
fn a_dot_env_file_is_read_in_develop_mode_and_the_environment_goes_first() {
    let file = "MQTT_BROKER_URL=127.0.0.1\nMQTT_BROKER_PORT=@PORT@\nKAFKA_BROKER=127.0.0.1:1\n\
                MQTT_CLIENT_ID=walton\nLOG_LVL=info\nTOPIC_LIST=dotted:dot-env\n\
                WILDCARD_TOPIC_LIST=\"dotted/+/mqtt:dot-env,dotted/kc/#:dot-env\" # both\n";
    let setup = |mode: &[(&str, &str)]| {
        let setup = Setup::exactly(IMAGE)
            .file(".env", file)
            .environment("KAFKA_BROKER", Kafka::shared().bootstrap());
        mode.iter().fold(setup, |setup, (name, value)| setup.environment(name, value))
    };
    for (run, mode) in [&[][..], &[("RUN_MODE", "DEVELOP")]].into_iter().enumerate() {
        let midge = setup(mode).start();
        midge.says(&[".env: RUN_MODE is", "TOPIC_LIST, WILDCARD_TOPIC_LIST"]);
        publish(&midge, "dotted/kc/a/b", "through the file");
        let expected = vec!["dotted/kc/a/b through the file"; run + 1];
        assert_eq!(records("dot-env", run + 1), expected);
    }
    // In production nobody looks at it: then there is no connector, and the usual port is another.
    let refusal = setup(&[("RUN_MODE", "PRODUCTION")]).argument("--test-config").run();
    assert_eq!(refusal.code, Some(0), "{}", refusal.all());
    assert!(!refusal.all().contains(".env"), "{}", refusal.all());
}

#[test]
fn wrong_values_are_told_all_at_once_and_secrets_never() {
    let told = |more: &[(&str, &str)]| {
        let output = image(more).run();
        assert_eq!(output.code, Some(3), "{}", output.all());
        assert!(!output.all().contains("12345678"), "{}", output.all());
        output.all()
    };
    let all = told(&[
        ("TOPIC_LIST", "a:b"),
        ("LOG_LVL", "loud"),
        ("SASL_SSL", "yes"),
        ("KAFKA_BROKER", "kafka:port"),
        ("RUN_MODE", "STAGING"),
    ]);
    for line in [
        "environment LOG_LVL: LOG_LVL: found \"loud\", expected one of panic",
        "environment SASL_SSL: SASL_SSL: found \"yes\", expected true or false",
        "environment KAFKA_BROKER: KAFKA_BROKER: found \"kafka:port\", expected HOST:PORT",
        "environment RUN_MODE: RUN_MODE: found \"STAGING\", expected PRODUCTION or DEVELOP",
    ] {
        assert!(all.contains(line), "{line} is not in {all}");
    }
    let all = told(&[
        ("TOPIC_LIST", "only-half,with/+:k"),
        ("WILDCARD_TOPIC_LIST", "a/#/b:k"),
        ("MQTT_BROKER_PORT", "65536"),
        ("INVOKE_LATENCY_SEC", "ten"),
    ]);
    for parts in [
        ["environment TOPIC_LIST: ", "only-half", "expected MQTT_TOPIC:KAFKA_TOPIC"],
        ["environment TOPIC_LIST: ", "with/+:k", "without wildcards"],
        ["environment WILDCARD_TOPIC_LIST: ", "a/#/b:k", "expected"],
        ["environment MQTT_BROKER_PORT: ", "65536", "65535"],
        ["environment INVOKE_LATENCY_SEC: ", "ten", "INT"],
    ] {
        let found = all.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} are not in {all}");
    }
}

#[test]
fn a_password_is_checked_where_there_is_a_password_file() {
    let directory = TempDir::new().expect("a directory");
    let passwords = directory.path().join("passwords");
    std::fs::write(&passwords, "").expect("a file");
    mosquitto_passwd(&passwords, "user", "12345678");
    let conf = format!("listener @PORT@ 127.0.0.1\npassword_file {}\n", passwords.display());
    let with = |password: &str| {
        let more = [("TOPIC_LIST", "checked:checked-user"), ("MQTT_USER_PASSWORD", password)];
        image(&more).file("mosquitto.conf", &conf)
    };
    let refusal = with("guess").run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    let all = refusal.all();
    assert!(
        all.contains("environment TOPIC_LIST: connector \"connector\": MQTT user \"user\""),
        "{all}"
    );
    assert!(!all.contains("guess"), "{all}");
    let midge = with("12345678").start();
    Publisher::new(&midge)
        .arguments(&["-u", "user", "-P", "12345678", "-q", "1", "-t", "checked", "-m", "in"])
        .succeeds();
    assert_eq!(records("checked-user", 1), ["checked in"]);
}

#[test]
fn what_kafka_does_not_take_waits_at_db_persist_path() {
    let data = TempDir::new().expect("a directory");
    let path = data.path().to_str().expect("UTF-8").to_owned();
    let with = |kafka: &str| {
        image(&[
            ("TOPIC_LIST", "kept:kept-kafka"),
            ("DB_PERSIST_PATH", &path),
            ("KAFKA_BROKER", kafka),
        ])
    };
    let mut midge = with("127.0.0.1:1").start();
    // Its acknowledgement says that the disk has it.
    publish(&midge, "kept", "from the disk");
    midge.signal(rustix::process::Signal::KILL);
    midge.await_kill();
    assert!(data.path().join("midge-store").is_dir());
    let midge = with(Kafka::shared().bootstrap()).start();
    assert_eq!(records("kept-kafka", 1), ["kept from the disk"]);
    drop(midge);
}

#[test]
fn oauthbearer_fetches_tokens_and_fetches_them_again_before_they_expire() {
    let kafka = Kafka::shared();
    let midge = image(&[
        ("TOPIC_LIST", "tokens:token-kafka"),
        ("KAFKA_BROKER", &kafka.oauth()),
        ("SASL_SSL", "true"),
        ("SASL_OAUTHBEARER_CLIENT_ID", "midge"),
        ("SASL_OAUTHBEARER_CLIENT_SECRET", "midge-secret"),
        ("SASL_OAUTHBEARER_TOKEN_ENDPOINT_URI", &kafka.tokens().short_lived_endpoint()),
        ("MIDGE__KAFKA__SSL_CA", "@DIR@/ca.pem"),
    ])
    .file("ca.pem", kafka.authority().pem())
    .start();
    publish(&midge, "tokens", "first");
    assert_eq!(records("token-kafka", 1), ["tokens first"]);
    let given = kafka.tokens().short_lived();
    eventually("another token is fetched", || (kafka.tokens().short_lived() > given).then_some(()));
    publish(&midge, "tokens", "second");
    assert_eq!(records("token-kafka", 2), ["tokens first", "tokens second"]);
    assert!(!midge.log().contains("midge-secret"), "{}", midge.log());
}

#[test]
fn rest_shows_it_as_a_connector_of_a_file_and_a_reload_leaves_it_alone() {
    let midge = image(&[
        ("TOPIC_LIST", "shown:shown-kafka"),
        ("MIDGE__CONNECT__REST_LISTEN", "127.0.0.1:@PORT2@"),
    ])
    .listening(&[1, 2])
    .start();
    assert_eq!(rest(&midge, "GET", "/connectors", None), (200, json!(["connector"])));
    let (status, shown) = rest(&midge, "GET", "/connectors/connector", None);
    assert_eq!((status, &shown["type"]), (200, &json!("source")));
    assert_eq!(shown["config"]["TOPIC_LIST"], "shown:shown-kafka");
    assert_eq!(shown["config"]["connector.class"], "midge.TopicListsSourceConnector");
    let (status, answer) = rest(&midge, "DELETE", "/connectors/connector", None);
    assert!(status >= 400, "{answer}");
    midge.reload();
    midge.says(&["configuration reloaded"]);
    publish(&midge, "shown", "after the reload");
    assert_eq!(records("shown-kafka", 1), ["shown after the reload"]);
}

#[test]
fn beside_mosquitto_it_is_a_client_whose_session_has_what_came_meanwhile() {
    let mosquitto = Mosquitto::start("");
    let publish = |mqtt_topic: &str, payload: &str| {
        let arguments = ["-q", "1", "-t", mqtt_topic, "-m", payload];
        Publisher::to(mosquitto.port()).arguments(&arguments).succeeds();
    };
    let mut midge = image(&[
        ("MQTT_BROKER_PORT", &mosquitto.port().to_string()),
        ("TOPIC_LIST", "beside:client-named"),
        ("WILDCARD_TOPIC_LIST", "beside/+/mqtt:client-first,beside/kc/#:client-second"),
    ])
    .listening(&[])
    .start();
    midge.says(&["is another MQTT broker's", "the connector is its client"]);
    // Filters that overlap have a connection each.
    mosquitto.says("Sending SUBACK", 2);
    publish("beside", "one");
    publish("beside/kc/mqtt", "two");
    publish("beside/kc/x/y", "three");
    assert_eq!(records("client-named", 1), ["beside one"]);
    assert_eq!(records("client-first", 1), ["beside/kc/mqtt two"]);
    assert_eq!(records("client-second", 1), ["beside/kc/x/y three"]);
    midge.says(&["several filters match", "beside/+/mqtt", "beside/kc/#"]);
    midge.signal(rustix::process::Signal::TERM);
    midge.ended();
    publish("beside", "meanwhile");
    midge.start_again();
    assert_eq!(records("client-named", 2), ["beside meanwhile", "beside one"]);
    assert!(!midge.log().contains("12345678"), "{}", midge.log());
}

#[test]
fn a_connector_only_waits_for_a_broker_that_starts_later_and_is_as_well_as_it() {
    let mut mosquitto = Mosquitto::start("");
    let port = mosquitto.port().to_string();
    let only = [
        ("MQTT_BROKER_PORT", port.as_str()),
        ("TOPIC_LIST", "later:later-kafka"),
        ("CONNECTOR_ONLY", "true"),
    ];
    mosquitto.stop();
    let midge = image(&only).listening(&[]).start();
    midge.says(&["no listener of our own: the connector is a client of the broker at 127.0.0.1"]);
    let healthy = || {
        let arguments = Setup::arguments(&["health", "-c", "@DIR@/mosquitto.conf"]);
        let setup = arguments.file("mosquitto.conf", IMAGE);
        let setup = only.iter().fold(setup, |setup, (name, value)| setup.environment(name, value));
        setup.run().code
    };
    assert_eq!(healthy(), Some(1));
    mosquitto.start_again();
    mosquitto.says("Sending SUBACK", 1);
    assert_eq!(healthy(), Some(0));
    Publisher::to(mosquitto.port())
        .arguments(&["-q", "1", "-t", "later", "-m", "in the end"])
        .succeeds();
    assert_eq!(records("later-kafka", 1), ["later in the end"]);
}
